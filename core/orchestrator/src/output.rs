//! Where pictures may go: the output root, allowed roots, and what becomes of pictures that are there.
//! Must not know jobs beyond the folders they claim.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use farmhand_protocol::farm::Existing;
use farmhand_protocol::{Frame, FrameSet};

/// Folders below which pictures may be written.
#[derive(Debug, Clone)]
pub(crate) struct OutputRoots {
    /// As they were named, and as they really are; the output root first.
    roots: Vec<(PathBuf, PathBuf)>,
}

/// What a submitter asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) folder: Option<&'a str>,
    /// The job's name: what pictures' names start with.
    pub(crate) stem: &'a str,
    pub(crate) frames: &'a FrameSet,
    pub(crate) existing: Existing,
}

/// A folder that exists, and which frames are to be rendered into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) folder: PathBuf,
    pub(crate) frames: FrameSet,
    pub(crate) skipped: FrameSet,
}

/// Why pictures cannot go there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("{0:?} is no folder below the output root: name one without `..`, or an absolute one below {1}")]
    Outside(String, String),
    #[error("{0} is a link or no folder; pictures do not go through it")]
    NotAFolder(PathBuf),
    #[error(
        "{folder} already has pictures of frames {frames}: ask to skip, overwrite, or use a new folder \
         (--existing skip|overwrite|new)"
    )]
    HasPictures { folder: PathBuf, frames: FrameSet },
    #[error("another job writes to {0}; wait for it, or name another folder")]
    Claimed(PathBuf),
    #[error("cannot use the folder {path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Folders tried before giving up on finding a free number.
const MOST_NUMBERS: u32 = 10_000;

impl OutputRoots {
    /// Makes the roots where they are missing.
    pub(crate) fn open(output: &Path, allowed: &[PathBuf]) -> Result<Self, OutputError> {
        let mut roots = Vec::new();
        for root in std::iter::once(output).chain(allowed.iter().map(PathBuf::as_path)) {
            let named = std::path::absolute(root).map_err(io_at(root))?;
            fs::create_dir_all(&named).map_err(io_at(root))?;
            let real = fs::canonicalize(&named).map_err(io_at(root))?;
            if real.to_str().is_none() {
                let source = io::Error::new(io::ErrorKind::InvalidFilename, "its path is not valid UTF-8");
                return Err(OutputError::Io { path: real, source });
            }
            roots.push((named, real));
        }
        Ok(Self { roots })
    }

    /// The folder below which pictures go by default.
    pub(crate) fn root(&self) -> &Path {
        &self.roots[0].1
    }

    /// Finds and makes the folder of a job. `claimed` tells whether another job has a folder; the caller sees
    /// to it that no other is placed at the same time.
    pub(crate) fn place(
        &self,
        wish: Wish<'_>,
        claimed: impl Fn(&Path) -> bool,
    ) -> Result<Placed, OutputError> {
        let numbered =
            wish.existing == Existing::New || (wish.folder.is_none() && wish.existing == Existing::Refuse);
        let base = self.resolve(wish.folder.unwrap_or(wish.stem))?;
        if numbered {
            return Self::first_free(&base, wish, claimed);
        }
        if claimed(&base.path()) {
            return Err(OutputError::Claimed(base.path()));
        }
        let folder = base.make()?;
        let there = pictures(&folder, wish.stem, wish.frames)?;
        let skipped = match wish.existing {
            Existing::Skip => there,
            Existing::Refuse if !there.is_empty() => {
                return Err(OutputError::HasPictures {
                    folder,
                    frames: there,
                });
            }
            Existing::Refuse | Existing::Overwrite | Existing::New => FrameSet::default(),
        };
        Ok(Placed {
            frames: wish.frames.difference(&skipped),
            skipped,
            folder,
        })
    }

    fn first_free(
        base: &Below,
        wish: Wish<'_>,
        claimed: impl Fn(&Path) -> bool,
    ) -> Result<Placed, OutputError> {
        for number in 1..=MOST_NUMBERS {
            let candidate = if number == 1 {
                base.clone()
            } else {
                base.numbered(number)
            };
            let path = candidate.path();
            if claimed(&path) {
                continue;
            }
            let is_empty = fs::read_dir(&path).map_or_else(
                |error| error.kind() == io::ErrorKind::NotFound,
                |mut entries| entries.next().is_none(),
            );
            if is_empty {
                return Ok(Placed {
                    folder: candidate.make()?,
                    frames: wish.frames.clone(),
                    skipped: FrameSet::default(),
                });
            }
        }
        Err(OutputError::Claimed(base.path()))
    }

