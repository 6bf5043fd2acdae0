"""Makes .blend files that are odder than those of make.py, and prints what Blender says about each of them, as
make.py does.

    blender -b --factory-startup --python more.py -- FOLDER
    python more.py -- FOLDER                      (a Python with bpy)
"""

import gzip
import os
import sys

import bpy

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True
import make  # noqa: E402
from make import NEW, at, attempt, empty, png, save  # noqa: E402


def formats():
    """A scene for each output format that this Blender has."""
    empty()
    first = bpy.context.scene
    kinds = ["IMAGE", "MULTI_LAYER_IMAGE", "VIDEO"] if NEW else [None]
    for kind in kinds:
        settings = first.render.image_settings
        if kind:
            settings.media_type = kind
        names = settings.bl_rna.properties["file_format"].enum_items.keys()
        for name in sorted(names):
            scene = bpy.data.scenes.new(f"{kind} {name}")
            if kind:
                scene.render.image_settings.media_type = kind
            if attempt(setattr, scene.render.image_settings, "file_format", name) is None:
                if scene.render.image_settings.file_format != name:
                    bpy.data.scenes.remove(scene)
    return save("formats.blend", compress=True)


def ranges():
    """Numbers at the ends of what they can be, and names that are hard to write."""
    empty()
    for number, (start, end, step, fps, base, percent) in enumerate(
        [(0, 0, 1, 1, 1.0, 1), (1048574, 1048574, 1, 240, 1.001, 32767), (10, 5, 7, 24, 1.001, 100), (7, 8, 500, 32767, 0.5, 33)]
    ):
        scene = bpy.data.scenes.new(f"\"r\\{number}\" – 帧")
        scene.frame_end, scene.frame_start, scene.frame_step = max(start, end), start, step
        scene.frame_end = end
        scene.render.fps, scene.render.fps_base, scene.render.resolution_percentage = fps, base, percent
        scene.render.resolution_x, scene.render.resolution_y = 65536, 4
        scene.render.filepath = "/tmp/a b/ü\\x" * (number + 1)
        scene.render.engine = ["CYCLES", "BLENDER_WORKBENCH"][number % 2]
    bpy.data.scenes.new("x" * 200)
    bpy.context.window.scene = bpy.data.scenes[2]
    bpy.data.scenes.remove(bpy.data.scenes["Scene"])
    whole = save("ranges.blend", compress=False)
    packed = at("ranges_gzip.blend")
    with open(whole, "rb") as plain, gzip.open(packed, "wb") as out:
        out.write(plain.read())
    return [whole, packed]


def link(path, **names):
    with bpy.data.libraries.load(path, link=True, relative=True) as (_, to):
        for kind, name in names.items():
            setattr(to, kind, [name])
    return [getattr(to, kind)[0] for kind in names]


