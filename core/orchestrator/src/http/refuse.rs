//! Errors as problem details: the one place that knows which status stands for what.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use farmhand_engine::Refusal;
use farmhand_http::{IntakeError, Reject};

use crate::blobs::SceneError;
use crate::front::FrontError;
use crate::inbox::CommandError;
use crate::output::OutputError;
use crate::submissions::SubmitError;

impl IntoResponse for FrontError {
    fn into_response(self) -> Response {
        let words = self.to_string();
        let reject = match self {
            Self::Unknown(_) => Reject::new(StatusCode::NOT_FOUND, "not-found", words),
            Self::NotThere(_) => Reject::new(StatusCode::NOT_FOUND, "not-there", words),
            Self::Invalid(_) | Self::Address(_) | Self::Plain(_) => {
                Reject::new(StatusCode::BAD_REQUEST, "invalid", words)
            }
            Self::Submit(error) => submit(error),
            Self::Command(error) => command(&error),
            Self::Journal(_) | Self::Disk { .. } => {
                tracing::error!(error = words, "a call failed");
                Reject::new(StatusCode::INTERNAL_SERVER_ERROR, "disk", words)
            }
        };
        reject.into_response()
    }
}

fn submit(error: SubmitError) -> Reject {
    let words = error.to_string();
    match error {
        SubmitError::Invalid(_) => Reject::new(StatusCode::BAD_REQUEST, "invalid", words),
        SubmitError::KeyReused => Reject::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", words),
        SubmitError::NoScene(_) => Reject::new(StatusCode::SERVICE_UNAVAILABLE, "no-scene", words),
        SubmitError::Scene(SceneError::Missing(missing)) => {
            Reject::new(StatusCode::CONFLICT, "scene-missing", words).missing(missing)
        }
        SubmitError::Scene(SceneError::Unusable(_)) => {
            Reject::new(StatusCode::BAD_REQUEST, "bad-scene", words)
        }
        SubmitError::Scene(SceneError::Disk(_)) => {
            Reject::new(StatusCode::INTERNAL_SERVER_ERROR, "disk", words)
        }
        SubmitError::Output(error) => output(&error),
        SubmitError::Command(error) => command(&error),
    }
}

fn output(error: &OutputError) -> Reject {
    let (status, kind) = match error {
        OutputError::Outside(..) => (StatusCode::BAD_REQUEST, "output-outside"),
        OutputError::NotAFolder(_) => (StatusCode::BAD_REQUEST, "output-not-a-folder"),
        OutputError::HasPictures { .. } => (StatusCode::CONFLICT, "output-exists"),
        OutputError::Claimed(_) => (StatusCode::CONFLICT, "output-claimed"),
        OutputError::Io { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "output-unusable"),
    };
    Reject::new(status, kind, error.to_string())
}

fn command(error: &CommandError) -> Reject {
    let (status, kind) = match error {
        CommandError::Refused(Refusal::Unknown(_)) => (StatusCode::NOT_FOUND, "not-found"),
        CommandError::Refused(Refusal::Conflict(_)) => (StatusCode::CONFLICT, "conflict"),
        CommandError::Refused(Refusal::Invalid(_)) => (StatusCode::BAD_REQUEST, "invalid"),
        CommandError::NotDurable(_) => (StatusCode::SERVICE_UNAVAILABLE, "journal-unwritable"),
        CommandError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    };
    let reject = Reject::new(status, kind, error.to_string());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        reject.retry_after(5)
    } else {
        reject
    }
}

/// Why a blob is not taken in.
#[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
pub(super) fn refuse_blob(error: IntakeError) -> Reject {
    let (status, kind) = match &error {
        IntakeError::WrongHash { .. } => (StatusCode::BAD_REQUEST, "hash-mismatch"),
        IntakeError::WrongOffset { .. } => (StatusCode::CONFLICT, "wrong-offset"),
        IntakeError::BrokenOff(_) => (StatusCode::BAD_REQUEST, "broken-off"),
        IntakeError::OverQuota { room } => {
            let said = format!(
                "the farm's store of scenes is full, {room} bytes of its quota are left: start the farm with a larger \
                 --store"
            );
            return Reject::new(StatusCode::INSUFFICIENT_STORAGE, "over-quota", said);
        }
        IntakeError::Disk(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            (StatusCode::INSUFFICIENT_STORAGE, "disk-full")
        }
        IntakeError::Disk(_) => (StatusCode::INTERNAL_SERVER_ERROR, "disk"),
    };
    Reject::new(status, kind, error.to_string())
}
