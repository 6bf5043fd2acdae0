//! One folder of shared storage under the names that different systems give it: `/mnt/show` on Linux, `S:\show`
//! on Windows, `/Volumes/show` on macOS.

use std::str::FromStr;

use farmhand_protocol::{SharedPath, SharedPathError};

/// The names of one shared folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathMap(Vec<String>);

/// Why a text is not a [`PathMap`].
#[derive(Debug, thiserror::Error)]
pub enum PathMapError {
    /// Nothing to map to.
    #[error("a path map has two names or more, as in /mnt/show=S:\\show=/Volumes/show")]
    OneName,
    /// A name that is no absolute path.
    #[error(transparent)]
    Name(#[from] SharedPathError),
}

impl FromStr for PathMap {
    type Err = PathMapError;

    fn from_str(text: &str) -> Result<Self, PathMapError> {
        let names = text.split('=').map(|name| {
            let name = name.trim().trim_end_matches(['/', '\\']);
            name.parse::<SharedPath>().map(|name| name.to_string())
        });
        let names = names.collect::<Result<Vec<_>, _>>()?;
        if names.len() < 2 {
            return Err(PathMapError::OneName);
        }
        Ok(Self(names))
    }
}

impl PathMap {
    /// The folder's names.
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// What the path is called elsewhere, if it lies in this folder.
    pub(crate) fn elsewhere(&self, path: &str) -> Vec<String> {
        let Some(rest) = self.0.iter().find_map(|name| below(path, name)) else {
            return Vec::new();
        };
        let others = self.0.iter().filter(|name| below(path, name).is_none());
        others
            .map(|name| {
                if name.starts_with('/') {
                    name.clone() + &rest.replace('\\', "/")
                } else {
                    name.clone() + &rest.replace('/', "\\")
                }
            })
            .collect()
    }
}

/// What is left of a path behind a folder's name, its separator first. Windows' paths have either separator and
/// either case.
fn below<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let (start, rest) = path.split_at_checked(name.len())?;
    let same = if name.starts_with('/') {
        start == name
    } else {
        start
            .replace('\\', "/")
            .eq_ignore_ascii_case(&name.replace('\\', "/"))
    };
    (same && (rest.is_empty() || rest.starts_with(['/', '\\']))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_called_what_each_system_calls_it() {
        let map: PathMap = r"/mnt/show=S:\show\=/Volumes/show".parse().unwrap();
        assert_eq!(
            map.elsewhere("/mnt/show/a/b.blend"),
            [r"S:\show\a\b.blend", "/Volumes/show/a/b.blend"]
        );
        assert_eq!(
            map.elsewhere(r"s:/Show\a.blend"),
            ["/mnt/show/a.blend", "/Volumes/show/a.blend"]
        );
        assert!(map.elsewhere("/mnt/shows/a.blend").is_empty());
        assert!(map.elsewhere("/mnt").is_empty());
    }

    #[test]
    fn a_map_of_one_name_or_a_relative_one_is_refused_in_words() {
        let said = |text: &str| text.parse::<PathMap>().unwrap_err().to_string();
        assert!(said("/mnt/show").contains("two names"), "{}", said("/mnt/show"));
        assert!(
            said("/mnt/show=show").contains("\"show\""),
            "{}",
            said("/mnt/show=show")
        );
    }
}
