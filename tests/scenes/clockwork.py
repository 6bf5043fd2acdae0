"""A Blender made of clockwork, for tests that watch progress: it speaks the driver's language, renders nothing,
and tells to the millisecond when it reported which sample.

    clockwork.py ... -- --events-fd 3

A frame has CLOCKWORK_SAMPLES samples (8), one every CLOCKWORK_PACE seconds (0.3). Each report is written to the
file CLOCKWORK_REPORTS first, as "SECONDS-SINCE-1970 FRAME SAMPLE".
"""

import json
import os
import struct
import sys
import threading
import time
import zlib

SAMPLES = int(os.environ.get("CLOCKWORK_SAMPLES", "8"))
PACE = float(os.environ.get("CLOCKWORK_PACE", "0.3"))
REPORTS = os.environ.get("CLOCKWORK_REPORTS", os.devnull)

events = os.fdopen(int(sys.argv[sys.argv.index("--events-fd") + 1]), "w", encoding="utf-8")
stopped = threading.Event()
commands = []
arrived = threading.Condition()


def tell(event, **fields):
    events.write(json.dumps({"event": event, **fields}) + "\n")
    events.flush()


def picture():
    """A grey PNG of two by two pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\x80\x80" * 2)) + chunk(b"IEND", b"")


def render(frame, folder):
    stopped.clear()
    began = time.monotonic()
    tell("started", frame=frame)
    for sample in range(1, SAMPLES + 1):
        if stopped.wait(PACE):
            tell("cancelled", frame=frame, restart=False)
            return
        with open(REPORTS, "a", encoding="utf-8") as reports:
            reports.write(f"{time.time():.3f} {frame} {sample}\n")
        left = (SAMPLES - sample) * PACE
        tell("progress", frame=frame, sample=sample, samples=SAMPLES, remaining_ms=int(left * 1000))
    name = f"{frame:04d}.png"
    with open(os.path.join(folder, name), "wb") as file:
        file.write(picture())
    took = int((time.monotonic() - began) * 1000)
    tell("finished", frame=frame, files=[name], pictures=[name], size=[2, 2], render_ms=took, peak_memory_bytes=1 << 20,
         device="cpu")


def read():
    for line in sys.stdin:
        command = json.loads(line)
        if command["cmd"] == "cancel":
            stopped.set()
            continue
        with arrived:
            commands.append(command)
            arrived.notify()
    os._exit(4)


def obey(command):
    if command["cmd"] == "probe":
        tell("probed", version="3.4.1", devices=["cpu"], gpus=[], denoiser=False)
    elif command["cmd"] == "open":
        tell("opened", device="cpu")
    elif command["cmd"] == "render":
        render(command["frame"], command["folder"])
    elif command["cmd"] == "quit":
        os._exit(0)


tell("ready", version="3.4.1")
threading.Thread(target=read, daemon=True).start()
while True:
    with arrived:
        arrived.wait_for(lambda: commands)
        next_command = commands.pop(0)
    obey(next_command)
