//! Agents and orchestrators of different versions in one farm, and what older ones wrote.

use farmhand_protocol::farm::{JobState, NodeState};
use farmhand_tests::fuzzing::{corpus, target};
use farmhand_tests::{Agent, AgentPlan, Blender, Farm, FarmPlan, Scene, Translator, eventually};

#[tokio::test]
async fn one_minor_version_apart_a_job_is_rendered_and_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), "agent", AgentPlan::with(Blender::Executable)).await;
    let newer = Translator::start(&agent.address, 1).await;
    let farm = Farm::start(FarmPlan {
        more: vec!["--node".to_owned(), newer.address.clone()],
        ..FarmPlan::default()
    })
    .await;
    let scene = Scene::LIGHT.make(Blender::Executable, folder.path());
    let id = farm.submit(&scene, "1-6", &["--batch-size", "2"]);
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Completed, "{ended:?}");
    assert_eq!(ended.job.counts.delivered, 6, "{ended:?}");
}

#[tokio::test]
async fn an_agent_two_minor_versions_apart_gets_no_work_and_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), "agent", AgentPlan::default()).await;
    let newer = Translator::start(&agent.address, 2).await;
    let farm = Farm::start(FarmPlan {
        more: vec!["--node".to_owned(), newer.address.clone()],
        ..FarmPlan::default()
    })
    .await;
    let node = eventually("the node's version is looked at", async || {
        let nodes = farm.client.nodes().await.ok()?;
        nodes.into_iter().find(|node| {
            let problem = node.problem.as_deref().unwrap_or_default();
            problem.contains("speaks protocol 1.2")
        })
    })
    .await;
    assert!(!matches!(node.state, NodeState::Idle | NodeState::Rendering));
}

/// `tests/fuzz/corpus` holds what programs of protocol 1.0 said to each other in a real farm, and a journal of theirs.
#[test]
fn what_version_1_0_said_and_wrote_is_understood_whole() {
    for name in [
        "agent_body",
        "agent_event",
        "farm_body",
        "farm_event",
        "manifest",
        "facts",
    ] {
        let target = target(name);
        for (path, bytes) in corpus(target) {
            assert!((target.read)(&bytes), "{}", path.display());
        }
    }
}
