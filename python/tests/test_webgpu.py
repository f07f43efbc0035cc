"""WebGPU in processors: frames' textures, the order of what is recorded, and the one device."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from conftest import INVERT
from support import Look, pattern

import streamlib as sl
from streamlib import webgpu

pytestmark = pytest.mark.usefixtures("nothing_left")

FILL = """
@group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    textureStore(dst, id.xy, vec4f(0.2, 0.4, 0.6, 1.0));
}
"""
FILLED = np.array([51, 102, 153, 255], np.uint8)

DOUBLE = """
@group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3u) {
    numbers[id.x] = 2u * numbers[id.x];
}
"""

ADD = """
@group(0) @binding(0) var<storage, read_write> more: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3u) {
    sums[id.x] += more[id.x];
}
"""


def fill(device: webgpu.Device, texture: webgpu.Texture) -> webgpu.CommandBuffer:
    """Record a pass that fills a texture, with the layout that the shader says."""
    module = device.create_shader_module(code=FILL)
    pipeline = device.create_compute_pipeline(layout="auto", compute={"module": module})
    group = device.create_bind_group(
        label="filled", layout=pipeline.get_bind_group_layout(0), entries=[{"binding": 0, "resource": texture.create_view()}]
    )
    encoder = device.create_command_encoder(label="fill")
    commands = encoder.begin_compute_pass()
    commands.set_pipeline(pipeline)
    commands.set_bind_group(0, group)
    commands.dispatch_workgroups(-(-texture.width // 8), -(-texture.height // 8))
    commands.end()
    return encoder.finish(label="fill")


def sent(gpu: sl.GpuContext) -> sl.VideoFrame:
    """Make a frame that went through a graph: nobody may change it."""
    kept = []

    @sl.processor
    def keep(frame: sl.VideoFrame) -> sl.VideoFrame:
        kept.append(frame)
        return frame

    graph = sl.Graph()
    graph.chain(pattern(16, 16), keep(), sl.Null())
    graph.run(offline=True, frames=1)
    return kept.pop()


def publish(frame: sl.VideoFrame) -> None:
    """Send a frame."""

    @sl.processor
    def source() -> Iterator[sl.VideoFrame]:
        yield frame

    graph = sl.Graph()
    graph.chain(source(), sl.Null())
    graph.run(offline=True)


def test_a_frame_s_texture_is_any_texture(gpu: sl.GpuContext) -> None:
    frame = gpu.frame(20, 12)
    texture = frame.texture
    assert isinstance(texture, webgpu.Texture)
    assert (texture.size, texture.format, texture.dimension) == ((20, 12, 1), "rgba8unorm", "2d")
    assert texture.create_view().texture is not None
    assert not frame.is_ready
    gpu.device.queue.submit([fill(gpu.device, texture)])
    assert (frame.to_numpy() == FILLED).all()
    copied = gpu.device.queue.read_texture({"texture": texture, "origin": (4, 2)}, {}, (3, 2))
    assert copied.nbytes == 3 * 2 * 4
    assert (np.frombuffer(copied, np.uint8).reshape(-1, 4) == FILLED).all()


def test_texels_are_written_to_a_frame(gpu: sl.GpuContext) -> None:
    frame = gpu.frame(6, 4)
    pixels = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(4, 6, 4)
    gpu.device.queue.write_texture({"texture": frame.texture}, pixels, {"bytes_per_row": 24}, (6, 4))
    assert (frame.to_numpy() == pixels).all()


def test_a_frame_is_copied_to_another(gpu: sl.GpuContext) -> None:
    source = sl.VideoFrame.from_numpy(np.random.default_rng(1).integers(0, 256, (8, 8, 4), np.uint8))
    out = source.like()
    encoder = gpu.device.create_command_encoder()
    encoder.copy_texture_to_texture({"texture": source.texture}, {"texture": out.texture}, (8, 8))
    gpu.device.queue.submit([encoder.finish()])
    assert (out.to_numpy() == source.to_numpy()).all()


@sl.processor
class Between:
    """Kernels and raw commands, in turns: what comes later sees what comes before."""

    def setup(self, gpu: sl.GpuContext) -> None:
        self.device = gpu.device
        self.invert = gpu.kernel(INVERT)

    def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
        first, second, out = frame.like(), frame.like(), frame.like()
        self.invert(src=frame, dst=first)
        encoder = self.device.create_command_encoder()
        encoder.copy_texture_to_texture({"texture": first.texture}, {"texture": second.texture}, frame.texture.size)
        self.device.queue.submit([encoder.finish()])
        self.invert(src=second, dst=out)
        return out


def test_raw_commands_keep_the_order_of_the_calls() -> None:
    before, after = Look(), Look()
    graph = sl.Graph()
    source = graph.add(pattern(40, 24))
    graph.chain(source, Between(), after)
    graph.connect(source, graph.add(before))
    graph.run(offline=True, frames=10)
    assert len(after.arrays) == 10
    for one, other in zip(before.arrays, after.arrays, strict=True):
        assert (one == other).all()


def test_what_raw_commands_write_goes_on() -> None:
    @sl.processor
    class Filled:
        def setup(self, gpu: sl.GpuContext) -> None:
            self.device = gpu.device

        def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
            out = frame.like()
            self.device.queue.submit([fill(self.device, out.texture)])
            return out

    look = Look()
    graph = sl.Graph()
    graph.chain(pattern(24, 16), Filled(), look)
    graph.run(offline=True, frames=3)
    assert len(look.arrays) == 3
    assert all((array == FILLED).all() for array in look.arrays)


def test_what_was_recorded_and_not_submitted_is_not_written() -> None:
    @sl.processor
    class Forgetful:
        def setup(self, gpu: sl.GpuContext) -> None:
            self.device = gpu.device

        def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
            out = frame.like()
            fill(self.device, out.texture)
            return out

    graph = sl.Graph()
    graph.chain(pattern(24, 16), Forgetful(), sl.Null())
    with pytest.raises(sl.Error, match="nothing was drawn") as raised:
        graph.run(offline=True, frames=3)
    assert raised.value.node == "forgetful"


def test_a_frame_that_was_sent_cannot_be_written(gpu: sl.GpuContext) -> None:
    frame = sent(gpu)
    pixels = frame.to_numpy(copy=True)
    texture, device = frame.texture, gpu.device
    refused = pytest.raises(sl.InvalidArgumentError, match="a frame that was sent, or came in, cannot be changed")
    with refused:
        fill(device, texture)
    with refused:
        device.queue.write_texture({"texture": texture}, bytes(1024), {"bytes_per_row": 64}, (16, 16))
    encoder = device.create_command_encoder()
    with refused:
        encoder.copy_texture_to_texture({"texture": gpu.frame(16, 16).texture}, {"texture": texture}, (16, 16))
    buffer = device.create_buffer(size=256 * 16, usage="COPY_SRC | COPY_DST")
    with refused:
        encoder.copy_buffer_to_texture({"buffer": buffer, "bytes_per_row": 256}, {"texture": texture}, (16, 16))
    # To read it is fine, in the very encoder that refused the rest.
    encoder.copy_texture_to_buffer({"texture": texture}, {"buffer": buffer, "bytes_per_row": 256}, (16, 16))
    device.queue.submit([encoder.finish()])
    rows = np.frombuffer(device.queue.read_buffer(buffer), np.uint8).reshape(16, 256)
    assert (rows[:, :64].reshape(16, 16, 4) == pixels).all()
    assert (frame.to_numpy() == pixels).all()


def test_commands_that_write_a_frame_are_refused_once_it_was_sent(gpu: sl.GpuContext) -> None:
    late: list[webgpu.CommandBuffer] = []

    @sl.processor
    class Late:
        """Records twice that it fills its frame, and submits once."""

        def setup(self, gpu: sl.GpuContext) -> None:
            self.device = gpu.device

        def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
            out = frame.like()
            late.append(fill(self.device, out.texture))
            self.device.queue.submit([fill(self.device, out.texture)])
            return out

    graph = sl.Graph()
    graph.chain(pattern(16, 16), Late(), sl.Null())
    graph.run(offline=True, frames=1)
    with pytest.raises(sl.InvalidArgumentError, match="a frame that was sent, or came in, cannot be changed"):
        gpu.device.queue.submit(late)
    late.clear()


def test_a_frame_s_texture_is_the_pool_s(gpu: sl.GpuContext) -> None:
    frame = gpu.frame(8, 8)
    with pytest.raises(sl.InvalidArgumentError, match="a frame's texture cannot be destroyed: it is the pool's"):
        frame.texture.destroy()
    own = gpu.device.create_texture(label="mine", size=(8, 8), format="rgba8unorm", usage="COPY_SRC | COPY_DST")
    with pytest.raises(ValueError, match="argument 'texture': it is no frame's"):
        frame.with_texture(own)
    own.destroy()
    with pytest.raises(sl.GpuError, match=r"'mine'.*destroyed"):
        gpu.device.queue.read_texture({"texture": own}, {}, (8, 8))


def test_what_refers_to_a_frame_keeps_it(gpu: sl.GpuContext) -> None:
    frame = gpu.frame(33, 35)
    commands = fill(gpu.device, frame.texture)
    del frame
    mine = [lease for lease in sl.Graph().leases() if lease["what"].endswith("33x35")]
    assert len(mine) == 1
    assert mine[0]["holders"], mine
    gpu.device.queue.submit([commands])
    assert not [lease for lease in sl.Graph().leases() if lease["what"].endswith("33x35")]


def test_kernels_take_buffers(gpu: sl.GpuContext) -> None:
    numbers = gpu.device.create_buffer_with_data(data=np.arange(5, dtype=np.uint32), usage="STORAGE | COPY_SRC")
    double = gpu.kernel(DOUBLE, label="double")
    double(numbers=numbers)
    double.dispatch_workgroups((3, 1, 1), numbers=numbers)
    assert gpu.device.queue.read_buffer(numbers).cast("I").tolist() == [0, 4, 8, 6, 8]
    with pytest.raises(TypeError, match=r"argument 'numbers': expected a webgpu.Buffer, got ndarray"):
        double(numbers=np.zeros(3))
    with pytest.raises(ValueError, match="kernel 'double' was given a buffer as 'numbers' that is not for `STORAGE`"):
        double(numbers=gpu.device.create_buffer(size=16, usage="COPY_DST"))


def test_kernels_take_textures(gpu: sl.GpuContext) -> None:
    def texture(usage: str, **options: Any) -> webgpu.Texture:
        return gpu.device.create_texture(**{"label": "own", "size": (8, 6), "format": "rgba8unorm", "usage": usage, **options})

    texels = np.random.default_rng(3).integers(0, 256, (6, 8, 4), np.uint8)
    own = texture("TEXTURE_BINDING | COPY_DST")
    gpu.device.queue.write_texture({"texture": own}, texels, {"bytes_per_row": 32}, (8, 6))
    invert = gpu.kernel(INVERT, label="invert")
    out = gpu.frame(8, 6)
    invert(src=own, dst=out)
    inverted = out.to_numpy(copy=True)
    np.testing.assert_array_equal(inverted[..., :3], 255 - texels[..., :3])
    # A frame's texture stands for the frame.
    again = gpu.frame(8, 6)
    invert(src=out.texture, dst=again.texture)
    np.testing.assert_array_equal(again.to_numpy()[..., :3], texels[..., :3])
    result = texture("STORAGE_BINDING | COPY_SRC")
    invert(src=again, dst=result)
    read = gpu.device.queue.read_texture({"texture": result}, {"bytes_per_row": 32}, (8, 6))
    np.testing.assert_array_equal(np.asarray(read).reshape(6, 8, 4), inverted)
    with pytest.raises(TypeError, match=r"argument 'src': expected a VideoFrame or a webgpu.Texture, got ndarray"):
        invert(src=texels, dst=out)
    with pytest.raises(ValueError, match="'invert' was given a texture as 'src' that is not for"):
        invert(src=result, dst=again)
    with pytest.raises(ValueError, match="takes rgba8unorm as 'dst', but the texture is r32float"):
        invert(src=out, dst=texture("STORAGE_BINDING", format="r32float"))
    own.destroy()
    with pytest.raises(ValueError, match="argument 'src': texture 'own' was destroyed"):
        invert(src=own, dst=again)


def test_frames_that_were_sent_are_not_written_by_their_textures(gpu: sl.GpuContext) -> None:
    frame = sent(gpu)
    invert = gpu.kernel(INVERT, label="invert")
    with pytest.raises(sl.InvalidArgumentError, match="cannot be changed"):
        invert(src=sl.VideoFrame.from_numpy(np.zeros((16, 16, 4), np.uint8)), dst=frame.texture)


def test_kernels_refuse_buffers_that_the_gpu_cannot_use(gpu: sl.GpuContext) -> None:
    double = gpu.kernel(DOUBLE, label="double")
    gone = gpu.device.create_buffer(label="gone", size=16, usage="STORAGE")
    gone.destroy()
    with pytest.raises(ValueError, match="argument 'numbers': buffer 'gone' was destroyed"):
        double(numbers=gone)
    held = gpu.device.create_buffer(label="held", size=16, usage="STORAGE", mapped_at_creation=True)
    with pytest.raises(ValueError, match="argument 'numbers': buffer 'held' is mapped; `unmap` it first"):
        double(numbers=held)
    held.unmap()
    double(numbers=held)


def test_what_is_destroyed_after_a_call_was_there_in_it() -> None:
    @sl.processor
    class Once:
        def setup(self, gpu: sl.GpuContext) -> None:
            self.device = gpu.device
            self.double = gpu.kernel(DOUBLE)

        def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
            numbers = self.device.create_buffer(size=16, usage="STORAGE")
            self.double(numbers=numbers)
            numbers.destroy()
            return frame

    graph = sl.Graph()
    graph.chain(pattern(16, 16), Once(), sl.Null())
    assert graph.run(offline=True, frames=3)["nodes"]["once"]["processed"] == 3


@pytest.mark.parametrize("workgroups", [None, (0, 2), (2, 2)])
def test_only_what_is_dispatched_writes(workgroups: tuple[int, ...] | None) -> None:
    @sl.processor
    class Bound:
        """Binds its frame to be written."""

        def setup(self, gpu: sl.GpuContext) -> None:
            self.device = gpu.device
            module = self.device.create_shader_module(code=FILL)
            self.pipeline = self.device.create_compute_pipeline(layout="auto", compute={"module": module})

        def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
            out = frame.like()
            entries: list[webgpu.BindGroupEntry] = [{"binding": 0, "resource": out.texture}]
            encoder = self.device.create_command_encoder()
            commands = encoder.begin_compute_pass()
            commands.set_pipeline(self.pipeline)
            commands.set_bind_group(0, self.device.create_bind_group(layout=self.pipeline.get_bind_group_layout(0), entries=entries))
            if workgroups is not None:
                commands.dispatch_workgroups(*workgroups)
            commands.end()
            self.device.queue.submit([encoder.finish()])
            return out

    graph = sl.Graph()
    graph.chain(pattern(16, 16), Bound(), sl.Null())
    if workgroups == (2, 2):
        graph.run(offline=True, frames=2)
    else:
        with pytest.raises(sl.Error, match="nothing was drawn into"):
            graph.run(offline=True, frames=2)


def test_an_entry_point_that_only_reads_may_have_a_frame_that_was_sent(gpu: sl.GpuContext) -> None:
    module = gpu.device.create_shader_module(
        code="""
        @group(0) @binding(0) var src: texture_2d<f32>;
        @group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
        @group(0) @binding(1) var<storage, read_write> sum: f32;
        @compute @workgroup_size(1) fn reads() { sum = textureLoad(src, vec2u(), 0).x; }
        @compute @workgroup_size(1) fn writes() { textureStore(dst, vec2u(), vec4f()); }
        """
    )
    texture = sent(gpu).texture
    number = gpu.device.create_buffer(size=4, usage="STORAGE | COPY_SRC")
    entries: list[webgpu.BindGroupEntry] = [{"binding": 0, "resource": texture}, {"binding": 1, "resource": number}]
    for entry_point in ("reads", "writes"):
        pipeline = gpu.device.create_compute_pipeline(layout="auto", compute={"module": module, "entry_point": entry_point})
        layout = pipeline.get_bind_group_layout(0)
        if entry_point == "reads":
            gpu.device.create_bind_group(layout=layout, entries=entries)
        else:
            with pytest.raises(sl.InvalidArgumentError, match=r"create_bind_group: entries\[0\], binding 0, would change frame #0"):
                gpu.device.create_bind_group(layout=layout, entries=entries[:1])


def test_there_is_one_device(gpu: sl.GpuContext) -> None:
    adapter = webgpu.gpu.request_adapter_sync()
    device = adapter.request_device_sync(label="mine")
    assert device == gpu.device
    assert device.label == "mine"
    assert hash(device) == hash(gpu.device)
    assert device != adapter
    assert device.adapter.summary == adapter.summary
    lacking = sorted(adapter.features - device.features)
    if lacking:
        with pytest.raises(sl.UnsupportedError, match="with which the GPU was not opened"):
            adapter.request_device_sync(required_features=lacking[:1])
    with pytest.raises(sl.UnsupportedError, match="the limit maxBindGroups of the adapter is"):
        adapter.request_device_sync(required_limits={"max-bind-groups": 10_000})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda device: device.create_sampler(mag_filter="liner"), "'mag_filter': there is no 'liner'; expected 'nearest' or 'linear'"),
        (
            lambda device: device.create_texture(size=(4, 4), format="rgba8unormm", usage="COPY_DST"),
            "'format': there is no 'rgba8unormm'; did you mean 'rgba8unorm'",
        ),
        (
            lambda device: device.create_texture(size=(4, 4), format="?", usage="COPY_DST"),
            r"'format': there is no '\?'; `streamlib.webgpu.TextureFormat` lists",
        ),
        (
            lambda device: device.adapter.request_device_sync(required_features=["shader-f61"]),
            "no feature 'shader-f61'; did you mean 'shader-f16'",
        ),
    ],
    ids=["word", "format", "unlike any", "feature"],
)
def test_unknown_words(gpu: sl.GpuContext, call: Callable[[webgpu.Device], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call(gpu.device)


def test_shaders_that_need_a_feature(gpu: sl.GpuContext) -> None:
    if "shader-f16" in gpu.device.features:
        pytest.skip("the GPU is opened with it")
    code = "enable f16; @compute @workgroup_size(1) fn main() { var half = 1.0h; }"
    with pytest.raises(sl.GpuError, match=r"(?s)f16.*ask for it before the GPU is opened"):
        gpu.device.create_shader_module(code=code)


def python(program: str) -> str:
    """Run a program of its own."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_memory_of_uploads_comes_back_before_it_is_waited_for() -> None:
    """In one call of a processor more is uploaded than there is memory for at once."""
    python("""
import numpy as np
import streamlib as sl

sl.gpu(budget_bytes=40 << 20)
picture = np.full((2048, 2048, 4), 7, np.uint8)


@sl.processor
def draw(frame: sl.VideoFrame) -> None:
    out = sl.gpu().frame(2048, 2048)
    for _ in range(4):
        out.write(picture)
    assert (out.to_numpy() == 7).all()


graph = sl.Graph()
graph.chain(sl.TestPattern(size=(64, 48)), draw())
graph.run(offline=True, frames=3)
""")


