//! What a terminal shows as an SVG picture: text stays text, half blocks become small squares.

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
    for (line, y) in text.lines.iter().zip((0..lines).map(|row| row * CELL.1)) {
        let mut column = 0;
        for span in &line.spans {
            let (front, back) = colours(line.style.patch(span.style));
            let cells = u16::try_from(span.width()).unwrap_or(0);
            if back != BACK {
                rectangle(&mut svg, column * CELL.0, y, cells * CELL.0, CELL.1, &back);
            }
            draw(&mut svg, &span.content, column, y, &front, span.style);
            column += cells;
        }
    }
    svg += "</svg>\n";
    Ok(svg)
}

fn draw(svg: &mut String, text: &str, column: u16, y: u16, front: &str, style: Style) {
    let x = column * CELL.0;
    if !text.is_empty() && text.chars().all(|letter| letter == '▀') {
        let cells = u16::try_from(text.chars().count()).unwrap_or(0);
        rectangle(svg, x, y, cells * CELL.0, CELL.1 / 2, front);
        return;
    }
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

fn rectangle(svg: &mut String, x: u16, y: u16, width: u16, height: u16, colour: &str) {
    let _a_string_takes_all = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\" shape-rendering=\"crispEdges\"/>"
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
        assert!(svg.contains("<rect x=\"0\" y=\"18\" width=\"18\" height=\"18\" fill=\"#040506\""));
        assert!(svg.contains("<rect x=\"0\" y=\"18\" width=\"18\" height=\"9\" fill=\"#010203\""));
    }
}
