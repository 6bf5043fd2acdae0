//! Files that a datablock refers to, as it stores them. What is on the disk is not asked here.

use crate::group::Datablock;
use crate::inspection::AssetKind;
use crate::record::Record;

/// A reference to a file, or to several under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) kind: AssetKind,
    /// The datablock, object or strip that refers to it.
    pub(crate) name: String,
    /// As stored.
    pub(crate) path: Vec<u8>,
    pub(crate) spread: Spread,
    pub(crate) packed: bool,
    /// Blender makes it itself where it is missing.
    pub(crate) optional: bool,
    /// The library, by address, that the datablock came from and that its path is relative to.
    pub(crate) library: Option<u64>,
}

/// Which files a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spread {
    /// The one that it names.
    One,
    /// Those that differ from it in their frame number.
    Frames,
    /// One for each of these tiles.
    Tiles(Vec<i64>),
    /// These, in the folder that it names.
    Listed(Vec<Vec<u8>>),
    /// All in the folder that it names.
    Folder,
    /// All in the folder that Blender names after the .blend, for caches of particles, cloth and the like.
    DiskCache,
}

/// `Image.source` and `MovieClip.source`.
const IMAGE_FILE: i64 = 1;
const IMAGE_SEQUENCE: i64 = 2;
const IMAGE_MOVIE: i64 = 3;
const IMAGE_GENERATED: i64 = 4;
const IMAGE_TILED: i64 = 6;
const CLIP_SEQUENCE: i64 = 1;

/// Tiles have numbers as UDIM gives them.
const FIRST_TILE: i64 = 1001;
const LAST_TILE: i64 = 2000;

/// `Image.flag`: each view has a file of its own.
const IMAGE_HAS_VIEWS: i64 = 1 << 14;

/// `Sequence.type`.
const STRIP_IMAGE: i64 = 0;
const STRIP_MOVIE: i64 = 3;

/// The most images that the strips of one scene name: damaged strips may all share one long list.
const MOST_NAMES: usize = 500_000;

/// `PointCache.flag`.
const CACHE_ON_DISK: i64 = 1 << 6;
const CACHE_EXTERNAL: i64 = 1 << 9;

/// `FluidDomainSettings.cache_flag`: some part of it is baked.
const FLUID_BAKED: i64 = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 9;

/// `FluidsimSettings.type`, Blender 2.7's fluids.
const OLD_FLUID_DOMAIN: i64 = 1 << 1;

/// `NodesModifierBake.flag`: its folder is its own.
const BAKE_HAS_FOLDER: i64 = 1 << 1;

/// `Camera.type` and `custom_mode`: rays come from a script in a file.
const CAMERA_CUSTOM: i64 = 3;
const CAMERA_READS_FILE: i64 = 1;

/// Geometry nodes that read a file have this in their names, and its path as their first input.
const IMPORT_NODE: &[u8] = b"GeometryNodeImport";

/// `mode` of shader nodes that read a file or a text.
const NODE_READS_FILE: i64 = 1;

impl Reference {
    fn new(kind: AssetKind, name: &str, path: &[u8]) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            path: path.to_vec(),
            spread: Spread::One,
            packed: false,
            optional: false,
            library: None,
        }
    }

    /// How many names it lists beside its own.
    pub(crate) fn listed(&self) -> usize {
        match &self.spread {
            Spread::Listed(names) => names.len(),
            _ => 0,
        }
    }

    fn spread(self, spread: Spread) -> Self {
        Self { spread, ..self }
    }

    fn packed(self, packed: bool) -> Self {
        Self { packed, ..self }
    }

    fn optional(self, optional: bool) -> Self {
        Self { optional, ..self }
    }
}

/// All references of a datablock with this code.
pub(crate) fn read(code: [u8; 4], data: &Datablock<'_>) -> Vec<Reference> {
    let mut found = match &code[..2] {
        b"IM" => images(data),
        b"SO" => single(data, "bSound", AssetKind::Sound),
        b"VF" => single(data, "VFont", AssetKind::Font),
        b"VO" => volumes(data),
        b"MC" => clips(data),
        b"CF" => cache_files(data),
        b"CA" => cameras(data),
        b"NT" => imports(data),
        b"SC" => strips(data),
        b"OB" => modifiers(data),
        b"ME" => data
            .all("CustomDataExternal")
            .filter_map(|external| Some(Reference::new(AssetKind::Cache, "", external.bytes("filename")?)))
            .collect(),
        _ => Vec::new(),
    };
    found.extend(point_caches(data));
    for (node, kind) in [
        ("NodeShaderScript", AssetKind::ShaderScript),
        ("NodeShaderTexIES", AssetKind::LightProfile),
    ] {
        let external = data
            .all(node)
            .filter(|node| node.int("mode") == Some(NODE_READS_FILE));
        found.extend(external.filter_map(|node| Some(Reference::new(kind, "", node.bytes("filepath")?))));
    }
    let library = data.lead().and_then(|lead| lead.pointer("id.lib"));
    for reference in &mut found {
        reference.library = library;
    }
    found.retain(|reference| {
        reference.packed || !reference.path.is_empty() || reference.spread == Spread::DiskCache
    });
    found
}

