//! The preview screen: delivered pictures of a frame, beside another one where a person wants to compare.

use std::path::Path;
use std::sync::Arc;

use farmhand_protocol::farm::{FrameState, FrameView};
use farmhand_protocol::{Frame, FrameSet, JobId};
use ratatui::layout::{Rect, Size};

use super::{Action, Command, Model, Screen, Stage, Tone, log};
use crate::pictures::Picture;

/// Which frame of a job is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Exactly(Frame),
    /// The next that is delivered, from the beginning where none is left.
    DeliveredBehind(Frame),
}

/// Which of the two places on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Main = 0,
    Pinned = 1,
}

/// A picture that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PictureRequest {
    pub(crate) generation: u64,
    pub(crate) side: Side,
    pub(crate) job: JobId,
    pub(crate) which: Which,
    /// The list of frames is asked from behind this one on, so that it holds the wanted one's neighbours.
    pub(crate) behind: Option<Frame>,
    /// Number among the frame's files; one too high begins anew.
    pub(crate) file: usize,
    /// Number among the layers of the file.
    pub(crate) layer: usize,
    /// In stops; only for pictures that hold light rather than colours.
    pub(crate) exposure: f32,
    /// Columns and lines that it may take.
    pub(crate) room: Size,
    /// More requests of the same kind may follow at once: wait for the last.
    pub(crate) settle: bool,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShownFrame {
    pub(crate) frame: FrameView,
    pub(crate) previous: Option<FrameView>,
    pub(crate) next: Option<FrameView>,
    /// Absent where the frame has none, or none that can be shown; then `problem` says why.
    pub(crate) picture: Option<ShownPicture>,
    pub(crate) problem: Option<String>,
}

/// A picture, ready to be drawn, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShownPicture {
    pub(crate) picture: Arc<Picture>,
    pub(crate) file: usize,
    /// Width and height in pixels of the whole one.
    pub(crate) pixels: (u32, u32),
    /// `8 bit RGB`.
    pub(crate) depth: String,
    pub(crate) layers: Vec<String>,
    pub(crate) layer: usize,
    /// Exposure means something.
    pub(crate) is_light: bool,
    pub(crate) decode_ms: u64,
    pub(crate) encode_ms: u64,
}

/// One place for a picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pane {
    pub(crate) job: JobId,
    pub(crate) frame: Frame,
    pub(crate) file: usize,
    pub(crate) layer: usize,
    pub(crate) exposure: f32,
    pub(crate) generation: u64,
    /// A request is under way.
    pub(crate) waiting: bool,
    pub(crate) shown: Option<ShownFrame>,
    pub(crate) error: Option<String>,
}

impl Pane {
    fn new(job: JobId, frame: Frame) -> Self {
        Self {
            job,
            frame,
            file: 0,
            layer: 0,
            exposure: 0.0,
            generation: 0,
            waiting: false,
            shown: None,
            error: None,
        }
    }

    /// The picture's file relative to the job's folder.
    pub(crate) fn path(&self) -> Option<&str> {
        let shown = self.shown.as_ref()?;
        let file = shown.picture.as_ref().map_or(0, |picture| picture.file);
        shown.frame.files.get(file).map(|file| file.path.as_str())
    }
}

/// The screen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Preview {
    pub(crate) pane: Pane,
    pub(crate) playing: bool,
}

/// Where the parts of the screen are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PreviewLayout {
    pub(crate) title: Rect,
    /// With its border.
    pub(crate) main: Rect,
    pub(crate) pinned: Option<Rect>,
    pub(crate) info: Option<Rect>,
}

