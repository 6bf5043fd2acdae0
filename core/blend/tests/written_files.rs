//! Files that no Blender at hand writes: big-endian and 32-bit ones, and broken ones of all kinds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod written;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use farmhand_blend::{InspectError, Inspection, fuzz, inspect};
use written::{Heads, Value, Written, rich};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

fn layouts() -> [(&'static str, Vec<u8>); 5] {
    [
        ("small_little", rich(Heads::Small, false, "278")),
        ("small_big", rich(Heads::Small, true, "279")),
        ("wide_little", rich(Heads::Wide, false, "304")),
        ("wide_big", rich(Heads::Wide, true, "282")),
        ("large_little", rich(Heads::Large, false, "503")),
    ]
}

fn inspect_bytes(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written.blend");
    fs::write(&path, bytes).unwrap();
    inspect(&path)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 9).unwrap()
}

/// Without what differs by version, folder and file name.
fn told(mut inspection: Inspection) -> String {
    inspection.version = [0; 3];
    let folder = Path::new(&inspection.file).parent().unwrap().to_owned();
    for scene in &mut inspection.scenes {
        if scene.name == "Plain" {
            scene.samples = None;
            scene.denoising = None;
        }
    }
    serde_json::to_string_pretty(&inspection)
        .unwrap()
        .replace(folder.to_str().unwrap(), "HERE")
}

#[test]
fn byte_order_pointer_size_and_header_make_no_difference() {
    let [(_, first), others @ ..] = layouts();
    let first = told(inspect_bytes(&first).unwrap());
    for (name, file) in others {
        assert_eq!(told(inspect_bytes(&file).unwrap()), first, "{name}");
    }
    for packed in [gzip(&layouts()[1].1), zstd(&layouts()[1].1)] {
        assert_eq!(told(inspect_bytes(&packed).unwrap()), first);
    }
}

#[test]
fn a_written_file_is_told_as_it_was_written() {
    let found = inspect_bytes(&rich(Heads::Small, true, "279")).unwrap();
    assert_eq!(found.version, [2, 79, 6]);
    assert_eq!(found.active_scene.as_deref(), Some("Second"));
    let [main, second, old, _] = &found.scenes[..] else {
        panic!("{:#?}", found.scenes);
    };
    assert_eq!((main.frame_start, main.frame_end, main.frame_step), (-10, 77, 2));
    assert_eq!((main.fps, main.fps_base), (30, f64::from(1.001_f32)));
    assert_eq!(main.resolution, [321, 123, 50]);
    assert_eq!((&*main.engine, &*main.file_format), ("CYCLES", "OPEN_EXR"));
    assert_eq!(main.camera.as_deref(), Some("Camera"));
    assert_eq!(main.output_path, "//out/é_####");
    assert_eq!(
        (main.device.as_deref(), main.samples, main.denoising),
        (Some("GPU"), Some(77), Some(false))
    );
    assert_eq!(second.camera.as_deref(), Some("Linked Camera"));
    assert!(second.movie && second.multiview && !second.sequencer);
    assert_eq!((second.fps_base, second.samples), (1.0, Some(17)));
    assert_eq!(
        (old.camera.as_deref(), old.engine.as_str()),
        (None, "BLENDER_RENDER")
    );
    assert_eq!(
        found.libraries.len(),
        1,
        "a library that nothing is linked from is not needed"
    );
    assert_eq!(found.scripts.len(), 1);
    assert_eq!(found.scripted_drivers, 1);
    let outputs: Vec<_> = main
        .file_outputs
        .iter()
        .map(|output| (output.path.as_str(), output.slots[0].as_str()))
        .collect();
    assert_eq!(outputs, [("//passes/", "depth"), ("//inner/shot", "beauty")]);
}

