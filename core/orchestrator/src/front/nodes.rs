//! Nodes.

use farmhand_engine::Command;
use farmhand_protocol::NodeId;
use farmhand_protocol::farm::{NodeState, NodeView, Page};

use super::{Front, FrontError, page};
use crate::address::agent_address;
use crate::inbox::CommandError;

/// Which nodes a list shows.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct NodeFilter {
    cursor: Option<String>,
    limit: Option<usize>,
    state: Option<NodeState>,
    /// Part of the name, in any case.
    name: Option<String>,
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
            });
        page(
            shown,
            filter.limit,
            |(_, node)| NodeView::clone(node),
            |(key, _)| (*key).clone(),
        )
    }

    pub(crate) async fn add_node(&self, address: &str) -> Result<(), FrontError> {
        let address = agent_address(address)?;
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

    pub(crate) async fn command_node(&self, command: Command) -> Result<(), FrontError> {
        Ok(self.inbox().command(command).await?)
    }
}
