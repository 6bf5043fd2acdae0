//! Which nodes have what a failure asks for: a Blender, a device, a denoiser, memory, space.

use std::collections::BTreeMap;

use farmhand_protocol::agent::NodeInfo;
use farmhand_protocol::{BlenderVersion, Cause, Device, FailureKind, NodeId};

use crate::farm::Farm;
use crate::job::Job;
use crate::node::Presence;

impl Farm {
    /// Adds which nodes have what these lack.
    pub(super) fn better(&self, mut cause: Cause, job: &Job, kind: FailureKind, nodes: &[NodeId]) -> Cause {
        let more = match kind {
            FailureKind::UnsupportedVersion => {
                let wanted = job.blender.or(job.spec.written_by);
                let place = wanted.map(|version| self.where_blender(version, job.blender.is_some()));
                Some(match place.as_deref() {
                    Some([_, ..]) => format!("it is on {}", place.unwrap_or_default().join(", ")),
                    _ => self.blenders(),
                })
            }
            FailureKind::DeviceMissing => Some(self.where_device(job.spec.settings.device)),
            FailureKind::DenoiserMissing => {
                let having = self.where_info(|info| info.engines.iter().any(|engine| engine.denoiser));
                Some(match having.as_slice() {
                    [] => "no node has a Blender with a denoiser".to_owned(),
                    having => format!("nodes with a denoiser: {}", having.join(", ")),
                })
            }
            FailureKind::OutOfMemory | FailureKind::BlenderKilled => self.memory_of(nodes),
            FailureKind::DiskFull => self.disk_of(nodes),
            _ => None,
        };
        if let Some(more) = more {
            cause.advice.insert(0, more);
        }
        cause
    }

    fn where_device(&self, asked: Device) -> String {
        let suits = |device: &Device| match asked {
            Device::Auto => !matches!(device, Device::Cpu | Device::Auto),
            asked => *device == asked,
        };
        let having =
            self.where_info(|info| info.engines.iter().any(|engine| engine.devices.iter().any(suits)));
        let what = if asked == Device::Auto {
            "a GPU"
        } else {
            asked.name()
        };
        match having.as_slice() {
            [] => format!("no node of the farm has {what}"),
            having => format!("nodes with {what}: {}", having.join(", ")),
        }
    }

    fn memory_of(&self, nodes: &[NodeId]) -> Option<String> {
        let amount = |presence: &Presence| presence.info.hardware.memory_bytes;
        let here = nodes
            .iter()
            .filter_map(|node| self.presence(*node))
            .map(amount)
            .max()
            .filter(|bytes| *bytes > 0)?;
        let names = self.names(nodes).join(", ");
        let most = self
            .seen
            .nodes
            .iter()
            .max_by_key(|(_, presence)| amount(presence));
        let other = most.filter(|(_, presence)| amount(presence) > here);
        let other = other
            .map(|(node, presence)| format!("; {} has {}", self.node_name(*node), gib(amount(presence))));
        Some(format!(
            "{names} has {} of memory{}",
            gib(here),
            other.unwrap_or_default()
        ))
    }

    fn disk_of(&self, nodes: &[NodeId]) -> Option<String> {
        let (node, presence) = nodes
            .iter()
            .find_map(|node| Some((*node, self.presence(*node)?)))?;
        let free = presence.info.load.disk_free_bytes;
        Some(format!(
            "{} had {} free when it last said so",
            self.node_name(node),
            gib(free)
        ))
    }

    /// Which Blenders the farm's nodes have.
    pub(super) fn blenders(&self) -> String {
        const SHOWN: usize = 6;
        let mut nodes: BTreeMap<BlenderVersion, Vec<String>> = BTreeMap::new();
        for (id, presence) in &self.seen.nodes {
            for engine in &presence.info.engines {
                nodes.entry(engine.version).or_default().push(self.node_name(*id));
            }
        }
        if nodes.is_empty() {
            return "no node has a Blender".to_owned();
        }
        let said: Vec<String> = nodes
            .iter()
            .map(|(version, names)| match names.get(SHOWN..) {
                Some([_, ..]) => format!("{version} on {} nodes", names.len()),
                _ => format!("{version} on {}", names.join(", ")),
            })
            .collect();
        format!("the farm has Blender {}", said.join("; "))
    }

    pub(super) fn where_blender(&self, version: BlenderVersion, exactly: bool) -> Vec<String> {
        self.where_info(|info| {
            let suits = |engine: &farmhand_protocol::agent::EngineInfo| {
                if exactly {
                    engine.version == version
                } else {
                    engine.version.series() >= version.series()
                }
            };
            info.engines.iter().any(suits)
        })
    }

    pub(super) fn where_info(&self, test: impl Fn(&NodeInfo) -> bool) -> Vec<String> {
        let having = self
            .seen
            .nodes
            .iter()
            .filter(|(_, presence)| test(&presence.info));
        having.map(|(id, _)| self.node_name(*id)).collect()
    }

    pub(super) fn names(&self, nodes: &[NodeId]) -> Vec<String> {
        nodes.iter().map(|node| self.node_name(*node)).collect()
    }
}

/// `24.0 GiB`.
#[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1_u32 << 30))
}
