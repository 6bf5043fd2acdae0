"""Makes Farmhand's demo scene: a day and a night on a small flying farm, 48 frames that loop.

    blender -b --factory-startup --python demo_scene.py -- --out DIR
    python demo_scene.py -- --out DIR            (a Python with the `bpy` module)

Writes DIR/farmhand_demo.blend, DIR/textures/ground.png and DIR/library/props.blend, which the scene links by
relative paths: a scene of several files, as scenes are. Everything is made in a folder beside DIR that is
renamed at the end, so what is there is whole. A DIR that holds the scene already is left alone.

The look is chosen for few samples: one hard sun, ambient light written into the materials instead of bounced,
no denoiser, CPU. Random numbers have a fixed seed; every run makes the same scene.

It must not know the farm: Blender 3.4 to 5.x is all it uses (numpy is not in every Blender).
"""

import argparse
import os
import random
import shutil
import sys
from math import cos, hypot, pi, radians, sin, tau

import bpy  # First: in a Python with the `bpy` module it brings the other two.
import bmesh  # isort: skip
from mathutils import Matrix, Vector

FRAMES = 48
SAMPLES = 5
RADIUS = 5.0

# The day, as shares of the loop. Each row: when, sky above, sky below, ambient from above, ambient from
# below, lamp colour, lamp strength. Linear RGB; rows between are blended.
DAY = [
    (0.00, (0.16, 0.22, 0.62), (1.00, 0.42, 0.25), (0.36, 0.30, 0.50), (0.30, 0.14, 0.14), (1.00, 0.52, 0.28), 2.6),
    (0.10, (0.10, 0.34, 0.85), (0.90, 0.66, 0.42), (0.36, 0.42, 0.60), (0.24, 0.18, 0.14), (1.00, 0.78, 0.55), 3.4),
    (0.26, (0.06, 0.32, 0.90), (0.28, 0.66, 1.00), (0.40, 0.52, 0.70), (0.22, 0.22, 0.18), (1.00, 0.95, 0.84), 3.8),
    (0.40, (0.10, 0.28, 0.80), (0.95, 0.72, 0.42), (0.40, 0.42, 0.56), (0.26, 0.18, 0.13), (1.00, 0.76, 0.46), 3.5),
    (0.52, (0.13, 0.08, 0.42), (1.00, 0.26, 0.12), (0.30, 0.20, 0.42), (0.28, 0.10, 0.10), (1.00, 0.36, 0.14), 2.4),
    (0.58, (0.03, 0.03, 0.20), (0.42, 0.12, 0.28), (0.13, 0.11, 0.30), (0.10, 0.05, 0.10), (0.90, 0.34, 0.30), 0.2),
    (0.64, (0.008, 0.014, 0.085), (0.06, 0.07, 0.26), (0.06, 0.085, 0.22), (0.03, 0.03, 0.08), (0.42, 0.58, 1.00), 0.8),
    (0.78, (0.004, 0.010, 0.060), (0.03, 0.07, 0.22), (0.05, 0.080, 0.20), (0.02, 0.03, 0.07), (0.42, 0.60, 1.00), 1.1),
    (0.90, (0.015, 0.022, 0.13), (0.16, 0.10, 0.30), (0.08, 0.09, 0.24), (0.05, 0.04, 0.08), (0.45, 0.50, 0.95), 0.7),
    (0.95, (0.07, 0.08, 0.34), (0.62, 0.22, 0.26), (0.20, 0.17, 0.36), (0.16, 0.08, 0.11), (0.95, 0.42, 0.34), 0.5),
]


def main():
    """Reads the arguments behind `--` and makes the scene."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    parser = argparse.ArgumentParser(prog="demo_scene.py", description="Makes Farmhand's demo scene.")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to make")
    out = os.path.abspath(parser.parse_args(words).out)
    if os.path.exists(os.path.join(out, "farmhand_demo.blend")):
        print(f"the demo scene is in {out} already")
        return
    building = f"{out}.making-{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    try:
        os.makedirs(os.path.join(building, "textures"))
        os.makedirs(os.path.join(building, "library"))
        make_library(os.path.join(building, "library", "props.blend"))
        make_scene(building)
        put_in_place(building, out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    print(f"made the demo scene in {out}")


def put_in_place(building, out):
    """Renames the finished folder; into a folder with something in it, entry by entry, the .blend last."""
    if not os.path.isdir(out) or not os.listdir(out):
        os.replace(building, out)
        return
    for name in sorted(os.listdir(building), key=lambda name: name.endswith(".blend")):
        there = os.path.join(out, name)
        if os.path.isdir(there):
            shutil.rmtree(there)
        os.replace(os.path.join(building, name), there)


def empty_file():
    """An empty file whose saves leave no backup beside them."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0


# --- time ------------------------------------------------------------------------------------------------------


def of_day(share, column):
    """A column of DAY at a share of the loop, blended between its rows."""
    rows = DAY + [(1.0,) + DAY[0][1:]]
    for before, after in zip(rows, rows[1:]):
        if before[0] <= share < after[0]:
            part = (share - before[0]) / (after[0] - before[0])
            one, two = before[column], after[column]
            if isinstance(one, float):
                return one + (two - one) * part
            return tuple(a + (b - a) * part for a, b in zip(one, two))
    return rows[0][column]


def night(share):
    """0 by day, 1 at night, for windows, lamps and stars."""
    return smooth(0.50, 0.60, share) * (1.0 - smooth(0.90, 0.97, share))


def smooth(low, high, x):
    part = min(1.0, max(0.0, (x - low) / (high - low)))
    return part * part * (3.0 - 2.0 * part)


def sky_path(share):
    """Where sun or moon stands in the picture: (x from -1 to 1, y from 0 to 1), and which of them it is."""
    if share < 0.58:
        part, moon = share / 0.56, False
    else:
        part, moon = (share - 0.60) / 0.36, True
    angle = pi * (0.06 + 0.88 * part)
    return -cos(angle), sin(angle), moon


def animate(target, path, value_at):
    """One key a frame: `value_at(share of the loop)`. No drivers, no handlers: nothing that a farm blocks."""
    for frame in range(1, FRAMES + 1):
        value = value_at((frame - 1) / FRAMES)
        setattr(target, path, value)
        target.keyframe_insert(path, frame=frame)


# --- materials -------------------------------------------------------------------------------------------------


def group_socket(group, name, kind, is_input):
    """Declares a socket of a node group; Blender 4.0 moved how."""
    if hasattr(group, "interface"):
        group.interface.new_socket(name, in_out="INPUT" if is_input else "OUTPUT", socket_type=kind)
    else:
        (group.inputs if is_input else group.outputs).new(kind, name)