impl PreviewLayout {
    pub(crate) fn of(size: Size, compares: bool) -> Self {
        let body = size.height.saturating_sub(3);
        let info_width = if size.width >= 70 {
            (size.width / 4).clamp(22, 34)
        } else {
            0
        };
        let width = size.width - info_width;
        let (left, right) = if compares {
            (width / 2, width - width / 2)
        } else {
            (0, width)
        };
        let at = |x: u16, width: u16| Rect::new(x, 1, width, body);
        Self {
            title: Rect::new(0, 0, size.width, 1.min(size.height)),
            main: at(left, right),
            pinned: compares.then(|| at(0, left)),
            info: (info_width > 0).then(|| at(width, info_width)),
        }
    }

    /// Columns and lines inside the border of a place.
    fn room(&self, side: Side) -> Size {
        let area = match side {
            Side::Main => self.main,
            Side::Pinned => self.pinned.unwrap_or(self.main),
        };
        Size::new(area.width.saturating_sub(2), area.height.saturating_sub(2))
    }
}

/// The frame so many places behind another one of its job.
pub(crate) fn neighbour(model: &Model, job: JobId, frame: Frame, steps: i64) -> Option<Frame> {
    let frames = &model.farm.jobs.get(&job)?.frames;
    let place = i64::from(frames.position(frame)?) + steps;
    frames.nth(u32::try_from(place).ok()?)
}

/// Opens the picture of what a person points at.
pub(crate) fn open_pointed(model: &mut Model) -> Vec<Command> {
    match log::pointed_frame(model, log::Wish::Picture) {
        Ok((job, frame)) => open(model, job, frame),
        Err(reason) => {
            model.say(Tone::Plain, format!("no picture: {reason}"));
            Vec::new()
        }
    }
}

/// Opens the picture of a frame.
pub(crate) fn open(model: &mut Model, job: JobId, frame: Frame) -> Vec<Command> {
    let pane = Pane::new(job, frame);
    model
        .screens
        .push(Screen::Preview(Box::new(Preview { pane, playing: false })));
    let mut commands = request(model, Side::Main, Which::Exactly(frame), false);
    commands.extend(request_pinned(model, false));
    commands
}

fn request(model: &mut Model, side: Side, which: Which, settle: bool) -> Vec<Command> {
    let generation = model.generation();
    let layout = PreviewLayout::of(model.size, model.pinned.is_some());
    let behind = match (side, model.screen(), &model.pinned) {
        (Side::Main, Screen::Preview(preview), _) => {
            neighbour(model, preview.pane.job, preview.pane.frame, -2)
        }
        (Side::Pinned, _, Some(pinned)) => neighbour(model, pinned.job, pinned.frame, -2),
        _ => None,
    };
    let pane = match (side, model.screens.last_mut(), &mut model.pinned) {
        (Side::Main, Some(Screen::Preview(preview)), _) => &mut preview.pane,
        (Side::Pinned, Some(Screen::Preview(_)), Some(pinned)) => pinned,
        _ => return Vec::new(),
    };
    pane.generation = generation;
    pane.waiting = true;
    vec![Command::ShowPicture(Box::new(PictureRequest {
        generation,
        side,
        job: pane.job,
        which,
        behind,
        file: pane.file,
        layer: pane.layer,
        exposure: pane.exposure,
        room: layout.room(side),
        settle,
    }))]
}

fn request_pinned(model: &mut Model, settle: bool) -> Vec<Command> {
    match model.pinned.as_ref().map(|pane| pane.frame) {
        Some(frame) => request(model, Side::Pinned, Which::Exactly(frame), settle),
        None => Vec::new(),
    }
}

fn request_again(model: &mut Model, settle: bool) -> Vec<Command> {
    let Screen::Preview(preview) = model.screen() else {
        return Vec::new();
    };
    let frame = preview.pane.frame;
    let mut commands = request(model, Side::Main, Which::Exactly(frame), settle);
    commands.extend(request_pinned(model, settle));
    commands
}

/// The room for pictures has changed.
pub(crate) fn resized(model: &mut Model) -> Vec<Command> {
    request_again(model, true)
}

