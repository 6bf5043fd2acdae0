//! Printing: at once, and without a word when the reader has had enough (`farmhand jobs | head`).

use std::io::{self, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

/// Prints a text that ends in a newline.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints JSON for programs, indented for people.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string_pretty(value).expect("wire types are plain data with string keys");
    line.push('\n');
    text(&line)
}

/// A table whose columns are as wide as their widest cell. Columns named in `right` are right-aligned.
pub(crate) fn table(titles: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.chain([titles[column].width()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let mut text = String::new();
    let head: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let gap = " ".repeat(widths[column] - cell.width());
            if column > 0 {
                line.push_str("  ");
            }
            if right.contains(&column) {
                line.push_str(&gap);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&gap);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_display_width() {
        let rows = vec![
            vec!["j1".to_owned(), "日本".to_owned(), "7".to_owned()],
            vec!["j10".to_owned(), "x".to_owned(), "12".to_owned()],
        ];
        assert_eq!(
            table(&["ID", "NAME", "N"], &[2], &rows),
            "ID   NAME   N\nj1   日本   7\nj10  x     12\n"
        );
    }
}
