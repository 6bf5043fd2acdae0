"""Runs inside a warm Blender: opens one scene, then renders the frames it is told, one by one.

    blender -b --factory-startup --disable-autoexec --python-exit-code 7 --python driver.py -- --events-fd 3
    python driver.py -- --events-fd 3                   (a Python that has the module bpy)

Commands come as JSON lines on stdin, events leave as JSON lines on the file descriptor of --events-fd.
stdout and stderr stay Blender's own: the agent keeps them as the log. Works with Blender 3.4 to 5.x.

    {"cmd": "probe"}                                    -> probed
    {"cmd": "open", "scene": PATH, "paths": {BLEND: {STORED: PATH}}, "shared_folders": [[NAME, NAME]],
     "settings": {...}}                                 -> opened | failed
    {"cmd": "render", "frame": 7, "folder": PATH, "threads": N}
                                                        -> started, progress ..., finished | failed | cancelled
    {"cmd": "cancel"}                                   stops the frame being rendered, if there is one
    {"cmd": "quit"}

The end of stdin ends this process, in mid-frame too: whoever wanted the frame is gone. Nothing here decides
what becomes of a failure; it only says which kind it is.
"""

import ctypes
import fractions
import json
import os
import queue
import re
import signal
import sys
import threading
import time

GPU_BACKENDS = ("OPTIX", "CUDA", "HIP", "METAL", "ONEAPI")  # The best first, for a scene that only says GPU.
SAMPLE = re.compile(r"Sample (\d+)/(\d+)")
REMAINING = re.compile(r"Remaining:\s*((?:\d+:)*\d+(?:\.\d+)?)")
PROGRESS_INTERVAL = 0.25
MOST_NAMED = 5
ENGINE_NAMES = {  # What people call an engine, and what versions of Blender do.
    "cycles": ("CYCLES",),
    "eevee": ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE"),
    "workbench": ("BLENDER_WORKBENCH",),
}

arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
events = os.fdopen(int(arguments[arguments.index("--events-fd") + 1]), "w", encoding="utf-8")
events_lock = threading.Lock()


class Failed(Exception):
    """The scene or a frame cannot be rendered; `kind` is what the agent tells its callers."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class State:
    """What the threads and handlers share."""

    frame = None  # The frame being rendered.
    soft_cancels = 0  # Interrupts that this process has taken in its life.
    cancelled = False  # Whether the current frame is to stop.
    last_progress = 0.0
    opened = False  # Whether there is a scene that may be rendered.
    settings = {}
    device = "auto"  # What really renders.
    paths = {}  # By .blend: where the files are that it names by paths of its author's disk.
    shared_folders = []  # Folders of shared storage, each by all its names.
    digits = 4  # How many the scene's own output path asks for.
    outputs = []  # File-output nodes and where they write below a frame's folder.
    film = None  # How pictures become a film.


state = State()
commands = queue.Queue()


def tell(event, **fields):
    line = json.dumps({"event": event, **fields}) + "\n"
    with events_lock:
        try:
            events.write(line)
            events.flush()
        except OSError:
            os._exit(3)  # Nobody listens any more.


def flush_log():
    """Blender's own text sits in C buffers; what explains a failure must be out before the failure is told."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        ctypes.CDLL(None).fflush(None)
    except (OSError, AttributeError, TypeError):
        pass


# --- What arrives -------------------------------------------------------------------------------------------


def read_commands():
    for line in iter(sys.stdin.readline, ""):
        try:
            command = json.loads(line)
        except ValueError:
            tell("broken", message="a command is not JSON")
            continue
        if command.get("cmd") == "cancel":
            cancel()
        else:
            commands.put(command)
    os._exit(4)


def cancel():
    if state.frame is None:
        return
    # An executable takes one interrupt as "stop this frame" and leaves at the second one of its life, even
    # between frames. The module has no such limit.
    if bpy.app.binary_path and state.soft_cancels:
        tell("cancelled", frame=state.frame, restart=True)
        os._exit(5)
    state.soft_cancels += 1
    state.cancelled = True
    os.kill(os.getpid(), signal.SIGINT)


