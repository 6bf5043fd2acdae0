//! `farmhand inspect`, and what it shares with `submit`: broken files are told from good ones before anything is
//! sent.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use farmhand_tests::{Blender, Scene, build_path};
use serde_json::Value;

/// A small .blend with block heads of Blender 5.
const SMALL: &[u8] = include_bytes!("../../core/blend/corpus/packed_library.blend");

/// Runs `farmhand`; there is no farm.
fn farmhand(args: &[&str]) -> std::process::Output {
    Command::new(build_path("farmhand"))
        .env("FARMHAND_FARM", "http://127.0.0.1:9")
        .args(args)
        .output()
        .unwrap()
}

fn with_scenes(count: usize) -> Vec<u8> {
    const HEAD: usize = 32;
    let at = SMALL.windows(4).position(|code| code == b"SC\0\0").unwrap();
    let length = usize::try_from(i64::from_le_bytes(SMALL[at + 16..at + 24].try_into().unwrap())).unwrap();
    let (before, rest) = SMALL.split_at(at);
    let (scene, behind) = rest.split_at(HEAD + length);
    [before, &scene.repeat(count), behind].concat()
}

fn broken_files(folder: &Path) -> Vec<PathBuf> {
    let whole = std::fs::read(Scene::BASIC.make(Blender::Executable, folder)).unwrap();
    let packed = zstd::stream::encode_all(&whole[..], 3).unwrap();
    let random: Vec<u8> = (0_u32..50_000)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut bomb = b"BLENDER-v304DATA\xff\xff\xff\x7f".to_vec();
    bomb.resize(bomb.len() + (1200 << 20), 0);
    let mut damaged = whole.clone();
    damaged[12..2000].fill(0xff);
    let mut files: Vec<(String, Vec<u8>)> = vec![
        ("empty".to_owned(), Vec::new()),
        ("random".to_owned(), random.clone()),
        ("text".to_owned(), b"not a scene at all\n".to_vec()),
        ("picture".to_owned(), b"\x89PNG\r\n\x1a\n and so on".to_vec()),
        (
            "header-and-noise".to_owned(),
            [&b"BLENDER-v304"[..], &random].concat(),
        ),
        ("later".to_owned(), b"BLENDER19-02v0701....".to_vec()),
        ("bomb".to_owned(), zstd::stream::encode_all(&bomb[..], 1).unwrap()),
        ("scenes".to_owned(), with_scenes(100_000)),
        ("noise-in-zstd".to_owned(), [&packed[..4], &random].concat()),
        ("damaged".to_owned(), damaged),
    ];
    for part in 1..=10 {
        files.push((format!("cut-{part}"), whole[..whole.len() * part / 11].to_vec()));
        files.push((
            format!("cut-packed-{part}"),
            packed[..packed.len() * part / 11].to_vec(),
        ));
    }
    let mut paths: Vec<PathBuf> = files
        .into_iter()
        .map(|(name, bytes)| {
            let path = folder.join(name + ".blend");
            std::fs::write(&path, bytes).unwrap();
            path
        })
        .collect();
    paths.push(Scene::CIRCLE.make(Blender::Executable, &folder.join("circle")));
    paths.push(folder.join("lost.blend"));
    paths.push(folder.join("circle"));
    paths
}

#[test]
fn every_kind_of_broken_file_gets_one_clear_line_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    for path in broken_files(folder.path()) {
        let path = path.to_str().unwrap();
        for args in [
            &["inspect", path][..],
            &["inspect", path, "--json"],
            &["submit", path],
            &["submit", path, "--frames", "1-2"],
        ] {
            let begun = Instant::now();
            let said = farmhand(args);
            let error = String::from_utf8(said.stderr).unwrap();
            assert_eq!(said.status.code(), Some(2), "{args:?}: {error}");
            assert!(said.stdout.is_empty(), "{args:?}");
            assert!(
                error.starts_with(&format!("farmhand: {path}: ")),
                "{args:?}: {error}"
            );
            assert_eq!(error.lines().count(), 1, "{args:?}: {error}");
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{args:?} took {:?}",
                begun.elapsed()
            );
        }
    }
}

#[test]
fn inspect_tells_people_and_programs_what_a_scene_renders() {
    let folder = tempfile::tempdir().unwrap();
    let path = Scene::BASIC.make(Blender::Executable, folder.path());
    let path = path.to_str().unwrap();
    let said = farmhand(&["inspect", path, "--json"]);
    assert_eq!(said.status.code(), Some(0));
    let told: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(told["file"], path);
    assert_eq!(told["active_scene"], "Scene");
    let scene = &told["scenes"][0];
    for (field, value) in [
        ("frame_start", Value::from(1)),
        ("frame_end", 12.into()),
        ("frame_step", 1.into()),
        ("fps", 24.into()),
        ("fps_base", 1.0.into()),
        ("resolution", vec![96, 64, 100].into()),
        ("engine", "CYCLES".into()),
        ("camera", "Camera".into()),
        ("file_format", "PNG".into()),
    ] {
        assert_eq!(scene[field], value, "{field}");
    }
    let said = farmhand(&["inspect", path]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(
        text.contains("frames 1-12 at 24 fps, 96 x 64 at 100 %, CYCLES on CPU 4 samples"),
        "{text}"
    );
}

#[test]
fn submit_names_every_missing_file_and_who_needs_it_and_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (scene, missing) in [
        (Scene::MISSING_TEXTURE, "lost.png (image "),
        (Scene::MISSING_LIBRARY, "lost.blend (library)"),
    ] {
        let path = scene.make(Blender::Executable, folder.path());
        let path = path.to_str().unwrap();
        let said = farmhand(&["submit", path]);
        let error = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{error}");
        assert!(
            error.contains("is missing") && error.contains("--allow-missing"),
            "{error}"
        );
        assert!(error.lines().nth(1).unwrap().contains(missing), "{error}");
        // With the switch it goes on, as far as the farm, which is not there.
        let said = farmhand(&["submit", path, "--allow-missing"]);
        assert_eq!(
            said.status.code(),
            Some(1),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
}
