//! What the farm tells: its events, lists that were read, answers to what was asked of it.

use farmhand_client::FarmSignal;
use farmhand_protocol::farm::{FarmEvent, JobDetail, NodeState};
use jiff::{SignedDuration, Timestamp};

use super::model::Outcome;
use super::{
    Act, Command, Farm, JobSort, Link, Model, NodeSort, Snapshot, Target, Tone, job, node_screen, undo,
};

/// How long a row tells how an act on it went.
const SHOWN: SignedDuration = SignedDuration::from_secs(4);

/// Takes over what the farm says. Rows of tables are put in order by [`settle`], once for many signals.
pub(crate) fn hear(model: &mut Model, signal: FarmSignal) -> Vec<Command> {
    match signal {
        FarmSignal::Connected => {
            if matches!(model.link, Link::Lost { .. }) {
                model.say(Tone::Good, "connected again");
            }
            model.link = Link::Live;
            Vec::new()
        }
        FarmSignal::Lost { error, retry_in } => {
            let since = match model.link {
                Link::Lost { since, .. } => since,
                Link::Connecting | Link::Live => model.now,
            };
            let wait = SignedDuration::try_from(retry_in).unwrap_or(SignedDuration::ZERO);
            model.link = Link::Lost {
                error,
                since,
                retry_at: model.now.saturating_add(wait).unwrap_or(Timestamp::MAX),
            };
            Vec::new()
        }
        FarmSignal::Event(FarmEvent::Reset) => load_farm(model),
        FarmSignal::Event(event) => {
            let about = match &event {
                FarmEvent::Batch { batch } => Some(batch.job),
                _ => None,
            };
            let changed_job = match &event {
                FarmEvent::Job { job } => Some(job.id),
                _ => None,
            };
            job::heard(model, &event);
            node_screen::heard(model, &event);
            let now = model.now;
            let rings = is_worth_a_bell(model.newest(), &event);
            let changed = model.newest_mut().apply(event, now);
            let commands = Vec::from_iter(rings.then_some(Command::Ring));
            if let Some(job) = changed_job {
                super::submit::job_changed(model, job);
            }
            if model.behind.is_some() {
                return commands;
            }
            // Other values may change places too, where rows are chosen or sorted by them.
            let (jobs, nodes) = (&model.shown_jobs, &model.shown_nodes);
            let any_job = !jobs.filter.is_empty() || jobs.sort.column != JobSort::Queue;
            let any_node = !nodes.filter.is_empty() || nodes.sort.column != NodeSort::Name;
            let of_selected = about.is_some() && about.as_ref() == model.jobs.selected();
            model.dirty.jobs |= changed.jobs || (changed.some_job && any_job);
            model.dirty.nodes |= changed.nodes || (changed.some_node && any_node);
            model.dirty.batches |= of_selected;
            if changed.batches {
                job::sync(model);
            }
            if changed.notes && model.events_back > 0 {
                model.events_back += 1; // What is being read stays where it is.
            }
            commands
        }
    }
}

/// Whether a job ends or a node is lost by this. What is heard of for the first time is no news.
fn is_worth_a_bell(known: &Farm, event: &FarmEvent) -> bool {
    match event {
        FarmEvent::Job { job } => {
            let before = known.jobs.get(&job.id);
            job.state.has_ended() && before.is_some_and(|before| !before.state.has_ended())
        }
        FarmEvent::Node { node } => {
            let before = known.nodes.get(&node.address);
            node.state == NodeState::Lost && before.is_some_and(|before| before.view.state != NodeState::Lost)
        }
        _ => false,
    }
}

/// Puts rows in order where what was heard may have changed it.
pub(crate) fn settle(model: &mut Model) -> Vec<Command> {
    let dirty = std::mem::take(&mut model.dirty);
    if dirty.nodes {
        model.settle_nodes();
    }
    if dirty.jobs {
        model.settle_jobs();
    } else if dirty.batches {
        model.settle_batches();
    }
    if dirty.jobs || dirty.batches {
        read_selected_job(model)
    } else {
        Vec::new()
    }
}

fn load_farm(model: &mut Model) -> Vec<Command> {
    let generation = model.generation();
    model.newest_mut().expect_snapshot();
    model.farm.read.clear();
    model.loading = Some(generation);
    vec![Command::LoadFarm { generation }]
}

pub(crate) fn farm_loaded(
    model: &mut Model,
    generation: u64,
    result: Result<Box<Snapshot>, String>,
) -> Vec<Command> {
    if model.loading != Some(generation) {
        return Vec::new(); // A newer question is under way.
    }
    model.loading = None;
    match result {
        Ok(snapshot) => {
            let now = model.now;
            model.readonly |= snapshot.farm.readonly;
            model.newest_mut().take(*snapshot, now);
            model.settle_all();
            job::farm_loaded(model);
            read_selected_job(model)
        }
        Err(error) => {
            model.say(Tone::Bad, error);
            Vec::new()
        }
    }
}

/// Reads the selected job's batches where they were not read since the last reset.
pub(crate) fn read_selected_job(model: &mut Model) -> Vec<Command> {
    match model.jobs.selected().copied() {
        Some(job) if model.farm.read.insert(job) => {
            job::asked(model, job);
            vec![Command::LoadJob { job }]
        }
        _ => Vec::new(),
    }
}

pub(crate) fn job_loaded(model: &mut Model, detail: &JobDetail) -> Vec<Command> {
    if let Some(behind) = &mut model.behind {
        behind.farm.take_detail(detail);
    }
    model.farm.take_detail(detail);
    if model.jobs.selected() == Some(&detail.job.id) {
        model.settle_batches();
    }
    job::job_loaded(model, detail)
}

/// The act under way can be taken back.
pub(crate) fn can_undo(model: &mut Model, generation: u64, target: &Target, act: Act) {
    if let Some(pending) = model.pending.get_mut(target)
        && pending.generation == generation
    {
        pending.undo = Some(act);
    }
}

pub(crate) fn acted(
    model: &mut Model,
    generation: u64,
    target: &Target,
    result: Result<(), String>,
) -> Vec<Command> {
    if model
        .pending
        .get(target)
        .is_none_or(|pending| pending.generation != generation)
    {
        return Vec::new();
    }
    let Some(pending) = model.pending.remove(target) else {
        return Vec::new();
    };
    let until = model.now.saturating_add(SHOWN).unwrap_or(Timestamp::MAX);
    let good = result.is_ok();
    model.outcomes.insert(target.clone(), Outcome { good, until });
    match result {
        Ok(()) => {
            model.say(Tone::Good, pending.done);
            if let Some(act) = pending.undo {
                undo::offer(model, target.clone(), act);
            }
            Vec::new()
        }
        Err(error) => {
            model.say(Tone::Bad, error);
            load_farm(model) // What was shown may have been wrong.
        }
    }
}
