//! How long the last frames took: bars, and what half of them, nearly all of them and the slowest needed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, Widget};

use crate::app::JobScreen;
use crate::view::Look;
use crate::view::frame::panel;
use crate::words;

/// Fewer measured frames than this tell nothing.
const LEAST: usize = 3;

/// Times of frames, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) half: u64,
    pub(super) nearly_all: u64,
    pub(super) most: u64,
}

impl Spread {
    /// Nothing of fewer than three times. The percentile is the smallest time that so many frames did not exceed.
    pub(super) fn of(times: &[u64]) -> Option<Self> {
        if times.len() < LEAST {
            return None;
        }
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let at = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            half: at(50),
            nearly_all: at(95),
            most: at(100),
        })
    }

    /// `p50 31.4s  p95 47.0s  max 63.2s`.
    pub(super) fn words(self) -> String {
        let [half, nearly_all, most] = [self.half, self.nearly_all, self.most].map(words::seconds);
        format!("p50 {half}  p95 {nearly_all}  max {most}")
    }
}

/// Times of the last frames, oldest first.
pub(super) fn times(screen: &JobScreen) -> Vec<u64> {
    let newest = screen.output.iter().flat_map(|output| &output.newest);
    let mut times: Vec<u64> = newest.map(|frame| frame.render_ms).collect();
    times.reverse();
    times
}

pub(super) fn draw(screen: &JobScreen, look: Look, area: Rect, buffer: &mut Buffer) {
    let times = times(screen);
    let title = Line::from(vec![
        Span::styled(" Frame time", look.strong()),
        Span::styled(format!("  last {} ", times.len()), look.faint()),
    ]);
    let inside = panel(title, None, false, look, area, buffer);
    let Some(spread) = Spread::of(&times) else {
        Line::styled(" from the third frame on", look.faint()).render(inside, buffer);
        return;
    };
    let Some(chart) = inside.height.checked_sub(2).filter(|height| *height > 0) else {
        return;
    };
    let top = words::seconds(spread.most);
    let label = u16::try_from(top.chars().count() + 2).unwrap_or(8);
    let bars = Rect {
        x: inside.x + label,
        width: inside.width.saturating_sub(label + 1),
        height: chart,
        ..inside
    };
    let shown = times.len().saturating_sub(bars.width.into());
    let width = usize::from(label) - 2;
    for (y, text) in [(inside.y, top), (inside.y + chart - 1, "0".to_owned())] {
        let line = Line::styled(format!("{text:>width$}┤"), look.faint());
        line.render(
            Rect {
                y,
                height: 1,
                ..inside
            },
            buffer,
        );
    }
    Sparkline::default()
        .data(&times[shown..])
        .max(spread.most.max(1))
        .style(look.active())
        .render(bars, buffer);
    let place = Rect {
        y: inside.y + chart + 1,
        height: 1,
        ..inside
    };
    Line::raw(format!(" {}", spread.words())).render(place, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        assert_eq!(Spread::of(&[1, 2]), None);
        let hundred: Vec<u64> = (1..=100).rev().collect();
        let spread = Spread::of(&hundred).unwrap();
        assert_eq!((spread.half, spread.nearly_all, spread.most), (50, 95, 100));
        let few = Spread::of(&[30, 10, 20]).unwrap();
        assert_eq!((few.half, few.nearly_all, few.most), (20, 30, 30));
    }
}
