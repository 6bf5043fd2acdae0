//! Pixels to what a terminal shows, fitted into so many columns and lines.

use std::fmt;

use image::imageops::FilterType;
use image::{DynamicImage, Rgb, RgbImage};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::widgets::Widget;
use ratatui_image::picker::ProtocolType;
use ratatui_image::protocol::Protocol;
use ratatui_image::protocol::halfblocks::Halfblocks;
use ratatui_image::{Image, Resize};

use super::decode::Decoded;
use super::terminal::Painter;

/// A picture as the terminal takes it.
pub(crate) enum Picture {
    /// In pixels or half blocks.
    Pixels(Protocol),
    /// In letters of different weight.
    Letters(Vec<String>),
}

/// Two pictures are equal where they are one: their pixels are nobody's business.
impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.size();
        write!(f, "Picture({}x{})", size.width, size.height)
    }
}

impl Picture {
    /// Columns and lines that it takes.
    pub(crate) fn size(&self) -> Size {
        let count = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        match self {
            Self::Pixels(protocol) => protocol.size(),
            Self::Letters(lines) => {
                let width = lines.first().map_or(0, |line| line.chars().count());
                Size::new(count(width), count(lines.len()))
            }
        }
    }

    /// Draws it in the middle of an area. One that was made for a larger area is left out until its successor
    /// comes.
    pub(crate) fn render(&self, area: Rect, buffer: &mut Buffer) {
        let size = self.size();
        if size.width > area.width || size.height > area.height {
            return;
        }
        let place = Rect {
            x: area.x + (area.width - size.width) / 2,
            y: area.y + (area.height - size.height) / 2,
            width: size.width,
            height: size.height,
        };
        match self {
            Self::Pixels(protocol) => Image::new(protocol).render(place, buffer),
            Self::Letters(lines) => {
                for (line, y) in lines.iter().zip(place.y..) {
                    buffer.set_string(place.x, y, line, ratatui::style::Style::new());
                }
            }
        }
    }
}

/// Fits a picture into `room` columns and lines and encodes it.
pub(crate) fn encode(
    decoded: &Decoded,
    exposure: f32,
    room: Size,
    painter: &Painter,
) -> Result<Picture, String> {
    let font = painter.picker.font_size();
    let (columns, lines) = (u32::from(room.width.max(1)), u32::from(room.height.max(1)));
    let half_blocks = painter.picker.protocol_type() == ProtocolType::Halfblocks;
    if painter.letters {
        // A letter is about twice as high as wide.
        let (width, height) = fit(&decoded.image, columns, lines * 2);
        let image = shown(decoded, exposure, width, height.div_ceil(2));
        return Ok(letters(&image));
    }
    let protocol = if half_blocks {
        let (width, height) = fit(&decoded.image, columns, lines * 2);
        let height = height.div_ceil(2) * 2;
        let image = shown(decoded, exposure, width, height);
        let cells = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
        let size = Size::new(cells(width), cells(height / 2));
        Halfblocks::new(DynamicImage::ImageRgb8(image), size).map(Protocol::Halfblocks)
    } else {
        let (width, height) = (columns * u32::from(font.width), lines * u32::from(font.height));
        let (width, height) = fit(&decoded.image, width, height);
        let image = shown(decoded, exposure, width, height);
        let image = DynamicImage::ImageRgb8(image);
        painter.picker.new_protocol(image, room, Resize::Fit(None))
    };
    let protocol = protocol.map_err(|error| format!("the picture cannot be encoded: {error}"))?;
    Ok(Picture::Pixels(protocol))
}

/// The largest size of the picture's shape within a box.
fn fit(image: &DynamicImage, width: u32, height: u32) -> (u32, u32) {
    let (own_width, own_height) = (u64::from(image.width().max(1)), u64::from(image.height().max(1)));
    let (width, height) = (u64::from(width.max(1)), u64::from(height.max(1)));
    let side = |length: u64| u32::try_from(length.max(1)).unwrap_or(u32::MAX);
    if own_width * height > own_height * width {
        (
            side(width),
            side((own_height * width + own_width / 2) / own_width),
        )
    } else {
        (
            side((own_width * height + own_height / 2) / own_height),
            side(height),
        )
    }
}