/// Takes a picture over, unless another one is wanted by now.
pub(crate) fn ready(
    model: &mut Model,
    generation: u64,
    side: Side,
    result: Result<Box<ShownFrame>, String>,
) -> Vec<Command> {
    let preview = model.screens.iter_mut().rev().find_map(|screen| match screen {
        Screen::Preview(preview) => Some(preview),
        _ => None,
    });
    let mut playing = false;
    let pane = match (side, preview, &mut model.pinned) {
        (Side::Main, Some(preview), _) => {
            playing = preview.playing;
            &mut preview.pane
        }
        (Side::Pinned, _, Some(pinned)) => pinned,
        _ => return Vec::new(),
    };
    if pane.generation != generation {
        return Vec::new();
    }
    pane.waiting = false;
    match result {
        Ok(shown) => {
            pane.frame = shown.frame.frame;
            if let Some(picture) = &shown.picture {
                (pane.file, pane.layer) = (picture.file, picture.layer);
            }
            pane.error = None;
            pane.shown = Some(*shown);
        }
        Err(error) => pane.error = Some(error),
    }
    if playing {
        vec![Command::PlayOn { generation }]
    } else {
        Vec::new()
    }
}

/// It is time for the next picture of a play.
pub(crate) fn play_on(model: &mut Model, generation: u64) -> Vec<Command> {
    match model.screen() {
        Screen::Preview(preview) if preview.playing && preview.pane.generation == generation => {
            let behind = Which::DeliveredBehind(preview.pane.frame);
            request(model, Side::Main, behind, false)
        }
        _ => Vec::new(),
    }
}

pub(crate) fn on_preview(model: &mut Model, action: Action) -> Vec<Command> {
    let Some(Screen::Preview(preview)) = model.screens.last_mut() else {
        return Vec::new();
    };
    let pane = &mut preview.pane;
    let light = pane.shown.as_ref().and_then(|shown| shown.picture.as_ref());
    let is_light = light.is_some_and(|picture| picture.is_light);
    match action {
        Action::Back => {
            model.screens.pop();
        }
        Action::NextFrame => return turn(model, 1),
        Action::PreviousFrame => return turn(model, -1),
        Action::Top => return turn(model, i64::MIN),
        Action::Bottom => return turn(model, i64::MAX),
        Action::Play => {
            preview.playing = !preview.playing;
            let generation = pane.generation;
            if preview.playing {
                return play_on(model, generation);
            }
        }
        Action::Brighter | Action::Darker if !is_light => {
            model.say(
                Tone::Plain,
                "exposure is for pictures that hold light, such as EXR and HDR",
            );
        }
        Action::Brighter | Action::Darker => {
            let step = if action == Action::Brighter { 0.5 } else { -0.5 };
            pane.exposure = (pane.exposure + step).clamp(-16.0, 16.0);
            return again(model);
        }
        Action::NextLayer => match light.map(|picture| picture.layers.len()) {
            Some(layers) if layers > 1 => {
                pane.layer = (pane.layer + 1) % layers;
                return again(model);
            }
            _ => model.say(Tone::Plain, "the picture has one layer only"),
        },
        Action::NextFile => match pane.shown.as_ref().map(|shown| shown.frame.files.len()) {
            Some(files) if files > 1 => {
                (pane.file, pane.layer) = ((pane.file + 1) % files, 0);
                return again(model);
            }
            _ => model.say(Tone::Plain, "the frame has no other file"),
        },
        Action::Compare => return compare(model),
        Action::Copy => return copy_path(model),
        Action::OpenOutside => return open_outside(model),
        Action::Log => {
            let (job, frame) = (pane.job, pane.frame);
            return log::open(model, job, frame);
        }
        _ => {}
    }
    Vec::new()
}

fn again(model: &mut Model) -> Vec<Command> {
    let Screen::Preview(preview) = model.screen() else {
        return Vec::new();
    };
    let frame = preview.pane.frame;
    request(model, Side::Main, Which::Exactly(frame), false)
}

