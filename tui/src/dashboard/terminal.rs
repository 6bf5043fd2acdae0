//! The terminal: taken over, and given back as it was whatever happens.

use std::io::{self, Stdout, Write};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::app::Model;
use crate::view::{self, Look};

/// The terminal is ours. A second "leave" would put the cursor back to where the first did, over what was written
/// since.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A terminal that is ours until this is dropped.
pub(crate) struct TakenTerminal {
    /// Never dropped: it would say on stderr that it cannot show the cursor where the terminal is gone, and a
    /// program that cannot write there panics. What it would do, [`give_back`] does.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
    /// The mouse is reported to us.
    mouse: bool,
    /// The bell rings with the next drawing, once for whatever has happened since the last.
    pub(crate) rings: bool,
}

impl TakenTerminal {
    pub(crate) fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // Cleared by hand: ratatui's own clear asks where the cursor is, and an answer may be eaten by keys
        // that are still being read.
        let taken = execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            Clear(ClearType::All)
        )
        .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match taken {
            Ok(terminal) => Ok(Self {
                terminal: ManuallyDrop::new(terminal),
                mouse: false,
                rings: false,
            }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    pub(crate) fn size(&self) -> io::Result<ratatui::layout::Size> {
        self.terminal.size()
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(crate) fn take_mouse(&mut self, wanted: bool) -> io::Result<()> {
        if wanted == self.mouse {
            return Ok(());
        }
        self.mouse = wanted;
        if wanted {
            execute!(io::stdout(), EnableMouseCapture)
        } else {
            execute!(io::stdout(), DisableMouseCapture)
        }
    }

    pub(crate) fn draw(&mut self, model: &Model, look: Look) -> io::Result<()> {
        if std::mem::take(&mut self.rings) {
            io::stdout().write_all(b"\x07")?; // Sent with the drawing, which ends in a flush.
        }
        self.terminal
            .draw(|frame| view::draw(model, look, frame))
            .map(drop)
    }
}

/// Hands text to the terminal's clipboard.
pub(crate) fn copy(text: &str) -> io::Result<()> {
    let in_tmux = std::env::var_os("TMUX").is_some();
    let mut out = io::stdout();
    out.write_all(to_clipboard(text, in_tmux).as_bytes())?;
    out.flush()
}

/// What the terminal must be sent so that `text` gets into its clipboard (OSC 52). tmux passes it on to the
/// terminal around it when it is wrapped, every escape doubled.
fn to_clipboard(text: &str, in_tmux: bool) -> String {
    let mut sequence = String::new();
    CopyToClipboard::to_clipboard_from(text)
        .write_ansi(&mut sequence)
        .expect("a String takes everything");
    if in_tmux {
        format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
    } else {
        sequence
    }
}

impl Drop for TakenTerminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Raw mode off, the old screen and its cursor back. Harmless when repeated, or when the terminal is gone.
pub(crate) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _terminal_gone = queue!(
        out,
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _terminal_gone = out.flush();
    let _terminal_gone = disable_raw_mode();
}

/// Gives the terminal back before a panic of this thread is printed, and says where the logs are. Panics of
/// other threads go to the log: the screen is not theirs.
pub(crate) fn give_back_on_panic(logs: PathBuf) {
    let drawing = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == drawing {
            give_back();
            before(panic);
            let _terminal_gone = writeln!(io::stderr(), "logs are in {}", logs.display());
        }
        tracing::error!(%panic, "panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clipboard_is_filled_by_osc_52_and_through_tmux_by_its_wrapping() {
        assert_eq!(to_clipboard("käse", false), "\x1b]52;c;a8Okc2U=\x1b\\");
        assert_eq!(
            to_clipboard("käse", true),
            "\x1bPtmux;\x1b\x1b]52;c;a8Okc2U=\x1b\x1b\\\x1b\\"
        );
    }
}
