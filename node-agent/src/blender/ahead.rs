//! A second Blender that loads the next scene while frames of another one still render. This must not know batches
//! or slots, nor when it is worth its memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::loader::{Loaded, Loader};
use super::log::Log;
use super::process::Process;
use super::watch::{NoFrame, Sign, Watch};

/// Room for one of them.
#[derive(Debug, Default)]
pub(crate) struct Ahead(Mutex<Option<Coming>>);

/// How a scene's load is watched that no slot waits for yet; see [`Watch`].
#[derive(Debug)]
pub(crate) struct Conditions {
    pub(crate) timeout: Duration,
    pub(crate) memory_bytes: u64,
    pub(crate) kill: CancellationToken,
    pub(crate) log: Arc<Log>,
}

/// A Blender that loads a scene or has it loaded. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Coming {
    wanted: Loaded,
    stop: CancellationToken,
    process: AbortOnDropHandle<Option<Process>>,
}

impl Ahead {
    /// Starts to load a scene; what was loaded ahead before is dropped, and so killed. `sign` hears of it.
    pub(crate) fn begin(
        &self,
        loader: Loader,
        wanted: Loaded,
        conditions: Conditions,
        mut sign: impl FnMut(Sign) + Send + 'static,
    ) {
        let stop = conditions.kill.child_token();
        let (kill, scene) = (stop.clone(), wanted.clone());
        let load = async move {
            let never = CancellationToken::new();
            let watch = Watch {
                timeout: conditions.timeout,
                memory_bytes: conditions.memory_bytes,
                threads: 1,
                cancel: &never,
                kill: &kill,
                log: &conditions.log,
            };
            match loader.load(&scene, &watch, &mut sign).await {
                Ok(process) => {
                    tracing::info!(scene = %scene.scene.main.display(), "scene loaded ahead");
                    Some(process)
                }
                Err(NoFrame::Cancelled) => None,
                Err(NoFrame::Failed(failure)) => {
                    // Whoever needs the scene loads it again, alone, and that failure counts.
                    tracing::info!(kind = ?failure.kind, "cannot load ahead: {}", failure.message);
                    None
                }
            }
        };
        *self.room() = Some(Coming {
            wanted,
            stop,
            process: AbortOnDropHandle::new(tokio::spawn(load)),
        });
    }

    /// Takes it out where it loads, or has loaded, just that.
    pub(super) fn take(&self, wanted: &Loaded) -> Option<Coming> {
        self.room().take_if(|coming| coming.wanted == *wanted)
    }

    /// Ends and reaps it, if there is one.
    pub(crate) async fn clear(&self) {
        let coming = self.room().take();
        if let Some(coming) = coming {
            coming.leave().await;
        }
    }

    fn room(&self) -> MutexGuard<'_, Option<Coming>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coming {
    /// The Blender, once it has loaded; nothing where it could not, or died since.
    ///
    /// # Errors
    /// When it is not wanted any more.
    pub(super) async fn arrive(
        mut self,
        watch: &Watch<'_>,
        sign: &mut impl FnMut(Sign),
    ) -> Result<Option<Process>, NoFrame> {
        if !self.process.is_finished() {
            sign(Sign::AwaitingScene);
        }
        let loaded = tokio::select! {
            loaded = &mut self.process => loaded,
            () = watch.cancel.cancelled() => {
                self.leave().await;
                return Err(NoFrame::Cancelled);
            }
        };
        if watch.kill.is_cancelled() {
            return Err(NoFrame::Cancelled);
        }
        Ok(loaded
            .ok()
            .flatten()
            .and_then(|mut process| (!process.has_gone()).then_some(process)))
    }

    async fn leave(self) {
        self.stop.cancel();
        if let Ok(Some(process)) = self.process.await {
            process.leave().await;
        }
    }
}