def daylight():
    """The node group that every surface uses: lit by the lamps, plus ambient light of the hour.

    The ambient part is emission by the normal's height, darkened in corners: what a sky would do, without
    the noise that a sky makes at few samples.
    """
    group = bpy.data.node_groups.get("Daylight")
    if group:
        return group
    group = bpy.data.node_groups.new("Daylight", "ShaderNodeTree")
    group_socket(group, "Color", "NodeSocketColor", True)
    group_socket(group, "Shader", "NodeSocketShader", False)
    new, link = group.nodes.new, group.links.new
    given, result = new("NodeGroupInput"), new("NodeGroupOutput")

    above, below = new("ShaderNodeRGB"), new("ShaderNodeRGB")
    for node, column in ((above, 3), (below, 4)):
        animate(
            node.outputs[0],
            "default_value",
            lambda share, column=column: (*(1.35 * c for c in of_day(share, column)), 1.0),
        )

    geometry, split = new("ShaderNodeNewGeometry"), new("ShaderNodeSeparateXYZ")
    link(geometry.outputs["Normal"], split.inputs[0])
    height = number(group, "MULTIPLY_ADD", split.outputs["Z"], 0.5, 0.5)
    ambient = mix(group, "MIX", height, below.outputs[0], above.outputs[0])

    # Walls darken towards the turf and rock towards its tip, as corners do; turf does not.
    place, lift = new("ShaderNodeSeparateXYZ"), new("ShaderNodeMapRange")
    link(geometry.outputs["Position"], place.inputs[0])
    link(place.outputs["Z"], lift.inputs["Value"])
    lift.interpolation_type = "SMOOTHSTEP"
    for name, value in (("From Min", -0.25), ("From Max", 0.75), ("To Min", 0.55), ("To Max", 1.0)):
        lift.inputs[name].default_value = value
    open_to_sky = number(group, "MAXIMUM", lift.outputs["Result"], split.outputs["Z"])
    shaded = mix(group, "MULTIPLY", 1.0, ambient, open_to_sky)

    # Lanterns, worked out instead of sampled: strength by distance and by the angle of the surface.
    for at, power in LANTERNS:
        towards, length, facing = (new("ShaderNodeVectorMath") for _ in range(3))
        towards.operation, length.operation, facing.operation = "SUBTRACT", "LENGTH", "DOT_PRODUCT"
        towards.inputs[0].default_value = at
        link(geometry.outputs["Position"], towards.inputs[1])
        link(towards.outputs["Vector"], length.inputs[0])
        link(towards.outputs["Vector"], facing.inputs[0])
        link(geometry.outputs["Normal"], facing.inputs[1])
        away = length.outputs["Value"]
        fall = number(group, "ADD", number(group, "POWER", away, 3.0), 0.12)
        reach = number(group, "DIVIDE", number(group, "MAXIMUM", facing.outputs["Value"], 0.0), fall)
        shone = new("ShaderNodeValue")
        animate(shone.outputs[0], "default_value", lambda share, power=power: power * night(share))
        light = mix(group, "MULTIPLY", 1.0, number(group, "MULTIPLY", reach, shone.outputs[0]), (1.0, 0.50, 0.16, 1.0))
        shaded = mix(group, "ADD", 1.0, shaded, light)
    coloured = mix(group, "MULTIPLY", 1.0, shaded, given.outputs["Color"])

    diffuse, emission, both = new("ShaderNodeBsdfDiffuse"), new("ShaderNodeEmission"), new("ShaderNodeAddShader")
    link(given.outputs["Color"], diffuse.inputs["Color"])
    link(coloured, emission.inputs["Color"])
    link(seen(group), emission.inputs["Strength"])
    link(diffuse.outputs[0], both.inputs[0])
    link(emission.outputs[0], both.inputs[1])
    link(both.outputs[0], result.inputs["Shader"])
    return group


def seen(tree):
    """1 for what the camera and the pond see, 0 for what would only light other things, which makes noise."""
    path = tree.nodes.new("ShaderNodeLightPath")
    return number(tree, "MAXIMUM", path.outputs["Is Camera Ray"], path.outputs["Is Glossy Ray"])


def number(tree, operation, *values, clamp=False):
    """A math node; numbers and sockets are taken alike. Returns its result."""
    node = tree.nodes.new("ShaderNodeMath")
    node.operation, node.use_clamp = operation, clamp
    for socket, value in zip(node.inputs, values):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
    return node.outputs[0]


def mix(tree, how, factor, one, two):
    """A colour mix node; numbers and sockets are taken alike. Returns its result."""
    node = tree.nodes.new("ShaderNodeMixRGB")
    node.blend_type = how
    for socket, value in zip(node.inputs, (factor, one, two)):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
    return node.outputs[0]


def paint(name, colour, vary=0.0):
    """A matt material. `vary` lets every face island differ a little in brightness, as painted wood does."""
    material = bpy.data.materials.get(name)
    if material:
        return material
    material, tree, output = bare_material(name)
    body = tree.nodes.new("ShaderNodeGroup")
    body.node_tree = daylight()
    body.inputs["Color"].default_value = (*colour, 1.0)
    if vary:
        geometry, bright = tree.nodes.new("ShaderNodeNewGeometry"), tree.nodes.new("ShaderNodeMapRange")
        bright.inputs["To Min"].default_value = 1.0 - vary
        bright.inputs["To Max"].default_value = 1.0 + vary
        tree.links.new(geometry.outputs["Random Per Island"], bright.inputs["Value"])
        coloured = mix(tree, "MULTIPLY", 1.0, (*colour, 1.0), bright.outputs["Result"])
        tree.links.new(coloured, body.inputs["Color"])
    tree.links.new(body.outputs[0], output.inputs["Surface"])
    return material


