//! Lines of a log: their text without control codes, their colours, and how much they matter.

use ansi_to_tui::IntoText;
use farmhand_protocol::marked_frame;
use ratatui::style::Style;

/// How much a line matters. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// One more sample is done.
    Progress,
    Plain,
    Warning,
    Error,
}

impl Level {
    /// The next to be shown at least, round and round.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Progress => Self::Plain,
            Self::Plain => Self::Warning,
            Self::Warning => Self::Error,
            Self::Error => Self::Progress,
        }
    }

    /// What is shown from this level on.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Progress => "all",
            Self::Plain => "without progress",
            Self::Warning => "warnings and errors",
            Self::Error => "errors",
        }
    }

    fn of(text: &str) -> Self {
        const PROGRESS: [&str; 3] = ["| Sample ", "| Rendering ", "Fra:"];
        const WARNING: [&str; 3] = ["warning", "warn ", "cannot find"];
        const ERROR: [&str; 12] = [
            "error",
            "traceback",
            "exception",
            "segmentation fault",
            "out of memory",
            "no device available",
            "fatal",
            "abort",
            "cannot render",
            "failed to",
            "unable to open",
            "missing dna",
        ];
        let is_mark = text.starts_with("--- ");
        if is_mark && (marked_frame(text).is_some() || text.contains(" is rendered, ")) {
            return Self::Plain;
        }
        if is_mark && text.contains(" failed: ") {
            return Self::Error;
        }
        let small = text.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| small.contains(word));
        // Harmless on machines without a screen; Blender goes on without one.
        let is_noise = small.contains("egl error") || small.contains("egl_bad");
        if has(&ERROR) && !is_noise {
            // `Warning: Unable to open ...` is named by its own word.
            if small.trim_start().starts_with("warning") {
                Self::Warning
            } else {
                Self::Error
            }
        } else if has(&WARNING) || is_noise {
            Self::Warning
        } else if PROGRESS.iter().any(|word| text.contains(word)) {
            Self::Progress
        } else {
            Self::Plain
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// Without control codes.
    pub(crate) text: String,
    /// Parts of the text with the colours that Blender or a script gave them; empty where there are none.
    pub(crate) parts: Vec<(String, Style)>,
    pub(crate) level: Level,
}

impl LogLine {
    pub(crate) fn new(raw: &str) -> Self {
        if !raw.contains(char::is_control) {
            return Self::plain(raw.to_owned());
        }
        // Where a line was written over again and again, what was there at last.
        let last = raw.trim_end_matches('\r').rsplit('\r').next().unwrap_or(raw);
        let parts: Vec<(String, Style)> = match last.into_text() {
            Ok(text) => text
                .lines
                .into_iter()
                .flat_map(|line| line.spans)
                .map(|span| (clean(&span.content), span.style))
                .filter(|(text, _)| !text.is_empty())
                .collect(),
            Err(_) => Vec::new(),
        };
        let text: String = parts.iter().map(|(text, _)| text.as_str()).collect();
        if text.is_empty() {
            return Self::plain(clean(last));
        }
        let coloured = parts.iter().any(|(_, style)| *style != Style::default());
        Self {
            level: Level::of(&text),
            parts: if coloured { parts } else { Vec::new() },
            text,
        }
    }

    fn plain(text: String) -> Self {
        Self {
            level: Level::of(&text),
            text,
            parts: Vec::new(),
        }
    }
}

/// Tabs become spaces, other control characters go.
fn clean(text: &str) -> String {
    text.replace('\t', "    ")
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use ratatui::style::Color;

    use super::*;

    #[test]
    fn colours_are_kept_and_other_control_codes_never_reach_the_terminal() {
        let line = LogLine::new("\u{1b}[31mError:\u{1b}[0m no \u{1b}[2Jcamera\tat all\u{7}");
        assert_eq!(line.text, "Error: no camera    at all");
        assert_eq!(line.parts[0].0, "Error:");
        assert_eq!(line.parts[0].1.fg, Some(Color::Red));
        let bar = LogLine::new("10 %\r50 %\r100 %");
        assert_eq!((bar.text.as_str(), bar.parts.len()), ("100 %", 0));
    }

    #[test]
    fn lines_of_blender_are_told_apart_by_what_they_say() {
        for (text, level) in [
            ("Fra:142 Mem:9.10G | Time:00:24 | Sample 400/512", Level::Progress),
            ("Remaining: 00:01.34 | Mem: 4M | Sample 1/16", Level::Progress),
            ("Saved: '/tmp/0142.exr'", Level::Plain),
            ("--- frame 142 ---", Level::Plain),
            ("--- frame 142 failed: no camera ---", Level::Error),
            (
                "Warning: Unable to open '/lib.blend': No such file",
                Level::Warning,
            ),
            ("EGL Error (0x3001): EGL_NOT_INITIALIZED", Level::Warning),
            ("Error: Cannot render, no camera", Level::Error),
            ("CUDA error: out of memory in cuMemAlloc", Level::Error),
            ("Traceback (most recent call last):", Level::Error),
        ] {
            assert_eq!(LogLine::new(text).level, level, "{text}");
        }
    }
}
