//! Bytes from elsewhere do no harm: the corpus of every reader, as it is and damaged in many ways.

use std::panic::catch_unwind;

use farmhand_tests::fuzzing::{TARGETS, corpus};

/// Ways in which each entry is damaged. Always the same ones: a failure can be repeated.
const DAMAGES: u64 = 200;

#[test]
fn every_reader_accepts_what_was_once_sent_and_keeps_what_it_means() {
    for target in TARGETS {
        let accepted = corpus(*target)
            .iter()
            .filter(|(_, bytes)| (target.read)(bytes))
            .count();
        assert!(accepted > 0, "{} accepts nothing of its corpus", target.name);
    }
}

#[test]
fn no_damage_to_what_is_read_does_harm() {
    for target in TARGETS {
        let entries = corpus(*target);
        for (number, (path, bytes)) in entries.iter().enumerate() {
            for seed in 0..DAMAGES {
                let other = &entries[(number + 1) % entries.len()].1;
                let damaged = damage(bytes, other, seed);
                let survived = catch_unwind(|| (target.read)(&damaged)).is_ok();
                assert!(
                    survived,
                    "{}: {} with damage {seed}: {}",
                    target.name,
                    path.display(),
                    String::from_utf8_lossy(&damaged)
                );
            }
        }
    }
}

/// Numbers and words that readers are known to trip over.
const TRAPS: &[&str] = &[
    "-1",
    "0",
    "18446744073709551615",
    "-9223372036854775808",
    "2147483648",
    "1e999",
    "null",
    "[]",
    "{}",
    "\"\"",
    "\"..\"",
    "\"\\u0000\"",
    "1-2147483647",
    "-2147483648-2147483647",
];

/// A few changes, of a kind that `seed` decides: bits, bytes, pieces left out or said twice, the end of another
/// entry, values replaced by traps.
fn damage(bytes: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut bytes = bytes.to_vec();
    for _ in 0..=chance.usize(..3) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = chance.usize(..bytes.len());
        let end = (at + 1 + chance.usize(..32)).min(bytes.len());
        match chance.u8(..7) {
            0 => bytes[at] ^= 1 << chance.u8(..8),
            1 => bytes[at] = chance.u8(..),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
            _ => {
                let (start, end) = value_at(&bytes, at);
                let trap = TRAPS[chance.usize(..TRAPS.len())];
                bytes.splice(start..end, trap.bytes());
            }
        }
    }
    bytes
}

/// Where the value around `at` begins and ends: what stands between two of JSON's marks.
fn value_at(bytes: &[u8], at: usize) -> (usize, usize) {
    let mark = |byte: &u8| b",:[]{}\n".contains(byte);
    let start = bytes[..at].iter().rposition(mark).map_or(0, |before| before + 1);
    let length = bytes[at..].iter().position(mark).unwrap_or(bytes.len() - at);
    (start.min(at), at + length)
}
