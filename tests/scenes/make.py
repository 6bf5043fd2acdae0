"""Makes the scenes that the whole-system tests render.

    blender -b --factory-startup --python make.py -- KIND FILE.blend
    python make.py -- KIND FILE.blend            (a Python with the `bpy` module)

Small pictures, few samples, denoising off, CPU, unless the kind is about just that.
"""

import os
import sys
from math import cos, radians, sin

import bpy

KIND, FILE = sys.argv[sys.argv.index("--") + 1 :][:2]
SCENE = None


def main():
    global SCENE
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0
    SCENE = bpy.context.scene
    SCENE.render.engine = "CYCLES"
    SCENE.render.resolution_x, SCENE.render.resolution_y = 96, 64
    SCENE.render.resolution_percentage = 100
    SCENE.render.image_settings.file_format = "PNG"
    SCENE.cycles.samples = 4
    SCENE.cycles.use_denoising = False
    SCENE.cycles.device = "CPU"
    SCENE.frame_start, SCENE.frame_end = 1, 12
    bpy.ops.wm.save_as_mainfile(filepath=FILE)  # So that // has a meaning.
    globals()[KIND]()
    bpy.ops.wm.save_as_mainfile(filepath=FILE)


def circle():
    """Links a library, `other.blend` beside it, that links back."""
    other = os.path.join(os.path.dirname(FILE), "other.blend")
    cube("One")
    bpy.ops.wm.save_as_mainfile(filepath=FILE)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=other)
    two = bpy.data.objects.new("Two", None)
    bpy.context.scene.collection.objects.link(two)
    two.parent = linked(FILE, "One")
    bpy.ops.wm.save_as_mainfile(filepath=other)
    bpy.ops.wm.open_mainfile(filepath=FILE)
    linked(other, "Two")


def linked(library, name):
    """An object from another file, in the scene."""
    with bpy.data.libraries.load(library, link=True, relative=True) as (_, into):
        into.objects = [name]
    bpy.context.scene.collection.objects.link(into.objects[0])
    return into.objects[0]


def thing(name, data, at=(0, 0, 0), turn=(0, 0, 0)):
    made = bpy.data.objects.new(name, data)
    made.location, made.rotation_euler = at, turn
    SCENE.collection.objects.link(made)
    return made


def mesh(name, points, faces):
    data = bpy.data.meshes.new(name)
    data.from_pydata(points, [], faces)
    return data


def cube(name="Cube", at=(0, 0, 0), size=1.0):
    points = [(x * size, y * size, z * size) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return thing(name, mesh(name, points, faces), at)


def grid(name, cells, size, at=(0, 0, 0)):
    side = cells + 1
    points = [((x / cells - 0.5) * size, (y / cells - 0.5) * size, 0) for y in range(side) for x in range(side)]
    faces = [
        (y * side + x, y * side + x + 1, (y + 1) * side + x + 1, (y + 1) * side + x)
        for y in range(cells)
        for x in range(cells)
    ]
    return thing(name, mesh(name, points, faces), at)


def camera():
    SCENE.camera = thing("Camera", bpy.data.cameras.new("Camera"), (0, -7, 3), (radians(68), 0, 0))


def lamp():
    data = bpy.data.lights.new("Lamp", "SUN")
    data.energy = 3.0
    return thing("Lamp", data, (2, -2, 4), (radians(40), radians(20), 0))


def material(owner, name="Paint"):
    made = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):
        made.use_nodes = True
    owner.data.materials.append(made)
    return made


def basic():
    """A cube that moves, a light, a camera."""
    camera()
    lamp()
    box = cube()
    for frame, x in ((1, -1.5), (12, 1.5)):
        box.location.x = x
        box.keyframe_insert("location", frame=frame)


def light():
    """320x180, 16 samples: the benchmark's frame."""
    basic()
    SCENE.render.resolution_x, SCENE.render.resolution_y = 320, 180
    SCENE.cycles.samples = 16
    SCENE.frame_end = 60


def heavy():
    """265,000 vertices in relief with pictures on them: getting ready costs more than the samples."""
    camera()
    lamp()
    land = grid("Land", 514, 12)  # 515 x 515 points.
    for point in land.data.vertices:
        x, y, _ = point.co
        point.co.z = 0.3 * sin(2.1 * x) * cos(1.7 * y) + 0.05 * sin(17 * x + 5 * y)
    paint = material(land)
    shader = paint.node_tree.nodes["Principled BSDF"]
    for name, kind in (("Base Color", "COLOR_GRID"), ("Roughness", "UV_GRID")):
        picture = bpy.data.images.new(kind, 2048, 2048)
        picture.generated_type = kind
        picture.filepath_raw = os.path.join(os.path.dirname(FILE), kind.lower() + ".png")
        picture.file_format = "PNG"
        picture.save()
        picture.source = "FILE"
        picture.pack()
        node = paint.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = picture
        place = paint.node_tree.nodes.new("ShaderNodeTexCoord")
        paint.node_tree.links.new(place.outputs["Generated"], node.inputs["Vector"])
        paint.node_tree.links.new(node.outputs["Color"], shader.inputs[name])
    for frame, turn in ((1, -0.3), (40, 0.3)):
        SCENE.camera.rotation_euler.z = turn
        SCENE.camera.keyframe_insert("rotation_euler", frame=frame)
    SCENE.render.resolution_x, SCENE.render.resolution_y = 320, 180
    SCENE.cycles.samples = 8
    SCENE.frame_end = 40


