//! What the model is told, and what it wants done.

use crossterm::event::{KeyEvent, MouseEvent};
use farmhand_client::FarmSignal;
use farmhand_protocol::farm::{BatchView, FrameView, JobDetail, JobView, OutputView, Page, Why};
use farmhand_protocol::{BatchId, Frame, FrameSet, JobId, NodeId};
use jiff::Timestamp;

use super::preview::{PictureRequest, ShownFrame, Side};
use super::{Draft, SceneFile, Snapshot, WhySubject};
use crate::new_job::NewJob;

/// Something happened.
#[derive(Debug)]
pub(crate) enum Msg {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    Resize(u16, u16),
    /// The time, once a second and before each other message that needs it.
    Tick(Timestamp),
    /// From the farm's event stream.
    Signal(FarmSignal),
    /// Answer to [`Command::LoadFarm`].
    FarmLoaded {
        generation: u64,
        result: Result<Box<Snapshot>, String>,
    },
    /// Answer to [`Command::LoadJob`].
    JobLoaded {
        job: JobId,
        result: Result<Box<JobDetail>, String>,
    },
    /// Answer to [`Command::LoadOutput`].
    OutputLoaded {
        job: JobId,
        result: Result<Box<OutputView>, String>,
    },
    /// Answer to [`Command::LoadWhy`].
    WhyLoaded {
        subject: WhySubject,
        result: Result<Why, String>,
    },
    /// Answer to [`Command::LoadHistory`].
    HistoryLoaded {
        node: NodeId,
        cursor: Option<String>,
        result: Result<Page<BatchView>, String>,
    },
    /// Answer to [`Command::LoadFrame`].
    FrameLoaded {
        job: JobId,
        result: Result<Option<Box<FrameView>>, String>,
    },
    /// Answer to [`Command::Act`].
    Acted {
        generation: u64,
        target: Target,
        result: Result<(), String>,
    },
    /// Comes before [`Msg::Acted`], where the act can be taken back by another.
    CanUndo {
        generation: u64,
        target: Target,
        act: Act,
    },
    /// Answer to [`Command::ReadFile`]: at first its range, then all of it.
    FileRead {
        generation: u64,
        result: Result<SceneFile, String>,
    },
    /// Answer to [`Command::ListPaths`].
    PathsListed {
        generation: u64,
        hits: Vec<PathHit>,
    },
    /// How far [`Command::Submit`] is, in words.
    Submitting {
        generation: u64,
        doing: String,
    },
    /// Answer to [`Command::Submit`].
    Submitted {
        generation: u64,
        result: Result<Box<JobView>, String>,
    },
    /// Answer to [`Command::LoadLog`].
    LogLoaded {
        generation: u64,
        result: Result<String, String>,
    },
    /// Answer to [`Command::ShowPicture`].
    PictureReady {
        generation: u64,
        side: Side,
        result: Result<Box<ShownFrame>, String>,
    },
    /// Answer to [`Command::PlayOn`].
    PlayOn {
        generation: u64,
    },
    /// Something was done that nobody waits for, in words.
    Done(String),
    /// The orchestrator of this process was handed over; we are a client like any other now.
    HandedOver,
    /// Something outside the model failed, in words.
    Trouble(String),
}

/// A file or folder that a typed path may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathHit {
    /// The whole path as it would be typed; folders end in `/`.
    pub(crate) path: String,
    /// For a file.
    pub(crate) size: Option<u64>,
}

/// Something to be done outside the model. The answer comes as a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    LoadFarm {
        generation: u64,
    },
    LoadJob {
        job: JobId,
    },
    /// What has come of a job, and its last frames.
    LoadOutput {
        job: JobId,
        newest: usize,
    },
    LoadFrame {
        job: JobId,
        frame: Frame,
    },
    LoadWhy {
        subject: WhySubject,
    },
    /// Batches of a node: the newest, or those before `cursor`.
    LoadHistory {
        node: NodeId,
        cursor: Option<String>,
        limit: usize,
    },
    /// Shows a folder in the desktop's file manager.
    OpenFolder {
        path: String,
    },
    Act {
        generation: u64,
        target: Target,
        act: Act,
    },
    ReadFile {
        generation: u64,
        path: String,
    },
    ListPaths {
        generation: u64,
        typed: String,
        blends_only: bool,
    },
    /// Write the form's draft down, or remove it.
    KeepDraft(Option<Draft>),
    Submit {
        generation: u64,
        job: Box<NewJob>,
    },
    LoadLog {
        generation: u64,
        job: JobId,
        frame: Frame,
    },
    /// Replaces what was asked for the same side before.
    ShowPicture(Box<PictureRequest>),
    /// Say so when a picture of a play was seen for long enough.
    PlayOn {
        generation: u64,
    },
    /// Send text to the terminal's clipboard.
    Copy {
        text: String,
    },
    /// Ring the terminal's bell, where its person wants that.
    Ring,
    /// Write text to a new file.
    SaveText {
        name: String,
        text: String,
    },
    /// Open a file in the desktop's own program.
    OpenOutside {
        path: String,
    },
    Suspend,
    Quit(Leave),
}

/// What becomes of an orchestrator in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Handed over to a process that goes on without us.
    Running,
    /// Ended with us; jobs go on when it is started again.
    Stopped,
}

/// What an act is about; one is under way for each at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Job(JobId),
    Batch(BatchId),
    Node(NodeId),
    Farm,
    /// The submit form.
    Form,
}

/// A change of the farm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    CancelJob(JobId),
    RetryJob(JobId),
    Pause(JobId),
    Resume(JobId),
    CancelBatch(BatchId),
    RetryBatch(BatchId),
    CancelJobs(Vec<JobId>),
    CancelFrames {
        job: JobId,
        frames: FrameSet,
    },
    /// Delivered ones too.
    RetryFrames {
        job: JobId,
        frames: FrameSet,
    },
    SetPriority {
        job: JobId,
        priority: i32,
    },
    Drain {
        node: NodeId,
        now: bool,
        until: Option<Timestamp>,
    },
    Undrain(NodeId),
    AddNode(String),
    /// The job's files are read again.
    Verify(JobId),
    MakeFilms(JobId),
    ForgetJob(JobId),
    ForgetNode(NodeId),
}
