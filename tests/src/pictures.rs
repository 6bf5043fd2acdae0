//! Finished pictures: found, decoded whole, compared by pixel.

use std::collections::BTreeMap;
use std::path::Path;

use image::DynamicImage;

/// A decoded picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture(DynamicImage);

impl Picture {
    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.0.width(), self.0.height())
    }

    /// Whether all pixels are the same: nothing was rendered.
    pub fn is_blank(&self) -> bool {
        let pixels = self.0.to_rgb8();
        let mut all = pixels.pixels();
        let first = all.next();
        all.all(|pixel| Some(pixel) == first)
    }
}

/// Every file of a folder, by name, decoded. A folder that is not there has none.
///
/// # Panics
/// When a file does not decode whole: nothing but finished pictures may lie there.
pub fn pictures_in(folder: &Path) -> BTreeMap<String, Picture> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    entries
        .map(|entry| {
            let path = entry.expect("a folder can be listed").path();
            let picture = image::ImageReader::open(&path)
                .and_then(image::ImageReader::with_guessed_format)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
                .decode()
                .unwrap_or_else(|error| panic!("{} does not decode: {error}", path.display()));
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (name, Picture(picture))
        })
        .collect()
}
