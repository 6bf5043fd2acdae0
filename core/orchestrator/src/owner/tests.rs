//! Tests of the loop that owns the farm.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use farmhand_engine::Command;
use farmhand_protocol::{BootId, Epoch, FarmId};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::blobs::Blobs;
use crate::inbox::Inbox;
use crate::journal::Remembered;
use crate::link::Means;
use crate::links::Dialling;
use crate::notify::{Notify, Posts};
use crate::spans::Tracer;
use crate::sqlite::SqliteJournal;
use crate::telemetry::Telemetry;

/// A journal on a disk that is full from time to time.
struct Flaky {
    journal: SqliteJournal,
    is_full: Arc<AtomicBool>,
}

impl Journal for Flaky {
    fn epoch(&self) -> Epoch {
        self.journal.epoch()
    }
    fn commit(&mut self, turn: &Turn) -> Result<(), JournalError> {
        if self.is_full.swap(false, Ordering::SeqCst) {
            let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            return Err(JournalError::Store {
                path: "farm.db".into(),
                source: rusqlite::Error::SqliteFailure(full, None),
            });
        }
        self.journal.commit(turn)
    }
    fn load(&mut self) -> Result<Remembered, JournalError> {
        self.journal.load()
    }
    fn let_go(&mut self, job: JobId, most: usize) -> Result<bool, JournalError> {
        self.journal.let_go(job, most)
    }
    fn wants_snapshot(&self) -> bool {
        true // After every turn: so that a reload reads snapshots too.
    }
    fn snapshot(&mut self, state: &str) -> Result<(), JournalError> {
        self.journal.snapshot(state)
    }
}

struct Started {
    _folder: tempfile::TempDir,
    inbox: Inbox,
    is_full: Arc<AtomicBool>,
    running: std::thread::JoinHandle<()>,
}

/// An owner whose clocks show that it was away for a while.
async fn start(away: Duration) -> Started {
    let folder = tempfile::tempdir().unwrap();
    let id = FarmId(uuid::Uuid::from_u128(7));
    let journal = SqliteJournal::open(&folder.path().join("farm.db"), id).unwrap();
    let is_full = Arc::new(AtomicBool::new(false));
    let (inbox, waiting) = Inbox::new(64);
    let telemetry = Arc::new(Telemetry::default());
    let (painter, board) = Painter::new(BootId(1), Arc::clone(&telemetry));
    let metrics = Arc::new(Metrics::new(Instant::now()));
    let means = Means {
        farm: id,
        inbox: inbox.clone(),
        blobs: Blobs::open(folder.path().join("blobs"), u64::MAX).await.unwrap(),
        homes: crate::upload::Homes::default(),
        scratch: folder.path().join("scratch"),
        telemetry,
        metrics: Arc::clone(&metrics),
        tracer: Tracer::new(id, farmhand_observe::Spans::default()),
        logs: Arc::new(crate::kept_logs::KeptLogs::open(folder.path().join("frame-logs"))),
        routes: Mutex::default(),
    };
    let then = Instant::now().checked_sub(away).unwrap();
    let dialling = Dialling {
        tokens: None,
        trust: farmhand_tls::Trust::Nobody,
        plain: true,
    };
    let posts = Posts::for_webhooks(&[]).unwrap();
    let owner = Owner {
        farm: Farm::new(id),
        policy: Policy::default(),
        journal: Box::new(Flaky {
            journal,
            is_full: Arc::clone(&is_full),
        }),
        painter,
        lives: Lives::new(means.tracer.clone()),
        links: Arc::new(Links::new(means, dialling, BTreeSet::new())),
        notices: Notices::start(
            &Notify::default(),
            &posts,
            id,
            board,
            &metrics,
            &CancellationToken::new(),
        ),
        metrics,
        started: then,
        ticked: then,
        turned: then,
        leaving: Vec::new(),
    };
    let runtime = tokio::runtime::Handle::current();
    let running = std::thread::spawn(move || {
        let _spawns_tasks = runtime.enter();
        owner.run(waiting);
    });
    Started {
        _folder: folder,
        inbox,
        is_full,
        running,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_made_durable_never_was() {
    let started = start(Duration::ZERO).await;
    let inbox = &started.inbox;
    let add = |port: u16| Command::AddNode {
        address: format!("http://127.0.0.1:{port}"),
    };
    inbox.command(add(9)).await.unwrap();
    started.is_full.store(true, Ordering::SeqCst);
    let refused = inbox.command(add(10)).await;
    assert!(matches!(refused, Err(CommandError::NotDurable(_))), "{refused:?}");
    inbox.command(add(11)).await.unwrap();
    let addresses = inbox.ask(|farm, _| farm.addresses()).await.unwrap();
    assert_eq!(
        addresses.into_iter().collect::<Vec<_>>(),
        ["http://127.0.0.1:11", "http://127.0.0.1:9"]
    );
    inbox.stop().await;
    started.running.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn time_in_which_nobody_listened_counts_for_no_lease() {
    let started = start(Duration::from_secs(30)).await;
    let since_start = started.inbox.ask(|_, now| now.since_start).await.unwrap();
    assert!(since_start < Duration::from_secs(5), "{since_start:?}");
    started.inbox.stop().await;
    started.running.join().unwrap();
}
