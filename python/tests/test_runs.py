"""Runs: who starts them, sets them, waits for them and ends them, from which thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from typing import Any

import numpy as np
import pytest
from support import pattern

import streamlib as sl
import streamlib.errors

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_graph_is_started_once_by_all_threads() -> None:
    set_up: list[int] = []

    @sl.processor
    class Counts:
        def setup(self, gpu: sl.GpuContext) -> None:
            set_up.append(1)

        def process(self, frame: sl.VideoFrame) -> None: ...

    graph = sl.Graph()
    graph.chain(pattern(4, 4), Counts())
    for _ in range(10):
        outcomes: list[str] = []
        together = threading.Barrier(4)

        def start(outcomes: list[str] = outcomes, together: threading.Barrier = together) -> None:
            together.wait()
            try:
                graph.start()
                outcomes.append("started")
            except sl.BusyError:
                outcomes.append("busy")

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        graph.stop()
        assert sorted(outcomes) == ["busy", "busy", "busy", "started"]
    assert len(set_up) == 10


def test_what_was_set_is_what_the_next_run_begins_with() -> None:
    seen: list[float] = []

    @sl.processor
    class Level:
        level: float = 1.0

        def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
            seen.append(self.level)
            return frame

    level = Level()
    graph = sl.Graph()
    graph.chain(pattern(4, 4), sl.BouncingBall(radius=0.1), level, sl.Null())
    with graph:
        graph.set("level", level=2.0)
        graph.set("bouncing-ball", radius=0.2)
    level.level = 7.0
    with graph:
        assert graph.parameters("level") == {"level": 7.0}
        assert graph.parameters("bouncing-ball")["radius"] == 0.2
        graph.set("level", level=2.0)
    assert level.level == 2.0
    level.level = "loud"  # type: ignore[assignment]
    with pytest.raises(sl.InvalidArgumentError, match="node 'level': parameter 'level' cannot be \"loud\""):
        graph.start()
    level.level = 3.0
    seen.clear()
    graph.run(offline=True, frames=2)
    assert seen == [3.0, 3.0]


def test_what_setup_puts_into_a_parameter_does_not_hinder_the_next_run() -> None:
    @sl.processor
    class Fills:
        level: float = 1.0
        made: Any = None

        def setup(self, gpu: sl.GpuContext) -> None:
            self.made = object()

        def process(self, frame: sl.VideoFrame) -> None: ...

    graph = sl.Graph()
    graph.chain(pattern(4, 4), Fills())
    for _ in range(3):
        assert graph.run(offline=True, frames=2)["nodes"]["fills"]["processed"] == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("-inf")]])
def test_numbers_that_are_none_are_refused_by_name(value: object) -> None:
    graph = sl.Graph()
    graph.chain(pattern(4, 4), sl.BouncingBall(), sl.Null())
    with graph, pytest.raises(ValueError, match=r"'radius' cannot be .*numbers are finite"):
        graph.set("bouncing-ball", radius=value)
    with pytest.raises(ValueError, match=r"'radius' cannot be .*numbers are finite"):
        sl.BouncingBall(radius=value)  # type: ignore[arg-type]
    with pytest.raises(sl.InvalidArgumentError, match="`frames` of the runtime's options is 0"):
        graph.run(frames=0)


def test_a_processor_cannot_wait_for_itself() -> None:
    said: list[str] = []

    @sl.processor
    def ends(frame: sl.VideoFrame) -> None:
        for wait in (graph.wait, graph.stop):
            try:
                wait()
            except sl.InvalidArgumentError as error:
                said.append(str(error))
        came.append(frame.sequence)
        if frame.sequence >= 5:
            graph.request_stop()

    came: list[int] = []
    graph = sl.Graph()
    graph.chain(pattern(4, 4), ends())
    graph.run()
    assert max(came) >= 5, "what was refused has stopped nothing"
    assert said[0] == said[1]
    assert "cannot wait for the end of its own run; `request_stop()` asks for the end" in said[0]


def test_an_object_runs_in_one_graph_at_a_time() -> None:
    @sl.processor
    def passed(frame: sl.VideoFrame) -> sl.VideoFrame:
        return frame

    shared = passed()
    first, second = sl.Graph(), sl.Graph()
    for graph in (first, second):
        graph.chain(pattern(4, 4), shared, sl.Null())
    with first:
        while first.stats()["nodes"]["passed"]["processed"] == 0:
            time.sleep(0.001)
        with pytest.raises(sl.BusyError, match="node 'passed': this processor is still running"):
            second.run(frames=2)
    assert second.run(offline=True, frames=2)["nodes"]["null"]["processed"] == 2


def test_many_runs_leave_the_event_loops_threads_alone() -> None:
    async def many() -> None:
        graphs = [sl.Graph() for _ in range(8)]
        for graph in graphs:
            graph.chain(pattern(4, 4), sl.Null())
        runs = [asyncio.create_task(graph.run_async()) for graph in graphs]
        while not all(graph.is_running for graph in graphs):
            await asyncio.sleep(0.001)
        pixels = await asyncio.wait_for(sl.VideoFrame.from_numpy(np.zeros((2, 2, 4), np.uint8)).read_back(), 30)
        assert pixels.shape == (2, 2, 4)
        for graph in graphs:
            graph.request_stop()
        await asyncio.gather(*runs)

    loop = asyncio.new_event_loop()
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(2))
    loop.run_until_complete(many())
    loop.close()


def test_all_who_wait_for_a_run_get_its_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(Exception):
        pass

    go = threading.Event()
    in_node = streamlib.errors.in_node

    def slowly(exception: BaseException, node: str | None) -> BaseException:
        # Lets the other threads go on while this one has the exception in its hands.
        time.sleep(0.002)
        return in_node(exception, node)

    monkeypatch.setattr(streamlib.errors, "in_node", slowly)

    @sl.processor
    def fails(frame: sl.VideoFrame) -> None:
        go.wait()
        raise Mine

    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(4, 4)), fails())
    caught: list[BaseException | None] = []

    def wait() -> None:
        try:
            graph.wait()
            caught.append(None)
        except BaseException as error:
            caught.append(error)

    for _ in range(20):
        go.clear()
        graph.start(offline=True)
        waiting = [threading.Thread(target=wait) for _ in range(6)]
        for thread in waiting:
            thread.start()
        go.set()
        for thread in waiting:
            thread.join()
        assert [type(error) for error in caught] == [Mine] * 6
        caught.clear()