def test_a_device_that_is_made_first_is_adopted() -> None:
    assert (
        python("""
import streamlib as sl
from streamlib import webgpu
adapter = webgpu.gpu.request_adapter_sync()
feature = sorted(adapter.features - {"shader-f16"})[0]
device = adapter.request_device_sync(required_features=[feature])
assert feature in device.features
assert sl.gpu().device == device
graph = sl.Graph()
seen = []

@sl.processor
class Same:
    def setup(self, gpu: sl.GpuContext) -> None:
        seen.append(gpu.device == device)

    def process(self, frame: sl.VideoFrame) -> None:
        try:
            device.destroy()
        except sl.BusyError as error:
            seen.append(str(error))

graph.chain(sl.TestPattern(size=(16, 16)), Same())
graph.run(offline=True, frames=1)
print(seen)
""")
        == "[True, 'the device is in use: a graph runs on it; stop it first']\n"
    )


def test_devices_are_not_mixed_and_a_destroyed_one_says_so() -> None:
    assert (
        python("""
import streamlib as sl
from streamlib import webgpu
first = sl.gpu().device
buffer = first.create_buffer(label="old", size=16, usage="COPY_SRC | STORAGE")
mapped = first.create_buffer(size=16, usage="MAP_WRITE | COPY_SRC", mapped_at_creation=True)
array = memoryview(mapped.get_mapped_range())
frame = sl.gpu().frame(8, 8)
first.destroy()
for call in (
    lambda: first.create_buffer(size=16, usage=1),
    lambda: first.queue.read_buffer(buffer),
    lambda: mapped.write_mapped(b"12345678"),
    mapped.unmap,
):
    try:
        call()
    except sl.DeviceLostError:
        print("lost")
array[:] = b"1" * 16
second = sl.gpu().device
assert second != first
second.create_buffer(size=16, usage="STORAGE")
layout = second.create_bind_group_layout(entries=[{"binding": 0, "visibility": "COMPUTE", "buffer": {"type": "storage"}}])
for call in (
    lambda: second.queue.read_buffer(buffer),
    lambda: second.create_bind_group(layout=layout, entries=[{"binding": 0, "resource": buffer}]),
    lambda: second.queue.read_texture({"texture": frame.texture}, {}, (8, 8)),
):
    try:
        call()
    except ValueError as error:
        print(error)
""")
        == """lost
lost
lost
lost
argument 'buffer': 'old' is of another GPU device
argument 'entries[0].resource': 'old' is of another GPU device
argument 'source.texture': 'streamlib frame' is of another GPU device
"""
    )


