//! Picture formats without a decoder here: their structure is walked to its end, so that a file that was cut
//! off is found, and their size is read. JPEG 2000 (ISO/IEC 15444-1, Annexes A and I), DPX (SMPTE 268M), Cineon
//! (Kodak, 4.5), and SGI's IRIS (version 1.0). Must not know who wrote a file, or what for.

use std::fs;
use std::path::Path;

/// Width and height of a file whose structure is whole; nothing where its format is none of these.
///
/// # Errors
/// In words, where it is one of these and not whole.
pub(crate) fn size(path: &Path) -> Result<Option<(u32, u32)>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let bytes = Bytes(&bytes);
    match bytes.0 {
        [0, 0, 0, 12, b'j', b'P', ..] => bytes.jp2().map(Some),
        [0xff, 0x4f, 0xff, 0x51, ..] => bytes.codestream(0).map(Some),
        [b'S', b'D', b'P', b'X', ..] => bytes.dpx(u32::from_be_bytes).map(Some),
        [b'X', b'P', b'D', b'S', ..] => bytes.dpx(u32::from_le_bytes).map(Some),
        [0x80, 0x2a, 0x5f, 0xd7, ..] => bytes.cineon().map(Some),
        [0x01, 0xda, ..] => bytes.iris().map(Some),
        _ => Ok(None),
    }
}

