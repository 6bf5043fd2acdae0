//! How Blender writes paths, and where they lead on this disk.

use std::path::{Component, Path, PathBuf};

/// Where a stored path leads, seen from the folder of the .blend that stores it: `//` is that folder, and
/// a drive letter becomes a folder, as in Blender itself. A path that is neither is taken from the folder
/// too.
pub(crate) fn resolve(stored: &[u8], folder: &Path) -> PathBuf {
    let stored: Vec<u8> = stored
        .iter()
        .map(|byte| if *byte == b'\\' { b'/' } else { *byte })
        .collect();
    let path = match &stored[..] {
        [b'/', b'/', rest @ ..] => folder.join(native(without_leading_slashes(rest))),
        [drive, b':', b'/', rest @ ..] if drive.is_ascii_alphabetic() && cfg!(not(windows)) => {
            let letter = char::from(drive.to_ascii_lowercase());
            Path::new("/")
                .join(letter.to_string())
                .join(native(without_leading_slashes(rest)))
        }
        other => folder.join(native(other)),
    };
    normal(&path)
}

/// A path as Blender shows it on this system: elsewhere than on Windows, a file of Windows has its slashes turned.
pub(crate) fn shown(stored: &str) -> String {
    if cfg!(windows) {
        stored.to_owned()
    } else {
        stored.replace('\\', "/")
    }
}

/// A path as Blender writes it relative to a folder: `//../textures/wood.png`.
pub(crate) fn relative(target: &Path, folder: &Path) -> String {
    let (target_parts, folder_parts): (Vec<_>, Vec<_>) =
        (target.components().collect(), folder.components().collect());
    let same = target_parts
        .iter()
        .zip(&folder_parts)
        .take_while(|(one, other)| one == other)
        .count();
    let up = std::iter::repeat_n("..".to_owned(), folder_parts.len() - same);
    let down = target_parts[same..]
        .iter()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    let parts: Vec<String> = up.chain(down).collect();
    format!("//{}", parts.join("/"))
}

/// A file name with a frame number in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Numbered<'a> {
    before: &'a str,
    width: usize,
    after: &'a str,
}

impl<'a> Numbered<'a> {
    /// The last digits before the extension are the frame number.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let stem = name.rfind('.').filter(|dot| *dot > 0).unwrap_or(name.len());
        let end = name[..stem].rfind(|letter: char| letter.is_ascii_digit())? + 1;
        let start = name[..end]
            .rfind(|letter: char| !letter.is_ascii_digit())
            .map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
        Some(Self {
            before: &name[..start],
            width: end - start,
            after: &name[end..],
        })
    }

    /// Whether a file is another frame of the same sequence.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let digits = name
            .strip_prefix(self.before)
            .and_then(|rest| rest.strip_suffix(self.after))
            .unwrap_or_default();
        let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let padded = digits.len() == self.width;
        whole && (padded || (digits.len() > self.width && !digits.starts_with('0')))
    }
}

/// The name of one tile of a tiled image: `wood.<UDIM>.png`, `wood.<UVTILE>.png`, or the name of the first
/// tile itself, as Blender wrote it before 3.1.
pub(crate) fn tile(name: &str, number: i64) -> String {
    if name.contains("<UDIM>") {
        return name.replace("<UDIM>", &number.to_string());
    }
    if name.contains("<UVTILE>") {
        let index = number.saturating_sub(1001);
        let place = format!(
            "u{}_v{}",
            index.rem_euclid(10) + 1,
            index.div_euclid(10).saturating_add(1)
        );
        return name.replace("<UVTILE>", &place);
    }
    match Numbered::parse(name) {
        Some(Numbered {
            before,
            width: 4,
            after,
        }) => format!("{before}{number}{after}"),
        _ => name.to_owned(),
    }
}

/// Without `.` and `..`, as Blender does it: by text, not by following links.
fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(unix)]
fn native(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn native(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// Joined to a folder, a leading slash would lead away from it.
fn without_leading_slashes(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
    &path[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_where_blender_finds_it() {
        let at = |stored: &str| resolve(stored.as_bytes(), Path::new("/shows/a/scenes"));
        assert_eq!(at("//../tex/wood.png"), Path::new("/shows/a/tex/wood.png"));
        assert_eq!(at("//..\\tex\\wood.png"), Path::new("/shows/a/tex/wood.png"));
        assert_eq!(at("/abs/wood.png"), Path::new("/abs/wood.png"));
        assert_eq!(at("C:\\tex\\wood.png"), Path::new("/c/tex/wood.png"));
        assert_eq!(at("////etc/x"), Path::new("/shows/a/scenes/etc/x"));
        assert_eq!(at("//../../../../../x"), Path::new("/x"));
        assert_eq!(at("wood.png"), Path::new("/shows/a/scenes/wood.png"));
    }

    #[test]
    fn a_path_relative_to_a_file_is_written_as_blender_writes_it() {
        let from = |target: &str| relative(Path::new(target), Path::new("/shows/a/scenes"));
        assert_eq!(from("/shows/a/scenes/lib.blend"), "//lib.blend");
        assert_eq!(from("/shows/lib/tree.blend"), "//../../lib/tree.blend");
    }

    #[test]
    fn frames_of_a_sequence_are_told_from_other_files() {
        let sequence = Numbered::parse("shot2_0001.png").unwrap();
        for (name, is_one) in [
            ("shot2_0002.png", true),
            ("shot2_10000.png", true),
            ("shot2_00002.png", false),
            ("shot2_2.png", false),
            ("shot2_000a.png", false),
            ("shot3_0002.png", false),
            ("shot2_0002.exr", false),
            ("shot2_.png", false),
        ] {
            assert_eq!(sequence.matches(name), is_one, "{name}");
        }
        assert_eq!(Numbered::parse("smoke.png"), None);
        assert!(Numbered::parse("é7").unwrap().matches("é8"));
    }

    #[test]
    fn tiles_have_their_numbers_in_their_names() {
        assert_eq!(tile("wood.<UDIM>.png", 1012), "wood.1012.png");
        assert_eq!(tile("wood_<UVTILE>.png", 1012), "wood_u2_v2.png");
        assert_eq!(tile("wood.1001.png", 1002), "wood.1002.png");
        assert_eq!(tile("wood.png", 1002), "wood.png");
    }
}