def bare_material(name):
    """A material with nothing but its output; what glows in it is seen, but lights nothing."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):  # Always so since.
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    if hasattr(material.cycles, "emission_sampling"):
        material.cycles.emission_sampling = "NONE"
    else:
        material.cycles.sample_as_light = False
    return material, tree, tree.nodes.new("ShaderNodeOutputMaterial")


def glow(name, colour, by_day, by_night):
    """A material that shines: `by_day` and `by_night` are its strengths."""
    material, tree, output = bare_material(name)
    emission = tree.nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (*colour, 1.0)
    strength = tree.nodes.new("ShaderNodeValue")
    animate(strength.outputs[0], "default_value", lambda share: by_day + (by_night - by_day) * night(share))
    shown = number(tree, "MULTIPLY", strength.outputs[0], seen(tree))
    tree.links.new(shown, emission.inputs["Strength"])
    tree.links.new(emission.outputs[0], output.inputs["Surface"])
    return material


# --- shapes ----------------------------------------------------------------------------------------------------


class Shape:
    """A mesh put together from simple solids, each with its material."""

    def __init__(self):
        self.mesh = bmesh.new()
        self.materials = []

    def _add(self, made, matrix, material, smooth_faces):
        verts = made["verts"]
        bmesh.ops.transform(self.mesh, matrix=matrix, verts=verts)
        if material not in self.materials:
            self.materials.append(material)
        for face in {face for vert in verts for face in vert.link_faces}:
            face.material_index = self.materials.index(material)
            face.smooth = smooth_faces
        return verts

    def box(self, material, at, size, turn=0.0, tilt=0.0):
        matrix = Matrix.Translation(at) @ Matrix.Rotation(turn, 4, "Z") @ Matrix.Rotation(tilt, 4, "Y")
        return self._add(
            bmesh.ops.create_cube(self.mesh, size=1.0), matrix @ Matrix.Diagonal((*size, 1.0)), material, False
        )

    def cone(self, material, at, low, high, height, sides=8, along="Z", smooth_faces=False):
        made = bmesh.ops.create_cone(self.mesh, cap_ends=True, segments=sides, radius1=low, radius2=high, depth=height)
        axis = {"Z": Matrix.Identity(4), "X": Matrix.Rotation(pi / 2, 4, "Y"), "Y": Matrix.Rotation(pi / 2, 4, "X")}
        return self._add(made, Matrix.Translation(at) @ axis[along], material, smooth_faces)

    def ball(self, material, at, radius, detail=2, rough=0.0, flat=1.0, seed=1, smooth_faces=False):
        made = bmesh.ops.create_icosphere(self.mesh, subdivisions=detail, radius=1.0)
        dice = random.Random(seed)
        for vert in made["verts"]:
            vert.co *= radius * (1.0 + dice.uniform(-rough, rough))
            vert.co.z *= flat
        return self._add(made, Matrix.Translation(at), material, smooth_faces)

    def faces(self, material, points, polygons):
        verts = [self.mesh.verts.new(point) for point in points]
        for polygon in polygons:
            self.mesh.faces.new([verts[index] for index in polygon])
        return self._add({"verts": verts}, Matrix.Identity(4), material, False)

    def done(self, name, collection, at=(0, 0, 0), turn=0.0, scale=1.0):
        self.mesh.normal_update()
        data = bpy.data.meshes.new(name)
        self.mesh.to_mesh(data)
        self.mesh.free()
        for material in self.materials:
            data.materials.append(material)
        thing = bpy.data.objects.new(name, data)
        thing.location, thing.rotation_euler.z, thing.scale = at, turn, (scale,) * 3
        collection.objects.link(thing)
        return thing


# --- the library -----------------------------------------------------------------------------------------------


def make_library(path):
    """Props that the scene links: trees, a bale, a piece of fence, a sheep, a pumpkin."""
    empty_file()
    made = set()
    for name, build in (
        ("RoundTree", round_tree),
        ("Pine", pine),
        ("Bale", bale),
        ("Fence", fence),
        ("Sheep", sheep),
        ("Pumpkin", pumpkin),
    ):
        collection = bpy.data.collections.new(name)
        build(collection)
        made.add(collection)
    bpy.data.libraries.write(path, made, fake_user=True, compress=True)


def round_tree(collection):
    shape = Shape()
    shape.cone(paint("Bark", (0.16, 0.075, 0.035)), (0, 0, 0.28), 0.10, 0.06, 0.6, sides=7)
    leaves = paint("Leaves", (0.13, 0.36, 0.06), vary=0.3)
    light = paint("LeavesLight", (0.27, 0.48, 0.08), vary=0.2)
    shape.ball(leaves, (0, 0, 0.86), 0.44, rough=0.07, seed=3)
    shape.ball(light, (0.17, -0.12, 1.16), 0.31, rough=0.08, seed=4)
    shape.ball(leaves, (-0.22, 0.1, 1.08), 0.29, rough=0.08, seed=5)
    shape.done("RoundTree", collection)


def pine(collection):
    shape = Shape()
    shape.cone(paint("Bark", (0.16, 0.075, 0.035)), (0, 0, 0.18), 0.09, 0.06, 0.4, sides=7)
    for step, (width, height) in enumerate(((0.48, 0.62), (0.37, 0.56), (0.25, 0.5))):
        needles = paint(f"Needles{step}", (0.035 + 0.02 * step, 0.19 + 0.05 * step, 0.10))
        shape.cone(needles, (0, 0, 0.58 + 0.36 * step), width, 0.0, height, sides=9)
    shape.done("Pine", collection)


def bale(collection):
    shape = Shape()
    shape.cone(paint("Hay", (0.80, 0.52, 0.14)), (0, 0, 0.22), 0.22, 0.22, 0.34, sides=14, along="X")
    for side in (-0.171, 0.171):
        shape.cone(paint("HayEnd", (0.55, 0.32, 0.08)), (side, 0, 0.22), 0.13, 0.13, 0.01, sides=14, along="X")
    shape.done("Bale", collection)


def fence(collection):
    shape = Shape()
    wood = paint("FenceWhite", (0.78, 0.74, 0.68))
    for x in (-0.3, 0.3):
        shape.box(wood, (x, 0, 0.17), (0.06, 0.06, 0.36))
    for z in (0.13, 0.26):
        shape.box(wood, (0, 0, z), (0.7, 0.03, 0.055))
    shape.done("Fence", collection)


def sheep(collection):
    shape = Shape()
    wool, face = paint("Wool", (0.86, 0.82, 0.76)), paint("SheepFace", (0.07, 0.05, 0.05))
    for x, y, z, radius in (
        (0, 0, 0.25, 0.15),
        (0.11, 0.04, 0.27, 0.1),
        (-0.11, -0.03, 0.27, 0.11),
        (0.02, 0, 0.34, 0.1),
    ):
        shape.ball(wool, (x, y, z), radius, rough=0.05, seed=int(100 * z) + int(100 * x))
    shape.ball(face, (0.22, 0, 0.33), 0.072, detail=1)
    for x in (-0.09, 0.1):
        for y in (-0.06, 0.06):
            shape.cone(face, (x, y, 0.07), 0.022, 0.022, 0.14, sides=6)
    shape.done("Sheep", collection)


def pumpkin(collection):
    shape = Shape()
    for side in range(7):
        at = (0.055 * cos(tau * side / 7), 0.055 * sin(tau * side / 7), 0.09)
        shape.ball(paint("Pumpkin", (0.86, 0.26, 0.02), vary=0.12), at, 0.085, detail=2)
    shape.cone(paint("Stem", (0.14, 0.22, 0.05)), (0, 0, 0.20), 0.022, 0.014, 0.09, sides=5)
    shape.done("Pumpkin", collection)


# --- the scene -------------------------------------------------------------------------------------------------


def make_scene(folder):
    """Builds and saves the scene; saved once empty too, so that paths can be relative to it."""
    empty_file()
    path = os.path.join(folder, "farmhand_demo.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    scene = bpy.context.scene
    scene.name = "Flying farm"
    props = link_library("//library/props.blend", folder)
    farm = bpy.data.collections.new("Farm")
    scene.collection.children.link(farm)

    island(farm, ground_texture(folder))
    pond(farm)
    wheat(farm)
    barn(farm)
    windmill(farm)
    tractor(farm)
    balloon(farm)
    clouds(farm)
    dress(farm, props)
    lights(farm)
    sky(scene)
    camera(scene, farm)
    settings(scene)

    scene.frame_set(1)
    bpy.ops.wm.save_as_mainfile(filepath=path, compress=True)


def link_library(relative, folder):
    with bpy.data.libraries.load(os.path.join(folder, relative[2:]), link=True, relative=True) as (there, here):
        here.collections = list(there.collections)
    return {collection.name: collection for collection in here.collections}


def shore(angle):
    """The island's radius in a direction."""
    return RADIUS * (1.0 + 0.05 * sin(3 * angle + 0.6) + 0.035 * sin(5 * angle + 2.0) + 0.02 * sin(9 * angle))


