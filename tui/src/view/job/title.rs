//! The first line: which job, how it stands, and how it is rendered.

use std::time::Duration;

use farmhand_protocol::farm::{JobState, JobView};
use farmhand_protocol::{Denoise, Device};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::app::{JobScreen, Model, Target};
use crate::view::text::cut;
use crate::view::{Look, state};
use crate::words;

pub(super) fn draw(model: &Model, screen: &JobScreen, look: Look, area: Rect, buffer: &mut Buffer) {
    let Some(job) = model.farm.jobs.get(&screen.job) else {
        let gone = format!(" Jobs > {}: it is not on the farm any more", screen.job);
        Line::styled(gone, look.warn()).render(area, buffer);
        return;
    };
    let shown = state::job(job.state, look);
    let (word, style) = match model.pending.get(&Target::Job(job.id)) {
        Some(pending) => (format!("… {}", pending.doing), look.warn()),
        None => (shown.text(), shown.style),
    };
    let counts = &job.counts;
    let percent = u64::from(counts.delivered) * 100 / u64::from(counts.total().max(1));
    let mut parts = vec![(
        format!("{}/{} ({percent}%)", counts.delivered, counts.total()),
        look.plain(),
    )];
    if counts.failed > 0 {
        parts.push((format!("fail {}", counts.failed), look.bad()));
    }
    if let Some(eta) = eta(job) {
        parts.push((format!("eta {eta}"), look.plain()));
    }
    parts.push((format!("prio {}", job.priority), look.faint()));
    parts.extend(settings(job).into_iter().map(|text| (text, look.faint())));
    let width = usize::from(area.width);
    let name = cut(&job.name, (width / 3).max(12));
    let mut line = Line::from(vec![
        Span::styled(" Jobs > ", look.faint()),
        Span::styled(format!("{} {name}", job.id), look.strong()),
        Span::raw("  "),
        Span::styled(word, style),
    ]);
    // What does not fit whole is left out, the least telling first: they come in that order.
    for (text, style) in parts {
        let used = line.width();
        if used + text.chars().count() + 2 <= width {
            line.spans.push(Span::raw("  "));
            line.spans.push(Span::styled(text, style));
        }
    }
    line.render(area, buffer);
}

/// Expected time to the end; nothing until three frames are measured, or where nothing runs.
fn eta(job: &JobView) -> Option<String> {
    let eta = job.eta_ms.filter(|_| job.state == JobState::Running)?;
    Some(words::duration(Duration::from_millis(eta)))
}

/// How it is rendered, where that is known or is not the scene's own choice.
fn settings(job: &JobView) -> Vec<String> {
    let settings = &job.settings;
    let mut said = Vec::new();
    if let Some(version) = job.blender {
        said.push(format!("Blender {version}"));
    }
    said.extend(settings.scene.clone().map(|scene| format!("scene {scene}")));
    said.extend(settings.engine.clone());
    said.extend(settings.samples.map(|samples| format!("{samples} samples")));
    said.extend(
        settings
            .resolution_percentage
            .map(|percent| format!("at {percent}%")),
    );
    if settings.device != Device::Auto {
        said.push(format!("on {}", settings.device));
    }
    if settings.denoise == Denoise::Off {
        said.push("no denoise".to_owned());
    }
    let switches = [
        (settings.allow_missing, "missing files allowed"),
        (settings.allow_blocked_scripts, "scripts not run"),
        (settings.allow_cpu, "CPU allowed"),
        (settings.allow_older_blender, "older Blender allowed"),
    ];
    said.extend(
        switches
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, text)| (*text).to_owned()),
    );
    if !job.user.is_empty() {
        said.push(job.user.clone());
    }
    said
}