def test_what_kernels_recorded_comes_before_each_call_of_the_queue(gpu: sl.GpuContext) -> None:
    """Each call of the queue within a processor sees, or leaves alone, what was recorded before it."""
    seen: dict[str, object] = {}
    add = gpu.kernel(ADD, label="add")
    paint = gpu.kernel(FILL, label="fill")

    @sl.processor
    def mixed(frame: sl.VideoFrame) -> None:
        device = gpu.device
        queue = device.queue
        usage = "STORAGE | COPY_SRC | COPY_DST"
        more, sums = (device.create_buffer_with_data(data=np.full(4, number, np.uint32), usage=usage) for number in (1, 0))
        add((4, 1), more=more, sums=sums)
        queue.write_buffer(more, 0, np.full(4, 10, np.uint32))
        add((4, 1), more=more, sums=sums)
        seen["write_buffer, read_buffer"] = queue.read_buffer(sums).cast("I").tolist()
        readable = device.create_buffer(size=16, usage="MAP_READ | COPY_DST")
        add((4, 1), more=more, sums=sums)
        encoder = device.create_command_encoder()
        encoder.copy_buffer_to_buffer(sums, 0, readable, 0, 16)
        queue.submit([encoder.finish()])
        readable.map_sync("READ")
        seen["submit, map_sync"] = readable.read_mapped().cast("I").tolist()
        readable.unmap()
        texture = device.create_texture(size=(8, 8), format="rgba8unorm", usage="STORAGE_BINDING | COPY_SRC | COPY_DST")
        paint(dst=texture)
        queue.write_texture({"texture": texture}, bytes(4), {"bytes_per_row": 4}, (1, 1))
        paint_over = np.frombuffer(queue.read_texture({"texture": texture}, {}, (2, 1)), np.uint8)
        seen["write_texture"] = paint_over.tolist()
        paint(dst=texture)
        seen["read_texture"] = np.frombuffer(queue.read_texture({"texture": texture}, {}, (1, 1)), np.uint8).tolist()
        done = frame.like()
        paint(dst=done)
        queue.on_submitted_work_done_sync()
        seen["on_submitted_work_done_sync"] = done.is_ready
        promised = frame.like()
        paint(dst=promised)
        queue.on_submitted_work_done_async().sync_wait()
        seen["on_submitted_work_done_async"] = promised.is_ready

    graph = sl.Graph()
    graph.chain(pattern(8, 8), mixed())
    graph.run(offline=True, frames=1)
    assert seen == {
        "write_buffer, read_buffer": [11] * 4,
        "submit, map_sync": [21] * 4,
        "write_texture": [0, 0, 0, 0, *FILLED.tolist()],
        "read_texture": FILLED.tolist(),
        "on_submitted_work_done_sync": True,
        "on_submitted_work_done_async": True,
    }


