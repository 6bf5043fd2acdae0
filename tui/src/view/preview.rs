//! The preview screen.

use farmhand_protocol::farm::FrameView;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::Look;
use super::frame::{line_of, panel};
use super::text::{cut, fit, wrap};
use crate::app::{Model, Pane, Preview, PreviewLayout, standing};
use crate::words;

pub(crate) fn draw(model: &Model, preview: &Preview, look: Look, area: Rect, buffer: &mut Buffer) {
    let layout = PreviewLayout::of(area.as_size(), model.pinned.is_some());
    title(model, preview, look, layout.title, buffer);
    pane(model, &preview.pane, false, look, layout.main, buffer);
    if let (Some(area), Some(pinned)) = (layout.pinned, &model.pinned) {
        pane(model, pinned, true, look, area, buffer);
    }
    if let Some(area) = layout.info {
        info(model, preview, look, area, buffer);
    }
}

fn title(model: &Model, preview: &Preview, look: Look, area: Rect, buffer: &mut Buffer) {
    let pane = &preview.pane;
    let name = model.farm.jobs.get(&pane.job).map(|job| job.name.as_str());
    let mut text = format!(
        " {} {} > frame {}",
        pane.job,
        name.unwrap_or_default(),
        pane.frame
    );
    if let Some(path) = pane.path() {
        text = format!("{text}   {path}");
    }
    if let Some(picture) = pane.shown.as_ref().and_then(|shown| shown.picture.as_ref()) {
        let (width, height) = picture.pixels;
        text = format!("{text}   {width}x{height} {}", picture.depth);
    }
    Line::styled(cut(&text, area.width.into()), look.strong()).render(area, buffer);
}

/// A picture in its frame, or why there is none.
fn pane(model: &Model, pane: &Pane, is_pinned: bool, look: Look, area: Rect, buffer: &mut Buffer) {
    let head = if is_pinned || model.pinned.is_some() {
        format!(" {} frame {} ", pane.job, pane.frame)
    } else {
        format!(" image  {} ", model.painter)
    };
    let width = usize::from(area.width).saturating_sub(4);
    let head = Line::styled(cut(&head, width), look.key());
    let bottom = pane.waiting.then(|| " … ".to_owned());
    let inside = panel(head, bottom, !is_pinned, look, area, buffer);
    let shown = pane.shown.as_ref();
    let picture = shown.and_then(|shown| shown.picture.as_ref());
    let problem = match (&pane.error, shown) {
        (Some(error), _) => error.clone(),
        (None, Some(shown)) => match &shown.problem {
            Some(problem) => problem.clone(),
            None => String::new(),
        },
        (None, None) => "fetching ...".to_owned(),
    };
    if problem.is_empty() {
        if let Some(picture) = picture {
            picture.picture.render(inside, buffer);
        }
        return;
    }
    let lines = wrap(&problem, usize::from(inside.width).saturating_sub(4));
    let from = usize::from(inside.height).saturating_sub(lines.len()) / 2;
    for (index, line) in lines.iter().enumerate() {
        if let Some(place) = line_of(inside, from + index) {
            Line::styled(line.clone(), look.wait())
                .centered()
                .render(place, buffer);
        }
    }
}

fn info(model: &Model, preview: &Preview, look: Look, area: Rect, buffer: &mut Buffer) {
    let inside = panel(
        Line::styled(" info ", look.key()),
        None,
        false,
        look,
        area,
        buffer,
    );
    let width = usize::from(inside.width);
    for (index, (label, text)) in facts(model, preview).into_iter().enumerate() {
        let Some(place) = line_of(inside, index) else {
            break;
        };
        let text = cut(&text, width.saturating_sub(12));
        Line::from(vec![
            ratatui::text::Span::styled(format!(" {} ", fit(label, 9, false)), look.faint()),
            ratatui::text::Span::raw(text),
        ])
        .render(place, buffer);
    }
}

/// What the panel beside the picture tells, a line each.
fn facts(model: &Model, preview: &Preview) -> Vec<(&'static str, String)> {
    let pane = &preview.pane;
    let mut facts = vec![("drawn as", model.painter.to_owned())];
    let Some(shown) = &pane.shown else {
        return facts;
    };
    let files = shown.frame.files.len();
    if let Some(picture) = &shown.picture {
        if picture.is_light {
            facts.push(("exposure", format!("{:+.1} EV", pane.exposure)));
            facts.push(("view", "sRGB, no AgX".to_owned()));
        }
        let name = picture.layers.get(picture.layer).map(String::as_str);
        let name = name.filter(|name| !name.is_empty()).unwrap_or("the picture");
        let count = picture.layers.len();
        let of = if count > 1 {
            format!(" {}/{count}", picture.layer + 1)
        } else {
            String::new()
        };
        facts.push(("layer", format!("{name}{of}")));
        if files > 1 {
            facts.push(("file", format!("{} of {files}", picture.file + 1)));
        }
        if let Some(file) = shown.frame.files.get(picture.file) {
            facts.push(("", String::new()));
            facts.push(("size", words::bytes(file.size)));
            let hash = file.hash.to_string();
            facts.push(("blake3", format!("{}…", &hash[..12])));
        }
    }
    let node = shown.frame.node.and_then(|id| {
        let known = model.farm.nodes.values().find(|node| node.view.id == Some(id));
        known.map(|node| node.view.name.clone())
    });
    if let Some(node) = node {
        facts.push(("node", node));
    }
    facts.push(("rendered", standing(&shown.frame)));
    facts.push(("", String::new()));
    let neighbour = |view: &FrameView| format!("f{}  {}", view.frame, standing(view));
    if let Some(previous) = &shown.previous {
        facts.push(("previous", neighbour(previous)));
    }
    if let Some(next) = &shown.next {
        facts.push(("next", neighbour(next)));
    }
    if let Some(pinned) = &model.pinned {
        facts.push(("compared", format!("{} f{}", pinned.job, pinned.frame)));
    }
    facts.push(("", String::new()));
    if let Some(picture) = &shown.picture {
        facts.push(("decoded", format!("{} ms", picture.decode_ms)));
        facts.push(("encoded", format!("{} ms", picture.encode_ms)));
    }
    if preview.playing {
        facts.push(("playing", "space stops".to_owned()));
    }
    facts
}
