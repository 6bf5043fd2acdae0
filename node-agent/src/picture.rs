//! Proving that a picture is whole: every pixel decoded, or where there is no decoder its structure walked to
//! the end; the size compared. An exit code or a `Saved:` line proves nothing; Blender reports a truncated EXR
//! on a full disk as saved.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use farmhand_protocol::agent::Proof;
use image::{ImageError, ImageFormat, ImageReader};

use crate::structure;

/// Why a file is no whole picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    #[error("{0} is empty")]
    Empty(String),
    #[error("{name} does not decode: {reason}")]
    Damaged { name: String, reason: String },
    #[error("{name} measures {found:?} pixels instead of {expected:?}")]
    WrongSize {
        name: String,
        found: (u32, u32),
        expected: (u32, u32),
    },
    #[error("cannot read {0}")]
    Io(String, #[source] io::Error),
}

/// Decodes a picture whole where its format has a decoder, else follows its structure, and compares its size
/// with the expected one. Of formats that are not known at all it is only known that they are not empty.
pub(crate) fn check(path: &Path, expected: Option<(u32, u32)>) -> Result<Proof, PictureError> {
    let name = || {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let io = |error| PictureError::Io(name(), error);
    if path.metadata().map_err(io)?.len() == 0 {
        return Err(PictureError::Empty(name()));
    }
    let damaged = |reason: String| PictureError::Damaged { name: name(), reason };
    let fits = |found, proof| match expected {
        Some(expected) if found != expected => Err(PictureError::WrongSize {
            name: name(),
            found,
            expected,
        }),
        _ => Ok(proof),
    };
    let decoded = match format(path).map_err(io)? {
        Some(ImageFormat::OpenExr) => match exr_size(path) {
            Ok(size) => Some(size),
            Err(exr::error::Error::NotSupported(_)) => {
                let size = exr_chunks(path).map_err(|error| damaged(error.to_string()))?;
                return fits(size, Proof::Structure);
            }
            Err(error) => return Err(damaged(error.to_string())),
        },
        Some(ImageFormat::Jpeg) if !ends_as_jpeg(path).map_err(io)? => {
            return Err(damaged("its end is missing".to_owned()));
        }
        Some(format) => decoded_size(path, format).map_err(damaged)?,
        None => None,
    };
    let (size, proof) = match decoded {
        Some(size) => (Some(size), Proof::Decoded),
        None => match structure::size(path).map_err(damaged)? {
            Some(size) => (Some(size), Proof::Structure),
            None => (None, Proof::NotEmpty),
        },
    };
    match size {
        Some(size) => fits(size, proof),
        None => Ok(proof),
    }
}

/// What the content says it is, or for the one format without a mark of its own, the name.
fn format(path: &Path) -> io::Result<Option<ImageFormat>> {
    let mut head = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut head)?;
    let by_name = || {
        ImageFormat::from_path(path)
            .ok()
            .filter(|format| *format == ImageFormat::Tga)
    };
    Ok(image::guess_format(&head).ok().or_else(by_name))
}

fn decoded_size(path: &Path, format: ImageFormat) -> Result<Option<(u32, u32)>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut reader = ImageReader::with_format(BufReader::new(file), format);
    reader.no_limits(); // Our own Blender wrote it, in the size that the scene asks for.
    match reader.decode() {
        Ok(picture) => Ok(Some((picture.width(), picture.height()))),
        Err(ImageError::Unsupported(_)) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// A decoder fills what is missing of a JPEG with grey, as browsers do; the mark at its end tells.
fn ends_as_jpeg(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut end = [0; 2];
    Ok(file
        .seek(SeekFrom::End(-2))
        .and_then(|_| file.read_exact(&mut end))
        .is_ok()
        && end == [0xff, 0xd9])
}

/// Layers and passes have names that say nothing about colour, so all channels are read as they are.
fn exr_size(path: &Path) -> exr::error::Result<(u32, u32)> {
    let read = exr::image::read::read_all_flat_layers_from_file(path)?;
    Ok(sides(read.attributes.display_window.size))
}

/// A compression without a decoder here (HTJ2K): every block is read, and left packed.
fn exr_chunks(path: &Path) -> exr::error::Result<(u32, u32)> {
    let reader = exr::block::read(BufReader::new(File::open(path)?), false)?;
    let size = reader.headers().first().map_or(exr::math::Vec2(0, 0), |header| {
        header.shared_attributes.display_window.size
    });
    for chunk in reader.all_chunks(false)? {
        chunk?;
    }
    Ok(sides(size))
}

fn sides(size: exr::math::Vec2<usize>) -> (u32, u32) {
    let pixels = |side| u32::try_from(side).unwrap_or(u32::MAX);
    (pixels(size.0), pixels(size.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_was_cut_off_is_not_a_picture() {
        let dir = tempfile::tempdir().unwrap();
        let noise: Vec<u8> = (0..64 * 36 * 3_u32).map(|n| (n * n % 251) as u8).collect();
        let picture = image::RgbImage::from_raw(64, 36, noise).unwrap();
        let float = image::DynamicImage::ImageRgb8(picture.clone()).to_rgb32f();
        for name in ["a.png", "a.jpg", "a.tiff", "a.bmp", "a.tga", "a.webp", "a.exr"] {
            let path = dir.path().join(name);
            if name == "a.exr" {
                float.save(&path).unwrap();
            } else {
                picture.save(&path).unwrap();
            }
            check(&path, Some((64, 36))).unwrap();
            assert!(
                matches!(check(&path, Some((64, 37))), Err(PictureError::WrongSize { .. })),
                "{name}"
            );
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            assert!(check(&path, Some((64, 36))).is_err(), "{name}");
            std::fs::write(&path, "").unwrap();
            assert!(
                matches!(check(&path, None), Err(PictureError::Empty(_))),
                "{name}"
            );
        }
    }
}