# --- What this Blender can do -------------------------------------------------------------------------------


def backend_devices(backend):
    """Names of the devices that Cycles can use through a backend; none where it lacks the backend."""
    try:
        import _cycles

        return [device[0] for device in _cycles.available_devices(backend) if device[1] == backend]
    except (ImportError, ValueError, TypeError, RuntimeError):
        return []


def has_denoiser():
    try:
        import _cycles

        return bool(_cycles.with_openimagedenoise)
    except (ImportError, AttributeError):
        return False


def probe():
    found = {backend: backend_devices(backend) for backend in GPU_BACKENDS}
    tell(
        "probed",
        version=bpy.app.version_string,
        devices=["cpu"] + [backend.lower() for backend in GPU_BACKENDS if found[backend]],
        gpus=sorted({name for names in found.values() for name in names}),
        denoiser=has_denoiser(),
    )


# --- Opening a scene ----------------------------------------------------------------------------------------


def open_scene(command):
    state.opened = False
    state.settings = command["settings"]
    path = command["scene"]
    if not os.path.isfile(path):
        raise Failed("scene_unreadable", f"the scene {os.path.basename(path)} is not there")
    try:
        bpy.ops.wm.open_mainfile(filepath=path, load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise Failed("scene_unreadable", f"Blender cannot read the scene: {reason(error)}") from error
    mend_paths(path, command.get("paths", {}), command.get("shared_folders", []))
    choose_scene()
    scene = bpy.context.scene
    render = scene.render
    choose_engine(scene)
    engine = render.engine
    choose_size_and_samples(scene)
    state.film = {"rate": frame_rate(render), "movie": take_movie(render) if render.is_movie_format else None}
    check_files()
    bpy.context.view_layer.update()  # Drivers are blocked only when they are evaluated.
    check_scripts()
    choose_device(scene)
    choose_denoising(scene)

    render.use_persistent_data = True
    render.use_overwrite = True
    render.use_placeholder = False
    render.use_file_extension = True
    render.threads_mode = "FIXED"
    name = re.split(r"[/\\]", render.filepath)[-1]
    runs = re.findall(r"#+", name)
    state.digits = len(runs[-1]) if runs else 4
    state.outputs = list(file_outputs(scene))
    if on_stats not in bpy.app.handlers.render_stats:
        bpy.app.handlers.render_stats.append(on_stats)
    state.opened = True
    tell(
        "opened",
        device=state.device,
        written_by=".".join(str(part) for part in bpy.data.version),
        engine=engine,
    )


def choose_scene():
    name = state.settings.get("scene")
    if name is not None:
        if name not in bpy.data.scenes:
            raise unfit("scene", name, bpy.data.scenes)
        bpy.context.window.scene = bpy.data.scenes[name]
    scene = bpy.context.scene
    wanted = state.settings.get("view_layers")
    if wanted:
        for layer in wanted:
            if layer not in scene.view_layers:
                raise unfit(f"view layer of the scene {scene.name}", layer, scene.view_layers)
        for layer in scene.view_layers:
            layer.use = layer.name in wanted


def unfit(what, name, there):
    names = sorted(item.name for item in there)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return Failed("settings_unfit", f"there is no {what} called {name}; there are: {', '.join(names[:MOST_NAMED])}{more}")


def choose_engine(scene):
    wish = state.settings.get("engine")
    if wish is None:
        named = engine_named(scene)
        if named != scene.render.engine:
            raise Failed(
                "unknown_render_engine",
                f"the scene's render engine {named} is not in Blender {bpy.app.version_string}",
            )
        return
    for name in ENGINE_NAMES.get(wish.lower(), (wish,)):
        try:
            scene.render.engine = name
            return
        except TypeError:
            pass
    raise Failed("settings_unfit", f"Blender {bpy.app.version_string} has no render engine called {wish}")


def choose_size_and_samples(scene):
    percentage = state.settings.get("resolution_percentage")
    if percentage is not None:
        scene.render.resolution_percentage = percentage
    samples = state.settings.get("samples")
    if samples is None:
        return
    if scene.render.engine == "CYCLES":
        scene.cycles.samples = samples
    elif scene.render.engine.startswith("BLENDER_EEVEE"):
        scene.eevee.taa_render_samples = samples
    else:
        raise Failed("settings_unfit", f"the render engine {scene.render.engine} takes no number of samples")


def frame_rate(render):
    """Frames in so many seconds, as whole numbers: 24 over 1, 24000 over 1001."""
    rate = render.fps / fractions.Fraction(render.fps_base).limit_denominator(10000)
    return [rate.numerator, rate.denominator]


def take_movie(render):
    """A film cannot be rendered frame by frame: its frames become lossless pictures, and whoever has them all
    makes the film that the scene describes."""
    kind, output = render.image_settings.file_format, render.ffmpeg
    movie = {
        "container": "AVI",
        "codec": {"AVI_JPEG": "MJPEG", "AVI_RAW": "RAW"}.get(kind),
        "quality": "HIGH",
        "bitrate_kbps": 0,
        "gop": 0,
        "sound": False,
    }
    if kind == "FFMPEG":
        movie = {
            "container": output.format,
            "codec": output.codec,
            "quality": "LOSSLESS" if output.use_lossless_output else output.constant_rate_factor,
            "bitrate_kbps": output.video_bitrate,
            "gop": output.gopsize,
            "sound": output.audio_codec != "NONE",
        }
    if movie["codec"] is None:
        raise Failed("unsupported_output", f"the scene writes films as {kind}, which is not known")
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format = "PNG"
    return movie


def engine_named(scene):
    """The render engine that the file names. Blender shows the first one it has where it lacks that one, and
    would render with it; the name itself stands in the scene's memory alone, at a place that a scene with a
    known engine tells."""
    known = bpy.data.scenes.new("engine")
    try:
        known.render.engine = "BLENDER_WORKBENCH"
        memory = ctypes.string_at(known.as_pointer(), 256)
        while b"BLENDER_WORKBENCH\0" not in memory:  # It is inside, so this never reads beyond.
            memory += ctypes.string_at(known.as_pointer() + len(memory), 16)
            if len(memory) > 65536:
                return scene.render.engine
        offset = memory.index(b"BLENDER_WORKBENCH\0")
    finally:
        bpy.data.scenes.remove(known)
    return ctypes.string_at(scene.as_pointer() + offset, 32).split(b"\0")[0].decode("utf-8", "replace")


def reason(error):
    """The words of an error that Blender raised, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = "; ".join(lines)
    text = text[len("Error: ") :] if text.startswith("Error: ") else text
    return (text or type(error).__name__)[:600]


# --- Where files are ----------------------------------------------------------------------------------------


def mend_paths(main, paths, shared_folders):
    """Lets paths that lead elsewhere on the author's disk lead to the same files on this node."""
    state.paths = {
        blend: {on_node(stored, os.path.dirname(blend)): target for stored, target in stored_paths.items()}
        for blend, stored_paths in paths.items()
    }
    state.shared_folders = shared_folders
    if not state.paths and not shared_folders:
        return
    mend_libraries(main)
    for data, owner, attribute in stored_paths():
        try:
            stored = getattr(owner, attribute)
            target = moved(stored, blend_of(data, main), main) if stored else None
            elements = getattr(owner, "elements", ()) if not target and stored else ()
            if len(elements) == 1:  # One picture in the sequencer is named whole.
                whole = moved(os.path.join(stored, elements[0].filename), blend_of(data, main), main)
                target = os.path.dirname(whole) if whole else None
            if target:
                setattr(owner, attribute, target)
        except (AttributeError, TypeError, RuntimeError) as error:  # It stays missing, and is said to be.
            print(f"cannot mend a path of {data.name}: {error}", flush=True)


def mend_libraries(main):
    """One at a time: what a library links in turn is known when it is loaded."""
    everywhere = {}
    for stored in state.paths.values():
        everywhere.update(stored)
    mended = set()
    while True:
        for library in bpy.data.libraries:
            place = on_node(library.filepath, os.path.dirname(main))
            target = None if library.packed_file else everywhere.get(place) or elsewhere(place)
            if target and (library.name, target) not in mended:
                mended.add((library.name, target))
                break
        else:
            return
        library.filepath = target
        try:
            library.reload()
        except RuntimeError as error:  # It is missing, then, and the files are checked next.
            print(f"cannot load {target}: {error}", flush=True)


def blend_of(data, main):
    library = getattr(data, "library", None)
    return on_node(library.filepath, os.path.dirname(main)) if library else main


def on_node(path, folder):
    """Where Blender looks for what a .blend in this folder names so."""
    if os.sep == "/":
        path = path.replace("\\", "/")
    if path.startswith("//"):
        path = os.path.join(folder, path[2:].lstrip("/"))
    return os.path.normpath(path)


def moved(path, blend, main):
    """Where the file is that a .blend names so, if not there."""
    place = on_node(path, os.path.dirname(blend))
    for told in (blend, main):
        if place in state.paths.get(told, ()):
            return state.paths[told][place]
    return elsewhere(place)


def elsewhere(place):
    """The same place under another name of its shared folder, where that is the one that this node has."""
    if not state.shared_folders or os.path.isdir(os.path.dirname(place)):
        return None
    for names in state.shared_folders:
        rest = next((rest for rest in (below(place, name) for name in names) if rest is not None), None)
        if rest is None:
            continue
        for name in names:
            other = os.path.normpath(name.replace("\\", os.sep) + rest.replace("\\", "/").replace("/", os.sep))
            if os.path.isabs(other) and os.path.isdir(os.path.dirname(other)):
                return other
    return None


def below(path, folder):
    """What is left of a path behind a folder; Windows' names have either separator and either case."""
    if not folder.startswith("/"):
        path, folder = path.replace("\\", "/"), folder.replace("\\", "/")
        same = path[: len(folder)].lower() == folder.lower()
    else:
        same = path.startswith(folder)
    rest = path[len(folder) :]
    return rest if same and rest[:1] in ("", "/", "\\") else None


def stored_paths():
    """Every path of a file that rendering reads, as (datablock, owner, attribute); libraries' are apart."""
    data = bpy.data
    for image in data.images:
        if image.source != "GENERATED" and not image.packed_file and not len(image.packed_files):
            yield image, image, "filepath"
    for collection in (data.sounds, data.movieclips, data.fonts, data.volumes, data.cache_files):
        for item in collection:
            if not getattr(item, "packed_file", None) and item.filepath != "<builtin>":
                yield item, item, "filepath"
            for layer in getattr(item, "layers", ()):
                yield item, layer, "filepath"
    for camera in data.cameras:
        if hasattr(camera, "custom_filepath"):
            yield camera, camera, "custom_filepath"
    for collection in (data.materials, data.worlds, data.lights, data.node_groups):
        for item in collection:
            tree = item if collection is data.node_groups else item.node_tree
            for node in tree.nodes if tree else ():
                if node.bl_idname in ("ShaderNodeScript", "ShaderNodeTexIES") and node.mode == "EXTERNAL":
                    yield item, node, "filepath"
                elif node.bl_idname.startswith("GeometryNodeImport"):
                    yield item, node.inputs[0], "default_value"
    for item in data.objects:
        yield from paths_of_object(item)
    for scene in data.scenes:
        world = scene.rigidbody_world
        if world and world.point_cache and world.point_cache.use_external:
            yield scene, world.point_cache, "filepath"
        editor = scene.sequence_editor
        for strip in (getattr(editor, "strips_all", None) or getattr(editor, "sequences_all", ())) if editor else ():
            if strip.type in ("MOVIE", "IMAGE"):
                yield scene, strip, "filepath" if strip.type == "MOVIE" else "directory"


def paths_of_object(item):
    for modifier in item.modifiers:
        if modifier.type in ("MESH_CACHE", "OCEAN", "MULTIRES"):
            yield item, modifier, "filepath"
        if modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
            yield item, modifier.domain_settings, "cache_directory"
        if modifier.type == "NODES":
            for attribute in ("bake_directory", "simulation_bake_directory"):
                if hasattr(modifier, attribute):
                    yield item, modifier, attribute
            for bake in getattr(modifier, "bakes", ()):
                if bake.use_custom_path:
                    yield item, bake, "directory"
        cache = getattr(modifier, "point_cache", None)
        if cache and cache.use_external:
            yield item, cache, "filepath"
    for system in item.particle_systems:
        if system.point_cache.use_external:
            yield item, system.point_cache, "filepath"


def check_files():
    if state.settings.get("allow_missing"):
        return
    missing = sorted(set(missing_files()))
    if missing:
        named = ", ".join(missing[:MOST_NAMED])
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        raise Failed(
            "missing_files",
            f"files that the scene names are missing: {named}{more} (add them, or render all the same with "
            "--allow-missing)",
        )


def missing_files():
    yield from missing_libraries()
    for image in bpy.data.images:
        if image.users and image.source in {"FILE", "SEQUENCE", "MOVIE", "TILED"}:
            if not image.packed_file and not len(image.packed_files) and image.filepath:
                yield from missing_image(image)
    for clip in bpy.data.movieclips:
        if clip.users and not exists(clip.filepath, clip.library):
            yield clip.filepath
    for font in bpy.data.fonts:
        if font.users and font.filepath != "<builtin>" and not font.packed_file:
            if not exists(font.filepath, font.library):
                yield font.filepath
    for volume in bpy.data.volumes:
        if volume.users and not volume.packed_file and volume.filepath:
            if not exists(volume.filepath, volume.library) and not (
                volume.is_sequence and has_siblings(volume.filepath, volume.library)
            ):
                yield volume.filepath
    for cache in bpy.data.cache_files:
        if cache.users and not exists(cache.filepath, cache.library):
            yield cache.filepath
    scene = bpy.context.scene
    if scene.render.use_sequencer and scene.sequence_editor:
        editor = scene.sequence_editor
        for strip in getattr(editor, "strips_all", None) or getattr(editor, "sequences_all", ()):
            if strip.mute:
                continue
            if strip.type == "IMAGE":
                paths = [os.path.join(strip.directory, element.filename) for element in strip.elements]
            else:
                paths = [strip.filepath] if strip.type == "MOVIE" else []
            yield from (path for path in paths if not exists(path))


def missing_libraries():
    for library in bpy.data.libraries:
        if library.packed_file:
            continue
        if not exists(library.filepath):
            yield library.filepath
            continue
        yield from missing_from(library)


def missing_from(library):
    """Data that a library should hold and does not."""
    linked = {}
    for name in dir(bpy.data):
        collection = getattr(bpy.data, name)
        if isinstance(collection, bpy.types.bpy_prop_collection) and name != "libraries":
            ids = [item for item in collection if item.library == library]
            if ids:
                linked[name] = ids
    known = [item for ids in linked.values() for item in ids if hasattr(item, "is_missing")]
    if known:
        yield from (f"{item.name} in {library.filepath}" for item in known if item.is_missing)
        return
    try:  # Before Blender 4 only a look into the library tells a placeholder from the real thing.
        with bpy.data.libraries.load(bpy.path.abspath(library.filepath), link=True) as (there, _):
            names = {name: set(getattr(there, name, ())) for name in linked}
    except OSError:
        yield library.filepath
        return
    for name, ids in linked.items():
        yield from (f"{item.name} in {library.filepath}" for item in ids if item.name not in names[name])


def missing_image(image):
    if image.source == "TILED":
        for tile in image.tiles:
            number = tile.number
            path = image.filepath.replace("<UDIM>", str(number))
            path = path.replace("<UVTILE>", f"u{(number - 1001) % 10 + 1}_v{(number - 1001) // 10 + 1}")
            if not exists(path, image.library):
                yield path
    elif not exists(image.filepath, image.library):
        if image.source != "SEQUENCE" or not has_siblings(image.filepath, image.library):
            yield image.filepath


def exists(path, library=None):
    return os.path.exists(bpy.path.abspath(path, library=library))


def has_siblings(path, library=None):
    """Whether any file of the sequence that `path` is one of is there."""
    folder, name = os.path.split(bpy.path.abspath(path, library=library))
    digits = re.search(r"(\d+)(\D*)$", name)
    if not digits or not os.path.isdir(folder):
        return False
    pattern = re.compile(re.escape(name[: digits.start()]) + r"\d+" + re.escape(digits.group(2)))
    return any(pattern.fullmatch(other) for other in os.listdir(folder))


def check_scripts():
    if bpy.app.autoexec_fail and not state.settings.get("allow_blocked_scripts"):
        what = bpy.app.autoexec_fail_message or "scripts of the scene"
        raise Failed(
            "blocked_scripts",
            f"a script of the scene was not run, so its pixels would be wrong: {what} (render all the same with "
            "--allow-blocked-scripts)",
        )


def choose_device(scene):
    """Sets what renders, and remembers what it really is."""
    state.device = "auto"  # Eevee and Workbench draw with whatever the graphics driver gives them.
    if scene.render.engine != "CYCLES":
        return
    wish = state.settings.get("device", "auto")
    if wish == "auto":
        backends = GPU_BACKENDS if scene.cycles.device == "GPU" else ()
        asked = "the scene asks for a GPU"
    else:
        backends = () if wish == "cpu" else (wish.upper(),)
        asked = f"the device {wish} was asked for"
    found = next((backend for backend in backends if backend_devices(backend)), None)
    if found:
        preferences = bpy.context.preferences.addons["cycles"].preferences
        preferences.compute_device_type = found
        if hasattr(preferences, "refresh_devices"):
            preferences.refresh_devices()
        else:
            preferences.get_devices()
        for device in preferences.devices:
            device.use = device.type == found
        scene.cycles.device = "GPU"
        state.device = found.lower()
        return
    if backends and not state.settings.get("allow_cpu"):
        raise Failed(
            "device_missing",
            f"{asked}, and this node has none that Blender can use (render on the CPU with --allow-cpu, or "
            "with --device cpu)",
        )
    scene.cycles.device = "CPU"
    state.device = "cpu"


def choose_denoising(scene):
    nodes = [node for node in compositor_nodes(scene) if node.bl_idname == "CompositorNodeDenoise" and not node.mute]
    cycles = scene.cycles if scene.render.engine == "CYCLES" else None
    if state.settings.get("denoise") == "off":
        for node in nodes:
            node.mute = True
        if cycles:
            cycles.use_denoising = False
        return
    wanted = bool(nodes) or bool(cycles and cycles.use_denoising)
    by_optix = bool(cycles and cycles.use_denoising and cycles.denoiser == "OPTIX")
    if by_optix and not nodes:
        able = bool(backend_devices("OPTIX"))
    else:
        able = has_denoiser()
    if wanted and not able:
        raise Failed(
            "denoiser_missing",
            f"the scene denoises, and Blender {bpy.app.version_string} on this node has no denoiser (render "
            "without with --no-denoise)",
        )


# --- Where files go -----------------------------------------------------------------------------------------


def compositor_nodes(scene):
    """All nodes of the compositor that take part, those in groups too."""
    if not scene.render.use_compositing:
        return
    tree = getattr(scene, "compositing_node_group", None)
    if tree is None and getattr(scene, "use_nodes", False):
        tree = getattr(scene, "node_tree", None)
    waiting, seen = [tree], set()
    while waiting:
        tree = waiting.pop()
        if tree is None or tree.name_full in seen:
            continue
        seen.add(tree.name_full)
        for node in tree.nodes:
            yield node
            if getattr(node, "node_tree", None) is not None and not node.mute:
                waiting.append(node.node_tree)


def file_outputs(scene):
    """File-output nodes with the folder, below a frame's own, that stands for the one that the node names."""
    folders = {}
    for node in compositor_nodes(scene):
        if node.bl_idname != "CompositorNodeOutputFile":
            continue
        newer = hasattr(node, "directory")  # Blender 5: folder and file name apart.
        path = node.directory if newer else node.base_path
        layered = node.format.file_format == "OPEN_EXR_MULTILAYER"
        name = ""
        if layered and not newer:
            path, name = os.path.split(path.replace("\\", "/"))
        elif newer:
            name = node.file_name
            node.file_name = safe_name(name, "")
            for item in () if layered else node.file_output_items:
                item.name = safe_name(item.name, "")
        for slot in () if newer else node.file_slots:
            slot.path = safe_name(slot.path, "")
        path = path.replace("\\", "/").rstrip("/")
        if path not in folders:
            wish = safe_part(path.rsplit("/", 1)[-1]) or safe_part(node.name) or "files"
            taken = {other.lower() for other in folders.values()}
            folder, count = wish, 1
            while folder.lower() in taken:
                count += 1
                folder = f"{wish}-{count}"
            folders[path] = folder
        yield node, folders[path], safe_name(name, "layers") if layered and not newer else None


def safe_part(part):
    part = re.sub(r'[\\:*?"<>|\x00-\x1f]', "_", part).strip(" .")
    return "_" + part if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", part) else part


def safe_name(path, otherwise):
    """A path below a folder that stays below it."""
    parts = [safe_part(part) for part in path.replace("\\", "/").split("/")]
    return "/".join(part for part in parts if part) or otherwise


def redirect(folder):
    for node, below, name in state.outputs:
        target = os.path.join(folder, below)
        if hasattr(node, "directory"):
            node.directory = literal(target) + "/"
        elif name is not None:
            node.base_path = os.path.join(target, name)
        else:
            node.base_path = target + "/"


def literal(path):
    """Blender 5 reads braces in output paths as templates."""
    return path.replace("{", "{{").replace("}", "}}") if bpy.app.version >= (5, 0, 0) else path


def frame_digits(frame):
    return f"-{-frame:0{state.digits}d}" if frame < 0 else f"{frame:0{state.digits}d}"


def files_in(folder):
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, folder).replace(os.sep, "/")


