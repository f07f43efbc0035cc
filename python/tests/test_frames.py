"""Frames and arrays."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import queue
import signal
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest
from conftest import INVERT

import streamlib as sl

Array = np.ndarray[Any, np.dtype[np.uint8]]

pytestmark = pytest.mark.usefixtures("nothing_left")


def noise(*shape: int) -> Array:
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("format", "shape"),
    [
        (None, (48, 64, 4)),
        (None, (3, 5, 4)),
        (None, (1, 1, 4)),
        (None, (7, 9, 3)),
        ("bgr24", (7, 9, 3)),
        (None, (5, 3)),
        ("yuyv", (4, 6, 2)),
        ("uyvy", (5, 2, 2)),
        ("nv12", (6, 4)),
        ("i420", (9, 8)),
        ("i422", (8, 6)),
        ("i444", (9, 5)),
    ],
)
def test_arrays_come_back_as_they_went(format: str | None, shape: tuple[int, ...]) -> None:
    array = noise(*shape)
    frame = sl.VideoFrame.from_numpy(array, format=format, time=5, sequence=3)
    back = frame.to_numpy()
    assert np.array_equal(back, array)
    assert not back.flags.writeable
    assert back.dtype == np.uint8
    copy = frame.to_numpy(copy=True)
    assert np.array_equal(copy, array)
    assert copy.flags.writeable
    assert copy.flags.c_contiguous
    assert (frame.time, frame.sequence) == (5, 3)


def test_sizes_of_odd_pictures() -> None:
    frame = sl.VideoFrame.from_numpy(noise(9, 6), format="i420")
    assert (frame.size, frame.format, frame.texture.size) == ((6, 6), "i420", (6, 9, 1))


def test_rows_may_lie_apart() -> None:
    array = noise(10, 20, 4)[1:7:2, 3:11]
    assert not array.flags.c_contiguous
    assert np.array_equal(sl.VideoFrame.from_numpy(array).to_numpy(), array)


def test_read_only_arrays_are_fine() -> None:
    array = noise(4, 4, 4)
    array.flags.writeable = False
    assert np.array_equal(sl.VideoFrame.from_numpy(array).to_numpy(), array)


@pytest.mark.parametrize(
    ("array", "error", "says"),
    [
        (np.zeros((4, 4, 4), np.float32), TypeError, "numpy array of uint8, got one of float32"),
        ([[1, 2], [3, 4]], TypeError, "argument 'array': expected a numpy array of uint8, got list"),
        (None, TypeError, "got NoneType"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, r"its shape is \[4, 4, 2\]; expected \[height, width, 4\]"),
        (np.zeros((4, 4, 4, 4), np.uint8), ValueError, "its shape is"),
        (np.zeros(16, np.uint8), ValueError, "its shape is"),
        (np.zeros((0, 4, 4), np.uint8), ValueError, "sides from 1 to 16384"),
        (np.zeros((1, 20000, 4), np.uint8), ValueError, "sides from 1 to 16384"),
        (noise(4, 4, 4)[:, ::-1], ValueError, "use `numpy.ascontiguousarray"),
        (noise(4, 4, 4)[..., ::-1], ValueError, "use `numpy.ascontiguousarray"),
        (np.asfortranarray(noise(4, 4, 4)), ValueError, "the pixels of a row must follow each other"),
    ],
)
def test_arrays_that_are_no_pictures(array: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        sl.VideoFrame.from_numpy(array)


def test_planar_arrays_that_are_no_pictures() -> None:
    for format, shape in [("nv12", (5, 4)), ("i420", (6, 3)), ("yuyv", (4, 3, 2)), ("i444", (4, 4)), ("rgba8", (4, 4, 3))]:
        with pytest.raises(ValueError, match=f"a picture of {format} is"):
            sl.VideoFrame.from_numpy(noise(*shape), format=format)
    with pytest.raises(ValueError, match="no pixel format 'rgb'; there is: rgba8"):
        sl.VideoFrame.from_numpy(noise(4, 4, 4), format="rgb")


def test_write() -> None:
    frame = sl.VideoFrame.from_numpy(noise(6, 8, 4))
    other = 255 - noise(6, 8, 4)
    frame.write(other)
    assert np.array_equal(frame.to_numpy(), other)
    with pytest.raises(ValueError, match="its picture is of 8x5, the frame of 8x6"):
        frame.write(noise(5, 8, 4))
    assert np.array_equal(frame.to_numpy(), other)


def test_arrays_outlive_their_frames() -> None:
    array = sl.VideoFrame.from_numpy(noise(64, 64, 4)).to_numpy()
    for value in range(20):
        sl.VideoFrame.from_numpy(np.full((64, 64, 4), value, np.uint8)).to_numpy()
    assert np.array_equal(array, noise(64, 64, 4))


def test_arrays_that_are_kept_take_nothing_away() -> None:
    """A thousand of them are more than staging memory has for all."""
    frame = sl.VideoFrame.from_numpy(noise(128, 256, 4))
    kept = [frame.to_numpy() for _ in range(1000)]
    assert all(np.array_equal(array, kept[0]) for array in kept[::97])
    assert np.shares_memory(kept[0], kept[1]) is False


def test_numpy_makes_arrays_of_frames() -> None:
    array = noise(5, 6, 4)
    frame = sl.VideoFrame.from_numpy(array)
    made = np.asarray(frame)
    assert np.array_equal(made, array)
    assert not made.flags.writeable
    assert np.array(frame, copy=True).flags.writeable
    assert np.asarray(frame, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="argument 'copy': pixels cannot be given without a copy"):
        frame.__array__(copy=False)


def test_dlpack() -> None:
    array = noise(6, 4, 4)
    frame = sl.VideoFrame.from_numpy(array)
    assert np.array_equal(np.from_dlpack(frame), array)
    assert frame.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match="argument 'copy': pixels cannot be given without a copy"):
        frame.__dlpack__(copy=False)


def test_torch() -> None:
    torch = pytest.importorskip("torch")
    array = noise(6, 4, 4)
    tensor = torch.from_dlpack(sl.VideoFrame.from_numpy(array))
    assert np.array_equal(tensor.numpy(), array)


def test_like_takes_what_was_said_of_the_picture() -> None:
    frame = sl.VideoFrame.from_numpy(noise(4, 4, 4), time=9, sequence=2).with_metadata(camera="front", boxes=[[1, 2], [3, 4]])
    other = frame.like()
    assert (other.time, other.sequence, other.size, other.format) == (9, 2, (4, 4), "rgba8")
    assert other.metadata == {"camera": "front", "boxes": [[1, 2], [3, 4]]}
    assert frame.like("grey8").format == "grey8"
    assert frame.with_time(4).time == 4
    assert frame.with_sequence(5).sequence == 5
    with pytest.raises(TypeError, match="argument 'what': expected what JSON knows"):
        frame.with_metadata(what=object())
    with pytest.raises(ValueError, match="no pixel format"):
        frame.like("png")


def test_textures() -> None:
    frame = sl.VideoFrame.from_numpy(noise(4, 6, 4), time=1)
    texture = frame.texture
    assert (texture.width, texture.height, texture.size, texture.format) == (6, 4, (6, 4, 1), "rgba8unorm")
    assert texture.usage & 0x4, "it can be bound"
    assert frame.data.size == texture.size
    view = texture.create_view()
    del texture
    gc.collect()
    assert view.texture.size == (6, 4, 1)
    other = sl.VideoFrame.from_numpy(255 - noise(4, 6, 4), time=2).with_texture(view.texture)
    assert other.time == 2
    assert np.array_equal(other.to_numpy(), noise(4, 6, 4))
    with pytest.raises(ValueError, match="argument 'texture': it is rgba8 6x4"):
        sl.VideoFrame.from_numpy(noise(4, 4, 4)).with_texture(view.texture)


def test_a_texture_that_is_held_is_used_for_no_other_frame(gpu: sl.GpuContext) -> None:
    frame = sl.VideoFrame.from_numpy(noise(33, 65, 4))
    texture = frame.texture
    del frame
    others = [sl.VideoFrame.from_numpy(np.zeros((33, 65, 4), np.uint8)) for _ in range(3)]
    back = others[0].with_texture(texture)
    assert np.array_equal(back.to_numpy(), noise(33, 65, 4))


def test_edit() -> None:
    frame = sl.VideoFrame.from_numpy(noise(4, 4, 4))
    assert frame.edit() is frame, "nobody else holds it"
    texture = frame.texture
    copy = frame.edit()
    assert copy is not frame
    copy.write(np.zeros((4, 4, 4), np.uint8))
    assert np.array_equal(frame.to_numpy(), noise(4, 4, 4))
    del texture
    assert frame.edit() is frame


def test_convert() -> None:
    grey = sl.VideoFrame.from_numpy(np.full((4, 4, 4), 255, np.uint8)).convert("grey8")
    assert grey.format == "grey8"
    assert np.array_equal(grey.to_numpy(), np.full((4, 4), 235, np.uint8)), "white in limited range"
    assert grey.color == ("bt601", "limited", "left")
    with pytest.raises(sl.UnsupportedError):
        grey.convert("yuyv")


def test_kernels(gpu: sl.GpuContext) -> None:
    frame = sl.VideoFrame.from_numpy(noise(20, 30, 4))
    out = frame.like()
    invert = gpu.kernel(INVERT, label="invert")
    invert(src=frame, dst=out)
    inverted = out.to_numpy()
    assert np.array_equal(inverted[..., :3], 255 - noise(20, 30, 4)[..., :3])
    invert.dispatch_workgroups((2, 2, 1), src=out, dst=(again := out.like()))
    assert np.array_equal(again.to_numpy(), frame.to_numpy())
    assert invert.bindings == ["src", "dst"]


UNIFORMS = """
struct Inner { level: f32, count: u32 }
struct P { scale: vec4f, inner: Inner, offsets: array<vec4f, 2>, _padding: vec2f, sign: i32 }
@group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
@group(0) @binding(1) var<uniform> p: P;
@group(0) @binding(2) var<uniform> plain: vec2f;
@compute @workgroup_size(1) fn main() {
    let sum = p.scale * p.inner.level * f32(p.inner.count) + p.offsets[0] + p.offsets[1] * f32(p.sign);
    textureStore(dst, vec2u(0), sum + vec4f(plain, 0.0, 0.0));
}
"""
GIVEN = {"scale": (1, 0, 0, 0), "inner": {"level": 0.1, "count": 2}, "offsets": [(0, 0.4, 0, 0), [0, 0, -0.6, -1]], "sign": -1}


def test_uniforms(gpu: sl.GpuContext) -> None:
    kernel = gpu.kernel(UNIFORMS, label="uniforms")
    frame = gpu.frame(1, 1)
    kernel(dst=frame, p=GIVEN, plain=np.array([0.2, 0.0]))
    assert frame.to_numpy().ravel().tolist() == [102, 102, 153, 255]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"p": 3}, TypeError, "argument 'p': expected a dict with scale, inner.level"),
        ({"p": {**GIVEN, "scale": 1}}, TypeError, r"argument 'p': field 'scale': expected 4 numbers or vectors \(vec4<f32>\)"),
        ({"p": {**GIVEN, "scale": (1, 2, 3)}}, ValueError, "field 'scale': it has 3 elements"),
        ({"p": {**GIVEN, "scale": (1, 2, 3, "4")}}, TypeError, "field 'scale': expected a number"),
        ({"p": {**GIVEN, "sign": 0.5}}, TypeError, r"field 'sign': expected an integer \(i32\), got float"),
        ({"p": {**GIVEN, "inner": {"level": 1, "count": -1}}}, ValueError, "field 'inner.count': -1 is outside of u32"),
        ({"p": {**GIVEN, "inner": {"level": 1}}}, ValueError, "field 'inner.count', u32, is not given"),
        ({"p": {**GIVEN, "gain": 1}}, ValueError, "there is no field 'gain'; it has scale"),
        ({"p": {}}, ValueError, "field 'scale', vec4<f32>, is not given"),
        ({"plain": (1, 2, 3)}, ValueError, "argument 'plain': it has 3 elements"),
        ({"dst": 5}, TypeError, "argument 'dst': expected a VideoFrame or a webgpu.Texture, got int"),
        ({"other": 5}, ValueError, "argument 'other': kernel 'uniforms' has no such binding; it has dst"),
    ],
)
def test_wrong_arguments_of_kernels(gpu: sl.GpuContext, change: dict[str, Any], error: type[Exception], says: str) -> None:
    kernel = gpu.kernel(UNIFORMS, label="uniforms")
    with pytest.raises(error, match=says):
        kernel(**{"dst": gpu.frame(1, 1), "p": GIVEN, "plain": (0, 0), **change})


def test_kernels_that_cannot_be(gpu: sl.GpuContext) -> None:
    with pytest.raises(sl.InvalidArgumentError, match=r"kernel 'broken'.*line 1"):
        gpu.kernel("fn main() { nonsense }", label="broken")
    kernel = gpu.kernel(INVERT)
    with pytest.raises(sl.InvalidArgumentError, match="was not given dst"):
        kernel(src=sl.VideoFrame.from_numpy(noise(4, 4, 4)))
    frame = sl.VideoFrame.from_numpy(noise(4, 4, 4))
    with pytest.raises(sl.InvalidArgumentError, match="was given the same as 'src' and as 'dst'"):
        kernel(src=frame, dst=frame)
    with pytest.raises(sl.InvalidArgumentError, match="takes rgba8unorm as 'dst'"):
        kernel(src=frame, dst=gpu.frame(4, 4, "grey8"))


def test_constants_and_entry_points(gpu: sl.GpuContext) -> None:
    text = """
    override level: f32 = 0.0;
    @group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
    @compute @workgroup_size(1) fn red() { textureStore(dst, vec2u(0), vec4f(level, 0.0, 0.0, 1.0)); }
    @compute @workgroup_size(1) fn blue() { textureStore(dst, vec2u(0), vec4f(0.0, 0.0, level, 1.0)); }
    """
    frame = gpu.frame(1, 1)
    gpu.kernel(text, entry_point="blue", constants={"level": 1.0})(dst=frame)
    assert frame.to_numpy().ravel().tolist() == [0, 0, 255, 255]
    with pytest.raises(sl.InvalidArgumentError, match="green"):
        gpu.kernel(text, entry_point="green")


def test_frames_that_cannot_be(gpu: sl.GpuContext) -> None:
    for size in [(0, 4), (4, 20000)]:
        with pytest.raises(sl.InvalidArgumentError, match="cannot be"):
            gpu.frame(*size)
    with pytest.raises(OverflowError):
        gpu.frame(-1, 4)
    with pytest.raises(ValueError, match="no pixel format 'jpeg'"):
        gpu.frame(4, 4, "jpeg")
    with pytest.raises(sl.StalledError, match="has no pixels yet"):
        gpu.frame(4, 4).to_numpy()


def test_read_back(gpu: sl.GpuContext) -> None:
    pixels = sl.VideoFrame.from_numpy(noise(4, 4, 4)).read_back()
    array = pixels.wait()
    assert np.array_equal(array, noise(4, 4, 4))
    assert pixels.is_ready
    assert np.shares_memory(pixels.wait(), array), "who waits again has the same"
    assert pixels.wait(copy=True).flags.writeable
    del array
    gpu.wait_idle()


def test_a_read_back_that_was_given_up_can_be_awaited_again() -> None:
    async def read() -> Array:
        pixels = sl.VideoFrame.from_numpy(noise(4, 4, 4)).read_back()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(pixels, 0.0)
        array: Array = await pixels
        return array

    assert np.array_equal(asyncio.run(read()), noise(4, 4, 4))


def test_frames_without_pixels_are_not_read(gpu: sl.GpuContext) -> None:
    """They would show what was in the pool's memory before."""
    empty, out = gpu.frame(4, 4), gpu.frame(4, 4)
    with pytest.raises(sl.InvalidArgumentError, match="kernel 'invert' reads 'src', which has no pixels yet"):
        gpu.kernel(INVERT, label="invert")(src=empty, dst=out)
    with pytest.raises(sl.InvalidArgumentError, match="the frame has no pixels yet"):
        empty.convert("grey8")


