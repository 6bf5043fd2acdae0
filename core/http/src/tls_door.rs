//! The door of a server that speaks https: whoever has not said who they are by TLS does not get to the server, and
//! whoever takes long for it keeps nobody else waiting.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use farmhand_tls::Presented;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Who dials has so long for the handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where no connection can be taken, as with too many open files, it is tried again after so long.
const PAUSE: Duration = Duration::from_secs(1);

/// The first byte of every TLS connection.
const HANDSHAKE: u8 = 22;

/// What is told to those who speak plain http. Reads like an answer, so that they see it.
const NOT_HTTP: &str = "https is spoken here, and only https: write https:// in the address";

/// A listener whose connections are encrypted.
#[derive(Debug)]
pub struct TlsDoor {
    address: SocketAddr,
    through: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsDoor {
    /// Takes connections until it is dropped.
    pub(crate) fn open(listener: TcpListener, identity: Presented) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (queue, through) = mpsc::channel(64);
        let acceptor = TlsAcceptor::from(Arc::new(farmhand_tls::server_config(identity)));
        tokio::spawn(async move {
            tokio::select! {
                () = accept_all(listener, acceptor, queue.clone()) => {}
                () = queue.closed() => {}
            }
        });
        Ok(Self { address, through })
    }
}

impl axum::serve::Listener for TlsDoor {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.through.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await, // The runtime ends.
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn accept_all(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    queue: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "cannot take a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (acceptor, queue) = (acceptor.clone(), queue.clone());
        tokio::spawn(async move {
            match timeout(PATIENCE, shake_hands(stream, acceptor)).await {
                Ok(Ok(stream)) => {
                    let _the_server_ends = queue.send((stream, from)).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, %from, "no TLS with whoever dialled"),
                Err(_) => tracing::debug!(%from, "whoever dialled said nothing"),
            }
        });
    }
}

async fn shake_hands(mut stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
        answer_in_the_clear(&mut stream).await?;
        return Err(io::Error::other("plain http was spoken"));
    }
    stream.set_nodelay(true)?;
    acceptor.accept(stream).await
}

async fn answer_in_the_clear(stream: &mut TcpStream) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{NOT_HTTP}",
        NOT_HTTP.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Who still writes would miss the answer if the connection were cut.
    let (mut rest, mut nowhere) = (stream.take(1 << 20), tokio::io::sink());
    let said = tokio::io::copy(&mut rest, &mut nowhere);
    let _ended_or_not = timeout(Duration::from_secs(2), said).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use farmhand_tls::{Authority, Role, Trust};

    use super::*;
    use crate::{cause_of, client};

    struct Served {
        url: String,
        authority: Authority,
        folder: tempfile::TempDir,
    }

    async fn serve(identity: impl FnOnce(&Authority) -> Option<farmhand_tls::Identity>) -> Served {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::make(&folder.path().join("ca"), jiff::Timestamp::now()).unwrap();
        let identity = identity(&authority).map(Presented::new);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let scheme = if identity.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/", axum::routing::get(async || "here"));
        let stop = std::future::pending();
        tokio::spawn(async move { crate::serve(listener, identity, router, stop, PAUSE).await });
        Served {
            url,
            authority,
            folder,
        }
    }

    async fn get(url: &str, trust: &Trust) -> String {
        let answer = client(trust).build().unwrap().get(url).send().await;
        match answer {
            Ok(answer) => answer.text().await.unwrap(),
            Err(error) => cause_of(&error),
        }
    }

    fn farm(authority: &Authority) -> farmhand_tls::Identity {
        let now = jiff::Timestamp::now();
        authority.issue_farm(&["localhost".to_owned()], now).unwrap()
    }

    #[tokio::test]
    async fn who_trusts_the_farms_authority_is_served_and_everyone_else_is_told_why_not() {
        let served = serve(|authority| Some(farm(authority))).await;
        let trust = Trust::Farm(served.authority.anchor().clone(), Role::Farm);
        assert_eq!(get(&served.url, &trust).await, "here");
        let pinned = Trust::Pinned(served.authority.anchor().pin());
        assert_eq!(get(&served.url, &pinned).await, "here");
        let other = Authority::make(&served.folder.path().join("other"), jiff::Timestamp::now()).unwrap();
        for (trust, said) in [
            (Trust::Nobody, "--ca FILE"),
            (
                Trust::Farm(other.anchor().clone(), Role::Farm),
                "not from the farm's CA",
            ),
            (Trust::Pinned(other.anchor().pin()), "join token"),
            (
                Trust::Farm(served.authority.anchor().clone(), Role::Node),
                "is for farm.farmhand.internal",
            ),
        ] {
            let told = get(&served.url, &trust).await;
            assert!(told.contains(said), "{trust:?}: {told}");
        }
    }

    #[tokio::test]
    async fn who_speaks_the_wrong_one_of_http_and_https_is_told_the_right_one() {
        let served = serve(|authority| Some(farm(authority))).await;
        let plain = served.url.replace("https://", "http://");
        assert_eq!(get(&plain, &Trust::Nobody).await, NOT_HTTP);
        let plain = serve(|_| None).await;
        let trust = Trust::Farm(plain.authority.anchor().clone(), Role::Farm);
        assert_eq!(get(&plain.url, &trust).await, "here");
        let told = get(&plain.url.replace("http://", "https://"), &trust).await;
        assert!(told.contains("does not speak https: use http://"), "{told}");
    }

    #[tokio::test]
    async fn an_expired_certificate_is_named_with_its_time() {
        let long_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 100);
        let served = serve(|authority| Some(authority.issue_farm(&[], long_ago).unwrap())).await;
        let trust = Trust::Farm(served.authority.anchor().clone(), Role::Farm);
        let told = get(&served.url, &trust).await;
        let expired = long_ago + jiff::SignedDuration::from_hours(24 * 90);
        let day = expired.strftime("%F").to_string();
        assert!(told.contains("expired at") && told.contains(&day), "{told}");
    }

    #[tokio::test]
    async fn those_who_dial_and_say_nothing_keep_nobody_waiting() {
        let served = serve(|authority| Some(farm(authority))).await;
        let address = served
            .url
            .trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned();
        let mut silent = Vec::new();
        for _ in 0..100 {
            silent.push(TcpStream::connect(&address).await.unwrap());
        }
        let trust = Trust::Farm(served.authority.anchor().clone(), Role::Farm);
        assert_eq!(get(&served.url, &trust).await, "here");
    }
}
