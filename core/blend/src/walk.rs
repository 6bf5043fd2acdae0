//! Goes through a .blend block by block and hands each datablock that matters to a reader.
//!
//! Memory is bounded by the largest single datablock and not by the file: the description of the structs
//! is found first (at the end of an uncompressed file, else by unpacking it twice), so that every block is
//! known to matter or not when it is met.

use std::io::{Read, Seek};

use crate::dna::Dna;
use crate::group::{Datablock, Group};
use crate::header::{BlockHead, Header, LONGEST_HEAD, LONGEST_HEADER};
use crate::inspect_error::InspectError;
use crate::interest::{Interest, Keep};
use crate::source::Source;

/// The most bytes the description of structs may have: Blender's own has 0.2 MiB.
const MOST_DNA: u64 = 8 << 20;

/// The most blocks in a file.
const MOST_BLOCKS: u64 = 50_000_000;

/// How much of an uncompressed file's end is searched for the description.
const TAIL: u64 = 1 << 20;

/// Takes the datablocks of a file as they come.
pub(crate) trait Visit {
    /// Which Blender wrote the file, told before anything else.
    fn begin(&mut self, version: (u16, u16));

    /// A datablock with what was kept of it; `incomplete` where that is not all of it.
    fn datablock(
        &mut self,
        code: [u8; 4],
        address: u64,
        data: &Datablock<'_>,
        incomplete: bool,
    ) -> Result<(), InspectError>;
}

/// Reads a .blend and shows its datablocks to `visit`.
pub(crate) fn walk<R: Read + Seek>(file: &mut R, visit: &mut impl Visit) -> Result<(), InspectError> {
    let dna = find_dna(file)?;
    let mut blocks = Blocks::start(file)?;
    visit.begin(blocks.header.version);
    let mut interest = Interest::new(&dna);
    let mut group = Group::default();
    loop {
        let head = blocks.next()?;
        if head.code != *b"DATA" {
            finish(&group, &dna, visit)?;
            group.begin(&head);
            interest.begin_group();
        }
        if head.code == *b"ENDB" {
            return Ok(());
        }
        let kept = match interest.in_block(group.code, &head) {
            Keep::Nothing => 0,
            Keep::All => head.length,
            Keep::Start(most) => head.length.min(most as u64),
        };
        let room = match usize::try_from(kept) {
            Ok(length) if length > 0 && !blocks.is_cut_off(&head) => group.add(&head, length),
            _ => None,
        };
        match room {
            Some(room) => {
                blocks.source.read(room)?;
                blocks.source.skip(head.length - kept)?;
            }
            None => blocks.source.skip(head.length)?,
        }
    }
}

fn finish(group: &Group, dna: &Dna, visit: &mut impl Visit) -> Result<(), InspectError> {
    if group.is_empty() {
        return Ok(());
    }
    visit.datablock(group.code, group.address, &group.with(dna), group.incomplete)
}

/// Whether a file is a .blend whose blocks can be gone through is found out here too.
fn find_dna<R: Read + Seek>(file: &mut R) -> Result<Dna, InspectError> {
    let mut blocks = Blocks::start(file)?;
    let header = blocks.header;
    let tail = blocks.source.tail(TAIL)?;
    if let Some(dna) = dna_at_the_end(&tail, header) {
        return Dna::parse(dna, header);
    }
    drop(blocks);
    let mut blocks = Blocks::start(file)?;
    loop {
        let head = blocks.next()?;
        match &head.code {
            b"DNA1" if head.length > MOST_DNA => {
                return Err(InspectError::Damaged("its description of structs is too large"));
            }
            b"DNA1" => {
                let mut bytes = vec![0; usize::try_from(head.length).unwrap_or_default()];
                blocks.source.read(&mut bytes)?;
                return Dna::parse(&bytes, header);
            }
            b"ENDB" => return Err(InspectError::Damaged("it does not describe its structs")),
            _ => blocks.source.skip(head.length)?,
        }
    }
}

/// The description is the last block but one. It is taken only where heads and lengths agree.
fn dna_at_the_end(tail: &[u8], header: Header) -> Option<&[u8]> {
    let contents = tail.windows(8).rposition(|bytes| bytes == b"SDNANAME")?;
    let start = contents.checked_sub(header.head_length())?;
    let head = header.block_head(tail.get(start..contents)?).ok()?;
    let end = contents.checked_add(usize::try_from(head.length).ok()?)?;
    let followed = tail.get(end..)?.starts_with(b"ENDB");
    (head.code == *b"DNA1" && followed).then(|| tail.get(contents..end))?
}

/// The heads of a file's blocks, one after the other; who takes one must pass over its bytes.
struct Blocks<'r, R: Read + Seek> {
    source: Source<'r, R>,
    header: Header,
    seen: u64,
}

impl<'r, R: Read + Seek> Blocks<'r, R> {
    fn start(file: &'r mut R) -> Result<Self, InspectError> {
        let mut source = Source::open(file)?;
        let mut start = [0; LONGEST_HEADER];
        // Twelve bytes tell which header it is; a file of them alone is cut off, and says so below.
        let got = source.read_up_to(&mut start[..12])?;
        let more = if got == 12 && start[7].is_ascii_digit() {
            source.read_up_to(&mut start[12..])?
        } else {
            0
        };
        let header = Header::parse(&start[..got + more])?;
        Ok(Self {
            source,
            header,
            seen: 0,
        })
    }

    /// A file that ends without an `ENDB` block is cut off.
    fn next(&mut self) -> Result<BlockHead, InspectError> {
        self.seen += 1;
        if self.seen > MOST_BLOCKS {
            return Err(InspectError::TooMany {
                what: "blocks",
                limit: MOST_BLOCKS,
            });
        }
        let mut bytes = [0; LONGEST_HEAD];
        let head = &mut bytes[..self.header.head_length()];
        let got = self.source.read_up_to(head)?;
        // The last head may be shorter than the others: nothing is read of it.
        if got < head.len() && !(got >= 4 && head.starts_with(b"ENDB")) {
            return Err(InspectError::Truncated);
        }
        self.header.block_head(head)
    }

    /// Whether an uncompressed file ends within this block: nothing is allocated for one that does.
    fn is_cut_off(&self, head: &BlockHead) -> bool {
        match &self.source {
            Source::Plain { left, .. } => head.length > *left,
            Source::Packed { .. } => false,
        }
    }
}