FIELD = ((0.75, -3.05), (3.35, -0.55))  # corners of the wheat field
POND = (-2.55, -1.95, 1.15, 0.78)  # centre and half axes
LANTERNS = (((-0.78, -0.12, 0.95), 5.0), ((2.28, 0.70, 0.80), 1.8))  # where, how strong
ROAD = (0.15, -0.2, 3.75, 3.35, 0.26)  # centre, half axes and half width of the tractor's round


def ground_texture(folder):
    """Paints the island from above and saves it beside the scene: grass, a dirt road, soil, sand at the pond."""
    size = 448
    dice = random.Random(7)

    def blotches(cells):
        """Smooth noise from 0 to 1, at a pixel's row and column."""
        grid = [[dice.random() for _ in range(cells + 1)] for _ in range(cells + 1)]
        places = []
        for index in range(size):
            place = (index + 0.5) / size * cells
            part = place - int(place)
            places.append((int(place), part * part * (3.0 - 2.0 * part)))

        def at(row, column):
            (r, down), (c, right) = places[row], places[column]
            one, two = grid[r], grid[r + 1]
            top = one[c] + (one[c + 1] - one[c]) * right
            return top + (two[c] + (two[c + 1] - two[c]) * right - top) * down

        return at

    def edge(distance, soft):
        """1 inside (below 0), 0 outside."""
        return 1.0 - smooth(-soft / 2, soft / 2, distance)

    def over(below, colour, share):
        return tuple(b + (c - b) * share for b, c in zip(below, colour))

    coarse, fine, grain, ragged = blotches(14), blotches(40), blotches(150), blotches(30)
    cx, cy, road_x, road_y, half = ROAD
    (left, front), (right, back) = FIELD
    px, py, pond_x, pond_y = POND

    def shade(row, column):
        x, y = (column + 0.5) / size * 12.0 - 6.0, (row + 0.5) / size * 12.0 - 6.0
        wobble = (ragged(row, column) - 0.5) * 0.16
        patches = 0.55 * coarse(row, column) + 0.3 * fine(row, column) + 0.15 * grain(row, column)
        here = over((0.31, 0.55, 0.20), (0.50, 0.68, 0.24), min(1.0, max(0.0, patches * 1.6 - 0.4)))
        if sin((x * 0.8 + y) * 5.2) > 0:
            here = over(here, (0.36, 0.60, 0.22), 0.35)
        if dice.random() > 0.997:
            here = over(here, dice.choice(((0.98, 0.86, 0.50), (0.96, 0.92, 0.90), (0.94, 0.62, 0.66))), 0.9)

        road = abs(hypot((x - cx) / road_x, (y - cy) / road_y) - 1.0) * (road_x + road_y) / 2
        if road < half + 0.2:
            inside = edge(road - half + wobble, 0.10)
            here = over(here, (0.70, 0.55, 0.36), inside)
            here = over(here, (0.56, 0.42, 0.27), edge(abs(road - 0.14) - 0.05 + wobble * 0.3, 0.06) * inside * 0.8)

        field = max(left - x, x - right, front - y, y - back) - 0.12 + wobble
        if field < 0.1:
            soil = over((0.38, 0.25, 0.15), (0.52, 0.36, 0.21), 0.5 + 0.5 * sin((y - front) * tau / 0.3125))
            here = over(here, soil, edge(field, 0.08))

        beach = (hypot((x - px) / pond_x, (y - py) / pond_y) - 1.0) * 0.95 - 0.2 + wobble
        return over(here, (0.86, 0.76, 0.54), edge(beach, 0.12))

    pixels = [value for row in range(size) for column in range(size) for value in (*shade(row, column), 1.0)]
    image = bpy.data.images.new("Ground", size, size)
    image.pixels.foreach_set(pixels)
    image.filepath_raw = os.path.join(folder, "textures", "ground.png")
    image.file_format = "PNG"
    image.save()
    image.filepath = "//textures/ground.png"
    return image


