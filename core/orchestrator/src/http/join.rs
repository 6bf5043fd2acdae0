//! How nodes get their certificates.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use farmhand_http::{Json, Reject};
use farmhand_protocol::{JoinFarm, Joined, RenewCertificate};
use farmhand_tls::RedeemError;

use crate::certificates::JoinError;
use crate::front::Front;

pub(super) async fn join(
    State(front): State<Front>,
    Json(asked): Json<JoinFarm>,
) -> Result<Json<Joined>, JoinError> {
    Ok(Json(front.join(asked).await?))
}

pub(super) async fn renew(
    State(front): State<Front>,
    Json(asked): Json<RenewCertificate>,
) -> Result<Json<Joined>, JoinError> {
    Ok(Json(front.renew_certificate(asked).await?))
}

impl IntoResponse for JoinError {
    fn into_response(self) -> Response {
        let (status, kind) = match &self {
            Self::Ticket(RedeemError::Io(error)) => {
                tracing::error!(%error, "the use of a join token cannot be written down");
                (StatusCode::INTERNAL_SERVER_ERROR, "disk")
            }
            Self::Ticket(refused) => {
                tracing::warn!(reason = %refused, "somebody may not join");
                (StatusCode::FORBIDDEN, "join-token")
            }
            Self::Request(_) => (StatusCode::BAD_REQUEST, "invalid"),
            Self::NoAuthority => (StatusCode::NOT_FOUND, "no-ca"),
        };
        Reject::new(status, kind, self.to_string()).into_response()
    }
}
