//! The one loop that owns the farm: takes all waiting messages, decides and applies each in turn, commits
//! their facts in one transaction, then shows what changed, answers callers, and carries effects out. Must not
//! know any rule of the farm.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farmhand_engine::{
    Decision, Effect, Event, Fact, Farm, Now, Policy, Stamped, decide, ended_jobs, narrate, schedule,
};
use farmhand_protocol::farm::{Note, Weight};
use farmhand_protocol::{BatchId, JobId, NodeId};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::board::Painter;
use crate::inbox::{CommandError, Message, Question, Submission};
use crate::journal::{DeliveredFrame, Journal, JournalError, Turn};
use crate::links::Links;
use crate::log::log;
use crate::memory::recall;
use crate::metrics::Metrics;
use crate::notify::Notices;
use crate::spans::Lives;
use crate::touched::Touched;

/// Messages that one turn takes at most.
const TURN_SIZE: usize = 1024;

/// The engine hears of time passing so often.
const TICK_EVERY: Duration = Duration::from_millis(500);

/// Files of a forgotten job that are dropped at a time.
const LET_GO: usize = 5000;

/// A loop that was away for so long (stopped, or waiting for its disk) cannot tell silence from not having
/// listened: that time counts for no lease.
const AWAY: Duration = Duration::from_secs(2);

/// Owns the farm. Runs on a thread of its own, because it waits for the disk.
pub(crate) struct Owner {
    pub(crate) farm: Farm,
    pub(crate) policy: Policy,
    pub(crate) journal: Box<dyn Journal>,
    pub(crate) painter: Painter,
    pub(crate) links: Arc<Links>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) notices: Notices,
    pub(crate) lives: Lives,
    pub(crate) started: Instant,
    pub(crate) ticked: Instant,
    /// When the latest turn began.
    pub(crate) turned: Instant,
    /// Forgotten jobs of which the journal still holds files.
    pub(crate) leaving: Vec<JobId>,
}

/// What one turn has led to.
#[derive(Default)]
struct Work {
    stamped: Vec<Stamped>,
    /// What the diary says of each of them.
    told: Vec<Option<Note>>,
    effects: Vec<Effect>,
    touched: Touched,
    /// Jobs that the turn has ended.
    ended: BTreeSet<JobId>,
    notes: Vec<Note>,
    turn: Turn,
    answers: Vec<Answer>,
    questions: Vec<Question>,
    time_passed: bool,
    stop: bool,
}

/// Whether there is a next turn.
#[derive(Debug, PartialEq, Eq)]
enum Go {
    On,
    Stop,
}

/// A caller to be answered once the turn is durable.
enum Answer {
    Done(oneshot::Sender<Result<(), CommandError>>),
    Submitted(oneshot::Sender<Result<JobId, CommandError>>, JobId),
}

impl Answer {
    fn succeed(self) {
        match self {
            Self::Done(caller) => drop(caller.send(Ok(()))),
            Self::Submitted(caller, job) => drop(caller.send(Ok(job))),
        }
    }

    fn fail(self, error: CommandError) {
        match self {
            Self::Done(caller) => drop(caller.send(Err(error))),
            Self::Submitted(caller, _) => drop(caller.send(Err(error))),
        }
    }
}