def steady():
    """About half a second a frame: long enough to be interrupted."""
    basic()
    SCENE.render.resolution_x, SCENE.render.resolution_y = 240, 160
    SCENE.cycles.samples = 40
    SCENE.cycles.use_adaptive_sampling = False
    SCENE.frame_end = 40


def slow_third():
    """Frame 3 takes very long, the others take no time."""
    basic()
    SCENE.cycles.use_adaptive_sampling = False
    for frame, samples in ((2, 4), (3, 200000), (4, 4)):
        SCENE.cycles.samples = samples
        SCENE.cycles.keyframe_insert("samples", frame=frame)


def animated():
    """Everything that moves: material, lamp, world, camera, shape key, visibility, modifiers, motion blur."""
    camera()
    box = cube(at=(-1.6, 0, 0.4), size=0.7)
    paint = material(box)
    colour = paint.node_tree.nodes["Principled BSDF"].inputs["Base Color"]
    for frame, value in ((-10, (0, 0.2, 1, 1)), (1, (1, 0.1, 0.1, 1)), (12, (0.1, 1, 0.2, 1))):
        colour.default_value = value
        colour.keyframe_insert("default_value", frame=frame)
    box.shape_key_add(name="Basis")
    key = box.shape_key_add(name="Tall")
    for point in key.data:
        point.co.z *= 2.0
    for frame, value in ((-10, 1.0), (1, 0.0), (12, 1.0)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    box.modifiers.new("Smooth", "SUBSURF").render_levels = 2

    sea = grid("Sea", 24, 7, (0, 1, -0.6))
    wave = sea.modifiers.new("Wave", "WAVE")
    wave.height, wave.width, wave.speed = 0.5, 0.8, 0.2
    wave.time_offset = -20

    flyer = cube("Flyer", (1.5, 0, 1), 0.4)
    for frame, x, turn in ((-10, 3.5, -3.0), (1, 0.2, 0.0), (12, 2.6, 3.0)):
        flyer.location.x, flyer.rotation_euler.z = x, turn
        flyer.keyframe_insert("location", frame=frame)
        flyer.keyframe_insert("rotation_euler", frame=frame)
    blinker = cube("Blinker", (0.1, -1.5, 0.2), 0.3)
    for frame in range(-10, 14):
        blinker.hide_render = frame % 3 == 0
        blinker.keyframe_insert("hide_render", frame=frame)

    sun = lamp()
    for frame, energy in ((-10, 5.0), (1, 1.0), (12, 6.0)):
        sun.data.energy = energy
        sun.data.keyframe_insert("energy", frame=frame)
    world = bpy.data.worlds.new("World")
    SCENE.world = world
    if bpy.app.version < (5, 0):
        world.use_nodes = True
    sky = world.node_tree.nodes["Background"].inputs["Color"]
    for frame, value in ((1, (0.1, 0.1, 0.3, 1)), (12, (0.5, 0.3, 0.1, 1))):
        sky.default_value = value
        sky.keyframe_insert("default_value", frame=frame)
    eye = SCENE.camera
    for frame, x in ((-10, -1.0), (1, 0.5), (12, -0.5)):
        eye.location.x = x
        eye.keyframe_insert("location", frame=frame)
    SCENE.render.use_motion_blur = True


def no_camera():
    lamp()
    cube()


def missing_texture():
    """Names a picture that is not there."""
    basic()
    paint = material(bpy.data.objects["Cube"])
    place = os.path.join(os.path.dirname(FILE), "lost.png")
    made = bpy.data.images.new("Lost", 8, 8)
    made.filepath_raw, made.file_format = place, "PNG"
    made.save()
    node = paint.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(place)
    node.image.filepath = "//lost.png"
    paint.node_tree.links.new(node.outputs[0], paint.node_tree.nodes["Principled BSDF"].inputs["Base Color"])
    bpy.data.images.remove(made)
    os.remove(place)


def textured():
    """Names a picture that lies beside it, in textures/wall.png."""
    basic()
    paint = material(bpy.data.objects["Cube"])
    folder = os.path.join(os.path.dirname(FILE), "textures")
    os.makedirs(folder, exist_ok=True)
    made = bpy.data.images.new("Wall", 8, 8)
    made.generated_color = (1, 0, 0, 1)
    made.filepath_raw, made.file_format = os.path.join(folder, "wall.png"), "PNG"
    made.save()
    node = paint.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(os.path.join(folder, "wall.png"))
    node.image.filepath = "//textures/wall.png"
    paint.node_tree.links.new(node.outputs[0], paint.node_tree.nodes["Principled BSDF"].inputs["Base Color"])
    bpy.data.images.remove(made)


def missing_library():
    """Links an object from a library that is not there."""
    basic()
    library = os.path.join(os.path.dirname(FILE), "lost.blend")
    prop = bpy.data.objects.new("Prop", bpy.data.objects["Cube"].data)
    bpy.data.libraries.write(library, {prop})
    bpy.data.objects.remove(prop)
    with bpy.data.libraries.load(library, link=True, relative=True) as (_, here):
        here.objects = ["Prop"]
    SCENE.collection.objects.link(here.objects[0])
    bpy.ops.wm.save_as_mainfile(filepath=FILE)
    os.remove(library)


def gpu():
    basic()
    SCENE.cycles.device = "GPU"


def denoised():
    basic()
    SCENE.cycles.use_denoising = True


def scripted():
    """A driver with a Python expression that Blender runs only where scripts are allowed."""
    basic()
    driver = bpy.data.objects["Cube"].driver_add("location", 2).driver
    driver.type = "SCRIPTED"
    driver.expression = "(lambda: frame / 6)()"


def tiny():
    basic()
    SCENE.render.resolution_x, SCENE.render.resolution_y = 64, 36
    SCENE.cycles.samples = 1
    SCENE.frame_end = 2


def form(settings, name):
    """Sets a file format; Blender 5 asks first for its kind."""
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE" if name == "OPEN_EXR_MULTILAYER" else "IMAGE"
    settings.file_format = name


def outputs():
    """One file for each way to write pictures, and below `alone` what Blender itself makes of it."""
    tiny()
    settings = SCENE.render.image_settings
    for name in (
        "PNG JPEG JPEG2000 TIFF OPEN_EXR OPEN_EXR_MULTILAYER WEBP HDR BMP TARGA TARGA_RAW DPX CINEON IRIS"
    ).split():
        form(settings, name)
        alone(name.lower())

    form(settings, "OPEN_EXR")
    settings.exr_codec = "DWAA"
    alone("dwaa")
    settings.exr_codec = "ZIP"

    form(settings, "PNG")
    SCENE.render.use_border = SCENE.render.use_crop_to_border = True
    SCENE.render.border_min_x, SCENE.render.border_max_x = 0.1, 0.55
    SCENE.render.border_min_y, SCENE.render.border_max_y = 0.33, 0.91
    SCENE.render.resolution_percentage = 77
    alone("cropped")
    SCENE.render.use_border = SCENE.render.use_crop_to_border = False
    SCENE.render.resolution_percentage = 100

    SCENE.render.use_multiview, SCENE.render.views_format = True, "STEREO_3D"
    settings.views_format = "INDIVIDUAL"
    alone("both_eyes")
    settings.views_format = "STEREO_3D"
    settings.stereo_3d_format.display_mode = "SIDEBYSIDE"
    alone("side_by_side")
    settings.stereo_3d_format.display_mode = "TOPBOTTOM"
    settings.stereo_3d_format.use_squeezed_frame = True
    alone("squeezed")
    form(settings, "OPEN_EXR_MULTILAYER")
    settings.views_format = "MULTIVIEW"
    alone("views_in_one")
    settings.views_format = "INDIVIDUAL"
    SCENE.render.use_multiview = False

    SCENE.view_layers.new("Second").use_pass_z = True
    form(settings, "OPEN_EXR_MULTILAYER")
    alone("two_layers")
    form(settings, "PNG")
    if bpy.app.version < (5, 0):
        side_files()


def side_files():
    """A node that writes pictures of its own: one folder, two slots, another format."""
    SCENE.use_nodes = True
    tree = SCENE.node_tree
    writer = tree.nodes.new("CompositorNodeOutputFile")
    writer.format.file_format = "TIFF"
    writer.file_slots.new("mask/alpha_")
    layers = tree.nodes["Render Layers"]
    tree.links.new(layers.outputs["Image"], writer.inputs[0])
    tree.links.new(layers.outputs["Alpha"], writer.inputs[1])
    writer.base_path = "//passes/"
    alone("side_files", writer)


def alone(name, writer=None):
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(os.path.dirname(FILE), name + ".blend"), copy=True)
    folder = os.path.join(os.path.dirname(FILE), "alone", name)
    if writer:
        writer.base_path = os.path.join(folder, "passes/")
    SCENE.render.filepath = os.path.join(folder, name + "_####")
    bpy.ops.render.render(animation=True)


def choices():
    tiny()
    SCENE.view_layers.new("Second")
    form(SCENE.render.image_settings, "OPEN_EXR_MULTILAYER")
    other = SCENE.copy()
    other.name, other.use_fake_user = "Other", True
    other.render.resolution_x, other.render.resolution_y = 40, 20


def movie():
    """Asks for one film instead of pictures."""
    basic()
    if bpy.app.version >= (5, 0):
        SCENE.render.image_settings.media_type = "VIDEO"
    SCENE.render.image_settings.file_format = "FFMPEG"


main()