def island(farm, image):
    """The turf, its soil and the rock below, ring by ring."""
    dice = random.Random(11)
    material, tree, output = bare_material("Turf")
    body, texture, place = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("Group", "TexImage", "TexCoord"))
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (1 / 12, 1 / 12, 1.0)
    mapping.inputs["Location"].default_value = (0.5, 0.5, 0.0)
    body.node_tree = daylight()
    texture.image = image
    tree.links.new(place.outputs["Object"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs[0], texture.inputs["Vector"])
    tree.links.new(texture.outputs["Color"], body.inputs["Color"])
    tree.links.new(body.outputs[0], output.inputs["Surface"])

    soil, rock, deep = (
        paint("Soil", (0.36, 0.18, 0.085)),
        paint("Rock", (0.46, 0.37, 0.40)),
        paint("DeepRock", (0.36, 0.29, 0.38)),
    )
    # share of the radius, height, how rough, material of the band that ends here
    rings = [
        (0.35, 0.0, 0.0, material),
        (0.7, 0.0, 0.0, material),
        (0.95, 0.0, 0.0, material),
        (1.0, -0.07, 0.01, material),
        (1.01, -0.22, 0.02, material),
        (0.95, -0.62, 0.05, soil),
        (0.86, -1.15, 0.11, rock),
        (0.66, -1.9, 0.15, rock),
        (0.42, -2.9, 0.16, deep),
        (0.18, -3.8, 0.14, deep),
    ]
    shape, sides = Shape(), 56
    points, polygons, kinds = [(0, 0, 0)], [], []
    for ring, (share, height, rough, kind) in enumerate(rings):
        for side in range(sides):
            angle = tau * side / sides
            jag = 1.0 + dice.uniform(-rough, rough)
            reach = shore(angle) * share * jag
            points.append((reach * cos(angle), reach * sin(angle), height * (1 + dice.uniform(-rough, rough))))
            after = (side + 1) % sides
            here = 1 + ring * sides
            if ring == 0:
                polygons.append((0, here + side, here + after))
            else:
                polygons.append((here - sides + side, here + side, here + after, here - sides + after))
            kinds.append(kind)
    points.append((0.3, 0.1, -4.5))
    last = 1 + (len(rings) - 1) * sides
    for side in range(sides):
        polygons.append((last + side, len(points) - 1, last + (side + 1) % sides))
        kinds.append(deep)
    shape.faces(material, points, polygons)
    shape.materials += [soil, rock, deep]
    shape.mesh.faces.ensure_lookup_table()
    for face, kind in zip(shape.mesh.faces, kinds):
        face.material_index = shape.materials.index(kind)
    shape.done("Island", farm)

    for number, (x, y, z, size) in enumerate(((-6.9, 1.5, -1.1, 0.62), (6.7, 2.6, 0.5, 0.8))):
        islet = Shape()
        islet.cone(paint("IsletGrass", (0.16, 0.36, 0.06)), (0, 0, 0), 1.0, 0.96, 0.16, sides=11)
        islet.cone(soil, (0, 0, -0.25), 0.7, 1.0, 0.36, sides=11)
        islet.cone(rock, (0, 0, -1.0), 0.06, 0.7, 1.15, sides=7)
        thing = islet.done(f"Islet{number}", farm, (x, y, z), turn=number, scale=size)
        bob(thing, z, 0.14, number * 0.37)


def bob(thing, height, by, phase):
    """Lets a thing float up and down once a loop."""
    animate(
        thing, "location", lambda share: (thing.location.x, thing.location.y, height + by * sin(tau * (share + phase)))
    )


def pond(farm):
    """Still water that mirrors the sky."""
    x, y, ax, ay = POND
    material, tree, output = bare_material("Water")
    body, gloss, blend = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("Group", "BsdfGlossy", "MixShader"))
    body.node_tree = daylight()
    body.inputs["Color"].default_value = (0.05, 0.30, 0.42, 1.0)
    gloss.inputs["Roughness"].default_value = 0.02
    fresnel = tree.nodes.new("ShaderNodeFresnel")
    fresnel.inputs["IOR"].default_value = 1.7
    tree.links.new(fresnel.outputs[0], blend.inputs[0])
    tree.links.new(body.outputs[0], blend.inputs[1])
    tree.links.new(gloss.outputs[0], blend.inputs[2])
    tree.links.new(blend.outputs[0], output.inputs["Surface"])
    shape, sides = Shape(), 40
    ring = [
        (x + ax * (1 + 0.06 * sin(3 * a)) * cos(a), y + ay * (1 + 0.06 * sin(3 * a)) * sin(a), 0.015)
        for a in (tau * side / sides for side in range(sides))
    ]
    shape.faces(material, ring, [tuple(range(sides))])
    shape.done("Pond", farm)

    stone, reed = paint("Stone", (0.36, 0.34, 0.36)), paint("Reed", (0.22, 0.40, 0.08))
    shore_things, dice = Shape(), random.Random(5)
    for number in range(15):
        angle = dice.uniform(0, tau)
        at = (x + (ax + 0.1) * cos(angle), y + (ay + 0.1) * sin(angle))
        if number % 3:
            shore_things.ball(stone, (*at, 0.03), dice.uniform(0.06, 0.14), detail=1, rough=0.12, flat=0.7, seed=number)
        else:
            for _ in range(5):
                spot = (at[0] + dice.uniform(-0.1, 0.1), at[1] + dice.uniform(-0.1, 0.1), 0.17)
                shore_things.cone(reed, spot, 0.022, 0.004, dice.uniform(0.28, 0.46), sides=4)
    shore_things.done("Shore", farm)


def wheat(farm):
    """Eight rows of wheat; a shape key bends each in the wind, one after the other."""
    (left, front), (right, back) = FIELD
    dice = random.Random(23)
    for row in range(8):
        y = front + (row + 0.5) * (back - front) / 8
        shape, x = Shape(), left + 0.05
        stalk = paint(
            f"Wheat{row % 3}", ((0.86, 0.55, 0.11), (0.92, 0.64, 0.17), (0.78, 0.47, 0.09))[row % 3], vary=0.18
        )
        while x < right:
            high = dice.uniform(0.30, 0.42)
            shape.cone(stalk, (x, y + dice.uniform(-0.06, 0.06), high / 2), 0.075, 0.03, high, sides=5)
            x += dice.uniform(0.085, 0.125)
        thing = shape.done(f"Wheat{row}", farm)
        thing.shape_key_add(name="Rest")
        bent = thing.shape_key_add(name="Wind")
        for vert, point in zip(thing.data.vertices, bent.data):
            bend = (vert.co.z / 0.4) ** 2
            point.co = vert.co + Vector((0.13 * bend, 0.03 * bend, -0.02 * bend))
        animate(bent, "value", lambda share, row=row: 0.5 + 0.5 * sin(tau * (3 * share - row / 8)))


def barn(farm):
    """A red barn with a hipped gable roof, white trim, and windows that are lit at night."""
    red, trim, roof = (
        paint("BarnRed", (0.52, 0.055, 0.035)),
        paint("Trim", (0.82, 0.78, 0.72)),
        paint("Roof", (0.10, 0.085, 0.11)),
    )
    warm = glow("Window", (1.0, 0.55, 0.16), 0.10, 4.2)
    long, wide = 1.15, 0.8
    gable = [(-wide, 0), (-wide, 1.0), (-0.5, 1.55), (0, 1.85), (0.5, 1.55), (wide, 1.0), (wide, 0)]
    shape = Shape()
    points = [(x, -long, z) for x, z in gable] + [(x, long, z) for x, z in gable]
    count = len(gable)
    walls = [tuple(range(count)), tuple(reversed(range(count, 2 * count)))]
    walls += [(i, count + i, count + (i + 1) % count, (i + 1) % count) for i in range(count)]
    shape.faces(red, points, walls)
    eaves = [(-wide - 0.13, 0.88), (-0.53, 1.62), (0, 1.95), (0.53, 1.62), (wide + 0.13, 0.88)]
    for (x1, z1), (x2, z2) in zip(eaves, eaves[1:]):
        lift, reach = 0.06, long + 0.14
        slab = [(x1, -reach, z1), (x2, -reach, z2), (x2, reach, z2), (x1, reach, z1)]
        slab += [(x, y, z + lift) for x, y, z in slab]
        shape.faces(roof, slab, [(3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)])
    front = -long - 0.02
    shape.box(paint("Door", (0.40, 0.04, 0.03)), (0, front, 0.42), (0.8, 0.04, 0.84))
    for x in (-0.42, 0, 0.42):
        shape.box(trim, (x, front - 0.02, 0.43), (0.06, 0.04, 0.88))
    shape.box(trim, (0, front - 0.02, 0.86), (0.9, 0.04, 0.06))
    for x in (-0.21, 0.21):
        for tilt in (-1.17, 1.17):
            shape.box(trim, (x, front - 0.02, 0.43), (0.88, 0.03, 0.045), tilt=tilt)
    shape.box(trim, (0, front, 1.30), (0.42, 0.04, 0.42))
    shape.box(warm, (0, front - 0.03, 1.30), (0.32, 0.04, 0.32))
    for x in (-wide - 0.01, wide + 0.01):
        for y in (-0.55, 0.35):
            shape.box(trim, (x, y, 0.58), (0.04, 0.40, 0.40))
            shape.box(warm, (x * 1.03, y, 0.58), (0.04, 0.30, 0.30))
    shape.cone(roof, (0, 0.3, 2.05), 0.09, 0.09, 0.3, sides=8)
    shape.done("Barn", farm, (-1.25, 1.35, 0), turn=radians(-24))

    # A silo beside it.
    silo, steel, dome = Shape(), paint("Silo", (0.62, 0.64, 0.68)), paint("SiloDome", (0.42, 0.10, 0.08))
    silo.cone(steel, (0, 0, 1.0), 0.42, 0.42, 2.0, sides=20)
    for z in (0.4, 0.9, 1.4, 1.9):
        silo.cone(dome, (0, 0, z), 0.432, 0.432, 0.05, sides=20)
    silo.ball(dome, (0, 0, 2.0), 0.42, detail=3, flat=0.75)
    silo.done("Silo", farm, (-2.75, 1.75, 0))


