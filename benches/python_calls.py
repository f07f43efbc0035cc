"""What Python costs: a kernel called from Rust, from Python and through wgpu-py; WebGPU itself, streamlib's and wgpu-py's; a processor that
returns its frame.

`make bench-python` runs it, in a Rust program that embeds Python. Those that are compared take turns, call by call, each on an idle
queue; what is said are medians. Where seconds lie, on a shared machine or with a driver that wakes a thread of its own for each
submission, `make bench-python ARGS=instructions` counts what the calling thread executes under callgrind instead, and `ARGS="calls noop"` leaves the
driver out.
"""

from __future__ import annotations

import importlib
import os
import re
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import streamlib as sl
from streamlib import webgpu

WGSL = (Path(__file__).parent / "kernel_call.wgsl").read_text()
WARM_UP = 100
CALLS = 2000
COUNTED = 200
BALL = {"centre": (32.0, 32.0), "radius": 10.0, "color": (1.0, 0.4, 0.0, 1.0)}

# The engine's call of a processor that is written in Python, as callgrind names it.
PROCESS = "--toggle-collect=*_native::node::Node as streamlib_core::processor::Processor>::process*"

Call = Callable[[], object]


class Caller:
    """One way of calling the kernel, and of waiting for its queue."""

    def __init__(self, name: str, call: Call, wait: Call) -> None:
        self.name = name
        self.call = call
        self.wait = wait

    def microseconds(self) -> float:
        """Time a call on an idle queue."""
        call, clock = self.call, time.perf_counter
        self.wait()
        begin = clock()
        call()
        return (clock() - begin) * 1e6


class FromRust(Caller):
    """The same, but Rust tells the time of its call."""

    def __init__(self, call: Callable[[], float]) -> None:
        super().__init__("Rust", call, sl.gpu().wait_idle)
        self.timed = call

    def microseconds(self) -> float:
        self.wait()
        return self.timed()


def from_python() -> Caller:
    """Call the kernel through streamlib."""
    gpu = sl.gpu()
    kernel = gpu.kernel(WGSL, label="ball")
    frame = sl.VideoFrame.from_numpy(np.zeros((64, 64, 4), np.uint8))

    def call() -> None:
        out = frame.like()
        kernel(src=frame, dst=out, ball=BALL)

    return Caller("Python", call, gpu.wait_idle)


def through(name: str, wgpu: Any, wait: Call | None = None, writes_uniform: bool = False) -> Caller:
    """Do the same with WebGPU itself, wgpu-py's or streamlib's: bind group, encoder, pass, submission. Textures are made beforehand."""
    device = wgpu.gpu.request_adapter_sync().request_device_sync()
    usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.STORAGE_BINDING
    textures = [device.create_texture(size=(64, 64, 1), format="rgba8unorm", usage=usage) for _ in range(2)]
    views = [texture.create_view() for texture in textures]
    ball = struct.pack("8f", 32, 32, 10, 0, 1, 0.4, 0, 1)
    uniform = device.create_buffer_with_data(data=ball, usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST)
    idle = device.create_buffer(size=4, usage=wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST)
    module = device.create_shader_module(code=WGSL)
    pipeline = device.create_compute_pipeline(layout="auto", compute={"module": module, "entry_point": "main"})
    layout = pipeline.get_bind_group_layout(0)

    def call() -> None:
        if writes_uniform:
            device.queue.write_buffer(uniform, 0, ball)
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

    # wgpu-py's own way of waiting for the queue fails in 0.32; to read a buffer waits, too.
    return Caller(name, call, wait or (lambda: device.queue.read_buffer(idle)))


def wgpu_py() -> Any:
    """Find wgpu-py, if it is installed."""
    try:
        return importlib.import_module("wgpu")
    except ImportError:
        return None


def returns_its_frame(frames: int = 5000) -> float:
    """Run a processor that returns its frame; give the microseconds of its calls."""

    @sl.processor
    def passed(frame: sl.VideoFrame) -> sl.VideoFrame:
        return frame

    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(16, 16)), passed(), sl.Null())
    done = graph.run(offline=True, frames=frames)
    return done["nodes"]["passed"]["process_us"]["p50"]