def picture_size(render):
    """What the picture must measure: reckoned as Blender does, in single precision and rounded down."""
    percentage = render.resolution_percentage
    width = render.resolution_x * percentage // 100
    height = render.resolution_y * percentage // 100
    if render.use_border and render.use_crop_to_border:
        width = edge(render.border_max_x, width) - edge(render.border_min_x, width)
        height = edge(render.border_max_y, height) - edge(render.border_min_y, height)
    if render.use_multiview and render.image_settings.views_format == "STEREO_3D":
        if render.views_format != "STEREO_3D":
            return None
        layout = render.image_settings.stereo_3d_format
        if not layout.use_squeezed_frame:
            width *= 2 if layout.display_mode == "SIDEBYSIDE" else 1
            height *= 2 if layout.display_mode == "TOPBOTTOM" else 1
    return [width, height]


def edge(share, whole):
    return int(ctypes.c_float(share * whole).value)


# --- Rendering ----------------------------------------------------------------------------------------------


def render_frame(command):
    frame, folder = command["frame"], command["folder"]
    if not state.opened:
        raise Failed("driver_error", "no scene is open")
    scene = bpy.context.scene
    if scene.render.threads != command["threads"]:
        scene.render.threads = command["threads"]
    began = time.monotonic()
    state.cancelled = False
    state.last_progress = 0.0
    tell("started", frame=frame)
    state.frame = frame
    try:
        scene.frame_set(frame)
        check_scripts()
        redirect(folder)
        write_picture(scene, frame, folder)
    except KeyboardInterrupt:
        state.cancelled = True
    except RuntimeError as error:
        if not state.cancelled:
            raise render_failure(error) from error
    finally:
        state.frame = None
    if state.cancelled:
        tell("cancelled", frame=frame, restart=False)
        return
    check_scripts()  # What is hidden in viewports is evaluated by the render alone.
    files = sorted(files_in(folder))
    pictures = [path for path in files if "/" not in path]
    if not pictures:
        raise Failed("no_picture", "Blender called the frame finished and wrote no picture")
    tell(
        "finished",
        frame=frame,
        files=files,
        pictures=pictures,
        size=picture_size(scene.render),
        render_ms=int((time.monotonic() - began) * 1000),
        peak_memory_bytes=peak_memory(),
        device=state.device,
        film=state.film,
    )