/// The picture in this size, in the colours of a screen, over black where it is transparent.
fn shown(decoded: &Decoded, exposure: f32, width: u32, height: u32) -> RgbImage {
    let small = decoded.image.resize_exact(width, height, FilterType::Triangle);
    if decoded.is_light {
        let gain = exposure.exp2();
        let light = small.into_rgb32f();
        return RgbImage::from_fn(width, height, |x, y| {
            Rgb(light.get_pixel(x, y).0.map(|value| screen(value * gain)))
        });
    }
    let whole = small.into_rgba8();
    RgbImage::from_fn(width, height, |x, y| {
        let [red, green, blue, alpha] = whole.get_pixel(x, y).0;
        let over = |value: u8| u8::try_from(u16::from(value) * u16::from(alpha) / 255).unwrap_or(255);
        Rgb([red, green, blue].map(over))
    })
}

/// An amount of light as a screen takes it (the sRGB curve).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=255 before; what is no number becomes 0"
)]
fn screen(light: f32) -> u8 {
    let light = if light.is_nan() {
        0.0
    } else {
        light.clamp(0.0, 1.0)
    };
    let value = if light <= 0.003_130_8 {
        light * 12.92
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    };
    (value * 255.0 + 0.5) as u8
}

fn letters(image: &RgbImage) -> Picture {
    const WEIGHTS: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];
    let letter = |pixel: &Rgb<u8>| {
        let [r, g, b] = pixel.0.map(u32::from);
        let bright = (r * 213 + g * 715 + b * 72) / 1000;
        WEIGHTS[usize::try_from(bright * 10 / 256).unwrap_or(0).min(9)]
    };
    Picture::Letters(image.rows().map(|row| row.map(letter).collect()).collect())
}

#[cfg(test)]
mod tests {
    use ratatui::style::Color;

    use super::*;

    fn decoded(image: DynamicImage, is_light: bool) -> Decoded {
        Decoded {
            image,
            depth: String::new(),
            layers: vec![String::new()],
            layer: 0,
            is_light,
        }
    }

    fn drawn(picture: &Picture, width: u16, height: u16) -> Buffer {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        picture.render(area, &mut buffer);
        buffer
    }

    #[test]
    fn a_wide_picture_stands_in_the_middle_and_keeps_its_shape() {
        let mut image = RgbImage::from_pixel(320, 180, Rgb([200, 0, 0]));
        for y in 90..180 {
            (0..320).for_each(|x| image.put_pixel(x, y, Rgb([0, 0, 200])));
        }
        let painter = Painter::half_blocks(false);
        let picture = encode(&decoded(image.into(), false), 0.0, Size::new(32, 20), &painter).unwrap();
        assert_eq!(picture.size(), Size::new(32, 9));
        let buffer = drawn(&picture, 32, 20);
        assert_eq!(buffer[(0, 4)].symbol(), " ");
        assert_eq!(buffer[(0, 5)].fg, Color::Rgb(200, 0, 0));
        assert_eq!(buffer[(31, 13)].bg, Color::Rgb(0, 0, 200));
        // Made for a larger place: left out.
        assert_eq!(drawn(&picture, 20, 20), Buffer::empty(Rect::new(0, 0, 20, 20)));
    }

    #[test]
    fn exposure_is_in_stops_of_light() {
        let light = |value: f32| {
            let pixel = image::Rgb([value; 3]);
            decoded(
                DynamicImage::ImageRgb32F(image::Rgb32FImage::from_pixel(4, 4, pixel)),
                true,
            )
        };
        let of = |value: f32, stops: f32| shown(&light(value), stops, 1, 1).get_pixel(0, 0).0[0];
        assert_eq!(of(0.25, 0.0), 137);
        assert_eq!(of(0.25, 1.0), of(0.5, 0.0));
        assert_eq!((of(8.0, 0.0), of(f32::NAN, 0.0), of(-1.0, 3.0)), (255, 0, 0));
    }

    #[test]
    fn a_terminal_without_colours_shows_it_in_letters() {
        let white: DynamicImage = RgbImage::from_pixel(8, 8, Rgb([255, 255, 255])).into();
        let letters = Painter::half_blocks(true);
        let picture = encode(&decoded(white, false), 0.0, Size::new(4, 2), &letters).unwrap();
        assert_eq!(drawn(&picture, 4, 2)[(3, 1)].symbol(), "@");
    }
}
