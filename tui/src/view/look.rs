//! Colours and marks. The terminal's own palette, so that its owner's theme decides; without colours,
//! weight and words remain.

use ratatui::style::{Color, Modifier, Style};

/// How to draw on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Colours may be used.
    pub(crate) colour: bool,
}

#[expect(
    clippy::unused_self,
    reason = "whoever draws asks the look; that some answers need no colour is its own affair"
)]
impl Look {
    /// What the environment asks for: `NO_COLOR` and `TERM=dumb` turn colours off.
    pub(crate) fn from_environment() -> Self {
        let off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colour: !off }
    }

    fn fg(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    pub(crate) fn plain(self) -> Style {
        Style::new()
    }

    /// Labels, head lines, what does not matter now.
    pub(crate) fn faint(self) -> Style {
        if self.colour {
            Style::new().fg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(crate) fn good(self) -> Style {
        self.fg(Color::Green)
    }

    pub(crate) fn active(self) -> Style {
        self.fg(Color::Cyan)
    }

    pub(crate) fn wait(self) -> Style {
        self.fg(Color::Blue)
    }

    pub(crate) fn warn(self) -> Style {
        self.fg(Color::Yellow)
    }

    pub(crate) fn bad(self) -> Style {
        self.fg(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// The selected row of the panel with the focus.
    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Frames of panels.
    pub(crate) fn border(self, focused: bool) -> Style {
        if focused {
            self.fg(Color::Cyan)
        } else {
            self.faint()
        }
    }

    /// A key in footer and help.
    pub(crate) fn key(self) -> Style {
        self.fg(Color::Cyan).add_modifier(Modifier::BOLD)
    }
}
