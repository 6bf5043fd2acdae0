//! Agents that register themselves: found without being named, themselves wherever they come back, and in words
//! about why when they cannot be reached.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;
use std::path::Path;

use farmhand_protocol::agent::Joining;
use farmhand_protocol::farm::{NodeState, NodeView};
use farmhand_tests::{Agent, AgentPlan, Farm, FarmPlan, eventually, free_port};

/// An agent without a Blender that joins this farm; no work is needed to be known.
async fn joiner(folder: &Path, ip: Ipv4Addr, farm: &str, more: &[&str]) -> Agent {
    let mut arguments = vec!["--name", "joiner", "--join", farm];
    arguments.extend(more);
    let plan = AgentPlan {
        ip: Some(ip),
        more: arguments.into_iter().map(str::to_owned).collect(),
        ..AgentPlan::default()
    };
    Agent::start(folder, "joiner", plan).await
}

async fn nodes(farm: &Farm) -> Vec<NodeView> {
    farm.client.nodes().await.unwrap()
}

/// Waits until the farm's only node is reached at this address.
async fn until_reached(farm: &Farm, address: &str) -> NodeView {
    eventually(
        &format!("the farm has one node, reached at {address}"),
        async || {
            let nodes = nodes(farm).await;
            let reached = |node: &NodeView| !matches!(node.state, NodeState::Lost | NodeState::Connecting);
            match &nodes[..] {
                [node] if node.address == address && reached(node) => Some(node.clone()),
                _ => None,
            }
        },
    )
    .await
}

/// Waits until the agent says this of its joining.
async fn until_joining(agent: &Agent, says: &str, is_so: impl Fn(&Joining) -> bool) -> Joining {
    eventually(says, async || agent.node().await.joining.filter(&is_so)).await
}

#[tokio::test]
async fn an_agent_that_joins_is_found_stays_itself_under_another_address_and_is_back_when_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let farm = Farm::start(FarmPlan::default()).await;
    let first = joiner(folder.path(), Ipv4Addr::new(127, 0, 0, 2), &farm.address, &[]).await;
    let node = until_reached(&farm, &first.address).await;
    let joining = until_joining(&first, "it knows that it is joined", |joining| joining.joined).await;
    assert_eq!(joining.address.as_ref(), Some(&first.address));
    assert_eq!((joining.farm, joining.problem), (farm.address.clone(), None));

    drop(first);
    let second = joiner(folder.path(), Ipv4Addr::new(127, 0, 0, 3), &farm.address, &[]).await;
    let moved = until_reached(&farm, &second.address).await;
    assert_eq!(moved.id, node.id);

    let removed = farm.farmhand(["nodes", "--remove", "joiner"]);
    assert_eq!(removed.code, Some(0), "{}", removed.all());
    assert_eq!(until_reached(&farm, &second.address).await.id, node.id);
}

#[tokio::test]
async fn an_agent_waits_for_its_orchestrator_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}");
    let agent = joiner(folder.path(), Ipv4Addr::LOCALHOST, &address, &[]).await;
    let alone = until_joining(&agent, "it says that nobody answers", |joining| {
        joining.problem.is_some()
    })
    .await;
    assert!(
        alone
            .problem
            .unwrap()
            .starts_with("no orchestrator answers there")
    );
    let farm = Farm::start_at(port, FarmPlan::default()).await;
    until_reached(&farm, &agent.address).await;
    until_joining(&agent, "it knows that it is joined", |joining| joining.joined).await;
}

#[tokio::test]
async fn an_agent_that_cannot_be_dialled_back_says_where_it_was_sought_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let farm = Farm::start(FarmPlan::default()).await;
    let closed = format!("http://127.0.0.9:{}", free_port());
    let agent = joiner(
        folder.path(),
        Ipv4Addr::LOCALHOST,
        &farm.address,
        &["--advertise", &closed],
    )
    .await;
    let sought = format!("cannot reach this agent at {closed}");
    let says = |joining: &Joining| {
        joining
            .problem
            .as_ref()
            .is_some_and(|problem| problem.contains(&sought))
    };
    let joining = until_joining(&agent, "it says that it is not reached", says).await;
    assert!(joining.problem.unwrap().contains("--advertise"));
    assert!(agent.program.said().contains(&sought), "the log says so too");

    // Where it should be there is another one.
    let other = tempfile::tempdir().unwrap();
    let neighbour = Agent::start(other.path(), "neighbour", AgentPlan::default()).await;
    drop(agent);
    let more = ["--advertise", &neighbour.address];
    let agent = joiner(folder.path(), Ipv4Addr::new(127, 0, 0, 4), &farm.address, &more).await;
    let says = |joining: &Joining| {
        joining
            .problem
            .as_ref()
            .is_some_and(|problem| problem.contains("another agent"))
    };
    until_joining(&agent, "it says that another agent is there", says).await;
}

#[tokio::test]
async fn an_agent_with_another_token_is_refused_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let token = |name: &str, token: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, token).unwrap();
        file.display().to_string()
    };
    let ours = token("ours", "correct-horse-battery-staple");
    let theirs = token("theirs", "another-horse-another-staple");
    let farm = Farm::start(FarmPlan {
        more: vec!["--token-file".into(), ours],
        ..FarmPlan::default()
    })
    .await;
    let plan = AgentPlan {
        more: ["--token-file", &theirs, "--join", &farm.address]
            .map(str::to_owned)
            .into(),
        ..AgentPlan::default()
    };
    let mut agent = Agent::start(folder.path(), "agent", plan).await;
    eventually("the log says that it is refused", async || {
        agent.program.ended().is_none().then_some(())?;
        agent
            .program
            .said()
            .contains("the orchestrator refuses this agent")
            .then_some(())
    })
    .await;
}
