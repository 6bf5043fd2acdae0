"""Writes the scene that the compose test renders: a denoised Cycles animation of small pictures that take under
a second each on one core.

    run-in-blender denoised_scene.py --out FILE.blend
"""

import sys
from math import radians

import bpy

FILE = sys.argv[sys.argv.index("--out") + 1]

bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 160, 120, 100
scene.render.image_settings.file_format = "PNG"
scene.cycles.device = "CPU"
scene.cycles.samples = 40
scene.cycles.use_adaptive_sampling = False
scene.cycles.use_denoising = True
scene.cycles.denoiser = "OPENIMAGEDENOISE"
scene.frame_start, scene.frame_end = 1, 60


def add(name, data, at, turn=(0, 0, 0)):
    thing = bpy.data.objects.new(name, data)
    thing.location, thing.rotation_euler = at, turn
    scene.collection.objects.link(thing)
    return thing


points = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
mesh = bpy.data.meshes.new("cube")
mesh.from_pydata(points, [], faces)
cube = add("cube", mesh, (0, 0, 0))
for frame, angle in ((1, 0), (60, 360)):
    cube.rotation_euler[2] = radians(angle)
    cube.keyframe_insert("rotation_euler", frame=frame)
light = bpy.data.lights.new("sun", "SUN")
light.energy = 4
add("sun", light, (0, 0, 5), (radians(40), radians(20), 0))
scene.camera = add("camera", bpy.data.cameras.new("camera"), (0, -7, 3.5), (radians(64), 0, 0))
bpy.ops.wm.save_as_mainfile(filepath=FILE, compress=False)
