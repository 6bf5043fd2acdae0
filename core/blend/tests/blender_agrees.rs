//! What the inspector says against what Blender says of the same files, made by that Blender.
//!
//! Needs `blender` on the PATH, and a Python environment with `bpy` where `make setup` puts one or named by
//! `FARMHAND_BPY`; says so and passes where there is none. Every version that is installed there is asked.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use farmhand_blend::{AssetKind, Inspection, inspect};
use serde_json::{Value, json};

#[test]
fn the_inspector_agrees_with_blender() {
    if Command::new("blender").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `blender` on the PATH");
        return;
    }
    compare(|| {
        let mut command = Command::new("blender");
        command.args(["-b", "--factory-startup", "--python-exit-code", "7", "--python"]);
        command
    });
}

#[test]
fn the_inspector_agrees_with_every_bpy_module() {
    let pythons = pythons();
    if pythons.is_empty() {
        eprintln!("skipped: there is no Python with bpy: run `make setup`");
    }
    for python in pythons {
        eprintln!("{}", python.display());
        compare(|| Command::new(&python));
    }
}

/// Files that make.py had other Blenders make below `/tmp/project`, without the libraries that they link.
#[test]
fn the_inspector_agrees_with_what_other_blenders_said_of_files_that_they_wrote() {
    let saved = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/saved");
    for version in ["4.2", "4.5", "5.2"] {
        let folder = saved.join(version);
        let expected = std::fs::read_to_string(folder.join("answers.json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let mut found = inspect(&folder.join("project.blend")).unwrap();
        for asset in &mut found.assets {
            asset.resolved = asset.resolved.replace(folder.to_str().unwrap(), "/tmp/project");
        }
        agree(version, &found, &expected);
        let linked: Vec<&str> = found
            .libraries
            .iter()
            .map(|library| library.path.as_str())
            .collect();
        assert_eq!(linked, ["//lib/sub/tree.blend"], "{version}");
    }
}

/// `FARMHAND_BPY`, and what `make setup` or `farmhand-agent setup` has put where agents look.
fn pythons() -> Vec<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
    let engines = data.map(|data| data.join("farmhand/engines"));
    let installed = engines.and_then(|engines| engines.read_dir().ok());
    let homes = installed
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let named = std::env::var_os("FARMHAND_BPY").map(PathBuf::from);
    let mut pythons: Vec<PathBuf> = named
        .into_iter()
        .chain(homes)
        .map(|home| home.join("bin/python"))
        .filter(|python| python.exists())
        .collect();
    pythons.sort();
    pythons.dedup();
    pythons
}

fn compare(command: impl Fn() -> Command) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    for script in ["make.py", "more.py"] {
        for (name, expected) in answers(command(), script, &folder).as_object().unwrap() {
            agree(name, &inspect(&folder.join(name)).unwrap(), expected);
        }
    }
    let main = inspect(&folder.join("main.blend")).unwrap();
    all_files_of_the_project_are_found(&main, &folder);
}

/// What Blender says of files that a script of ours has it make.
fn answers(mut command: Command, script: &str, folder: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/scenes")
        .join(script);
    let output = command.arg(script).arg("--").arg(folder).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let answers = printed
        .lines()
        .find_map(|line| line.strip_prefix("ANSWERS "))
        .unwrap_or_else(|| panic!("{printed}\n{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(answers).unwrap()
}

fn agree(name: &str, found: &Inspection, expected: &Value) {
    assert_eq!(json!(found.version), expected["version"], "{name}");
    assert_eq!(json!(found.active_scene), expected["active_scene"], "{name}");

    let mut scenes = json!(found.scenes);
    let scenes = scenes.as_array_mut().unwrap();
    scenes.sort_by_key(|scene| scene["name"].as_str().unwrap().to_owned());
    assert_eq!(
        scenes.len(),
        expected["scenes"].as_array().unwrap().len(),
        "{name}"
    );
    for (scene, expected) in scenes.iter_mut().zip(expected["scenes"].as_array().unwrap()) {
        let mut outputs: Vec<Value> = scene["file_outputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                json!([
                    one["node"],
                    one["path"],
                    one["file_format"],
                    one["slots"],
                    one["muted"]
                ])
            })
            .collect();
        outputs.sort_by_key(|one| one[0].as_str().unwrap().to_owned());
        scene["file_outputs"] = Value::Array(outputs);
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&scene[field], value, "{name}: {} {field}", expected["name"]);
        }
    }

    if let Some(expected) = expected.get("libraries") {
        agree_on_libraries(name, found, expected);
    }
    agree_on_files(name, found, expected);
}

