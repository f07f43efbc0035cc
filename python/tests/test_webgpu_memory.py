"""Nothing of `streamlib.webgpu` leaks: neither Python's objects nor those of wgpu behind them, however they end.

These run under AddressSanitizer and Valgrind, too, where the GPU is wgpu's no-op backend: they look at what lives, not at what is computed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from conftest import INVERT, alive, gpu_objects
from support import pattern

import streamlib as sl
from streamlib import webgpu

pytestmark = pytest.mark.usefixtures("used_before", "nothing_left", "nothing_left_on_the_gpu")

# Under Valgrind everything takes fifty times as long.
SCALE = float(os.environ.get("STREAMLIB_MEMORY_SCALE", "1"))


def often(count: int) -> range:
    return range(max(3, int(count * SCALE)))


ADD = """
@group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) { numbers[id.x] += 1u; }
"""
STORAGE: list[Any] = [{"binding": 0, "visibility": "COMPUTE", "buffer": {"type": "storage"}}]
PICTURE: list[Any] = [{"binding": 0, "visibility": "COMPUTE", "storage_texture": {"format": "rgba8unorm"}}]


class Kit:
    """One object of each class that the others are made with."""

    def __init__(self, gpu: sl.GpuContext) -> None:
        self.device = gpu.device
        self.layout = self.device.create_bind_group_layout(entries=STORAGE)
        self.pipeline_layout = self.device.create_pipeline_layout(bind_group_layouts=[self.layout])
        self.module = self.device.create_shader_module(code=ADD)
        self.pipeline = self.device.create_compute_pipeline(layout=self.pipeline_layout, compute={"module": self.module})
        self.buffer = self.bytes()
        self.group = self.bind(self.buffer)

    def bytes(self, usage: str = "STORAGE | COPY_SRC | COPY_DST", mapped: bool = False) -> webgpu.Buffer:
        return self.device.create_buffer(size=64, usage=usage, mapped_at_creation=mapped)

    def texture(self) -> webgpu.Texture:
        usage = "COPY_SRC | COPY_DST | TEXTURE_BINDING | STORAGE_BINDING"
        return self.device.create_texture(size=(8, 8), format="rgba8unorm", usage=usage)

    def bind(self, buffer: webgpu.Buffer) -> webgpu.BindGroup:
        return self.device.create_bind_group(layout=self.layout, entries=[{"binding": 0, "resource": buffer}])

    def picture(self, texture: webgpu.Texture) -> webgpu.BindGroup:
        layout = self.device.create_bind_group_layout(entries=PICTURE)
        return self.device.create_bind_group(layout=layout, entries=[{"binding": 0, "resource": texture}])

    def recording(self) -> tuple[webgpu.CommandEncoder, webgpu.ComputePass]:
        encoder = self.device.create_command_encoder()
        recording = encoder.begin_compute_pass()
        recording.set_pipeline(self.pipeline)
        recording.set_bind_group(0, self.group)
        recording.dispatch_workgroups(1)
        return encoder, recording

    def commands(self) -> webgpu.CommandBuffer:
        encoder, recording = self.recording()
        recording.end()
        return encoder.finish()

    def clearing(self, buffer: webgpu.Buffer) -> webgpu.CommandBuffer:
        encoder = self.device.create_command_encoder()
        encoder.clear_buffer(buffer)
        return encoder.finish()


@pytest.fixture(scope="module")
def used_before(gpu: sl.GpuContext) -> None:
    """What streamlib makes once, at the first use, is there."""
    frame, out = sl.VideoFrame.from_numpy(np.zeros((8, 8, 4), np.uint8)), gpu.frame(8, 8)
    gpu.kernel(INVERT)(src=frame, dst=out)
    graph = sl.Graph()
    graph.chain(pattern(8, 8), Painting(), sl.Null())
    graph.run(offline=True, frames=3)
    gpu.wait_idle()


@pytest.fixture
def kit(nothing_left: None, nothing_left_on_the_gpu: None, gpu: sl.GpuContext) -> Iterator[Kit]:
    """Ends before what is left is counted."""
    kit = Kit(gpu)
    yield kit
    vars(kit).clear()


needs_a_driver = pytest.mark.skipif("sl.gpu().backend != 'vulkan'", reason="needs a driver and a process of its own")


@sl.processor
class Painting:
    """Draws with WebGPU."""

    def setup(self, gpu: sl.GpuContext) -> None:
        self.kit = Kit(gpu)
        self.source = self.kit.texture()

    def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
        out = frame.like()
        encoder = self.kit.device.create_command_encoder()
        encoder.copy_texture_to_texture({"texture": self.source}, {"texture": out.texture}, (8, 8))
        self.kit.device.queue.submit([encoder.finish(), self.kit.commands()])
        return out

    def teardown(self) -> None:
        del self.kit, self.source


class TestCreationUnderStress:
    """Creation and destruction, again and again."""

    def test_devices_and_adapters(self, gpu: sl.GpuContext) -> None:
        for _ in often(200):
            adapter = webgpu.gpu.request_adapter_sync()
            device = adapter.request_device_sync()
            assert device == gpu.device
            assert device.adapter.info
            assert device.limits
            device.queue.submit([])
            adapter.request_device_async()
            webgpu.gpu.enumerate_adapters_async()

    def test_all_classes(self, gpu: sl.GpuContext) -> None:
        for number in often(300):
            kit = Kit(gpu)
            kit.texture().create_view()
            kit.device.create_sampler()
            kit.device.create_query_set(type="occlusion", count=4)
            kit.device.create_buffer_with_data(data=b"12345", usage="STORAGE")
            kit.pipeline.get_bind_group_layout(0)
            kit.module.get_compilation_info_sync()
            kit.device.queue.submit([kit.commands()])
            if number % 2:
                kit.buffer.destroy()

    def test_mappings(self, kit: Kit) -> None:
        written, read = kit.bytes("MAP_WRITE | COPY_SRC"), kit.bytes("MAP_READ | COPY_DST")
        for _ in often(300):
            written.map_sync("WRITE")
            written.write_mapped(bytes(8), 8)
            memory = written.get_mapped_range(16, 8)
            memory[:4] = b"abcd"
            written.unmap()
            read.map_async("READ").sync_wait()
            read.read_mapped()
            read.read_mapped(copy=False)
            read.get_mapped_range()
            read.unmap()
            kit.bytes("MAP_WRITE | COPY_SRC", mapped=True)

    def test_what_the_queue_copies(self, kit: Kit) -> None:
        texture, queue = kit.texture(), kit.device.queue
        for _ in often(300):
            queue.write_buffer(kit.buffer, 0, bytes(64))
            queue.read_buffer(kit.buffer)
            queue.write_texture({"texture": texture}, bytes(256), {"bytes_per_row": 32}, (8, 8))
            queue.read_texture({"texture": texture}, {}, (8, 8))
        queue.on_submitted_work_done_sync()
        queue.on_submitted_work_done_async().sync_wait()

    def test_promises(self, kit: Kit) -> None:
        compute: Any = {"module": kit.module}

        async def waits() -> None:
            pipeline = await kit.device.create_compute_pipeline_async(layout=kit.pipeline_layout, compute=compute)
            await asyncio.gather(*[kit.device.queue.on_submitted_work_done_async() for _ in range(5)])
            assert await kit.module.get_compilation_info_async() == []
            del pipeline

        for _ in often(10):
            asyncio.run(waits())

    def test_promises_that_nobody_awaits(self, kit: Kit) -> None:
        compute: Any = {"module": kit.module}
        for _ in often(100):
            kit.device.create_compute_pipeline_async(layout="auto", compute=compute)
            kit.device.queue.on_submitted_work_done_async()
            buffer = kit.bytes("MAP_READ | COPY_DST")
            buffer.map_async("READ")
        promise = kit.bytes("MAP_READ | COPY_DST").map_async("READ")
        with contextlib.suppress(sl.CancelledError):
            promise.sync_wait()


class TestReferencesAtTheEdges:
    """Parents that go before their children, things that are never finished, cycles, frames that are kept."""

    def test_parents_go_first(self, gpu: sl.GpuContext) -> None:
        kit = Kit(gpu)
        buffer, group, view = kit.bytes(), kit.group, kit.texture().create_view()
        commands, pipeline, queue = kit.commands(), kit.pipeline, kit.device.queue
        del kit
        gc.collect()
        assert view.texture.size == (8, 8, 1)
        queue.write_buffer(buffer, 0, bytes(64))
        encoder = gpu.device.create_command_encoder()
        recording = encoder.begin_compute_pass()
        del encoder
        recording.set_pipeline(pipeline)
        recording.set_bind_group(0, group)
        recording.end()
        queue.submit([commands])
        del group, pipeline, commands
        queue.on_submitted_work_done_sync()

    def test_what_a_bind_group_is_of_goes_first(self, kit: Kit) -> None:
        objects = gpu_objects()
        for _ in often(20):
            kit.picture(kit.texture())
        group = kit.picture(kit.texture())
        gc.collect()
        kept = gpu_objects()
        assert {name for name in kept if kept[name] > objects[name]} >= {"bind_groups"}
        del group
        assert gpu_objects() == objects

    def test_what_is_never_finished(self, kit: Kit) -> None:
        for _ in often(100):
            kit.recording()
            encoder, recording = kit.recording()
            del encoder
            del recording
            encoder, recording = kit.recording()
            del recording
            with pytest.raises(sl.GpuError, match="recording"):
                encoder.finish()
            kit.commands()

    def test_a_pass_with_mistakes_that_is_dropped_says_nothing_to_others(self, gpu: sl.GpuContext, kit: Kit) -> None:
        for _ in often(5):
            recording = kit.device.create_command_encoder().begin_compute_pass()
            recording.pop_debug_group()
            recording.dispatch_workgroups(2**32 - 1)
            del recording
            frame, out = sl.VideoFrame.from_numpy(np.zeros((8, 8, 4), np.uint8)), gpu.frame(8, 8)
            gpu.kernel(INVERT)(src=frame, dst=out)
            graph = sl.Graph()
            graph.chain(pattern(8, 8), sl.Null())
            graph.run(offline=True, frames=2)

    def test_cycles(self, gpu: sl.GpuContext) -> None:
        class Holder:
            def __init__(self) -> None:
                self.kit = Kit(gpu)
                self.group = self.kit.group
                self.call = lambda: self.group
                self.promise = self.kit.device.create_compute_pipeline_async(layout="auto", compute={"module": self.kit.module})
                self.wait = self.promise.sync_wait

        for _ in often(30):
            Holder()

    def test_a_frame_that_a_bind_group_keeps(self, gpu: sl.GpuContext, kit: Kit) -> None:
        def in_use() -> int:
            gc.collect()
            gpu.wait_idle()
            return sl.debug.live_objects()["textures_in_use"]

        frame = gpu.frame(8, 8)
        group = kit.picture(frame.texture)
        del frame
        assert in_use() == 1
        others = [gpu.frame(8, 8) for _ in range(4)]
        assert in_use() == 5
        del others
        encoder = kit.device.create_command_encoder()
        recording = encoder.begin_compute_pass()
        recording.set_bind_group(0, group)
        del group
        assert in_use() == 1, "what is recorded needs it"
        recording.end()
        commands = encoder.finish()
        del encoder, recording
        assert in_use() == 1
        kit.device.queue.submit([commands])
        assert in_use() == 0
        del commands

    @pytest.mark.parametrize("is_finished", [False, True])
    def test_a_pass_that_has_ended_keeps_no_frame(self, gpu: sl.GpuContext, kit: Kit, is_finished: bool) -> None:
        encoder, recording = kit.recording()
        recording.end()
        commands = encoder.finish() if is_finished else None
        group = kit.picture(gpu.frame(8, 8).texture)
        with pytest.raises(sl.GpuError, match="has ended"):
            recording.set_bind_group(0, group)
        del group
        assert sl.debug.live_objects()["textures_in_use"] == 0, "the encoder keeps a frame that it does not use"
        del commands

    def test_mapped_memory_outlives_its_buffer(self, kit: Kit) -> None:
        for _ in often(50):
            buffer = kit.bytes("MAP_WRITE | COPY_SRC", mapped=True)
            memory = buffer.get_mapped_range(0, 32)
            array = np.asarray(memory)
            part = array[8:16]
            del buffer, memory, array
            gc.collect()
            part[:] = 7
            assert part.sum() == 56
            del part

    def test_others_drop_what_one_has_made(self, gpu: sl.GpuContext) -> None:
        made: list[Any] = []

        def make() -> None:
            kit = Kit(gpu)
            mapped = kit.bytes("MAP_WRITE | COPY_SRC", mapped=True)
            made.extend(
                [
                    kit,
                    *kit.recording(),
                    kit.commands(),
                    kit.texture().create_view(),
                    mapped,
                    mapped.get_mapped_range(),
                    gpu.frame(8, 8).texture,
                ]
            )

        for _ in often(30):
            make()
        random.Random(1).shuffle(made)

        def drop() -> None:
            while made:
                try:
                    made.pop()
                except IndexError:
                    return

        threads = [threading.Thread(target=drop) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class TestFinalisers:
    """Finalisers and garbage collection at bad moments."""

    def test_a_finaliser_that_uses_the_queue(self, gpu: sl.GpuContext) -> None:
        done = []

        class Late:
            def __init__(self) -> None:
                self.kit = Kit(gpu)
                self.commands = self.kit.commands()
                self.me = self

            def __del__(self) -> None:
                self.kit.device.queue.submit([self.commands])
                self.kit.device.queue.read_buffer(self.kit.buffer)
                done.append(1)

        for _ in often(20):
            Late()
        gc.collect()
        assert len(done) == len(often(20))

    def test_weak_references(self, kit: Kit) -> None:
        gone: list[int] = []

        def used(_: object) -> None:
            kit.device.queue.write_buffer(kit.buffer, 0, bytes(4))
            kit.device.queue.submit([])
            gone.append(1)

        encoder, recording = kit.recording()
        mapped = kit.bytes("MAP_WRITE | COPY_SRC", mapped=True)
        things: list[Any] = [
            kit.device.adapter,
            kit.device.create_sampler(),
            kit.bytes(),
            kit.texture(),
            kit.texture().create_view(),
            kit.commands(),
        ]
        things += [encoder, recording, mapped, mapped.get_mapped_range(), kit.device.create_query_set(type="occlusion", count=1)]
        things += [kit.pipeline.get_bind_group_layout(0), kit.bind(kit.buffer), kit.device.create_pipeline_layout(bind_group_layouts=[])]
        references = [weakref.ref(thing, used) for thing in things]
        del encoder, recording, mapped
        things.clear()
        gc.collect()
        assert len(gone) == len(references)

    def test_collections_while_commands_are_recorded(self, kit: Kit) -> None:
        thresholds = gc.get_threshold()
        gc.set_threshold(1, 1, 1)
        try:
            for _ in often(50):
                waste: list[Any] = [kit.recording(), kit.commands()]
                waste.append(waste)
                kit.device.queue.submit([kit.commands()])
        finally:
            gc.set_threshold(*thresholds)

    @needs_a_driver
    @pytest.mark.parametrize(
        "end", ["pass", "raise SystemExit(0)", "device.destroy()", "threading.Thread(target=forever, daemon=True).start()"]
    )
    def test_an_interpreter_that_ends_with_everything_alive(self, end: str) -> None:
        code = f"""
        import threading
        import numpy as np
        import streamlib as sl
        import test_webgpu_memory as memory
        from streamlib import webgpu

        def forever():
            while True:
                kit.device.queue.read_buffer(kit.buffer)

        kit = memory.Kit(sl.gpu())
        device = kit.device
        everything = [kit.recording(), kit.commands(), kit.texture().create_view(), device.create_sampler(), device.adapter]
        read = kit.bytes("MAP_READ | COPY_DST")
        everything += [read, read.map_async("READ"), sl.gpu().frame(8, 8).texture, device.create_query_set(type="occlusion", count=1)]
        everything.append(everything)
        mapped = kit.bytes("MAP_WRITE | COPY_SRC", mapped=True)
        array = np.asarray(mapped.get_mapped_range())
        device.queue.submit([kit.commands()])
        if {end!r} == "device.destroy()":
            del array
            mapped.unmap()
        {end}
        """
        command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert (ended.returncode, ended.stderr) == (0, "")


class TestContextManagers:
    """`with` blocks whose graphs use WebGPU, however they are left."""

    def graph(self) -> sl.Graph:
        graph = sl.Graph()
        graph.chain(pattern(8, 8), Painting(), Painting(), sl.Null())
        return graph

    def test_left_at_the_end(self) -> None:
        for _ in often(5):
            graph = self.graph()
            with graph:
                graph.stats()

    def test_left_by_an_exception(self, kit: Kit) -> None:
        for _ in often(5):
            with pytest.raises(sl.GpuError), self.graph():
                kit.recording()[0].finish()

    def test_a_processor_that_fails_while_it_records(self) -> None:
        @sl.processor
        class Failing:
            def setup(self, gpu: sl.GpuContext) -> None:
                self.kit = Kit(gpu)

            def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
                _, recording = self.kit.recording()
                recording.set_bind_group(0, self.kit.picture(frame.like().texture))
                raise RuntimeError("while it records")

            def teardown(self) -> None:
                del self.kit

        for _ in often(5):
            graph = sl.Graph()
            graph.chain(pattern(8, 8), Failing(), sl.Null())
            with pytest.raises(RuntimeError, match="while it records"):
                graph.run(offline=True, frames=3)

    def test_released_memoryviews(self, kit: Kit) -> None:
        buffer = kit.bytes("MAP_WRITE | COPY_SRC", mapped=True)
        with buffer.get_mapped_range(0, 32) as memory, buffer.get_mapped_range(32, 32):
            memory[0] = 1
        buffer.unmap()
        with pytest.raises(ValueError, match="released"):
            memory[0] = 1


class TestErrorPaths:
    """Exceptions wherever they can be: what was made before is gone, what was there before is as it was."""

    def test_constructions_that_fail_half_way(self, gpu: sl.GpuContext, kit: Kit) -> None:
        device, texture = kit.device, kit.texture()
        good: Any = {"binding": 0, "resource": texture}
        frame: Any = {"binding": 1, "resource": gpu.frame(8, 8).texture}
        bad: list[Any] = [
            {"binding": 2, "resource": 5},
            {"binding": -1, "resource": texture},
            None,
            {"binding": 0},
            {"binding": 2, "resource": {}},
        ]

        def broken() -> Any:
            yield good
            yield frame
            raise KeyError("broken")

        attempts: list[Callable[[], object]] = [
            *[lambda entry=entry: device.create_bind_group(layout=kit.layout, entries=[good, frame, entry]) for entry in bad],
            lambda: device.create_bind_group(layout=kit.layout, entries=broken()),
            lambda: device.create_bind_group(layout=kit.layout, entries=[good, frame]),
            lambda: device.create_bind_group_layout(entries=[*STORAGE, *STORAGE]),
            lambda: device.create_pipeline_layout(bind_group_layouts=[kit.layout, 5]),  # type: ignore[list-item]
            lambda: device.create_compute_pipeline(layout="auto", compute={"module": kit.module, "entry_point": "none"}),
            lambda: device.create_compute_pipeline_async(layout="auto", compute={"module": kit.module, "entry_point": "none"}).sync_wait(),
            lambda: device.create_shader_module(code="nonsense"),
            lambda: device.create_buffer(size=2**62, usage="STORAGE", mapped_at_creation=True),
            lambda: device.create_buffer_with_data(data=bytes(8), usage="STORAGE | NONE"),
            lambda: device.create_texture(size=(8, 8), format="rgba8unorm", usage=0),
            lambda: device.create_sampler(max_anisotropy=0),
            lambda: device.create_query_set(type="occlusion", count=0),
            lambda: texture.create_view(base_mip_level=7),
            lambda: device.create_command_encoder().begin_compute_pass(timestamp_writes={"query_set": None}),  # type: ignore[arg-type]
            lambda: device.queue.write_buffer(kit.buffer, 2, b"1234"),
            lambda: device.queue.read_texture({"texture": texture}, {}, (9, 9)),
            lambda: gpu.frame(8, 8).texture.destroy(),
            lambda: webgpu.gpu.request_adapter_sync().request_device_sync(required_limits={"none": 1}),
        ]
        if gpu.backend == "vulkan":
            # The backend that does nothing compiles nothing.
            constants: Any = {"module": kit.module, "constants": {"none": 1.0}}
            attempts.append(lambda: device.create_compute_pipeline(layout="auto", compute=constants))
        for _ in often(20):
            for attempt in attempts:
                with pytest.raises((ValueError, TypeError, KeyError, sl.Error)):
                    attempt()

    def test_commands_with_mistakes(self, kit: Kit) -> None:
        for _ in often(50):
            encoder, recording = kit.recording()
            recording.set_bind_group(7, kit.group, [1, 2, 3])
            recording.end()
            encoder.clear_buffer(kit.buffer, 1)
            with pytest.raises(sl.GpuError):
                encoder.finish()

    def test_a_list_with_a_consumed_buffer(self, kit: Kit) -> None:
        first, consumed, last = kit.commands(), kit.commands(), kit.commands()
        kit.device.queue.submit([consumed])
        for _ in often(5):
            with pytest.raises(sl.GpuError, match="submitted already"):
                kit.device.queue.submit([first, consumed, last])
            with pytest.raises(sl.GpuError, match="submitted already"):
                kit.device.queue.submit([last, first, last])
            with pytest.raises(TypeError):
                kit.device.queue.submit([first, None])  # type: ignore[list-item]
        kit.device.queue.submit([first, last])
        with pytest.raises(sl.GpuError, match="submitted already"):
            kit.device.queue.submit([last])

    def test_arrays_outlive_the_mapping(self, kit: Kit) -> None:
        """Their bytes are theirs: what is written to them afterwards goes nowhere."""
        for end in ("unmap", "destroy"):
            buffer = kit.bytes("MAP_WRITE | COPY_SRC", mapped=True)
            memory = buffer.get_mapped_range(32, 32)
            array = np.asarray(buffer.get_mapped_range(0, 32))
            array[:] = 1
            getattr(buffer, end)()
            assert buffer.map_state == "unmapped"
            with pytest.raises(ValueError, match="released"):
                memory[0]
            array[:] = 2
            assert array.sum() == 64
            del array

    def test_ranges_that_overlap(self, kit: Kit) -> None:
        buffer = kit.bytes("MAP_WRITE | COPY_SRC", mapped=True)
        buffer.get_mapped_range(0, 32)
        with pytest.raises(sl.GpuError, match="may not overlap"):
            buffer.get_mapped_range(24, 16)
        buffer.get_mapped_range(32, 16)
        buffer.unmap()

    def test_mappings_that_are_cancelled(self, kit: Kit) -> None:
        for end in ("unmap", "destroy"):
            buffer = kit.bytes("MAP_READ | COPY_DST")
            for _ in often(20) if end == "unmap" else range(1):
                kit.device.queue.submit([kit.commands()])
                promise = buffer.map_async("READ")
                getattr(buffer, end)()
                assert buffer.map_state == "unmapped"
                try:
                    promise.sync_wait()
                except sl.CancelledError as error:
                    assert "unmapped or destroyed" in str(error)  # noqa: PT017 - it may have been faster

    def test_what_was_counted(self, gpu: sl.GpuContext) -> None:
        before, objects = alive(), gpu_objects()
        kit = Kit(gpu)
        mapped = kit.bytes("MAP_WRITE | COPY_SRC", mapped=True)
        things: list[Any] = [
            kit.texture().create_view(),
            kit.device.create_sampler(),
            kit.device.create_query_set(type="occlusion", count=1),
        ]
        things += [*kit.recording(), kit.commands(), mapped.get_mapped_range(), kit.device.adapter]
        after, made = alive(), gpu_objects()
        grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        once = ["Adapter", "BindGroup", "BindGroupLayout", "CommandBuffer", "CommandEncoder", "ComputePass", "ComputePipeline", "Device"]
        once += ["PipelineLayout", "QuerySet", "Queue", "Sampler", "ShaderModule", "Texture", "TextureView"]
        assert grown == dict.fromkeys(once, 1) | {"Buffer": 2}
        assert {name: made[name] - objects[name] for name in made} == {
            **dict.fromkeys(["textures", "views", "bind_groups", "shader_modules", "pipelines", "samplers", "query_sets"], 1),
            **dict.fromkeys(["buffers", "layouts", "command_encoders"], 2),
        }
        things.clear()