def windmill(farm):
    """Sails that turn three quarters in a loop, which looks like no jump: there are four."""
    white, roof, wood = (
        paint("MillWhite", (0.80, 0.74, 0.64)),
        paint("MillRoof", (0.06, 0.20, 0.34)),
        paint("SailWood", (0.24, 0.13, 0.07)),
    )
    tower = Shape()
    tower.cone(white, (0, 0, 1.05), 0.68, 0.42, 2.1, sides=8)
    tower.cone(paint("MillBase", (0.38, 0.32, 0.30)), (0, 0, 0.12), 0.76, 0.70, 0.28, sides=8)
    tower.cone(roof, (0, 0, 2.38), 0.56, 0.05, 0.62, sides=8)
    tower.box(wood, (0, -0.62, 0.42), (0.30, 0.16, 0.56))
    warm = bpy.data.materials["Window"]
    tower.box(warm, (0, -0.50, 1.25), (0.17, 0.12, 0.24))
    tower.done("Mill", farm, (2.15, 1.75, 0), turn=radians(8))

    sails, cloth = Shape(), paint("Cloth", (0.88, 0.80, 0.66))
    sails.cone(wood, (0, 0.1, 0), 0.10, 0.10, 0.34, sides=10, along="Y")
    for quarter in range(4):
        turned = Matrix.Rotation(quarter * pi / 2, 3, "Y")
        for material, at, size in (
            (wood, (0, 0, 0.72), (0.05, 0.05, 1.44)),
            (cloth, (0.15, 0.01, 0.85), (0.24, 0.015, 1.05)),
        ):
            verts = sails.box(material, at, size)
            for vert in verts:
                vert.co = turned @ vert.co
    thing = sails.done("Sails", farm, (2.24, 1.09, 1.98))
    animate(thing, "rotation_euler", lambda share: (0, -1.5 * pi * share + 0.4, radians(8)))


def tractor(farm):
    """A small red-and-cream tractor on its round, once a loop."""
    body, dark, hub = (
        paint("TractorRed", (0.05, 0.32, 0.10)),
        paint("Rubber", (0.025, 0.025, 0.03)),
        paint("Hub", (0.86, 0.60, 0.06)),
    )
    shape = Shape()
    shape.box(body, (0.20, 0, 0.32), (0.46, 0.22, 0.20))
    shape.box(body, (-0.14, 0, 0.30), (0.30, 0.34, 0.14))
    shape.box(body, (-0.16, 0, 0.70), (0.34, 0.36, 0.05))
    for x in (-0.29, -0.02):
        for y in (-0.15, 0.15):
            shape.box(body, (x, y, 0.52), (0.03, 0.03, 0.34))
    shape.box(hub, (0.435, 0, 0.32), (0.02, 0.16, 0.12))
    shape.box(glow("Headlight", (1.0, 0.86, 0.55), 0.4, 7.0), (0.44, 0.075, 0.39), (0.03, 0.06, 0.05))
    shape.box(bpy.data.materials["Headlight"], (0.44, -0.075, 0.39), (0.03, 0.06, 0.05))
    shape.cone(dark, (0.28, 0.07, 0.52), 0.02, 0.02, 0.24, sides=6)
    thing = shape.done("Tractor", farm, scale=0.95)
    cx, cy, ax, ay, _ = ROAD
    turn = lambda share: tau * share - 2.75
    thing.rotation_mode = "XYZ"
    animate(thing, "location", lambda share: (cx + ax * cos(turn(share)), cy + ay * sin(turn(share)), 0.02))

    headings = []
    for frame in range(FRAMES):
        at = turn(frame / FRAMES)
        heading = Vector((-ax * sin(at), ay * cos(at))).angle_signed(Vector((1, 0)))
        while headings and heading < headings[-1] - pi:
            heading += tau
        headings.append(heading)
    animate(thing, "rotation_euler", lambda share: (0, 0, headings[round(share * FRAMES) % FRAMES]))

    for x, radius, wide in ((-0.17, 0.23, 0.12), (0.30, 0.13, 0.08)):
        for side in (-1, 1):
            wheel = Shape()
            wheel.cone(dark, (0, 0, 0), radius, radius, wide, sides=14, along="Y")
            wheel.cone(hub, (0, 0, 0), radius * 0.55, radius * 0.55, wide + 0.02, sides=6, along="Y")
            one = wheel.done("Wheel", farm, (x, side * 0.22, radius))
            one.parent = thing
            turns = 14 if radius > 0.2 else 24
            animate(one, "rotation_euler", lambda share, turns=turns: (0, tau * turns * share, 0))


