//! The first bytes of a .blend: who wrote it, and which frames each of its scenes renders.

use std::io::{self, Read};

use crate::header::{BlockHead, Header, LONGEST_HEAD, LONGEST_HEADER};
use crate::inspect_error::InspectError;
use crate::unpack::unpack;

/// What the head of a .blend says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlendHead {
    /// The Blender that wrote the file: `(major, minor)`, `(3, 4)`.
    pub version: (u16, u16),
    /// Scenes that render, the one that was open when the file was saved first; empty where the file does
    /// not tell.
    pub scenes: Vec<SceneRange>,
}

/// A scene and its own frame range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SceneRange {
    /// The scene's name.
    pub name: String,
    /// First frame.
    pub start: i32,
    /// Last frame.
    pub end: i32,
}

/// Why a head could not be read.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// Something else.
    #[error("this is no .blend file")]
    NotBlend,
    /// It ends, or breaks off, within its head.
    #[error("the file is cut off or damaged; save it again in Blender")]
    Damaged,
    /// The disk's fault.
    #[error("cannot read it")]
    Io(#[source] io::Error),
}

/// Blocks looked at, and bytes skipped over, before a file is taken to have no frame ranges.
const MOST_BLOCKS: usize = 64;
const MOST_SKIPPED: u64 = 64 << 20;

/// Reads the head of a .blend, compressed or not. Reads a few kilobytes of an ordinary file.
///
/// # Errors
/// When it is no .blend, is cut off, or cannot be read.
pub fn read_head(reader: impl Read) -> Result<BlendHead, HeadError> {
    let mut reader = unpack(reader).map_err(broken)?;
    let header = read_header(&mut reader)?;
    let scenes = read_scenes(&mut reader, header)?;
    let version = header.version;
    Ok(BlendHead { version, scenes })
}

fn read_header(reader: &mut impl Read) -> Result<Header, HeadError> {
    let mut start = Vec::with_capacity(LONGEST_HEADER);
    // Twelve bytes tell which header it is.
    reader.take(12).read_to_end(&mut start).map_err(broken)?;
    if start.get(7).is_some_and(u8::is_ascii_digit) {
        let more = LONGEST_HEADER - start.len();
        reader.take(more as u64).read_to_end(&mut start).map_err(broken)?;
    }
    Header::parse(&start).map_err(|error| match error {
        InspectError::Empty | InspectError::NotBlend => HeadError::NotBlend,
        _ => HeadError::Damaged,
    })
}

fn read_scenes(reader: &mut impl Read, header: Header) -> Result<Vec<SceneRange>, HeadError> {
    let mut scenes = Vec::new();
    let mut skipped = 0;
    for _ in 0..MOST_BLOCKS {
        let Some(BlockHead { code, length, .. }) = read_block_head(reader, header)? else {
            break;
        };
        match &code {
            b"REND" => scenes.push(read_scene(reader, header, length)?),
            // Written together: behind the first, another kind of block ends them.
            _ if !scenes.is_empty() => break,
            b"ENDB" => break,
            _ => {
                skipped += length;
                if skipped > MOST_SKIPPED {
                    break;
                }
                skip(reader, length)?;
            }
        }
    }
    Ok(scenes)
}

/// The head of the next block; nothing at the end of the file.
fn read_block_head(reader: &mut impl Read, header: Header) -> Result<Option<BlockHead>, HeadError> {
    let mut bytes = Vec::with_capacity(LONGEST_HEAD);
    let length = header.head_length();
    reader
        .take(length as u64)
        .read_to_end(&mut bytes)
        .map_err(broken)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() < length {
        return Err(HeadError::Damaged);
    }
    header
        .block_head(&bytes)
        .map(Some)
        .map_err(|_| HeadError::Damaged)
}

