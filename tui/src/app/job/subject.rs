//! What actions mean for what is selected on the job screen: whether they can be done and why not, what is lost
//! by them, and the commands that do them.

use farmhand_protocol::farm::{BatchView, JobView};
use farmhand_protocol::{Frame, FrameSet};

use super::frame_map::Shade;
use super::grid::Grid;
use super::layout::JobLayout;
use super::screen::{JobPanel, JobScreen};
use crate::app::act::{self, lost_frames, retryable, start};
use crate::app::forget;
use crate::app::{Act, Action, Command, Dialog, Model, Overlay, Target, Tone};
use crate::words;

/// The job screen on top, its job, and how its cells lie.
struct Shown<'m> {
    screen: &'m JobScreen,
    job: &'m JobView,
    grid: Grid,
}

fn shown(model: &Model) -> Option<Shown<'_>> {
    let screen = model.job_screen()?;
    Some(Shown {
        screen,
        job: model.farm.jobs.get(&screen.job)?,
        grid: JobLayout::of(model.size, screen)?.grid,
    })
}

/// The frame that is spoken of on the job screen on top.
pub(crate) fn frame_at_cursor(model: &Model) -> Option<Frame> {
    let shown = shown(model)?;
    shown.screen.map.frame(shown.screen.subject(shown.grid)?)
}

/// What a key of the job screen is about.
enum About<'m> {
    /// Frames of the map.
    Frames,
    Batch(&'m BatchView),
    /// The batch table, and it is empty.
    Nothing,
}

impl<'m> Shown<'m> {
    fn about(&self, model: &'m Model) -> About<'m> {
        match self.screen.panel {
            JobPanel::Frames => About::Frames,
            JobPanel::Batches => {
                let id = self.screen.batches.selected();
                let batch = id.and_then(|id| model.farm.batch(self.job.id, *id));
                batch.map_or(About::Nothing, About::Batch)
            }
        }
    }

    /// Whether one of the selected frames stands so.
    fn any(&self, passes: fn(Shade) -> bool) -> bool {
        self.screen.map.any(self.screen.selection(self.grid), passes)
    }

    /// The selected frames that stand so.
    fn frames(&self, passes: fn(Shade) -> bool) -> FrameSet {
        self.screen.map.chosen(self.screen.selection(self.grid), passes)
    }
}

fn is_open(shade: Shade) -> bool {
    matches!(
        shade,
        Shade::Waiting | Shade::Sent | Shade::Rendering | Shade::Retry
    )
}

fn is_given_up(shade: Shade) -> bool {
    matches!(shade, Shade::Failed | Shade::Cancelled)
}

fn is_settled(shade: Shade) -> bool {
    !is_open(shade)
}

/// Whether an action can be done on the job screen now; if not, why, in words.
pub(crate) fn availability(model: &Model, action: Action) -> Result<(), String> {
    let Some(shown) = shown(model) else {
        return Err("the job is not on the farm any more".to_owned());
    };
    let job = shown.job;
    let ended = || format!("{} is {}", job.id, job.state.word());
    match (action, shown.about(model)) {
        (Action::Cancel | Action::Retry | Action::RenderAgain, About::Nothing) => {
            Err("no batch is selected".to_owned())
        }
        (Action::Cancel, About::Frames) if !shown.any(is_open) => {
            Err("nothing to cancel: none of the selected frames is still to be rendered".to_owned())
        }
        (Action::Cancel, About::Batch(batch)) if batch.ended.is_some() => Err(format!(
            "nothing to cancel: {} is {}",
            batch.id,
            words::batch_state(batch.state)
        )),
        (Action::CancelJob, _) if job.state.has_ended() => Err(format!("nothing to cancel: {}", ended())),
        (Action::Retry, About::Frames) if shown.screen.anchor.is_some() && !shown.any(is_given_up) => {
            Err("nothing to retry: none of the selected frames failed or was cancelled".to_owned())
        }
        (Action::Retry, About::Frames) if job.counts.failed + job.counts.cancelled == 0 => Err(format!(
            "nothing to retry: no frame of {} failed or was cancelled",
            job.id
        )),
        (Action::Retry, About::Batch(batch)) if retryable(batch).is_empty() => Err(format!(
            "nothing to retry: no frame of {} failed or was cancelled",
            batch.id
        )),
        (Action::RenderAgain, About::Frames) if !shown.any(is_settled) => {
            Err("the selected frames are still to be rendered".to_owned())
        }
        (Action::PauseOrResume, _) if job.state.has_ended() => Err(format!("nothing to pause: {}", ended())),
        (Action::Raise | Action::Lower, _) if job.state.has_ended() => {
            Err(format!("its priority changes nothing any more: {}", ended()))
        }
        (Action::Raise, _) if job.priority >= 100 => Err("100 is the highest priority".to_owned()),
        (Action::Lower, _) if job.priority <= -100 => Err("-100 is the lowest priority".to_owned()),
        (Action::Verify, _) if job.counts.delivered == 0 => {
            Err(format!("nothing to read: {} has no picture yet", job.id))
        }
        (Action::Forget, _) => forget::can_forget_job(job),
        (Action::NextFailed, _) if job.counts.failed == 0 => Err("no frame has failed".to_owned()),
        _ => Ok(()),
    }
}

/// Does an action on the job screen, or asks first where something is lost by it.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Command> {
    if let Err(reason) = availability(model, action) {
        model.say(Tone::Plain, reason);
        return Vec::new();
    }
    let Some(shown) = shown(model) else {
        return Vec::new();
    };
    let job = shown.job.clone();
    match action {
        Action::Cancel | Action::CancelJob => {
            let dialog = match shown.about(model) {
                _ if action == Action::CancelJob => act::cancel_job_dialog(model, &job),
                About::Frames => cancel_frames(model, &shown),
                About::Batch(batch) => act::cancel_batch_dialog(model, batch),
                About::Nothing => return Vec::new(),
            };
            model.overlay = Some(Overlay::Dialog(dialog));
            Vec::new()
        }
        Action::Retry => match shown.about(model) {
            About::Batch(batch) => {
                let batch = batch.clone();
                act::retry_batch(model, &batch)
            }
            _ if shown.screen.anchor.is_some() => {
                let frames = shown.frames(is_given_up);
                retry(model, &job, frames)
            }
            _ => act::retry_job(model, &job),
        },
        Action::RenderAgain => {
            let (frames, delivered) = match shown.about(model) {
                About::Batch(batch) => (batch.frames.clone(), batch.delivered.clone()),
                _ => (
                    shown.frames(is_settled),
                    shown.frames(|shade| shade == Shade::Delivered),
                ),
            };
            if delivered.is_empty() {
                return retry(model, &job, frames);
            }
            model.overlay = Some(Overlay::Dialog(again_dialog(&job, frames, &delivered)));
            Vec::new()
        }
        Action::PauseOrResume => act::pause_or_resume(model, &job),
        Action::Verify => start_on(model, &job, Act::Verify(job.id)),
        Action::MakeFilms => start_on(model, &job, Act::MakeFilms(job.id)),
        Action::Forget => {
            model.overlay = Some(Overlay::Dialog(forget::job_dialog(&job)));
            Vec::new()
        }
        Action::Raise => prioritise(model, &job, 10),
        Action::Lower => prioritise(model, &job, -10),
        Action::OpenFolder => {
            model.say(Tone::Plain, format!("opening {}", job.output));
            vec![Command::OpenFolder { path: job.output }]
        }
        _ => Vec::new(),
    }
}