def write_picture(scene, frame, folder):
    render = scene.render
    numbered_by_blender = bpy.app.version >= (5, 0, 0) and state.outputs
    if not numbered_by_blender or frame < 0:
        render.filepath = literal(os.path.join(folder, frame_digits(frame)))
        bpy.ops.render.render(write_still=True)
        if numbered_by_blender:
            number_side_files(folder, frame)
        return
    # Blender 5 puts the frame's number into the names of file-output nodes only where it renders an animation.
    kept = scene.frame_start, scene.frame_end, scene.frame_step
    render.filepath = literal(os.path.join(folder, "#" * state.digits))
    scene.frame_start, scene.frame_end, scene.frame_step = frame, frame, 1
    try:
        bpy.ops.render.render(animation=True)
    finally:
        scene.frame_start, scene.frame_end, scene.frame_step = kept


def number_side_files(folder, frame):
    """What Blender 5 does in an animation, which it cannot start at a negative frame."""
    for path in list(files_in(folder)):
        if "/" in path:
            stem, extension = os.path.splitext(os.path.join(folder, path))
            os.rename(stem + extension, f"{stem}-{-frame:04d}{extension}")


def render_failure(error):
    text = reason(error)
    lower = text.lower()
    if "camera" in lower and "no camera" in lower:
        return Failed("no_camera", "the scene has no camera to render through")
    if "no space left" in lower or "disk full" in lower:
        return Failed("disk_full", "no space is left on the node's disk")
    if "engine not found" in lower:
        return Failed("unknown_render_engine", text)
    if "out of memory" in lower:
        return Failed("out_of_memory", text)
    return Failed("render_error", f"Blender could not render the frame: {text}")


