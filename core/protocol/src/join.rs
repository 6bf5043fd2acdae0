//! How a node gets its certificate: the first one for a join token, later ones for the farm's own token.

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/join`, the one call that needs no token but a secret that was given out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinFarm {
    /// The secret of a join token.
    pub secret: String,
    /// The node's name, for people.
    pub name: String,
    /// A certificate signing request, as PEM text. Of what it asks for only the key is taken.
    pub request: String,
}

/// Body of `POST /v1/certificates`: the same for a node that has the farm's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenewCertificate {
    /// The node's name, for people.
    pub name: String,
    /// A certificate signing request, as PEM text. Of what it asks for only the key is taken.
    pub request: String,
}

/// Answer of both: all that a node needs to serve the farm.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Joined {
    /// The node's certificate and behind it the authority's, as PEM text.
    pub certificate: String,
    /// The certificate of the farm's authority, as PEM text.
    pub authority: String,
    /// The farm's tokens, the one to send first; none where the farm asks for none.
    pub tokens: Vec<String>,
}

impl std::fmt::Debug for JoinFarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JoinFarm({:?}, secret hidden)", self.name)
    }
}

impl std::fmt::Debug for Joined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Joined({} tokens hidden)", self.tokens.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_keeps_its_wire_form_and_shows_no_secret() {
        let asked = r#"{"secret":"5ec12e7","name":"rtx-04","request":"PEM"}"#;
        let parsed: JoinFarm = serde_json::from_str(asked).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), asked);
        assert!(!format!("{parsed:?}").contains("5ec"));
        let told = r#"{"certificate":"PEM","authority":"PEM","tokens":["70ce2"]}"#;
        let parsed: Joined = serde_json::from_str(told).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), told);
        assert!(!format!("{parsed:?}").contains("70ce2"));
    }
}
