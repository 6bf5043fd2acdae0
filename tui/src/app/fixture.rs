//! A farm for tests: a running, a waiting, a failed and a finished job, and nodes in every state.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use farmhand_client::FarmSignal;
use farmhand_protocol::agent::{EngineInfo, Hardware, Load, Progress};
use farmhand_protocol::farm::{
    AttemptView, BatchState, BatchView, DeliveredView, FarmEvent, FarmView, FrameCounts, FrameState,
    FramesInState, JobDetail, JobState, JobView, MovedFrames, NodeState, NodeView, Note, OutputView, Page,
    SlotView, Weight, Why,
};
use farmhand_protocol::{
    BatchId, BatchKey, Cause, Device, Failure, FailureKind, FarmId, FrameSet, JobId, NodeId,
};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Size;
use uuid::Uuid;

use super::{Act, Command, Dialog, Model, Msg, Overlay, Snapshot, Stage, update};
use crate::rehearsal::{plain_job, plain_node};

pub(crate) fn now() -> Timestamp {
    "2026-11-24T14:03:20Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(crate) fn frames(text: &str) -> FrameSet {
    text.parse().unwrap()
}

pub(crate) fn job(id: u64, name: &str, state: JobState, counts: FrameCounts) -> JobView {
    JobView {
        user: "ana".to_owned(),
        priority: 50,
        submitted: ago(3000),
        started: Some(ago(2460)),
        ended: state.has_ended().then(|| ago(600)),
        eta_ms: (state == JobState::Running).then_some(1_500_000),
        ..plain_job(id, name, state, counts)
    }
}

pub(crate) fn batch(id: u64, job: u64, node: u64, state: BatchState) -> BatchView {
    let first = id * 10 + 31;
    let running = matches!(state, BatchState::Assigned | BatchState::Rendering);
    BatchView {
        id: BatchId(id),
        job: JobId(job),
        node: NodeId(Uuid::from_u128(node.into())),
        node_name: format!("rtx-0{node}"),
        state,
        frames: frames(&format!("{first}-{}", first + 9)),
        delivered: frames(&format!("{first}-{}", first + 4)),
        failed: FrameSet::default(),
        why: "the fastest free node".to_owned(),
        assigned: ago(300),
        ended: (!running).then(|| ago(20)),
        mean_frame_ms: Some(31_400),
        note: None,
    }
}

pub(crate) fn node(number: u64, name: &str, state: NodeState) -> NodeView {
    NodeView {
        address: format!("http://10.0.0.{number}:3000"),
        since: ago(3600),
        ..plain_node(number, name, state)
    }
}

fn moved(text: &str, to: Option<&str>) -> MovedFrames {
    MovedFrames {
        job: JobId(7),
        batch: BatchId(11),
        frames: frames(text),
        to: to.map(str::to_owned),
    }
}

fn slot(job: u64, batch: u64, frame: i64, sample: u32) -> SlotView {
    SlotView {
        job: Some(JobId(job)),
        progress: Progress {
            slot: 0,
            key: BatchKey {
                farm: FarmId(Uuid::from_u128(9)),
                batch: BatchId(batch),
            },
            frame: Some(frame.try_into().unwrap()),
            doing: "rendering".to_owned(),
            sample: Some(sample),
            samples: Some(512),
            remaining_ms: Some(8_000),
            elapsed_ms: 24_000,
            memory_bytes: 9_771_050_598,
        },
    }
}

fn counts(delivered: u32, rendering: u32, failed: u32, total: u32) -> FrameCounts {
    FrameCounts {
        pending: total - delivered - rendering - failed,
        leased: 0,
        rendering,
        delivered,
        failed,
        cancelled: 0,
    }
}

