//! Everything of Farmhand that reads what others wrote, as plain functions of bytes.
//!
//! A fuzzer calls them (`make fuzz`), and tests replay their corpus, damaged in many ways, on every run. They may
//! refuse whatever they like; they must not panic, hang or grow, and what they accept they must understand again
//! when it is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use farmhand_engine::{Farm, Stamped, narrate};
use farmhand_protocol::agent::{
    AgentEvent, BatchReport, Joining, NodeInfo, PullBlobs, RevokeFrames, StartBatch,
};
use farmhand_protocol::farm::{AddNode, ChangeJob, ChooseFrames, DrainNode, FarmEvent, SubmitJob};
use farmhand_protocol::{FarmId, FrameSet, Manifest};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A reader of bytes from elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus below `tests/fuzz/corpus`.
    pub name: &'static str,
    /// Reads; whether the bytes were accepted.
    pub read: fn(&[u8]) -> bool,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "frame_set",
        read: frame_set,
    },
    Target {
        name: "seed_body",
        read: |bytes| farmhand_http::seed::frames(bytes).is_ok(),
    },
    Target {
        name: "farm_body",
        read: farm_body,
    },
    Target {
        name: "farm_event",
        read: readable::<FarmEvent>,
    },
    Target {
        name: "agent_body",
        read: agent_body,
    },
    Target {
        name: "agent_event",
        read: readable::<AgentEvent>,
    },
    Target {
        name: "manifest",
        read: manifest,
    },
    Target {
        name: "facts",
        read: facts,
    },
    Target {
        name: "driver_line",
        read: farmhand_agent::read_driver_line,
    },
    Target {
        name: "blend",
        read: farmhand_blend::fuzz,
    },
];

/// The target of this name.
///
/// # Panics
/// Where there is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("there is no target {name}"))
}

/// The target's corpus, sorted.
///
/// # Panics
/// Where it cannot be read.
pub fn corpus(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = match target.name {
        "blend" => tests.join("../core/blend/corpus"),
        name => tests.join("fuzz/corpus").join(name),
    };
    let read = || -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
        fs::read_dir(&folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .map(|path| path.and_then(|path| Ok((path.clone(), fs::read(path)?))))
            .collect()
    };
    let mut entries = read().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.sort();
    entries
}

/// Reads a value; one that is accepted is so again once it is written. Whether it was accepted.
fn readable<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else {
        return false;
    };
    let written = serde_json::to_vec(&value).expect("what was read can be written");
    serde_json::from_slice::<T>(&written).expect("what was written can be read");
    true
}

fn frame_set(bytes: &[u8]) -> bool {
    let Ok(set) = FrameSet::from_str(&String::from_utf8_lossy(bytes)) else {
        return false;
    };
    assert_eq!(FrameSet::from_str(&set.to_string()).as_ref(), Ok(&set));
    true
}

fn farm_body(bytes: &[u8]) -> bool {
    [
        readable::<SubmitJob>,
        readable::<ChangeJob>,
        readable::<ChooseFrames>,
        readable::<AddNode>,
        readable::<DrainNode>,
    ]
    .map(|read| read(bytes))
    .contains(&true)
}

fn agent_body(bytes: &[u8]) -> bool {
    [
        readable::<StartBatch>,
        readable::<RevokeFrames>,
        readable::<PullBlobs>,
        readable::<Joining>,
        readable::<NodeInfo>,
        readable::<BatchReport>,
        readable::<Vec<BatchReport>>,
    ]
    .map(|read| read(bytes))
    .contains(&true)
}

fn manifest(bytes: &[u8]) -> bool {
    let Ok(manifest) = Manifest::decode(bytes) else {
        return false;
    };
    let again = Manifest::decode(&manifest.encode()).expect("a manifest reads what it wrote");
    assert_eq!(manifest.hash(), again.hash());
    true
}

/// A journal, a fact a line, in whatever order. Snapshots of what comes of it are read again. Accepted where every
/// line is a fact.
fn facts(bytes: &[u8]) -> bool {
    let mut farm = Farm::new(FarmId::LOCAL);
    let mut all = true;
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(fact) = serde_json::from_slice::<Stamped>(line) else {
            all = false;
            continue;
        };
        farm.apply(&fact);
        drop(narrate(&farm, &fact));
    }
    let state = serde_json::to_string(&farm).expect("a farm can be written");
    serde_json::from_str::<Farm>(&state).expect("a snapshot can be read");
    all
}
