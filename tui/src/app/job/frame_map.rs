//! How every frame of a job stands: one byte a frame, with the worst of each block beside it, so that a map of
//! a million frames is drawn as fast as one of a hundred.

use std::ops::Range;

use farmhand_protocol::farm::{AttemptView, FrameState, FramesInState};
use farmhand_protocol::{Frame, FrameSet};

/// How a frame stands, as it is shown. What a person should see first comes last: of several frames in one cell
/// the highest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Shade {
    Delivered,
    Waiting,
    Cancelled,
    Sent,
    Rendering,
    /// It failed before and waits for another attempt.
    Retry,
    Failed,
}

impl Shade {
    pub(crate) const ALL: [Self; 7] = [
        Self::Delivered,
        Self::Rendering,
        Self::Sent,
        Self::Waiting,
        Self::Retry,
        Self::Failed,
        Self::Cancelled,
    ];

    /// A word for legends.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Delivered => "done",
            Self::Waiting => "wait",
            Self::Cancelled => "cancel",
            Self::Sent => "sent",
            Self::Rendering => "render",
            Self::Retry => "retry",
            Self::Failed => "fail",
        }
    }
}

/// Frames of a block. Cells of many frames hold whole blocks, see [`super::Grid`].
pub(crate) const BLOCK: usize = 50;

/// The frames of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrameMap {
    frames: FrameSet,
    /// How many frames lie before each range of `frames`.
    before: Vec<usize>,
    shades: Vec<Shade>,
    /// The worst shade of each [`BLOCK`].
    blocks: Vec<Shade>,
    counts: [u32; Shade::ALL.len()],
    /// Frames with a failed attempt, as far as is known.
    tried: FrameSet,
}

impl FrameMap {
    /// All frames waiting.
    pub(crate) fn new(frames: FrameSet) -> Self {
        let mut sum = 0;
        let before = frames.ranges().iter().map(|range| {
            sum += range.count() as usize;
            sum - range.count() as usize
        });
        let before: Vec<usize> = before.collect();
        let mut counts = [0; Shade::ALL.len()];
        counts[Shade::Waiting as usize] = frames.len();
        Self {
            before,
            shades: vec![Shade::Waiting; sum],
            blocks: vec![Shade::Waiting; sum.div_ceil(BLOCK)],
            counts,
            tried: FrameSet::default(),
            frames,
        }
    }

    /// Takes failed attempts over: of frames that wait it is shown that they were tried.
    pub(crate) fn take_attempts(&mut self, attempts: &[AttemptView]) {
        let tried: FrameSet = attempts.iter().map(|attempt| attempt.frame).collect();
        let changed = self.tried.union(&tried);
        self.tried = tried;
        for frame in changed.iter() {
            if let Some(position) = self.position(frame) {
                match self.shades[position] {
                    Shade::Waiting | Shade::Retry => self.set(position, self.waiting(frame)),
                    _ => {}
                }
            }
        }
    }

    /// Takes new states over.
    pub(crate) fn apply(&mut self, states: &[FramesInState]) {
        for FramesInState { state, frames } in states {
            for frame in frames.iter() {
                let shade = match state {
                    FrameState::Pending => self.waiting(frame),
                    FrameState::Leased => Shade::Sent,
                    FrameState::Rendering => Shade::Rendering,
                    FrameState::Delivered => Shade::Delivered,
                    FrameState::Failed => Shade::Failed,
                    FrameState::Cancelled => Shade::Cancelled,
                };
                if let Some(position) = self.position(frame) {
                    self.set(position, shade);
                }
            }
        }
    }

    /// How many frames.
    pub(crate) fn len(&self) -> usize {
        self.shades.len()
    }

    /// The frame at a place, counted from 0.
    pub(crate) fn frame(&self, position: usize) -> Option<Frame> {
        let range = self
            .before
            .partition_point(|before| *before <= position)
            .checked_sub(1)?;
        let within = u32::try_from(position - self.before[range]).ok()?;
        let range = self.frames.ranges()[range];
        let number = i64::from(range.first().get()) + i64::from(within) * i64::from(range.step());
        (within < range.count()).then(|| Frame::try_from(number).ok())?
    }

    /// A frame's place, counted from 0.
    pub(crate) fn position(&self, frame: Frame) -> Option<usize> {
        let ranges = self.frames.ranges();
        let index = ranges
            .partition_point(|range| range.first() <= frame)
            .checked_sub(1)?;
        let range = ranges[index];
        let offset = frame.get().abs_diff(range.first().get());
        let inside = frame <= range.last() && offset.is_multiple_of(range.step());
        inside.then(|| self.before[index] + (offset / range.step()) as usize)
    }

    /// How a frame stands.
    pub(crate) fn shade(&self, position: usize) -> Option<Shade> {
        self.shades.get(position).copied()
    }

    /// The worst shade among these places; nothing where there is none.
    pub(crate) fn worst(&self, places: Range<usize>) -> Option<Shade> {
        let end = places.end.min(self.len());
        let whole = places.start.is_multiple_of(BLOCK) && (end.is_multiple_of(BLOCK) || end == self.len());
        let shades = if whole {
            self.blocks.get(places.start / BLOCK..end.div_ceil(BLOCK))
        } else {
            self.shades.get(places.start..end)
        };
        shades?.iter().max().copied()
    }

