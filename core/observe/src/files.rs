//! Log files that take no more than so many bytes in all: the newest is `<name>.log`, older ones
//! `<name>.1.log`, `<name>.2.log` and so on.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How large the files become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of one file.
    pub(crate) file_bytes: u64,
    /// Files that are kept, the newest one too; at least 1.
    pub(crate) files: u32,
}

/// A writer of whole lines.
#[derive(Debug)]
pub(crate) struct BoundedFiles {
    folder: PathBuf,
    name: String,
    bounds: Bounds,
    file: File,
    written: u64,
}

impl BoundedFiles {
    /// Goes on with the newest file.
    pub(crate) fn open(folder: &Path, name: &str, bounds: Bounds) -> io::Result<Self> {
        let path = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            bounds,
            file,
            written,
        })
    }

    fn path(&self, age: u32) -> PathBuf {
        self.folder.join(match age {
            0 => format!("{}.log", self.name),
            age => format!("{}.{age}.log", self.name),
        })
    }

    /// Every file becomes one older; the oldest goes.
    fn turn_over(&mut self) -> io::Result<()> {
        for age in (0..self.bounds.files).rev() {
            let path = self.path(age);
            let aged = if age + 1 == self.bounds.files {
                fs::remove_file(&path)
            } else {
                fs::rename(&path, self.path(age + 1))
            };
            match aged {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.file = File::options().create(true).append(true).open(self.path(0))?;
        self.written = 0;
        Ok(())
    }
}

impl Write for BoundedFiles {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        if self.written > 0 && self.written + length > self.bounds.file_bytes {
            self.turn_over()?;
        }
        let written = self.file.write(line)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_never_take_more_than_they_may_and_the_newest_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = Bounds {
            file_bytes: 100,
            files: 3,
        };
        for start in 0..5 {
            // Opened again and again, as by programs that are started again.
            let mut files = BoundedFiles::open(folder.path(), "agent", bounds).unwrap();
            for line in 0..20 {
                files
                    .write_all(format!("start {start} line {line:02}\n").as_bytes())
                    .unwrap();
                let entries = fs::read_dir(folder.path()).unwrap();
                let sizes: Vec<u64> = entries
                    .map(|entry| entry.unwrap().metadata().unwrap().len())
                    .collect();
                assert!(sizes.len() <= 3 && sizes.iter().sum::<u64>() <= 300, "{sizes:?}");
            }
        }
        let newest = fs::read_to_string(folder.path().join("agent.log")).unwrap();
        let older = fs::read_to_string(folder.path().join("agent.1.log")).unwrap();
        assert!(newest.ends_with("start 4 line 19\n"), "{newest}");
        assert!(older.lines().all(|line| line.starts_with("start 4")), "{older}");
    }
}
