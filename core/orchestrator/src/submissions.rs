//! Taking jobs in: what is asked for is checked, given a folder, and handed to the loop, one at a time, so that
//! two jobs never claim one folder and one idempotency key never makes two jobs.

use std::cell::{Cell, LazyCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use farmhand_engine::{Command, JobSpec};
use farmhand_protocol::farm::{JobView, SubmitJob};
use farmhand_protocol::{FrameSet, JobId, RenderSettings, TreePath};
use tokio::sync::Mutex;

use crate::blobs::{Blobs, SceneError};
use crate::board::Board;
use crate::inbox::{CommandError, Inbox, Submission};
use crate::journal::UsedKey;
use crate::output::{OutputError, OutputRoots, Wish};
use crate::scene::Stock;

/// Why a job was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Scene(#[from] SceneError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("{0}")]
    NoScene(String),
}

/// Takes jobs in.
pub(crate) struct Submissions {
    pub(crate) inbox: Inbox,
    pub(crate) board: Board,
    pub(crate) blobs: Blobs,
    pub(crate) roots: OutputRoots,
    pub(crate) stock: Stock,
    /// Also the door through which jobs pass one by one.
    keys: Mutex<Keys>,
}

/// Longest name of a job in bytes: with `_`, a number and an extension it must still be a file's name.
const LONGEST_NAME: usize = 200;

impl Submissions {
    pub(crate) fn new(
        inbox: Inbox,
        board: Board,
        blobs: Blobs,
        roots: OutputRoots,
        stock: Stock,
        keys: Vec<UsedKey>,
    ) -> Self {
        Self {
            inbox,
            board,
            blobs,
            roots,
            stock,
            keys: Mutex::new(Keys::of(keys)),
        }
    }

    /// `POST /v1/jobs`.
    pub(crate) async fn submit(&self, request: SubmitJob, key: Option<String>) -> Result<JobId, SubmitError> {
        check(&request)?;
        let fingerprint = fingerprint(&request);
        let mut keys = self.keys.lock().await;
        if let Some(used) = key.as_deref().and_then(|key| keys.find(key)) {
            return if used.fingerprint == fingerprint {
                Ok(used.job)
            } else {
                Err(SubmitError::KeyReused)
            };
        }
        self.blobs.whole_scene(request.scene).await?;
        let spec = self.place(request).await?;
        let job = self
            .inbox
            .submit(Submission {
                spec,
                folder_by_id: None,
                key: key.as_deref().map(|key| (Arc::from(key), fingerprint)),
            })
            .await?;
        if let Some(key) = key {
            keys.add(UsedKey {
                key,
                fingerprint,
                job,
            });
        }
        Ok(job)
    }

    async fn place(&self, request: SubmitJob) -> Result<JobSpec, SubmitError> {
        let (roots, views) = (self.roots.clone(), self.board.views());
        let placing = move || {
            let wish = Wish {
                folder: request.output.as_deref(),
                stem: &request.name,
                frames: &request.frames,
                existing: request.existing,
            };
            let claims = || {
                let open = views.jobs.values().filter(|job| !job.state.has_ended());
                open.map(|job| job.output.as_str())
            };
            // Most get the first folder that they try. Who tries many looks them up, for each search is long where
            // thousands of jobs wait.
            let all = LazyCell::new(|| claims().collect::<HashSet<&str>>());
            let is_first = Cell::new(true);
            let claimed = |folder: &Path| {
                let folder = folder.display().to_string();
                if is_first.replace(false) {
                    claims().any(|claimed| claimed == folder)
                } else {
                    all.contains(folder.as_str())
                }
            };
            let placed = roots.place(wish, claimed)?;
            Ok(JobSpec {
                name: request.name,
                user: request.user,
                scene: request.scene,
                frames: placed.frames,
                skipped: placed.skipped,
                settings: request.settings,
                priority: request.priority,
                output: placed.folder.display().to_string(),
                written_by: request.written_by,
                tags: request.tags,
                batch_size: request.batch_size,
                after: request.after,
                max_nodes: request.max_nodes,
                preview: request.preview,
                video: request.video,
            })
        };
        match tokio::task::spawn_blocking(placing).await {
            Ok(placed) => placed,
            Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
            Err(_) => Err(CommandError::Stopping.into()),
        }
    }

