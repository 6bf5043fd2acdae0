//! The page that answers why.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use super::frame::{line_of, panel};
use super::text::{cut, wrap};
use crate::app::WhyPage;
use crate::causes::Kind;

pub(crate) fn draw(page: &WhyPage, look: Look, area: Rect, buffer: &mut Buffer) {
    let place = Rect {
        height: area.height.saturating_sub(2),
        ..area
    };
    let title = cut(
        &format!("Why: {}", page.title),
        area.width.saturating_sub(6).into(),
    );
    let inside = panel(
        Line::styled(format!(" {title} "), look.key()),
        None,
        true,
        look,
        place,
        buffer,
    );
    let waiting = match &page.causes {
        None => Some("asking the farm ..."),
        Some(causes) if causes.is_empty() => Some("nothing stands in its way"),
        Some(_) => None,
    };
    if let Some(words) = waiting {
        Line::styled(format!(" {words}"), look.faint()).render(inside, buffer);
        return;
    }
    let lines = page.lines().into_iter().skip(page.scroll);
    let lines = lines.flat_map(|line| {
        let lead = line.kind.lead();
        let width = usize::from(inside.width).saturating_sub(lead.chars().count() + 2);
        let style = match line.kind {
            Kind::Title => look.bad(),
            Kind::Evidence => look.faint(),
            Kind::Advice => look.good(),
            Kind::About | Kind::Blank => look.plain(),
        };
        let pieces = wrap(&line.text, width).into_iter().enumerate();
        let pieces: Vec<Line<'static>> = pieces
            .map(|(number, text)| {
                let before = if number == 0 {
                    lead.to_owned()
                } else {
                    " ".repeat(lead.chars().count())
                };
                Line::from(vec![
                    Span::raw(" "),
                    Span::styled(before, look.faint()),
                    Span::styled(text, style),
                ])
            })
            .collect();
        pieces
    });
    for (index, line) in lines.enumerate() {
        match line_of(inside, index) {
            Some(place) => line.render(place, buffer),
            None => break,
        }
    }
}