fn turn(model: &mut Model, steps: i64) -> Vec<Command> {
    let Screen::Preview(preview) = model.screen() else {
        return Vec::new();
    };
    let (job, frame) = (preview.pane.job, preview.pane.frame);
    let frames = model.farm.jobs.get(&job).map(|job| &job.frames);
    let next = match steps {
        i64::MIN => frames.and_then(FrameSet::first),
        i64::MAX => frames.and_then(FrameSet::last),
        _ => neighbour(model, job, frame, steps),
    };
    let Some(next) = next.filter(|next| *next != frame) else {
        let end = if steps < 0 { "first" } else { "last" };
        model.say(Tone::Plain, format!("frame {frame} is the {end} one of {job}"));
        return Vec::new();
    };
    if let Some(Screen::Preview(preview)) = model.screens.last_mut() {
        preview.playing = false;
        preview.pane.frame = next;
    }
    request(model, Side::Main, Which::Exactly(next), false)
}

/// Pins the picture on the left, so that others can be seen beside it; again: lets it go.
fn compare(model: &mut Model) -> Vec<Command> {
    let Some(Screen::Preview(preview)) = model.screens.last() else {
        return Vec::new();
    };
    let pinned = preview.pane.clone();
    if model.pinned.take().is_none() {
        let said = format!(
            "{} frame {} stays on the left: move on, or open another job's picture; c lets it go",
            pinned.job, pinned.frame
        );
        model.pinned = Some(pinned);
        model.say(Tone::Plain, said);
    }
    request_again(model, false)
}

/// The picture's path on the orchestrator's machine.
fn whole_path(model: &Model) -> Result<String, String> {
    let Screen::Preview(preview) = model.screen() else {
        return Err("no picture is shown".to_owned());
    };
    let pane = &preview.pane;
    let job = model
        .farm
        .jobs
        .get(&pane.job)
        .ok_or_else(|| format!("{} is gone", pane.job))?;
    let path = pane
        .path()
        .ok_or_else(|| format!("frame {} has no file yet", pane.frame))?;
    Ok(Path::new(&job.output).join(path).display().to_string())
}

fn copy_path(model: &mut Model) -> Vec<Command> {
    match whole_path(model) {
        Ok(path) => {
            let what = if path.len() < 60 {
                path.clone()
            } else {
                "the path".to_owned()
            };
            super::clipboard::copy(model, path, &what)
        }
        Err(reason) => {
            model.say(Tone::Plain, format!("nothing to copy: {reason}"));
            Vec::new()
        }
    }
}

fn open_outside(model: &mut Model) -> Vec<Command> {
    match whole_path(model) {
        Ok(path) if is_on_this_machine(model) => vec![Command::OpenOutside { path }],
        Ok(path) => {
            let text = format!("{path} is on the farm's machine; `farmhand fetch` brings it here");
            model.say(Tone::Plain, text);
            Vec::new()
        }
        Err(reason) => {
            model.say(Tone::Plain, format!("nothing to open: {reason}"));
            Vec::new()
        }
    }
}

fn is_on_this_machine(model: &Model) -> bool {
    let host = model.farm_address.split("://").last().unwrap_or_default();
    model.stage != Stage::Connected
        || ["127.", "localhost", "[::1]"]
            .iter()
            .any(|start| host.starts_with(start))
}

/// How a frame stands, in a word or two.
pub(crate) fn standing(frame: &FrameView) -> String {
    match frame.state {
        FrameState::Pending => "waits for a node".to_owned(),
        FrameState::Leased => "waits on a node".to_owned(),
        FrameState::Rendering => "is being rendered".to_owned(),
        FrameState::Delivered => match frame.render_ms {
            Some(ms) => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
            None => "delivered".to_owned(),
        },
        FrameState::Failed => match &frame.failure {
            Some(failure) => format!("failed: {}", failure.message),
            None => "failed".to_owned(),
        },
        FrameState::Cancelled => "cancelled".to_owned(),
    }
}
