//! A Blender that stays: started once, its scene loaded once, its frames fed one by one. The one type behind
//! which a slot renders; nobody else knows that there is a driver.

use std::path::Path;
use std::sync::Arc;

use farmhand_protocol::{Failure, FailureKind, Frame};

use super::ahead::Ahead;
use super::loader::{Loaded, Loader};
use super::message::{Command, Message, Rendered};
use super::process::Process;
use super::watch::{NoFrame, Sign, Watch, ended, failure_with_log, listen, unexpected};

/// At most one running Blender.
#[derive(Debug)]
pub(crate) struct Warm {
    loader: Loader,
    ahead: Arc<Ahead>,
    running: Option<(Loaded, Process)>,
}

impl Warm {
    /// No Blender yet. One that has loaded what is wanted `ahead` is taken before a new one is started.
    pub(crate) fn new(loader: Loader, ahead: Arc<Ahead>) -> Self {
        Self {
            loader,
            ahead,
            running: None,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The scene that is loaded.
    pub(crate) fn scene(&self) -> Option<&Path> {
        self.running
            .as_ref()
            .map(|(loaded, _)| loaded.scene.main.as_path())
    }

    /// Renders a frame into an empty folder, after loading the scene where another one or none is loaded.
    pub(crate) async fn render(
        &mut self,
        wanted: &Loaded,
        frame: Frame,
        folder: &Path,
        watch: &Watch<'_>,
        mut sign: impl FnMut(Sign),
    ) -> Result<Rendered, NoFrame> {
        let fits = |(loaded, process): &mut (Loaded, Process)| loaded == wanted && !process.has_gone();
        if !self.running.as_mut().is_some_and(fits) {
            let process = self.fitting(wanted, watch, &mut sign).await?;
            self.running = Some((wanted.clone(), process));
        }
        // Put back only when it can render on: every other way out drops, and so kills, it.
        let Some((loaded, mut process)) = self.running.take() else {
            return Err(driver_error("no Blender is running"));
        };
        process.print_to(Arc::clone(watch.log));
        let ask = Command::Render {
            frame,
            folder,
            threads: watch.threads,
        };
        let told = process.send(&ask).await;
        if told.is_err() {
            return Err(NoFrame::Failed(
                ended(&mut process, watch, "while it waited for a frame").await,
            ));
        }
        let mut kill_at = None;
        loop {
            match listen(&mut process, watch, &mut kill_at, "in the frame").await? {
                Message::Started { .. } => sign(Sign::Started),
                Message::Progress(samples) => sign(Sign::Samples(samples, process.memory_bytes())),
                Message::Finished(rendered) if rendered.frame == frame => {
                    self.running = Some((loaded, process));
                    return Ok(rendered);
                }
                Message::Failed { kind, message } => {
                    let failure = failure_with_log(kind, message, watch).await;
                    self.running = Some((loaded, process));
                    return Err(NoFrame::Failed(failure));
                }
                Message::Cancelled { restart } => {
                    if !restart {
                        self.running = Some((loaded, process));
                    }
                    return Err(if watch.cancel.is_cancelled() {
                        NoFrame::Cancelled
                    } else {
                        driver_error("someone else stopped the frame")
                    });
                }
                other => return Err(unexpected(other, watch).await),
            }
        }
    }

    /// A Blender with the wanted scene loaded. The one that is here goes first: the next frame may need its memory,
    /// on a graphics card too.
    async fn fitting(
        &mut self,
        wanted: &Loaded,
        watch: &Watch<'_>,
        sign: &mut impl FnMut(Sign),
    ) -> Result<Process, NoFrame> {
        let loaded = match self.ahead.take(wanted) {
            Some(coming) => coming.arrive(watch, sign).await?,
            None => None,
        };
        self.leave().await;
        match loaded {
            Some(process) => Ok(process),
            None => self.loader.load(wanted, watch, sign).await,
        }
    }

    /// Ends the Blender, if there is one, and reaps it.
    pub(crate) async fn leave(&mut self) {
        if let Some((_, process)) = self.running.take() {
            process.leave().await;
        }
    }
}

fn driver_error(message: &str) -> NoFrame {
    NoFrame::Failed(Failure::new(FailureKind::DriverError, message))
}