def balloon(farm):
    """A striped balloon that drifts by and glows at night."""
    stripes = [
        paint("BalloonRed", (0.72, 0.05, 0.05)),
        paint("BalloonCream", (0.88, 0.78, 0.58)),
        paint("BalloonBlue", (0.05, 0.26, 0.48)),
        paint("BalloonCream", (0.88, 0.78, 0.58)),
    ]
    sides, profile = (
        16,
        [(0.10, -1.05), (0.30, -0.80), (0.62, -0.38), (0.80, 0.06), (0.76, 0.42), (0.52, 0.72), (0.22, 0.86)],
    )
    shape = Shape()
    points = [(r * cos(tau * s / sides), r * sin(tau * s / sides), z) for r, z in profile for s in range(sides)] + [
        (0, 0, 0.89)
    ]
    polygons, kinds = [], []
    for ring in range(len(profile)):
        for side in range(sides):
            after = (side + 1) % sides
            one = ring * sides
            if ring + 1 < len(profile):
                polygons.append((one + side, one + after, one + sides + after, one + sides + side))
            else:
                polygons.append((one + side, one + after, len(points) - 1))
            kinds.append(stripes[side % 4])
    shape.faces(stripes[0], points, polygons)
    shape.materials += [stripes[1], stripes[2]]
    shape.mesh.faces.ensure_lookup_table()
    for face, kind in zip(shape.mesh.faces, kinds):
        face.material_index = shape.materials.index(kind)
        face.smooth = False
    shape.box(paint("Basket", (0.30, 0.16, 0.06)), (0, 0, -1.50), (0.26, 0.26, 0.22))
    rope = paint("Rope", (0.20, 0.14, 0.09))
    for x in (-0.11, 0.11):
        for y in (-0.11, 0.11):
            shape.box(rope, (x, y, -1.22), (0.014, 0.014, 0.4))
    shape.ball(glow("Burner", (1.0, 0.45, 0.10), 1.0, 9.0), (0, 0, -1.1), 0.07, detail=1)
    thing = shape.done("Balloon", farm, scale=0.82)
    animate(
        thing,
        "location",
        lambda share: (-4.3 + 0.55 * sin(tau * share), 3.2, 2.75 + 0.28 * sin(tau * share + 1.2)),
    )


def clouds(farm):
    """Soft heaps that drift to the side and back."""
    white = paint("Cloud", (0.90, 0.90, 0.92))
    for number, (x, y, z, size, by) in enumerate(
        (
            (5.4, 4.4, 3.0, 0.95, 0.7),
            (-7.4, 5.5, 1.2, 1.0, -0.8),
            (7.8, 5.0, -1.9, 1.15, -0.6),
            (-5.6, -1.0, -2.3, 0.75, 0.5),
            (4.6, -2.6, -2.9, 0.6, 0.5),
        )
    ):
        shape, dice = Shape(), random.Random(number + 40)
        for step in range(6):
            radius = (0.34, 0.52, 0.66, 0.56, 0.42, 0.28)[step] * dice.uniform(0.9, 1.1)
            shape.ball(
                white,
                (step * 0.48 - 1.2, dice.uniform(-0.15, 0.15), radius * 0.45),
                radius,
                detail=3,
                flat=0.78,
                smooth_faces=True,
            )
        thing = shape.done(f"Cloud{number}", farm, (x, y, z), scale=size)
        thing.visible_shadow = False
        animate(thing, "location", lambda share, x=x, y=y, z=z, by=by: (x + by * sin(tau * share), y, z))


