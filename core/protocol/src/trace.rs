//! Names of a trace's spans, and the header that tells another program of them. A job is a trace; ids are derived,
//! so that both programs, and each start of them, name the same span alike.

use std::fmt;
use std::str::FromStr;

use crate::{BatchId, FarmId, Frame, IdError, JobId};

/// Header by which a call tells what it is part of, as the W3C's Trace Context has it.
pub const TRACEPARENT_HEADER: &str = "traceparent";

/// A trace. 32 hexadecimal digits, never all 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// A span of a trace. 16 hexadecimal digits, never all 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// One span of one trace.
///
/// ```
/// # use farmhand_protocol::SpanContext;
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// assert_eq!(header.parse::<SpanContext>().unwrap().to_string(), header);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanContext {
    /// Of which trace.
    pub trace: TraceId,
    /// Which span of it.
    pub span: SpanId,
}

impl SpanContext {
    /// A job's: the first span of a trace of its own.
    pub fn of_job(farm: FarmId, job: JobId) -> Self {
        let name = format!("farmhand {farm} {job}");
        Self {
            trace: TraceId(first(blake3::hash(name.as_bytes()))),
            span: SpanId([0; 8]),
        }
        .part("job")
    }

    /// A batch's, from its job's.
    #[must_use]
    pub fn batch(self, batch: BatchId) -> Self {
        self.part(&batch.to_string())
    }

    /// A frame's, from that of the batch that it was rendered in.
    #[must_use]
    pub fn frame(self, frame: Frame) -> Self {
        self.part(&frame.to_string())
    }

    /// That of something which is part of this, and of whose name there is one only.
    #[must_use]
    pub fn part(self, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&self.trace.0)
            .update(&self.span.0)
            .update(name.as_bytes());
        Self {
            span: SpanId(first(hasher.finalize())),
            ..self
        }
    }
}

/// The first bytes of a hash.
fn first<const N: usize>(hash: blake3::Hash) -> [u8; N] {
    std::array::from_fn(|place| hash.as_bytes()[place])
}

/// As the header has it, for a trace that is kept.
impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-01", self.trace, self.span)
    }
}

/// Reads the header. A trace that its beginner does not keep is none for us: that is an error too.
impl FromStr for SpanContext {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new("a traceparent of a trace that is kept", text);
        let mut parts = text.trim().splitn(5, '-');
        let mut part = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits);
            part.and_then(|part| {
                let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                let value = u128::from_str_radix(part, 16).ok()?;
                part.bytes().all(lower).then_some(value)
            })
        };
        let version = part(2).filter(|version| *version != 0xff).ok_or_else(error)?;
        let trace = part(32).filter(|trace| *trace != 0).ok_or_else(error)?;
        let span = part(16).filter(|span| *span != 0).ok_or_else(error)?;
        part(2).filter(|flags| flags & 1 == 1).ok_or_else(error)?;
        // Later versions may say more behind these four.
        if version == 0 && parts.next().is_some() {
            return Err(error());
        }
        let span = u64::try_from(span).map_err(|_| error())?;
        Ok(Self {
            trace: TraceId(trace.to_be_bytes()),
            span: SpanId(span.to_be_bytes()),
        })
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn spans_are_named_alike_by_every_version_and_every_start() {
        let job = SpanContext::of_job(FarmId(Uuid::from_u128(7)), JobId(3));
        let batch = job.batch(BatchId(12));
        let frame = batch.frame(Frame::try_from(-7).unwrap());
        let named = [job, batch, frame, frame.part("render")].map(|context| context.to_string());
        assert_eq!(
            named,
            [
                "00-650e65d2bd7d4369b382300924a346b1-9e0a76a33294fb44-01",
                "00-650e65d2bd7d4369b382300924a346b1-cd5c60b28f527713-01",
                "00-650e65d2bd7d4369b382300924a346b1-97fb8f414939177f-01",
                "00-650e65d2bd7d4369b382300924a346b1-06fe95244180f8ce-01",
            ]
        );
    }

    #[test]
    fn no_two_spans_of_a_farm_share_a_name() {
        let mut seen = HashSet::new();
        for (farm, job) in [(1, 1), (1, 11), (11, 1), (2, 1)] {
            let job = SpanContext::of_job(FarmId(Uuid::from_u128(farm)), JobId(job));
            assert!(seen.insert(job));
            for batch in [1, 2, 11] {
                let batch = job.batch(BatchId(batch));
                assert!(seen.insert(batch) && batch.trace == job.trace);
                for frame in [-1, 1, 11] {
                    let frame = batch.frame(Frame::try_from(frame).unwrap());
                    assert!(seen.insert(frame) && seen.insert(frame.part("render")));
                }
            }
        }
    }

    #[test]
    fn a_header_that_names_no_kept_trace_is_refused() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(good.parse::<SpanContext>().is_ok());
        let later = format!("cc{}-what-a-later-version-says", &good[2..]);
        assert!(later.parse::<SpanContext>().is_ok());
        for wrong in [
            "",
            "00",
            &good[..54],
            &format!("{good}-more"),
            &good.replace("-01", "-00"),
            &good.replace("00-4", "ff-4"),
            &good.replace("4bf9", "4BF9"),
            &good.replace("4bf9", "+bf9"),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &good.replace("00f067aa0ba902b7", &"0".repeat(16)),
        ] {
            assert!(wrong.parse::<SpanContext>().is_err(), "{wrong:?}");
        }
    }
}
