//! What Blender prints for one batch: the newest lines, bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most lines kept.
const MOST_LINES: usize = 10_000;
/// Most bytes kept.
const MOST_BYTES: usize = 1 << 20;
/// Longer lines are cut.
const LONGEST_LINE: usize = 2_000;

/// The newest lines of one batch; the oldest give way.
#[derive(Debug, Default)]
pub(crate) struct Log {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: usize,
    dropped: u64,
}

impl Log {
    /// Adds a line, without its end.
    pub(crate) fn push(&self, line: &str) {
        let line: String = match line.char_indices().nth(LONGEST_LINE) {
            Some((end, _)) => format!("{} ...", &line[..end]),
            None => line.to_owned(),
        };
        let mut kept = self.lock();
        kept.bytes += line.len() + 1;
        kept.lines.push_back(line);
        while kept.lines.len() > MOST_LINES || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.lines.pop_front() else {
                break;
            };
            kept.bytes -= oldest.len() + 1;
            kept.dropped += 1;
        }
    }

    /// The newest `count` lines, oldest first; one more that says how many are gone where all are asked for.
    pub(crate) fn tail(&self, count: usize) -> Vec<String> {
        let kept = self.lock();
        let skipped = kept.lines.len().saturating_sub(count);
        let gone = (count >= kept.lines.len() && kept.dropped > 0)
            .then(|| format!("[{} earlier lines are not kept]", kept.dropped));
        gone.into_iter()
            .chain(kept.lines.iter().skip(skipped).cloned())
            .collect()
    }

    /// The end of the log as a failure carries it: at most 40 lines of at most 500 characters.
    pub(crate) fn end(&self) -> Vec<String> {
        let mut lines = self.tail(40);
        lines.truncate(40);
        for line in &mut lines {
            if let Some((end, _)) = line.char_indices().nth(500) {
                line.truncate(end);
            }
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it is held.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blender_that_prints_without_end_costs_no_more_than_a_megabyte() {
        let log = Log::default();
        (0..30_000).for_each(|n| log.push(&format!("line {n}")));
        let lines = log.tail(usize::MAX);
        assert_eq!(lines.len(), MOST_LINES + 1);
        assert_eq!(lines[0], "[20000 earlier lines are not kept]");
        assert_eq!(lines[MOST_LINES], "line 29999");
        (0..2_000).for_each(|_| log.push(&"é".repeat(5_000)));
        let kept: usize = log.tail(usize::MAX).iter().map(|line| line.len() + 1).sum();
        assert!(kept <= MOST_BYTES + 100, "{kept}");
        assert!(log.tail(1)[0].ends_with(" ..."));
    }

    #[test]
    fn a_failure_carries_the_last_lines_only() {
        let log = Log::default();
        (0..100).for_each(|n| log.push(&format!("{n} {}", "x".repeat(600))));
        let end = log.end();
        assert_eq!((end.len(), end[39].len()), (40, 500));
        assert!(end[39].starts_with("99 "));
    }
}
