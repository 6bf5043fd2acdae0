"""Renders frames as Blender alone does, for comparison.

    ... -- HOW SCENE FIRST LAST STEM

HOW is `range` (one animation render, as `blender -a` does) or `each` (frame_set and a still for each frame, the
only way to negative frames). STEM has the #### of Blender's own names.
"""

import os
import sys

import bpy

how, scene_file, first, last, stem = sys.argv[sys.argv.index("--") + 1 :][:5]
first, last = int(first), int(last)
bpy.ops.wm.open_mainfile(filepath=scene_file)
scene = bpy.context.scene
if how == "range":
    scene.frame_start, scene.frame_end = first, last
    scene.render.filepath = stem
    bpy.ops.render.render(animation=True)
else:
    for frame in range(first, last + 1):
        scene.render.filepath = stem
        name = scene.render.frame_path(frame=frame)
        scene.frame_set(frame)
        scene.render.filepath = name
        bpy.ops.render.render(write_still=True)
        assert os.path.exists(name), name
sys.stdout.flush()
os._exit(0)
