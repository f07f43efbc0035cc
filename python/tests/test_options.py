"""Options of `run` and `start`: what each changes about a run, on the real engine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from support import Count, Number, pattern, wait_until

import streamlib as sl

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_duration_ends_the_run() -> None:
    graph = sl.Graph()
    graph.chain(pattern(4, 4), sl.Null())
    graph.start(duration=0.2)
    ended = graph.wait(20)
    assert graph.stop()["seconds"] >= 0.2
    assert ended, "it has ended by itself"


@sl.processor
class Dawdle:
    """Takes a while for each picture."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.processed = 0

    def process(self, frame: sl.VideoFrame) -> None:
        # Nobody sets it: the time is the processor's, not the test's.
        threading.Event().wait(self.seconds)
        self.processed += 1


def test_a_drain_takes_no_longer_than_its_deadline() -> None:
    link = "pattern.out->dawdle.frame"
    for deadline, is_drained in ((0.1, False), (60.0, True)):
        graph = sl.Graph()
        graph.add(Dawdle(0.1), "dawdle")
        graph.add(sl.TestPattern(size=(4, 4), rate=1000), "pattern")
        graph.connect("pattern", "dawdle", "block(40)")
        graph.start(drain_deadline=deadline)
        wait_until(lambda graph=graph: graph.stats()["links"][link]["queued"] >= 30, "the queue fills")  # type: ignore[misc]
        begin = time.monotonic()
        statistics = graph.stop()["links"][link]
        took = time.monotonic() - begin
        # What waits takes three seconds and more.
        assert (took > 2.5) is is_drained
        assert (statistics["dropped"]["discarded"] == 0) is is_drained


SLOW = """
@group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    var sum = f32(id.x);
    for (var round = 0; round < 20000; round++) {
        sum = fract(sum * 1.618 + 0.1);
    }
    textureStore(dst, id.xy, vec4f(sum));
}
"""


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_submissions_are_in_flight(most: int) -> None:
    waited: list[float] = []

    @sl.processor
    class Slow:
        def setup(self, gpu: sl.GpuContext) -> None:
            self.draw = gpu.kernel(SLOW)
            for _ in range(2):
                # The first time it is compiled.
                begin = time.monotonic()
                self.draw(dst=gpu.frame(64, 64))
                gpu.wait_idle()
                self.takes = time.monotonic() - begin

        def process(self) -> Iterator[sl.VideoFrame]:
            for _ in range(9):
                begin = time.monotonic()
                sl.gpu().wait_idle()
                waited.append((time.monotonic() - begin) / self.takes)
                out = sl.gpu().frame(64, 64)
                self.draw(dst=out)
                yield out

    graph = sl.Graph()
    graph.chain(Slow(), sl.Null())
    graph.run(offline=True, max_in_flight=most)
    # Where one may be under way, the GPU is done before the next picture is begun.
    assert (sorted(waited)[4] > 0.5) is (most > 1), waited


def test_without_fusion_each_pixel_shader_has_a_pass() -> None:
    for fusion, passes in ((True, 1), (False, 2)):
        graph = sl.Graph()
        graph.chain(pattern(4, 4), sl.BouncingBall(), sl.BouncingBall(radius=0.2), sl.Null())
        assert ("draws bouncing-ball, bouncing-ball-2 in one pass" in graph.explain(fusion=fusion)) is fusion
        statistics = graph.run(offline=True, frames=2, fusion=fusion)
        assert sum(name.endswith("-drawn") for name in statistics["nodes"]) == passes


def test_offline_loses_nothing_and_frames_end_it() -> None:
    graph = sl.Graph()
    graph.add(Dawdle(0.01), "dawdle")
    graph.chain(sl.TestPattern(size=(4, 4), rate=1000), "dawdle")
    for offline in (True, False):
        statistics = graph.run(offline=offline, frames=10)
        assert statistics["nodes"]["dawdle"]["processed"] == 10
        [link] = statistics["links"].values()
        assert (link["dropped"]["overflow"] == 0) is offline


def test_run_async_takes_the_same_options() -> None:
    @sl.processor
    def sink(number: Number) -> None: ...

    graph = sl.Graph()
    graph.chain(Count(end=100), sink())
    statistics = asyncio.run(graph.run_async(offline=True, frames=7))
    assert statistics["nodes"]["sink"]["processed"] == 7
