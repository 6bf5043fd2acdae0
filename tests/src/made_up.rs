//! Nodes and jobs that nobody has, whole, for farms without Blender.

use farmhand_engine::JobSpec;
use farmhand_protocol::agent::{EngineInfo, Hardware, Load, NodeInfo};
use farmhand_protocol::{
    BlenderVersion, Device, EventId, FrameSet, NodeId, PROTOCOL, RenderSettings, SceneHash,
};

/// A node of one slot with one Blender, which is ready.
pub fn node(id: NodeId, name: String, last_event: EventId) -> NodeInfo {
    NodeInfo {
        id,
        name,
        protocol: PROTOCOL,
        version: "0".to_owned(),
        last_event,
        slots: 1,
        threads: 1,
        tags: Vec::new(),
        probed: true,
        engines: vec![EngineInfo {
            version: BlenderVersion {
                major: 4,
                minor: 2,
                patch: 0,
            },
            path: "blender".to_owned(),
            devices: vec![Device::Cpu],
            denoiser: true,
        }],
        problem: None,
        joining: None,
        hardware: Hardware::default(),
        load: Load::default(),
    }
}

/// A job for which nothing but this was said.
pub fn job(name: String, scene: SceneHash, frames: FrameSet, output: String) -> JobSpec {
    JobSpec {
        name,
        user: String::new(),
        scene,
        frames,
        skipped: FrameSet::default(),
        settings: RenderSettings::default(),
        priority: 0,
        output,
        written_by: None,
        tags: Vec::new(),
        batch_size: None,
        after: None,
        max_nodes: None,
        preview: None,
        video: false,
    }
}
