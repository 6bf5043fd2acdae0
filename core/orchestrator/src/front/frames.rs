//! Frames: how they stand, and their pictures.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use farmhand_protocol::agent::FrameFile;
use farmhand_protocol::farm::{FrameState, FrameView, Page};
use farmhand_protocol::{Frame, FrameSet, JobId, TreePath};

use super::{Front, FrontError, LONGEST_PAGE, PAGE, off_thread, unknown_job};
use crate::journal::DeliveredFrame;

/// Which frames a list shows.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
pub(crate) struct FrameFilter {
    /// Only those after this one: the `next` of the page before.
    cursor: Option<Frame>,
    /// Entries of the page; 500 without it, 2000 at most.
    limit: Option<usize>,
    /// Only those in this state.
    state: Option<FrameState>,
    /// Only these.
    frames: Option<FrameSet>,
}

/// A file of a delivered frame, or a film, opened.
pub(crate) struct Picture {
    pub(crate) file: tokio::fs::File,
    pub(crate) meta: FrameFile,
}

impl Front {
    /// Frames of a job, lowest first.
    pub(crate) async fn frames(&self, id: JobId, filter: FrameFilter) -> Result<Page<FrameView>, FrontError> {
        let limit = filter.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
        let asked = self
            .inbox()
            .ask(move |farm, _| {
                let of_job = farm.job(id)?.frames.frames();
                let all = match &filter.frames {
                    Some(wanted) => &wanted.intersection(of_job),
                    None => of_job,
                };
                let from = filter
                    .cursor
                    .and_then(|cursor| all.position(cursor))
                    .map_or(0, |n| n + 1);
                let mut chosen = Vec::new();
                let mut position = from;
                // In steps, so that a filter that few frames pass does not draw up all of a large job at once.
                while chosen.len() <= limit {
                    let step: FrameSet = (position..)
                        .map_while(|n| all.nth(n))
                        .take(LONGEST_PAGE)
                        .collect();
                    if step.is_empty() {
                        break;
                    }
                    position += step.len();
                    let views = farm.frame_views(id, &step).into_iter();
                    let passing = views.filter(|view| filter.state.is_none_or(|state| view.state == state));
                    chosen.extend(passing.take(limit + 1 - chosen.len()));
                }
                Some(chosen)
            })
            .await?;
        let mut items = asked.ok_or_else(|| unknown_job(id))?;
        let next = if items.len() > limit {
            items.truncate(limit);
            items.last().map(|view| view.frame.to_string())
        } else {
            None
        };
        if let (Some(first), Some(last)) = (items.first(), items.last()) {
            let delivered = self.delivered(id, first.frame, last.frame).await?;
            add_files(&mut items, delivered);
        }
        Ok(Page { items, next })
    }

    /// A file of a delivered frame: the named one, or the picture itself.
    pub(crate) async fn picture(
        &self,
        id: JobId,
        frame: Frame,
        file: Option<TreePath>,
    ) -> Result<Picture, FrontError> {
        let job = self.job_view(id)?;
        let delivered = self.delivered(id, frame, frame).await?.pop();
        let files = delivered.map(|delivered| delivered.files).unwrap_or_default();
        let not_there = || {
            FrontError::NotThere(match &file {
                Some(file) => format!("frame {frame} of {id} has no file {file}"),
                None => format!("frame {frame} of {id} is not delivered"),
            })
        };
        let is_asked = |candidate: &&FrameFile| match &file {
            Some(file) => candidate.path == *file,
            None => !candidate.path.as_str().contains('/'),
        };
        let first = || files.first().filter(|_| file.is_none());
        let meta = files
            .iter()
            .find(is_asked)
            .or_else(first)
            .cloned()
            .ok_or_else(not_there)?;
        open(job.output.into(), meta).await
    }

    /// A film of a job.
    pub(crate) async fn film(&self, id: JobId, path: &TreePath) -> Result<Picture, FrontError> {
        let job = self.job_view(id)?;
        let films = job.film.map(|film| film.files).unwrap_or_default();
        let film = films.into_iter().find(|film| film.path == *path);
        let film = film.ok_or_else(|| FrontError::NotThere(format!("{id} has no film {path}")))?;
        open(job.output.into(), film).await
    }

    async fn delivered(
        &self,
        job: JobId,
        first: Frame,
        last: Frame,
    ) -> Result<Vec<DeliveredFrame>, FrontError> {
        let deliveries = Arc::clone(&self.0.deliveries);
        off_thread(move || Ok(deliveries.between(job, first, last)?)).await
    }
}

async fn open(folder: PathBuf, meta: FrameFile) -> Result<Picture, FrontError> {
    let path = meta.path.clone();
    let opened = off_thread(move || open_plainly(&folder, &path)).await?;
    Ok(Picture {
        file: tokio::fs::File::from_std(opened),
        meta,
    })
}

fn add_files(frames: &mut [FrameView], delivered: Vec<DeliveredFrame>) {
    let mut delivered = delivered.into_iter().peekable();
    for view in frames {
        while delivered.next_if(|frame| frame.frame < view.frame).is_some() {}
        // A frame that is rendered again has files of its former revision, but none of this one.
        let Some(frame) = delivered.next_if(|frame| frame.frame == view.frame) else {
            continue;
        };
        if view.state == FrameState::Delivered {
            view.files = frame.files;
            view.node = Some(frame.node);
            view.render_ms = Some(frame.render_ms);
        }
    }
}

/// Opens a file below a folder without following links on the way.
pub(super) fn open_plainly(folder: &Path, path: &TreePath) -> Result<std::fs::File, FrontError> {
    let mut whole = folder.to_owned();
    let parts: Vec<&str> = path.as_str().split('/').collect();
    for (number, part) in parts.iter().enumerate() {
        whole.push(part);
        let disk = |source| FrontError::Disk {
            path: whole.clone(),
            source,
        };
        let found = std::fs::symlink_metadata(&whole).map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                FrontError::NotThere(format!("{} is no longer there", whole.display()))
            } else {
                disk(source)
            }
        })?;
        let is_last = number + 1 == parts.len();
        if found.is_symlink() || found.is_dir() == is_last {
            return Err(FrontError::NotThere(format!(
                "{} is not the file that was delivered",
                whole.display()
            )));
        }
    }
    std::fs::File::open(&whole).map_err(|source| FrontError::Disk { path: whole, source })
}