def test_threads_of_a_processor_are_not_given_what_was_not_submitted(gpu: sl.GpuContext) -> None:
    invert = gpu.kernel(INVERT, label="invert")
    said: list[str] = []

    @sl.processor
    def draws(frame: sl.VideoFrame) -> sl.VideoFrame:
        out = frame.like()
        invert(src=frame, dst=out)
        return out

    @sl.processor
    def asks_a_thread(frame: sl.VideoFrame) -> None:
        def work() -> None:
            try:
                invert(src=frame, dst=frame.like())
            except sl.InvalidArgumentError as error:
                said.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(8, 8)), draws(), asks_a_thread())
    graph.run(offline=True, frames=1)
    assert len(said) == 1
    assert "was not submitted" in said[0]


def test_read_back_is_awaited() -> None:
    async def read() -> Array:
        array: Array = await sl.VideoFrame.from_numpy(noise(4, 4, 4)).read_back()
        return array

    assert np.array_equal(asyncio.run(read()), noise(4, 4, 4))


SLOW = """
@group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    var state = id.x + 1u;
    for (var step = 0u; step < 60000u; step++) {
        state ^= state << 13u;
        state ^= state >> 17u;
        state ^= state << 5u;
    }
    textureStore(dst, id.xy, unpack4x8unorm(state));
}
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers here")
def test_who_waits_for_pixels_hears_signals(gpu: sl.GpuContext) -> None:
    reads: queue.Queue[sl.ReadBack] = queue.Queue()
    slow = gpu.kernel(SLOW)
    frame = gpu.frame(320, 200)
    slow(dst=frame)
    gpu.wait_idle()
    begin = time.perf_counter()
    slow(dst=frame)
    gpu.wait_idle()
    # A second of work, and on a fast GPU no more than it will take at once.
    rounds = min(math.ceil(1 / (time.perf_counter() - begin)), 500)

    @sl.processor
    def draw(frame: sl.VideoFrame) -> None:
        drawn = frame.like()
        for _ in range(rounds):
            slow(dst=drawn)
        reads.put(drawn.read_back())

    class Pressed(Exception):
        """What the handler raises."""

    states: list[bool] = []

    def handle(*_: object) -> None:
        states.append(pixels.is_ready)
        raise Pressed

    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(320, 200)), draw())
    before = signal.signal(signal.SIGALRM, handle)
    try:
        graph.start(frames=1)
        pixels = reads.get(timeout=60)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Pressed):
            pixels.wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # While the GPU was at it.
    assert states == [False]
    assert pixels.wait().shape == (200, 320, 4)
    graph.wait()


def test_who_waits_for_another_has_submitted_what_the_other_waits_for(gpu: sl.GpuContext) -> None:
    read: list[Array] = []
    invert = gpu.kernel(INVERT)

    @sl.processor
    def ask(frame: sl.VideoFrame) -> None:
        drawn, answer = frame.like(), frame.like()
        invert(src=frame, dst=drawn)

        def other() -> None:
            drawn.to_numpy()
            invert(src=drawn, dst=answer)

        thread = threading.Thread(target=other)
        thread.start()
        read.extend((answer.to_numpy(copy=True), frame.to_numpy(copy=True)))
        thread.join()

    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(64, 48)), ask())
    graph.run(offline=True, frames=1)
    after, before = read
    assert np.array_equal(before, after)


def test_descriptions(gpu: sl.GpuContext) -> None:
    frame = sl.VideoFrame.from_numpy(noise(4, 6, 4), time=7, sequence=1)
    assert repr(frame) == "<streamlib.VideoFrame #1 rgba8 6x4 at 7 ns>"
    assert frame.alpha == "opaque"
    assert 0 <= frame.age < 60
    assert repr(frame.texture) == "<streamlib.webgpu.Texture 'streamlib frame' rgba8unorm 6x4>"
    assert gpu.adapter in repr(gpu)
    gpu.wait_idle()
    assert frame.is_ready
    assert frame.gpu.adapter == gpu.adapter
    reference = weakref.ref(frame)
    del frame
    assert reference() is None


def test_the_gpu_is_chosen_once(gpu: sl.GpuContext) -> None:
    with pytest.raises(sl.BusyError, match="the GPU is open already; choose the adapter"):
        sl.gpu(adapter="other")


def test_a_kernel_that_writes_numbers_is_told_how_often(gpu: sl.GpuContext) -> None:
    count = gpu.kernel(
        """
        @group(0) @binding(0) var src: texture_2d<f32>;
        @group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;
        @compute @workgroup_size(8, 8)
        fn main(@builtin(global_invocation_id) id: vec3u) {
            if all(id.xy < textureDimensions(src)) { atomicAdd(&counts[0], 1u); }
        }
        """,
        label="count",
    )
    frame = sl.VideoFrame.from_numpy(noise(24, 32, 4))
    counts = gpu.device.create_buffer(size=4, usage="STORAGE | COPY_SRC")
    with pytest.raises(sl.InvalidArgumentError, match=r"kernel 'count' writes no texture.*kernel\(frame.size"):
        count(src=frame, counts=counts)
    count(frame.size, src=frame, counts=counts)
    assert gpu.device.queue.read_buffer(counts).cast("I").tolist() == [24 * 32]


@pytest.mark.parametrize(("rate", "kept"), [(30, "30"), (29.97, "29.97"), ("30000/1001", "30000/1001")])
def test_rates_are_numbers_or_text(rate: float | str, kept: str) -> None:
    assert sl.TestPattern(rate=rate).rate == rate, kept
    with pytest.raises(sl.InvalidArgumentError, match="is no frame rate; give frames a second above 0"):
        sl.TestPattern(rate=-1)
