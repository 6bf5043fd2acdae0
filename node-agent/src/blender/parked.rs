//! A Blender that was started to be asked and is kept a while for the first frames: starting one costs a second
//! of a processor. This must not know scenes or slots.

use std::sync::{Mutex, PoisonError};

use super::process::Process;
use crate::engines::EnginePath;

/// A Blender with the driver inside that is ready and has nothing loaded.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(super) engine: EnginePath,
    pub(super) process: Process,
}

impl Ready {
    /// Ends and reaps it.
    pub(crate) async fn leave(self) {
        self.process.leave().await;
    }
}

/// Room for one of them.
#[derive(Debug, Default)]
pub(crate) struct Parked(Mutex<Option<Ready>>);

impl Parked {
    /// Keeps it; the one that was kept before is dropped, and so killed.
    pub(crate) fn keep(&self, ready: Ready) {
        *self.room() = Some(ready);
    }

    /// Takes it out.
    pub(crate) fn take(&self) -> Option<Ready> {
        self.room().take()
    }

    /// Takes it out where it is that engine and still alive.
    pub(super) fn take_as(&self, engine: &EnginePath) -> Option<Process> {
        let mut ready = self.room().take_if(|ready| ready.engine == *engine)?;
        (!ready.process.has_gone()).then_some(ready.process)
    }

    fn room(&self) -> std::sync::MutexGuard<'_, Option<Ready>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
