//! From what a scene says of its film, in Blender's words, to what ffmpeg is told. Must not know files.

use farmhand_protocol::agent::Movie;

/// How ffmpeg is to encode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) muxer: &'static str,
    /// With its dot, as Blender names such files.
    pub(crate) extension: &'static str,
    pub(crate) arguments: Vec<String>,
}

/// Players want even sides where colour has half the resolution.
const EVEN: &str = "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv";

impl Encoding {
    /// What plays everywhere.
    pub(crate) fn preview() -> Self {
        let mut arguments =
            words("-c:v libx264 -preset medium -crf 20 -pix_fmt yuv420p -movflags +faststart");
        arguments.extend(["-vf".to_owned(), EVEN.to_owned()]);
        arguments.extend(words("-colorspace bt709 -color_primaries bt709 -color_trc bt709"));
        Self {
            muxer: "mp4",
            extension: ".mp4",
            arguments,
        }
    }

    /// What the scene asks for.
    ///
    /// # Errors
    /// In words, where it asks for what is not known here.
    pub(crate) fn of_scene(movie: &Movie) -> Result<Self, String> {
        let (muxer, extension) = match movie.container.as_str() {
            "MPEG1" => ("mpeg", ".mpg"),
            "MPEG2" => ("dvd", ".dvd"),
            "MPEG4" => ("mp4", ".mp4"),
            "AVI" => ("avi", ".avi"),
            "QUICKTIME" => ("mov", ".mov"),
            "DV" => ("dv", ".dv"),
            "OGG" => ("ogg", ".ogv"),
            "MKV" => ("matroska", ".mkv"),
            "FLASH" => ("flv", ".flv"),
            "WEBM" => ("webm", ".webm"),
            other => return Err(format!("the scene's film is a {other}, which is not known here")),
        };
        let lossless = movie.quality == "LOSSLESS";
        // Encoder, pixels, and whether it takes a quality rather than a bit rate.
        let (encoder, pixels, takes_quality) = match movie.codec.as_str() {
            "H264" => ("libx264", if lossless { "yuv444p" } else { "yuv420p" }, true),
            "H265" => ("libx265", "yuv420p", true),
            "AV1" => ("libaom-av1", "yuv420p", true),
            "WEBM" => ("libvpx-vp9", "yuv420p", true),
            "MPEG1" => ("mpeg1video", "yuv420p", false),
            "MPEG2" => ("mpeg2video", "yuv420p", false),
            "MPEG4" => ("mpeg4", "yuv420p", false),
            "THEORA" => ("libtheora", "yuv420p", false),
            "FLASH" => ("flv", "yuv420p", false),
            "DNXHD" => ("dnxhd", "yuv422p", false),
            "DV" => ("dvvideo", "yuv420p", false),
            "MJPEG" => ("mjpeg", "yuvj422p", false),
            "PRORES" => ("prores_ks", "yuv422p10le", false),
            "FFV1" => ("ffv1", "bgr0", false),
            "HUFFYUV" => ("huffyuv", "rgb24", false),
            "PNG" => ("png", "rgb24", false),
            "QTRLE" => ("qtrle", "rgb24", false),
            "RAW" => ("rawvideo", "bgr24", false),
            "NONE" => return Err("the scene's film has no video codec".to_owned()),
            other => {
                return Err(format!(
                    "the scene's film is encoded as {other}, which is not known here"
                ));
            }
        };
        let mut arguments = words(&format!("-c:v {encoder} -pix_fmt {pixels}"));
        if pixels.starts_with("yuv") {
            arguments.extend(["-vf".to_owned(), EVEN.to_owned()]);
        }
        let factor = match movie.quality.as_str() {
            "LOSSLESS" => Some(0),
            "PERC_LOSSLESS" => Some(17),
            "HIGH" => Some(20),
            "MEDIUM" => Some(23),
            "LOW" => Some(26),
            "VERYLOW" => Some(29),
            "LOWEST" => Some(32),
            _ => None,
        };
        match factor.filter(|_| takes_quality) {
            Some(0) if encoder == "libvpx-vp9" => arguments.extend(words("-lossless 1")),
            Some(factor) => arguments.extend(words(&format!("-crf {factor} -b:v 0"))),
            None if encoder == "mjpeg" => arguments.extend(words("-q:v 2")),
            None if movie.bitrate_kbps > 0 && pixels.starts_with("yuv") && encoder != "prores_ks" => {
                arguments.extend(words(&format!("-b:v {}k", movie.bitrate_kbps)));
            }
            None => {}
        }
        if encoder == "libx264" {
            // It takes a bit rate of nothing beside a quality for an error.
            arguments = without_pair(arguments, "-b:v", "0");
        }
        if movie.gop > 0 && (takes_quality || encoder.starts_with("mpeg")) {
            arguments.extend(words(&format!("-g {}", movie.gop)));
        }
        Ok(Self {
            muxer,
            extension,
            arguments,
        })
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn without_pair(arguments: Vec<String>, name: &str, value: &str) -> Vec<String> {
    match arguments
        .windows(2)
        .position(|pair| pair[0] == name && pair[1] == value)
    {
        Some(at) => [&arguments[..at], &arguments[at + 2..]].concat(),
        None => arguments,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn movie(container: &str, codec: &str, quality: &str) -> Movie {
        Movie {
            container: container.to_owned(),
            codec: codec.to_owned(),
            quality: quality.to_owned(),
            bitrate_kbps: 6000,
            gop: 18,
            sound: false,
        }
    }

    #[test]
    fn a_scenes_film_is_told_to_ffmpeg_in_its_words() {
        let encoding = Encoding::of_scene(&movie("MKV", "H264", "MEDIUM")).unwrap();
        assert_eq!((encoding.muxer, encoding.extension), ("matroska", ".mkv"));
        let line = encoding.arguments.join(" ");
        assert!(
            line.starts_with("-c:v libx264 -pix_fmt yuv420p") && line.ends_with("-crf 23 -g 18"),
            "{line}"
        );
        let rate = Encoding::of_scene(&movie("AVI", "MPEG4", "NONE")).unwrap();
        assert!(rate.arguments.join(" ").contains("-b:v 6000k"), "{rate:?}");
        let lossless = Encoding::of_scene(&movie("QUICKTIME", "QTRLE", "NONE")).unwrap();
        assert_eq!(lossless.arguments.join(" "), "-c:v qtrle -pix_fmt rgb24");
        let unknown = Encoding::of_scene(&movie("MKV", "H999", "NONE")).unwrap_err();
        assert!(unknown.contains("H999"), "{unknown}");
    }
}