fn read_scene(reader: &mut impl Read, header: Header, length: u64) -> Result<SceneRange, HeadError> {
    if !(9..=4096).contains(&length) {
        return Err(HeadError::Damaged);
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).map_err(broken)?;
    if body.len() as u64 != length {
        return Err(HeadError::Damaged);
    }
    #[expect(clippy::cast_possible_truncation, reason = "four bytes hold a signed number")]
    let number = |at: usize| header.unsigned(&body[at..at + 4]) as i32;
    let name = body[8..].split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(SceneRange {
        name: String::from_utf8_lossy(name).into_owned(),
        start: number(0),
        end: number(4),
    })
}

fn skip(reader: &mut impl Read, length: u64) -> Result<(), HeadError> {
    let copied = io::copy(&mut reader.take(length), &mut io::sink()).map_err(broken)?;
    (copied == length).then_some(()).ok_or(HeadError::Damaged)
}

/// What decompressors say about damage comes as an I/O error too.
fn broken(error: io::Error) -> HeadError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            HeadError::Damaged
        }
        _ if error.raw_os_error().is_none() => HeadError::Damaged,
        _ => HeadError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn old(version: &str) -> Vec<u8> {
        let mut file = format!("BLENDER-v{version}").into_bytes();
        let mut body = [(-10_i32).to_le_bytes(), 52_i32.to_le_bytes()].concat();
        body.extend(b"Sc\xc3\xa8ne\0");
        body.resize(72, 0);
        block(&mut file, *b"REND", &body);
        block(&mut file, *b"TEST", &[0; 100]);
        file
    }

    fn block(file: &mut Vec<u8>, code: [u8; 4], body: &[u8]) {
        file.extend(code);
        file.extend(i32::try_from(body.len()).unwrap().to_le_bytes());
        file.extend([0; 16]);
        file.extend(body);
    }

    fn new() -> Vec<u8> {
        let mut file = b"BLENDER17-01v0500".to_vec();
        let mut body = [1_i32.to_le_bytes(), 250_i32.to_le_bytes()].concat();
        body.extend(b"Scene");
        body.resize(264, 0);
        file.extend(b"REND");
        file.extend([0; 12]);
        file.extend(264_i64.to_le_bytes());
        file.extend(1_i64.to_le_bytes());
        file.extend(body);
        file
    }

    fn scene(name: &str, start: i32, end: i32) -> Vec<SceneRange> {
        vec![SceneRange {
            name: name.to_owned(),
            start,
            end,
        }]
    }

    #[test]
    fn a_file_tells_its_blender_and_its_range_in_both_headers() {
        let head = read_head(&*old("304")).unwrap();
        assert_eq!((head.version, head.scenes), ((3, 4), scene("Scène", -10, 52)));
        let head = read_head(&*new()).unwrap();
        assert_eq!((head.version, head.scenes), ((5, 0), scene("Scene", 1, 250)));
    }

    #[test]
    fn compression_does_not_matter() {
        let plain = old("283");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let packed = [
            gzip.finish().unwrap(),
            zstd::stream::encode_all(&*plain, 3).unwrap(),
        ];
        for file in packed {
            assert_eq!(read_head(&*file).unwrap(), read_head(&*plain).unwrap());
        }
    }

    #[test]
    fn what_is_cut_off_damaged_or_foreign_is_an_error_and_never_a_panic() {
        for file in [
            old("304"),
            new(),
            zstd::stream::encode_all(&*old("304"), 3).unwrap(),
        ] {
            for length in 0..file.len() {
                let _any_result = read_head(&file[..length]);
                for byte in [0, 0x7f, 0xff] {
                    let mut damaged = file.clone();
                    damaged[length] = byte;
                    let _any_result = read_head(&*damaged);
                }
            }
        }
        assert!(matches!(read_head(&b""[..]), Err(HeadError::NotBlend)));
        assert!(matches!(
            read_head(&b"PNG and what follows"[..]),
            Err(HeadError::NotBlend)
        ));
        assert!(matches!(read_head(&old("304")[..50]), Err(HeadError::Damaged)));
    }
}
