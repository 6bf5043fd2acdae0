//! Jobs of one priority share a farm of real programs: a job of one frame that is submitted while a long one renders
//! goes before what has not begun of that.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use farmhand_client::{PackedScene, pack_scene};
use farmhand_http::{Received, RetryDelay, follow};
use farmhand_protocol::agent::{AgentEvent, BatchPhase};
use farmhand_protocol::farm::{JobState, SubmitJob};
use farmhand_protocol::{BatchId, EventId};
use farmhand_tests::{AgentPlan, Blender, Farm, FarmPlan, Scene, build_path, eventually};
use futures_util::StreamExt;

/// What the only slot does, in its agent's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// A batch has arrived.
    Arrived(BatchId),
    /// A frame of a batch begins.
    Began(BatchId),
    /// A frame of a batch is done.
    Done(BatchId),
}

/// One slot, and a Blender whose frames take a quarter of a second.
fn agent() -> AgentPlan {
    let stand_in = build_path("farmhand-stand-in").display().to_string();
    AgentPlan {
        more: vec!["--blender".to_owned(), stand_in],
        environment: vec![("STAND_IN_MS".to_owned(), "250".to_owned())],
        ..AgentPlan::default()
    }
}

fn watch(address: &str) -> Arc<Mutex<Vec<Seen>>> {
    let url = format!("{address}/v1/events");
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let client = farmhand_http::client(&farmhand_tls::Trust::Nobody)
        .build()
        .unwrap();
    let request = move |after: Option<EventId>| {
        let request = client.get(&url);
        match after {
            Some(id) => request.query(&[("after", id.to_string())]),
            None => request,
        }
    };
    let delay = RetryDelay {
        first: Duration::from_millis(50),
        longest: Duration::from_millis(50),
    };
    tokio::spawn(async move {
        let mut events = std::pin::pin!(follow(request, Duration::from_mins(1), delay));
        while let Some(received) = events.next().await {
            let Received::Event(event) = received else {
                continue;
            };
            let what = match event {
                AgentEvent::BatchPhase {
                    key,
                    phase: BatchPhase::Queued,
                } => Seen::Arrived(key.batch),
                AgentEvent::FrameStarted { key, .. } => Seen::Began(key.batch),
                AgentEvent::FrameFinished { key, .. } => Seen::Done(key.batch),
                _ => continue,
            };
            noted.lock().unwrap().push(what);
        }
    });
    seen
}

/// Uploaded before, so that a submit is one call.
async fn uploaded(farm: &Farm, scene: Scene) -> PackedScene {
    let file = scene.make(Blender::Executable, &farm.folder().join("scenes"));
    let packed = pack_scene(file, Vec::new(), Vec::new()).await.unwrap();
    farm.client.upload(&packed, |_| ()).await.unwrap();
    packed
}

fn job(name: &str, scene: &PackedScene, frames: &str) -> SubmitJob {
    let job = serde_json::json!({"name": name, "scene": scene.hash(), "frames": frames});
    serde_json::from_value(job).unwrap()
}

#[tokio::test]
async fn a_job_of_one_frame_begins_on_the_only_slot_as_soon_as_the_frame_there_is_done() {
    let farm = Farm::start(FarmPlan {
        agents: vec![agent()],
        ..FarmPlan::default()
    })
    .await;
    let seen = watch(&farm.agents[0].address);
    let (of_long, of_short) = (
        uploaded(&farm, Scene::BASIC).await,
        uploaded(&farm, Scene::LIGHT).await,
    );
    let long = farm.client.submit(&job("long", &of_long, "1-40"), "long").await;
    let long = long.unwrap().id;
    // Its first batches are short, to measure; the one that renders now has many frames that have not begun.
    eventually("the long job is in the middle of a batch", async || {
        let detail = farm.job(long).await;
        let running = detail.batches.iter().find(|batch| batch.ended.is_none())?;
        let begun = |seen: &&Seen| **seen == Seen::Began(running.id);
        let begun = seen.lock().unwrap().iter().filter(begun).count();
        (running.frames.len() >= 8 && (1..4).contains(&begun)).then_some(())
    })
    .await;

    let short = farm.client.submit(&job("short", &of_short, "1"), "short").await;
    let submitted = seen.lock().unwrap().len();
    let short = short.unwrap().id;
    let detail = farm.ended(short).await;
    assert_eq!(detail.job.state, JobState::Completed);
    let batch = detail.batches[0].id;

    let seen_of = eventually("its frame has been seen", async || {
        let seen = seen.lock().unwrap().clone();
        seen.contains(&Seen::Done(batch)).then_some(seen)
    });
    let all = seen_of.await;
    let place = |what: Seen| all.iter().position(|seen| *seen == what).unwrap();
    let others = |from: usize| {
        let before = all[..place(Seen::Began(batch))].iter().skip(from);
        before.filter(|seen| matches!(seen, Seen::Began(_))).count()
    };
    // One may begin in the moment in which the order for the short job's is on its way.
    let (since_submit, since_arrival) = (others(submitted), others(place(Seen::Arrived(batch))));
    assert!(
        since_submit <= 1 && since_arrival <= 1,
        "{since_submit} frames of the long job began between the submit and the short job's frame, {since_arrival} of \
         them after that had arrived: {all:?}"
    );
    let still = farm.job(long).await.job;
    assert_eq!(still.state, JobState::Running, "the long job goes on behind it");
    assert_eq!(farm.ended(long).await.job.state, JobState::Completed);
}
