//! Making films of a job's pictures with ffmpeg, found on the PATH. Must not know when one is wanted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use farmhand_protocol::agent::{Film, FrameFile, Movie, Proof};
use farmhand_protocol::{BlobHash, Frame, FrameSet, JobId, TreePath};
use tempfile::TempDir;

use crate::codec::Encoding;
use crate::output::picture_name;

/// What a film is made of.
#[derive(Debug, Clone)]
pub(crate) struct Reel {
    pub(crate) job: JobId,
    /// The job's folder.
    pub(crate) folder: PathBuf,
    /// What the pictures' names start with.
    pub(crate) stem: String,
    /// Whose pictures; those of them that are there.
    pub(crate) frames: FrameSet,
    /// What the scene asks for.
    pub(crate) film: Film,
    /// Whether a preview is wanted too.
    pub(crate) preview: bool,
}

/// Why there is no film.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilmError {
    #[error(
        "ffmpeg is not on the PATH of the orchestrator: install it, then ask for the film with `farmhand video {0}`"
    )]
    NoFfmpeg(JobId),
    #[error("{0} has no pictures of these frames")]
    NoPictures(PathBuf),
    #[error("{0}")]
    Codec(String),
    #[error("ffmpeg could not make {name}: {said}")]
    Ffmpeg { name: String, said: String },
    #[error("cannot write {path}: {source}")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Pictures of one view in the order of their frames. The key is what Blender adds for the view, and the
/// extension.
type Views = BTreeMap<(String, String), BTreeMap<Frame, PathBuf>>;

/// Makes the films of a job and puts them under their names, one for each view. The answer has their paths
/// relative to the job's folder.
pub(crate) async fn make(reel: &Reel, scratch: &Path) -> Result<Vec<FrameFile>, FilmError> {
    let ffmpeg = find_ffmpeg().ok_or(FilmError::NoFfmpeg(reel.job))?;
    let views = pictures(reel)?;
    let mut made = Vec::new();
    for ((view, extension), pictures) in &views {
        let strip = Strip::lay_out(scratch, pictures, extension)?;
        let first = pictures.keys().next().map_or(0, |frame| frame.get());
        let last = pictures.keys().next_back().map_or(0, |frame| frame.get());
        if let Some(movie) = &reel.film.movie {
            let encoding = Encoding::of_scene(movie).map_err(FilmError::Codec)?;
            let name = format!("{}_{first:04}-{last:04}{view}{}", reel.stem, encoding.extension);
            made.push(strip.encode(&ffmpeg, reel, &name, &encoding).await?);
        }
        if reel.preview {
            let name = format!("{}{view}_preview.mp4", reel.stem);
            made.push(strip.encode(&ffmpeg, reel, &name, &Encoding::preview()).await?);
        }
    }
    Ok(made)
}

/// Whether the film has no sound although the scene has some.
pub(crate) fn is_mute(film: &Film) -> bool {
    film.movie.as_ref().is_some_and(|Movie { sound, .. }| *sound)
}

fn find_ffmpeg() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(if cfg!(windows) { "ffmpeg.exe" } else { "ffmpeg" }))
        .find(|candidate| candidate.is_file())
}

fn pictures(reel: &Reel) -> Result<Views, FilmError> {
    let disk = |source| FilmError::Disk {
        path: reel.folder.clone(),
        source,
    };
    let mut views = Views::new();
    for entry in fs::read_dir(&reel.folder).map_err(disk)? {
        let entry = entry.map_err(disk)?;
        let name = entry.file_name();
        let Some(picture) = name.to_str().and_then(|name| picture_name(name, &reel.stem)) else {
            continue;
        };
        if reel.frames.contains(picture.frame) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let key = (picture.view.to_owned(), picture.extension.to_owned());
            views.entry(key).or_default().insert(picture.frame, entry.path());
        }
    }
    if views.is_empty() {
        return Err(FilmError::NoPictures(reel.folder.clone()));
    }
    Ok(views)
}

/// Pictures under consecutive numbers, as ffmpeg wants them, whatever their frames are.
struct Strip {
    folder: TempDir,
    extension: String,
    length: usize,
}

impl Strip {
    fn lay_out(
        scratch: &Path,
        pictures: &BTreeMap<Frame, PathBuf>,
        extension: &str,
    ) -> Result<Self, FilmError> {
        let disk = |source| FilmError::Disk {
            path: scratch.to_owned(),
            source,
        };
        fs::create_dir_all(scratch).map_err(disk)?;
        let folder = TempDir::new_in(scratch).map_err(disk)?;
        for (number, picture) in pictures.values().enumerate() {
            let link = folder.path().join(format!("{number:08}.{extension}"));
            point_to(picture, &link).map_err(disk)?;
        }
        Ok(Self {
            folder,
            extension: extension.to_owned(),
            length: pictures.len(),
        })
    }

    /// Encodes beside the final place; only what is whole and on disk gets its name.
    async fn encode(
        &self,
        ffmpeg: &Path,
        reel: &Reel,
        name: &str,
        encoding: &Encoding,
    ) -> Result<FrameFile, FilmError> {
        let path: TreePath = name
            .parse()
            .map_err(|error| FilmError::Codec(format!("{error}")))?;
        let part = reel.folder.join(format!(".farmhand-{}-{name}.part", reel.job));
        let _gone_already = fs::remove_file(&part);
        let part = tempfile::TempPath::try_from_path(part).map_err(|source| FilmError::Disk {
            path: reel.folder.clone(),
            source,
        })?;
        let (numerator, denominator) = reel.film.rate;
        let mut command = tokio::process::Command::new(ffmpeg);
        command
            .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
            .args(["-framerate", &format!("{numerator}/{denominator}")])
            .args(["-start_number", "0"]);
        if self.extension == "exr" {
            command.args(["-apply_trc", "iec61966_2_1"]); // Linear light to what a screen shows.
        }
        command
            .arg("-i")
            .arg(self.folder.path().join(format!("%08d.{}", self.extension)))
            .args(["-frames:v", &self.length.to_string(), "-an"])
            .args(&encoding.arguments)
            .args(["-f", encoding.muxer])
            .arg(&part)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let failed = |said: String| FilmError::Ffmpeg {
            name: name.to_owned(),
            said,
        };
        let output = command
            .output()
            .await
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rfind(|line| !line.trim().is_empty());
            return Err(failed(last.map_or_else(
                || output.status.to_string(),
                |line| line.chars().take(300).collect(),
            )));
        }
        let target = reel.folder.join(name);
        let settled = tokio::task::spawn_blocking(move || settle(part, &target)).await;
        let (hash, size) = settled
            .unwrap_or_else(|stopped| Err(io::Error::other(stopped.to_string())))
            .map_err(|source| FilmError::Disk {
                path: reel.folder.join(name),
                source,
            })?;
        Ok(FrameFile {
            path,
            hash,
            size,
            proof: Proof::NotEmpty,
        })
    }
}

fn settle(part: tempfile::TempPath, target: &Path) -> io::Result<(BlobHash, u64)> {
    let file = File::open(&part)?;
    file.sync_all()?;
    let size = file.metadata()?.len();
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    part.persist(target).map_err(|failed| failed.error)?;
    if let Some(folder) = target.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok((hasher.finalize().into(), size))
}

#[cfg(unix)]
fn point_to(picture: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(picture, link)
}

#[cfg(not(unix))]
fn point_to(picture: &Path, link: &Path) -> io::Result<()> {
    fs::hard_link(picture, link).or_else(|_| fs::copy(picture, link).map(drop))
}
