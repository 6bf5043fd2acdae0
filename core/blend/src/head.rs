//! The first bytes of a .blend: who wrote it, and which frames each of its scenes renders.

use std::io::{self, Read};

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

/// How the blocks of a file are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    big_endian: bool,
    block_head: BlockHead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockHead {
    /// Pointers of 4 bytes, 20 bytes in all.
    Small,
    /// Pointers of 8 bytes, 24 bytes in all.
    Wide,
    /// Blender 5: lengths of 8 bytes, 32 bytes in all.
    Large,
}

/// Reads the head of a .blend, compressed or not. Reads a few kilobytes of an ordinary file.
///
/// # Errors
/// When it is no .blend, is cut off, or cannot be read.
pub fn read_head(reader: impl Read) -> Result<BlendHead, HeadError> {
    let mut reader = unpack(reader).map_err(broken)?;
    let (version, layout) = read_header(&mut reader)?;
    let scenes = read_scenes(&mut reader, layout)?;
    Ok(BlendHead { version, scenes })
}

fn read_header(reader: &mut impl Read) -> Result<((u16, u16), Layout), HeadError> {
    let start: [u8; 12] = read_exactly(reader).map_err(|error| match error {
        HeadError::Damaged => HeadError::NotBlend,
        other => other,
    })?;
    if !start.starts_with(b"BLENDER") {
        return Err(HeadError::NotBlend);
    }
    // `BLENDER-v304` or `BLENDER17-01v0500`: a digit behind the name is the new header's length.
    if start[7].is_ascii_digit() {
        let rest: [u8; 5] = read_exactly(reader)?;
        let version = number(&rest[1..])?;
        let layout = Layout {
            big_endian: rest[0] == b'V',
            block_head: BlockHead::Large,
        };
        return match (&start[7..9], &start[10..12]) {
            (b"17", b"01") => Ok(((version / 100, version % 100), layout)),
            _ => Err(HeadError::Damaged),
        };
    }
    let block_head = match start[7] {
        b'-' => BlockHead::Wide,
        b'_' => BlockHead::Small,
        _ => return Err(HeadError::Damaged),
    };
    let version = number(&start[9..])?;
    let layout = Layout {
        big_endian: start[8] == b'V',
        block_head,
    };
    Ok(((version / 100, version % 100), layout))
}

fn read_scenes(reader: &mut impl Read, layout: Layout) -> Result<Vec<SceneRange>, HeadError> {
    let mut scenes = Vec::new();
    let mut skipped = 0;
    for _ in 0..MOST_BLOCKS {
        let Some((code, length)) = read_block_head(reader, layout)? else {
            break;
        };
        match &code {
            b"REND" => scenes.push(read_scene(reader, layout, length)?),
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

/// Code and length of the next block; nothing at the end of the file.
fn read_block_head(reader: &mut impl Read, layout: Layout) -> Result<Option<([u8; 4], u64)>, HeadError> {
    let mut code = [0; 4];
    match reader.read(&mut code[..1]) {
        Ok(0) => return Ok(None),
        Ok(_) => reader.read_exact(&mut code[1..]).map_err(broken)?,
        Err(error) => return Err(broken(error)),
    }
    let length = match layout.block_head {
        BlockHead::Large => {
            let rest: [u8; 28] = read_exactly(reader)?;
            i64_at(&rest[12..], layout)
        }
        BlockHead::Wide => i32_at(&read_exactly::<20>(reader)?, layout).into(),
        BlockHead::Small => i32_at(&read_exactly::<16>(reader)?, layout).into(),
    };
    let length = u64::try_from(length).map_err(|_| HeadError::Damaged)?;
    Ok(Some((code, length)))
}

fn read_scene(reader: &mut impl Read, layout: Layout, length: u64) -> Result<SceneRange, HeadError> {
    if !(9..=4096).contains(&length) {
        return Err(HeadError::Damaged);
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).map_err(broken)?;
    if body.len() as u64 != length {
        return Err(HeadError::Damaged);
    }
    let name = body[8..].split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(SceneRange {
        name: String::from_utf8_lossy(name).into_owned(),
        start: i32_at(&body, layout),
        end: i32_at(&body[4..], layout),
    })
}

fn skip(reader: &mut impl Read, length: u64) -> Result<(), HeadError> {
    let copied = io::copy(&mut reader.take(length), &mut io::sink()).map_err(broken)?;
    (copied == length).then_some(()).ok_or(HeadError::Damaged)
}

fn read_exactly<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], HeadError> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map_err(broken)?;
    Ok(bytes)
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

fn number(digits: &[u8]) -> Result<u16, HeadError> {
    let text = std::str::from_utf8(digits).map_err(|_| HeadError::Damaged)?;
    text.trim().parse().map_err(|_| HeadError::Damaged)
}

/// The number in the first 4 bytes; callers pass at least as many.
fn i32_at(bytes: &[u8], layout: Layout) -> i32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[..4]);
    if layout.big_endian {
        i32::from_be_bytes(word)
    } else {
        i32::from_le_bytes(word)
    }
}

/// The number in the first 8 bytes; callers pass at least as many.
fn i64_at(bytes: &[u8], layout: Layout) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    if layout.big_endian {
        i64::from_be_bytes(word)
    } else {
        i64::from_le_bytes(word)
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