#[test]
fn a_file_cut_off_anywhere_is_said_to_be_cut_off() {
    for (name, file) in layouts() {
        for packed in [file.clone(), zstd(&file), gzip(&file)] {
            for part in 1..40 {
                let cut = &packed[..packed.len() * part / 40];
                let error = inspect_bytes(cut).unwrap_err();
                assert!(
                    matches!(error, InspectError::Truncated),
                    "{name} at {part}/40: {error}"
                );
            }
        }
    }
}

#[test]
fn what_is_no_scene_to_render_gets_one_clear_line() {
    let scenes = || {
        let mut file = Written::new(Heads::Wide, false, "304");
        for number in 0..100_000 {
            let name = format!("SC{number}");
            file.add("SC", number, "Scene", &[("id.name", Value::Text(&name))]);
        }
        file
    };
    let bomb = || {
        let mut file = Written::new(Heads::Large, false, "500");
        file.block("DATA", 1, "raw_data", 1, &vec![0; 1200 << 20]);
        file.finish()
    };
    let mut giant = Written::new(Heads::Large, false, "500");
    giant.block("DATA", 1, "raw_data", 1, &[0; 64]);
    let mut giant = giant.unfinished();
    let length = giant.len();
    giant[length - 64 - 16..length - 64 - 8].copy_from_slice(&(1_u64 << 62).to_le_bytes());
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("empty", Vec::new(), "the file is empty"),
        (
            "random",
            (0..=255).cycle().take(5000).collect(),
            "this is no .blend file",
        ),
        ("gzip of something", gzip(b"hello"), "this is no .blend file"),
        (
            "broken zstd",
            [&zstd(&layouts()[0].1)[..4], &[0xff; 90]].concat(),
            "the file is damaged",
        ),
        (
            "no structs",
            b"BLENDER-v304ENDB\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            "the file is damaged",
        ),
        (
            "scenes",
            scenes().finish(),
            "the file holds more than 10000 scenes",
        ),
        ("bomb", zstd(&bomb()), "the file unpacks to more than 1 GiB"),
        ("giant block", giant.clone(), "the file is cut off"),
        ("giant block, packed", zstd(&giant), "the file is cut off"),
    ];
    for (name, file, start) in cases {
        let begun = Instant::now();
        let error = inspect_bytes(&file).unwrap_err().to_string();
        assert!(error.starts_with(start), "{name}: {error}");
        assert!(!error.contains('\n'), "{name}: {error}");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{name} took {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn libraries_that_link_each_other_in_a_circle_are_listed_once_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().canonicalize().unwrap();
    for (name, other) in [
        ("a.blend", "//b.blend"),
        ("b.blend", "//sub/../c.blend"),
        ("c.blend", "//b.blend"),
    ] {
        let mut file = Written::new(Heads::Wide, false, "304");
        file.add("LI", 1, "Library", &[("name", Value::Text(other))]);
        file.add("ID", 2, "ID", &[("name", Value::Text("OBx"))]);
        fs::write(at.join(name), file.finish()).unwrap();
    }
    let found = inspect(&at.join("a.blend")).unwrap();
    let libraries: Vec<_> = found
        .libraries
        .iter()
        .map(|library| (library.path.as_str(), library.indirect, library.linked_by.len()))
        .collect();
    assert_eq!(libraries, [("//b.blend", false, 2), ("//c.blend", true, 1)]);
    let circle = ["b.blend", "c.blend", "b.blend"].map(|name| at.join(name).to_str().unwrap().to_owned());
    assert_eq!(found.library_cycles, [circle]);
    assert_eq!(found.warnings.len(), 1);
}

#[test]
fn a_library_that_is_missing_or_broken_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Written::new(Heads::Wide, false, "304");
    for path in ["//gone.blend", "//broken.blend"] {
        file.add("LI", 1, "Library", &[("name", Value::Text(path))]);
        file.add("ID", 2, "ID", &[("name", Value::Text("OBx"))]);
    }
    fs::write(folder.path().join("main.blend"), file.finish()).unwrap();
    fs::write(folder.path().join("broken.blend"), b"BLENDER-v304REND").unwrap();
    let found = inspect(&folder.path().join("main.blend")).unwrap();
    let [gone, broken] = &found.warnings[..] else {
        panic!("{:?}", found.warnings);
    };
    assert!(gone.ends_with("gone.blend is missing"), "{gone}");
    assert!(broken.contains("broken.blend: the file is cut off"), "{broken}");
}

