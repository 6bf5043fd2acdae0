//! Files to pixels. EXR files layer by layer, all others as the `image` crate reads them.

use std::io::Cursor;

use exr::prelude::{FlatSamples, ReadChannels, ReadLayers};
use image::{DynamicImage, ImageReader, Limits, Rgb32FImage, Rgba32FImage};

/// Memory that decoding a picture may take, in bytes.
const MOST_MEMORY: u64 = 2 << 30;

/// A picture's pixels.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) image: DynamicImage,
    /// `16 bit RGB`.
    pub(crate) depth: String,
    /// Names of the layers; one without a name where the file has none.
    pub(crate) layers: Vec<String>,
    /// Which of them this is.
    pub(crate) layer: usize,
    /// Its values are amounts of light, so that an exposure means something.
    pub(crate) is_light: bool,
}

/// Why a file shows nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("{0} is no picture that can be shown here")]
    NotAPicture(String),
    #[error("the picture cannot be read: {0}")]
    Unreadable(String),
}

/// Decodes a file; `layer` too high begins anew.
pub(crate) fn decode(bytes: &[u8], name: &str, layer: usize) -> Result<Decoded, DecodeError> {
    if bytes.starts_with(&[0x76, 0x2f, 0x31, 0x01]) {
        return decode_exr(bytes, layer);
    }
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| DecodeError::Unreadable(error.to_string()))?;
    // TGA has no mark of its own.
    if reader.format().is_none() {
        let format =
            image::ImageFormat::from_path(name).map_err(|_| DecodeError::NotAPicture(name.to_owned()))?;
        reader.set_format(format);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let image = reader
        .decode()
        .map_err(|error| DecodeError::Unreadable(error.to_string()))?;
    let colour = image.color();
    let bits = u16::from(colour.bytes_per_pixel()) * 8 / u16::from(colour.channel_count());
    let channels = match colour.channel_count() {
        1 => "grey",
        2 => "grey, alpha",
        3 => "RGB",
        _ => "RGBA",
    };
    Ok(Decoded {
        is_light: matches!(
            image,
            DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_)
        ),
        image,
        depth: format!("{bits} bit {channels}"),
        layers: vec![String::new()],
        layer: 0,
    })
}

/// One channel of an EXR file.
struct Channel<'a> {
    /// `ViewLayer.Combined`; empty in a file of one layer.
    group: String,
    /// `R`.
    name: String,
    size: (u32, u32),
    samples: &'a FlatSamples,
}

fn decode_exr(bytes: &[u8], wanted: usize) -> Result<Decoded, DecodeError> {
    let unreadable = |error: String| DecodeError::Unreadable(error);
    let file = exr::prelude::read()
        .no_deep_data()
        .largest_resolution_level()
        .all_channels()
        .all_layers()
        .all_attributes()
        .from_buffered(Cursor::new(bytes))
        .map_err(|error| unreadable(error.to_string()))?;
    let mut channels = Vec::new();
    for layer in &file.layer_data {
        let part = layer.attributes.layer_name.as_ref().map(ToString::to_string);
        for channel in &layer.channel_data.list {
            let whole = match &part {
                Some(part) if !part.is_empty() => format!("{part}.{}", channel.name),
                _ => channel.name.to_string(),
            };
            let (group, name) = whole.rsplit_once('.').unwrap_or(("", &whole));
            let side = |length: usize| u32::try_from(length).unwrap_or(0);
            channels.push(Channel {
                group: group.to_owned(),
                name: name.to_owned(),
                size: (side(layer.size.width()), side(layer.size.height())),
                samples: &channel.sample_data,
            });
        }
    }
    let mut groups: Vec<String> = Vec::new();
    for channel in &channels {
        if !groups.contains(&channel.group) {
            groups.push(channel.group.clone());
        }
    }
    // What is meant by "the picture" comes first: the combined pass, else what has no name, else any colours.
    let rank = |group: &str| {
        let has_red = channels.iter().any(|one| one.group == group && one.name == "R");
        match group {
            _ if group.ends_with("Combined") => 0,
            "" if has_red => 1,
            _ if has_red => 2,
            _ => 3,
        }
    };
    groups.sort_by_key(|group| rank(group));
    if groups.is_empty() {
        return Err(unreadable("it has no channels".to_owned()));
    }
    let layer = if wanted < groups.len() { wanted } else { 0 };
    let of_group = |name: &str| {
        channels
            .iter()
            .find(|one| one.group == groups[layer] && one.name.eq_ignore_ascii_case(name))
    };
    let three = |names: [&str; 3]| {
        let found = names.map(of_group);
        match found {
            [Some(a), Some(b), Some(c)] => Some([a, b, c]),
            _ => None,
        }
    };
    let bits = |channel: &Channel<'_>| match channel.samples {
        FlatSamples::F16(_) => "half",
        FlatSamples::F32(_) => "float",
        FlatSamples::U32(_) => "32 bit whole",
    };
    let (image, depth, is_light) = if let Some(rgb) = three(["R", "G", "B"]) {
        match of_group("A") {
            Some(alpha) => (with_alpha(rgb, alpha), format!("{} RGBA", bits(rgb[0])), true),
            None => (of_three(rgb), format!("{} RGB", bits(rgb[0])), true),
        }
    } else if let Some(vector) = three(["X", "Y", "Z"]) {
        (of_three(vector), format!("{} vector", bits(vector[0])), true)
    } else {
        let first = channels.iter().find(|one| one.group == groups[layer]);
        let first = first.ok_or_else(|| unreadable("it has no channels".to_owned()))?;
        (spread(first), format!("{} {}", bits(first), first.name), false)
    };
    let image = image.ok_or_else(|| unreadable("its channels are of different sizes".to_owned()))?;
    Ok(Decoded {
        image,
        depth,
        layers: groups,
        layer,
        is_light,
    })
}

