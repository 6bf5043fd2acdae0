//! The bytes of a .blend one after the other, whichever way the file is packed.
//!
//! An uncompressed file is jumped through; gzip and zstd are unpacked as they are read and thrown away.
//! It must not know what the bytes mean.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use crate::inspect_error::InspectError;

/// What is read at a time from an uncompressed file: jumps longer than this cost a seek and no reading.
const BUFFER: usize = 16 << 10;

/// What is unpacked at a time.
const UNPACKED_BUFFER: usize = 64 << 10;

/// A compressed file may unpack to this, or to [`BOMB_RATIO`] times its size where that is more.
const BOMB_FLOOR: u64 = 1 << 30;
const BOMB_RATIO: u64 = 200;

/// The largest zstd window accepted, as a power of two: what Blender itself accepts.
const ZSTD_WINDOW_LOG: u32 = 27;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A .blend being read from its start to its end.
pub(crate) enum Source<'r, R: Read + Seek> {
    /// Uncompressed.
    Plain {
        reader: BufReader<&'r mut R>,
        /// Bytes from here to the file's end.
        left: u64,
    },
    /// Compressed.
    Packed {
        reader: BufReader<Box<dyn Read + 'r>>,
        /// How much more it may unpack to.
        left: u64,
        /// How much it might unpack to from its start.
        allowed: u64,
    },
}

impl<'r, R: Read + Seek> Source<'r, R> {
    /// Starts at the beginning of the file, wherever it was read to before.
    pub(crate) fn open(file: &'r mut R) -> Result<Self, InspectError> {
        let length = file.seek(SeekFrom::End(0)).map_err(InspectError::from_read)?;
        file.rewind().map_err(InspectError::from_read)?;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let start = reader.fill_buf().map_err(InspectError::from_read)?;
        let unpacked: Box<dyn Read + 'r> = if start.starts_with(&GZIP) {
            Box::new(flate2::bufread::MultiGzDecoder::new(reader))
        } else if start.starts_with(&ZSTD) {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(reader).map_err(InspectError::from_read)?;
            decoder
                .window_log_max(ZSTD_WINDOW_LOG)
                .map_err(InspectError::from_read)?;
            Box::new(decoder)
        } else {
            return Ok(Self::Plain { reader, left: length });
        };
        let allowed = length.saturating_mul(BOMB_RATIO).max(BOMB_FLOOR);
        Ok(Self::Packed {
            reader: BufReader::with_capacity(UNPACKED_BUFFER, unpacked),
            left: allowed,
            allowed,
        })
    }

    /// Fills the buffer, or as much of it as the file has; returns how much that is.
    pub(crate) fn read_up_to(&mut self, buffer: &mut [u8]) -> Result<usize, InspectError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let ready = self.ready()?;
            if ready.is_empty() {
                break;
            }
            let count = ready.len().min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&ready[..count]);
            filled += count;
            self.consume(count)?;
        }
        Ok(filled)
    }

    /// Fills the buffer.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<(), InspectError> {
        let filled = self.read_up_to(buffer)?;
        (filled == buffer.len())
            .then_some(())
            .ok_or(InspectError::Truncated)
    }

    /// Passes over bytes without keeping them.
    pub(crate) fn skip(&mut self, length: u64) -> Result<(), InspectError> {
        if let Self::Plain { reader, left } = self {
            // Seeking beyond the end would succeed, and the file would only seem whole.
            *left = left.checked_sub(length).ok_or(InspectError::Truncated)?;
            let jump = i64::try_from(length).map_err(|_| InspectError::Truncated)?;
            return reader.seek_relative(jump).map_err(InspectError::from_read);
        }
        let mut to_go = length;
        while to_go > 0 {
            let ready = self.ready()?.len();
            if ready == 0 {
                return Err(InspectError::Truncated);
            }
            let count = usize::try_from(to_go).map_or(ready, |most| ready.min(most));
            self.consume(count)?;
            to_go -= count as u64;
        }
        Ok(())
    }

    /// The last bytes of an uncompressed file, up to this many; the source stands anywhere afterwards.
    pub(crate) fn tail(&mut self, most: u64) -> Result<Vec<u8>, InspectError> {
        let Self::Plain { reader, .. } = self else {
            return Ok(Vec::new());
        };
        let length = reader.seek(SeekFrom::End(0)).map_err(InspectError::from_read)?;
        reader
            .seek(SeekFrom::Start(length.saturating_sub(most)))
            .map_err(InspectError::from_read)?;
        let mut bytes = Vec::new();
        reader
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(InspectError::from_read)?;
        Ok(bytes)
    }

    /// What has been read already, or is read now; empty at the file's end.
    fn ready(&mut self) -> Result<&[u8], InspectError> {
        match self {
            Self::Plain { reader, .. } => reader.fill_buf(),
            Self::Packed { reader, .. } => reader.fill_buf(),
        }
        .map_err(InspectError::from_read)
    }

    fn consume(&mut self, count: usize) -> Result<(), InspectError> {
        match self {
            Self::Plain { reader, left } => {
                reader.consume(count);
                *left = left.saturating_sub(count as u64);
            }
            Self::Packed {
                reader,
                left,
                allowed,
            } => {
                reader.consume(count);
                *left = left.checked_sub(count as u64).ok_or(InspectError::Bomb {
                    gibibytes: *allowed >> 30,
                })?;
            }
        }
        Ok(())
    }
}
