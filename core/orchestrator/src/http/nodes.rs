//! Calls about nodes.

use axum::extract::State;
use axum::http::StatusCode;
use farmhand_http::{Json, JsonOrDefault, Path, Query};
use farmhand_protocol::NodeId;
use farmhand_protocol::farm::{AddNode, DrainNode, NodeView, Page, Why};

use crate::front::{Front, FrontError, NodeFilter};

pub(super) async fn list(
    State(front): State<Front>,
    Query(filter): Query<NodeFilter>,
) -> Json<Page<NodeView>> {
    Json(front.nodes(&filter))
}

pub(super) async fn why(State(front): State<Front>, Path(id): Path<NodeId>) -> Result<Json<Why>, FrontError> {
    Ok(Json(front.why_node(id).await?))
}

pub(super) async fn add(
    State(front): State<Front>,
    Json(request): Json<AddNode>,
) -> Result<StatusCode, FrontError> {
    front.add_node(&request.address).await?;
    Ok(StatusCode::CREATED)
}

pub(super) async fn remove(
    State(front): State<Front>,
    Path(node): Path<String>,
) -> Result<StatusCode, FrontError> {
    front.remove_node(&node).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn drain(
    State(front): State<Front>,
    Path(node): Path<NodeId>,
    JsonOrDefault(DrainNode { now, until }): JsonOrDefault<DrainNode>,
) -> Result<StatusCode, FrontError> {
    front.drain_node(node, now, until).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn resume(
    State(front): State<Front>,
    Path(node): Path<NodeId>,
) -> Result<StatusCode, FrontError> {
    front.undrain_node(node).await?;
    Ok(StatusCode::NO_CONTENT)
}
