//! Frame numbers and sets of them, in the notation that people type: `1-250`, `1-100x2`, `1,5,9-12`, `-10--1`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::string_form;

/// A frame's number, from [`Frame::MIN`] to [`Frame::MAX`]. Blender clamps silently beyond
/// (`MINAFRAME` and `MAXFRAME` in its `DNA_scene_types.h`), so we refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Frame(i32);

/// A number that is not a frame's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame {0} is outside Blender's range, -1048574 to 1048574")]
pub struct FrameError(i64);

impl Frame {
    /// The lowest frame that Blender can set.
    pub const MIN: Self = Self(-1_048_574);
    /// The highest frame that Blender can set.
    pub const MAX: Self = Self(1_048_574);

    /// The number.
    pub fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<i64> for Frame {
    type Error = FrameError;
    fn try_from(number: i64) -> Result<Self, FrameError> {
        let inside = (i64::from(Self::MIN.0)..=i64::from(Self::MAX.0)).contains(&number);
        i32::try_from(number)
            .ok()
            .filter(|_| inside)
            .map(Self)
            .ok_or(FrameError(number))
    }
}

impl From<Frame> for i64 {
    fn from(frame: Frame) -> i64 {
        frame.0.into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Frame {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::Integer)
            .minimum(Some(Self::MIN.0))
            .maximum(Some(Self::MAX.0))
            .into()
    }
}
#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Frame {}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Frame {
    type Err = FrameSetError;
    fn from_str(text: &str) -> Result<Self, FrameSetError> {
        let number: i64 = text
            .trim()
            .parse()
            .map_err(|_| FrameSetError::NotANumber(text.trim().to_owned()))?;
        Ok(Self::try_from(number)?)
    }
}

/// Frames `first, first + step, ... last`. `last` belongs to it; `step` is at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameRange {
    first: Frame,
    last: Frame,
    step: u32,
}

impl FrameRange {
    /// The lowest frame.
    pub fn first(&self) -> Frame {
        self.first
    }

    /// The highest frame.
    pub fn last(&self) -> Frame {
        self.last
    }

    /// Distance between neighbours.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// How many frames, at least 1.
    pub fn count(&self) -> u32 {
        self.last.0.abs_diff(self.first.0) / self.step + 1
    }

    fn nth(&self, n: u32) -> Frame {
        // `n` is below `count`, so the sum stays within `first..=last`.
        Frame(self.first.0.saturating_add_unsigned(n * self.step))
    }

    fn position(&self, frame: Frame) -> Option<u32> {
        let inside = (self.first..=self.last).contains(&frame);
        let offset = frame.0.abs_diff(self.first.0);
        (inside && offset.is_multiple_of(self.step)).then(|| offset / self.step)
    }
}

/// Frames without order or repeats, kept as ranges. Equal sets are equal values and have one text.
///
/// Empty only where a computation left nothing; people's input is never parsed to an empty set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(try_from = "WireFrameSet", into = "String")]
pub struct FrameSet {
    /// Sorted, disjoint even as intervals.
    ranges: Vec<FrameRange>,
}

/// What is wrong with a text that should be a frame set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameSetError {
    /// Nothing, or nothing between two commas.
    #[error("a frame is missing: write frames as 1-250, 1-100x2 or 1,5,9-12")]
    Empty,
    /// A part that is no whole number.
    #[error("{0:?} is not a whole number: write frames as 1-250, 1-100x2 or 1,5,9-12")]
    NotANumber(String),
    /// A range that runs down.
    #[error("the range {0}-{1} runs backwards: write {1}-{0}")]
    Backwards(Frame, Frame),
    /// A step of nothing.
    #[error("a step is at least 1")]
    NoStep,
    /// A number that Blender cannot set.
    #[error(transparent)]
    Range(#[from] FrameError),
    /// Repeats beyond any sense.
    #[error("this names more frames than Blender has")]
    TooMany,
}

/// More than this many frames, repeats counted, is nobody's job.
const MOST_NAMED: u64 = 2 * 2_097_149;

impl FrameSet {
    /// Frames `first` to `last`, both included.
    ///
    /// # Errors
    /// When the range runs backwards.
    pub fn range(first: Frame, last: Frame) -> Result<Self, FrameSetError> {
        if first > last {
            return Err(FrameSetError::Backwards(first, last));
        }
        Ok(Self {
            ranges: vec![FrameRange { first, last, step: 1 }],
        })
    }

    /// The ranges, lowest first, none touching another.
    pub fn ranges(&self) -> &[FrameRange] {
        &self.ranges
    }