#[test]
fn files_that_cameras_and_geometry_nodes_read_are_found() {
    let mut file = Written::new(Heads::Large, false, "501");
    for (mode, name) in [(1, "CAEye"), (0, "CAText")] {
        let fields = [
            ("id.name", Value::Text(name)),
            ("type", Value::Int(3)),
            ("custom_mode", Value::Int(mode)),
            ("custom_filepath", Value::Text("//osl/eye.osl")),
        ];
        file.add("CA", 1, "Camera", &fields);
    }
    file.add("NT", 2, "bNodeTree", &[("id.name", Value::Text("NTGeo"))]);
    for (idname, socket) in [("GeometryNodeImportOBJ", 5), ("GeometryNodeStoreNamed", 5)] {
        let fields = [
            ("name", Value::Text("Import")),
            ("idname", Value::Text(idname)),
            ("inputs.first", Value::Pointer(socket)),
        ];
        file.add("DATA", 4, "bNode", &fields);
    }
    file.add("DATA", 5, "bNodeSocket", &[("default_value", Value::Pointer(6))]);
    file.add(
        "DATA",
        6,
        "bNodeSocketValueString",
        &[("value", Value::Text("//geo/rock.obj"))],
    );
    let found = inspect_bytes(&file.finish()).unwrap();
    let paths: Vec<_> = found
        .assets
        .iter()
        .map(|asset| (&*asset.name, &*asset.path))
        .collect();
    assert_eq!(paths, [("Eye", "//osl/eye.osl"), ("Import", "//geo/rock.obj")]);
}

#[test]
fn what_is_not_there_is_missing_unless_it_is_packed_or_blender_makes_it() {
    let mut file = Written::new(Heads::Wide, false, "304");
    for (name, path, packed) in [
        ("IMgone", "//gone.png", 0),
        ("IMpacked", "//packed.png", 7),
        ("IMthere", "//there.png", 0),
    ] {
        let fields = [
            ("id.name", Value::Text(name)),
            ("source", Value::Int(1)),
            ("name", Value::Text(path)),
            ("packedfile", Value::Pointer(packed)),
        ];
        file.add("IM", 1, "Image", &fields);
    }
    file.add("OB", 2, "Object", &[("id.name", Value::Text("OBDomain"))]);
    let not_baked = [("cache_directory", Value::Text("//cache"))];
    file.add("DATA", 3, "FluidDomainSettings", &not_baked);
    file.add("LI", 4, "Library", &[("name", Value::Text("//lost.blend"))]);
    file.add("ID", 5, "ID", &[("name", Value::Text("OBx"))]);
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().canonicalize().unwrap();
    fs::write(at.join("main.blend"), file.finish()).unwrap();
    fs::write(at.join("there.png"), "").unwrap();
    let found = inspect(&at.join("main.blend")).unwrap();
    let missing: Vec<_> = found
        .missing()
        .into_iter()
        .map(|missing| (missing.path, missing.used_by))
        .collect();
    let path = |name: &str| at.join(name).to_str().unwrap().to_owned();
    assert_eq!(
        missing,
        [
            (path("lost.blend"), "library".to_owned()),
            (path("gone.png"), "image gone".to_owned()),
        ]
    );
    assert_eq!(found.warnings.len(), 2, "{:?}", found.warnings);
    let link = &found.libraries[0].links[0];
    assert_eq!((&*link.by, &*link.path), (&*path("main.blend"), "//lost.blend"));
}

#[test]
fn the_corpus_does_no_harm() {
    let mut whole = 0;
    for path in corpus() {
        whole += usize::from(fuzz(&fs::read(&path).unwrap()));
    }
    assert!(whole >= 5, "only {whole} files of the corpus are whole");
}