def test_a_group_that_is_refused_leaves_the_one_that_was_set(gpu: sl.GpuContext) -> None:
    device = gpu.device
    pipeline = device.create_compute_pipeline(layout="auto", compute={"module": device.create_shader_module(code=FILL)})
    first, second = gpu.frame(8, 8), gpu.frame(8, 8)
    groups = [
        device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=[{"binding": 0, "resource": frame.texture}])
        for frame in (first, second)
    ]
    second.write(np.zeros((8, 8, 4), np.uint8))
    publish(second)
    encoder = device.create_command_encoder()
    commands = encoder.begin_compute_pass()
    commands.set_pipeline(pipeline)
    commands.set_bind_group(0, groups[0])
    with pytest.raises(sl.InvalidArgumentError, match=r"set_bind_group\(0\) would change frame"):
        commands.set_bind_group(0, groups[1])
    commands.dispatch_workgroups(1, 1)
    commands.end()
    finished = encoder.finish()
    first.write(np.zeros((8, 8, 4), np.uint8))
    publish(first)
    with pytest.raises(sl.InvalidArgumentError, match="submit of the command buffer would change frame"):
        device.queue.submit([finished])
    assert not first.to_numpy().any()


@pytest.mark.parametrize("way", ["write_texture", "copy_texture_to_texture", "copy_buffer_to_texture"])
def test_a_copy_of_nothing_writes_nothing(gpu: sl.GpuContext, way: str) -> None:
    device = gpu.device

    @sl.processor
    def empty(frame: sl.VideoFrame) -> sl.VideoFrame:
        out = frame.like()
        to: webgpu.TexelCopyTextureInfo = {"texture": out.texture}
        encoder = device.create_command_encoder()
        if way == "write_texture":
            device.queue.write_texture(to, b"", {}, (0, 0))
        elif way == "copy_texture_to_texture":
            encoder.copy_texture_to_texture({"texture": frame.texture}, to, (0, 0))
        else:
            buffer = device.create_buffer(size=256, usage="COPY_SRC")
            encoder.copy_buffer_to_texture({"buffer": buffer, "bytes_per_row": 256}, to, (0, 0))
        device.queue.submit([encoder.finish()])
        return out

    graph = sl.Graph()
    graph.chain(pattern(8, 8), empty(), sl.Null())
    with pytest.raises(sl.InvalidArgumentError, match="a frame that nothing was drawn into"):
        graph.run(offline=True, frames=1)


