//! A small writer of .blend files: any byte order, pointer size and header, with a description of structs
//! of its own. What it writes is not what Blender writes, only what Blender's format allows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::too_many_lines, reason = "one of everything is a long list")]

use std::collections::HashMap;

/// Type names and their fields, as `type name` separated by `;`. Types come before those that hold them.
const STRUCTS: &[(&str, &str)] = &[
    ("raw_data", "char bytes"),
    ("ListBase", "void *first;void *last"),
    ("IDPropertyData", "void *pointer;ListBase group;int val;int val2"),
    (
        "IDProperty",
        "IDProperty *next;IDProperty *prev;char type;char subtype;short flag;char name[64];char _pad[4];IDPropertyData data",
    ),
    (
        "ID",
        "void *next;void *prev;Library *lib;char name[66];short flag;IDProperty *properties",
    ),
    (
        "Library",
        "ID id;char name[1024];Library *archive_parent_library;PackedFile *packedfile",
    ),
    (
        "FileGlobal",
        "char subvstr[4];short subversion;short minversion;Scene *curscene",
    ),
    ("Object", "ID id;float loc[3];int (*call)();void **table[2]"),
    ("ImageFormatData", "char imtype;char depth;short pad"),
    (
        "RenderData",
        "ImageFormatData im_format;int sfra;int efra;int frame_step;short size;short frs_sec;int xsch;int64_t ysch;int scemode;float frs_sec_base;char pic[1024];char engine[32]",
    ),
    ("SceneEEVEE", "int taa_render_samples"),
    (
        "Scene",
        "ID id;Object *camera;char use_nodes;char pad[7];RenderData r;SceneEEVEE eevee",
    ),
    ("ViewLayer", "ViewLayer *next;char name[64];short flag"),
    (
        "SceneRenderLayer",
        "SceneRenderLayer *next;char name[64];int layflag",
    ),
    (
        "bNodeSocket",
        "bNodeSocket *next;void *storage;void *default_value",
    ),
    ("bNodeSocketValueString", "int subtype;char value[1024]"),
    (
        "Camera",
        "ID id;char type;char pad[3];int custom_mode;char custom_filepath[1024]",
    ),
    (
        "bNode",
        "bNode *next;ListBase inputs;char name[64];char idname[64];int flag;ID *id;void *storage",
    ),
    ("bNodeTree", "ID id"),
    (
        "NodeImageMultiFile",
        "char base_path[1024];char *file_name;ImageFormatData format;NodeCompositorFileOutputItem *items",
    ),
    ("NodeImageMultiFileSocket", "char path[1024]"),
    (
        "NodeCompositorFileOutputItem",
        "char *name;ImageFormatData format",
    ),
    ("StripElem", "char name[256]"),
    ("Strip", "StripElem *stripdata;char dir[768]"),
    ("Sequence", "Sequence *next;char name[64];int type;Strip *strip"),
    (
        "Image",
        "ID id;char name[1024];short source;short type;int flag;PackedFile *packedfile",
    ),
    ("ImageTile", "ImageTile *next;int tile_number"),
    ("ImageView", "ImageView *next;char name[64];char filepath[1024]"),
    ("ImagePackedFile", "ImagePackedFile *next;PackedFile *packedfile"),
    (
        "bSound",
        "ID id;char name[1024];PackedFile *packedfile;PackedFile *newpackedfile",
    ),
    ("VFont", "ID id;char name[1024];PackedFile *packedfile"),
    (
        "Volume",
        "ID id;char filepath[1024];PackedFile *packedfile;char is_sequence",
    ),
    ("MovieClip", "ID id;char name[1024];int source"),
    ("CacheFile", "ID id;char filepath[1024];uchar is_sequence"),
    ("CacheFileLayer", "CacheFileLayer *next;char filepath[1024]"),
    ("Text", "ID id;int flags"),
    (
        "FluidDomainSettings",
        "ushort cache_flag;char cache_directory[1024]",
    ),
    ("FluidsimSettings", "short type;char surfdataPath[240]"),
    ("MeshCacheModifierData", "char filepath[1024]"),
    ("OceanModifierData", "char cachepath[1024];char cached"),
    (
        "NodesModifierData",
        "char *simulation_bake_directory;int8_t bake_target",
    ),
    ("NodesModifierBake", "int flag;uint id;char *directory"),
    ("PointCache", "int flag;char path[1024];double time"),
    ("CustomDataExternal", "char filename[1024]"),
    ("ChannelDriver", "char expression[256];int type"),
    ("NodeShaderScript", "int mode;char filepath[1024]"),
    ("NodeShaderTexIES", "int mode;char filepath[1024]"),
];