/// Where a datablock keeps its file's path: most were called `name` when their format was made.
pub(crate) fn stored_path<'a>(record: &Record<'a>) -> &'a [u8] {
    record
        .bytes("name")
        .or_else(|| record.bytes("filepath"))
        .unwrap_or_default()
}

fn images(data: &Datablock<'_>) -> Vec<Reference> {
    let Some(image) = data.first("Image") else {
        return Vec::new();
    };
    let source = image.int("source");
    let (kind, spread) = match source {
        Some(IMAGE_FILE | IMAGE_GENERATED) => (AssetKind::Image, Spread::One),
        Some(IMAGE_SEQUENCE) => (AssetKind::Sequence, Spread::Frames),
        Some(IMAGE_MOVIE) => (AssetKind::Movie, Spread::One),
        Some(IMAGE_TILED) => {
            let tiles = data.all("ImageTile").filter_map(|tile| tile.int("tile_number"));
            // The first tile was once stored as 0.
            let mut tiles: Vec<i64> = tiles
                .map(|tile| if tile == 0 { FIRST_TILE } else { tile })
                .filter(|tile| (FIRST_TILE..=LAST_TILE).contains(tile))
                .collect();
            tiles.sort_unstable();
            tiles.dedup();
            (AssetKind::Udim, Spread::Tiles(tiles))
        }
        _ => return Vec::new(),
    };
    let packed = image.pointer("packedfile").is_some()
        || data
            .all("ImagePackedFile")
            .any(|file| file.pointer("packedfile").is_some());
    if source == Some(IMAGE_GENERATED) && !packed {
        return Vec::new();
    }
    let name = image.id_name();
    let path = stored_path(&image);
    let mut found = vec![
        Reference::new(kind, &name, path)
            .spread(spread.clone())
            .packed(packed),
    ];
    if image.flag("flag", IMAGE_HAS_VIEWS) {
        let others = data
            .all("ImageView")
            .filter_map(|view| view.bytes("filepath"))
            .filter(|view| *view != path)
            .map(|view| {
                Reference::new(kind, &name, view)
                    .spread(spread.clone())
                    .packed(packed)
            });
        found.extend(others);
    }
    found
}

fn single(data: &Datablock<'_>, kind: &'static str, asset: AssetKind) -> Vec<Reference> {
    data.first(kind)
        .map(|record| {
            let packed = record.pointer("packedfile").is_some() || record.pointer("newpackedfile").is_some();
            Reference::new(asset, &record.id_name(), stored_path(&record)).packed(packed)
        })
        .into_iter()
        .filter(|reference| reference.path != b"<builtin>")
        .collect()
}

fn volumes(data: &Datablock<'_>) -> Vec<Reference> {
    let volume = data.first("Volume");
    volume
        .map(|volume| {
            Reference::new(AssetKind::Volume, &volume.id_name(), stored_path(&volume))
                .spread(frames_if(&volume))
                .packed(volume.pointer("packedfile").is_some())
        })
        .into_iter()
        .collect()
}

fn clips(data: &Datablock<'_>) -> Vec<Reference> {
    let clip = data.first("MovieClip");
    clip.map(|clip| {
        let (kind, spread) = match clip.int("source") {
            Some(CLIP_SEQUENCE) => (AssetKind::Sequence, Spread::Frames),
            _ => (AssetKind::Movie, Spread::One),
        };
        Reference::new(kind, &clip.id_name(), stored_path(&clip)).spread(spread)
    })
    .into_iter()
    .collect()
}

fn cameras(data: &Datablock<'_>) -> Vec<Reference> {
    let custom = data.first("Camera").filter(|camera| {
        camera.int("type") == Some(CAMERA_CUSTOM) && camera.int("custom_mode") == Some(CAMERA_READS_FILE)
    });
    let script = custom.and_then(|camera| {
        let path = camera.bytes("custom_filepath")?;
        Some(Reference::new(AssetKind::ShaderScript, &camera.id_name(), path))
    });
    script.into_iter().collect()
}

/// Files whose geometry is made when the scene renders.
fn imports(data: &Datablock<'_>) -> Vec<Reference> {
    let at = |address: Option<u64>| data.at(address?).next();
    data.all("bNode")
        .filter(|node| {
            node.bytes("idname")
                .is_some_and(|name| name.starts_with(IMPORT_NODE))
        })
        .filter_map(|node| {
            let socket = at(node.pointer("inputs.first"))?;
            let value = at(socket.pointer("default_value"))?;
            let path = value.bytes("value")?;
            let name = node.text("name").unwrap_or_default();
            Some(Reference::new(AssetKind::Cache, &name, path))
        })
        .collect()
}