fn note(seconds: i64, weight: Weight, text: &str) -> Note {
    Note {
        at: ago(seconds),
        weight,
        text: text.to_owned(),
        job: None,
        node: None,
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let rendering = |number, name: &str, state, slot: SlotView, rate| NodeView {
        running: vec![slot],
        frames_per_minute: rate,
        ..node(number, name, state)
    };
    Snapshot {
        farm: FarmView {
            id: FarmId(Uuid::from_u128(9)),
            version: "0.1.0".to_owned(),
            output: "/renders".to_owned(),
            nodes_ready: 6,
            nodes: 7,
            readonly: false,
            notes: vec![
                note(
                    23,
                    Weight::Success,
                    "j5 finished: 24 frames in 0:31, in /renders/lookdev",
                ),
                note(
                    2,
                    Weight::Warning,
                    "rtx-04 was not heard from for 10 s: 1 batch goes elsewhere",
                ),
                note(
                    0,
                    Weight::Error,
                    "j7 frame 142 failed on rtx-04: Blender was ended by signal 11",
                ),
            ],
        },
        jobs: vec![
            job(5, "lookdev", JobState::Completed, counts(24, 0, 0, 24)),
            job(6, "wipe_test", JobState::Failed, counts(27, 0, 3, 30)),
            job(7, "intro_v12", JobState::Running, counts(155, 2, 2, 250)),
            job(
                8,
                "群衆シーン_最終版_長い名前のテスト",
                JobState::Running,
                counts(257, 2, 0, 900),
            ),
            JobView {
                priority: 10,
                started: None,
                reason: Some("all nodes are busy".to_owned()),
                ..job(9, "titles", JobState::Waiting, counts(0, 0, 0, 30))
            },
        ],
        nodes: vec![
            rendering(1, "rtx-01", NodeState::Rendering, slot(7, 12, 156, 384), 1.9),
            rendering(2, "rtx-02", NodeState::Rendering, slot(7, 13, 161, 110), 1.8),
            rendering(3, "rtx-03", NodeState::Rendering, slot(8, 31, 310, 512), 2.4),
            NodeView {
                problem: Some("it has no Blender: run `farmhand-agent setup` there".to_owned()),
                ..node(4, "cpu-01", NodeState::Unfit)
            },
            node(5, "cpu-02", NodeState::Idle),
            rendering(6, "mac-01", NodeState::Draining, slot(8, 30, 305, 500), 1.1),
            NodeView {
                silent_ms: Some(42_000),
                moved: vec![moved("150-153", Some("rtx-02")), moved("154-155", None)],
                ..node(7, "rtx-04", NodeState::Lost)
            },
        ],
    }
}

/// A failed attempt at a frame of job 7.
pub(crate) fn attempt(frame: i64, message: &str) -> AttemptView {
    let log = [
        "Fra:142 Mem:9.10G | Sample 400/512",
        "CUDA error: Out of memory in cuMemAlloc",
        "Blender quit",
    ];
    let log = log.map(str::to_owned).to_vec();
    AttemptView {
        frame: frame.try_into().unwrap(),
        batch: BatchId(11),
        node: NodeId(Uuid::from_u128(4)),
        node_name: "rtx-04".to_owned(),
        at: ago(20),
        failure: Failure::new(FailureKind::BlenderKilled, message).with_log(log),
    }
}

/// What has come of job 7.
pub(crate) fn output() -> OutputView {
    let newest = (0..60).map(|n: i64| DeliveredView {
        frame: (155 - n).try_into().unwrap(),
        at: ago(3 + n * 12),
        node: NodeId(Uuid::from_u128(1)),
        render_ms: 28_000 + u64::try_from(n * 7919 % 13_000).unwrap(),
        path: format!("{:04}.exr", 155 - n).parse().unwrap(),
    });
    OutputView {
        folder: "/renders/intro_v12".to_owned(),
        files: 155,
        bytes: 4_402_341_478,
        newest: newest.collect(),
    }
}

/// The batches of job 7.
pub(crate) fn detail() -> JobDetail {
    JobDetail {
        job: snapshot().jobs[2].clone(),
        states: [
            (FrameState::Delivered, "1-141,143-149,151-157"),
            (FrameState::Failed, "142,150"),
            (FrameState::Rendering, "158-159"),
            (FrameState::Pending, "160-250"),
        ]
        .map(|(state, text)| FramesInState {
            state,
            frames: frames(text),
        })
        .to_vec(),
        batches: vec![
            batch(13, 7, 2, BatchState::Assigned),
            batch(12, 7, 1, BatchState::Rendering),
            BatchView {
                failed: frames("142"),
                ..batch(11, 7, 4, BatchState::Lost)
            },
            BatchView {
                delivered: frames("131-140"),
                ..batch(10, 7, 3, BatchState::Ended)
            },
            batch(9, 7, 3, BatchState::Cancelled),
        ],
        attempts: vec![
            attempt(142, "Blender was ended by SIGSEGV in the frame"),
            attempt(170, "it broke"),
        ],
    }
}

/// A dashboard that has heard nothing yet.
pub(crate) fn silent(width: u16, height: u16) -> Model {
    let address = "http://127.0.0.1:4000".to_owned();
    Model::new(
        address,
        Stage::Hosting,
        now(),
        TimeZone::UTC,
        Size::new(width, height),
    )
}

/// A dashboard that shows this.
pub(crate) fn showing(snapshot: Snapshot, width: u16, height: u16) -> Model {
    let mut model = silent(width, height);
    update(&mut model, Msg::Signal(FarmSignal::Connected));
    let commands = update(&mut model, Msg::Signal(FarmSignal::Event(FarmEvent::Reset)));
    let [Command::LoadFarm { generation }] = commands[..] else {
        panic!("a reset reads the farm: {commands:?}")
    };
    update(
        &mut model,
        Msg::FarmLoaded {
            generation,
            result: Ok(Box::new(snapshot)),
        },
    );
    model
}

/// A dashboard of a busy farm.
pub(crate) fn busy(width: u16, height: u16) -> Model {
    let mut model = showing(snapshot(), width, height);
    let detail = detail();
    update(
        &mut model,
        Msg::JobLoaded {
            job: detail.job.id,
            result: Ok(Box::new(detail)),
        },
    );
    model
}

/// A dashboard of a farm with nothing in it.
pub(crate) fn empty(width: u16, height: u16) -> Model {
    let mut snapshot = snapshot();
    snapshot.jobs.clear();
    snapshot.nodes.clear();
    snapshot.farm.notes.clear();
    showing(snapshot, width, height)
}

/// Presses keys, one letter each.
pub(crate) fn press(model: &mut Model, keys: &str) -> Vec<Command> {
    keys.chars()
        .flat_map(|letter| {
            let code = match letter {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                '\u{1b}' => KeyCode::Esc,
                '\u{8}' => KeyCode::Backspace,
                letter => KeyCode::Char(letter),
            };
            update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
        })
        .collect()
}

/// Presses a letter with ctrl.
pub(crate) fn ctrl(model: &mut Model, letter: char) -> Vec<Command> {
    let key = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
    update(model, Msg::Key(key))
}

/// The farm says something.
pub(crate) fn event(model: &mut Model, event: FarmEvent) -> Vec<Command> {
    update(model, Msg::Signal(FarmSignal::Event(event)))
}

/// What the farm is asked to do.
pub(crate) fn acts(commands: &[Command]) -> Vec<&Act> {
    let act = |command: &'_ Command| matches!(command, Command::Act { .. });
    commands
        .iter()
        .filter(|command| act(command))
        .filter_map(|command| match command {
            Command::Act { act, .. } => Some(act),
            _ => None,
        })
        .collect()
}

/// The question that is asked.
pub(crate) fn dialog(model: &Model) -> &Dialog {
    match &model.overlay {
        Some(Overlay::Dialog(dialog)) => dialog,
        other => panic!("no question is asked: {other:?}"),
    }
}
/// The screen of job 7.
pub(crate) fn job_screen(width: u16, height: u16) -> Model {
    let mut model = busy(width, height);
    super::job::open(&mut model, JobId(7));
    let result = Ok(Box::new(detail()));
    update(
        &mut model,
        Msg::JobLoaded {
            job: JobId(7),
            result,
        },
    );
    let result = Ok(Box::new(output()));
    update(
        &mut model,
        Msg::OutputLoaded {
            job: JobId(7),
            result,
        },
    );
    model
}

/// A node with everything that can be said of one.
fn rich_node() -> NodeView {
    let engine = |version: &str, devices: &[Device], denoiser| EngineInfo {
        version: version.parse().unwrap(),
        path: "/opt/blender".to_owned(),
        devices: devices.to_vec(),
        denoiser,
    };
    NodeView {
        slots: 2,
        tags: vec!["gpu".to_owned(), "rtx".to_owned()],
        engines: vec![
            engine("4.5.3", &[Device::Cpu, Device::Cuda, Device::Optix], true),
            engine("3.4.1", &[Device::Cpu], false),
        ],
        hardware: Hardware {
            os: "Debian GNU/Linux 12".to_owned(),
            cpu: "AMD Ryzen 9 7950X".to_owned(),
            threads: 32,
            memory_bytes: 128 << 30,
            gpus: vec!["NVIDIA GeForce RTX 4090".to_owned()],
        },
        load: Load {
            cpu: 0.14,
            memory_bytes: 21 << 30,
            disk_free_bytes: 812 << 30,
        },
        ..snapshot().nodes[0].clone()
    }
}

fn node_event(model: &mut Model, view: NodeView) {
    let event = FarmEvent::Node { node: Box::new(view) };
    update(model, Msg::Signal(FarmSignal::Event(event)));
}

/// The screen of node rtx-01, watched for a minute.
pub(crate) fn node_screen(width: u16, height: u16) -> Model {
    let mut model = busy(width, height);
    for second in 1..=60_u8 {
        // Later than the first look at the farm: an older sample would be none.
        model.now = ago(-i64::from(second));
        let mut view = rich_node();
        view.load.cpu = f32::from(second % 20) / 20.0;
        node_event(&mut model, view);
    }
    model.now = now();
    node_event(&mut model, rich_node());
    super::node_screen::open(&mut model, "http://10.0.0.1:3000".to_owned());
    let failed = BatchView {
        failed: frames("145-147"),
        delivered: frames("141-144"),
        note: Some("files that the scene names are missing: //wood.png".to_owned()),
        ..batch(11, 7, 1, BatchState::Ended)
    };
    let done = BatchView {
        delivered: frames("131-140"),
        ..batch(10, 7, 1, BatchState::Ended)
    };
    let items = vec![
        batch(12, 7, 1, BatchState::Rendering),
        failed,
        done,
        batch(9, 6, 1, BatchState::Lost),
    ];
    update(
        &mut model,
        Msg::HistoryLoaded {
            node: NodeId(Uuid::from_u128(1)),
            cursor: None,
            result: Ok(Page { items, next: None }),
        },
    );
    model
}

/// The screen of the lost node rtx-04.
pub(crate) fn lost_node_screen(width: u16, height: u16) -> Model {
    let mut model = busy(width, height);
    super::node_screen::open(&mut model, "http://10.0.0.7:3000".to_owned());
    model
}

/// Why frame 142 of job 7 failed.
pub(crate) fn why_page(width: u16, height: u16) -> Model {
    let mut model = job_screen(width, height);
    super::why::open(&mut model);
    let mut cause = Cause::of(&detail().attempts[0].failure);
    cause.frames = frames("142,150");
    cause.nodes = vec!["rtx-04".to_owned()];
    let cause = cause.advise("then render them again: farmhand retry j7");
    let waiting =
        Cause::new("every suitable node is busy").shown_by("rtx-01 renders j8 crowd of priority 60");
    let subject = match model.screen() {
        super::Screen::Why(page) => page.subject,
        other => panic!("{other:?}"),
    };
    let why = Why {
        reasons: Vec::new(),
        causes: vec![cause, waiting],
    };
    update(
        &mut model,
        Msg::WhyLoaded {
            subject,
            result: Ok(why),
        },
    );
    model
}
