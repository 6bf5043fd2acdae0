//! Agents that announce themselves on the local network, found without being named.
use std::net::Ipv4Addr;
use std::time::Duration;

use farmhand_protocol::farm::NodeState;
use farmhand_tests::{Agent, AgentPlan, Farm, FarmPlan, eventually};

#[tokio::test]
async fn agents_that_announce_themselves_are_found_and_stay_themselves_when_they_move() {
    let folder = tempfile::tempdir().unwrap();
    let announced = |last: u8| AgentPlan {
        ip: Some(Ipv4Addr::new(127, 0, 0, last)),
        more: vec!["--mdns".to_owned()],
        ..AgentPlan::default()
    };
    // Before anyone listens, so that it is asked for.
    let mut agent = Agent::start(folder.path(), "agent", announced(1)).await;
    let farm = Farm::start(FarmPlan {
        more: vec!["--discover".into(), "mdns".into()],
        ..FarmPlan::default()
    })
    .await;
    let id = agent.node().await.id;
    // Others on this network may announce agents of theirs.
    let found = async |agent: &Agent| {
        eventually("the agent is found where it is", async || {
            let nodes = farm.client.nodes().await.unwrap();
            nodes.into_iter().find(|node| {
                let reached = !matches!(node.state, NodeState::Lost | NodeState::Connecting);
                node.id == Some(id) && node.address == agent.address && reached
            })
        })
        .await
    };
    found(&agent).await;

    // An orderly end takes the announcement back; then it comes elsewhere, while the farm listens.
    agent.program.terminate(Duration::from_secs(30));
    drop(agent);
    let agent = Agent::start(folder.path(), "agent", announced(1)).await;
    found(&agent).await;
    let nodes = farm.client.nodes().await.unwrap();
    assert_eq!(nodes.iter().filter(|node| node.id == Some(id)).count(), 1);
}