/// A file's bytes. What it says of itself is believed only as far as there are bytes.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], String> {
        let end = at.checked_add(N);
        let bytes = end.and_then(|end| self.0.get(at..end)).ok_or_else(cut_off)?;
        Ok(bytes.try_into().expect("the slice was taken in this length"))
    }

    fn u16(self, at: usize) -> Result<u16, String> {
        self.array(at).map(u16::from_be_bytes)
    }

    fn u32(self, at: usize) -> Result<u32, String> {
        self.array(at).map(u32::from_be_bytes)
    }

    fn must_have(self, end: usize) -> Result<(), String> {
        if self.0.len() < end {
            return Err(cut_off());
        }
        Ok(())
    }

    /// Boxes up to the one with the code stream.
    fn jp2(self) -> Result<(u32, u32), String> {
        let mut at = 0;
        loop {
            let length = usize_of(self.u32(at)?);
            let (head, length) = if length == 1 {
                let long = u64::from_be_bytes(self.array(at + 8)?);
                (16, usize::try_from(long).map_err(|_| cut_off())?)
            } else {
                (8, length)
            };
            if &self.array::<4>(at + 4)? == b"jp2c" {
                if length > 0 {
                    self.must_have(at.saturating_add(length))?;
                }
                return self.codestream(at + head);
            }
            if length < head {
                return Err("a box of it is shorter than its own head".to_owned());
            }
            at = at.checked_add(length).ok_or_else(cut_off)?;
        }
    }

    /// The main header, then each tile's parts by their lengths, to the mark of the end.
    fn codestream(self, start: usize) -> Result<(u32, u32), String> {
        const SIZ: u16 = 0xff51;
        const SOT: u16 = 0xff90;
        const EOC: u16 = 0xffd9;
        let mut size = None;
        let mut at = start.checked_add(2).ok_or_else(cut_off)?;
        loop {
            match self.u16(at)? {
                EOC => return size.ok_or_else(|| "it names no size".to_owned()),
                SOT => {
                    let length = usize_of(self.u32(at + 6)?);
                    // A part without a length is the last one and reaches to the end mark.
                    at = if length == 0 {
                        self.0.len().saturating_sub(2).max(at + 12)
                    } else {
                        at.checked_add(length.max(12)).ok_or_else(cut_off)?
                    };
                }
                marker => {
                    if marker == SIZ {
                        let extent =
                            |end, from| Ok::<_, String>(self.u32(end)?.saturating_sub(self.u32(from)?));
                        size = Some((extent(at + 6, at + 14)?, extent(at + 10, at + 18)?));
                    }
                    at = at + 2 + usize::from(self.u16(at + 2)?);
                }
            }
        }
    }

    /// The header names the length of the file, and where its only picture begins.
    fn dpx(self, number: fn([u8; 4]) -> u32) -> Result<(u32, u32), String> {
        let at = |place| self.array(place).map(number);
        let size = (at(772)?, at(776)?);
        let (whole, begin) = (usize_of(at(16)?), usize_of(at(4)?));
        self.must_have(whole)?;
        let bits = usize::from(self.array::<1>(803)?[0]);
        let channels = match self.array::<1>(800)?[0] {
            50 => 3,
            51 | 52 => 4,
            _ => 1,
        };
        // Ten bits: three to a word of 32. Twelve: each in a word of 16. The others as they are.
        let pixels = usize_of(size.0).saturating_mul(usize_of(size.1));
        let values = pixels.saturating_mul(channels);
        let data = match bits {
            10 => values.div_ceil(3).saturating_mul(4),
            12 => values.saturating_mul(2),
            bits => values.saturating_mul(bits.div_ceil(8)),
        };
        self.must_have(begin.saturating_add(data)).map(|()| size)
    }

    fn cineon(self) -> Result<(u32, u32), String> {
        let size = (self.u32(200)?, self.u32(204)?);
        self.must_have(usize_of(self.u32(20)?))?;
        let pixels = usize_of(size.0).saturating_mul(usize_of(size.1));
        let values = pixels.saturating_mul(usize::from(self.array::<1>(193)?[0]).max(1));
        let begin = usize_of(self.u32(4)?);
        self.must_have(begin.saturating_add(values.div_ceil(3).saturating_mul(4)))
            .map(|()| size)
    }

    /// Rows packed one by one have tables of where they begin and how long they are.
    fn iris(self) -> Result<(u32, u32), String> {
        const HEAD: usize = 512;
        let [packed, value_bytes] = self.array(2)?;
        let (width, height) = (self.u16(6)?, self.u16(8)?);
        let rows = usize::from(height).saturating_mul(usize::from(self.u16(10)?));
        if packed == 0 {
            let data = rows.saturating_mul(usize::from(width) * usize::from(value_bytes));
            self.must_have(HEAD.saturating_add(data))?;
        } else {
            for row in 0..rows {
                let begin = usize_of(self.u32(HEAD + row * 4)?);
                let length = usize_of(self.u32(HEAD + (rows + row) * 4)?);
                self.must_have(begin.saturating_add(length))?;
            }
        }
        Ok((width.into(), height.into()))
    }
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn cut_off() -> String {
    "its end is missing".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, bytes: &[u8]) -> Result<Option<(u32, u32)>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        size(&path)
    }

    fn at(bytes: &mut [u8], place: usize, value: &[u8]) {
        bytes[place..place + value.len()].copy_from_slice(value);
    }

    fn iris() -> Vec<u8> {
        let mut bytes = vec![0; 512 + 64 * 36 * 3];
        at(&mut bytes, 0, &[0x01, 0xda, 0, 1, 0, 3, 0, 64, 0, 36, 0, 3]);
        bytes
    }

    fn cineon() -> Vec<u8> {
        let mut bytes = vec![0; 2048 + 64 * 36 * 4];
        at(&mut bytes, 0, &[0x80, 0x2a, 0x5f, 0xd7, 0, 0, 8, 0]);
        let whole = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        at(&mut bytes, 20, &whole);
        at(&mut bytes, 193, &[3]);
        at(&mut bytes, 200, &[0, 0, 0, 64, 0, 0, 0, 36]);
        bytes
    }

    fn dpx() -> Vec<u8> {
        let mut bytes = vec![0; 2048 + 64 * 36 * 3];
        at(&mut bytes, 0, b"SDPX\x00\x00\x08\x00");
        let whole = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        at(&mut bytes, 16, &whole);
        at(&mut bytes, 772, &[0, 0, 0, 64, 0, 0, 0, 36]);
        at(&mut bytes, 800, &[50, 0, 0, 8]);
        bytes
    }

    fn codestream() -> Vec<u8> {
        let mut bytes = vec![0xff, 0x4f, 0xff, 0x51, 0, 41, 0, 0];
        bytes.extend([0, 0, 0, 64, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.resize(2 + 2 + 41, 0);
        bytes.extend([0xff, 0x90, 0, 10, 0, 0, 0, 0, 0, 40, 0, 1]);
        bytes.resize(bytes.len() + 28, 7);
        bytes.extend([0xff, 0xd9]);
        bytes
    }

    #[test]
    fn a_file_without_a_decoder_is_whole_or_says_that_its_end_is_missing() {
        let jp2 = [b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\0jp2c".as_slice(), &codestream()].concat();
        let files = [
            ("a.rgb", iris()),
            ("a.cin", cineon()),
            ("a.dpx", dpx()),
            ("a.j2c", codestream()),
            ("a.jp2", jp2),
        ];
        for (name, bytes) in files {
            assert_eq!(measured(name, &bytes), Ok(Some((64, 36))), "{name}");
            for end in [bytes.len() - 1, bytes.len() / 2, 20] {
                assert!(measured(name, &bytes[..end]).is_err(), "{name} to {end}");
            }
        }
        assert_eq!(measured("a.txt", b"no picture"), Ok(None));
    }
}