def test_refused_reads_give_their_memory_back(gpu: sl.GpuContext) -> None:
    device = gpu.device
    texture = device.create_texture(label="small", size=(8, 8), format="rgba8unorm", usage="COPY_SRC")
    for _ in range(50):
        with pytest.raises(sl.GpuError, match="texture 'small'"):
            device.queue.read_texture({"texture": texture, "origin": (1, 0)}, {}, (8, 8))
    deadline = time.monotonic() + 10.0
    while sl.debug.live_objects()["staging_in_use"]:
        assert time.monotonic() < deadline, "memory of reads that were refused is out"
        time.sleep(0.001)


def test_finalizers_cannot_take_mapped_memory_away(gpu: sl.GpuContext) -> None:
    """An array of what is mapped is being made while the garbage collector runs code that maps, unmaps and destroys."""
    size = 1 << 20
    buffer = gpu.device.create_buffer(label="shared", size=size, usage="MAP_WRITE | COPY_SRC")
    buffer.map_sync("WRITE")
    said: list[str] = []

    class Meddler:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            if said:
                return
            said.append(str(buffer.get_mapped_range(size - 8, 8).nbytes))
            for meddle in (buffer.unmap, buffer.destroy):
                try:
                    meddle()
                except sl.GpuError as error:
                    said.append(str(error))

    thresholds = gc.get_threshold()
    gc.disable()
    Meddler()
    gc.enable()
    gc.set_threshold(1, 1, 1)
    try:
        kept = buffer.get_mapped_range(0, size - 16)
    finally:
        gc.set_threshold(*thresholds)
    assert kept.nbytes == size - 16
    if said:
        assert said == ["8", *["buffer 'shared' is being read by another call"] * 2]
    gc.collect()
    kept.release()