#[test]
fn damage_anywhere_in_a_file_does_no_harm() {
    for (_, file) in &layouts()[1..] {
        // Zeros are most of it. One byte at a time, and then another one elsewhere.
        for at in (0..file.len()).filter(|at| file[*at] != 0).step_by(197) {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (at % 8);
            fuzz(&damaged);
            damaged[(at * 31) % file.len()] = 0xff;
            fuzz(&damaged);
        }
    }
}

fn corpus() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(CORPUS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "blend"))
        .collect();
    paths.sort();
    paths
}

/// `cargo test -p farmhand-blend --test written_files -- --ignored` makes the corpus anew.
#[test]
#[ignore = "it writes into the source tree"]
fn the_corpus_is_written() {
    fs::create_dir_all(CORPUS).unwrap();
    for path in corpus() {
        fs::remove_file(path).unwrap();
    }
    let keep =
        |name: &str, bytes: &[u8]| fs::write(Path::new(CORPUS).join(format!("{name}.blend")), bytes).unwrap();
    for (name, file) in layouts() {
        // Packed: an uncompressed one is mostly zeros.
        keep(&format!("{name}_zstd"), &zstd(&file));
    }
    let plain = &layouts()[2].1;
    keep("wide_little_gzip", &gzip(plain));
    keep("cut_off_zstd", &zstd(plain)[..900]);
    keep("cut_off_gzip", &gzip(plain)[..900]);
    keep("empty", b"");
    keep("header_only", b"BLENDER17-01v0503");
    keep("later_header", b"BLENDER19-02v0701....");
    for (number, at) in (0..plain.len())
        .filter(|at| plain[*at] != 0)
        .step_by(211)
        .enumerate()
    {
        let mut damaged = plain.clone();
        damaged[at] = !damaged[at];
        keep(&format!("damaged_{number:02}"), &zstd(&damaged));
    }
    let mut small = Written::new(Heads::Large, false, "501");
    small.add("GLOB", 1, "FileGlobal", &[("subversion", Value::Int(119))]);
    small.add("SC", 2, "Scene", &[("id.name", Value::Text("SCPlain"))]);
    small.add("LI", 3, "Library", &[("name", Value::Text("//lib.blend"))]);
    small.add(
        "LI",
        4,
        "Library",
        &[
            ("name", Value::Text("//lib.blend")),
            ("archive_parent_library", Value::Pointer(3)),
        ],
    );
    let fields = [
        ("id.name", Value::Text("IMx")),
        ("id.lib", Value::Pointer(4)),
        ("source", Value::Int(1)),
        ("name", Value::Text("//x.png")),
    ];
    small.add("IM", 5, "Image", &fields);
    let fields = [
        ("id.name", Value::Text("SCPacked")),
        ("id.lib", Value::Pointer(4)),
    ];
    small.add("SC", 6, "Scene", &fields);
    keep("packed_library", &small.finish());
    let total: u64 = corpus()
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert!(total < 200_000, "the corpus has {total} bytes");
}

/// As a damaged file may hold them: found by random damage, once without an end.
#[test]
fn lists_that_lead_in_circles_end() {
    let mut file = Written::new(Heads::Wide, false, "304");
    file.add("SC", 1, "Scene", &[("id.name", Value::Text("SCRound"))]);
    for _ in 0..300 {
        let fields = [
            ("idname", Value::Text("CompositorNodeOutputFile")),
            ("storage", Value::Pointer(2)),
            ("inputs.first", Value::Pointer(3)),
        ];
        file.add("DATA", 9, "bNode", &fields);
    }
    file.add("DATA", 2, "NodeImageMultiFile", &[]);
    file.add("DATA", 3, "bNodeSocket", &[("next", Value::Pointer(3))]);
    let begun = Instant::now();
    assert_eq!(
        inspect_bytes(&file.finish()).unwrap().scenes[0]
            .file_outputs
            .len(),
        300
    );
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        begun.elapsed()
    );
}
