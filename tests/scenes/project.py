"""Makes a project of 200 files that reach all over a disk: FOLDER/show/shots/shot.blend renders them.

    blender -b --factory-startup --python project.py -- FOLDER
    python project.py -- FOLDER                  (a Python with the `bpy` module)

Relative and absolute libraries in libraries, textures within and outside the project, an image sequence, a UDIM
set, a font and a light profile. Prints nothing; frames 1 to 4 of 96x64.
"""

import glob
import os
import shutil
import struct
import sys
import zlib
from math import radians

import bpy

FOLDER = os.path.realpath(sys.argv[sys.argv.index("--") + 1])
SHOT = os.path.join(FOLDER, "show", "shots", "shot.blend")
TREE = os.path.join(FOLDER, "show", "lib", "tree.blend")
ROCK = os.path.join(FOLDER, "outside", "lib", "rock.blend")
MOSS = os.path.join(FOLDER, "outside", "deep", "moss.blend")


def at(*parts):
    path = os.path.join(FOLDER, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def picture(number, *parts):
    """A small picture of its own colour."""

    def chunk(tag, data):
        whole = tag + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    colour = bytes((number * 37 % 256, number * 101 % 256, number * 53 % 256))
    dark = bytes(part // 2 for part in colour)
    rows = b"".join(b"\0" + (colour + dark) * 2 for _ in range(4))
    head = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    path = at(*parts)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)))
        file.write(chunk(b"IEND", b""))
    return path