fn cache_files(data: &Datablock<'_>) -> Vec<Reference> {
    let Some(cache) = data.first("CacheFile") else {
        return Vec::new();
    };
    let name = cache.id_name();
    let paths = std::iter::once(stored_path(&cache)).chain(
        data.all("CacheFileLayer")
            .filter_map(|layer| layer.bytes("filepath")),
    );
    paths
        .map(|path| Reference::new(AssetKind::Cache, &name, path).spread(frames_if(&cache)))
        .collect()
}

fn frames_if(record: &Record<'_>) -> Spread {
    match record.int("is_sequence") {
        Some(0) | None => Spread::One,
        Some(_) => Spread::Frames,
    }
}

/// Images and movies in the sequencer; its sounds are datablocks.
fn strips(data: &Datablock<'_>) -> Vec<Reference> {
    let mut names_left = MOST_NAMES;
    data.all("Sequence")
        .chain(data.all("Strip").filter(|strip| strip.int("type").is_some()))
        .filter_map(|strip| {
            let movie = match strip.int("type") {
                Some(STRIP_MOVIE) => true,
                Some(STRIP_IMAGE) => false,
                _ => return None,
            };
            let source = strip.pointer("strip").or_else(|| strip.pointer("data"))?;
            let source = data.at(source).next()?;
            let folder = source.bytes("dir").or_else(|| source.bytes("dirpath"))?;
            let names: Vec<Vec<u8>> = data
                .at(source.pointer("stripdata")?)
                .take(names_left)
                .filter_map(|element| element.bytes("name").or_else(|| element.bytes("filename")))
                .map(<[u8]>::to_vec)
                .collect();
            names_left -= names.len();
            // Blender's own name begins with two letters, as those of datablocks do.
            let name = strip.bytes("name")?.get(2..).unwrap_or_default();
            let name = String::from_utf8_lossy(name);
            if let (false, [_, _, ..]) = (movie, &names[..]) {
                let several = Reference::new(AssetKind::Sequence, &name, folder);
                return Some(several.spread(Spread::Listed(names)));
            }
            let kind = if movie { AssetKind::Movie } else { AssetKind::Image };
            let mut path = folder.to_vec();
            if !path.is_empty() && !path.ends_with(b"/") && !path.ends_with(b"\\") {
                path.push(b'/');
            }
            path.extend(names.first()?);
            Some(Reference::new(kind, &name, &path))
        })
        .collect()
}

/// What modifiers of an object read from the disk.
fn modifiers(data: &Datablock<'_>) -> Vec<Reference> {
    let name = data
        .first("Object")
        .map(|object| object.id_name())
        .unwrap_or_default();
    let cache = |path: &[u8]| Reference::new(AssetKind::Cache, &name, path);
    let mut found = Vec::new();
    found.extend(data.all("FluidDomainSettings").filter_map(|fluid| {
        let baked = fluid.flag("cache_flag", FLUID_BAKED);
        let folder = cache(fluid.bytes("cache_directory")?);
        Some(folder.spread(Spread::Folder).optional(!baked))
    }));
    found.extend(data.all("FluidsimSettings").filter_map(|fluid| {
        let path = fluid
            .bytes("surfdataPath")
            .filter(|_| fluid.int("type") == Some(OLD_FLUID_DOMAIN))?;
        Some(cache(path).spread(Spread::Folder).optional(true))
    }));
    found.extend(
        data.all("MeshCacheModifierData")
            .filter_map(|modifier| Some(cache(modifier.bytes("filepath")?))),
    );
    found.extend(data.all("OceanModifierData").filter_map(|ocean| {
        let path = ocean
            .bytes("cachepath")
            .filter(|_| ocean.int("cached") == Some(1))?;
        Some(cache(path).spread(Spread::Folder))
    }));
    let behind = |record: &Record<'_>, field: &str| data.text_at(record.pointer(field)?);
    found.extend(data.all("NodesModifierData").filter_map(|modifier| {
        let path =
            behind(&modifier, "simulation_bake_directory").or_else(|| behind(&modifier, "bake_directory"))?;
        Some(cache(path).spread(Spread::Folder).optional(true))
    }));
    found.extend(data.all("NodesModifierBake").filter_map(|bake| {
        let path = behind(&bake, "directory").filter(|_| bake.flag("flag", BAKE_HAS_FOLDER))?;
        Some(cache(path).spread(Spread::Folder).optional(true))
    }));
    found
}

fn point_caches(data: &Datablock<'_>) -> Vec<Reference> {
    let name = data
        .first("Object")
        .map(|object| object.id_name())
        .unwrap_or_default();
    let mut found: Vec<Reference> = data
        .all("PointCache")
        .filter_map(|cache| {
            if cache.flag("flag", CACHE_EXTERNAL) {
                let folder = Reference::new(AssetKind::Cache, &name, cache.bytes("path")?);
                return Some(folder.spread(Spread::Folder));
            }
            let on_disk = Reference::new(AssetKind::Cache, &name, b"");
            cache
                .flag("flag", CACHE_ON_DISK)
                .then(|| on_disk.spread(Spread::DiskCache).optional(true))
        })
        .collect();
    found.dedup();
    found
}