    /// How many frames.
    pub fn len(&self) -> u32 {
        self.ranges.iter().map(FrameRange::count).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The lowest frame.
    pub fn first(&self) -> Option<Frame> {
        self.ranges.first().map(|range| range.first)
    }

    /// The highest frame.
    pub fn last(&self) -> Option<Frame> {
        self.ranges.last().map(|range| range.last)
    }

    /// All frames, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = Frame> + '_ {
        self.ranges
            .iter()
            .flat_map(|range| (0..range.count()).map(|n| range.nth(n)))
    }

    /// Whether `frame` is one of them.
    pub fn contains(&self, frame: Frame) -> bool {
        self.position(frame).is_some()
    }

    /// How many frames of the set are lower than `frame`, if it is one of them.
    pub fn position(&self, frame: Frame) -> Option<u32> {
        let mut before = 0;
        for range in &self.ranges {
            if frame < range.first {
                return None;
            }
            if let Some(position) = range.position(frame) {
                return Some(before + position);
            }
            before += range.count();
        }
        None
    }

    /// The frame with `n` lower ones in the set.
    pub fn nth(&self, mut n: u32) -> Option<Frame> {
        for range in &self.ranges {
            if n < range.count() {
                return Some(range.nth(n));
            }
            n -= range.count();
        }
        None
    }

    /// Frames in this set, in the other, or in both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// Frames in this set that are not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.iter().filter(|frame| !other.contains(*frame)).collect()
    }

    /// Frames in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter().filter(|frame| other.contains(*frame)).collect()
    }
}

impl FromIterator<Frame> for FrameSet {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        let mut frames: Vec<Frame> = frames.into_iter().collect();
        if !frames.is_sorted() {
            frames.sort_unstable();
        }
        frames.dedup();
        Self {
            ranges: join_lone_frames(&neighbours(&frames)),
        }
    }
}

impl From<Frame> for FrameSet {
    fn from(frame: Frame) -> Self {
        Self {
            ranges: vec![FrameRange {
                first: frame,
                last: frame,
                step: 1,
            }],
        }
    }
}

/// Runs of neighbouring frames in a sorted list.
fn neighbours(frames: &[Frame]) -> Vec<FrameRange> {
    frames
        .chunk_by(|a, b| b.0 - a.0 == 1)
        .map(|run| FrameRange {
            first: run[0],
            last: run[run.len() - 1],
            step: 1,
        })
        .collect()
}

/// Writes three or more lone frames at one distance as one range with a step: `1,3,5` is `1-5x2`.
fn join_lone_frames(runs: &[FrameRange]) -> Vec<FrameRange> {
    let mut joined = Vec::new();
    let mut rest = runs;
    while let Some((&run, after)) = rest.split_first() {
        let lone = rest.iter().take_while(|run| run.first == run.last).count();
        let step = if lone >= 3 {
            rest[1].first.0.abs_diff(rest[0].first.0)
        } else {
            0
        };
        let evenly = rest[..lone]
            .windows(2)
            .take_while(|pair| pair[1].first.0.abs_diff(pair[0].first.0) == step)
            .count();
        if evenly >= 2 {
            joined.push(FrameRange {
                first: run.first,
                last: rest[evenly].first,
                step,
            });
            rest = &rest[evenly + 1..];
        } else {
            joined.push(run);
            rest = after;
        }
    }
    joined
}

impl fmt::Display for FrameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .ranges
            .iter()
            .map(|range| match range {
                FrameRange { first, last, .. } if first == last => first.to_string(),
                FrameRange { first, last, step: 1 } => format!("{first}-{last}"),
                FrameRange { first, last, step } => format!("{first}-{last}x{step}"),
            })
            .collect();
        f.pad(&parts.join(","))
    }
}

impl FromStr for FrameSet {
    type Err = FrameSetError;

    fn from_str(text: &str) -> Result<Self, FrameSetError> {
        let mut named = 0;
        let mut ranges = Vec::new();
        for part in text.split(',') {
            let range = parse_range(part.trim())?;
            named += u64::from(range.count());
            if named > MOST_NAMED {
                return Err(FrameSetError::TooMany);
            }
            ranges.push(range);
        }
        Ok(ranges
            .iter()
            .flat_map(|range| (0..range.count()).map(|n| range.nth(n)))
            .collect())
    }
}

/// `7`, `-7`, `1-9`, `-9--1` or `1-9x2`.
fn parse_range(text: &str) -> Result<FrameRange, FrameSetError> {
    if text.is_empty() {
        return Err(FrameSetError::Empty);
    }
    let (span, step) = match text.split_once(['x', 'X']) {
        None => (text, 1),
        Some((span, step)) => {
            let step = step.trim();
            let number: u32 = step
                .parse()
                .map_err(|_| FrameSetError::NotANumber(step.to_owned()))?;
            (
                span,
                if number == 0 {
                    return Err(FrameSetError::NoStep);
                } else {
                    number
                },
            )
        }
    };
    // A dash in front is a minus; the next one, if any, is the range's.
    let dash = span
        .char_indices()
        .skip(1)
        .find(|(_, c)| *c == '-')
        .map(|(at, _)| at);
    let Some(dash) = dash else {
        let frame: Frame = span.parse()?;
        return Ok(FrameRange {
            first: frame,
            last: frame,
            step: 1,
        });
    };
    let (first, last): (Frame, Frame) = (span[..dash].parse()?, span[dash + 1..].parse()?);
    if first > last {
        return Err(FrameSetError::Backwards(first, last));
    }
    let range = FrameRange { first, last, step };
    Ok(FrameRange {
        last: range.nth(range.count() - 1),
        ..range
    })
}

