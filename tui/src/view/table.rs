//! Tables whose columns drop by rank when the screen is narrow, so that none is clipped in the middle.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use super::frame::line_of;
use super::text::fit;

/// A column. `K` names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<K> {
    pub(crate) key: K,
    pub(crate) title: &'static str,
    /// Columns of text it needs.
    pub(crate) width: u16,
    /// Columns of text it can use where there are some left.
    pub(crate) most: u16,
    pub(crate) right: bool,
    /// The highest goes first when the screen is too narrow; 0 stays.
    pub(crate) rank: u8,
}

/// A [`Column`] in one line of a table of columns.
pub(crate) const fn column<K>(
    key: K,
    title: &'static str,
    width: u16,
    most: u16,
    right: bool,
    rank: u8,
) -> Column<K> {
    Column {
        key,
        title,
        width,
        most,
        right,
        rank,
    }
}

/// A column with the width it got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fitted<K> {
    pub(crate) column: Column<K>,
    pub(crate) width: usize,
}

/// Marks before the first column: the selection's.
const MARGIN: usize = 2;
const GAP: usize = 1;

/// The columns that fit into `width`, and how wide each is.
pub(crate) fn choose<K: Copy>(columns: &[Column<K>], width: u16) -> Vec<Fitted<K>> {
    let available = usize::from(width).saturating_sub(MARGIN);
    let mut kept: Vec<Fitted<K>> = columns
        .iter()
        .map(|column| Fitted {
            column: *column,
            width: column.width.into(),
        })
        .collect();
    let needed = |kept: &[Fitted<K>]| kept.iter().map(|fitted| fitted.width + GAP).sum::<usize>();
    while needed(&kept) > available + GAP {
        let Some((index, _)) = kept
            .iter()
            .enumerate()
            .filter(|(_, fitted)| fitted.column.rank > 0)
            .max_by_key(|(_, fitted)| fitted.column.rank)
        else {
            break;
        };
        kept.remove(index);
    }
    let mut left = (available + GAP).saturating_sub(needed(&kept));
    // Round by round, so that several hungry columns share.
    while left > 0 {
        let mut grown = false;
        for fitted in &mut kept {
            if left > 0 && fitted.width < usize::from(fitted.column.most) {
                fitted.width += 1;
                left -= 1;
                grown = true;
            }
        }
        if !grown {
            break;
        }
    }
    kept
}

/// The columns that the configuration names, in its order; all where it names none.
pub(crate) fn named<K: Copy>(columns: &[Column<K>], names: Option<&[String]>) -> Vec<Column<K>> {
    match names {
        None => columns.to_vec(),
        Some(names) => names
            .iter()
            .filter_map(|name| columns.iter().find(|column| column.title == name))
            .copied()
            .collect(),
    }
}

/// A cell: pieces of text, each in its style.
pub(crate) type Cell = Vec<Span<'static>>;

/// A cell of one piece.
pub(crate) fn cell(text: impl Into<String>, style: Style) -> Cell {
    vec![Span::styled(text.into(), style)]
}

/// The head line.
pub(crate) fn head<K>(columns: &[Fitted<K>], look: Look) -> Line<'static> {
    let mut text = " ".repeat(MARGIN);
    for fitted in columns {
        text.push_str(&fit(fitted.column.title, fitted.width, fitted.column.right));
        text.push_str(&" ".repeat(GAP));
    }
    Line::styled(text, look.faint())
}

/// Rows under a head line, one of them selected.
pub(crate) struct Rows<'c, K> {
    pub(crate) columns: &'c [Column<K>],
    /// The number of the first row that is shown.
    pub(crate) first: usize,
    /// The number of the selected row.
    pub(crate) selected: usize,
    /// Keys go here.
    pub(crate) focused: bool,
}

impl<K: Copy> Rows<'_, K> {
    /// Draws the head and as many of `shown` as there is room for; the first of them is row [`Self::first`].
    pub(crate) fn draw<R>(
        &self,
        shown: impl Iterator<Item = R>,
        content: impl Fn(&Fitted<K>, &R) -> Cell,
        look: Look,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let columns = choose(self.columns, area.width);
        head(&columns, look).render(area, buffer);
        for (line, item) in (1..).zip(shown) {
            let Some(place) = line_of(area, line) else { break };
            let mark = match self.first + line - 1 == self.selected {
                true if self.focused => Mark::Focused,
                true => Mark::Selected,
                false => Mark::None,
            };
            let cells = columns.iter().map(|column| content(column, &item)).collect();
            row(&columns, cells, mark, look, place, buffer);
        }
    }
}

/// How a row is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    None,
    /// Selected, and keys go elsewhere.
    Selected,
    /// Selected, and keys go here.
    Focused,
}

/// Draws one row into the top line of `area`.
pub(crate) fn row<K>(
    columns: &[Fitted<K>],
    cells: Vec<Cell>,
    mark: Mark,
    look: Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    let style = match mark {
        Mark::Focused => look.selected(),
        Mark::Selected => look.strong(),
        Mark::None => Style::new(),
    };
    let mut spans = vec![Span::styled(if mark == Mark::None { "  " } else { "▶ " }, style)];
    for (fitted, cell) in columns.iter().zip(cells) {
        match &cell[..] {
            [span] => {
                let text = fit(&span.content, fitted.width, fitted.column.right);
                // Reversed colours of many kinds make a patchwork.
                let own = if mark == Mark::Focused {
                    Style::new()
                } else {
                    span.style
                };
                spans.push(Span::styled(text, own.patch(style)));
            }
            // Pieces come with their widths; a bar reads wrong when reversed.
            _ => spans.extend(cell),
        }
        spans.push(Span::styled(" ".repeat(GAP), style));
    }
    let line = Line::from(spans);
    let used = u16::try_from(line.width()).unwrap_or(u16::MAX).min(area.width);
    let rest = Rect {
        x: area.x + used,
        width: area.width - used,
        height: 1.min(area.height),
        ..area
    };
    line.render(
        Rect {
            height: 1.min(area.height),
            ..area
        },
        buffer,
    );
    buffer.set_style(rest, style);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(width: u16, most: u16, rank: u8) -> Column<u8> {
        Column {
            key: rank,
            title: "T",
            width,
            most,
            right: false,
            rank,
        }
    }

    #[test]
    fn columns_go_by_rank_and_the_hungry_ones_take_what_is_left() {
        let columns = [
            column(4, 4, 0),
            column(10, 30, 0),
            column(6, 6, 1),
            column(6, 6, 2),
        ];
        let keys = |width| -> Vec<(u8, usize)> {
            choose(&columns, width)
                .iter()
                .map(|f| (f.column.key, f.width))
                .collect()
        };
        assert_eq!(keys(31), [(0, 4), (0, 10), (1, 6), (2, 6)]);
        assert_eq!(keys(30), [(0, 4), (0, 16), (1, 6)]);
        assert_eq!(keys(23), [(0, 4), (0, 16)]);
    }

    proptest! {
        #[test]
        fn chosen_columns_never_need_more_than_there_is(width in 20_u16..300) {
            let columns = [column(4, 4, 0), column(8, 90, 0), column(6, 6, 1), column(6, 20, 2), column(9, 9, 3)];
            let used: usize = choose(&columns, width).iter().map(|f| f.width + GAP).sum();
            prop_assert!(used <= usize::from(width) - MARGIN + GAP);
        }
    }
}
