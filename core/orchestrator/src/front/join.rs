//! Certificates of nodes.

use farmhand_protocol::{JoinFarm, Joined, RenewCertificate};

use super::Front;
use crate::certificates::{Certificates, JoinError};

impl Front {
    /// Lets a node in that has a join token.
    pub(crate) async fn join(&self, asked: JoinFarm) -> Result<Joined, JoinError> {
        self.with_certificates(move |certificates| certificates.join(&asked))
            .await
    }

    /// Gives a node another certificate.
    pub(crate) async fn renew_certificate(&self, asked: RenewCertificate) -> Result<Joined, JoinError> {
        self.with_certificates(move |certificates| certificates.renew(&asked))
            .await
    }

    async fn with_certificates(
        &self,
        work: impl FnOnce(&Certificates) -> Result<Joined, JoinError> + Send + 'static,
    ) -> Result<Joined, JoinError> {
        let certificates = self.0.certificates.clone().ok_or(JoinError::NoAuthority)?;
        let issued = tokio::task::spawn_blocking(move || work(&certificates)).await;
        let issued = issued.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))?;
        self.metrics().certificate_issued();
        Ok(issued)
    }
}