    /// `POST /render`: the default scene into a folder named after the job.
    pub(crate) async fn render(&self, frames: FrameSet) -> Result<JobId, SubmitError> {
        let ready = self.stock.scene().await.map_err(SubmitError::NoScene)?;
        let spec = JobSpec {
            name: "render".to_owned(),
            user: String::new(),
            scene: ready.scene,
            frames,
            skipped: FrameSet::default(),
            settings: RenderSettings::default(),
            priority: 0,
            output: String::new(), // Set by `folder_by_id`.
            written_by: ready.written_by,
            tags: Vec::new(),
            batch_size: None,
            after: None,
            max_nodes: None,
            preview: None,
            video: false,
        };
        let submission = Submission {
            spec,
            folder_by_id: Some(self.roots.root().to_owned()),
            key: None,
        };
        Ok(self.inbox.submit(submission).await?)
    }

    /// Renders frames of a job again. A job that has ended claims its folder anew.
    pub(crate) async fn retry(&self, command: Command, job: Option<JobId>) -> Result<(), SubmitError> {
        let _door = self.keys.lock().await;
        let views = self.board.views();
        if let Some(ended) = job
            .and_then(|job| views.jobs.get(&job))
            .filter(|job| job.state.has_ended())
        {
            let taken = |other: &Arc<JobView>| {
                other.id != ended.id && !other.state.has_ended() && other.output == ended.output
            };
            if views.jobs.values().any(taken) {
                return Err(OutputError::Claimed(PathBuf::from(&ended.output)).into());
            }
        }
        Ok(self.inbox.command(command).await?)
    }
}

fn check(request: &SubmitJob) -> Result<(), SubmitError> {
    let invalid = |words: String| Err(SubmitError::Invalid(words));
    let name = &request.name;
    let is_plain = name
        .parse::<TreePath>()
        .is_ok_and(|path| path.file_name() == name);
    if !is_plain || name.starts_with('.') || name.len() > LONGEST_NAME {
        return invalid(format!(
            "the name {:?} cannot start a picture's name: use 1 to {LONGEST_NAME} bytes without / \\ : and \
             without a leading dot",
            name.chars().take(80).collect::<String>()
        ));
    }
    if request.frames.is_empty() {
        return invalid("a job has at least one frame".to_owned());
    }
    if !(-100..=100).contains(&request.priority) {
        return invalid(format!(
            "priority {} is not between -100 and 100",
            request.priority
        ));
    }
    if request.batch_size == Some(0) {
        return invalid("a batch has at least one frame".to_owned());
    }
    if request.max_nodes == Some(0) {
        return invalid("a job has at least one node".to_owned());
    }
    if request.preview == Some(0) {
        return invalid("a preview takes each Nth frame, N at least 1".to_owned());
    }
    if request.tags.len() > 32 || request.tags.iter().any(|tag| tag.is_empty() || tag.len() > 64) {
        return invalid("a job has at most 32 tags of 1 to 64 bytes".to_owned());
    }
    if let Err(error) = request.settings.check() {
        return invalid(error.to_string());
    }
    if request.user.len() > 200 {
        return invalid("a user's name has at most 200 bytes".to_owned());
    }
    Ok(())
}

fn fingerprint(request: &SubmitJob) -> u64 {
    let json = serde_json::to_vec(request).expect("a request is plain data with string keys");
    let hash = blake3::hash(&json);
    let (start, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    u64::from_le_bytes(*start)
}

/// Used idempotency keys, the newest ones.
#[derive(Debug, Default)]
struct Keys {
    by_key: HashMap<String, UsedKey>,
    oldest_first: VecDeque<String>,
}

impl Keys {
    const KEPT: usize = 10_000;

    fn of(keys: Vec<UsedKey>) -> Self {
        let mut all = Self::default();
        keys.into_iter().for_each(|key| all.add(key));
        all
    }

    fn find(&self, key: &str) -> Option<&UsedKey> {
        self.by_key.get(key)
    }

    fn add(&mut self, used: UsedKey) {
        if self.oldest_first.len() == Self::KEPT
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_key.remove(&oldest);
        }
        self.oldest_first.push_back(used.key.clone());
        self.by_key.insert(used.key.clone(), used);
    }
}
