//! The log of one frame as it is read: where the reader is, what is searched, what is marked.

use std::ops::RangeInclusive;

use farmhand_protocol::{Frame, JobId};
use tui_input::Input;

use super::lines::{Level, LogLine};

/// Lines that are kept; the oldest give way.
pub(crate) const MOST_LINES: usize = 10_000;

/// How the newest question for the log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    Asked,
    Read,
    Failed(String),
}

/// The log of a frame.
#[derive(Debug, Clone)]
pub(crate) struct LogPage {
    pub(crate) job: JobId,
    pub(crate) frame: Frame,
    pub(crate) lines: Vec<LogLine>,
    /// Lines before the first kept one.
    pub(crate) dropped: usize,
    pub(crate) reading: Reading,
    pub(crate) generation: u64,
    /// Stays at the end while new lines come.
    pub(crate) follow: bool,
    pub(crate) wrap: bool,
    /// Columns that long lines are shifted by.
    pub(crate) shift: usize,
    /// Lines below this level are left out.
    pub(crate) level: Level,
    /// The lines that are shown, as places in `lines`.
    pub(crate) rows: Vec<usize>,
    /// Place in `rows`.
    pub(crate) cursor: usize,
    /// The first shown row.
    pub(crate) top: usize,
    /// Where a selection began, as a place in `rows`.
    pub(crate) anchor: Option<usize>,
    /// What is searched; a row of letters without regard to case, unless it has capitals.
    pub(crate) needle: String,
    /// The search while it is typed.
    pub(crate) typing: Option<Input>,
    /// The length of the last answer and its hash, to tell whether anything is new.
    seen: (usize, u64),
}

/// A page is known by its question.
impl PartialEq for LogPage {
    fn eq(&self, other: &Self) -> bool {
        (self.job, self.frame, self.generation) == (other.job, other.frame, other.generation)
    }
}

impl LogPage {
    pub(crate) fn new(job: JobId, frame: Frame, follow: bool) -> Self {
        Self {
            job,
            frame,
            lines: Vec::new(),
            dropped: 0,
            reading: Reading::Asked,
            generation: 0,
            follow,
            wrap: false,
            shift: 0,
            level: Level::Progress,
            rows: Vec::new(),
            cursor: 0,
            top: 0,
            anchor: None,
            needle: String::new(),
            typing: None,
            seen: (0, 0),
        }
    }

    /// Takes the log as it is now. The reader stays at the line where he is, or at the end if he follows; at
    /// first at the last error.
    pub(crate) fn take(&mut self, text: &str) {
        let first = self.reading != Reading::Read && self.lines.is_empty();
        self.reading = Reading::Read;
        let seen = (text.len(), fingerprint(text));
        if seen == self.seen && !first {
            return;
        }
        self.seen = seen;
        let count = text.lines().count();
        let dropped = count.saturating_sub(MOST_LINES);
        let line = self.rows.get(self.cursor).map(|place| place + self.dropped);
        self.lines = text.lines().skip(dropped).map(LogLine::new).collect();
        self.dropped = dropped;
        self.find_rows(line.map(|line| line.saturating_sub(dropped)));
        if self.follow {
            self.cursor = self.rows.len().saturating_sub(1);
        } else if first {
            let errors = |row: &usize| self.lines[*row].level == Level::Error;
            self.cursor = self
                .rows
                .iter()
                .rposition(errors)
                .unwrap_or_else(|| self.rows.len().saturating_sub(1));
        }
    }

    /// Shows lines of this level and above.
    pub(crate) fn show_from(&mut self, level: Level) {
        self.level = level;
        self.anchor = None;
        let line = self.rows.get(self.cursor).copied();
        self.find_rows(line);
    }

    /// Finds the rows that are shown, and the one nearest to a line for the cursor.
    fn find_rows(&mut self, near: Option<usize>) {
        self.rows = (0..self.lines.len())
            .filter(|place| self.lines[*place].level >= self.level)
            .collect();
        let place = near.map_or(0, |line| self.rows.partition_point(|row| *row < line));
        self.cursor = place.min(self.rows.len().saturating_sub(1));
        self.top = self.top.min(self.cursor);
        self.anchor = self.anchor.filter(|anchor| *anchor < self.rows.len());
    }

    /// The line of a row.
    pub(crate) fn line(&self, row: usize) -> Option<&LogLine> {
        self.lines.get(*self.rows.get(row)?)
    }

    /// Moves the cursor; moving up stops following.
    pub(crate) fn move_to(&mut self, row: usize) {
        let last = self.rows.len().saturating_sub(1);
        self.follow &= row >= last;
        self.cursor = row.min(last);
    }

    /// Shifts what is shown so that the cursor is in it. `height_of` is how many lines of the screen a row takes.
    pub(crate) fn settle(&mut self, height: usize, height_of: impl Fn(&LogLine) -> usize) {
        let height = height.max(1);
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.top = self.top.min(self.cursor);
        let mut used = 0;
        for row in (self.top..=self.cursor).rev() {
            used += self.line(row).map_or(1, &height_of);
            if used > height {
                self.top = (row + 1).min(self.cursor);
                break;
            }
        }
        // No empty lines below while there are lines above.
        let below = (self.top..self.rows.len()).map(|row| self.line(row).map_or(1, &height_of));
        let mut free = height.saturating_sub(below.take(height).sum());
        while self.top > 0 {
            let needed = self.line(self.top - 1).map_or(1, &height_of);
            if needed > free {
                break;
            }
            free -= needed;
            self.top -= 1;
        }
    }