def copies(name: str, wgpu: Any) -> dict[str, Caller]:
    """Copy arrays to the GPU and back."""
    device = wgpu.gpu.request_adapter_sync().request_device_sync()
    picture, numbers = np.full((1080, 1920, 4), 7, np.uint8), np.ones(1 << 20, np.float32)
    usage = wgpu.TextureUsage.COPY_SRC | wgpu.TextureUsage.COPY_DST
    texture = {"texture": device.create_texture(size=(1920, 1080, 1), format="rgba8unorm", usage=usage)}
    buffer = device.create_buffer(size=numbers.nbytes, usage=wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST)
    layout, size, queue = {"bytes_per_row": 1920 * 4}, (1920, 1080, 1), device.queue
    calls: dict[str, Call] = {
        "write_texture, 1920x1080": lambda: queue.write_texture(texture, picture, layout, size),
        "read_texture, 1920x1080": lambda: queue.read_texture(texture, layout, size),
        "write_buffer, 4 MiB of float32": lambda: queue.write_buffer(buffer, 0, numbers),
        "read_buffer, 4 MiB": lambda: queue.read_buffer(buffer),
    }
    return {what: Caller(name, call, lambda: queue.read_buffer(buffer, 0, 4)) for what, call in calls.items()}


def times_of(callers: list[Caller], calls: int = CALLS) -> dict[str, float]:
    """Say how long a call takes; give the medians."""
    times: dict[str, list[float]] = {caller.name: [] for caller in callers}
    for turn in range(WARM_UP + calls):
        for caller in callers:
            time = caller.microseconds()
            if turn >= WARM_UP:
                times[caller.name].append(time)
    for name, measured in times.items():
        median, fast = statistics.median(measured), statistics.quantiles(measured, n=10)[0]
        print(f"  from {name:9} {median:7.1f} us  (a tenth is below {fast:.1f})")
    return {name: statistics.median(measured) for name, measured in times.items()}


def seconds(callers: list[Caller], raw: list[Caller], other: Any) -> None:
    """Say how long a call takes, of a kernel and of WebGPU itself."""
    print(f"kernel recorded and submitted, idle queue ({sl.gpu().adapter}), {CALLS} calls each in turn:")
    median = times_of(callers)
    print(f"  Python beyond Rust {median['Python'] - median['Rust']:.1f} us; limit 10")
    if "wgpu-py" in median:
        print(f"  wgpu-py is {median['wgpu-py'] / median['Python']:.1f} times dearer than streamlib from Python; limit 6")
    else:
        print("  wgpu-py: not run, it is not installed or has no such adapter")
    print(f"WebGPU itself: a bind group made, a pass encoded and submitted, idle queue, {CALLS} calls each in turn:")
    median = times_of(raw)
    if "wgpu-py" in median:
        print(f"  wgpu-py is {median['wgpu-py'] / median['webgpu']:.1f} times dearer than streamlib.webgpu; limit 3")
    copied = [copies(name, wgpu) for name, wgpu in {"webgpu": webgpu, "wgpu-py": other}.items() if wgpu is not None]
    for what in copied[0]:
        print(f"{what}, idle queue, 100 calls each in turn:")
        times_of([calls[what] for calls in copied], 100)
    print(f"a processor that returns its frame: {statistics.median(returns_its_frame() for _ in range(3)):.2f} us a call; limit 5")
    gst_python()


def count(caller: Caller) -> None:
    """Wait for the queue so often, then wait and call so often; callgrind writes what it counted before, between and after."""

    def dump() -> None:
        subprocess.run(["callgrind_control", "--dump", str(os.getpid())], capture_output=True, check=True)

    for _ in range(WARM_UP):
        caller.wait()
        caller.call()
    dump()
    for _ in range(COUNTED):
        caller.wait()
    dump()
    for _ in range(COUNTED):
        caller.wait()
        caller.call()
    dump()


