//! What the terminal can show.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui_image::picker::cap_parser::{Parser, QueryStdioOptions, Response};
use ratatui_image::picker::{Picker, ProtocolType};

/// How long a terminal may think about what it can show.
const PATIENCE: Duration = Duration::from_millis(500);

/// How to draw pictures here.
#[derive(Debug, Clone)]
pub(crate) struct Painter {
    pub(crate) picker: Picker,
    /// Letters of different weight instead of colours.
    pub(crate) letters: bool,
}

impl Painter {
    /// Half blocks: what every terminal can show.
    pub(crate) fn half_blocks(letters: bool) -> Self {
        let mut picker = Picker::halfblocks();
        picker.set_protocol_type(ProtocolType::Halfblocks);
        Self { picker, letters }
    }

    /// What it draws with, in words.
    pub(crate) fn words(&self) -> &'static str {
        match self.picker.protocol_type() {
            _ if self.letters => "letters",
            ProtocolType::Halfblocks => "half blocks",
            ProtocolType::Kitty => "kitty",
            ProtocolType::Iterm2 => "iTerm2",
            ProtocolType::Sixel => "sixel",
        }
    }
}

/// What can be known without asking the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// Half blocks, and nothing is asked.
    HalfBlocks,
    /// The terminal is asked. Where it answers, this is used instead of the best that it names.
    Ask(Option<ProtocolType>),
}

/// `variable` tells what a variable of the environment holds, empty where it is not set.
fn plan(letters: bool, variable: impl Fn(&str) -> String) -> Plan {
    let term = variable("TERM");
    let wanted = named(&variable("FARMHAND_IMAGES"));
    let in_tmux = !variable("TMUX").is_empty()
        || variable("TERM_PROGRAM") == "tmux"
        || term.starts_with("tmux")
        || term.starts_with("screen");
    let cannot = letters || term == "linux" || wanted == Some(ProtocolType::Halfblocks);
    if cannot || (in_tmux && wanted.is_none()) {
        return Plan::HalfBlocks;
    }
    Plan::Ask(wanted)
}

/// Asks the terminal what it can show, for half a second at most. To be called before anyone reads keys: the
/// answer comes as keys do. `FARMHAND_IMAGES` names one of kitty, iterm2, sixel and half-blocks instead of what
/// is found; without it nothing is asked in tmux, which keeps pictures to itself.
pub(crate) fn painter(letters: bool) -> Painter {
    let Plan::Ask(wanted) = plan(letters, |name| std::env::var(name).unwrap_or_default()) else {
        return Painter::half_blocks(letters);
    };
    if !answers() {
        tracing::info!("the terminal does not answer");
        let mut painter = Painter::half_blocks(letters);
        if let Some(wanted) = wanted {
            painter.picker.set_protocol_type(wanted);
        }
        return painter;
    }
    match Picker::from_query_stdio_with_options(query()) {
        Ok(mut picker) => {
            if let Some(wanted) = wanted {
                picker.set_protocol_type(wanted);
            }
            Painter { picker, letters }
        }
        Err(error) => {
            tracing::info!(%error, "the terminal does not say what it can show");
            Painter::half_blocks(letters)
        }
    }
}

/// Whether the terminal answers at all. Who waits for the answer of one that does not would take a person's first
/// key for it.
fn answers() -> bool {
    let (start, escape, end) = Parser::tmux_start_escape_end(Picker::halfblocks().tmux_detected());
    let asked = || -> io::Result<()> {
        let mut out = io::stdout();
        write!(out, "{start}{escape}[5n{end}")?;
        out.flush()
    };
    let (input, mut parser) = (io::stdin(), Parser::new());
    let deadline = Instant::now() + PATIENCE;
    if asked().is_err() {
        return false;
    }
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(input.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(1..) => {}
            Err(nix::errno::Errno::EINTR) if !left.is_zero() => continue,
            Ok(_) | Err(_) => return false,
        }
        let mut bytes = [0; 64];
        // Past the standard library's buffer, in which a key would be lost.
        let Ok(read @ 1..) = nix::unistd::read(input.as_fd(), &mut bytes) else {
            return false;
        };
        let mut said = bytes[..read].iter().map(|byte| parser.push(char::from(*byte)));
        if said.any(|responses| responses.contains(&Response::Status)) {
            return true;
        }
    }
}

fn query() -> QueryStdioOptions {
    QueryStdioOptions {
        timeout: PATIENCE,
        ..QueryStdioOptions::default()
    }
}

fn named(name: &str) -> Option<ProtocolType> {
    match name.to_ascii_lowercase().as_str() {
        "kitty" => Some(ProtocolType::Kitty),
        "iterm2" => Some(ProtocolType::Iterm2),
        "sixel" => Some(ProtocolType::Sixel),
        "half-blocks" | "halfblocks" => Some(ProtocolType::Halfblocks),
        "" => None,
        other => {
            tracing::warn!("FARMHAND_IMAGES={other} is none of kitty, iterm2, sixel, half-blocks");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(letters: bool, environment: &[(&str, &str)]) -> Plan {
        plan(letters, |name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned()).unwrap_or_default()
        })
    }

    #[test]
    fn a_terminal_is_asked_for_half_a_second_and_tmux_only_where_a_person_names_a_way() {
        assert_eq!(query().timeout, Duration::from_millis(500));
        assert_eq!(planned(false, &[("TERM", "xterm-kitty")]), Plan::Ask(None));
        for tmux in [
            ("TMUX", "/tmp/tmux-0/default,1,0"),
            ("TERM", "tmux-256color"),
            ("TERM", "screen"),
        ] {
            assert_eq!(planned(false, &[tmux]), Plan::HalfBlocks, "{tmux:?}");
            let forced = planned(false, &[tmux, ("FARMHAND_IMAGES", "kitty")]);
            assert_eq!(forced, Plan::Ask(Some(ProtocolType::Kitty)), "{tmux:?}");
        }
    }

    #[test]
    fn each_way_can_be_named_and_letters_ask_nothing() {
        for (name, way) in [
            ("kitty", Plan::Ask(Some(ProtocolType::Kitty))),
            ("iTerm2", Plan::Ask(Some(ProtocolType::Iterm2))),
            ("sixel", Plan::Ask(Some(ProtocolType::Sixel))),
            ("half-blocks", Plan::HalfBlocks),
            ("something else", Plan::Ask(None)),
        ] {
            assert_eq!(planned(false, &[("FARMHAND_IMAGES", name)]), way, "{name}");
            assert_eq!(
                planned(true, &[("FARMHAND_IMAGES", name)]),
                Plan::HalfBlocks,
                "{name}"
            );
        }
        assert_eq!(planned(false, &[("TERM", "linux")]), Plan::HalfBlocks);
    }
}
