//! Nodes that write files of their own, in the compositor of a scene and in the groups it uses.

use crate::file_format;
use crate::group::Datablock;
use crate::inspection::FileOutput;
use crate::record::Record;

/// `bNode.flag`: a muted node does nothing.
const MUTED: i64 = 1 << 9;

/// The most inputs of file-output nodes in one tree: damaged nodes may all share one long list.
const MOST_SLOTS: usize = 10_000;

/// A node tree's file-output nodes, and the trees (by address) that it uses as groups.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) outputs: Vec<FileOutput>,
    pub(crate) groups: Vec<u64>,
}

impl Tree {
    /// Reads the nodes of a group of blocks, be it a scene with its own tree or a node group.
    pub(crate) fn read(data: &Datablock<'_>) -> Self {
        let mut tree = Self::default();
        let mut slots = 0;
        for node in data.all("bNode") {
            if slots > MOST_SLOTS {
                break;
            }
            match node.bytes("idname") {
                Some(b"CompositorNodeOutputFile") => {
                    let output = output(data, &node);
                    slots += 1 + output.as_ref().map_or(0, |output| output.slots.len());
                    tree.outputs.extend(output);
                }
                Some(b"CompositorNodeGroup") => tree.groups.extend(node.pointer("id")),
                _ => {}
            }
        }
        tree
    }
}

fn output(data: &Datablock<'_>, node: &Record<'_>) -> Option<FileOutput> {
    let storage = data.at(node.pointer("storage")?).next()?;
    let text_behind = |record: &Record<'_>, field: &str| {
        let text = data.text_at(record.pointer(field)?)?;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let folder = ["base_path", "directory"]
        .iter()
        .find_map(|field| storage.text(field).or_else(|| text_behind(&storage, field)))
        .unwrap_or_default();
    // Blender 5 keeps a list of items and a file's name; before, each input has a path of its own.
    let slots = match storage.pointer("items") {
        Some(items) => data
            .at(items)
            .filter_map(|item| text_behind(&item, "name"))
            .take(MOST_SLOTS)
            .collect(),
        None => slots_of_inputs(data, node),
    };
    let path = match text_behind(&storage, "file_name") {
        Some(name) if !name.is_empty() && !folder.ends_with(['/', '\\']) && !folder.is_empty() => {
            format!("{folder}/{name}")
        }
        Some(name) => folder + &name,
        None => folder,
    };
    Some(FileOutput {
        node: node.text("name").unwrap_or_default(),
        path,
        file_format: file_format::identifier(storage.int("format.imtype").unwrap_or(-1)),
        slots,
        muted: node.flag("flag", MUTED),
    })
}

/// The inputs' settings are written behind the node's sockets; sockets lead to them in a list.
fn slots_of_inputs(data: &Datablock<'_>, node: &Record<'_>) -> Vec<String> {
    /// A list that leads in circles ends here.
    const MOST: usize = 1000;
    let mut slots = Vec::new();
    let mut next = node.pointer("inputs.first");
    for _ in 0..MOST {
        let Some(socket) = next.and_then(|address| data.at(address).next()) else {
            break;
        };
        let settings = socket
            .pointer("storage")
            .and_then(|storage| data.at(storage).next());
        slots.extend(settings.and_then(|settings| settings.text("path")));
        next = socket.pointer("next");
    }
    slots
}
