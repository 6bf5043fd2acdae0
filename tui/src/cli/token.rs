//! `token`: a random token in a file that only its owner can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use color_eyre::eyre::{Context, Result};
use farmhand_http::Tokens;
use uuid::Uuid;

use super::print;
use crate::place::Place;

pub(crate) fn token(place: &Place, show: bool) -> Result<()> {
    let file = place.token_file();
    make_once(&file).wrap_err_with(|| format!("cannot make {}", file.display()))?;
    let token = Tokens::from_file(&file)?;
    if show {
        print::text(&format!("{}\n", token.first()))?;
    } else {
        print::text(&format!("{}\n", file.display()))?;
    }
    Ok(())
}

fn make_once(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    match made {
        // 244 random bits.
        Ok(mut output) => writeln!(output, "{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_read_by_its_owner_only() {
        let folder = std::env::temp_dir().join(format!("farmhand-token-{}", Uuid::new_v4()));
        let file = folder.join("token");
        make_once(&file).unwrap();
        let first = fs::read_to_string(&file).unwrap();
        make_once(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), first);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Tokens::from_file(&file).is_ok());
        fs::remove_dir_all(folder).unwrap();
    }
}
