//! Listening, and the rule where one may.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Anyone who reaches the address could run code.
    #[error(
        "refusing to listen on {0} without a token: anyone who reaches it could run code. Give --token-file \
         FILE (make one with `farmhand token`), or listen on 127.0.0.1"
    )]
    TokenNeeded(SocketAddr),
    /// The system refused.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Listens on `address`: loopback freely, any other only where a token is asked of callers.
///
/// # Errors
/// When a token is needed, or the system refuses.
pub async fn bind(address: SocketAddr, has_token: bool) -> Result<TcpListener, ListenError> {
    if !has_token && !address.ip().is_loopback() {
        return Err(ListenError::TokenNeeded(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| ListenError::Bind { address, source })
}

/// Serves until `stop` resolves, then lets running calls end for at most `grace`. Event streams never end by
/// themselves, so waiting for all calls would be waiting for ever.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> std::io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        stop.await;
        let _server_ended_first = stopping.send(());
    });
    let grace_over = async move {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        ended = server => ended,
        () = grace_over => Ok(()),
    }
}
