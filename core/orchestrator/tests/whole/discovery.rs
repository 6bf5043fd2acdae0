//! Agents that are found by name, come, go, and come back elsewhere.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use farmhand_orchestrator::Config;
use farmhand_protocol::farm::{JobState, NodeState, NodeView, Page};

use crate::support::{FakeAgent, Farm, until};

/// What the name stands for at the moment; nothing at all is a resolver that fails.
type Zone = Arc<Mutex<Option<Vec<SocketAddr>>>>;

fn found_in(zone: &Zone, forget_after: Duration) -> impl Fn(&mut Config) + Send + Sync + 'static {
    let zone = Arc::clone(zone);
    move |config| {
        let zone = Arc::clone(&zone);
        config.discover = vec!["dns://agent:3000".parse().unwrap()];
        config.forget_after = forget_after;
        config.policy.lease = Duration::from_secs(2);
        config.resolve = Some(Arc::new(move |host, _| {
            assert_eq!(host, "agent");
            let found = zone.lock().unwrap().clone();
            Box::pin(async move { found.ok_or_else(|| std::io::Error::other("no such name")) })
        }));
    }
}

/// Addresses of several hosts with one port, as containers of one service have.
fn addresses() -> [SocketAddr; 3] {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // The port is part of what is found, whatever the place says: tests cannot have port 3000.
    let port = free.local_addr().unwrap().port();
    [1, 2, 3].map(|host| SocketAddr::from(([127, 0, 0, host], port)))
}

async fn nodes(farm: &Farm) -> Vec<NodeView> {
    let page: Page<NodeView> = farm.get("/v1/nodes").await;
    page.items
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_a_name_stands_for_render_as_they_come_and_one_that_moves_stays_itself() {
    let [first, second, third] = addresses();
    let zone: Zone = Arc::default();
    let (one, two) = (FakeAgent::new(), FakeAgent::new());
    let at_first = one.serve_at(first).await;
    *zone.lock().unwrap() = Some(vec![first]);
    let farm = Farm::start_with(found_in(&zone, Duration::from_mins(10))).await;
    until("the agent is found", async || {
        nodes(&farm)
            .await
            .iter()
            .any(|node| node.state == NodeState::Idle)
    })
    .await;
    one.state().is_held = true;
    let id = farm.submit("castle", "1-30").await;

    // Another one comes while the job runs; a resolver that fails for a moment costs nothing.
    let _at_second = two.serve_at(second).await;
    *zone.lock().unwrap() = Some(vec![first, second]);
    until("the other one renders", async || !two.state().rendered.is_empty()).await;
    *zone.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(nodes(&farm).await.len(), 2);

    // The first one is stopped and comes back under another address.
    drop(at_first);
    *zone.lock().unwrap() = Some(vec![second, third]);
    let _at_third = one.serve_at(third).await;
    one.state().is_held = false;
    until("it is met there", async || {
        let nodes = nodes(&farm).await;
        let met = nodes.iter().find(|node| node.id == Some(one.id())).unwrap();
        nodes.len() == 2 && met.address == format!("http://{third}")
    })
    .await;
    assert_eq!(farm.end_of(&id).await, JobState::Completed);
    assert!(
        nodes(&farm)
            .await
            .iter()
            .all(|node| node.state != NodeState::Connecting),
        "nobody waits for the old address"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_vanishes_is_shown_lost_and_forgotten_after_a_while_and_an_address_without_an_agent_at_once()
{
    let [first, second, _] = addresses();
    let zone: Zone = Arc::new(Mutex::new(Some(vec![first, second])));
    let agent = FakeAgent::new();
    let at_first = agent.serve_at(first).await;
    let place = format!("dns://agent:{}", first.port());
    let found = found_in(&zone, Duration::from_secs(4));
    let farm = Farm::start_with(move |config| {
        found(config);
        config.discover = vec![place.parse().unwrap()];
    })
    .await;
    until("both are shown", async || nodes(&farm).await.len() == 2).await;
    until("one is reached", async || {
        nodes(&farm)
            .await
            .iter()
            .any(|node| node.state == NodeState::Idle)
    })
    .await;
    drop(at_first);
    *zone.lock().unwrap() = Some(Vec::new());
    until("it is shown as lost", async || {
        let nodes = nodes(&farm).await;
        nodes.len() == 1 && nodes[0].state == NodeState::Lost
    })
    .await;
    until("it is forgotten", async || nodes(&farm).await.is_empty()).await;
}
