"""Writes a scene with all that it needs inside, as one file that can be handed around.

    run-in-blender pack_scene.py --scene SCENE.blend --out FILE.blend
"""

import sys

import bpy


def value(flag):
    return sys.argv[sys.argv.index(flag) + 1]


bpy.ops.wm.open_mainfile(filepath=value("--scene"))
bpy.ops.file.pack_all()
bpy.ops.file.pack_libraries()
bpy.ops.wm.save_as_mainfile(filepath=value("--out"), relative_remap=False)