impl Owner {
    /// Runs until it is told to stop or nobody can tell it anything any more.
    pub(crate) fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        while let Some(first) = inbox.blocking_recv() {
            self.leave_out_absence();
            let mut work = Work::default();
            let mut waiting = Some(first);
            for _ in 0..TURN_SIZE {
                let Some(message) = waiting else { break };
                self.take(message, &mut work);
                waiting = inbox.try_recv().ok();
            }
            if let Some(message) = waiting {
                self.take(message, &mut work);
            } else if work.time_passed {
                // Only now: a sign of life that waited must count before silence does.
                self.tell_time(&mut work);
            }
            let now = self.now();
            let handed_out = schedule(&self.farm, now);
            self.apply(handed_out, now, &mut work);
            let stop = work.stop;
            if self.finish(work) == Go::Stop || stop {
                break;
            }
        }
        self.links.close_all();
    }

    fn leave_out_absence(&mut self) {
        let away = self.turned.elapsed();
        self.turned = Instant::now();
        if away > AWAY {
            self.started += away;
        }
    }

    fn tell_time(&mut self, work: &mut Work) {
        if self.ticked.elapsed() >= TICK_EVERY {
            self.ticked = Instant::now();
            let now = self.now();
            self.tell(Event::Tick, now, work);
            self.let_go();
        }
    }

    /// Drops some of what the journal holds of a forgotten job.
    fn let_go(&mut self) {
        let Some(job) = self.leaving.last().copied() else {
            return;
        };
        match self.journal.let_go(job, LET_GO) {
            Ok(true) => {}
            Ok(false) => drop(self.leaving.pop()),
            Err(error) => {
                tracing::warn!(%error, %job, "files of a forgotten job stay in the journal for now");
            }
        }
    }

    fn now(&self) -> Now {
        Now {
            since_start: self.started.elapsed(),
            wall: Timestamp::now(),
        }
    }

    fn take(&mut self, message: Message, work: &mut Work) {
        let now = self.now();
        match message {
            Message::Tick => work.time_passed = true,
            Message::Report(report) => self.tell(Event::Report(report), now, work),
            Message::Command { command, answer } => match decide(&self.farm, now, Event::Command(command)) {
                Ok(decision) => {
                    self.apply(decision, now, work);
                    work.answers.push(Answer::Done(answer));
                }
                Err(refusal) => drop(answer.send(Err(refusal.into()))),
            },
            Message::Submit { submission, answer } => match self.submit(*submission, now, work) {
                Ok(job) => work.answers.push(Answer::Submitted(answer, job)),
                Err(error) => drop(answer.send(Err(error))),
            },
            Message::Ask(question) => work.questions.push(question),
            Message::Note { weight, text, job } => work.notes.push(Note {
                at: now.wall,
                weight,
                text,
                job,
                node: None,
            }),
            Message::Stop => work.stop = true,
        }
    }

    /// Tells the engine what is never refused.
    fn tell(&mut self, event: Event, now: Now, work: &mut Work) {
        match decide(&self.farm, now, event) {
            Ok(decision) => self.apply(decision, now, work),
            Err(refusal) => tracing::warn!(%refusal, "the engine refused a report"),
        }
    }

    fn submit(
        &mut self,
        mut submission: Submission,
        now: Now,
        work: &mut Work,
    ) -> Result<JobId, CommandError> {
        let command = farmhand_engine::Command::Submit(Box::new(submission.spec.clone()));
        let mut decision = decide(&self.farm, now, Event::Command(command))?;
        let Some(job) = decision.submitted() else {
            return Err(CommandError::NotDurable("no job came of it".to_owned()));
        };
        if let Some(root) = submission.folder_by_id.take() {
            let folder = root.join(format!("render-{job}")).display().to_string();
            for fact in &mut decision.facts {
                if let Fact::JobSubmitted { spec, .. } = fact {
                    spec.output.clone_from(&folder);
                }
            }
        }
        work.turn.keys.extend(submission.used_key(job));
        self.apply(decision, now, work);
        Ok(job)
    }

    fn apply(&mut self, decision: Decision, now: Now, work: &mut Work) {
        let stamped = decision.apply_to(&mut self.farm, now);
        for fact in &stamped {
            work.touched.by_fact(&self.farm, &fact.fact);
            let note = narrate(&self.farm, fact);
            work.told.push(note.clone());
            work.notes.extend(note);
        }
        for sighting in &decision.sightings {
            work.touched.by_sighting(&self.farm, sighting);
            self.lives.seen(sighting, now.wall);
        }
        work.ended.extend(ended_jobs(&self.farm, &stamped));
        work.stamped.extend(stamped);
        work.effects.extend(decision.effects);
    }

    /// Makes a turn durable, and only then lets anyone know of it or act on it.
    fn finish(&mut self, mut work: Work) -> Go {
        if let Err(error) = self.commit(&mut work) {
            let superseded = matches!(error, JournalError::Superseded { .. });
            self.refuse(work, &error);
            if superseded {
                return Go::Stop; // The farm is another's now.
            }
            self.start_over(&error);
            return Go::On;
        }
        for (stamped, note) in work.stamped.iter().zip(&work.told) {
            log(&self.farm, stamped, note.as_ref());
        }
        self.metrics.happened(&self.farm, &work.stamped, &work.ended);
        self.lives.happened(&self.farm, &work.stamped, &work.ended);
        if self.notices.are_wanted() {
            let now = self.now();
            let jobs = work.ended.iter().filter_map(|id| self.farm.job_view(*id, now));
            jobs.for_each(|job| self.notices.job_ended(job));
        }
        self.leaving.extend(forgotten_jobs(&work.stamped));
        let ended = ended_batches(&self.farm, &work.stamped);
        for (node, batch) in ended {
            self.links.forget(&self.farm, node, batch);
        }
        for effect in work.effects {
            self.links.carry_out(&self.farm, effect);
        }
        let now = self.now();
        let addresses = || self.links.addresses();
        self.painter
            .draw(&self.farm, now, addresses, work.touched, work.notes);
        self.painter.time_passes(&self.farm, now, addresses);
        work.answers.into_iter().for_each(Answer::succeed);
        for question in work.questions {
            question(&self.farm, now);
        }
        Go::On
    }

    fn commit(&mut self, work: &mut Work) -> Result<(), JournalError> {
        for stamped in &work.stamped {
            let json = serde_json::to_string(stamped).expect("facts are plain data with string keys");
            work.turn.facts.push(json);
            work.turn.delivered.extend(delivered(stamped));
        }
        if work.turn.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        self.journal.commit(&work.turn)?;
        self.metrics.committed(work.turn.facts.len(), begun.elapsed());
        if self.journal.wants_snapshot() {
            let state = serde_json::to_string(&self.farm).expect("a farm is plain data with string keys");
            if let Err(error) = self.journal.snapshot(&state) {
                // The facts are there all the same; the next turn tries again.
                tracing::warn!(%error, "no snapshot written");
            }
        }
        Ok(())
    }

    /// A turn that could not be made durable never was.
    fn refuse(&self, work: Work, error: &JournalError) {
        tracing::error!(%error, farm = %self.farm.id(), "a turn was not durable and is discarded");
        for answer in work.answers {
            answer.fail(CommandError::NotDurable(error.to_string()));
        }
    }

    /// Reads the state back from the journal, as a start does.
    fn start_over(&mut self, error: &JournalError) {
        let recalled = loop {
            let loaded = self.journal.load().map_err(|error| error.to_string());
            match loaded.and_then(|remembered| recall(&remembered)) {
                Ok(recalled) => break recalled,
                Err(error) => {
                    tracing::error!(error, "the journal cannot be read back; trying again");
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        };
        self.farm = recalled.farm;
        self.farm.open(self.journal.epoch(), self.policy);
        self.started = Instant::now(); // Every node gets a full lease.
        let now = self.now();
        let note = Note {
            at: now.wall,
            weight: Weight::Error,
            text: format!("what happened last could not be written and was taken back: {error}"),
            job: None,
            node: None,
        };
        let addresses = || self.links.addresses();
        self.painter.draw_all(&self.farm, now, addresses);
        self.painter
            .draw(&self.farm, now, addresses, Touched::default(), vec![note]);
        // What was only seen is gone with the state: everyone is asked anew. A full disk is not cured by
        // asking faster.
        std::thread::sleep(Duration::from_secs(1));
        self.links.greet_all();
    }
}

/// Batches for which nothing more needs to be under way.
fn ended_batches(farm: &Farm, facts: &[Stamped]) -> BTreeSet<(NodeId, BatchId)> {
    let ended = facts.iter().filter_map(|stamped| match &stamped.fact {
        Fact::BatchEnded { batch, .. } | Fact::BatchLost { batch } => Some(*batch),
        _ => None,
    });
    ended
        .filter_map(|batch| Some((farm.batch(batch)?.node, batch)))
        .collect()
}

fn forgotten_jobs(facts: &[Stamped]) -> impl Iterator<Item = JobId> {
    facts.iter().filter_map(|stamped| match stamped.fact {
        Fact::JobForgotten { job } => Some(job),
        _ => None,
    })
}

fn delivered(stamped: &Stamped) -> Option<DeliveredFrame> {
    match &stamped.fact {
        Fact::FrameDelivered {
            job,
            frame,
            revision,
            node,
            files,
            render_ms,
            ..
        } => Some(DeliveredFrame {
            job: *job,
            frame: *frame,
            revision: *revision,
            node: *node,
            render_ms: *render_ms,
            at_ms: stamped.at.as_millisecond(),
            files: files.clone(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
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
}