    /// Reads what a submitter typed into a folder below one of the roots.
    fn resolve(&self, folder: &str) -> Result<Below, OutputError> {
        let outside = || {
            let real: Vec<String> = self
                .roots
                .iter()
                .map(|(_, real)| real.display().to_string())
                .collect();
            OutputError::Outside(folder.chars().take(300).collect(), real.join(" or "))
        };
        let path = Path::new(folder);
        let (root, rest) = if path.is_absolute() {
            let below = |(named, real): &(PathBuf, PathBuf)| {
                let rest = path
                    .strip_prefix(real)
                    .or_else(|_| path.strip_prefix(named))
                    .ok()?;
                Some((real.clone(), rest.to_owned()))
            };
            // The longest: an allowed root may lie below another.
            let found = self.roots.iter().filter_map(below);
            found
                .max_by_key(|(root, _)| root.as_os_str().len())
                .ok_or_else(outside)?
        } else {
            (self.root().to_owned(), path.to_owned())
        };
        let plain = |part: Component<'_>| match part {
            Component::Normal(name) => name.to_str().filter(|name| is_plain(name)).map(str::to_owned),
            _ => None,
        };
        let parts: Vec<String> = rest
            .components()
            .map(plain)
            .collect::<Option<_>>()
            .ok_or_else(outside)?;
        if parts.is_empty() && !path.is_absolute() {
            return Err(outside());
        }
        Ok(Below { root, parts })
    }
}

/// A folder below a root, not yet looked at.
#[derive(Debug, Clone)]
struct Below {
    root: PathBuf,
    parts: Vec<String>,
}

impl Below {
    fn path(&self) -> PathBuf {
        self.root.join(self.parts.iter().collect::<PathBuf>())
    }

    fn numbered(&self, number: u32) -> Self {
        let mut parts = self.parts.clone();
        match parts.last_mut() {
            Some(last) => *last = format!("{last}-{number}"),
            None => parts.push(number.to_string()), // The root itself: a folder in it.
        }
        Self {
            root: self.root.clone(),
            parts,
        }
    }

    /// Makes it part by part, so that no link leads out of the root.
    fn make(&self) -> Result<PathBuf, OutputError> {
        let parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        make_below(&self.root, &parts)
    }
}

/// Makes folders below `root` where they are missing and refuses links on the way.
pub(crate) fn make_below(root: &Path, parts: &[&str]) -> Result<PathBuf, OutputError> {
    let mut path = root.to_owned();
    for part in parts {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(OutputError::NotAFolder(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(io_at(&path)(error));
                }
                _ => {}
            },
            Err(error) => return Err(io_at(&path)(error)),
        }
    }
    Ok(path)
}

/// Frames of which a picture `<stem>_####...` lies in the folder.
fn pictures(folder: &Path, stem: &str, frames: &FrameSet) -> Result<FrameSet, OutputError> {
    let mut there = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        let entry = entry.map_err(io_at(folder))?;
        let name = entry.file_name();
        let Some(frame) = name
            .to_str()
            .and_then(|name| picture_name(name, stem))
            .map(|picture| picture.frame)
        else {
            continue;
        };
        let is_empty = entry.metadata().is_ok_and(|file| file.len() == 0);
        if frames.contains(frame) && !is_empty {
            there.push(frame);
        }
    }
    Ok(there.into_iter().collect())
}

/// What a picture's name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PictureName<'a> {
    pub(crate) frame: Frame,
    /// What Blender adds for views, `_L`; mostly nothing.
    pub(crate) view: &'a str,
    /// Without its dot.
    pub(crate) extension: &'a str,
}

/// Reads `<stem>_####.png` and `<stem>_####_L.png`.
pub(crate) fn picture_name<'a>(name: &'a str, stem: &str) -> Option<PictureName<'a>> {
    let rest = name.strip_prefix(stem)?.strip_prefix('_')?;
    let digits_from = usize::from(rest.starts_with('-'));
    let digits = rest[digits_from..].bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at(digits_from + digits);
    let (view, extension) = rest.rsplit_once('.')?;
    let is_picture = digits > 0 && (view.is_empty() || view.starts_with(['.', '_']));
    Some(PictureName {
        frame: number.parse().ok().filter(|_| is_picture)?,
        view,
        extension,
    })
}

