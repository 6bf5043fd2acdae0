//! A set of positions that finds its next member fast, however many positions lie between.

/// Bits, and above each 64 words of them a bit for each word that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
    summary: Vec<u64>,
}

const BITS: usize = 64;

impl Bitmap {
    /// Room for positions below `len`, none of them a member.
    pub(crate) fn new(len: usize) -> Self {
        let words = len.div_ceil(BITS);
        Self {
            words: vec![0; words],
            summary: vec![0; words.div_ceil(BITS)],
        }
    }

    /// Makes a position a member, or no member.
    pub(crate) fn set(&mut self, position: usize, member: bool) {
        let (word, bit) = (position / BITS, 1 << (position % BITS));
        let (group, word_bit) = (word / BITS, 1 << (word % BITS));
        if member {
            self.words[word] |= bit;
            self.summary[group] |= word_bit;
        } else {
            self.words[word] &= !bit;
            if self.words[word] == 0 {
                self.summary[group] &= !word_bit;
            }
        }
    }

    /// The lowest member that is not below `from`.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        let word = from / BITS;
        let rest = self.words.get(word)? & (u64::MAX << (from % BITS));
        if rest != 0 {
            return Some(word * BITS + rest.trailing_zeros() as usize);
        }
        let after = word + 1;
        let mut mask = u64::MAX << (after % BITS);
        for (group, words) in self.summary.iter().enumerate().skip(after / BITS) {
            let rest = words & std::mem::replace(&mut mask, u64::MAX);
            if rest != 0 {
                let word = group * BITS + rest.trailing_zeros() as usize;
                return Some(word * BITS + self.words[word].trailing_zeros() as usize);
            }
        }
        None
    }

    /// All members, lowest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let found = self.next(from)?;
            from = found + 1;
            Some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_and_not_taken_out(changes in prop::collection::vec((0..20_000_usize, any::<bool>()), 0..200)) {
            let (mut bits, mut plain) = (Bitmap::new(20_000), BTreeSet::new());
            for (position, member) in changes {
                bits.set(position, member);
                if member { plain.insert(position); } else { plain.remove(&position); }
            }
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            for from in [0, 63, 64, 4095, 4096, 4097, 19_999, 20_000, 30_000] {
                prop_assert_eq!(bits.next(from), plain.range(from..).next().copied());
            }
        }
    }
}
