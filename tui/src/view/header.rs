//! The first line: the farm in a few numbers.

use std::time::Duration;

use farmhand_protocol::farm::JobState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use crate::app::{Link, Model, Stage};
use crate::words;

pub(crate) fn draw(model: &Model, look: Look, area: Rect, buffer: &mut Buffer) {
    let farm = &model.farm;
    let count = |state: JobState| farm.jobs.values().filter(|job| job.state == state).count();
    let (mark, word, style) = match &model.link {
        Link::Live => ("●", "live", look.good()),
        Link::Connecting => ("…", "connecting", look.wait()),
        Link::Lost { .. } => ("✗", "lost", look.bad()),
    };
    let address = model.farm_address.trim_start_matches("http://");
    let kind = match model.stage {
        Stage::Hosting => "",
        Stage::Connected => " (connected)",
        Stage::Demo => " (demo)",
    };
    let mut spans = vec![
        Span::styled(" FARM ", look.strong()),
        Span::raw(format!("{address}{kind}  ")),
        Span::styled(format!("{mark} {word}"), style),
        Span::raw(format!("  nodes {}/{}", farm.nodes_ready(), farm.nodes.len())),
        Span::raw(format!(
            "  jobs {} run {} wait",
            count(JobState::Running),
            count(JobState::Waiting)
        )),
    ];
    if let Some(behind) = &model.behind {
        let since = behind
            .since
            .to_zoned_datetime(model.zone.clone())
            .strftime("%H:%M:%S");
        spans.push(Span::raw("  "));
        spans.push(Span::styled(
            format!(" HELD since {since} (z z) "),
            look.warn().add_modifier(Modifier::REVERSED),
        ));
    }
    if model.readonly {
        spans.push(Span::raw("  "));
        spans.push(Span::styled(
            " READ-ONLY ",
            look.warn().add_modifier(Modifier::REVERSED),
        ));
    }
    // What does not fit whole is left out, the least telling first.
    let (frames, rate, eta) = numbers(model);
    let mut left = usize::from(area.width).saturating_sub(Line::from(spans.clone()).width());
    let mut room = |text: &str| {
        let fits = text.len() <= left;
        left -= if fits { text.len() } else { 0 };
        fits
    };
    let (with_eta, with_frames) = (room(&eta), room(&frames));
    let with_rate = room(&rate);
    let chosen = [(frames, with_frames), (rate, with_rate), (eta, with_eta)];
    spans.extend(
        chosen
            .into_iter()
            .filter(|(_, fits)| *fits)
            .map(|(text, _)| Span::raw(text)),
    );
    Line::from(spans).render(area, buffer);
    let clock = model
        .now
        .to_zoned_datetime(model.zone.clone())
        .strftime("%H:%M:%S ")
        .to_string();
    let used: usize = Line::from(clock.as_str()).width();
    let used = u16::try_from(used).unwrap_or(0);
    let free = buffer_is_blank(buffer, area, used);
    if free {
        let place = Rect {
            x: area.right() - used,
            width: used,
            ..area
        };
        Line::styled(clock, look.faint()).render(place, buffer);
    }
}

/// Frames of unfinished jobs, frames a minute, expected end; each empty where there is nothing to tell.
fn numbers(model: &Model) -> (String, String, String) {
    let unfinished = || model.farm.jobs.values().filter(|job| !job.state.has_ended());
    let total: u32 = unfinished().map(|job| job.counts.total()).sum();
    let delivered: u32 = unfinished().map(|job| job.counts.delivered).sum();
    let rate: f32 = model
        .farm
        .nodes
        .values()
        .map(|node| node.view.frames_per_minute)
        .sum();
    let eta = unfinished().filter_map(|job| job.eta_ms).max();
    (
        if total > 0 {
            format!("  frames {delivered}/{total}")
        } else {
            String::new()
        },
        if rate > 0.0 {
            format!("  {rate:.1} f/min")
        } else {
            String::new()
        },
        eta.map(|ms| format!("  eta {}", words::duration(Duration::from_millis(ms))))
            .unwrap_or_default(),
    )
}

/// Whether the last `width` cells of a line, and one before them, hold nothing.
fn buffer_is_blank(buffer: &Buffer, area: Rect, width: u16) -> bool {
    area.width > width
        && area.height > 0
        && (area.right() - width - 1..area.right()).all(|x| buffer[(x, area.y)].symbol() == " ")
}
