"""Makes a project of .blend files in a folder and prints what Blender says about each of them.

    blender -b --factory-startup --python make.py -- FOLDER
    python make.py -- FOLDER                      (a Python with bpy)

The last line of output is `ANSWERS ` and a JSON object: file name -> what Blender says.
"""

import json
import os
import struct
import sys
import wave
import zlib

import bpy

folder = os.path.realpath(sys.argv[sys.argv.index("--") + 1])
NEW = bpy.app.version >= (5, 0, 0)


def at(*parts):
    path = os.path.join(folder, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def png(path):
    def chunk(tag, data):
        whole = tag + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0\x80\x40\x20")
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def files():
    png(at("tex", "wood.png"))
    png(at("outside", "far.png"))
    png(at("tex", "packed.png"))
    png(at("lib", "tex", "bark.png"))
    for frame in range(1, 6):
        png(at("seq", f"plate_{frame:04}.png"))
        png(at("clip", f"shot{frame:03}.png"))
        png(at("strip", f"s_{frame:04}.png"))
    png(at("seq", "other_0001.png"))
    for tile in (1001, 1002, 1011):
        png(at("udim", f"skin.{tile}.png"))
    with wave.open(at("sound", "beep.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 800)
    for name in ("smoke_0001.vdb", "smoke_0002.vdb", "one.vdb"):
        open(at("vol", name), "wb").write(b"none")
    open(at("cache", "tree.mdd"), "wb").write(b"none")
    open(at("light", "spot.ies"), "w").write("IESNA\n")
    open(at("osl", "wave.osl"), "w").write("shader wave() {}\n")


def empty():
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=False)


def save(name, **options):
    path = at(*name.split("/"))
    # Twice: paths that this makes relative are stored as such at once, in all versions.
    bpy.ops.wm.save_as_mainfile(filepath=path, check_existing=False, **options)
    return path


def attempt(what, *arguments, **named):
    """For what a version or a build does not have."""
    try:
        return what(*arguments, **named)
    except Exception as error:  # noqa: BLE001
        print("not here:", error)
        return None


def leaf_library():
    empty()
    save("lib/leaf.blend")
    cube = bpy.data.objects["Cube"]
    cube.name = "Leaf"
    material = cube.data.materials[0]
    material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load("//tex/bark.png")
    save("lib/leaf.blend")


def tree_library():
    empty()
    save("lib/sub/tree.blend")
    with bpy.data.libraries.load("//../leaf.blend", link=True, relative=True) as (_, to):
        to.objects = ["Leaf"]
    bpy.context.scene.collection.objects.link(to.objects[0])
    bpy.data.objects["Cube"].name = "Tree"
    leaf = bpy.data.objects["Leaf"]
    bpy.data.objects["Tree"].parent = leaf
    save("lib/sub/tree.blend")


def references():
    images = bpy.data.images
    images.load("//tex/wood.png")
    packed = images.load("//tex/packed.png")
    packed.pack()
    images.load(os.path.join(folder, "outside", "far.png"))
    missing = images.load("//tex/wood.png", check_existing=False)
    missing.name, missing.filepath = "gone", "//tex/gone.png"
    plate = images.load("//seq/plate_0001.png")
    plate.source = "SEQUENCE"
    movie = images.load("//tex/wood.png", check_existing=False)
    movie.name, movie.source, movie.filepath = "film", "MOVIE", "//movies/film.mp4"
    skin = images.load("//udim/skin.1001.png")
    skin.source = "TILED"
    skin.filepath = "//udim/skin.<UDIM>.png"
    for number in (1002, 1011):
        if not any(tile.number == number for tile in skin.tiles):
            skin.tiles.new(tile_number=number)
    for image in (one for one in images if not one.library):
        image.use_fake_user = True

    sound = attempt(bpy.data.sounds.load, "//sound/beep.wav")
    if sound:
        sound.use_fake_user = True
    fonts = []
    for where in (bpy.utils.system_resource("DATAFILES") or "", "/usr/share/fonts"):
        for path, _, names in os.walk(where):
            fonts += [os.path.join(path, name) for name in names if name.endswith((".ttf", ".woff2", ".otf"))]
    if fonts:
        bpy.data.fonts.load(sorted(fonts)[0]).use_fake_user = True

    for name, path, sequence in (("smoke", "//vol/smoke_0001.vdb", True), ("one", "//vol/one.vdb", False)):
        volume = bpy.data.volumes.new(name)
        volume.filepath, volume.is_sequence, volume.use_fake_user = path, sequence, True
    clip = attempt(bpy.data.movieclips.load, at("clip", "shot001.png"))
    if clip:
        clip.use_fake_user = True
        clip.filepath = "//clip/shot001.png"

    cube = bpy.data.objects["Cube"]
    cache = cube.modifiers.new("cache", "MESH_CACHE")
    cache.show_viewport = False
    cache.filepath = "//cache/tree.mdd"
    fluid = attempt(cube.modifiers.new, "fluid", "FLUID")
    if fluid:
        fluid.show_viewport = False
        fluid.fluid_type = "DOMAIN"
        fluid.domain_settings.cache_directory = "//cache_fluid"

    material = cube.data.materials[0]
    material.use_nodes = True
    script = material.node_tree.nodes.new("ShaderNodeScript")
    script.mode = "EXTERNAL"
    attempt(setattr, script, "filepath", "//osl/wave.osl")
    light = bpy.data.objects["Light"].data
    light.use_nodes = True
    ies = light.node_tree.nodes.new("ShaderNodeTexIES")
    ies.mode, ies.filepath = "EXTERNAL", "//light/spot.ies"

    boot = bpy.data.texts.new("boot.py")
    boot.use_module = True
    bpy.data.texts.new("notes.txt")
    driver = cube.driver_add("location", 0).driver
    driver.type, driver.expression = "SCRIPTED", "frame / 10"
    cube.driver_add("location", 1).driver.type = "SUM"


def strips(scene):
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_image("pictures", at("strip", "s_0001.png"), 1, 1)
    for frame in (2, 3):
        strip.elements.append(f"s_{frame:04}.png")
    strip.directory = "//strip/"
    still = strips.new_image("still", at("strip", "s_0005.png"), 2, 1)
    still.directory = "//strip/"
    attempt(strips.new_sound, "beep", at("sound", "beep.wav"), 3, 1)


def compositor(scene):
    if NEW:
        tree = bpy.data.node_groups.new("comp", "CompositorNodeTree")
        scene.compositing_node_group = tree
        node = tree.nodes.new("CompositorNodeOutputFile")
        node.directory, node.file_name = "//passes/", "shot"
        node.file_output_items.new("RGBA", "beauty")
        node.file_output_items.new("FLOAT", "depth")
        node.format.media_type = "IMAGE"
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        node = tree.nodes.new("CompositorNodeOutputFile")
        node.base_path = "//passes/"
        node.file_slots.new("depth")
    node.format.file_format = "OPEN_EXR"
    muted = tree.nodes.new("CompositorNodeOutputFile")
    muted.mute = True
    group = bpy.data.node_groups.new("inner", "CompositorNodeTree")
    inner = group.nodes.new("CompositorNodeOutputFile")
    inner.name = "Inner Output"
    use = tree.nodes.new("CompositorNodeGroup")
    use.node_tree = group


def scenes():
    first = bpy.context.scene
    first.frame_start, first.frame_end, first.frame_step = 3, 77, 2
    render = first.render
    render.fps, render.fps_base = 30, 1.001
    render.resolution_x, render.resolution_y, render.resolution_percentage = 321, 123, 50
    render.filepath = "//out/é_####"
    render.image_settings.file_format = "OPEN_EXR_MULTILAYER" if not NEW else "PNG"
    render.engine = "CYCLES"
    first.cycles.samples = 77
    first.cycles.use_denoising = False
    first.cycles.device = "GPU"
    first.view_layers.new("extra").use = False
    compositor(first)
    strips(first)

    plain = bpy.data.scenes.new("Plain Cycles")
    plain.render.engine = "CYCLES"
    plain.render.use_compositing = False
    plain.render.image_settings.file_format = "JPEG"

    eye = bpy.data.scenes.new("Äugen")
    eye.render.use_multiview = True
    eye.render.use_sequencer = False
    eye.render.engine = "BLENDER_WORKBENCH"
    eye.camera = bpy.data.objects["Light"]
    eye.render.image_settings.file_format = "TIFF"

    film = bpy.data.scenes.new("Film")
    if NEW:
        film.render.image_settings.media_type = "VIDEO"
    attempt(setattr, film.render.image_settings, "file_format", "FFMPEG")
    film.render.use_compositing = False
    if NEW:
        film.compositing_node_group = bpy.data.node_groups["comp"]
    else:
        film.use_nodes = True
    film.eevee.taa_render_samples = 17
    if "Tree" in bpy.data.objects:
        film.camera = bpy.data.objects["Tree"]
    film.frame_start, film.frame_end = 0, 1000000


def dump():
    def scene(one):
        render, cycles = one.render, one.cycles
        answer = {
            "name": one.name,
            "frame_start": one.frame_start,
            "frame_end": one.frame_end,
            "frame_step": one.frame_step,
            "fps": render.fps,
            "fps_base": render.fps_base,
            "resolution": [render.resolution_x, render.resolution_y, render.resolution_percentage],
            "engine": render.engine,
            "camera": one.camera.name if one.camera else None,
            "file_format": render.image_settings.file_format,
            "movie": render.is_movie_format,
            "output_path": render.filepath,
            "view_layers": [{"name": layer.name, "enabled": layer.use} for layer in one.view_layers],
            "sequencer": render.use_sequencer,
            "multiview": render.use_multiview,
            "device": None,
            "denoising": None,
            "samples": None,
        }
        if render.engine == "CYCLES":
            answer["device"], answer["samples"] = cycles.device, cycles.samples
            answer["denoising"] = cycles.use_denoising
        elif "EEVEE" in render.engine:
            answer["samples"] = one.eevee.taa_render_samples
        outputs = []
        trees = [one.compositing_node_group if NEW else one.node_tree]
        while trees:
            tree = trees.pop()
            for node in tree.nodes if tree else ():
                if node.type == "GROUP" and node.node_tree:
                    trees.append(node.node_tree)
                if node.type != "OUTPUT_FILE":
                    continue
                if NEW:
                    path = os.path.join(node.directory, node.file_name)
                    slots = [item.name for item in node.file_output_items]
                else:
                    path, slots = node.base_path, [slot.path for slot in node.file_slots]
                outputs.append([node.name, path, node.format.file_format, slots, node.mute])
        answer["file_outputs"] = sorted(outputs)
        switched_on = bool(one.compositing_node_group) if NEW else one.use_nodes
        answer["compositing"] = render.use_compositing and switched_on
        return answer

    def path(data, stored):
        return os.path.normpath(bpy.path.abspath(stored, library=data.library))

    assets = []
    for image in bpy.data.images:
        kinds = {"FILE": "image", "SEQUENCE": "sequence", "MOVIE": "movie", "TILED": "udim"}
        # A tiled image that was made here and never saved has no path.
        if image.source in kinds and (image.filepath or image.packed_files):
            assets.append([kinds[image.source], image.name, path(image, image.filepath), bool(image.packed_files)])
    for sound in bpy.data.sounds:
        assets.append(["sound", sound.name, path(sound, sound.filepath), bool(sound.packed_file)])
    for font in bpy.data.fonts:
        if font.filepath != "<builtin>":
            assets.append(["font", font.name, path(font, font.filepath), bool(font.packed_file)])
    for volume in bpy.data.volumes:
        assets.append(["volume", volume.name, path(volume, volume.filepath), bool(volume.packed_file)])
    for clip in bpy.data.movieclips:
        kind = "sequence" if clip.source == "SEQUENCE" else "movie"
        assets.append([kind, clip.name, path(clip, clip.filepath), False])
    return {
        "version": list(bpy.data.version),
        "scenes": sorted((scene(one) for one in bpy.data.scenes if not one.library), key=lambda one: one["name"]),
        "active_scene": bpy.context.scene.name,
        "libraries": sorted([one.filepath, path(one, one.filepath)] for one in bpy.data.libraries),
        "assets": sorted(assets),
        "scripts": sorted(text.name for text in bpy.data.texts if text.use_module and not text.library),
    }


def main():
    files()
    leaf_library()
    tree_library()
    empty()
    save("main.blend")
    with bpy.data.libraries.load("//lib/sub/tree.blend", link=True, relative=True) as (_, to):
        to.objects = ["Tree"]
    bpy.context.scene.collection.objects.link(to.objects[0])
    references()
    scenes()
    made = [save("main.blend", compress=False), save("packed.blend", compress=True)]
    empty()
    made += [save("factory.blend", compress=False)]
    bpy.context.window.scene = bpy.data.scenes.new("Second")
    for camera in list(bpy.data.cameras):
        bpy.data.cameras.remove(camera)
    made += [save("second.blend")]
    answer(made + [at("lib", "leaf.blend"), at("lib", "sub", "tree.blend")])


def answer(made):
    """Prints what Blender says about each of these files."""
    answers = {}
    for name in made:
        bpy.ops.wm.open_mainfile(filepath=name)
        answers[os.path.relpath(name, folder)] = dump()
    print("ANSWERS " + json.dumps(answers), flush=True)
    # Some releases of the module crash or hang while they leave.
    os._exit(0)


if __name__ == "__main__":
    main()
