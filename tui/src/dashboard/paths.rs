//! What a typed path may become.

use std::fs;

use crate::app::PathHit;

/// Hits that are shown at most.
const MOST: usize = 200;

/// Files and folders that begin with what was typed, folders first. Blocks on the disk.
pub(crate) fn hits(typed: &str, blends_only: bool) -> Vec<PathHit> {
    let (folder, start) = match typed.rfind('/') {
        Some(slash) => typed.split_at(slash + 1),
        None => ("", typed),
    };
    let real = match folder.strip_prefix("~/") {
        Some(rest) => std::env::home_dir().unwrap_or_default().join(rest),
        None if folder.is_empty() => ".".into(),
        None => folder.into(),
    };
    let Ok(entries) = fs::read_dir(real) else {
        return Vec::new();
    };
    let mut hits: Vec<(bool, PathHit)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let hidden = name.starts_with('.') && !start.starts_with('.');
            if hidden || !name.starts_with(start) {
                return None;
            }
            let kind = fs::metadata(entry.path()).ok()?;
            let wanted = kind.is_dir() || !blends_only || name.to_lowercase().ends_with(".blend");
            let slash = if kind.is_dir() { "/" } else { "" };
            wanted.then(|| {
                let hit = PathHit {
                    path: format!("{folder}{name}{slash}"),
                    size: kind.is_file().then_some(kind.len()),
                };
                (kind.is_file(), hit)
            })
        })
        .take(MOST * 10)
        .collect();
    hits.sort_by(|a, b| (a.0, &a.1.path).cmp(&(b.0, &b.1.path)));
    hits.truncate(MOST);
    hits.into_iter().map(|(_, hit)| hit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_blends_that_begin_as_typed_are_found() {
        let folder = std::env::temp_dir().join(format!("farmhand-paths-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(folder.join("intro_assets")).unwrap();
        for file in [
            "intro_v2.blend",
            "intro_v1.blend",
            "intro.png",
            ".intro.blend",
            "outro.blend",
        ] {
            fs::write(folder.join(file), "x").unwrap();
        }
        let typed = format!("{}/in", folder.display());
        let names = |blends_only| -> Vec<String> {
            let prefix = format!("{}/", folder.display());
            hits(&typed, blends_only)
                .into_iter()
                .map(|hit| hit.path.strip_prefix(&prefix).unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(true), ["intro_assets/", "intro_v1.blend", "intro_v2.blend"]);
        assert_eq!(names(false).len(), 4);
        assert!(hits("/no/such/folder/x", true).is_empty());
        fs::remove_dir_all(folder).unwrap();
    }
}
