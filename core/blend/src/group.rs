//! A datablock of a .blend with the blocks that belong to it: they are written one behind the other.
//!
//! Blocks are found by what they are and in the order in which they were written, so that a list that
//! leads in circles cannot matter.

use crate::dna::Dna;
use crate::header::BlockHead;
use crate::record::{Record, until_zero};

/// The most bytes and blocks kept of one group: far more than any scene's settings.
const MOST_BYTES: usize = 32 << 20;
const MOST_BLOCKS: usize = 500_000;

/// What is kept of the blocks of one datablock.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// `SC\0\0`, `IM\0\0`, `GLOB` ...
    pub(crate) code: [u8; 4],
    /// Where the leading block lay in memory.
    pub(crate) address: u64,
    blocks: Vec<Block>,
    bytes: Vec<u8>,
    /// Something was left out because there was too much.
    pub(crate) incomplete: bool,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    address: u64,
    shape: u32,
    start: usize,
    end: usize,
}

impl Group {
    /// Forgets the last group and begins another.
    pub(crate) fn begin(&mut self, head: &BlockHead) {
        self.code = head.code;
        self.address = head.address;
        self.blocks.clear();
        self.bytes.clear();
        self.incomplete = false;
    }

    /// Room for a block's bytes, which the caller fills; `None` where the group has grown too large.
    pub(crate) fn add(&mut self, head: &BlockHead, length: usize) -> Option<&mut [u8]> {
        let start = self.bytes.len();
        let end = start.checked_add(length).filter(|end| *end <= MOST_BYTES);
        let (Some(end), true) = (end, self.blocks.len() < MOST_BLOCKS) else {
            self.incomplete = true;
            return None;
        };
        self.bytes.resize(end, 0);
        self.blocks.push(Block {
            address: head.address,
            shape: head.shape,
            start,
            end,
        });
        Some(&mut self.bytes[start..])
    }

    /// Whether nothing of the group was worth keeping.
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// What the group says, with the file's description of its structs.
    pub(crate) fn with<'a>(&'a self, dna: &'a Dna) -> Datablock<'a> {
        let mut by_address: Vec<(u64, usize)> = self
            .blocks
            .iter()
            .enumerate()
            .map(|(index, block)| (block.address, index))
            .collect();
        by_address.sort_unstable();
        Datablock {
            group: self,
            dna,
            by_address,
        }
    }
}

/// A group of blocks, readable.
#[derive(Debug)]
pub(crate) struct Datablock<'a> {
    group: &'a Group,
    dna: &'a Dna,
    by_address: Vec<(u64, usize)>,
}

impl<'a> Datablock<'a> {
    /// The datablock's own struct, or what was kept of its start.
    pub(crate) fn lead(&self) -> Option<Record<'a>> {
        let block = self.group.blocks.first()?;
        records(self.dna, block, &self.group.bytes).next()
    }

    /// All structs of this kind, in the file's order.
    pub(crate) fn all(&self, kind: &'static str) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let dna = self.dna;
        let bytes = &self.group.bytes;
        self.group
            .blocks
            .iter()
            .filter(move |block| dna.get(block.shape).is_some_and(|one| dna.name_of(one) == kind))
            .flat_map(move |block| records(dna, block, bytes))
    }

    /// The first struct of this kind.
    pub(crate) fn first(&self, kind: &'static str) -> Option<Record<'a>> {
        self.all(kind).next()
    }

    /// The structs in the block that lay at this address.
    pub(crate) fn at(&self, address: u64) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let dna = self.dna;
        let bytes = &self.group.bytes;
        self.block(address)
            .into_iter()
            .flat_map(move |block| records(dna, block, bytes))
    }

    /// The text in the block that lay at this address.
    pub(crate) fn text_at(&self, address: u64) -> Option<&'a [u8]> {
        let block = self.block(address)?;
        self.group.bytes.get(block.start..block.end).map(until_zero)
    }

    fn block(&self, address: u64) -> Option<&'a Block> {
        let found = self
            .by_address
            .binary_search_by_key(&address, |(address, _)| *address);
        let (_, index) = self.by_address.get(found.ok()?)?;
        self.group.blocks.get(*index)
    }
}

fn records<'a>(
    dna: &'a Dna,
    block: &'a Block,
    bytes: &'a [u8],
) -> impl Iterator<Item = Record<'a>> + use<'a> {
    let shape = dna.get(block.shape);
    let bytes = bytes.get(block.start..block.end).unwrap_or_default();
    shape.into_iter().flat_map(move |shape| {
        // A start of a struct is one too: its later fields are not there.
        bytes
            .chunks(shape.size.max(1))
            .map(move |one| Record::new(dna, shape, one))
    })
}
