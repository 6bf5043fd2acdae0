//! Nodes that are taken from a farm for a while.

use std::time::Duration;

use farmhand_protocol::NodeId;
use farmhand_protocol::farm::{NodeState, NodeView, Page};
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;

use crate::support::{FakeAgent, Farm};

async fn node(farm: &Farm) -> NodeView {
    let page = farm.http.get(farm.url("/v1/nodes")).send().await.unwrap();
    let mut page: Page<NodeView> = page.json().await.unwrap();
    page.items.remove(0)
}

async fn until(farm: &Farm, state: NodeState) -> NodeView {
    for _ in 0..500 {
        let node = node(farm).await;
        if node.state == state {
            return node;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the node is not {state:?}: {:?}", node(farm).await);
}

async fn drain_for(farm: &Farm, id: NodeId, seconds: i64) {
    let until = Timestamp::now() + SignedDuration::from_secs(seconds);
    let path = format!("/v1/nodes/{id}/drain");
    let drained = farm.post(&path, serde_json::json!({ "until": until })).await;
    assert_eq!(drained.status(), StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_drained_until_a_time_works_again_then() {
    let (_agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let id = until(&farm, NodeState::Idle).await.id.unwrap();
    drain_for(&farm, id, 2).await;
    until(&farm, NodeState::Drained).await;
    until(&farm, NodeState::Idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_word_about_the_node_stops_the_timer() {
    let (_agent, address) = FakeAgent::start().await;
    let farm = Farm::start(&[&address]).await;
    let id = until(&farm, NodeState::Idle).await.id.unwrap();
    drain_for(&farm, id, 1).await;
    // For ever, this time.
    let again = farm
        .post(&format!("/v1/nodes/{id}/drain"), serde_json::json!({}))
        .await;
    assert_eq!(again.status(), StatusCode::NO_CONTENT);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(node(&farm).await.state, NodeState::Drained);
}
