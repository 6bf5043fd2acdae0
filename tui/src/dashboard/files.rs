//! Files that a person asks for: saved text, and pictures opened in the desktop's own program.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Writes text to a new file in the folder where the dashboard was started, or in the home folder where that
/// cannot be written to. A name that is taken gets a number. Blocks on the disk.
pub(crate) fn save(name: &str, text: &str) -> Result<PathBuf, String> {
    let here = std::env::current_dir().ok();
    let folders: Vec<PathBuf> = here.into_iter().chain(std::env::home_dir()).collect();
    let mut error = format!("there is no folder for {name}");
    for folder in folders {
        match save_in(&folder, name, text) {
            Ok(path) => return Ok(path),
            Err(failed) => error = format!("cannot save {name} in {}: {failed}", folder.display()),
        }
    }
    Err(error)
}

fn save_in(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, "txt"));
    for number in 1..1000 {
        let name = match number {
            1 => name.to_owned(),
            _ => format!("{stem}-{number}.{end}"),
        };
        let path = folder.join(name);
        match File::create_new(&path) {
            Ok(mut file) => return file.write_all(text.as_bytes()).map(|()| path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Opens a file in the program that the desktop has for it. Says why where there is none.
pub(crate) fn open_outside(path: &str) -> Result<(), String> {
    let is_mac = cfg!(target_os = "macos");
    let has_desktop = is_mac
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some());
    if !has_desktop {
        return Err(format!(
            "there is no desktop here to open it with; y copies its path: {path}"
        ));
    }
    if !Path::new(path).exists() {
        return Err(format!("{path} is not there any more"));
    }
    let program = if is_mac { "open" } else { "xdg-open" };
    let started = Command::new(program)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(mut opener) => {
            // Reaped by a thread of its own: a viewer may stay open for hours.
            std::thread::spawn(move || opener.wait());
            Ok(())
        }
        Err(error) => Err(format!("cannot start {program}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_log_never_overwrites_another_one() {
        let folder = std::env::temp_dir().join(format!("farmhand-save-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        let first = save_in(&folder, "farmhand-j7-f142.log", "one\n").unwrap();
        let second = save_in(&folder, "farmhand-j7-f142.log", "two\n").unwrap();
        assert_eq!(first.file_name().unwrap(), "farmhand-j7-f142.log");
        assert_eq!(second.file_name().unwrap(), "farmhand-j7-f142-2.log");
        assert_eq!(std::fs::read_to_string(first).unwrap(), "one\n");
        assert!(save_in(&folder.join("missing"), "a.log", "x").is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
