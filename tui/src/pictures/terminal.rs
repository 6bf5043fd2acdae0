//! What the terminal can show.

use std::time::Duration;

use ratatui_image::picker::cap_parser::QueryStdioOptions;
use ratatui_image::picker::{Picker, ProtocolType};

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

/// Asks the terminal what it can show, for half a second at most. To be called before anyone reads keys: the
/// answer comes as keys do. `FARMHAND_IMAGES` names one of kitty, iterm2, sixel and half-blocks instead of what
/// is found; without it nothing is asked in tmux, which keeps pictures to itself.
pub(crate) fn painter(letters: bool) -> Painter {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let term = variable("TERM");
    let wanted = named(&variable("FARMHAND_IMAGES"));
    let in_tmux = !variable("TMUX").is_empty() || term.starts_with("tmux") || term.starts_with("screen");
    let cannot = letters || term == "linux" || wanted == Some(ProtocolType::Halfblocks);
    if cannot || (in_tmux && wanted.is_none()) {
        return Painter::half_blocks(letters);
    }
    let options = QueryStdioOptions {
        timeout: Duration::from_millis(500),
        ..QueryStdioOptions::default()
    };
    match Picker::from_query_stdio_with_options(options) {
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
