//! What a slot's frames have beside them, which tells whether what they take can be compared. This must not know
//! batches.

use super::sharing::Look;

/// A slot, as one frame after the other is rendered in it.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// What its last frame was rendered as, where it was.
    last: Option<Manner>,
    /// What its frame is rendered as.
    now: Option<Manner>,
    /// Whether just as many Blenders rendered the look when the frame began as are to.
    began_full: bool,
    /// Whether fewer did than may when a frame was last handed out.
    had_room: bool,
}

/// A frame that is rendered like the one before finds everything prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) look: Look,
    /// Among how many Blenders the threads are shared.
    pub(super) of_threads: u32,
}

impl Seat {
    /// Fewer Blenders are at work than may be, or not. Whether that was so at the frame before too: another number of
    /// threads costs a preparation, which a moment between two batches is not worth.
    pub(super) fn still_has_room(&mut self, has_room: bool) -> bool {
        std::mem::replace(&mut self.had_room, has_room) && has_room
    }

    /// A frame is handed out.
    pub(super) fn take(&mut self, now: Manner) {
        self.now = Some(now);
        self.began_full = false;
    }

    /// It has begun; `full` is how many Blenders are to render its look, where just so many do.
    pub(super) fn begin(&mut self, full: Option<u32>) {
        self.began_full = full.is_some() && full == self.now.map(|now| now.of_threads);
    }

    /// It has ended well. Whether what it took can be compared, by what was in this slot and beside it.
    pub(super) fn finish(&mut self, full: Option<u32>) -> bool {
        let now = self.now.take();
        let is_alike = now.is_some() && now == self.last;
        self.last = now;
        is_alike && self.began_full && full == now.map(|now| now.of_threads)
    }

    /// It has not.
    pub(super) fn fail(&mut self) {
        (self.last, self.now) = (None, None);
    }
}