def dress(farm, props):
    """Places the linked props: trees, bales, fences, and sheep that hop."""
    dice = random.Random(77)

    def place(name, x, y, scale=1.0, turn=None, z=0.0):
        one = bpy.data.objects.new(name, None)
        one.instance_type, one.instance_collection = "COLLECTION", props[name]
        one.location = (x, y, z)
        one.rotation_euler.z = dice.uniform(0, tau) if turn is None else turn
        one.scale = (scale,) * 3
        farm.objects.link(one)
        return one

    for x, y, scale in (
        (-4.35, 0.35, 1.15),
        (-4.25, -0.75, 0.85),
        (-3.3, 3.1, 1.2),
        (0.35, 4.35, 1.1),
        (-0.9, 4.2, 1.3),
        (4.45, 0.7, 0.95),
        (3.6, 3.2, 0.9),
        (-1.2, -2.55, 0.8),
    ):
        place("RoundTree", x, y, scale)
    for x, y, scale in (
        (-2.2, 3.9, 1.2),
        (1.5, 4.1, 1.3),
        (2.7, 3.8, 1.05),
        (-3.9, 2.3, 1.0),
        (-4.5, -1.6, 0.9),
        (4.6, -0.4, 0.85),
    ):
        place("Pine", x, y, scale)
    for x, y, scale, turn in (
        (0.25, 0.55, 1.0, 0.5),
        (0.62, 0.28, 1.0, 1.9),
        (0.40, 0.42, 1.0, 0.9),
        (-0.1, -0.35, 1.1, 2.4),
    ):
        place("Bale", x, y, scale, turn, z=0.40 if scale == 1.0 and turn == 0.9 else 0.0)
    for number in range(9):
        x, y = (
            -1.75 + 0.42 * (number % 5) + dice.uniform(-0.08, 0.08),
            -4.05 + 0.42 * (number // 5) + dice.uniform(-0.08, 0.08),
        )
        place("Pumpkin", x, y, dice.uniform(0.8, 1.3))
    (left, front), (right, back) = FIELD
    for step in range(4):
        x = left + 0.36 + step * 0.66
        place("Fence", x, back + 0.20, 1.0, 0.0)
    for step in range(4):
        y = front + 0.36 + step * 0.66
        place("Fence", left - 0.20, y, 1.0, pi / 2)

    place("RoundTree", -6.9, 1.5, 0.9, z=-1.03)
    place("Pine", 6.6, 2.6, 1.1, z=0.56)

    for number, (x, y, turn) in enumerate(
        ((-0.75, -1.05, 2.6), (-1.55, -0.55, 0.3), (-0.35, -1.85, 4.0), (-2.35, -0.25, 5.4))
    ):
        one = place("Sheep", x, y, 1.0, turn)
        hop = lambda share, number=number: abs(sin(tau * (2 * share + number * 0.21))) ** 1.5
        animate(
            one,
            "location",
            lambda share, x=x, y=y, number=number, hop=hop: (
                x + 0.16 * sin(tau * (share + number * 0.3)),
                y + 0.08 * cos(tau * (share + number * 0.3)),
                0.16 * hop(share) if number % 2 == 0 else 0.05 * hop(share),
            ),
        )


def lights(farm):
    """One lamp, sun by day and moon by night: with a single light no sample is spent on choosing."""
    lamp = bpy.data.lights.new("Sky lamp", "SUN")
    lamp.angle = radians(0.4)
    sun = bpy.data.objects.new("Sky lamp", lamp)
    farm.objects.link(sun)
    animate(lamp, "color", lambda share: of_day(share, 5))
    animate(lamp, "energy", lambda share: of_day(share, 6))

    def towards(share):
        # The disc in the picture stands behind the farm; its light comes from the same side, but from the
        # front, so that what the camera sees is lit.
        x, y, _ = sky_path(share)
        return Vector((1.15 * x, -0.62, 0.34 + 0.95 * y)).to_track_quat("Z", "Y").to_euler()

    animate(sun, "rotation_euler", towards)


def sky(scene):
    """The backdrop, painted in picture space: a gradient, sun or moon with its glow, stars at night."""
    world = bpy.data.worlds.new("Sky")
    scene.world = world
    if bpy.app.version < (5, 0):
        world.use_nodes = True
    world.cycles.sampling_method = "NONE"
    tree = world.node_tree
    tree.nodes.clear()
    new, link = tree.nodes.new, tree.links.new

    def colour(value_at):
        node = new("ShaderNodeRGB")
        animate(node.outputs[0], "default_value", lambda share: (*value_at(share), 1.0))
        return node.outputs[0]

    def level(value_at):
        node = new("ShaderNodeValue")
        animate(node.outputs[0], "default_value", value_at)
        return node.outputs[0]

    place, split = new("ShaderNodeTexCoord"), new("ShaderNodeSeparateXYZ")
    link(place.outputs["Window"], split.inputs[0])
    x = number(tree, "MULTIPLY", number(tree, "SUBTRACT", split.outputs[0], 0.5), 16 / 9)
    y = split.outputs[1]

    rise = number(tree, "POWER", number(tree, "MULTIPLY", y, 1.0, clamp=True), 0.85)
    shown = mix(tree, "MIX", rise, colour(lambda share: of_day(share, 2)), colour(lambda share: of_day(share, 1)))

    # Bands of far mist, so that the sky has depth.
    for low, wide, strength in ((0.16, 0.16, 0.30), (0.34, 0.10, 0.16)):
        wave = number(tree, "MULTIPLY", number(tree, "SINE", number(tree, "MULTIPLY", x, 3.0 + 20 * wide)), 0.03)
        off = number(tree, "DIVIDE", number(tree, "SUBTRACT", number(tree, "ADD", y, wave), low), wide)
        band = number(
            tree, "MULTIPLY", number(tree, "SUBTRACT", 1.0, number(tree, "ABSOLUTE", off), clamp=True), strength
        )
        shown = mix(
            tree, "MIX", band, shown, colour(lambda share: tuple(min(1.0, 1.25 * c + 0.02) for c in of_day(share, 2)))
        )

    def disc_place(share):
        across, up, _ = sky_path(share)
        return 0.80 * across, 0.10 + 0.76 * up

    dx = number(tree, "SUBTRACT", x, level(lambda share: disc_place(share)[0]))
    dy = number(tree, "SUBTRACT", y, level(lambda share: disc_place(share)[1]))
    away = number(tree, "SQRT", number(tree, "ADD", number(tree, "MULTIPLY", dx, dx), number(tree, "MULTIPLY", dy, dy)))
    up = lambda share: (
        smooth(0.0, 0.03, share) * (1 - smooth(0.52, 0.57, share))
        + smooth(0.60, 0.66, share) * (1 - smooth(0.91, 0.96, share))
    )
    tint = lambda share: (0.55, 0.68, 1.0) if sky_path(share)[2] else of_day(share, 5)
    halo = number(
        tree,
        "MULTIPLY",
        number(tree, "POWER", 0.002, away),
        level(
            lambda share: (
                (0.35 if sky_path(share)[2] else 0.85)
                * max(0.15, up(share))
                * (1 - 0.5 * smooth(0.56, 0.6, share) * (1 - smooth(0.6, 0.66, share)))
            )
        ),
    )
    shown = mix(tree, "ADD", halo, shown, colour(tint))
    disc = number(tree, "MULTIPLY", number(tree, "SUBTRACT", 0.052, away), 240.0, clamp=True)
    shown = mix(
        tree,
        "MIX",
        number(tree, "MULTIPLY", disc, level(up)),
        shown,
        colour(
            lambda share: (
                (0.85, 0.92, 1.0) if sky_path(share)[2] else tuple(min(1.6, 1.5 * c + 0.35) for c in of_day(share, 5))
            )
        ),
    )

    # Stars: the middles of cells, each of its own brightness.
    grid = new("ShaderNodeCombineXYZ")
    link(number(tree, "MULTIPLY", x, 30.0), grid.inputs[0])
    link(number(tree, "MULTIPLY", y, 30.0), grid.inputs[1])
    cells = new("ShaderNodeTexVoronoi")
    cells.voronoi_dimensions = "2D"
    link(grid.outputs[0], cells.inputs["Vector"])
    cells.inputs["Scale"].default_value = 1.0
    bright = new("ShaderNodeSeparateXYZ")
    link(cells.outputs["Color"], bright.inputs[0])
    size = number(tree, "MULTIPLY", bright.outputs[0], 0.085)
    spark = number(tree, "MULTIPLY", number(tree, "SUBTRACT", size, cells.outputs["Distance"]), 22.0, clamp=True)
    star = number(
        tree, "MULTIPLY", number(tree, "MULTIPLY", spark, number(tree, "POWER", bright.outputs[1], 2.0)), level(night)
    )
    shown = mix(tree, "ADD", star, shown, (0.95, 0.97, 1.0, 1.0))

    background, output = new("ShaderNodeBackground"), new("ShaderNodeOutputWorld")
    link(shown, background.inputs["Color"])
    link(seen(tree), background.inputs["Strength"])
    link(background.outputs[0], output.inputs["Surface"])


def camera(scene, farm):
    """Swings gently from side to side around the farm."""
    lens = bpy.data.cameras.new("Camera")
    lens.lens = 46
    eye = bpy.data.objects.new("Camera", lens)
    farm.objects.link(eye)
    scene.camera = eye
    centre = Vector((0.0, 0.0, -0.18))

    def where(share):
        angle = radians(-90 + 15 * sin(tau * share - 0.5))
        return centre + Vector((18.2 * cos(angle), 18.2 * sin(angle), 5.5 + 0.7 * sin(tau * share + 0.8)))

    animate(eye, "location", where)
    animate(eye, "rotation_euler", lambda share: (centre - where(share)).to_track_quat("-Z", "Y").to_euler())


def settings(scene):
    """480x270, Cycles on the CPU, few samples, no denoiser, PNG."""
    scene.frame_start, scene.frame_end = 1, FRAMES
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y, render.resolution_percentage = 480, 270, 100
    render.fps = 12
    render.filepath = "//render/####"
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGB"
    render.use_motion_blur = False
    cycles.device = "CPU"
    cycles.samples = SAMPLES
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = False
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 1, 0, 1
    cycles.transmission_bounces = cycles.volume_bounces = cycles.transparent_max_bounces = 0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_direct = 0.0
    scene.view_settings.view_transform = "Filmic"
    for look in ("High Contrast", "Filmic - High Contrast"):
        try:
            scene.view_settings.look = look
            break
        except TypeError:
            continue


main()