string_form!(FrameSet);

/// On the wire a set may be empty: nothing waits, nothing was revoked.
#[derive(Deserialize)]
#[serde(transparent)]
struct WireFrameSet(String);

impl TryFrom<WireFrameSet> for FrameSet {
    type Error = FrameSetError;
    fn try_from(WireFrameSet(text): WireFrameSet) -> Result<Self, FrameSetError> {
        if text.is_empty() {
            Ok(Self::default())
        } else {
            text.parse()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> FrameSet {
        text.parse().unwrap()
    }

    #[test]
    fn people_may_write_frames_in_any_of_these_ways() {
        for (typed, kept) in [
            ("1-250", "1-250"),
            ("1-100x2", "1-99x2"),
            ("1,5,9-12", "1,5,9-12"),
            ("-10--1", "-10--1"),
            ("-3-3", "-3-3"),
            (" 7 , 5 - 6 ", "5-7"),
            ("3,1,2,2", "1-3"),
            ("10-20x5,1", "1,10-20x5"),
            ("5-5x9", "5"),
            ("-1048574-1048574", "-1048574-1048574"),
        ] {
            assert_eq!(set(typed).to_string(), kept, "{typed}");
        }
    }

    #[test]
    fn what_is_no_frame_set_is_refused_in_words() {
        for (typed, said) in [
            ("", "a frame is missing"),
            ("1,,2", "a frame is missing"),
            ("1-", "\"\" is not a whole number"),
            ("-", "\"-\" is not a whole number"),
            ("a", "\"a\" is not a whole number"),
            ("1.5", "\"1.5\" is not a whole number"),
            ("9-1", "the range 9-1 runs backwards: write 1-9"),
            ("1-9x0", "a step is at least 1"),
            ("1-9x-1", "\"-1\" is not a whole number"),
            ("1048575", "frame 1048575 is outside Blender's range"),
            ("1-99999999999", "frame 99999999999 is outside Blender's range"),
        ] {
            let error = typed.parse::<FrameSet>().unwrap_err().to_string();
            assert!(error.contains(said), "{typed:?}: {error}");
        }
    }

    #[test]
    fn repeats_cannot_exhaust_memory() {
        let text = vec!["-1048574-1048574"; 1000].join(",");
        assert_eq!(text.parse::<FrameSet>(), Err(FrameSetError::TooMany));
    }

    #[test]
    fn an_empty_set_crosses_the_wire() {
        assert_eq!(serde_json::to_string(&FrameSet::default()).unwrap(), r#""""#);
        assert_eq!(
            serde_json::from_str::<FrameSet>(r#""""#).unwrap(),
            FrameSet::default()
        );
    }

    fn frames() -> impl Strategy<Value = Vec<i64>> {
        let number = prop_oneof![-30..30_i64, -1_048_574..=1_048_574_i64];
        prop::collection::vec(number, 1..60)
    }

    proptest! {
        #[test]
        fn a_set_survives_its_own_text(numbers in frames()) {
            let set: FrameSet = numbers.iter().map(|n| Frame::try_from(*n).unwrap()).collect();
            prop_assert_eq!(set.to_string().parse::<FrameSet>().unwrap(), set);
        }

        #[test]
        fn a_set_holds_what_was_put_in_once_and_in_order(numbers in frames()) {
            let mut expected = numbers.clone();
            expected.sort_unstable();
            expected.dedup();
            let set: FrameSet = numbers.iter().map(|n| Frame::try_from(*n).unwrap()).collect();
            let held: Vec<i64> = set.iter().map(i64::from).collect();
            prop_assert_eq!(&held, &expected);
            prop_assert_eq!(set.len() as usize, expected.len());
            for (n, frame) in set.iter().enumerate() {
                prop_assert_eq!(set.position(frame), Some(u32::try_from(n).unwrap()));
                prop_assert_eq!(set.nth(u32::try_from(n).unwrap()), Some(frame));
            }
            for probe in -31..31_i64 {
                prop_assert_eq!(set.contains(Frame::try_from(probe).unwrap()), expected.contains(&probe));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[-0-9x, ]{0,40}|.{0,40}") {
            let _parsed = text.parse::<FrameSet>();
        }
    }
}