@pytest.mark.parametrize("clamp", [float("nan"), float("inf"), 1e39])
@pytest.mark.parametrize("argument", ["lod_min_clamp", "lod_max_clamp"])
def test_samplers_are_clamped_to_numbers(gpu: sl.GpuContext, argument: str, clamp: float) -> None:
    with pytest.raises(ValueError, match=f"'{argument}': it cannot be (NaN|inf)"):
        gpu.device.create_sampler(**{argument: clamp})  # type: ignore[arg-type]


def test_flags_are_those_of_webgpu(gpu: sl.GpuContext) -> None:
    device = gpu.device
    for usage in (True, 1 << 12):
        with pytest.raises((TypeError, ValueError), match="argument 'usage'"):
            device.create_buffer(size=4, usage=usage)
    with pytest.raises(ValueError, match="argument 'mode': it is a TextureUsage"):
        device.create_buffer(size=4, usage="MAP_READ | COPY_DST").map_sync(webgpu.TextureUsage.COPY_SRC)
    with pytest.raises(ValueError, match="argument 'data': an array of objects"):
        device.create_buffer_with_data(data=np.array([object()]), usage="STORAGE")


def test_errors_say_which_buffer_or_texture(gpu: sl.GpuContext) -> None:
    device, queue = gpu.device, gpu.device.queue
    small = device.create_buffer(label="small", size=8, usage="COPY_DST")
    with pytest.raises(sl.GpuError, match="buffer 'small': write_buffer"):
        queue.write_buffer(small, 4, bytes(8))
    with pytest.raises(ValueError, match="buffer 'small' cannot be read"):
        queue.read_buffer(small)
    texture = device.create_texture(label="flat", size=(4, 4), format="rgba8unorm", usage="COPY_DST")
    with pytest.raises(sl.GpuError, match="texture 'flat': write_texture"):
        queue.write_texture({"texture": texture, "origin": (2, 0)}, bytes(64), {"bytes_per_row": 16}, (4, 4))
    with pytest.raises(ValueError, match="texture 'flat' cannot be read"):
        queue.read_texture({"texture": texture}, {}, (4, 4))