def begin(path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save(path)


def save(path):
    # Paths stay as they were written, absolute ones too.
    bpy.ops.wm.save_as_mainfile(filepath=path, relative_remap=False)


def thing(name, data, location=(0, 0, 0), turn=(0, 0, 0)):
    made = bpy.data.objects.new(name, data)
    made.location, made.rotation_euler = location, turn
    bpy.context.scene.collection.objects.link(made)
    return made


def tile(name, location, image, size=0.3, frames=0):
    """A small square with an image on it."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (size, 0, 0), (size, 0, size), (0, 0, size)], [], [(0, 1, 2, 3)])
    layer = mesh.uv_layers.new()
    corners = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]
    for corner, place in zip(layer.data, corners):
        corner.uv = place
    paint = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):
        paint.use_nodes = True
    nodes = paint.node_tree.nodes
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = image
    texture.interpolation = "Closest"
    if frames:
        texture.image_user.frame_duration = frames
        texture.image_user.use_auto_refresh = True
    glow = nodes.new("ShaderNodeEmission")
    paint.node_tree.links.new(texture.outputs[0], glow.inputs[0])
    paint.node_tree.links.new(glow.outputs[0], nodes["Material Output"].inputs[0])
    mesh.materials.append(paint)
    made = thing(name, mesh, location)
    made["layer"] = name
    return made


def load(stored):
    """An image by exactly this path."""
    image = bpy.data.images.load(bpy.path.abspath(stored), check_existing=False)
    image.filepath = stored
    return image


def link(stored, names):
    with bpy.data.libraries.load(stored, link=True, relative=stored.startswith("//")) as (_, into):
        into.objects = list(names)
    for made in into.objects:
        bpy.context.scene.collection.objects.link(made)
    return into.objects


def font():
    datafiles = bpy.utils.system_resource("DATAFILES") or ""
    fonts = sorted(path for path in glob.glob(os.path.join(datafiles, "fonts", "*")) if "DejaVuSans" in path)
    fonts += sorted(glob.glob(os.path.join(datafiles, "fonts", "*.woff2")))
    return shutil.copy(fonts[0], at("outside", "fonts", "face" + os.path.splitext(fonts[0])[1]))


def text(name, face, location):
    curve = bpy.data.curves.new(name, "FONT")
    curve.body, curve.size = name, 0.6
    curve.font = bpy.data.fonts.load(face)
    curve.font.filepath = face
    paint = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):
        paint.use_nodes = True
    curve.materials.append(paint)
    return thing(name, curve, location, (radians(90), 0, 0))


def moss(face):
    """Named by an absolute path from a library that is named so too; its own paths are of all kinds."""
    begin(MOSS)
    tile("moss near", (0.0, 0, 2.0), load("//tex/moss.png"))
    tile("moss far", (0.4, 0, 2.0), load(at("elsewhere", "far.png")))
    tile("moss up", (0.8, 0, 2.0), load("//../lib/tex/rock 1.png"))
    text("Moss", face, (1.3, 0, 2.0))
    save(MOSS)


def rock():
    begin(ROCK)
    for number in range(1, 5):
        tile(f"rock {number}", (number * 0.4 - 2.4, 0, 2.0), load(f"//tex/rock {number}.png"))
    link(MOSS, ["moss near", "moss far", "moss up", "Moss"])
    save(ROCK)


def tree():
    begin(TREE)
    tile("bark", (-2.4, 0, 1.5), load("//../tex/bark.png"))
    tile("leaf", (-2.0, 0, 1.5), load(at("outside", "tex", "leaf.png")))
    save(TREE)


def shot(face):
    begin(SHOT)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = 96, 64
    scene.render.image_settings.file_format = "PNG"
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.frame_start, scene.frame_end = 1, 4
    eye = bpy.data.cameras.new("Camera")
    eye.type, eye.ortho_scale = "ORTHO", 6
    scene.camera = thing("Camera", eye, (0, -7, 0.6), (radians(90), 0, 0))
    lamp = bpy.data.lights.new("Lamp", "POINT")
    lamp.energy = 500
    if bpy.app.version < (5, 0):
        lamp.use_nodes = True
    profile = at("outside", "light", "lamp.ies")
    with open(profile, "w", encoding="ascii") as file:
        file.write("IESNA:LM-63-1995\nTILT=NONE\n1 -1 1 3 1 1 2 0 0 0\n1 1 100\n0 45 90\n0\n1000 500 100\n")
    thing("Lamp", lamp, (0, -3, 3))
    if lamp.node_tree:
        nodes = lamp.node_tree.nodes
        beam = nodes.new("ShaderNodeTexIES")
        beam.mode, beam.filepath = "EXTERNAL", profile
        lamp.node_tree.links.new(beam.outputs[0], nodes["Emission"].inputs["Strength"])

    link("//../lib/tree.blend", ["bark", "leaf"])
    link(ROCK, [f"rock {number}" for number in range(1, 5)])
    link(MOSS, ["moss near", "moss far", "moss up", "Moss"])
    text("Shot", face, (-2.8, 0, -1.2))

    for number in range(164):
        inside = number % 2
        stored = f"//../tex/t{number}.png" if inside else at("outside", "tex", f"t{number}.png")
        tile(f"t{number}", ((number % 20) * 0.27 - 2.7, 0, number // 20 * 0.27 - 0.8), load(stored), 0.25)
    plate = load(at("outside", "plates", "plate_0001.png"))
    plate.source = "SEQUENCE"
    tile("plate", (0.0, 0, 1.5), plate, frames=12)
    skin = load(at("outside", "udim", "skin.1001.png"))
    skin.source = "TILED"
    skin.filepath = at("outside", "udim", "skin.<UDIM>.png")
    for number in range(1002, 1011):
        if not any(one.number == number for one in skin.tiles):
            skin.tiles.new(tile_number=number)
    for number in range(10):
        square = tile(f"skin {number}", (number * 0.27 - 2.7, 0, -1.8), skin, 0.25)
        for corner in square.data.uv_layers[0].data:
            corner.uv = (corner.uv[0] + number, corner.uv[1])
    save(SHOT)


def main():
    number = 0
    places = [("show", "tex", f"t{n}.png") if n % 2 else ("outside", "tex", f"t{n}.png") for n in range(164)]
    places += [("outside", "plates", f"plate_{n:04}.png") for n in range(1, 13)]
    places += [("outside", "udim", f"skin.{n}.png") for n in range(1001, 1011)]
    places += [("outside", "lib", "tex", f"rock {n}.png") for n in range(1, 5)]
    places += [("show", "tex", "bark.png"), ("outside", "tex", "leaf.png"), ("elsewhere", "far.png")]
    places += [("outside", "deep", "tex", "moss.png")]
    for place in places:
        number += 1
        picture(number, *place)
    os.makedirs(os.path.dirname(SHOT), exist_ok=True)
    face = font()
    tree()
    moss(face)
    rock()
    shot(face)


main()