/// Whether a name can be a folder everywhere; the same rule as for the parts of a scene's paths.
fn is_plain(name: &str) -> bool {
    !name.contains('/') && name.parse::<farmhand_protocol::TreePath>().is_ok()
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> OutputError {
    let path = path.to_owned();
    |source| OutputError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Disk {
        _folder: tempfile::TempDir,
        root: PathBuf,
        roots: OutputRoots,
    }

    fn disk() -> Disk {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let allowed = folder.path().join("show");
        let roots = OutputRoots::open(&output, &[allowed]).unwrap();
        let root = roots.root().to_owned();
        Disk {
            _folder: folder,
            root,
            roots,
        }
    }

    impl Disk {
        fn place(&self, folder: Option<&str>, existing: Existing) -> Result<Placed, OutputError> {
            self.place_beside(folder, existing, &[])
        }

        fn place_beside(
            &self,
            folder: Option<&str>,
            existing: Existing,
            claimed: &[&str],
        ) -> Result<Placed, OutputError> {
            let frames = "1-10".parse().unwrap();
            let wish = Wish {
                folder,
                stem: "castle",
                frames: &frames,
                existing,
            };
            let claimed: Vec<PathBuf> = claimed.iter().map(|name| self.root.join(name)).collect();
            self.roots
                .place(wish, |path| claimed.iter().any(|taken| taken == path))
        }

        fn picture(&self, path: &str) {
            let path = self.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "pixels").unwrap();
        }
    }

    #[test]
    fn without_a_folder_a_job_gets_its_name_and_a_number_where_that_is_taken() {
        let disk = disk();
        assert_eq!(
            disk.place(None, Existing::Refuse).unwrap().folder,
            disk.root.join("castle")
        );
        disk.picture("castle/notes.txt");
        let second = disk.place_beside(None, Existing::Refuse, &["castle-2"]).unwrap();
        assert_eq!(second.folder, disk.root.join("castle-3"));
    }

    #[test]
    fn pictures_that_are_there_are_refused_skipped_overwritten_or_left_alone() {
        let disk = disk();
        for name in [
            "castle_0003.png",
            "castle_0004_L.exr",
            "castle_0099.png",
            "castle_0005",
            "x_0001.png",
        ] {
            disk.picture(&format!("a/{name}"));
        }
        let refused = disk.place(Some("a"), Existing::Refuse).unwrap_err();
        assert!(refused.to_string().contains("frames 3-4"), "{refused}");
        let skip = disk.place(Some("a"), Existing::Skip).unwrap();
        assert_eq!(
            (skip.skipped.to_string(), skip.frames.to_string()),
            ("3-4".to_owned(), "1-2,5-10".to_owned())
        );
        let overwrite = disk.place(Some("a"), Existing::Overwrite).unwrap();
        assert_eq!(
            (overwrite.folder, overwrite.frames.len()),
            (disk.root.join("a"), 10)
        );
        let new = disk.place(Some("a"), Existing::New).unwrap();
        assert_eq!((new.folder, new.frames.len()), (disk.root.join("a-2"), 10));
        assert!(disk.root.join("a/castle_0003.png").exists());
    }

    #[test]
    fn two_live_jobs_never_share_a_folder() {
        let disk = disk();
        for existing in [Existing::Refuse, Existing::Skip, Existing::Overwrite] {
            let refused = disk.place_beside(Some("a"), existing, &["a"]);
            assert!(matches!(refused, Err(OutputError::Claimed(_))));
        }
        let new = disk.place_beside(Some("a"), Existing::New, &["a"]).unwrap();
        assert_eq!(new.folder, disk.root.join("a-2"));
    }

    #[test]
    fn no_folder_outside_the_roots_is_written() {
        let disk = disk();
        let outside = disk.root.parent().unwrap().join("elsewhere");
        let beside = format!("{}-not", disk.root.display());
        let up_again = format!("{}/../elsewhere", disk.root.display());
        for folder in [
            "..",
            "a/../../elsewhere",
            "",
            ".",
            "a\\b",
            "a\0b",
            outside.to_str().unwrap(),
            &beside,
            &up_again,
            "/etc",
        ] {
            let refused = disk.place(Some(folder), Existing::Overwrite);
            assert!(
                matches!(refused, Err(OutputError::Outside(..))),
                "{folder:?}: {refused:?}"
            );
        }
        assert!(!outside.exists());
        let allowed = disk.root.parent().unwrap().join("show/shot 7");
        let placed = disk.place(allowed.to_str(), Existing::Refuse).unwrap();
        assert_eq!(placed.folder, allowed);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_lead_pictures_out_of_the_root() {
        let disk = disk();
        let outside = disk.root.parent().unwrap().join("outside");
        fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, disk.root.join("link")).unwrap();
        for folder in ["link", "link/deeper"] {
            let refused = disk.place(Some(folder), Existing::Overwrite);
            assert!(matches!(refused, Err(OutputError::NotAFolder(_))), "{refused:?}");
        }
        assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
    }
}