    /// How many frames stand so.
    pub(crate) fn count(&self, shade: Shade) -> u32 {
        self.counts[shade as usize]
    }

    /// The first place from `from` on whose frame stands so, beginning anew at the end.
    pub(crate) fn next(&self, shade: Shade, from: usize) -> Option<usize> {
        if self.count(shade) == 0 {
            return None;
        }
        let find = |places: Range<usize>| {
            let found = self
                .shades
                .get(places.clone())?
                .iter()
                .position(|other| *other == shade)?;
            Some(places.start + found)
        };
        find(from.min(self.len())..self.len()).or_else(|| find(0..from.min(self.len())))
    }

    /// Whether the frame at one of these places passes.
    pub(crate) fn any(&self, places: Range<usize>, passes: impl Fn(Shade) -> bool) -> bool {
        let places = places.start.min(self.len())..places.end.min(self.len());
        self.shades[places].iter().any(|shade| passes(*shade))
    }

    /// Frames at these places that pass, as a set.
    pub(crate) fn chosen(&self, places: Range<usize>, passes: impl Fn(Shade) -> bool) -> FrameSet {
        let end = places.end.min(self.len());
        (places.start.min(end)..end)
            .filter(|position| passes(self.shades[*position]))
            .filter_map(|position| self.frame(position))
            .collect()
    }

    fn waiting(&self, frame: Frame) -> Shade {
        if self.tried.contains(frame) {
            Shade::Retry
        } else {
            Shade::Waiting
        }
    }

    fn set(&mut self, position: usize, shade: Shade) {
        let before = std::mem::replace(&mut self.shades[position], shade);
        self.counts[before as usize] -= 1;
        self.counts[shade as usize] += 1;
        let block = position / BLOCK;
        if shade >= self.blocks[block] {
            self.blocks[block] = shade;
        } else if before == self.blocks[block] {
            let places = block * BLOCK..(block * BLOCK + BLOCK).min(self.len());
            self.blocks[block] = self.shades[places].iter().max().copied().unwrap_or(shade);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::app::fixture::frames;

    fn in_state(state: FrameState, text: &str) -> FramesInState {
        let frames = frames(text);
        FramesInState { state, frames }
    }

    #[test]
    fn places_and_frames_agree_in_sets_of_many_ranges() {
        let map = FrameMap::new(frames("-5--3,1-9x2,20,30-34"));
        assert_eq!(map.len(), 14);
        for position in 0..map.len() {
            let frame = map.frame(position).unwrap();
            assert_eq!(map.position(frame), Some(position), "{frame}");
        }
        assert_eq!(map.frame(14), None);
        for other in [-6, -2, 2, 21, 35] {
            assert_eq!(map.position(Frame::try_from(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn a_frame_that_failed_and_waits_again_is_shown_as_such() {
        let mut map = FrameMap::new(frames("1-4"));
        map.apply(&[
            in_state(FrameState::Rendering, "2"),
            in_state(FrameState::Delivered, "1"),
        ]);
        let attempt = crate::app::fixture::attempt(2, "it broke");
        map.take_attempts(&[attempt]);
        assert_eq!(map.shade(1), Some(Shade::Rendering));
        map.apply(&[in_state(FrameState::Pending, "2-3")]);
        assert_eq!(
            (map.shade(1), map.shade(2)),
            (Some(Shade::Retry), Some(Shade::Waiting))
        );
        map.take_attempts(&[]);
        assert_eq!(map.shade(1), Some(Shade::Waiting), "it was forgiven");
    }

    #[test]
    fn the_next_failed_frame_is_found_round_and_round() {
        let mut map = FrameMap::new(frames("1-300"));
        assert_eq!(map.next(Shade::Failed, 0), None);
        map.apply(&[in_state(FrameState::Failed, "7,250")]);
        assert_eq!(map.next(Shade::Failed, 0), Some(6));
        assert_eq!(map.next(Shade::Failed, 7), Some(249));
        assert_eq!(map.next(Shade::Failed, 250), Some(6));
        assert_eq!(
            map.chosen(0..260, |shade| shade == Shade::Failed).to_string(),
            "7,250"
        );
    }

    proptest! {
        #[test]
        fn counts_and_blocks_always_say_what_the_frames_say(
            changes in proptest::collection::vec((0_i64..400, 1_i64..120, 0_usize..6), 0..40),
        ) {
            const STATES: [FrameState; 6] = [
                FrameState::Pending, FrameState::Leased, FrameState::Rendering, FrameState::Delivered,
                FrameState::Failed, FrameState::Cancelled,
            ];
            let mut map = FrameMap::new(frames("1-333"));
            for (first, length, state) in changes {
                map.apply(&[in_state(STATES[state], &format!("{first}-{}", first + length))]);
            }
            let total: u32 = Shade::ALL.iter().map(|shade| map.count(*shade)).sum();
            prop_assert_eq!(total, 333);
            for shade in Shade::ALL {
                let counted = map.shades.iter().filter(|other| **other == shade).count();
                prop_assert_eq!(map.count(shade) as usize, counted);
            }
            for start in (0..333).step_by(BLOCK) {
                let end = (start + BLOCK).min(333);
                prop_assert_eq!(map.worst(start..end), map.shades[start..end].iter().max().copied());
            }
        }
    }
}