fn agree_on_libraries(name: &str, found: &Inspection, expected: &Value) {
    let mut libraries: Vec<Value> = found
        .libraries
        .iter()
        .map(|one| json!([one.path, one.resolved]))
        .collect();
    libraries.sort_by_key(ToString::to_string);
    assert_eq!(&json!(libraries), expected, "{name}");
}

fn agree_on_files(name: &str, found: &Inspection, expected: &Value) {
    let known: Vec<Value> = found
        .assets
        .iter()
        .map(|one| json!([one.kind, one.name, one.resolved, one.packed]))
        .collect();
    for asset in expected["assets"].as_array().unwrap() {
        // Blender lists what it loads of a library, which may be less than the library refers to.
        assert!(known.contains(asset), "{name}: {asset} is not in {known:#?}");
    }

    // Those of libraries may run or not, as Blender links them or not.
    let own = found.scripts.iter().filter(|script| script.library.is_none());
    let mut scripts: Vec<&str> = own.map(|script| script.name.as_str()).collect();
    scripts.sort_unstable();
    assert_eq!(json!(scripts), expected["scripts"], "{name}");
}

/// What the script put on the disk, and what of it each kind of asset must find.
fn all_files_of_the_project_are_found(main: &Inspection, folder: &Path) {
    let files = |kind: AssetKind, part: &str| -> Vec<PathBuf> {
        let asset = main
            .assets
            .iter()
            .find(|asset| asset.kind == kind && asset.resolved.contains(part))
            .unwrap_or_else(|| panic!("no {kind:?} {part} in {:#?}", main.assets));
        asset
            .files
            .iter()
            .map(|file| Path::new(file).strip_prefix(folder).unwrap().to_owned())
            .collect()
    };
    let frames = |count: usize, name: fn(usize) -> String| -> Vec<PathBuf> {
        (1..=count).map(|number| name(number).into()).collect()
    };
    assert_eq!(
        files(AssetKind::Sequence, "/seq/"),
        frames(5, |number| format!("seq/plate_{number:04}.png"))
    );
    assert_eq!(
        files(AssetKind::Sequence, "/strip"),
        frames(3, |number| format!("strip/s_{number:04}.png"))
    );
    assert_eq!(
        files(AssetKind::Image, "/strip/"),
        [PathBuf::from("strip/s_0005.png")]
    );
    assert_eq!(
        files(AssetKind::Udim, "/udim/"),
        [1001, 1002, 1011].map(|tile| PathBuf::from(format!("udim/skin.{tile}.png")))
    );
    assert_eq!(
        files(AssetKind::Volume, "smoke"),
        frames(2, |number| format!("vol/smoke_{number:04}.vdb"))
    );
    assert_eq!(
        files(AssetKind::Cache, "/cache/"),
        [PathBuf::from("cache/tree.mdd")]
    );
    assert_eq!(
        files(AssetKind::LightProfile, "/light/"),
        [PathBuf::from("light/spot.ies")]
    );
    assert_eq!(
        files(AssetKind::Image, "/bark.png"),
        [PathBuf::from("lib/tex/bark.png")]
    );
    assert_eq!(main.scripted_drivers, 1);
    let missing: Vec<&str> = main
        .assets
        .iter()
        .filter(|asset| !asset.exists && !asset.optional)
        .map(|asset| asset.name.as_str())
        .collect();
    assert_eq!(missing, ["film", "gone"], "{:#?}", main.assets);
    assert_eq!(main.libraries.len(), 2);
    assert!(main.libraries.iter().any(|library| library.indirect));
}
