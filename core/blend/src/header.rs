//! The fixed start of a .blend and the heads of its blocks: everything whose place is not told by the
//! file's own description of its structs.

use crate::inspect_error::InspectError;

/// What the first bytes say about all that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The Blender that wrote the file, `(3, 4)`.
    pub(crate) version: (u16, u16),
    pub(crate) big_endian: bool,
    /// Bytes of a pointer: 4 or 8.
    pub(crate) pointer: usize,
    head: HeadKind,
    /// Where the first block starts.
    pub(crate) length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeadKind {
    /// Pointers of 4 bytes, 20 bytes in all.
    Small,
    /// Pointers of 8 bytes, 24 bytes in all.
    Wide,
    /// Blender 5: lengths of 8 bytes, 32 bytes in all.
    Large,
}

/// The most bytes a file header or a block head has.
pub(crate) const LONGEST_HEADER: usize = 17;
pub(crate) const LONGEST_HEAD: usize = 32;

/// What stands before each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHead {
    /// `SC`, `DATA`, `DNA1` ..., padded with zeros.
    pub(crate) code: [u8; 4],
    /// Bytes that follow.
    pub(crate) length: u64,
    /// Where the block lay in memory: only good for telling blocks apart.
    pub(crate) address: u64,
    /// Which struct of the file's description it holds.
    pub(crate) shape: u32,
    /// How many of them.
    pub(crate) count: u64,
}

impl Header {
    /// Reads the header from the file's first bytes, [`LONGEST_HEADER`] of them or all there are.
    pub(crate) fn parse(start: &[u8]) -> Result<Self, InspectError> {
        const MAGIC: &[u8] = b"BLENDER";
        if start.is_empty() {
            return Err(InspectError::Empty);
        }
        if !start.starts_with(MAGIC) {
            return Err(if MAGIC.starts_with(start) {
                InspectError::Truncated
            } else {
                InspectError::NotBlend
            });
        }
        let byte = |at: usize| start.get(at).copied().ok_or(InspectError::Truncated);
        // `BLENDER-v304` or `BLENDER17-01v0500`: a digit behind the name is the new header's length.
        if byte(7)?.is_ascii_digit() {
            let rest = start.get(7..17).ok_or(InspectError::Truncated)?;
            if !rest.starts_with(b"17-01") {
                return Err(InspectError::UnknownHeader);
            }
            return Ok(Self {
                version: version(&rest[6..])?,
                big_endian: is_big(rest[5])?,
                pointer: 8,
                head: HeadKind::Large,
                length: 17,
            });
        }
        let (head, pointer) = match byte(7)? {
            b'-' => (HeadKind::Wide, 8),
            b'_' => (HeadKind::Small, 4),
            _ => return Err(InspectError::UnknownHeader),
        };
        Ok(Self {
            version: version(start.get(9..12).ok_or(InspectError::Truncated)?)?,
            big_endian: is_big(byte(8)?)?,
            pointer,
            head,
            length: 12,
        })
    }

    /// Bytes of a block's head in this file.
    pub(crate) fn head_length(&self) -> usize {
        match self.head {
            HeadKind::Small => 20,
            HeadKind::Wide => 24,
            HeadKind::Large => 32,
        }
    }

    /// Reads a block's head from exactly [`Header::head_length`] bytes.
    pub(crate) fn block_head(&self, bytes: &[u8]) -> Result<BlockHead, InspectError> {
        let word = |at: usize| self.unsigned(bytes.get(at..at + 4).unwrap_or_default());
        let long = |at: usize| self.unsigned(bytes.get(at..at + 8).unwrap_or_default());
        let (length, address, shape, count, signed_bits) = match self.head {
            HeadKind::Small => (word(4), word(8), word(12), word(16), 31),
            HeadKind::Wide => (word(4), long(8), word(16), word(20), 31),
            HeadKind::Large => (long(16), long(8), word(4), long(24), 63),
        };
        if length >> signed_bits != 0 {
            return Err(InspectError::Damaged("a block has a negative length"));
        }
        let mut code = [0; 4];
        code.copy_from_slice(bytes.get(..4).ok_or(InspectError::Truncated)?);
        Ok(BlockHead {
            code,
            length,
            address,
            shape: u32::try_from(shape).unwrap_or(u32::MAX),
            count,
        })
    }

    /// The number in these bytes, up to eight of them, in the file's byte order.
    pub(crate) fn unsigned(&self, bytes: &[u8]) -> u64 {
        let append = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        if self.big_endian {
            bytes.iter().fold(0, append)
        } else {
            bytes.iter().rev().fold(0, append)
        }
    }
}

fn is_big(byte: u8) -> Result<bool, InspectError> {
    match byte {
        b'v' => Ok(false),
        b'V' => Ok(true),
        _ => Err(InspectError::UnknownHeader),
    }
}

fn version(digits: &[u8]) -> Result<(u16, u16), InspectError> {
    let number = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<u16>().ok())
        .ok_or(InspectError::UnknownHeader)?;
    Ok((number / 100, number % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_tell_version_pointer_and_byte_order() {
        let old = Header::parse(b"BLENDER_V278REND.").unwrap();
        assert_eq!((old.version, old.big_endian, old.pointer), ((2, 78), true, 4));
        let new = Header::parse(b"BLENDER17-01v0503").unwrap();
        assert_eq!((new.version, new.big_endian, new.pointer), ((5, 3), false, 8));
    }

    #[test]
    fn a_header_from_a_later_format_says_so() {
        for start in [
            &b"BLENDER17-02v0600"[..],
            b"BLENDER21-01v0600....",
            b"BLENDER-x304REND",
        ] {
            assert!(matches!(Header::parse(start), Err(InspectError::UnknownHeader)));
        }
    }

    #[test]
    fn a_few_bytes_of_a_header_are_a_cut_off_file() {
        assert!(matches!(Header::parse(b""), Err(InspectError::Empty)));
        assert!(matches!(Header::parse(b"BLEN"), Err(InspectError::Truncated)));
        assert!(matches!(
            Header::parse(b"BLENDER-v30"),
            Err(InspectError::Truncated)
        ));
        assert!(matches!(Header::parse(b"GIF89a"), Err(InspectError::NotBlend)));
    }
}
