//! Which blocks of a .blend are worth keeping: those whose struct says something about rendering or about
//! files elsewhere. All others are passed over unread.

use crate::dna::Dna;
use crate::header::BlockHead;

/// What to do with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    All,
    /// This many bytes of its start.
    Start(usize),
}

/// Texts and small arrays that a pointer leads to have no struct of their own.
const LONGEST_RAW: u64 = 2048;

/// Structs, and the kinds of datablock (the block that leads a group) in which they are wanted.
const WANTED: &[(&str, &[[u8; 2]])] = &[
    ("FileGlobal", &[*b"GL"]),
    ("Scene", &[*b"SC"]),
    ("ViewLayer", &[*b"SC"]),
    ("SceneRenderLayer", &[*b"SC"]),
    ("IDProperty", &[*b"SC"]),
    ("Sequence", &[*b"SC"]),
    ("Strip", &[*b"SC"]),
    ("StripData", &[*b"SC"]),
    ("StripElem", &[*b"SC"]),
    ("bNode", &[*b"SC", *b"NT"]),
    ("bNodeSocket", &[*b"SC", *b"NT"]),
    ("NodeImageMultiFile", &[*b"SC", *b"NT"]),
    ("NodeCompositorFileOutput", &[*b"SC", *b"NT"]),
    ("NodeImageMultiFileSocket", &[*b"SC", *b"NT"]),
    ("NodeCompositorFileOutputItem", &[*b"SC", *b"NT"]),
    ("Image", &[*b"IM"]),
    ("ImageTile", &[*b"IM"]),
    ("ImageView", &[*b"IM"]),
    ("ImagePackedFile", &[*b"IM"]),
    ("bSound", &[*b"SO"]),
    ("VFont", &[*b"VF"]),
    ("Volume", &[*b"VO"]),
    ("MovieClip", &[*b"MC"]),
    ("Camera", &[*b"CA"]),
    ("bNodeSocketValueString", &[*b"NT"]),
    ("CacheFile", &[*b"CF"]),
    ("CacheFileLayer", &[*b"CF"]),
    ("Library", &[*b"LI"]),
    ("Text", &[*b"TX"]),
    ("ID", &[*b"ID"]),
    ("FluidDomainSettings", &[*b"OB"]),
    ("FluidsimSettings", &[*b"OB"]),
    ("MeshCacheModifierData", &[*b"OB"]),
    ("OceanModifierData", &[*b"OB"]),
    ("NodesModifierData", &[*b"OB"]),
    ("NodesModifierBake", &[*b"OB"]),
    ("PointCache", &[*b"OB", *b"SC"]),
    ("CustomDataExternal", &[*b"ME"]),
];

/// Wanted wherever they are: drivers, and shader nodes that read a file.
const WANTED_ANYWHERE: &[&str] = &["ChannelDriver", "NodeShaderScript", "NodeShaderTexIES"];

/// The same by number, for one file.
pub(crate) struct Interest {
    by_struct: Vec<Option<&'static [[u8; 2]]>>,
    object: Option<u32>,
    nodes_modifier: Option<u32>,
    id_size: usize,
    /// Datablocks may be here that were linked from a library: then each one's head is wanted.
    has_archives: bool,
    /// The current group has a modifier whose folders are in texts behind pointers.
    raw_in_object: bool,
}

impl Interest {
    pub(crate) fn new(dna: &Dna) -> Self {
        let mut by_struct = vec![None; dna.len()];
        let wanted = WANTED
            .iter()
            .copied()
            .chain(WANTED_ANYWHERE.iter().map(|name| (*name, &[][..])));
        for (name, owners) in wanted {
            let place = dna.index_of(name).and_then(|index| usize::try_from(index).ok());
            if let Some(place) = place.and_then(|index| by_struct.get_mut(index)) {
                *place = Some(owners);
            }
        }
        let id = dna.index_of("ID").and_then(|index| dna.get(index));
        Self {
            by_struct,
            object: dna.index_of("Object"),
            nodes_modifier: dna.index_of("NodesModifierData"),
            id_size: id.map_or(0, |id| id.size),
            has_archives: dna
                .index_of("Library")
                .and_then(|index| dna.field(dna.get(index)?, "archive_parent_library"))
                .is_some(),
            raw_in_object: false,
        }
    }

    /// A group of blocks begins.
    pub(crate) fn begin_group(&mut self) {
        self.raw_in_object = false;
    }

    /// Whether a block in a group led by `owner` is kept. Names of objects are (one may be the camera),
    /// the rest of them is not.
    pub(crate) fn in_block(&mut self, owner: [u8; 4], head: &BlockHead) -> Keep {
        if Some(head.shape) == self.nodes_modifier {
            self.raw_in_object = true;
        }
        let owner = [owner[0], owner[1]];
        if head.shape == 0 {
            let wanted = match &owner {
                b"SC" | b"NT" => true,
                b"OB" => self.raw_in_object,
                _ => false,
            };
            return if wanted && head.length <= LONGEST_RAW {
                Keep::All
            } else {
                Keep::Nothing
            };
        }
        if owner == *b"OB" && Some(head.shape) == self.object {
            return Keep::Start(self.id_size);
        }
        let owners = usize::try_from(head.shape)
            .ok()
            .and_then(|index| *self.by_struct.get(index)?);
        match owners {
            Some(owners) if owners.is_empty() || owners.contains(&owner) => Keep::All,
            _ if self.has_archives && head.code[2..] == [0, 0] => Keep::Start(self.id_size),
            _ => Keep::Nothing,
        }
    }
}
