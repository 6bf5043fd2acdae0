//! The farm screen on terminals of every kind: sizes, colours, signs.

use std::fmt::Write;

use insta::assert_snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::theme::Depth;
use super::{Look, Theme, frame};
use crate::app::Model;
use crate::app::fixture::busy;

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (100, 30), (140, 40)];

fn painted(model: &Model, look: Look) -> Buffer {
    let area = Rect::new(0, 0, model.size.width, model.size.height);
    let mut buffer = Buffer::empty(area);
    frame::paint(model, look, area, &mut buffer);
    buffer
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let row = |y: u16| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
    (0..buffer.area.height).map(row).collect()
}

/// Signs, and under each line where colours and weights begin.
fn coloured(buffer: &Buffer) -> String {
    let mut out = String::new();
    for (y, line) in (0..buffer.area.height).zip(lines(buffer)) {
        let _infallible = writeln!(out, "{}", line.trim_end());
        let mut before = (Color::Reset, Color::Reset, Modifier::empty());
        let mut runs = Vec::new();
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let now = (cell.fg, cell.bg, cell.modifier);
            if now != before {
                let mut words = format!("{x}:{:?}", cell.fg);
                if cell.bg != Color::Reset {
                    let _infallible = write!(words, " on {:?}", cell.bg);
                }
                if !cell.modifier.is_empty() {
                    let _infallible = write!(words, " {:?}", cell.modifier);
                }
                runs.push(words);
                before = now;
            }
        }
        let _infallible = writeln!(out, "    {}", runs.join(", "));
    }
    out
}

#[test]
fn four_sizes_in_three_colour_modes() {
    let modes = [
        (
            "truecolor_dark",
            Look {
                theme: Theme::named("dark").unwrap(),
                ..Look::new(true)
            },
        ),
        (
            "sixteen_okabe_ito",
            Look {
                theme: Theme::named("okabe-ito").unwrap(),
                depth: Depth::Sixteen,
                ..Look::new(true)
            },
        ),
        (
            "no_colour_ascii",
            Look {
                ascii: true,
                ..Look::new(false)
            },
        ),
    ];
    for (width, height) in SIZES {
        for (name, look) in modes {
            let buffer = painted(&busy(width, height), look);
            assert_snapshot!(format!("farm_{width}x{height}_{name}"), coloured(&buffer));
        }
    }
}

#[test]
fn every_theme_says_each_state_in_a_colour_of_its_own() {
    for name in Theme::names() {
        let theme = Theme::named(name).unwrap();
        let said = [theme.good, theme.wait, theme.warn, theme.bad, theme.faint];
        for (index, hue) in said.iter().enumerate() {
            assert!(!said[..index].contains(hue), "{name}: {hue:?} twice");
        }
        assert_snapshot!(
            format!("theme_{name}"),
            coloured(&painted(
                &busy(80, 24),
                Look {
                    theme,
                    ..Look::new(true)
                }
            ))
        );
    }
}

#[test]
fn without_colours_nothing_is_coloured_and_the_same_is_said() {
    for (width, height) in SIZES {
        let model = busy(width, height);
        let bare = painted(&model, Look::new(false));
        let no_colour = |cell: &ratatui::buffer::Cell| cell.fg == Color::Reset && cell.bg == Color::Reset;
        assert!(bare.content.iter().all(no_colour));
        assert_eq!(lines(&bare), lines(&painted(&model, Look::new(true))));
    }
}

#[test]
fn a_terminal_of_256_or_16_colours_gets_no_other() {
    let model = busy(100, 30);
    let theme = Theme::named("dark").unwrap();
    let known = |depth, colour: Color| match depth {
        Depth::True => true,
        Depth::Palette256 => !matches!(colour, Color::Rgb(..)),
        Depth::Sixteen => !matches!(colour, Color::Rgb(..) | Color::Indexed(16..)),
    };
    for depth in [Depth::Palette256, Depth::Sixteen] {
        let buffer = painted(
            &model,
            Look {
                depth,
                theme,
                ..Look::new(true)
            },
        );
        assert!(
            buffer
                .content
                .iter()
                .all(|cell| known(depth, cell.fg) && known(depth, cell.bg))
        );
    }
}

#[test]
fn ascii_has_no_other_signs_but_those_of_peoples_own_names() {
    let mut model = busy(100, 30);
    for job in model.farm.jobs.values_mut() {
        job.name = "plain".to_owned();
    }
    let look = Look {
        ascii: true,
        ..Look::new(true)
    };
    for line in lines(&painted(&model, look)) {
        assert!(line.is_ascii(), "{line}");
    }
}

#[test]
fn no_number_is_cut_at_any_width() {
    for width in 60..=200 {
        let text = lines(&painted(&busy(width, 30), Look::new(true))).join("\n");
        for whole in ["155/250", "257/900", "24/24"] {
            assert!(text.contains(whole), "{whole} at {width}:\n{text}");
        }
        // Columns that have no room are left out as a whole.
        for (column, whole, part) in [
            ("SAMPLE", "384/512", "384/"),
            ("LEFT", "0:08", "0:0"),
            ("MEM", "9.1 G", "9.1"),
        ] {
            assert_eq!(text.contains(column), text.contains(whole), "{column} at {width}");
            assert!(
                text.contains(whole) || !text.contains(part),
                "{column} at {width}:\n{text}"
            );
        }
    }
}

#[test]
fn a_screen_that_is_too_small_says_so_in_24_columns() {
    for (width, height) in [(24, 5), (40, 10), (59, 40), (200, 15)] {
        let text = lines(&painted(&busy(width, height), Look::new(true)));
        assert!(
            text.iter().all(|line| line.trim_end().chars().count() <= 24),
            "{text:?}"
        );
        let text = text.join("\n");
        assert!(
            text.contains(&format!("now {width}x{height}")) && text.contains("needs 60x16"),
            "{text}"
        );
    }
}
