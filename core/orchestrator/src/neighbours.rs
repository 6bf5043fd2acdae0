//! Agents of the local network that announce themselves by multicast DNS. Anyone on that network can announce
//! anything, so an address from here is no more than a place to look at: the farm's token decides.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use farmhand_protocol::MDNS_SERVICE;
use mdns_sd::{Receiver, ResolvedService, ServiceDaemon, ServiceEvent};
use tokio::net::TcpStream;

/// One of an agent's addresses is tried for so long.
const TRY: Duration = Duration::from_millis(500);

/// Neighbours that are kept in mind at most: a network that announces more is playing tricks.
const MOST: usize = 4096;

/// The ear.
pub(crate) struct Neighbours {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
    present: BTreeMap<String, Neighbour>,
}

#[derive(Default)]
struct Neighbour {
    announced: BTreeSet<SocketAddr>,
    /// One of those: a machine with several networks announces an address of each, and is one node.
    chosen: Option<SocketAddr>,
}

impl Neighbours {
    pub(crate) fn listen() -> io::Result<Self> {
        let daemon = ServiceDaemon::new().map_err(io::Error::other)?;
        let events = daemon.browse(MDNS_SERVICE).map_err(io::Error::other)?;
        Ok(Self {
            daemon,
            events,
            present: BTreeMap::new(),
        })
    }

    /// Where those that are announced at the moment can be reached, one address each.
    pub(crate) async fn present(&mut self) -> io::Result<Vec<SocketAddr>> {
        while let Ok(event) = self.events.try_recv() {
            match event {
                ServiceEvent::ServiceResolved(service) => self.heard(&service),
                ServiceEvent::ServiceRemoved(_, name) => {
                    self.present.remove(&name);
                }
                _ => {} // Of no consequence; the enum may grow.
            }
        }
        if self.events.is_disconnected() {
            return Err(io::Error::other("multicast DNS has stopped"));
        }
        for neighbour in self.present.values_mut() {
            neighbour.choose().await;
        }
        Ok(self
            .present
            .values()
            .filter_map(|neighbour| neighbour.chosen)
            .collect())
    }

    fn heard(&mut self, service: &ResolvedService) {
        if self.present.len() >= MOST && !self.present.contains_key(&service.fullname) {
            return;
        }
        let usable = |ip: &IpAddr| match ip {
            IpAddr::V4(_) => true,
            // Means nothing without the name of an interface.
            IpAddr::V6(ip) => !ip.is_unicast_link_local(),
        };
        let addresses = service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr);
        let addresses = addresses
            .filter(usable)
            .map(|ip| SocketAddr::new(ip, service.port));
        let neighbour = self.present.entry(service.fullname.clone()).or_default();
        neighbour.announced = addresses.collect();
    }
}

impl Neighbour {
    /// Stays with an address that was chosen and is still announced; else the first at which somebody listens.
    async fn choose(&mut self) {
        if self.chosen.is_some_and(|chosen| self.announced.contains(&chosen)) {
            return;
        }
        self.chosen = None;
        for address in &self.announced {
            let tried = tokio::time::timeout(TRY, TcpStream::connect(address)).await;
            if matches!(tried, Ok(Ok(_))) {
                self.chosen = Some(*address);
                return;
            }
        }
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        let _ended_already = self.daemon.shutdown();
    }
}