def peak_memory():
    try:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    except ImportError:
        return 0


def on_stats(*given):
    """Blender 4 and 5 hand their progress over as text; 3.x hands nothing over and prints it."""
    text = next((value for value in given if isinstance(value, str)), None)
    now = time.monotonic()
    if not text or state.frame is None or now - state.last_progress < PROGRESS_INTERVAL:
        return
    state.last_progress = now
    fields = {"frame": state.frame}
    sample = SAMPLE.search(text)
    if sample:
        fields["sample"], fields["samples"] = int(sample.group(1)), int(sample.group(2))
    remaining = REMAINING.search(text)
    if remaining:
        seconds = 0.0
        for part in remaining.group(1).split(":"):
            seconds = seconds * 60 + float(part)
        fields["remaining_ms"] = int(seconds * 1000)
    tell("progress", **fields)


def serve():
    tell("ready", version=bpy.app.version_string)
    threading.Thread(target=read_commands, daemon=True).start()
    while True:
        command = {}
        try:
            command = commands.get()
            name = command.get("cmd")
            if name == "quit":
                return
            if name == "probe":
                probe()
            elif name == "open":
                open_scene(command)
            elif name == "render":
                render_frame(command)
            else:
                tell("broken", message=f"the command {name!r} is unknown")
        except KeyboardInterrupt:
            # An interrupt that came when the frame had just ended: the module turns it into this.
            if command.get("cmd") == "render":
                tell("cancelled", frame=command.get("frame"), restart=False)
        except Failed as failure:
            flush_log()
            tell("failed", kind=failure.kind, message=str(failure), frame=command.get("frame"))
        except Exception as error:  # Whatever it is, the agent must hear of it rather than wait.
            flush_log()
            message = f"the driver failed in {command.get('cmd')!r}: {type(error).__name__}: {reason(error)}"
            tell("failed", kind="driver_error", message=message, frame=command.get("frame"))


try:
    import bpy  # Slow where it is the module, and the module's own text must not be lost.
    from bpy.app.handlers import persistent

    on_stats = persistent(on_stats)
    serve()
    flush_log()
    os._exit(0)  # Blender's own way out costs time, and in some versions hangs or crashes.
except BaseException as error:
    tell("broken", message=f"the driver could not start: {type(error).__name__}: {error}")
    flush_log()
    os._exit(7)
