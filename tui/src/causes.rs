//! Causes as lines of text, the same on the command line and in the dashboard.

use farmhand_protocol::Cause;

use crate::cli::jobs::printable;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Title,
    /// Which frames and nodes.
    About,
    Evidence,
    Advice,
    Blank,
}

/// A line, without its indent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CauseLine {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

impl Kind {
    /// What stands before its lines.
    pub(crate) fn lead(self) -> &'static str {
        match self {
            Self::About => "  ",
            Self::Evidence => "  shown by  ",
            Self::Advice => "  to do     ",
            Self::Title | Self::Blank => "",
        }
    }
}

/// All causes, a blank line between two.
pub(crate) fn lines(causes: &[Cause]) -> Vec<CauseLine> {
    let mut lines = Vec::new();
    for cause in causes {
        let mut add = |kind, text: &str| {
            lines.push(CauseLine {
                kind,
                text: printable(text),
            });
        };
        add(Kind::Title, &cause.title);
        let mut about = Vec::new();
        if !cause.frames.is_empty() {
            let word = if cause.frames.len() == 1 {
                "frame"
            } else {
                "frames"
            };
            about.push(format!("{word} {}", cause.frames));
        }
        if !cause.nodes.is_empty() {
            about.push(format!("on {}", named(&cause.nodes)));
        }
        if !about.is_empty() {
            add(Kind::About, &about.join(" "));
        }
        if let Some(evidence) = &cause.evidence {
            add(Kind::Evidence, evidence);
        }
        for advice in &cause.advice {
            add(Kind::Advice, advice);
        }
        add(Kind::Blank, "");
    }
    lines.pop();
    lines
}

/// Some names, and how many more there are.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// As text for a terminal that scrolls by itself.
pub(crate) fn text(causes: &[Cause]) -> String {
    let lines = lines(causes).into_iter();
    let lines = lines.map(|line| format!("{}{}\n", line.kind.lead(), line.text));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use farmhand_protocol::{Failure, FailureKind};

    use super::*;

    #[test]
    fn a_cause_reads_as_what_where_why_and_what_to_do() {
        let failure = Failure::new(FailureKind::NoCamera, "no camera");
        let mut cause = Cause::of(&failure).shown_by("Error: Cannot render, no camera");
        cause.frames = "1-4".parse().unwrap();
        cause.nodes = vec!["rtx-01".to_owned()];
        let said = text(&[cause]);
        let mut lines = said.lines();
        assert_eq!(lines.next(), Some("the scene has no camera to render through"));
        assert_eq!(lines.next(), Some("  frames 1-4 on rtx-01"));
        assert_eq!(lines.next(), Some("  shown by  Error: Cannot render, no camera"));
        assert!(
            lines.next().unwrap().starts_with("  to do     choose one"),
            "{said}"
        );
        assert_eq!(lines.next(), None);
    }
}
