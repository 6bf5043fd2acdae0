//! How to draw on this terminal: colours by what they say, and which signs it can show. Without colours, weight
//! and words remain.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use super::theme::{Depth, Hue, Theme};

/// How to draw on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Colours may be used.
    pub(crate) colour: bool,
    /// Only ASCII may be used for bars, frames and marks.
    pub(crate) ascii: bool,
    pub(crate) depth: Depth,
    pub(crate) theme: Theme,
}

/// What the environment says of the terminal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    pub(crate) no_color: String,
    pub(crate) term: String,
    pub(crate) colorterm: String,
    /// The first that is set of `LC_ALL`, `LC_CTYPE` and `LANG`.
    pub(crate) locale: String,
}

impl Environment {
    pub(crate) fn read() -> Self {
        let read = |name: &str| std::env::var(name).unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(read);
        Self {
            no_color: read("NO_COLOR"),
            term: read("TERM"),
            colorterm: read("COLORTERM"),
            locale: locale
                .into_iter()
                .find(|value| !value.is_empty())
                .unwrap_or_default(),
        }
    }
}

impl Look {
    /// The default theme on a terminal that can show everything.
    pub(crate) fn new(colour: bool) -> Self {
        Self {
            colour,
            ascii: false,
            depth: Depth::True,
            theme: Theme::default(),
        }
    }

    /// What the environment asks for: `NO_COLOR` and `TERM=dumb` turn colours off, a dumb terminal and a locale
    /// other than UTF-8 leave ASCII.
    pub(crate) fn from_environment(environment: &Environment, theme: Theme, ascii: bool) -> Self {
        let dumb = environment.term == "dumb";
        let locale = environment.locale.to_lowercase();
        let narrow = !locale.is_empty() && !locale.contains("utf-8") && !locale.contains("utf8");
        Self {
            colour: environment.no_color.is_empty() && !dumb,
            ascii: ascii || dumb || narrow,
            depth: Depth::of(&environment.colorterm, &environment.term),
            theme,
        }
    }

    fn fg(self, hue: Hue) -> Style {
        if self.colour {
            Style::new().fg(hue.0)
        } else {
            Style::new()
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "whoever draws asks the look, also where it has nothing to add"
    )]
    pub(crate) fn plain(self) -> Style {
        Style::new()
    }

    /// Labels, head lines, what does not matter now.
    pub(crate) fn faint(self) -> Style {
        if self.colour {
            self.fg(self.theme.faint)
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "whoever draws asks the look, also where it has nothing to add"
    )]
    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(crate) fn good(self) -> Style {
        self.fg(self.theme.good)
    }

    pub(crate) fn active(self) -> Style {
        self.fg(self.theme.active)
    }

    pub(crate) fn wait(self) -> Style {
        self.fg(self.theme.wait)
    }

    pub(crate) fn warn(self) -> Style {
        self.fg(self.theme.warn)
    }

    pub(crate) fn bad(self) -> Style {
        self.fg(self.theme.bad).add_modifier(Modifier::BOLD)
    }

    /// The selected row of the panel with the focus.
    #[expect(
        clippy::unused_self,
        reason = "whoever draws asks the look, also where it has nothing to add"
    )]
    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Frames of panels.
    pub(crate) fn border(self, focused: bool) -> Style {
        if focused {
            self.fg(self.theme.accent)
        } else {
            self.faint()
        }
    }

    /// A key in footer and help.
    pub(crate) fn key(self) -> Style {
        self.fg(self.theme.accent).add_modifier(Modifier::BOLD)
    }

    /// Brings a drawn screen to what the terminal can show: its colours, its signs.
    pub(crate) fn finish(self, buffer: &mut Buffer) {
        let plain = self == Self::new(true);
        if plain && self.theme.text.0 == Color::Reset && self.theme.background.0 == Color::Reset {
            return;
        }
        for cell in &mut buffer.content {
            if self.colour {
                let or = |colour: Color, other: Hue| if colour == Color::Reset { other.0 } else { colour };
                cell.fg = self.depth.nearest(or(cell.fg, self.theme.text));
                cell.bg = self.depth.nearest(or(cell.bg, self.theme.background));
            } else {
                cell.fg = Color::Reset;
                cell.bg = Color::Reset;
            }
            if self.ascii
                && let Some(sign) = ascii(cell.symbol())
            {
                cell.set_symbol(sign);
            }
        }
    }
}

/// What stands for one of our signs where only ASCII can be shown. Other people's words stay as they are.
fn ascii(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "█" | "▇" | "▆" => "#",
        "▅" | "▄" => "=",
        "▁" => "_",
        "▒" | "▓" => ":",
        "░" | "·" => ".",
        "▶" | "›" | "→" => ">",
        "◀" | "‹" | "←" => "<",
        "▼" | "↓" => "v",
        "▲" | "↑" => "^",
        "✗" => "x",
        "–" | "—" | "─" | "━" | "▃" | "▂" => "-",
        "│" | "┃" | "▏" | "‖" => "|",
        "○" => "o",
        "◌" => "%",
        "●" => "*",
        "↻" => "r",
        "…" => "~",
        "✓" | "└" | "┘" | "┌" | "┐" | "├" | "┤" | "┬" | "┴" | "┼" | "┏" | "┓" | "┗" | "┛" | "╭" | "╮"
        | "╰" | "╯" => "+",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(no_color: &str, term: &str, locale: &str) -> Look {
        let environment = Environment {
            no_color: no_color.to_owned(),
            term: term.to_owned(),
            colorterm: String::new(),
            locale: locale.to_owned(),
        };
        Look::from_environment(&environment, Theme::default(), false)
    }

    #[test]
    fn the_environment_turns_colours_and_signs_off() {
        let usual = look("", "xterm-256color", "en_GB.UTF-8");
        assert!(usual.colour && !usual.ascii);
        assert!(!look("1", "xterm", "C.utf8").colour);
        let dumb = look("", "dumb", "");
        assert!(!dumb.colour && dumb.ascii);
        assert!(look("", "xterm", "POSIX").ascii);
        assert!(
            !look("", "xterm", "").ascii,
            "a container that says nothing shows what its terminal can"
        );
    }
}
