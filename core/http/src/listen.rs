//! Listening, and the rule where one may.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use farmhand_tls::Presented;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::tls_door::TlsDoor;

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

/// Extension of a request: where it came from, as `ConnectInfo<Caller>`.
#[derive(Debug, Clone, Copy)]
pub struct Caller(pub SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsDoor>> for Caller {
    fn connect_info(stream: IncomingStream<'_, TlsDoor>) -> Self {
        Self(*stream.remote_addr())
    }
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
/// themselves, so waiting for all calls would be waiting for ever. With an identity it speaks https and nothing else.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    identity: Option<Presented>,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> std::io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let stop = async move {
        stop.await;
        let _server_ended_first = stopping.send(());
    };
    let service = router.into_make_service_with_connect_info::<Caller>();
    let server = async move {
        match identity {
            None => axum::serve(listener, service).with_graceful_shutdown(stop).await,
            Some(identity) => {
                let door = TlsDoor::open(listener, identity)?;
                axum::serve(door, service).with_graceful_shutdown(stop).await
            }
        }
    };
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
