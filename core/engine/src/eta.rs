//! When a job will be done, from the same estimates that batches are made by.

use farmhand_protocol::farm::FrameCounts;

use crate::farm::Farm;
use crate::job::Job;

/// Frames that must have been measured before anything is said.
const FRAMES: u32 = 3;
/// Places of the job at which the work left is looked at.
const PLACES: u32 = 64;
/// What frames elsewhere in the animation may differ by from what was measured, as a share.
const TREND: f64 = 0.15;

/// Milliseconds from now until a job's last frame is home. It ends between `early` and `late` nine times of ten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Eta {
    pub(crate) early: u64,
    pub(crate) likely: u64,
    pub(crate) late: u64,
}

impl Farm {
    /// Nothing before a few frames were measured, or while no frame is being rendered.
    pub(crate) fn expected_end(&self, job: &Job, counts: &FrameCounts) -> Option<Eta> {
        let pace = &job.pace;
        if pace.frames() < FRAMES || counts.rendering == 0 {
            return None;
        }
        let places = (0..PLACES).map(|n| f64::from(n) / f64::from(PLACES));
        let open: Vec<f64> = places.filter(|place| job.frames.is_open_at(*place)).collect();
        let places = if open.is_empty() { vec![0.5] } else { open };
        let usual: Vec<f64> = places.iter().filter_map(|place| pace.usual(*place)).collect();
        if usual.is_empty() {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "there are at most 64")]
        let frame = usual.iter().sum::<f64>() / usual.len() as f64;
        let power = self.seen.agenda.power;
        let speed = if power.slots > 0.0 {
            power.speed / power.slots
        } else {
            1.0
        };
        let waiting = f64::from(counts.pending + counts.leased);
        let slots = f64::from(counts.rendering);
        // What renders now is half done on average.
        let work = (waiting + slots / 2.0) * frame;
        let likely = (work / (slots * speed)).max(frame / speed / 2.0);
        let (left, known) = (waiting + slots, f64::from(pace.frames()));
        let off = pace.spread() * (1.0 / left + 1.0 / known).sqrt() + TREND * (left / (left + known));
        let one = frame / speed * pace.spread().exp();
        let ms = |seconds: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "no farm waits for ages"
            )]
            let ms = (seconds.max(0.0) * 1000.0) as u64;
            ms
        };
        Some(Eta {
            early: ms(likely / (1.0 + 1.6 * off) - one / 2.0),
            likely: ms(likely),
            late: ms(likely * (1.0 + 1.6 * off) + one),
        })
    }
}