fn of_three(channels: [&Channel<'_>; 3]) -> Option<DynamicImage> {
    let [red, green, blue] = channels.map(|channel| channel.samples.values_as_f32());
    let pixels = red
        .zip(green)
        .zip(blue)
        .flat_map(|((r, g), b)| [r, g, b])
        .collect();
    let (width, height) = channels[0].size;
    Rgb32FImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb32F)
}

fn with_alpha(channels: [&Channel<'_>; 3], alpha: &Channel<'_>) -> Option<DynamicImage> {
    let [red, green, blue] = channels.map(|channel| channel.samples.values_as_f32());
    let pixels = red.zip(green).zip(blue).zip(alpha.samples.values_as_f32());
    let pixels = pixels.flat_map(|(((r, g), b), a)| [r, g, b, a]).collect();
    let (width, height) = channels[0].size;
    Rgba32FImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgba32F)
}

/// Values such as depths, spread from black to white. What is endlessly far counts for nothing.
fn spread(channel: &Channel<'_>) -> Option<DynamicImage> {
    const FAR: f32 = 1e9;
    let values: Vec<f32> = channel.samples.values_as_f32().collect();
    let near = values
        .iter()
        .copied()
        .filter(|value| value.is_finite() && value.abs() < FAR);
    let (least, most) = near.fold((f32::MAX, f32::MIN), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let range = (most - least).max(f32::MIN_POSITIVE);
    let pixels = values
        .iter()
        .flat_map(|value| [((value.clamp(-FAR, FAR) - least) / range).clamp(0.0, 1.0); 3])
        .collect();
    let (width, height) = channel.size;
    Rgb32FImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb32F)
}

#[cfg(test)]
mod tests {
    use exr::prelude::{
        AnyChannel, AnyChannels, Encoding, Image, Layer, LayerAttributes, SmallVec, Text, WritableImage,
    };

    use super::*;

    /// A file such as Blender writes: passes by their names in one part.
    fn multilayer() -> Vec<u8> {
        let channel = |name: &str, value: f32| {
            AnyChannel::new(
                Text::from(name),
                FlatSamples::F32(vec![value, value, value, value * 2.0]),
            )
        };
        let list: SmallVec<[_; 4]> = [
            channel("ViewLayer.Combined.A", 1.0),
            channel("ViewLayer.Combined.B", 0.25),
            channel("ViewLayer.Combined.G", 0.5),
            channel("ViewLayer.Combined.R", 1.5),
            channel("ViewLayer.Depth.Z", 10.0),
            channel("ViewLayer.Normal.X", 0.1),
            channel("ViewLayer.Normal.Y", 0.2),
            channel("ViewLayer.Normal.Z", 0.3),
        ]
        .into_iter()
        .collect();
        let layer = Layer::new(
            (2, 2),
            LayerAttributes::default(),
            Encoding::FAST_LOSSLESS,
            AnyChannels::sort(list),
        );
        let mut bytes = Cursor::new(Vec::new());
        Image::from_layer(layer).write().to_buffered(&mut bytes).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_multilayer_exr_shows_its_combined_pass_first_and_the_others_on_demand() {
        let file = multilayer();
        let combined = decode(&file, "0001.exr", 0).unwrap();
        assert_eq!(
            combined.layers,
            ["ViewLayer.Combined", "ViewLayer.Depth", "ViewLayer.Normal"]
        );
        assert_eq!((combined.depth.as_str(), combined.is_light), ("float RGBA", true));
        let pixels = combined.image.as_rgba32f().unwrap();
        assert_eq!(format!("{:?}", pixels.get_pixel(0, 0).0), "[1.5, 0.5, 0.25, 1.0]");
        let depth = decode(&file, "0001.exr", 1).unwrap();
        let depth = depth.image.as_rgb32f().unwrap();
        assert_eq!(
            (depth.get_pixel(0, 0).0[0], depth.get_pixel(1, 1).0[0]),
            (0.0, 1.0)
        );
        assert_eq!(decode(&file, "0001.exr", 2).unwrap().depth, "float vector");
        assert_eq!(decode(&file, "0001.exr", 9).unwrap().layer, 0);
    }

    #[test]
    fn what_is_no_picture_or_is_cut_off_says_so() {
        let said = |bytes: &[u8], name: &str| decode(bytes, name, 0).unwrap_err().to_string();
        assert_eq!(
            said(b"RIFF", "a/0001.mkv"),
            "a/0001.mkv is no picture that can be shown here"
        );
        let exr = multilayer();
        assert!(said(&exr[..exr.len() - 9], "x.exr").starts_with("the picture cannot be read: "));
        let mut png = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(64, 64)
            .write_to(&mut png, image::ImageFormat::Png)
            .unwrap();
        let png = png.into_inner();
        assert_eq!(decode(&png, "x.png", 3).unwrap().depth, "8 bit RGB");
        assert!(said(&png[..png.len() - 30], "x.png").starts_with("the picture cannot be read: "));
    }
}
