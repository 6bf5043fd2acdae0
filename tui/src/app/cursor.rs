//! The selected row of a list, kept by id while rows come, go and change places.

/// A selection and the first row shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor<Id> {
    selected: Option<Id>,
    index: usize,
    offset: usize,
    /// A person has chosen this row.
    chosen: bool,
}

impl<Id> Default for Cursor<Id> {
    fn default() -> Self {
        Self {
            selected: None,
            index: 0,
            offset: 0,
            chosen: false,
        }
    }
}

impl<Id: Clone + PartialEq> Cursor<Id> {
    /// The selected row's id; nothing in an empty list.
    pub(crate) fn selected(&self) -> Option<&Id> {
        self.selected.as_ref()
    }

    /// The selected row's place.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The first row shown.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Finds the selected id among `rows` again; where it is gone, the row in its place is selected. Keeps the
    /// selection among the `visible` rows shown.
    pub(crate) fn settle(&mut self, rows: &[Id], visible: usize) {
        let found = self
            .selected
            .as_ref()
            .and_then(|id| rows.iter().position(|row| row == id));
        self.go_to(rows, found.unwrap_or(self.index), visible);
    }

    /// As [`Self::settle`], but stays on the first row until a person has chosen another: for lists that nobody
    /// is looking into.
    pub(crate) fn settle_on_top(&mut self, rows: &[Id], visible: usize) {
        if self.chosen {
            self.settle(rows, visible);
        } else {
            self.go_to(rows, 0, visible);
        }
    }

    /// Selects the row `steps` below, or above where negative.
    pub(crate) fn move_by(&mut self, rows: &[Id], steps: isize, visible: usize) {
        self.chosen = true;
        self.go_to(rows, self.index.saturating_add_signed(steps), visible);
    }

    /// As [`Self::go_to`], because a person wants it.
    pub(crate) fn choose(&mut self, rows: &[Id], index: usize, visible: usize) {
        self.chosen = true;
        self.go_to(rows, index, visible);
    }

    /// Selects a row by its place; the last one where there are fewer.
    pub(crate) fn go_to(&mut self, rows: &[Id], index: usize, visible: usize) {
        self.index = index.min(rows.len().saturating_sub(1));
        self.selected = rows.get(self.index).cloned();
        let visible = visible.max(1);
        self.offset = self
            .offset
            .min(self.index)
            .max((self.index + 1).saturating_sub(visible))
            .min(rows.len().saturating_sub(visible));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_stays_on_its_row_when_others_come_and_go() {
        let mut cursor = Cursor::default();
        cursor.go_to(&[1, 2, 3, 4], 2, 10);
        cursor.settle(&[9, 8, 1, 2, 3, 4], 10);
        assert_eq!((cursor.selected(), cursor.index()), (Some(&3), 4));
        cursor.settle(&[4, 3], 10);
        assert_eq!((cursor.selected(), cursor.index()), (Some(&3), 1));
    }

    #[test]
    fn where_the_selected_row_is_gone_its_neighbour_is_selected() {
        let mut cursor = Cursor::default();
        cursor.go_to(&[1, 2, 3], 1, 10);
        cursor.settle(&[1, 3], 10);
        assert_eq!(cursor.selected(), Some(&3));
        cursor.settle(&[], 10);
        assert_eq!(cursor.selected(), None);
        cursor.settle(&[5], 10);
        assert_eq!(cursor.selected(), Some(&5));
    }

    #[test]
    fn a_list_that_nobody_has_touched_stays_on_its_first_row() {
        let mut cursor = Cursor::default();
        cursor.settle_on_top(&[1], 10);
        cursor.settle_on_top(&[2, 1], 10);
        assert_eq!(cursor.selected(), Some(&2));
        cursor.move_by(&[2, 1], 1, 10);
        cursor.settle_on_top(&[3, 2, 1], 10);
        assert_eq!(cursor.selected(), Some(&1));
    }

    #[test]
    fn the_selected_row_is_always_among_those_shown() {
        let rows: Vec<u32> = (0..100).collect();
        let mut cursor = Cursor::default();
        for steps in [1, 50, -3, 100, -200, 7, -1] {
            for visible in [0, 1, 5, 200] {
                cursor.move_by(&rows, steps, visible);
                let shown = cursor.offset()..cursor.offset() + visible.max(1);
                assert!(shown.contains(&cursor.index()), "{steps} {visible} {cursor:?}");
            }
        }
    }
}