    /// Rows that are marked: a selection, or the row of the cursor.
    pub(crate) fn marked(&self) -> RangeInclusive<usize> {
        let anchor = self.anchor.unwrap_or(self.cursor);
        anchor.min(self.cursor)..=anchor.max(self.cursor)
    }

    /// The text of the marked rows.
    pub(crate) fn marked_text(&self) -> Vec<&str> {
        let marked = self.marked();
        let lines = marked.filter_map(|row| self.line(row));
        lines.map(|line| line.text.as_str()).collect()
    }

    /// Why the frame failed, in a line; nothing where it did not.
    pub(crate) fn cause(&self) -> Option<String> {
        let failed = self.lines.iter().rev().find_map(|line| {
            let words = line.text.strip_prefix("--- frame ")?.strip_suffix(" ---")?;
            words.split_once(" failed: ").map(|(_, words)| words.to_owned())
        });
        failed.map(|words| format!("✗ cause: {words}"))
    }

    /// The whole log as text.
    pub(crate) fn text(&self) -> String {
        self.lines
            .iter()
            .fold(String::new(), |text, line| text + &line.text + "\n")
    }

    /// Where a line matches the search, in bytes; empty where nothing is searched.
    pub(crate) fn hits(&self, text: &str) -> Vec<(usize, usize)> {
        if self.needle.is_empty() {
            return Vec::new();
        }
        let exact = self.needle.chars().any(char::is_uppercase);
        // Letters whose lower case is longer would shift places; such lines are compared as they are.
        let lower = text.to_lowercase();
        let text = if exact || lower.len() != text.len() {
            text
        } else {
            &lower
        };
        text.match_indices(&self.needle)
            .map(|(at, found)| (at, at + found.len()))
            .collect()
    }

    /// Rows that match the search.
    pub(crate) fn matches(&self) -> Vec<usize> {
        (0..self.rows.len())
            .filter(|row| {
                self.line(*row)
                    .is_some_and(|line| !self.hits(&line.text).is_empty())
            })
            .collect()
    }

    /// Goes to the next or the previous of some rows, round and round. Says whether there was one.
    pub(crate) fn go_along(&mut self, rows: &[usize], forward: bool) -> bool {
        let found = if forward {
            rows.iter().find(|row| **row > self.cursor).or(rows.first())
        } else {
            rows.iter().rev().find(|row| **row < self.cursor).or(rows.last())
        };
        let Some(row) = found.copied() else {
            return false;
        };
        self.move_to(row);
        self.follow = false;
        true
    }

    /// Rows with errors.
    pub(crate) fn errors(&self) -> Vec<usize> {
        (0..self.rows.len())
            .filter(|row| self.line(*row).is_some_and(|line| line.level == Level::Error))
            .collect()
    }
}

fn fingerprint(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(text: &str, follow: bool) -> LogPage {
        let mut page = LogPage::new(JobId(7), Frame::try_from(142).unwrap(), follow);
        page.take(text);
        page
    }

    fn numbered(count: usize) -> String {
        (0..count).fold(String::new(), |text, n| text + &format!("line {n}\n"))
    }

    #[test]
    fn ten_thousand_lines_are_kept_and_the_rest_is_counted() {
        let page = page(&numbered(10_250), true);
        assert_eq!((page.lines.len(), page.dropped), (MOST_LINES, 250));
        assert_eq!(page.line(page.cursor).unwrap().text, "line 10249");
    }

    #[test]
    fn the_reader_stays_where_he_reads_unless_he_follows() {
        let mut log = page(&numbered(50), true);
        log.take(&numbered(60));
        assert_eq!(log.line(log.cursor).unwrap().text, "line 59");
        log.move_to(20);
        assert!(!log.follow);
        log.take(&numbered(10_030));
        assert_eq!(log.line(log.cursor).unwrap().text, "line 30");
    }

    #[test]
    fn a_log_opens_at_its_last_error_and_search_goes_round() {
        let mut log = page("Error: a\nmemory\nError: out of Memory\nblender quit\n", false);
        assert_eq!(log.cursor, 2);
        log.needle = String::from("memory");
        assert_eq!(log.matches(), [1, 2]);
        assert!(log.go_along(&[1, 2], true));
        assert_eq!(log.cursor, 1);
        log.needle = String::from("Memory");
        assert_eq!(log.matches(), [2]);
        assert_eq!(log.hits("Error: out of Memory"), [(14, 20)]);
        log.show_from(Level::Error);
        assert_eq!(log.rows, [0, 2]);
        assert_eq!(log.errors(), [0, 1]);
        assert!(!log.go_along(&[], false));
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_in_what_is_shown(
            lines in proptest::collection::vec(1_usize..5, 0..60), cursor in 0_usize..80, top in 0_usize..80,
            height in 1_usize..30,
        ) {
            let text = lines.iter().fold(String::new(), |text, n| text + &"x".repeat(*n) + "\n");
            let mut log = page(&text, false);
            (log.cursor, log.top) = (cursor, top);
            let tall = |line: &LogLine| line.text.len();
            log.settle(height, tall);
            prop_assert!(log.top <= log.cursor);
            let used: usize = (log.top..log.cursor).filter_map(|row| log.line(row)).map(tall).sum();
            prop_assert!(used < height || log.top == log.cursor);
            let all: usize = log.lines.iter().map(tall).sum();
            prop_assert!(all > height || log.top == 0, "nothing is hidden where all fits");
        }
    }
}
