//! A scene's settings from its datablock.

use crate::compositor::Tree;
use crate::file_format;
use crate::group::Datablock;
use crate::id_property::Properties;
use crate::inspection::{Scene, ViewLayer};
use crate::paths;
use crate::record::Record;

/// `RenderData.scemode`.
const SEQUENCER: i64 = 1 << 0;
const COMPOSITING: i64 = 1 << 6;
const MULTIVIEW: i64 = 1 << 21;

/// `ViewLayer.flag`: it is rendered. `SceneRenderLayer.layflag`: it is not.
const LAYER_RENDERS: i64 = 1 << 0;
const LAYER_DISABLED: i64 = 1 << 17;

/// A scene, and what it refers to by address.
#[derive(Debug)]
pub(crate) struct FoundScene {
    pub(crate) scene: Scene,
    pub(crate) address: u64,
    pub(crate) camera: Option<u64>,
    /// Node trees whose file outputs are the scene's too.
    pub(crate) trees: Vec<u64>,
}

/// Reads a scene written by a Blender of this version.
pub(crate) fn read(data: &Datablock<'_>, address: u64, version: (u16, u16)) -> Option<FoundScene> {
    let record = data.first("Scene")?;
    let render = record.within("r")?;
    let int = |path: &str| render.int(path).unwrap_or_default();
    let group = record.pointer("compositing_node_group");
    // Beside the group, Blender 5.0 writes a copy for older Blenders.
    let tree = if group.is_some() {
        Tree::default()
    } else {
        Tree::read(data)
    };
    let format = int("im_format.imtype");
    let engine = render.text("engine").unwrap_or_default();
    let mut scene = Scene {
        name: record.id_name(),
        frame_start: int("sfra"),
        frame_end: int("efra"),
        frame_step: int("frame_step"),
        fps: int("frs_sec"),
        fps_base: render
            .float("frs_sec_base")
            .filter(|base| base.is_finite())
            .unwrap_or(1.0),
        resolution: [int("xsch"), int("ysch"), int("size")],
        file_format: file_format::identifier(format),
        movie: file_format::is_movie(format),
        output_path: paths::shown(&render.text("pic").unwrap_or_default()),
        view_layers: view_layers(data),
        file_outputs: tree.outputs,
        compositing: render.flag("scemode", COMPOSITING)
            && (record.int("use_nodes") == Some(1) || group.is_some()),
        sequencer: render.flag("scemode", SEQUENCER),
        multiview: render.flag("scemode", MULTIVIEW),
        engine,
        ..Scene::default()
    };
    quality(&mut scene, data, &record, version);
    let mut trees = tree.groups;
    trees.extend(group);
    Some(FoundScene {
        scene,
        address,
        camera: record.pointer("camera"),
        trees,
    })
}

fn view_layers(data: &Datablock<'_>) -> Vec<ViewLayer> {
    let layer = |record: &Record<'_>, enabled: bool| ViewLayer {
        name: record.text("name").unwrap_or_default(),
        enabled,
    };
    let layers: Vec<_> = data
        .all("ViewLayer")
        .map(|record| layer(&record, record.flag("flag", LAYER_RENDERS)))
        .collect();
    if !layers.is_empty() {
        return layers;
    }
    data.all("SceneRenderLayer")
        .map(|record| layer(&record, !record.flag("layflag", LAYER_DISABLED)))
        .collect()
}

/// Device, samples and denoising. Cycles keeps them as properties and stores only what was changed: the
/// rest is what its version has from the start.
fn quality(scene: &mut Scene, data: &Datablock<'_>, record: &Record<'_>, version: (u16, u16)) {
    match scene.engine.as_str() {
        "CYCLES" => {
            let cycles = ["id.system_properties", "id.properties"]
                .iter()
                .find_map(|field| Properties::of(data, record, field)?.group("cycles"));
            let int = |name: &str| cycles.and_then(|cycles| cycles.int(name));
            let device = match int("device") {
                Some(1) => "GPU",
                Some(2) => "NETWORK",
                _ => "CPU",
            };
            scene.device = Some(device.to_owned());
            scene.samples = int("samples").or(match version {
                (3.., _) => Some(4096),
                (2, 80..) => Some(128),
                _ => Some(10),
            });
            scene.denoising = cycles
                .and_then(|cycles| cycles.switch("use_denoising"))
                .or(match version {
                    (3.., _) => Some(true),
                    (2, 90..) => Some(false),
                    // Each layer had its own.
                    _ => None,
                });
        }
        "BLENDER_EEVEE" | "BLENDER_EEVEE_NEXT" => {
            scene.samples = record.int("eevee.taa_render_samples");
        }
        _ => {}
    }
}
