//! Nodes.

use std::sync::PoisonError;
use std::time::Duration;

use farmhand_engine::Command;
use farmhand_protocol::NodeId;
use farmhand_protocol::farm::{NodeState, NodeView, Page, Why};
use jiff::Timestamp;

use super::jobs::in_words;
use super::{Front, FrontError, page};
use crate::address::agent_address;
use crate::inbox::CommandError;

/// Which nodes a list shows.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
pub(crate) struct NodeFilter {
    /// Only those after this one: the `next` of the page before.
    cursor: Option<String>,
    /// Entries of the page; 500 without it, 2000 at most.
    limit: Option<usize>,
    /// Only those in this state.
    state: Option<NodeState>,
    /// Part of the name, in any case.
    name: Option<String>,
    /// Part of the address.
    address: Option<String>,
}

impl Front {
    pub(crate) fn nodes(&self, filter: &NodeFilter) -> Page<NodeView> {
        let views = self.views();
        let name = filter.name.as_deref().map(str::to_lowercase);
        let shown = views
            .nodes
            .iter()
            .filter(|(key, _)| filter.cursor.as_ref().is_none_or(|cursor| *key > cursor))
            .filter(|(_, node)| filter.state.is_none_or(|state| node.state == state))
            .filter(|(_, node)| {
                name.as_ref()
                    .is_none_or(|name| node.name.to_lowercase().contains(name))
            })
            .filter(|(_, node)| {
                let address = filter.address.as_ref();
                address.is_none_or(|address| node.address.contains(address))
            });
        page(
            shown,
            filter.limit,
            |(_, node)| NodeView::clone(node),
            |(key, _)| (*key).clone(),
        )
    }

    /// Why a node renders nothing, or what it renders.
    pub(crate) async fn why_node(&self, id: NodeId) -> Result<Why, FrontError> {
        let causes = self
            .inbox()
            .ask(move |farm, now| farm.causes_of_node(id, now))
            .await?;
        let causes = causes.ok_or_else(|| FrontError::Unknown(format!("node {id}")))?;
        Ok(in_words(causes))
    }

    pub(crate) async fn add_node(&self, address: &str) -> Result<(), FrontError> {
        let address = agent_address(address)?;
        self.0.links.may_dial(&address)?;
        Ok(self.inbox().command(Command::AddNode { address }).await?)
    }

    /// Forgets a node, or an address that never answered.
    pub(crate) async fn remove_node(&self, node: &str) -> Result<(), FrontError> {
        if let Ok(id) = node.parse::<NodeId>() {
            return Ok(self.inbox().command(Command::RemoveNode(id)).await?);
        }
        let address = agent_address(node)?;
        let removed = self
            .inbox()
            .command(Command::RemoveAddress(address.clone()))
            .await;
        // One that was named at the start only is nothing that the farm remembers.
        let was_linked = self.0.links.disconnect(&address);
        match removed {
            Err(CommandError::Refused(_)) if was_linked => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// Drains a node; with `until` it gets work again then, unless someone drains or resumes it before.
    pub(crate) async fn drain_node(
        &self,
        node: NodeId,
        now: bool,
        until: Option<Timestamp>,
    ) -> Result<(), FrontError> {
        self.inbox().command(Command::Drain { node, now }).await?;
        let turn = self.next_turn(node);
        if let Some(until) = until {
            let front = self.clone();
            tokio::spawn(async move {
                let wait = until.duration_since(Timestamp::now());
                let sleep = tokio::time::sleep(Duration::try_from(wait).unwrap_or_default());
                let waited = front.0.stop.run_until_cancelled(sleep).await;
                if waited.is_some() && front.is_turn(node, turn) {
                    let _gone_meanwhile = front.undrain_node(node).await;
                }
            });
        }
        Ok(())
    }

    pub(crate) async fn undrain_node(&self, node: NodeId) -> Result<(), FrontError> {
        self.next_turn(node);
        Ok(self.inbox().command(Command::Undrain(node)).await?)
    }

    /// Counts how often a node was drained or resumed, so that a timer knows whether it is still meant.
    fn next_turn(&self, node: NodeId) -> u64 {
        let mut turns = self.0.drain_turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry(node).or_insert(0);
        *turn += 1;
        *turn
    }

    fn is_turn(&self, node: NodeId, turn: u64) -> bool {
        let turns = self.0.drain_turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.get(&node) == Some(&turn)
    }
}
