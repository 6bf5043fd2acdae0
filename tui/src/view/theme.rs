//! Themes: what colour means what. Written in TOML, four of them built in.

use ratatui::style::Color;
use serde::{Deserialize, Deserializer};

/// A colour of a theme; the terminal's own where it says `default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hue(pub(crate) Color);

impl<'de> Deserialize<'de> for Hue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "default" {
            return Ok(Self(Color::Reset));
        }
        text.parse().map(Self).map_err(|_| {
            let words =
                format!("{text:?} is no colour: write default, red, light-blue, 0 to 255, or #rrggbb");
            serde::de::Error::custom(words)
        })
    }
}

/// Colours by what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Theme {
    pub(crate) text: Hue,
    pub(crate) background: Hue,
    pub(crate) faint: Hue,
    pub(crate) accent: Hue,
    pub(crate) good: Hue,
    pub(crate) active: Hue,
    pub(crate) wait: Hue,
    pub(crate) warn: Hue,
    pub(crate) bad: Hue,
}

/// Names and texts of the themes that are built in.
const BUILT_IN: [(&str, &str); 4] = [
    ("terminal", include_str!("../../../assets/themes/terminal.toml")),
    ("dark", include_str!("../../../assets/themes/dark.toml")),
    ("light", include_str!("../../../assets/themes/light.toml")),
    ("okabe-ito", include_str!("../../../assets/themes/okabe-ito.toml")),
];

impl Default for Theme {
    fn default() -> Self {
        Self::named("terminal").expect("a test reads every theme that is built in")
    }
}

impl Theme {
    /// Names of the themes that are built in.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A theme that is built in.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(one, _)| *one == name)?;
        toml::from_str(text).ok()
    }
}

/// How many colours a terminal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Sixteen,
    Palette256,
    True,
}

impl Depth {
    /// What `COLORTERM` and `TERM` promise.
    pub(crate) fn of(colorterm: &str, term: &str) -> Self {
        if matches!(colorterm, "truecolor" | "24bit") || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256color") {
            Self::Palette256
        } else {
            Self::Sixteen
        }
    }

    /// The nearest colour that the terminal knows.
    pub(crate) fn nearest(self, colour: Color) -> Color {
        match (self, colour) {
            (Self::Palette256, Color::Rgb(r, g, b)) => Color::Indexed(nearest_256(r, g, b)),
            (Self::Sixteen, Color::Rgb(r, g, b)) => nearest_16([r, g, b]),
            (Self::Sixteen, Color::Indexed(index @ 16..)) => nearest_16(rgb_of(index)),
            _ => colour,
        }
    }
}

/// Levels of the colour cube from 16 to 231.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| u32::from(a.abs_diff(b)).pow(2))
        .sum()
}

fn nearest_256(r: u8, g: u8, b: u8) -> u8 {
    (16..=255)
        .min_by_key(|index| distance(rgb_of(*index), [r, g, b]))
        .unwrap_or(15)
}

/// What a colour of the palette beyond the first sixteen looks like.
fn rgb_of(index: u8) -> [u8; 3] {
    if index >= 232 {
        let grey = 8 + (index - 232) * 10;
        return [grey; 3];
    }
    let place = usize::from(index.saturating_sub(16));
    [CUBE[place / 36 % 6], CUBE[place / 6 % 6], CUBE[place % 6]]
}

fn nearest_16(rgb: [u8; 3]) -> Color {
    // As most terminals show them; the exact values are their owners' choice.
    const NAMED: [(Color, [u8; 3]); 16] = [
        (Color::Black, [0, 0, 0]),
        (Color::Red, [205, 0, 0]),
        (Color::Green, [0, 205, 0]),
        (Color::Yellow, [205, 205, 0]),
        (Color::Blue, [0, 0, 238]),
        (Color::Magenta, [205, 0, 205]),
        (Color::Cyan, [0, 205, 205]),
        (Color::Gray, [229, 229, 229]),
        (Color::DarkGray, [127, 127, 127]),
        (Color::LightRed, [255, 0, 0]),
        (Color::LightGreen, [0, 255, 0]),
        (Color::LightYellow, [255, 255, 0]),
        (Color::LightBlue, [92, 92, 255]),
        (Color::LightMagenta, [255, 0, 255]),
        (Color::LightCyan, [0, 255, 255]),
        (Color::White, [255, 255, 255]),
    ];
    let nearest = NAMED.iter().min_by_key(|(_, one)| distance(*one, rgb));
    nearest.map_or(Color::Reset, |(colour, _)| *colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_that_is_built_in_can_be_read() {
        for name in Theme::names() {
            assert!(Theme::named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn words_are_readable_on_the_backgrounds_of_dark_and_light() {
        fn luminance(colour: Color) -> f64 {
            let Color::Rgb(r, g, b) = colour else {
                panic!("{colour:?}")
            };
            let linear = |part: u8| {
                let part = f64::from(part) / 255.0;
                if part <= 0.040_45 {
                    part / 12.92
                } else {
                    ((part + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
        }
        for name in ["dark", "light"] {
            let theme = Theme::named(name).unwrap();
            let contrast = |hue: Hue| {
                let (a, b) = (luminance(hue.0), luminance(theme.background.0));
                (a.max(b) + 0.05) / (a.min(b) + 0.05)
            };
            for hue in [
                theme.text,
                theme.accent,
                theme.good,
                theme.active,
                theme.wait,
                theme.warn,
                theme.bad,
            ] {
                assert!(contrast(hue) >= 4.5, "{name} {hue:?}: {:.2}", contrast(hue));
            }
            assert!(
                contrast(theme.faint) >= 3.0,
                "{name} faint: {:.2}",
                contrast(theme.faint)
            );
        }
    }

    #[test]
    fn colours_of_okabe_and_ito_differ_for_every_kind_of_sight() {
        let theme = Theme::named("okabe-ito").unwrap();
        let said = [theme.good, theme.active, theme.wait, theme.warn, theme.bad];
        // The eight colours of "Color Universal Design", Okabe and Ito 2008.
        let set = [
            0xE6_9F_00, 0x56_B4_E9, 0x00_9E_73, 0xF0_E4_42, 0x00_72_B2, 0xD5_5E_00, 0xCC_79_A7,
        ];
        for (index, hue) in said.iter().enumerate() {
            let Color::Rgb(r, g, b) = hue.0 else { panic!() };
            let value = u32::from_be_bytes([0, r, g, b]);
            assert!(set.contains(&value), "{value:06x}");
            assert!(!said[..index].contains(hue));
        }
    }

    #[test]
    fn a_terminal_gets_only_colours_that_it_knows() {
        let orange = Color::Rgb(0xE6, 0x9F, 0x00);
        assert_eq!(Depth::True.nearest(orange), orange);
        assert_eq!(Depth::Palette256.nearest(orange), Color::Indexed(178));
        assert_eq!(Depth::Sixteen.nearest(orange), Color::Yellow);
        assert_eq!(Depth::Sixteen.nearest(Color::Indexed(196)), Color::LightRed);
        assert_eq!(Depth::Sixteen.nearest(Color::Reset), Color::Reset);
        assert_eq!(Depth::of("truecolor", "xterm"), Depth::True);
        assert_eq!(Depth::of("", "screen-256color"), Depth::Palette256);
        assert_eq!(Depth::of("", "linux"), Depth::Sixteen);
    }
}
