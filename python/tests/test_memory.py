"""Nothing leaks: what is created is destroyed, however it ends.

These run under AddressSanitizer and Valgrind, too, where the GPU is wgpu's no-op backend: they look at what lives, not at pixels.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from conftest import INVERT, alive
from support import Collect, Count, Number, pattern

import streamlib as sl

pytestmark = pytest.mark.usefixtures("nothing_left")

# Under Valgrind everything takes fifty times as long.
SCALE = float(os.environ.get("STREAMLIB_MEMORY_SCALE", "1"))


def often(count: int) -> range:
    return range(max(3, int(count * SCALE)))


ZEROS = np.zeros((8, 8, 4), np.uint8)


def drawn(frame: sl.VideoFrame) -> sl.VideoFrame:
    out = frame.like()
    out.write(ZEROS)
    return out


@sl.processor
def passed(frame: sl.VideoFrame) -> sl.VideoFrame:
    return frame


class TestCreationUnderStress:
    """Creation and destruction, again and again."""

    def test_frames(self, gpu: sl.GpuContext) -> None:
        for number in often(2000):
            frame = gpu.frame(8 + number % 5, 8)
            frame.with_metadata(number=number).with_time(number).like()
            frame.texture.create_view()

    def test_uploads_and_read_backs(self) -> None:
        for _ in often(500):
            frame = sl.VideoFrame.from_numpy(ZEROS)
            frame.to_numpy()
            frame.read_back()
            frame.read_back().wait(copy=True)
            frame.edit().write(ZEROS)
            np.from_dlpack(frame)

    def test_kernels(self, gpu: sl.GpuContext) -> None:
        frame, out = sl.VideoFrame.from_numpy(np.zeros((8, 8, 4), np.uint8)), gpu.frame(8, 8)
        for _ in often(500):
            gpu.kernel(INVERT)(src=frame, dst=out)
        gpu.wait_idle()

    def test_graphs(self) -> None:
        for _ in often(30):
            graph = sl.Graph()
            graph.chain(pattern(8, 8), passed(), sl.BouncingBall(), passed(), sl.Null())
            graph.run(offline=True, frames=3)

    def test_graphs_that_never_run(self) -> None:
        for _ in often(200):
            graph = sl.Graph()
            graph.chain(pattern(8, 8), passed(), sl.Null())
            graph.explain()

    def test_classes_of_processors(self) -> None:
        """A class that was made in a function goes with its declaration."""
        before = sl.debug.live_objects()["Declaration"]
        for _ in often(50):

            @sl.processor
            class Local:
                size: int = 1

                def process(self, number: Number) -> Number:
                    return number

            graph = sl.Graph()
            graph.chain(Count(end=2), Local(), Collect())
            graph.run(offline=True)
            del Local, graph
        gc.collect()
        assert sl.debug.live_objects()["Declaration"] <= before + 1, "the last one's names may live on"

    def test_a_thousand_frames_at_once(self, gpu: sl.GpuContext) -> None:
        frames = [gpu.frame(16, 16) for _ in often(1000)]
        assert sl.debug.live_objects()["textures_in_use"] == len(frames)
        random.Random(1).shuffle(frames)
        while frames:
            frames.pop()


class TestReferencesAtTheEdges:
    """Cycles, frames that are kept for ever, parents that go before their children, constructions that fail half-way."""

    def test_a_frame_in_a_cycle(self, gpu: sl.GpuContext) -> None:
        class Holder:
            frame: object
            me: object

        for _ in often(50):
            holder = Holder()
            holder.me = holder
            holder.frame = gpu.frame(8, 8)

    def test_a_processor_that_knows_its_graph(self) -> None:
        @sl.processor
        class Knowing:
            def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
                self.last = frame
                return frame

        references: list[Callable[[], object]] = []
        for _ in often(5):
            graph = sl.Graph()
            knowing = Knowing()
            knowing.graph = graph  # type: ignore[attr-defined]
            graph.chain(pattern(8, 8), knowing, sl.Null())
            graph.run(offline=True, frames=3)
            graph.explain()
            references += [weakref.ref(knowing), weakref.ref(graph._native)]
            del graph, knowing
        gc.collect()
        assert [reference() for reference in references] == [None] * len(references)

    def test_a_cycle_is_not_collected_while_it_runs(self) -> None:
        seen = threading.Event()
        go_on = threading.Event()

        @sl.processor
        class Knowing:
            def __init__(self, graph: sl.Graph) -> None:
                self.graph = graph
                self.value = "still there"

            def process(self, number: Number) -> Number:
                if number.value == 5:
                    go_on.wait(20)
                    assert self.value == "still there"
                    seen.set()
                return number

        graph = sl.Graph()
        graph.chain(Count(end=10), Knowing(graph), Collect())
        graph.start(offline=True)
        native = weakref.ref(graph._native)
        del graph
        for _ in range(5):
            gc.collect()
        go_on.set()
        assert seen.wait(20)
        while native() is not None:
            gc.collect()

    def test_an_exception_that_knows_the_graph(self) -> None:
        def fail() -> None:
            @sl.processor
            def broken(frame: sl.VideoFrame) -> sl.VideoFrame:
                raise RuntimeError("broken")

            graph = sl.Graph()
            graph.chain(pattern(8, 8), broken(), sl.Null())
            graph.run(offline=True, frames=3)

        for _ in often(5):
            with pytest.raises(RuntimeError):
                fail()

    def test_a_frame_that_is_kept(self, gpu: sl.GpuContext) -> None:
        kept: list[sl.VideoFrame] = []

        @sl.processor
        def keep(frame: sl.VideoFrame) -> None:
            kept[:] = [frame]

        graph = sl.Graph()
        graph.chain(pattern(8, 8), keep())
        graph.run(offline=True, frames=5)
        del graph
        gc.collect()
        assert sl.debug.live_objects()["textures_in_use"] == 1
        assert kept[0].like().size == (8, 8), "it is whole, though its graph is gone"
        kept.clear()
        assert sl.debug.live_objects()["textures_in_use"] == 0

    def test_parents_go_first(self, gpu: sl.GpuContext) -> None:
        frame = gpu.frame(8, 8)
        texture = frame.texture
        view = texture.create_view()
        del frame, texture
        gc.collect()
        assert view.texture.size == (8, 8, 1)
        pixels = sl.VideoFrame.from_numpy(ZEROS).read_back()
        array = pixels.wait()
        del pixels
        gc.collect()
        assert array.shape == (8, 8, 4)
        part = array[2:4, :, 1]
        del array
        gc.collect()
        assert part.shape == (2, 8)

    def test_constructions_that_fail_half_way(self, gpu: sl.GpuContext) -> None:
        attempts: list[Callable[[], object]] = [
            lambda: gpu.frame(0, 8),
            lambda: gpu.kernel("nonsense"),
            lambda: gpu.kernel(INVERT)(src=gpu.frame(8, 8)),
            lambda: sl.VideoFrame.from_numpy(np.zeros(3, np.uint8)),
            lambda: sl.VideoFrame.from_numpy(ZEROS[:, ::-1]),
            lambda: gpu.frame(8, 8).with_metadata(a=1, b=object()),
            lambda: gpu.frame(8, 8).with_texture(gpu.frame(4, 4).texture),
            lambda: sl.BouncingBall(radius=9),
            lambda: sl.Graph().add(passed(), "a name"),
            lambda: sl.Graph().chain(pattern(8, 8), passed(), Collect()),
            lambda: sl.processor(type("Broken", (), {"process": lambda self, x: x})),
        ]
        for _ in often(20):
            for attempt in attempts:
                with pytest.raises((ValueError, TypeError)):
                    attempt()


class TestFinalisers:
    """Finalisers and garbage collection at bad moments."""

    def test_a_finaliser_that_uses_the_gpu(self, gpu: sl.GpuContext) -> None:
        made = []

        class Late:
            def __init__(self) -> None:
                self.frame = gpu.frame(8, 8)

            def __del__(self) -> None:
                made.append(self.frame.like().size)

        for _ in often(20):
            Late()
        gc.collect()
        assert made == [(8, 8)] * len(often(20))

    def test_a_finaliser_that_brings_its_frame_back(self, gpu: sl.GpuContext) -> None:
        saved: list[sl.VideoFrame] = []

        class Lazarus:
            def __init__(self) -> None:
                self.frame = gpu.frame(8, 8)
                self.me = self

            def __del__(self) -> None:
                saved.append(self.frame)

        Lazarus()
        gc.collect()
        assert saved.pop().size == (8, 8)

    def test_collections_while_a_graph_runs(self) -> None:
        @sl.processor
        class Litter:
            def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
                waste: list[Any] = [frame, frame.texture]
                waste.append(waste)
                gc.collect(0)
                return drawn(frame) if frame.sequence % 2 else frame

        graph = sl.Graph()
        graph.chain(pattern(8, 8), Litter(), Litter(), sl.Null())
        thresholds = gc.get_threshold()
        gc.set_threshold(1, 1, 1)
        try:
            graph.run(offline=True, frames=20)
        finally:
            gc.set_threshold(*thresholds)

    def test_weak_references(self, gpu: sl.GpuContext) -> None:
        gone = []
        frame = gpu.frame(8, 8)
        reference = weakref.ref(frame, lambda _: gone.append(1))
        assert reference() is frame
        del frame
        assert gone == [1]


class TestContextManagers:
    """`with` blocks, however they are left."""

    def test_left_at_the_end(self) -> None:
        for _ in often(5):
            graph = sl.Graph()
            graph.chain(pattern(8, 8), passed(), sl.Null())
            with graph:
                graph.stats()

    def test_left_by_an_exception(self) -> None:
        for _ in often(5):
            graph = sl.Graph()
            graph.chain(pattern(8, 8), passed(), sl.Null())
            with pytest.raises(KeyError), graph:
                raise KeyError

    def test_left_by_a_generator_that_is_closed(self) -> None:
        def inside() -> Iterator[int]:
            graph = sl.Graph()
            graph.chain(pattern(8, 8), passed(), sl.Null())
            with graph:
                yield 1
                yield 2

        for _ in often(3):
            generator = inside()
            next(generator)
            generator.close()  # type: ignore[attr-defined]

    def test_a_run_that_is_cancelled(self) -> None:
        async def cancelled() -> None:
            graph = sl.Graph()
            graph.chain(pattern(8, 8), passed(), sl.Null())
            task = asyncio.create_task(graph.run_async())
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())


class TestErrorPaths:
    """Exceptions wherever they can be."""

    @pytest.mark.parametrize("policy", ["stop", "bypass", "skip", "restart"])
    @pytest.mark.parametrize("where", ["setup", "process", "teardown"])
    def test_exceptions(self, where: str, policy: Any) -> None:
        @sl.processor
        class Broken:
            def __init__(self) -> None:
                self.calls = 0

            def setup(self, gpu: sl.GpuContext) -> None:
                self.frame = gpu.frame(8, 8)
                if where == "setup":
                    raise RuntimeError("setup")

            def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
                self.calls += 1
                local = drawn(frame)
                if where == "process" and self.calls % 3 == 0:
                    raise RuntimeError("process")
                return local

            def teardown(self) -> None:
                if where == "teardown":
                    raise RuntimeError("teardown")

        graph = sl.Graph()
        broken = Broken()
        graph.chain(pattern(8, 8), broken, sl.Null())
        graph.on_failure("broken", policy)
        try:
            graph.run(offline=True, frames=10)
        except RuntimeError as error:
            assert str(error) == where  # noqa: PT017 - under some policies none is raised
        del broken.frame

    def test_wrong_returns(self) -> None:
        @sl.processor
        def wrong(frame: sl.VideoFrame) -> sl.VideoFrame:
            return [frame, frame.like()]  # type: ignore[return-value]

        graph = sl.Graph()
        graph.chain(pattern(8, 8), wrong(), sl.Null())
        with pytest.raises(TypeError):
            graph.run(offline=True, frames=3)

    def test_frames_in_messages(self) -> None:
        class Boxed:
            def __init__(self, frame: sl.VideoFrame) -> None:
                self.frame = frame

        @sl.processor
        def box(frame: sl.VideoFrame) -> Boxed:
            return Boxed(frame)

        @sl.processor
        def unbox(boxed: Boxed) -> sl.VideoFrame:
            with pytest.raises(sl.InvalidArgumentError, match="a frame that was sent, or came in, cannot be changed"):
                boxed.frame.write(ZEROS)
            if boxed.frame.sequence == 2:
                raise RuntimeError("two")
            return boxed.frame

        graph = sl.Graph()
        graph.chain(pattern(8, 8), box(), unbox(), sl.Null())
        with pytest.raises(RuntimeError, match="two"):
            graph.run(offline=True, frames=5)

    def test_stops_that_discard(self) -> None:
        for _ in often(3):
            graph = sl.Graph()
            graph.chain(pattern(8, 8), passed(), passed(), sl.Null())
            graph.start()
            graph.stop(drain=False)


def test_eight_threads_create_share_and_drop_everything(gpu: sl.GpuContext) -> None:
    """What one made another drops; all use the same kernel and the same frames."""
    shared: list[Any] = [gpu.frame(8, 8) for _ in range(16)]
    kernel = gpu.kernel(INVERT)
    failures: list[BaseException] = []
    barrier = threading.Barrier(8)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            barrier.wait()
            for _ in often(200):
                place = chance.randrange(16)
                what = chance.randrange(9)
                if what == 0:
                    shared[place] = sl.VideoFrame.from_numpy(ZEROS)
                elif what == 1:
                    out = gpu.frame(8, 8)
                    kernel(src=sl.VideoFrame.from_numpy(ZEROS), dst=out)
                    shared[place] = out
                elif what == 2:
                    shared[place] = gpu.frame(8, 8).texture.create_view()
                elif what == 3:
                    shared[place] = sl.VideoFrame.from_numpy(ZEROS).read_back()
                elif what == 4:
                    shared[place] = sl.VideoFrame.from_numpy(ZEROS).to_numpy()
                elif what == 5:
                    shared[place] = [shared[chance.randrange(16)], shared[place]]
                elif what == 6:
                    shared[place] = None
                elif what == 7:
                    shared[place] = sl.Graph()
                    shared[place].chain(pattern(8, 8), passed(), sl.Null())
                else:
                    gc.collect(0)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.clear()
    assert not failures, failures


def test_ten_graphs_at_once(gpu: sl.GpuContext) -> None:
    graphs = []
    for _ in often(10):
        graph = sl.Graph()
        graph.chain(pattern(8, 8), passed(), sl.BouncingBall(), passed(), sl.Null())
        graphs.append(graph.start(offline=True, frames=20))
    for graph in graphs:
        assert graph.wait(60)
        assert graph.stats()["nodes"]["null"]["processed"] == 20


def test_what_is_counted_counts(gpu: sl.GpuContext) -> None:
    before = alive()
    frame = gpu.frame(8, 8)
    things = [frame, frame.texture, frame.texture.create_view(), gpu.kernel(INVERT), sl.Graph()]
    after = alive()
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert grown == {"VideoFrame": 1, "Texture": 2, "TextureView": 1, "Kernel": 1, "Graph": 1, "textures_in_use": 1}
    things.clear()
