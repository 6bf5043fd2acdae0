//! The layout is the architecture: which package may know which, and what the engine may not know at all.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// For each package of ours those that it may know.
const ARROWS: [(&str, &[&str]); 14] = [
    ("farmhand-protocol", &[]),
    ("farmhand-tls", &[]),
    ("farmhand-http", &["farmhand-protocol", "farmhand-tls"]),
    ("farmhand-blend", &[]),
    ("farmhand-engine", &["farmhand-protocol"]),
    (
        "farmhand-orchestrator",
        &[
            "farmhand-contract",
            "farmhand-engine",
            "farmhand-http",
            "farmhand-observe",
            "farmhand-protocol",
            "farmhand-tls",
        ],
    ),
    (
        "farmhand-client",
        &["farmhand-http", "farmhand-protocol", "farmhand-tls"],
    ),
    (
        "farmhand-agent",
        &[
            "farmhand-blend",
            "farmhand-contract",
            "farmhand-http",
            "farmhand-observe",
            "farmhand-protocol",
            "farmhand-tls",
        ],
    ),
    (
        "farmhand",
        &[
            "farmhand-agent",
            "farmhand-blend",
            "farmhand-client",
            "farmhand-http",
            "farmhand-observe",
            "farmhand-orchestrator",
            "farmhand-protocol",
            "farmhand-tls",
        ],
    ),
    (
        "farmhand-observe",
        &["farmhand-http", "farmhand-protocol", "farmhand-tls"],
    ),
    // Tests only.
    ("farmhand-contract", &[]),
    ("farmhand-steps", &[]),
    ("farmhand-sim", &["farmhand-engine", "farmhand-protocol"]),
    (
        "farmhand-tests",
        &[
            "farmhand",
            "farmhand-agent",
            "farmhand-blend",
            "farmhand-client",
            "farmhand-engine",
            "farmhand-http",
            "farmhand-orchestrator",
            "farmhand-protocol",
            "farmhand-tls",
        ],
    ),
];

/// All that the engine may be made of: data, its parsing, and words.
const PURE: [&str; 4] = ["farmhand-protocol", "jiff", "serde", "thiserror"];

/// Each of our packages with what it is built on: names of other packages, tests' needs left out unless asked.
fn packages(with_dev: bool) -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().expect("there are packages");
    packages
        .iter()
        .map(|package| {
            let needs = package["dependencies"].as_array().expect("a list, empty or not");
            let needs = needs
                .iter()
                .filter(|need| with_dev || text(&need["kind"]) != "dev");
            (
                text(&package["name"]),
                needs.map(|need| text(&need["name"])).collect(),
            )
        })
        .collect()
}

#[test]
fn every_package_knows_only_those_below_it() {
    let packages = packages(true);
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    for (package, needs) in &packages {
        let allowed = arrows
            .get(package.as_str())
            .unwrap_or_else(|| panic!("{package} is new: say here which packages it may know"));
        for need in needs.iter().filter(|need| packages.contains_key(*need)) {
            assert!(allowed.contains(&need.as_str()), "{package} must not know {need}");
        }
    }
    assert!(
        packages["farmhand"].len() > 5,
        "cargo metadata lists what packages need"
    );
}

#[test]
fn the_engine_has_nothing_to_reach_the_world_with() {
    let packages = packages(false);
    for need in &packages["farmhand-engine"] {
        assert!(PURE.contains(&need.as_str()), "the engine must not need {need}");
    }
}

#[test]
fn the_engine_names_no_clock_file_socket_thread_or_chance() {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/engine/src");
    let mut folders = vec![std::path::PathBuf::from(sources)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for word in [
                "std::fs",
                "std::net",
                "std::process",
                "std::thread",
                "std::env",
                "Instant::now",
                "SystemTime",
                "Timestamp::now",
                "Zoned::now",
                "RandomState",
            ] {
                assert!(!text.contains(word), "{} names {word}", path.display());
            }
        }
    }
}