const PLAIN_TYPES: &[(&str, usize)] = &[
    ("void", 0),
    ("char", 1),
    ("uchar", 1),
    ("int8_t", 1),
    ("short", 2),
    ("ushort", 2),
    ("int", 4),
    ("uint", 4),
    ("float", 4),
    ("int64_t", 8),
    ("double", 8),
    ("PackedFile", 16),
];

/// Which of the three kinds of block head a file has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heads {
    Small,
    Wide,
    Large,
}

/// A field's value.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Int(i64),
    Float(f32),
    Text(&'a str),
    Bytes(&'a [u8]),
    Pointer(u64),
}

use Value::{Bytes, Float, Int, Pointer, Text};

/// A file being written.
pub(crate) struct Written {
    heads: Heads,
    big: bool,
    bytes: Vec<u8>,
    layouts: HashMap<String, HashMap<String, (usize, usize)>>,
    sizes: HashMap<String, usize>,
}

impl Written {
    pub(crate) fn new(heads: Heads, big: bool, version: &str) -> Self {
        let order = if big { 'V' } else { 'v' };
        let start = match heads {
            Heads::Small => format!("BLENDER_{order}{version}"),
            Heads::Wide => format!("BLENDER-{order}{version}"),
            Heads::Large => format!("BLENDER17-01{order}0{version}"),
        };
        let mut written = Self {
            heads,
            big,
            bytes: start.into_bytes(),
            layouts: HashMap::new(),
            sizes: PLAIN_TYPES
                .iter()
                .map(|(name, size)| ((*name).to_owned(), *size))
                .collect(),
        };
        for (name, fields) in STRUCTS {
            written.lay_out(name, fields);
        }
        written
    }

    fn pointer(&self) -> usize {
        if self.heads == Heads::Small { 4 } else { 8 }
    }

    fn lay_out(&mut self, name: &str, fields: &str) {
        let mut layout = HashMap::new();
        let mut offset = 0;
        for field in fields.split(';') {
            let (kind, spelled) = field.split_once(' ').unwrap();
            let elements: usize = spelled
                .split('[')
                .skip(1)
                .map(|part| part.trim_end_matches(']').parse::<usize>().unwrap())
                .product();
            let pointer = spelled.starts_with(['*', '(']);
            let size = elements * if pointer { self.pointer() } else { self.sizes[kind] };
            let bare = spelled.trim_start_matches(['*', '(']);
            let bare = bare.split(['[', ')']).next().unwrap();
            layout.insert(bare.to_owned(), (offset, size));
            if let Some(inner) = self.layouts.get(kind).filter(|_| !pointer) {
                for (within, (at, size)) in inner.clone() {
                    layout.insert(format!("{bare}.{within}"), (offset + at, size));
                }
            }
            offset += size;
        }
        self.sizes.insert(name.to_owned(), offset);
        self.layouts.insert(name.to_owned(), layout);
    }

    fn number(&self, number: u64, width: usize) -> Vec<u8> {
        let mut bytes = number.to_le_bytes()[..width].to_vec();
        if self.big {
            bytes.reverse();
        }
        bytes
    }

    /// The bytes of one struct with these fields; all others are zero.
    pub(crate) fn record(&self, kind: &str, fields: &[(&str, Value<'_>)]) -> Vec<u8> {
        let mut bytes = vec![0; self.sizes[kind]];
        for (name, value) in fields {
            let (offset, size) = self.layouts[kind][*name];
            let value = match value {
                Int(number) => self.number(number.cast_unsigned(), size),
                Float(number) => self.number(number.to_bits().into(), size),
                Pointer(address) => self.number(*address, size),
                Text(text) => text.as_bytes().to_vec(),
                Bytes(bytes) => bytes.to_vec(),
            };
            bytes[offset..offset + value.len()].copy_from_slice(&value);
        }
        bytes
    }

    /// Adds a block of one struct.
    pub(crate) fn add(&mut self, code: &str, address: u64, kind: &str, fields: &[(&str, Value<'_>)]) {
        let body = self.record(kind, fields);
        self.block(code, address, kind, 1, &body);
    }

    /// Adds a block.
    pub(crate) fn block(&mut self, code: &str, address: u64, kind: &str, count: u64, body: &[u8]) {
        let shape = STRUCTS.iter().position(|(name, _)| *name == kind).unwrap() as u64;
        let mut tag = code.as_bytes().to_vec();
        tag.resize(4, 0);
        let length = body.len() as u64;
        let (word, long) = (4, 8);
        let rest = match self.heads {
            Heads::Small => [(length, word), (address, word), (shape, word), (count, word)],
            Heads::Wide => [(length, word), (address, long), (shape, word), (count, word)],
            Heads::Large => [(shape, word), (address, long), (length, long), (count, long)],
        };
        self.bytes.extend(tag);
        for (number, width) in rest {
            let number = self.number(number, width);
            self.bytes.extend(number);
        }
        self.bytes.extend(body);
    }

    /// The whole file, with its description of structs and its end.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let dna = self.dna();
        self.block("DNA1", 1, "raw_data", 1, &dna);
        self.block("ENDB", 0, "raw_data", 0, &[]);
        self.bytes
    }

    /// The file without its last two blocks.
    pub(crate) fn unfinished(self) -> Vec<u8> {
        self.bytes
    }

    fn dna(&self) -> Vec<u8> {
        let mut types: Vec<&str> = PLAIN_TYPES.iter().map(|(name, _)| *name).collect();
        types.extend(STRUCTS.iter().map(|(name, _)| *name));
        let fields = |fields: &'static str| fields.split(';').map(|field| field.split_once(' ').unwrap());
        let mut names: Vec<&str> = STRUCTS
            .iter()
            .flat_map(|(_, all)| fields(all).map(|(_, name)| name))
            .collect();
        names.sort_unstable();
        names.dedup();
        let mut dna = b"SDNANAME".to_vec();
        let strings = |dna: &mut Vec<u8>, strings: &[&str]| {
            dna.extend(self.number(strings.len() as u64, 4));
            for text in strings {
                dna.extend(text.as_bytes());
                dna.push(0);
            }
            dna.resize(dna.len().next_multiple_of(4), 0);
        };
        strings(&mut dna, &names);
        dna.extend(b"TYPE");
        strings(&mut dna, &types);
        dna.extend(b"TLEN");
        for name in &types {
            dna.extend(self.number(self.sizes[*name] as u64, 2));
        }
        dna.resize(dna.len().next_multiple_of(4), 0);
        dna.extend(b"STRC");
        dna.extend(self.number(STRUCTS.len() as u64, 4));
        let place = |list: &[&str], what: &str| list.iter().position(|one| *one == what).unwrap_or(0) as u64;
        for (name, all) in STRUCTS {
            dna.extend(self.number(place(&types, name), 2));
            dna.extend(self.number(fields(all).count() as u64, 2));
            for (kind, name) in fields(all) {
                dna.extend(self.number(place(&types, kind), 2));
                dna.extend(self.number(place(&names, name), 2));
            }
        }
        dna
    }
}

/// A scene, its camera, and one of everything that refers to a file.
pub(crate) fn rich(heads: Heads, big: bool, version: &str) -> Vec<u8> {
    rich_beside(heads, big, version, |_| ())
}

/// The same with more datablocks behind.
pub(crate) fn rich_beside(
    heads: Heads,
    big: bool,
    version: &str,
    more: impl FnOnce(&mut Written),
) -> Vec<u8> {
    let mut file = Written::new(heads, big, version);
    let rend = [file.number(3, 4), file.number(77, 4), b"Main\0".to_vec()].concat();
    file.block("REND", 0, "raw_data", 1, &rend);
    file.add(
        "GLOB",
        10,
        "FileGlobal",
        &[("subversion", Int(6)), ("curscene", Pointer(101))],
    );
    scenes(&mut file);
    images(&mut file);
    for (code, kind, id, path) in [
        ("SO", "bSound", "SObeep", "name"),
        ("VF", "VFont", "VFsans", "name"),
        ("MC", "MovieClip", "MCshot", "name"),
    ] {
        let stored = format!("//{}/{kind}_0001", code.to_lowercase());
        file.add(code, 300, kind, &[("id.name", Text(id)), (path, Text(&stored))]);
    }
    file.add(
        "VF",
        301,
        "VFont",
        &[("id.name", Text("VFBfont")), ("name", Text("<builtin>"))],
    );
    let fields = [
        ("id.name", Text("MCfilm")),
        ("name", Text("//film.mov")),
        ("source", Int(1)),
    ];
    file.add("MC", 302, "MovieClip", &fields);
    let fields = [
        ("id.name", Text("VOsmoke")),
        ("filepath", Text("//vol/s_01.vdb")),
        ("is_sequence", Int(1)),
    ];
    file.add("VO", 303, "Volume", &fields);
    file.add(
        "CF",
        304,
        "CacheFile",
        &[
            ("id.name", Text("CFtree")),
            ("filepath", Text("C:\\abc\\tree.abc")),
        ],
    );
    file.add(
        "DATA",
        305,
        "CacheFileLayer",
        &[("filepath", Text("//layer.abc"))],
    );
    file.add(
        "TX",
        306,
        "Text",
        &[("id.name", Text("TXboot.py")), ("flags", Int(1045))],
    );
    file.add(
        "TX",
        307,
        "Text",
        &[("id.name", Text("TXnotes")), ("flags", Int(1029))],
    );
    objects(&mut file);
    file.add(
        "ME",
        500,
        "CustomDataExternal",
        &[("filename", Text("//multires.btx"))],
    );
    file.add(
        "MA",
        510,
        "NodeShaderScript",
        &[("mode", Int(1)), ("filepath", Text("//wave.osl"))],
    );
    file.add(
        "DATA",
        511,
        "NodeShaderTexIES",
        &[("mode", Int(1)), ("filepath", Text("//spot.ies"))],
    );
    file.add(
        "DATA",
        512,
        "NodeShaderTexIES",
        &[("mode", Int(0)), ("filepath", Text("inside"))],
    );
    file.add(
        "LI",
        600,
        "Library",
        &[("id.name", Text("LIlib")), ("name", Text("//lib/tree.blend"))],
    );
    file.add(
        "ID",
        601,
        "ID",
        &[("name", Text("OBLinked Camera")), ("lib", Pointer(600))],
    );
    file.add(
        "ID",
        602,
        "ID",
        &[("name", Text("SCBackground")), ("lib", Pointer(600))],
    );
    file.add(
        "LI",
        610,
        "Library",
        &[("id.name", Text("LIgone")), ("name", Text("//forgotten.blend"))],
    );
    more(&mut file);
    file.finish()
}

fn scenes(file: &mut Written) {
    let pic = ("r.pic", Text("//out/é_####"));
    let fields = [
        ("id.name", Text("SCMain")),
        ("id.properties", Pointer(120)),
        ("camera", Pointer(400)),
        ("use_nodes", Int(1)),
        ("r.im_format.imtype", Int(23)),
        ("r.sfra", Int(-10)),
        ("r.efra", Int(77)),
        ("r.frame_step", Int(2)),
        ("r.size", Int(50)),
        ("r.frs_sec", Int(30)),
        ("r.frs_sec_base", Float(1.001)),
        ("r.xsch", Int(321)),
        ("r.ysch", Int(123)),
        ("r.scemode", Int(1 | 1 << 6)),
        ("r.engine", Text("CYCLES")),
        pic,
    ];
    file.add("SC", 100, "Scene", &fields);
    file.add(
        "DATA",
        110,
        "ViewLayer",
        &[("name", Text("Layer")), ("flag", Int(1))],
    );
    file.add("DATA", 111, "ViewLayer", &[("name", Text("Off"))]);
    property(file, 120, "", 6, 121, 0);
    property(file, 121, "other", 2, 0, 122);
    property(file, 122, "cycles", 6, 123, 0);
    property(file, 123, "device", 1, 1, 124);
    property(file, 124, "samples", 1, 77, 125);
    property(file, 125, "use_denoising", 10, 0, 123);
    node(file, 130, "Output", "CompositorNodeOutputFile", 131);
    file.add(
        "DATA",
        135,
        "bNodeSocket",
        &[("next", Pointer(0)), ("storage", Pointer(136))],
    );
    file.add(
        "DATA",
        136,
        "NodeImageMultiFileSocket",
        &[("path", Text("depth"))],
    );
    let fields = [("base_path", Text("//passes/")), ("format.imtype", Int(17))];
    file.add("DATA", 131, "NodeImageMultiFile", &fields);
    let group = [("idname", Text("CompositorNodeGroup")), ("id", Pointer(700))];
    file.add("DATA", 132, "bNode", &group);
    for (address, kind, strip) in [(140, 0, 141), (143, 3, 144), (146, 4, 0)] {
        let fields = [
            ("name", Text("SQstrip")),
            ("type", Int(kind)),
            ("strip", Pointer(strip)),
        ];
        file.add("DATA", address, "Sequence", &fields);
    }
    for address in [141, 144] {
        let fields = [("dir", Text("//strip/")), ("stripdata", Pointer(address + 1))];
        file.add("DATA", address, "Strip", &fields);
    }
    let elements: Vec<u8> = ["a_1.png", "a_2.png"]
        .iter()
        .flat_map(|name| file.record("StripElem", &[("name", Text(name))]))
        .collect();
    file.block("DATA", 142, "StripElem", 2, &elements);
    file.add("DATA", 145, "StripElem", &[("name", Text("film.mp4"))]);

    let fields = [
        ("id.name", Text("SCSecond")),
        ("camera", Pointer(601)),
        ("r.scemode", Int(1 << 21)),
        ("r.engine", Text("BLENDER_EEVEE")),
        ("r.im_format.imtype", Int(24)),
        ("r.frs_sec_base", Bytes(&[0xff; 4])),
        ("eevee.taa_render_samples", Int(17)),
    ];
    file.add("SC", 101, "Scene", &fields);
    file.add("DATA", 160, "SceneRenderLayer", &[("name", Text("RenderLayer"))]);
    file.add(
        "SC",
        102,
        "Scene",
        &[("id.name", Text("SCOld")), ("r.engine", Text("BLENDER_RENDER"))],
    );
    file.add(
        "SC",
        103,
        "Scene",
        &[("id.name", Text("SCPlain")), ("r.engine", Text("CYCLES"))],
    );

    file.add("NT", 700, "bNodeTree", &[("id.name", Text("NTinner"))]);
    node(file, 701, "Inner", "CompositorNodeOutputFile", 702);
    let fields = [
        ("base_path", Text("//inner")),
        ("file_name", Pointer(703)),
        ("items", Pointer(704)),
    ];
    file.add("DATA", 702, "NodeImageMultiFile", &fields);
    file.block("DATA", 703, "raw_data", 1, b"shot\0");
    file.add(
        "DATA",
        704,
        "NodeCompositorFileOutputItem",
        &[("name", Pointer(705))],
    );
    file.block("DATA", 705, "raw_data", 1, b"beauty\0");
    let own = [("idname", Text("CompositorNodeGroup")), ("id", Pointer(700))];
    file.add("DATA", 706, "bNode", &own);
}

/// Properties in a chain; the last leads back to the first.
fn property(file: &mut Written, address: u64, name: &str, kind: i64, value: i64, next: u64) {
    let value = if kind == 6 {
        ("data.group.first", Pointer(value.cast_unsigned()))
    } else {
        ("data.val", Int(value))
    };
    let fields = [
        ("name", Text(name)),
        ("type", Int(kind)),
        ("next", Pointer(next)),
        value,
    ];
    file.add("DATA", address, "IDProperty", &fields);
}

fn node(file: &mut Written, address: u64, name: &str, idname: &str, storage: u64) {
    let fields = [
        ("name", Text(name)),
        ("idname", Text(idname)),
        ("storage", Pointer(storage)),
        ("inputs.first", Pointer(135)),
        ("flag", Int(512)),
    ];
    file.add("DATA", address, "bNode", &fields);
}

fn images(file: &mut Written) {
    for (source, name) in [(1, "one"), (2, "many"), (3, "film"), (4, "made"), (5, "viewer")] {
        let id = format!("IM{name}");
        let path = format!("//tex\\{name}_0001.png");
        let fields = [
            ("id.name", Text(&id)),
            ("name", Text(&path)),
            ("source", Int(source)),
            ("flag", Int(1 << 14)),
        ];
        file.add("IM", 200, "Image", &fields);
        if source == 1 {
            file.add("DATA", 201, "ImageView", &[("filepath", Text("//tex/one_L.png"))]);
        }
    }
    let fields = [
        ("id.name", Text("IMskin")),
        ("name", Text("//skin.<UDIM>.png")),
        ("source", Int(6)),
    ];
    file.add("IM", 210, "Image", &fields);
    for tile in [0, 1002, -5, 99999] {
        file.add("DATA", 211, "ImageTile", &[("tile_number", Int(tile))]);
    }
    file.add(
        "IM",
        220,
        "Image",
        &[("id.name", Text("IMpacked")), ("source", Int(1))],
    );
    file.add("DATA", 221, "ImagePackedFile", &[("packedfile", Pointer(9))]);
}

fn objects(file: &mut Written) {
    file.add("OB", 400, "Object", &[("id.name", Text("OBCamera"))]);
    file.add("OB", 401, "Object", &[("id.name", Text("OBSea"))]);
    let folder = ("cache_directory", Text("//cache_fluid"));
    file.add(
        "DATA",
        410,
        "FluidDomainSettings",
        &[folder, ("cache_flag", Int(2))],
    );
    let old = [("type", Int(2)), ("surfdataPath", Text("//fluid"))];
    file.add("DATA", 411, "FluidsimSettings", &old);
    file.add(
        "DATA",
        412,
        "MeshCacheModifierData",
        &[("filepath", Text("//tree.mdd"))],
    );
    let ocean = [("cachepath", Text("/ocean")), ("cached", Int(1))];
    file.add("DATA", 413, "OceanModifierData", &ocean);
    file.add(
        "DATA",
        414,
        "NodesModifierData",
        &[("simulation_bake_directory", Pointer(415))],
    );
    file.block("DATA", 415, "raw_data", 1, b"//bake\0");
    file.add(
        "DATA",
        416,
        "NodesModifierBake",
        &[("flag", Int(2)), ("directory", Pointer(415))],
    );
    file.add(
        "DATA",
        417,
        "PointCache",
        &[("flag", Int(512)), ("path", Text("//points"))],
    );
    file.add("DATA", 418, "PointCache", &[("flag", Int(64))]);
    file.add(
        "DATA",
        419,
        "ChannelDriver",
        &[("type", Int(1)), ("expression", Text("frame"))],
    );
    file.add("DATA", 420, "ChannelDriver", &[("type", Int(2))]);
}
