//! Announcing the agent on the local network by multicast DNS, so that `farmhand serve --discover mdns` finds it.
//! Anyone on that network can listen: it says where the agent is, and its id.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use farmhand_protocol::{MDNS_SERVICE, NodeId};
use mdns_sd::{ServiceDaemon, ServiceInfo};

use crate::agent::Agent;

/// Taking the announcement back may take so long.
const FAREWELL: Duration = Duration::from_millis(500);

/// Announces the agent until it stops.
pub(crate) async fn keep_announced(agent: Arc<Agent>, listening: SocketAddr) {
    let id = agent.folder.id();
    let (daemon, name) = match announce(id, listening) {
        Ok(announced) => announced,
        Err(error) => {
            tracing::warn!(%error, "cannot announce this agent by multicast DNS; it works, but must be named or join");
            return;
        }
    };
    tracing::info!(name, "announced on the local network by multicast DNS");
    agent.stopping.cancelled().await;
    if let Ok(taken_back) = daemon.unregister(&name) {
        let _others_will_find_out = tokio::time::timeout(FAREWELL, taken_back.recv_async()).await;
    }
    let _ended_already = daemon.shutdown();
}

/// The daemon that answers for us, and the name that it answers for.
fn announce(id: NodeId, listening: SocketAddr) -> Result<(ServiceDaemon, String), mdns_sd::Error> {
    let id = id.to_string();
    let host = format!("farmhand-{id}.local.");
    let properties = [("id", id.as_str())];
    let port = listening.port();
    let info = match listening.ip() {
        ip if ip.is_unspecified() => {
            ServiceInfo::new(MDNS_SERVICE, &id, &host, "", port, &properties[..])?.enable_addr_auto()
        }
        ip => ServiceInfo::new(
            MDNS_SERVICE,
            &id,
            &host,
            &[ip] as &[IpAddr],
            port,
            &properties[..],
        )?,
    };
    let name = info.get_fullname().to_owned();
    let daemon = ServiceDaemon::new()?;
    daemon.register(info)?;
    Ok((daemon, name))
}
