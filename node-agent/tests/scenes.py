"""Makes the scenes that the agent's tests render, one file each: ... scenes.py -- FOLDER"""

import os
import sys

import bpy

FOLDER = sys.argv[sys.argv.index("--") + 1]


def base():
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 4
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.resolution_percentage = 100
    scene.render.filepath = "//out_###"
    return scene


def save(name):
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(FOLDER, name + ".blend"), compress=False)


base()
save("plain")

scene = base()
scene.cycles.samples = 100000
scene.cycles.use_adaptive_sampling = False
scene.render.resolution_x, scene.render.resolution_y = 640, 360
save("slow")

scene = base()
bpy.data.objects.remove(scene.camera)
save("no_camera")

base().cycles.use_denoising = True
save("denoised")

base().cycles.device = "GPU"
save("gpu")

scene = base()
if bpy.app.version >= (5, 0, 0):
    scene.render.image_settings.media_type = "VIDEO"
scene.render.image_settings.file_format = "FFMPEG"
save("movie")

base()
driver = bpy.data.objects["Cube"].driver_add("location", 0)
driver.driver.expression = '__import__("math").sin(frame)'
save("scripted")

base()
image = bpy.data.images.new("gone", 8, 8)
image.filepath_raw = os.path.join(FOLDER, "gone.png")
image.file_format = "PNG"
image.save()
image.source = "FILE"
image.filepath = "//gone.png"
material = bpy.data.materials.new("textured")
material.use_nodes = True
node = material.node_tree.nodes.new("ShaderNodeTexImage")
node.image = image
bpy.data.objects["Cube"].data.materials[0] = material
save("textured")
os.remove(os.path.join(FOLDER, "gone.png"))


class Unknown(bpy.types.RenderEngine):
    bl_idname = "NOBODY_HAS_THIS"
    bl_label = "Nobody has this"


bpy.utils.register_class(Unknown)
base().render.engine = "NOBODY_HAS_THIS"
save("unknown_engine")

with open(os.path.join(FOLDER, "plain.blend"), "rb") as file:
    whole = file.read()
with open(os.path.join(FOLDER, "truncated.blend"), "wb") as file:
    file.write(whole[: len(whole) // 2])
with open(os.path.join(FOLDER, "nothing.blend"), "wb") as file:
    file.write(b"")
os._exit(0)
