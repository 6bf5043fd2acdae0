//! Words for states, times and sizes, the same in tables, progress lines and the dashboard.

use std::time::Duration;

use color_eyre::eyre::Report;
use farmhand_protocol::farm::{BatchState, FilmState, FilmView};

/// A batch's state in one word.
pub(crate) fn batch_state(state: BatchState) -> &'static str {
    match state {
        BatchState::Assigned => "assigned",
        BatchState::Rendering => "rendering",
        BatchState::Ended => "ended",
        BatchState::Cancelled => "cancelled",
        BatchState::Lost => "lost",
    }
}

/// `0:25` for 25 seconds, `1:04:00` for an hour and four minutes, `2d 03h` beyond a day.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    if days > 0 {
        format!("{days}d {:02}h", hours % 24)
    } else if hours > 0 {
        format!("{hours}:{:02}:{:02}", minutes % 60, seconds % 60)
    } else {
        format!("{minutes}:{:02}", seconds % 60)
    }
}

/// `31.4s` for 31,400 milliseconds, `5:02` from a hundred seconds on.
pub(crate) fn seconds(ms: u64) -> String {
    let tenths = (ms + 50) / 100;
    if tenths < 1000 {
        format!("{}.{}s", tenths / 10, tenths % 10)
    } else {
        duration(Duration::from_millis(ms))
    }
}

/// `1.4 MiB`.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub(crate) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1000.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// `1 frame`, `12 frames`.
pub(crate) fn frames(count: u32) -> String {
    self::count(usize::try_from(count).unwrap_or(usize::MAX), "frame")
}

/// `1 line`, `12 lines`.
pub(crate) fn count(count: usize, thing: &str) -> String {
    if count == 1 {
        format!("1 {thing}")
    } else {
        format!("{count} {thing}s")
    }
}

/// A text from a scene or a disk as part of one line: control characters become visible.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// How the films of a job stand.
pub(crate) fn film(film: &FilmView) -> String {
    let names: Vec<&str> = film.files.iter().map(|file| file.path.as_str()).collect();
    let state = match film.state {
        FilmState::Waiting => "made when all pictures are there".to_owned(),
        FilmState::Making => "being made".to_owned(),
        FilmState::Made => names.join(", "),
        FilmState::Failed => "none".to_owned(),
    };
    match &film.problem {
        Some(problem) => format!("{state} ({problem})"),
        None => state,
    }
}

/// An error and its causes in one line. A cause that was said already is not said again.
pub(crate) fn error(error: &Report) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_each_of_its_causes_once() {
        let refused = Report::msg("refused")
            .wrap_err("no answer: refused")
            .wrap_err("cannot send");
        assert_eq!(error(&refused), "cannot send: no answer: refused");
    }

    #[test]
    fn times_and_sizes_read_well() {
        assert_eq!(duration(Duration::from_secs(25)), "0:25");
        assert_eq!(duration(Duration::from_mins(64)), "1:04:00");
        assert_eq!(duration(Duration::from_hours(51)), "2d 03h");
        assert_eq!(seconds(31_449), "31.4s");
        assert_eq!(seconds(99_949), "99.9s");
        assert_eq!(seconds(99_950), "1:39");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500_000), "1.4 MiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }
}