def libraries():
    """Everything that can be linked, by whatever way."""
    empty()
    save("kit/parts.blend")
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    png(at("kit", "skin.png"))
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load("//skin.png")
    material.use_fake_user = True
    world = bpy.data.worlds.new("Sky")
    world.use_fake_user = True
    bpy.data.collections.new("Crowd").objects.link(bpy.data.objects["Cube"])
    bpy.data.collections["Crowd"].use_fake_user = True
    bpy.data.objects["Camera"].name = "Shot Camera"
    tree = bpy.data.node_groups.new("Bits", "ShaderNodeTree")
    tree.use_fake_user = True
    bpy.data.texts.new("rig.py").use_module = True
    bpy.data.texts["rig.py"].use_fake_user = True
    parts = save("kit/parts.blend")
    made = [parts]

    empty()
    save("shots/a/linked.blend")
    crowd, = link("//../../kit/parts.blend", collections="Crowd")
    instance = bpy.data.objects.new("Crowd", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", crowd
    bpy.context.scene.collection.objects.link(instance)
    skin, = link(parts, materials="Skin")
    bpy.data.objects["Cube"].data.materials[0] = skin
    bpy.context.scene.world, = link("//../../kit/parts.blend", worlds="Sky")
    camera, = link("//../../kit/parts.blend", objects="Shot Camera")
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    made.append(save("shots/a/linked.blend", compress=True))

    # An override stays linked; what is appended does not.
    attempt(camera.override_create, remap_local_usages=True)
    made.append(save("shots/a/override.blend", compress=False))
    made.append(windows(made[-1]))

    empty()
    save("shots/b/background.blend")
    scene, = link("//../a/linked.blend", scenes="Scene")
    bpy.context.scene.background_set = scene
    made.append(save("shots/b/background.blend"))

    # The library is gone, and so is one that only a library links.
    empty()
    gone = save("shots/gone.blend")
    empty()
    save("shots/b/lost.blend")
    cube, = link("//../gone.blend", objects="Cube")
    bpy.context.scene.collection.objects.link(cube)
    made.append(save("shots/b/lost.blend"))
    empty()
    save("shots/b/lost_behind.blend")
    scene, = link("//lost.blend", scenes="Scene")
    bpy.context.scene.background_set = scene
    made.append(save("shots/b/lost_behind.blend"))
    os.remove(gone)

    bpy.ops.wm.open_mainfile(filepath=at("shots", "a", "linked.blend"))
    attempt(bpy.ops.file.pack_libraries)
    made.append(save("shots/a/packed_libraries.blend"))
    return made


def windows(path):
    """The same file as Windows writes paths of libraries."""
    turned = path.replace(".blend", "_windows.blend")
    with open(path, "rb") as plain, open(turned, "wb") as out:
        out.write(plain.read().replace(b"//../../kit/parts.blend", b"//..\\..\\kit\\parts.blend"))
    return turned


def files_of_every_kind():
    empty()
    save("kinds.blend")
    images = bpy.data.images
    for frame in range(1, 4):
        png(at("seq", f"a.{frame}.png"))
        png(at("seq", f"{frame:03}_b.png"))
    for name in ("a.1.png", "001_b.png"):
        image = images.load(f"//seq/{name}")
        image.source, image.use_fake_user = "SEQUENCE", True
    png(at("tex", "left_L.png"))
    png(at("tex", "left_R.png"))
    views = images.load("//tex/left_L.png")
    views.use_multiview, views.use_fake_user = True, True
    for tile in (1001, 1012):
        png(at("udim", f"w_{tile}.png"))
    tiled = images.load("//udim/w_1001.png")
    tiled.source, tiled.use_fake_user = "TILED", True
    tiled.filepath = "//udim/w_<UDIM>.png"
    if not any(tile.number == 1012 for tile in tiled.tiles):
        tiled.tiles.new(tile_number=1012)
    attempt(tiled.pack)
    new = images.new("painted", 4, 4)
    new.pack()
    new.use_fake_user = True
    images.new("plain", 4, 4, tiled=False).use_fake_user = True
    images.new("tiles", 4, 4, tiled=True).use_fake_user = True
    images.new("film", 4, 4).use_fake_user = True
    images["film"].source, images["film"].filepath = "MOVIE", "//movies/film.mp4"
    png(at("tex", "ünï cödé #1 %20.png"))
    images.load("//tex/ünï cödé #1 %20.png").use_fake_user = True
    back = images.load("//tex/left_L.png", check_existing=False)
    back.name, back.filepath, back.use_fake_user = "back", "//tex\\left_L.png", True
    deep = images.load("//tex/left_L.png", check_existing=False)
    deep.name, deep.filepath, deep.use_fake_user = "deep", "//seq/../tex/./left_L.png", True

    make.files()
    sound = attempt(bpy.data.sounds.load, "//sound/beep.wav")
    if sound:
        sound.use_fake_user = True
        sound.pack()
        second = attempt(bpy.data.sounds.load, "//sound/beep.wav", check_existing=False)
        second.use_fake_user = True
    attempt(bpy.ops.cachefile.open, filepath=at("cache", "crowd.abc"), relative_path=True)
    for one in bpy.data.cache_files:
        one.use_fake_user = True
    attempt(bpy.data.movieclips.load, at("clip", "shot002.png"))
    for clip in bpy.data.movieclips:
        clip.use_fake_user = True
    volume = bpy.data.volumes.new("far")
    volume.filepath, volume.is_sequence, volume.use_fake_user = at("vol", "smoke_0002.vdb"), True, True
    attempt(volume.pack) if hasattr(volume, "pack") else None

    scene = bpy.context.scene
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    meta = attempt(strips.new_meta, "meta", 1, 1)
    inner = meta and (meta.strips if hasattr(meta, "strips") else meta.sequences)
    if inner:
        strip = inner.new_image("inner", at("strip", "s_0001.png"), 1, 1)
        strip.directory = "//strip/"
    scene.render.use_multiview = True
    boot = bpy.data.texts.new("äuto.py")
    boot.use_module = True
    return save("kinds.blend", compress=True)


def main():
    make.files()
    made = [formats(), *ranges(), *libraries(), files_of_every_kind()]
    make.answer(made)


main()