fn start_on(model: &mut Model, job: &JobView, act: Act) -> Vec<Command> {
    let (doing, done) = act::wording(&act);
    start(model, Target::Job(job.id), act, doing, done)
}

fn retry(model: &mut Model, job: &JobView, frames: FrameSet) -> Vec<Command> {
    let done = format!(
        "{}: {} queued again ({frames})",
        job.id,
        words::frames(frames.len())
    );
    let act = Act::RetryFrames { job: job.id, frames };
    leave_selection(model);
    start(model, Target::Job(job.id), act, "retrying", done)
}

fn prioritise(model: &mut Model, job: &JobView, step: i32) -> Vec<Command> {
    let priority = (job.priority + step).clamp(-100, 100);
    let done = format!("{} has priority {priority}", job.id);
    let act = Act::SetPriority {
        job: job.id,
        priority,
    };
    start(model, Target::Job(job.id), act, "changing", done)
}

fn leave_selection(model: &mut Model) {
    if let Some(screen) = model.job_screen_mut() {
        screen.anchor = None;
    }
}

fn cancel_frames(model: &Model, shown: &Shown<'_>) -> Dialog {
    let (job, frames) = (shown.job.id, shown.frames(is_open));
    let count = words::frames(frames.len());
    let mut lines = vec![format!("{count} not delivered ({frames}) will be cancelled.")];
    lines.extend(lost_frames(model, |slot| {
        slot.job == Some(job) && slot.progress.frame.is_some_and(|frame| frames.contains(frame))
    }));
    lines.push("Delivered frames stay in their folder; r renders cancelled ones after all.".to_owned());
    Dialog::confirm(
        format!("Cancel {count} of {job}?"),
        lines,
        "Keep",
        "Cancel frames",
        Target::Job(job),
        Act::CancelFrames { job, frames },
    )
}

/// Asks before delivered pictures are replaced.
fn again_dialog(job: &JobView, frames: FrameSet, delivered: &FrameSet) -> Dialog {
    let count = words::frames(frames.len());
    let mut lines = vec![format!(
        "{} delivered already ({delivered}): their pictures are replaced by new ones.",
        words::frames(delivered.len())
    )];
    let others = frames.len() - delivered.len();
    if others > 0 {
        lines.push(format!(
            "{} failed or cancelled: rendered too.",
            words::frames(others)
        ));
    }
    lines.push(format!("Until then the old pictures stay in {}.", job.output));
    Dialog::confirm(
        format!("Render {count} of {} again?", job.id),
        lines,
        "Keep",
        "Render again",
        Target::Job(job.id),
        Act::RetryFrames { job: job.id, frames },
    )
}
