//! Output formats: the numbers that files hold and the identifiers that Blender's Python shows.

/// The identifier of `ImageFormatData.imtype`.
pub(crate) fn identifier(number: i64) -> String {
    let known = match number {
        0 => "TARGA",
        1 => "IRIS",
        4 => "JPEG",
        7 => "IRIZ",
        14 => "TARGA_RAW",
        15 => "AVI_RAW",
        16 => "AVI_JPEG",
        17 => "PNG",
        18 => "AVI_CODEC",
        19 => "QUICKTIME",
        20 => "BMP",
        21 => "HDR",
        22 => "TIFF",
        23 => "OPEN_EXR",
        24 => "FFMPEG",
        25 => "FRAMESERVER",
        26 => "CINEON",
        27 => "DPX",
        28 => "OPEN_EXR_MULTILAYER",
        29 => "DDS",
        30 => "JPEG2000",
        31 => "H264",
        32 => "XVID",
        33 => "THEORA",
        34 => "PSD",
        35 => "WEBP",
        36 => "AV1",
        37 => "AVIF",
        _ => return format!("UNKNOWN_{number}"),
    };
    known.to_owned()
}

/// Whether a format is one file for all frames.
pub(crate) fn is_movie(number: i64) -> bool {
    matches!(number, 15 | 16 | 18 | 19 | 24 | 31 | 32 | 33 | 36)
}
