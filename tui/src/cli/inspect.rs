//! `inspect`: what a .blend renders and which files it needs, for people and programs.

use std::fmt::Write;
use std::path::PathBuf;

use color_eyre::eyre::Result;
use farmhand_blend::{Asset, FileOutput, Inspection, Library, Scene};

use super::print;
use crate::scene::{has_no_circle, inspect as look};
use crate::words;

pub(crate) async fn inspect(file: PathBuf, as_json: bool) -> Result<()> {
    let inspection = look(&file, file.clone()).await?;
    has_no_circle(&inspection, false)?;
    if as_json {
        return Ok(print::json(&inspection)?);
    }
    Ok(print::text(&told(&inspection))?)
}

/// The most files of one kind listed for people; JSON has them all.
const MOST_LINES: usize = 200;

/// For people.
fn told(inspection: &Inspection) -> String {
    let mut text = Lines(String::new());
    let [major, minor, _] = inspection.version;
    text.add(
        0,
        &format!("{}, written by Blender {major}.{minor}", inspection.file),
    );
    for scene in &inspection.scenes {
        let active = inspection.active_scene.as_ref() == Some(&scene.name);
        text.scene(scene, active && inspection.scenes.len() > 1);
    }
    text.list("libraries", &inspection.libraries, library);
    text.list("files", &inspection.assets, asset);
    text.list(
        "scripts that run when it is opened",
        &inspection.scripts,
        |script| {
            let library = script.library.as_ref();
            let of = library.map(|library| format!(" of {library}"));
            format!("{}{}", script.name, of.unwrap_or_default())
        },
    );
    if inspection.scripted_drivers > 0 {
        text.add(
            0,
            &format!(
                "drivers with a Python expression: {}",
                inspection.scripted_drivers
            ),
        );
    }
    text.list("warnings", &inspection.warnings, Clone::clone);
    text.0
}

/// Lines of text, whatever control characters a file's names hold.
struct Lines(String);

impl Lines {
    fn add(&mut self, depth: usize, line: &str) {
        let _infallible = writeln!(self.0, "{:1$}{2}", "", depth * 2, words::one_line(line));
    }

    fn list<T>(&mut self, title: &str, all: &[T], line: impl Fn(&T) -> String) {
        if all.is_empty() {
            return;
        }
        self.add(0, &format!("{title} ({}):", all.len()));
        for one in all.iter().take(MOST_LINES) {
            self.add(1, &line(one));
        }
        if all.len() > MOST_LINES {
            self.add(1, &format!("and {} more; see --json", all.len() - MOST_LINES));
        }
    }

    fn scene(&mut self, scene: &Scene, open: bool) {
        let open = if open { " (open)" } else { "" };
        self.add(0, &format!("scene {}{open}: {}", scene.name, scene.summary()));
        let movie = if scene.movie { ", a movie" } else { "" };
        self.add(
            1,
            &format!("writes {}{movie} to {}", scene.file_format, scene.output_path),
        );
        let layers: Vec<String> = scene
            .view_layers
            .iter()
            .map(|layer| format!("{}{}", layer.name, if layer.enabled { "" } else { " (off)" }))
            .collect();
        if !layers.is_empty() {
            self.add(1, &format!("view layers: {}", layers.join(", ")));
        }
        for output in &scene.file_outputs {
            self.add(1, &file_output(output));
        }
        if scene.multiview {
            self.add(1, "renders several views");
        }
    }
}

fn file_output(output: &FileOutput) -> String {
    let FileOutput {
        node,
        path,
        file_format,
        slots,
        muted,
    } = output;
    let muted = if *muted { " (muted)" } else { "" };
    format!(
        "node {node}{muted} writes {file_format} to {path}: {}",
        slots.join(", ")
    )
}

fn library(library: &Library) -> String {
    let state = match library {
        Library { packed: true, .. } => ", packed",
        Library { exists: false, .. } => ", MISSING",
        _ => "",
    };
    let indirect = if library.indirect { ", indirect" } else { "" };
    format!("{}{indirect}{state}", library.resolved)
}

fn asset(asset: &Asset) -> String {
    let state = match asset {
        Asset { packed: true, .. } => ", packed".to_owned(),
        Asset {
            exists: true, files, ..
        } if files.len() > 1 => format!(", {} files", files.len()),
        Asset { exists: true, .. } => String::new(),
        Asset { optional: true, .. } => ", not there yet".to_owned(),
        Asset { missing, .. } if missing.len() > 1 => format!(", {} MISSING", missing.len()),
        Asset { .. } => ", MISSING".to_owned(),
    };
    let library = asset.library.as_ref();
    let of = library.map(|library| format!(", of {library}"));
    format!(
        "{} {}: {}{state}{}",
        asset.kind.word(),
        asset.name,
        asset.resolved,
        of.unwrap_or_default()
    )
}
