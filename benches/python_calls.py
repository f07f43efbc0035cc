"""What Python costs: kernels called from Rust, from Python and through wgpu-py, and a processor that returns its frame.

`make bench-python` runs it. Rust and Python take turns; what is said are medians, and the best of the turns. Where seconds lie, on a shared
machine or one whose driver wakes a thread of its own for each submission, `make bench-python BENCH=instructions` counts what the calling
thread executes under callgrind instead.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import streamlib as sl

WGSL = (Path(__file__).parent / "kernel_call.wgsl").read_text()
CALLS = 500
COUNTED = 200
TURNS = 5
BALL = {"centre": (32.0, 32.0), "radius": 10.0, "color": (1.0, 0.4, 0.0, 1.0)}


Measure = Callable[[Callable[[], object], Callable[[], object]], float]


def execute(call: Callable[[], object], wait: Callable[[], object]) -> float:
    """Wait for the queue so often, then wait and call so often; callgrind writes what it counted before, between and after."""

    def dump() -> None:
        subprocess.run(["callgrind_control", "--dump", str(os.getpid())], capture_output=True, check=True)

    for _ in range(20):
        wait()
        call()
    dump()
    for _ in range(COUNTED):
        wait()
    dump()
    for _ in range(COUNTED):
        wait()
        call()
    dump()
    return 0.0


def median(call: Callable[[], object], wait: Callable[[], object]) -> float:
    """Time calls on an idle queue, in microseconds."""
    for _ in range(50):
        wait()
        call()
    times = []
    for _ in range(CALLS):
        wait()
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(times)


def from_python(measure: Measure = median) -> float:
    """Call the kernel through streamlib."""
    gpu = sl.gpu()
    kernel = gpu.kernel(WGSL, label="ball")
    frame = gpu.frame(64, 64)

    def call() -> None:
        out = frame.like()
        kernel(src=frame, dst=out, ball=BALL)

    return measure(call, gpu.wait_idle)


def from_wgpu_py(measure: Measure = median) -> float | None:
    """Do the same with wgpu-py: uniform, bind group, encoder, pass, submission. Its textures are made beforehand."""
    try:
        import struct

        import wgpu
    except ImportError:
        return None
    device = wgpu.gpu.request_adapter_sync().request_device_sync()
    usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.STORAGE_BINDING
    textures = [device.create_texture(size=(64, 64, 1), format="rgba8unorm", usage=usage) for _ in range(2)]
    views = [texture.create_view() for texture in textures]
    uniform = device.create_buffer(size=32, usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST)
    idle = device.create_buffer(size=4, usage=wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST)
    module = device.create_shader_module(code=WGSL)
    pipeline = device.create_compute_pipeline(layout="auto", compute={"module": module, "entry_point": "main"})
    layout = pipeline.get_bind_group_layout(0)

    def call() -> None:
        device.queue.write_buffer(uniform, 0, struct.pack("8f", 32, 32, 10, 0, 1, 0.4, 0, 1))
        entries = [
            {"binding": 0, "resource": views[0]},
            {"binding": 1, "resource": views[1]},
            {"binding": 2, "resource": {"buffer": uniform, "offset": 0, "size": 32}},
        ]
        group = device.create_bind_group(layout=layout, entries=entries)
        encoder = device.create_command_encoder()
        compute = encoder.begin_compute_pass()
        compute.set_pipeline(pipeline)
        compute.set_bind_group(0, group)
        compute.dispatch_workgroups(4, 4, 1)
        compute.end()
        device.queue.submit([encoder.finish()])

    def wait() -> None:
        # Its own way of waiting for the queue fails in 0.32; to read a buffer waits, too.
        device.queue.read_buffer(idle)

    return measure(call, wait)


def returns_its_frame(frames: int = 5000) -> tuple[float, float]:
    """Run a processor that returns its frame; give the microseconds of its calls, and the milliseconds of the whole run a frame."""

    @sl.processor
    def passed(frame: sl.VideoFrame) -> sl.VideoFrame:
        return frame

    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(16, 16)), passed(), sl.Null())
    done = graph.run(offline=True, frames=frames)
    return done["nodes"]["passed"]["process_us"]["p50"], done["seconds"] * 1e3 / frames


def counted(*command: str) -> float:
    """Count what the first thread executes for a call: that of waiting and calling, less that of waiting."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out"
        callgrind = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
        subprocess.run([*callgrind, *command], capture_output=True, text=True, check=True)
        parts = [out.with_name(f"out.{part}-01").read_text() for part in [2, 3]]
    waits, calls = (int(re.findall(r"^totals: (\d+)$", part, re.MULTILINE)[0]) for part in parts)
    return (calls - waits) / COUNTED


