//! Who listens in: a TCP proxy on loopback that keeps every byte that passes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A proxy before a port of loopback. Takes no more connections once it is dropped.
#[derive(Debug)]
pub struct Sniffer {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
}

/// One direction of one connection.
type Heard = Arc<Mutex<Vec<u8>>>;

impl Sniffer {
    /// Listens in on what goes to this port of loopback, whenever somebody listens there.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("loopback has a free port");
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        Self {
            address: listener.local_addr().expect("a listener has an address"),
            task: tokio::spawn(pass_on(listener, port, Arc::clone(&heard))),
            heard,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that passed.
    pub fn bytes(&self) -> usize {
        self.each().iter().map(Vec::len).sum()
    }

    /// Whether these bytes passed, in one piece of one direction of a connection.
    pub fn heard(&self, part: &[u8]) -> bool {
        self.each()
            .iter()
            .any(|bytes| bytes.windows(part.len()).any(|window| window == part))
    }

    fn each(&self) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = |one: &Heard| one.lock().unwrap_or_else(PoisonError::into_inner).clone();
        heard.iter().map(bytes).collect()
    }
}

impl Drop for Sniffer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(listener: TcpListener, port: u16, heard: Arc<Mutex<Vec<Heard>>>) {
    while let Ok((near, _)) = listener.accept().await {
        let (out, back) = (Heard::default(), Heard::default());
        heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend([Arc::clone(&out), Arc::clone(&back)]);
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
                return;
            };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::join!(pump(near_in, far_out, out), pump(far_in, near_out, back));
        });
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, heard: Heard) {
    let mut piece = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(&piece[..length]);
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    let _closed_already = to.shutdown().await;
}
