//! What the Debian packages install: units that systemd accepts, settings that the programs know, files that are there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use farmhand_tests::build_path;

/// Each package: its name, its folder below `assets/debian`, its manifest's folder, and what its program's settings
/// are told by.
const PACKAGES: [(&str, &str, &str, &[&str]); 2] = [
    ("farmhand", "orchestrator", "tui", &["serve", "--help"]),
    ("farmhand-agent", "agent", "node-agent", &["--help"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn asset(folder: &str, name: &str) -> String {
    std::fs::read_to_string(root().join("assets/debian").join(folder).join(name)).unwrap()
}

#[test]
fn systemd_accepts_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("skipped: there is no systemd-analyze here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (package, assets, _, _) in PACKAGES {
        let name = format!("{package}.service");
        // A unit that starts what is not there is refused, and here nothing is installed.
        let here = build_path(package).display().to_string();
        let unit = asset(assets, &name).replace(&format!("/usr/bin/{package}"), &here);
        assert!(unit.contains(&here), "{name} starts /usr/bin/{package}");
        let path = folder.path().join(&name);
        std::fs::write(&path, unit).unwrap();
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success() && said.is_empty(), "{name}: {said}");
    }
}

#[test]
fn settings_of_the_services_are_settings_of_the_programs() {
    for (package, assets, _, help) in PACKAGES {
        let help = Command::new(build_path(package)).args(help).output().unwrap();
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let settings = asset(assets, &format!("{package}.default"));
        let unit = asset(assets, &format!("{package}.service"));
        let named = settings
            .lines()
            .chain(unit.lines())
            .flat_map(|line| line.split([' ', '#', '=', ',', ':']))
            .filter(|word| word.starts_with("FARMHAND_"));
        let mut count = 0;
        for name in named {
            assert!(
                help.contains(&format!("[env: {name}=")),
                "{package} does not know {name}"
            );
            count += 1;
        }
        assert!(count >= 5, "{package}: {count}");
    }
}

#[test]
fn everything_that_is_packed_is_there() {
    for (package, assets, manifest, _) in PACKAGES {
        let folder = root().join(manifest);
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let packed: Vec<&str> = manifest
            .split('"')
            .filter(|text| text.starts_with("../"))
            .collect();
        assert!(
            packed
                .iter()
                .any(|path| path.ends_with(&format!("debian/{assets}/{package}.default")))
        );
        let told = format!("\"target/release/told/{package}/");
        assert_eq!(
            manifest.matches(&told).count(),
            4,
            "{package} packs a manual and completions"
        );
        for path in packed {
            let path = folder.join(path.split('*').next().unwrap());
            assert!(path.exists(), "{package} packs {}", path.display());
        }
        let users = asset(assets, &format!("{package}.sysusers"));
        let unit = asset(assets, &format!("{package}.service"));
        assert!(users.contains("\nu farmhand ") && unit.contains("\nUser=farmhand\n"));
    }
}