def instructions(names: list[str]) -> None:
    """Say how many instructions a call takes: those of waiting and calling, less those of waiting."""
    counted = {}
    for name in names:
        with tempfile.TemporaryDirectory() as directory:
            out = Path(directory) / "out"
            callgrind = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
            command = [*callgrind, os.readlink("/proc/self/exe"), "count", name]
            subprocess.run(command, capture_output=True, text=True, check=True)
            parts = [out.with_name(f"out.{part}-01").read_text() for part in [2, 3]]
        waits, calls = (int(re.findall(r"^totals: (\d+)$", part, re.MULTILINE)[0]) for part in parts)
        counted[name] = (calls - waits) / COUNTED
    print(f"instructions of the calling thread, idle queue ({sl.gpu().adapter}); a kernel, then WebGPU itself:")
    for name, counts in counted.items():
        print(f"  from {name:9} {counts:9,.0f}")
    print(f"  Python beyond Rust {counted['Python'] - counted['Rust']:,.0f}")
    with tempfile.TemporaryDirectory() as directory:
        totals = []
        for frames in (200, 700):
            out = Path(directory) / str(frames)
            callgrind = ["valgrind", "--tool=callgrind", PROCESS, f"--callgrind-out-file={out}"]
            command = [*callgrind, os.readlink("/proc/self/exe"), "frames", str(frames)]
            subprocess.run(command, capture_output=True, text=True, check=True)
            totals += re.findall(r"^totals: (\d+)$", out.read_text(), re.MULTILINE)
    print(f"a processor that returns its frame: {(int(totals[1]) - int(totals[0])) / 500:,.0f} instructions a call")
    if "wgpu-py" in counted:
        print(f"  a kernel: wgpu-py has {counted['wgpu-py'] / counted['Python']:.1f} times those of streamlib from Python; limit 6")
        print(f"  WebGPU itself: wgpu-py has {counted['raw-wgpu-py'] / counted['webgpu']:.1f} times those of streamlib.webgpu; limit 3")


def gst_python() -> None:
    """Time a pad probe of gst-python's that does nothing, and its appsink, where it is installed."""
    try:
        import gi

        gi.require_version("Gst", "1.0")
        from gi.repository import Gst
    except (ImportError, ValueError):
        print("gst-python: not run, it is not installed (`scripts/install-dependencies peers`)")
        return
    Gst.init(None)
    frames = 20000

    def run(end: str, use: Callable[[Any], object] = lambda _: None) -> float:
        pipeline = Gst.parse_launch(f"fakesrc num-buffers={frames} ! {end}")
        element = pipeline.get_by_name("e")
        begin = time.perf_counter()
        pipeline.set_state(Gst.State.PLAYING)
        use(element)
        pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS)
        taken = (time.perf_counter() - begin) * 1e6 / frames
        pipeline.set_state(Gst.State.NULL)
        return taken

    def probe(identity: Any) -> None:
        pad = identity.get_static_pad("src")
        pad.add_probe(Gst.PadProbeType.BUFFER, lambda *_: Gst.PadProbeReturn.OK)

    def pull(appsink: Any) -> None:
        while appsink.emit("pull-sample") is not None:
            pass

    passed, sunk = "identity name=e ! fakesink", "appsink name=e sync=false max-buffers=4"
    beside = [(run(passed, probe) - run(passed), run(sunk, pull)) for _ in range(3)]
    for what, times in zip(["a pad probe that does nothing", "appsink, pulled"], zip(*beside, strict=True), strict=True):
        print(f"  gst-python's {what}: {statistics.median(times):.1f} us a buffer")


def main(rust: Callable[[], float], arguments: list[str]) -> None:
    """Run what the command line names. `rust` makes Rust's call and gives its microseconds."""
    if arguments[0] == "frames":
        returns_its_frame(int(arguments[1]))
        return
    other = None if "noop" in arguments else wgpu_py()
    callers = [FromRust(rust), from_python()]
    raw = [through("webgpu", webgpu, sl.gpu().wait_idle)]
    if other is not None:
        callers.append(through("wgpu-py", other, writes_uniform=True))
        raw.append(through("wgpu-py", other))
    match arguments:
        case ["calls"] | ["calls", "noop"]:
            seconds(callers, raw, other)
        case ["instructions"]:
            instructions([caller.name for caller in callers] + ["webgpu", "raw-wgpu-py"][: len(raw)])
        case ["count", name]:
            count({**{caller.name: caller for caller in callers}, "webgpu": raw[0], "raw-wgpu-py": raw[-1]}[name])
        case _:
            raise SystemExit(f"unknown arguments {arguments}")