def instructions(rust_bench: str) -> None:
    """Say how many instructions a call takes."""
    rust = counted(rust_bench, str(COUNTED), "callgrind")
    python = counted(sys.executable, __file__, "execute", "from_python")
    foreign = counted(sys.executable, __file__, "execute", "from_wgpu_py")
    print(f"kernel recorded and submitted, idle queue ({sl.gpu().adapter}), instructions of the calling thread:")
    print(f"  from Rust    {rust:9,.0f}")
    print(f"  from Python  {python:9,.0f}  ({python - rust:,.0f} beyond Rust)")
    print(f"  wgpu-py      {foreign:9,.0f}  ({foreign / python:.1f} times streamlib's from Python; limit 6)")


def main() -> None:
    """Run what the command line names."""
    if sys.argv[1] == "execute":
        {"from_python": from_python, "from_wgpu_py": from_wgpu_py}[sys.argv[2]](execute)
    elif sys.argv[1] == "instructions":
        instructions(sys.argv[2])
    else:
        seconds(sys.argv[2])


def seconds(rust_bench: str) -> None:
    """Run the turns and say the figures."""
    rust, python, foreign = [], [], []
    for _ in range(TURNS):
        rust.append(float(subprocess.run([rust_bench], capture_output=True, text=True, check=True).stdout))
        python.append(from_python())
        other = from_wgpu_py()
        if other is not None:
            foreign.append(other)
    print(f"kernel recorded and submitted, idle queue ({sl.gpu().adapter}):")
    print(f"  from Rust    {statistics.median(rust):7.1f} us  (best {min(rust):.1f})")
    print(f"  from Python  {statistics.median(python):7.1f} us  (best {min(python):.1f})")
    beyond = statistics.median(p - r for p, r in zip(python, rust, strict=True))
    print(f"  Python beyond Rust {beyond:.1f} us; limit 10")
    if foreign:
        print(f"  wgpu-py      {statistics.median(foreign):7.1f} us  (best {min(foreign):.1f})")
        ratio = statistics.median(f / p for f, p in zip(foreign, python, strict=True))
        print(f"  wgpu-py is {ratio:.1f} times dearer than streamlib from Python; limit 6")
    else:
        print("  wgpu-py: not run, it is not installed")
    calls = [returns_its_frame() for _ in range(3)]
    print(f"a processor that returns its frame: {statistics.median(call for call, _ in calls):.2f} us a call; limit 5")
    gst_python()


def gst_python() -> None:
    """Time a pad probe and an appsink of gst-python, where it is installed."""
    try:
        import gi

        gi.require_version("Gst", "1.0")
        from gi.repository import Gst
    except (ImportError, ValueError):
        print("gst-python: not run, it is not installed")
        return
    Gst.init(None)
    frames = 20000

    def run(probe: bool) -> float:
        pipeline = Gst.parse_launch(f"fakesrc num-buffers={frames} ! identity name=i ! fakesink")
        if probe:
            pad = pipeline.get_by_name("i").get_static_pad("src")
            pad.add_probe(Gst.PadProbeType.BUFFER, lambda *_: Gst.PadProbeReturn.OK)
        begin = time.perf_counter()
        pipeline.set_state(Gst.State.PLAYING)
        pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS)
        pipeline.set_state(Gst.State.NULL)
        return (time.perf_counter() - begin) * 1e6 / frames

    print(f"gst-python's probe that does nothing: {run(True) - run(False):.1f} us a buffer")


if __name__ == "__main__":
    main()
