//! What a terminal shows as an SVG picture: text stays text, half blocks become small squares.

use std::collections::BTreeMap;
use std::fmt::Write;

use ansi_to_tui::IntoText;
use ratatui::style::{Color, Modifier, Style};

const CELL: (u16, u16) = (9, 18);

/// The colours that the first sixteen numbers stand for.
const PALETTE: [&str; 16] = [
    "#1c1c1c", "#d75f5f", "#87af5f", "#d7af5f", "#5f87d7", "#af87d7", "#5fafaf", "#bcbcbc", "#6c6c6c",
    "#ff8787", "#afd787", "#ffd787", "#87afff", "#d7afff", "#87d7d7", "#eeeeee",
];
const FRONT: &str = "#d0d0d0";
const BACK: &str = "#121212";

/// Draws lines of text with colour codes, as `tmux capture-pane -e -p` gives them.
///
/// # Errors
/// When the codes cannot be read.
pub fn of_terminal(screen: &str, columns: u16, lines: u16) -> Result<String, String> {
    let text = screen.into_text().map_err(|error| error.to_string())?;
    let (width, height) = (columns * CELL.0, lines * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"15\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{BACK}\"/>\n"
    );
    let (mut squares, mut words) = (Squares::default(), String::new());
    for (line, y) in text.lines.iter().zip((0..lines).map(|row| row * CELL.1)) {
        let mut column = 0;
        for span in &line.spans {
            let (front, back) = colours(line.style.patch(span.style));
            let cells = u16::try_from(span.width()).unwrap_or(0);
            let place = (column * CELL.0, y);
            if let Some(is_upper) = half_blocks(&span.content) {
                let (upper, lower) = if is_upper { (front, back) } else { (back, front) };
                squares.add(place, 0, cells, &coarse(&upper));
                squares.add(place, 1, cells, &coarse(&lower));
            } else {
                squares.add(place, 0, cells, &back);
                squares.add(place, 1, cells, &back);
                write(&mut words, &span.content, place, &front, span.style);
            }
            column += cells;
        }
    }
    squares.draw(&mut svg);
    svg += &words;
    svg += "</svg>\n";
    Ok(svg)
}

/// Whether all of a text are upper or lower halves of cells; nothing where it is none of both.
fn half_blocks(text: &str) -> Option<bool> {
    let all = |half: char| !text.is_empty() && text.chars().all(|letter| letter == half);
    match (all('▀'), all('▄')) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// A colour of a picture, with so few values that neighbours often have the same.
fn coarse(colour: &str) -> String {
    let parse = |from: usize| u8::from_str_radix(colour.get(from..from + 2)?, 16).ok();
    match (parse(1), parse(3), parse(5)) {
        (Some(r), Some(g), Some(b)) => format!("#{:02x}{:02x}{:02x}", r & 0xf8, g & 0xf8, b & 0xf8),
        _ => colour.to_owned(),
    }
}

/// Halves of cells by their colour: a line as thick as they are high, from left to right.
#[derive(Default)]
struct Squares(BTreeMap<String, String>);

impl Squares {
    fn add(&mut self, (x, y): (u16, u16), half: u16, cells: u16, colour: &str) {
        if colour == BACK {
            return;
        }
        let path = self.0.entry(colour.to_owned()).or_default();
        let middle = y + half * (CELL.1 / 2) + CELL.1 / 4;
        let _a_string_takes_all = write!(path, "M{x} {middle}h{}", cells * CELL.0);
    }

    fn draw(&self, svg: &mut String) {
        // Half a point up: the middle of nine points is between two numbers.
        let _a_string_takes_all = writeln!(
            svg,
            "<g stroke-width=\"{}\" fill=\"none\" transform=\"translate(0 .5)\" shape-rendering=\"crispEdges\">",
            CELL.1 / 2
        );
        for (colour, path) in &self.0 {
            let _a_string_takes_all = writeln!(svg, "<path stroke=\"{colour}\" d=\"{path}\"/>");
        }
        *svg += "</g>\n";
    }
}

fn write(svg: &mut String, text: &str, (x, y): (u16, u16), front: &str, style: Style) {
    if text.trim().is_empty() {
        return;
    }
    let weight = if style.add_modifier.contains(Modifier::BOLD) {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let length = u16::try_from(ratatui::text::Span::raw(text).width()).unwrap_or(0) * CELL.0;
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _a_string_takes_all = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" fill=\"{front}\"{weight} textLength=\"{length}\" xml:space=\"preserve\">{escaped}</text>",
        y + 14
    );
}

fn colours(style: Style) -> (String, String) {
    let front = style.fg.and_then(hex).unwrap_or_else(|| FRONT.to_owned());
    let back = style.bg.and_then(hex).unwrap_or_else(|| BACK.to_owned());
    if style.add_modifier.contains(Modifier::REVERSED) {
        (back, front)
    } else {
        (front, back)
    }
}

/// The colour as SVG writes it; nothing for the terminal's own.
fn hex(colour: Color) -> Option<String> {
    let named = |number: usize| Some(PALETTE[number].to_owned());
    match colour {
        Color::Reset => None,
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        Color::Indexed(number @ 0..16) => named(number.into()),
        Color::Indexed(number @ 16..232) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let cube = number - 16;
            let (r, g, b) = (level(cube / 36), level(cube / 6 % 6), level(cube % 6));
            Some(format!("#{r:02x}{g:02x}{b:02x}"))
        }
        Color::Indexed(number) => {
            let grey = 8 + 10 * (number - 232);
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_weight_and_half_blocks_of_a_terminal_are_in_the_picture() {
        let screen = "\u{1b}[1;31m✗ fail\u{1b}[0m <a>\n\u{1b}[38;2;1;2;3;48;2;4;5;6m▀▀\u{1b}[0m\n";
        let svg = of_terminal(screen, 20, 2).unwrap();
        assert!(
            svg.contains("fill=\"#d75f5f\" font-weight=\"bold\" textLength=\"54\""),
            "{svg}"
        );
        assert!(svg.contains("&lt;a&gt;"));
        assert!(
            svg.contains("<path stroke=\"#000000\" d=\"M0 22h18M0 31h18\"/>"),
            "{svg}"
        );
        assert!(!svg.contains('▀'), "{svg}");
    }
}
