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
mod tests;
