//! One call: sent, answered or refused, in words that a person can act on.

use farmhand_http::{cause_of, is_about_trust};
use farmhand_protocol::Problem;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

/// Why a call to the orchestrator gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody answered there.
    #[error("no farm answers at {farm}: {cause}")]
    Unreachable {
        /// The address that was asked.
        farm: String,
        /// The innermost cause, in words.
        cause: String,
    },
    /// Who answers there cannot be believed, or speaks the other one of http and https.
    #[error("cannot speak to the farm at {farm}: {cause}")]
    Untrusted {
        /// The address that was asked.
        farm: String,
        /// What is wrong, in words.
        cause: String,
    },
    /// The orchestrator wants a token, or another one.
    #[error("the farm refuses the token: {0}; give it with --token-file FILE or in FARMHAND_TOKEN")]
    Unauthorised(String),
    /// The orchestrator said no, and why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// An answer that this version cannot read.
    #[error("cannot read the farm's answer: {0}")]
    Unreadable(String),
}

impl CallError {
    /// The kind of a refusal, as in [`Problem::kind`].
    pub fn kind(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.kind),
            _ => None,
        }
    }

    /// Whether what was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 404)
    }

    /// Whether asking again later may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(problem) => matches!(problem.status, 429 | 500..),
            Self::Untrusted { .. } | Self::Unauthorised(_) | Self::Unreadable(_) => false,
        }
    }

    pub(crate) fn unreachable(farm: &impl ToString, error: &(dyn std::error::Error + 'static)) -> Self {
        let (farm, cause) = (farm.to_string(), cause_of(error));
        if is_about_trust(error) {
            Self::Untrusted { farm, cause }
        } else {
            Self::Unreachable { farm, cause }
        }
    }
}

/// Sends a request and returns a successful response.
pub(crate) async fn send(farm: &impl ToString, request: RequestBuilder) -> Result<Response, CallError> {
    let response = request
        .send()
        .await
        .map_err(|error| CallError::unreachable(farm, &error))?;
    accepted(response).await
}

/// The response, where it is a success.
pub(crate) async fn accepted(response: Response) -> Result<Response, CallError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    Err(refusal(status, &body))
}

/// Sends a request and reads the JSON answer.
pub(crate) async fn fetch<T: DeserializeOwned>(
    farm: &impl ToString,
    request: RequestBuilder,
) -> Result<T, CallError> {
    let body = send(farm, request)
        .await?
        .bytes()
        .await
        .map_err(|error| CallError::unreachable(farm, &error))?;
    serde_json::from_slice(&body).map_err(|error| CallError::Unreadable(error.to_string()))
}

fn refusal(status: StatusCode, body: &str) -> CallError {
    let problem = Problem::of_answer(status.as_u16(), body, &status.to_string());
    if status == StatusCode::UNAUTHORIZED {
        CallError::Unauthorised(problem.detail)
    } else {
        CallError::Refused(Box::new(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_farms_own_words() {
        let body = r#"{"type":"job-unknown","status":404,"detail":"there is no job j9"}"#;
        let error = refusal(StatusCode::NOT_FOUND, body);
        assert_eq!(error.to_string(), "there is no job j9");
        assert!(error.is_not_found() && !error.is_passing());
        assert_eq!(
            refusal(StatusCode::BAD_GATEWAY, "").to_string(),
            "502 Bad Gateway"
        );
        assert!(refusal(StatusCode::BAD_GATEWAY, "").is_passing());
    }
}
