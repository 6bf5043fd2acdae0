//! The way between an orchestrator and an agent: a TCP proxy on loopback that can be cut, or made slow.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Everything passes.
    Open,
    /// Nothing passes and nothing is answered, as when a cable is pulled; what was sent arrives when it is open
    /// again.
    Cut,
    /// Each piece of up to 4 KiB takes so long.
    Slow(Duration),
}

/// A link to an agent. Ends with the value.
#[derive(Debug)]
pub(super) struct Link {
    address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Link {
    /// A link to what listens on this port of loopback, whenever it does.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (way, seen) = watch::channel(Way::Open);
        tokio::spawn(accept(listener, port, seen));
        Self { address, way }
    }

    /// Its near end, `http://127.0.0.1:PORT`.
    pub(super) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes it, for connections that are open too.
    pub(super) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn accept(listener: TcpListener, port: u16, mut way: watch::Receiver<Way>) {
    loop {
        // The system would complete the handshake; a pulled cable does not.
        if way.wait_for(|way| *way != Way::Cut).await.is_err() {
            return;
        }
        let near = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((near, _)) => near,
                Err(_) => continue,
            },
            changed = way.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let way = way.clone();
        tokio::spawn(async move {
            // Nobody there: the near end is closed at once, as a machine without a listener does.
            let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
                return;
            };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::join!(pump(near_in, far_out, way.clone()), pump(far_in, near_out, way));
        });
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let Ok(now) = way.wait_for(|way| *way != Way::Cut).await.map(|way| *way) else {
            return;
        };
        if let Way::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    let _closed_already = to.shutdown().await;
}
