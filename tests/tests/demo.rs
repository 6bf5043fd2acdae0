//! What somebody new sees first.

use std::path::Path;
use std::process::Command;

use farmhand_tests::{build_path, pictures_in};

#[test]
fn the_demo_renders_48_pictures_without_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(build_path("farmhand"));
    command.args(["demo", "--data"]).arg(home.path().join("data"));
    let output = command
        .env_remove("FARMHAND_TOKEN")
        .env_remove("FARMHAND_FARM")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let folder = said
        .split_whitespace()
        .map(Path::new)
        .rfind(|path| path.is_absolute())
        .unwrap_or_else(|| panic!("no folder is named: {said}"));
    let pictures = pictures_in(folder);
    assert_eq!(pictures.len(), 48, "{said}");
    for (name, picture) in &pictures {
        assert_eq!(picture.size(), (480, 270), "{name}");
        assert!(!picture.is_blank(), "{name}");
    }
}
