"""Graphs and their runs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import Collect, Count, Look, Number, pattern

import streamlib as sl
import streamlib.errors

pytestmark = pytest.mark.usefixtures("nothing_left")


@sl.processor
def passed(frame: sl.VideoFrame) -> sl.VideoFrame:
    return frame


@sl.processor
def divide(number: Number) -> Number:
    return Number(10 // number.value)


def test_names_and_links() -> None:
    graph = sl.Graph()
    assert graph.chain(pattern(), passed(), passed(), sl.Null()) == ["test-pattern", "passed", "passed-2", "null"]
    assert graph.add(sl.Null(), "other") == "other"
    with pytest.raises(sl.InvalidGraphError, match="there are two nodes of the name 'other'"):
        graph.add(sl.Null(), "other")
    with pytest.raises(sl.InvalidGraphError, match="there is no node 'nowhere'"):
        graph.connect("passed", "nowhere")
    with pytest.raises(sl.InvalidGraphError, match=r"null.in gets its messages from passed-2.out already"):
        graph.connect("test-pattern", "null")
    with pytest.raises(sl.InvalidArgumentError, match="'newest' is no delivery policy"):
        graph.connect("test-pattern", "other", "newest")
    graph.connect("test-pattern", "other", "drop-oldest(3)")
    assert "test-pattern.out->other.in (direct)" in graph.explain()
    collect = graph.add(Collect())
    with pytest.raises(sl.InvalidGraphError, match=r"but collect\.number takes Number"):
        graph.connect("passed", collect)


def test_what_is_no_processor_is_not_added() -> None:
    graph = sl.Graph()
    with pytest.raises(TypeError, match="got the class Null; call it: Null"):
        graph.add(sl.Null)
    with pytest.raises(TypeError, match="expected a processor, got int; decorate"):
        graph.chain(pattern(), 5)
    mine = passed()
    graph.add(mine)
    with pytest.raises(sl.InvalidGraphError, match="this processor was added already, as 'passed'; make another object"):
        graph.add(mine)


def test_graphs_that_cannot_run() -> None:
    graph = sl.Graph()
    with pytest.raises(sl.InvalidGraphError, match="the graph has no nodes"):
        graph.run()
    graph.add(passed())
    with pytest.raises(sl.InvalidGraphError, match="node 'passed': input 'frame' is not connected") as caught:
        graph.run()
    assert (caught.value.kind, caught.value.node) == ("invalid_graph", "passed")
    assert isinstance(caught.value, ValueError)
    assert not caught.value.is_recoverable
    with pytest.raises(TypeError, match="unknown option 'frame'; there is: offline, frames"):
        graph.run(frame=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="argument 'duration': -1 is no number of seconds"):
        graph.run(duration=-1)


def test_calls_on_a_graph_that_does_not_run() -> None:
    graph = sl.Graph()
    graph.chain(pattern(), sl.Null())
    call: Callable[[], object]
    for call in (lambda: graph.set("null", x=1), lambda: graph.parameters("null"), graph.pause, graph.resume):
        with pytest.raises(sl.InvalidArgumentError, match="the graph is not running; start it first"):
            call()
    with pytest.raises(sl.InvalidArgumentError, match="the graph has not run yet"):
        graph.stats()
    assert graph.events() == []
    assert graph.wait()
    with graph:
        for call in (graph.start, lambda: graph.add(sl.Null()), lambda: graph.connect("a", "b"), graph.run):
            with pytest.raises(sl.BusyError, match="the graph is running; stop it"):
                call()
    assert not graph.is_running
    with pytest.raises(sl.InvalidArgumentError, match="not running"):
        graph.set("null", x=1)


def test_a_graph_runs_again() -> None:
    graph = sl.Graph()
    look = Look()
    graph.chain(pattern(), sl.BouncingBall(), look)
    for runs in (1, 2, 3):
        statistics = graph.run(offline=True, frames=4)
        assert statistics["nodes"]["look"]["processed"] == 4
        assert len(look.frames) == 4 * runs
    assert np.array_equal(look.arrays[0], look.arrays[4])


def test_start_stop_and_set() -> None:
    graph = sl.Graph()
    graph.chain(sl.TestPattern(size="64x48", rate=100), sl.BouncingBall(), sl.Null())
    assert graph.start() is graph
    assert graph.is_running
    graph.set("bouncing-ball", radius=0.25)
    assert graph.parameters("bouncing-ball")["radius"] == 0.25
    with pytest.raises(sl.InvalidArgumentError, match="node 'bouncing-ball': parameter 'radius' cannot be 3"):
        graph.set("bouncing-ball", radius=3)
    graph.set_enabled("bouncing-ball", False)
    deadline = time.monotonic() + 20
    while graph.stats()["nodes"]["null"]["processed"] < 3:
        assert time.monotonic() < deadline
        assert not graph.wait(0.01)
    graph.pause()
    graph.resume()
    statistics = graph.stop()
    assert statistics["nodes"]["null"]["processed"] >= 3
    assert statistics == graph.stats()
    for link in statistics["links"].values():
        assert link["sent"] == link["received"] + sum(link["dropped"].values())


def test_statistics_as_a_table() -> None:
    pytest.importorskip("pandas")
    graph = sl.Graph()

    @sl.processor
    def asks(number: Number) -> None:
        graph.stats()

    graph.chain(Count(end=5), asks())
    graph.run(offline=True)
    graph.stats()
    table = graph.stats().to_pandas()
    assert len(table) == 3 * 6, "two nodes and a link, five times during the run and once, however often, after it"
    last = table[(table["kind"] == "node") & (table["name"] == "asks")].iloc[-1]
    assert last["processed"] == 5
    assert {"seconds", "kind", "name", "process_us.p50", "sent", "dropped.overflow", "policy"} <= set(table.columns)


def test_an_exception_ends_the_run_and_is_raised() -> None:
    graph = sl.Graph()
    graph.chain(Count(), divide(), Collect())
    with pytest.raises(ZeroDivisionError) as caught:
        graph.run(offline=True)
    assert caught.value.node == "divide"  # type: ignore[attr-defined]
    assert "raised by node 'divide'" in caught.value.__notes__  # type: ignore[attr-defined]
    lines = [(Path(entry.path).name, entry.name) for entry in caught.traceback]
    assert lines[-1] == ("test_graphs.py", "divide"), "its traceback leads to the processor"
    [event] = graph.events()
    assert (event["node"], event["event"], event["reaction"]) == ("divide", "failed", "stop")
    assert str(event["error"]) == "node 'divide': ZeroDivisionError: integer division or modulo by zero"
    assert graph.stats()["nodes"]["divide"]["last_error"] == "node 'divide': ZeroDivisionError: integer division or modulo by zero"


def test_an_error_of_streamlib_keeps_its_kind() -> None:
    @sl.processor
    def greedy(frame: sl.VideoFrame) -> sl.VideoFrame:
        return frame.gpu.frame(0, 5)

    graph = sl.Graph()
    graph.chain(pattern(), greedy(), sl.Null())
    with pytest.raises(sl.InvalidArgumentError, match="a picture of 0x5 pixels cannot be") as caught:
        graph.run(offline=True, frames=2)
    assert (caught.value.kind, caught.value.node) == ("invalid_argument", "greedy")


def test_a_setup_that_fails() -> None:
    @sl.processor
    class Unready:
        def setup(self, gpu: sl.GpuContext) -> None:
            raise OSError("no such device")

        def process(self, frame: sl.VideoFrame) -> None: ...

    graph = sl.Graph()
    graph.chain(pattern(), Unready())
    with pytest.raises(OSError, match="no such device") as caught:
        graph.run(offline=True)
    assert caught.value.node == "unready"  # type: ignore[attr-defined]


def test_bypass_and_skip_let_the_message_through() -> None:
    @sl.processor(on_failure="bypass")
    def sometimes(number: Number) -> Number:
        if number.value == 3:
            raise ValueError("three")
        return Number(-number.value)

    for policy, values in (("bypass", [0, -1, -2, 3, 4, 5]), ("skip", [0, -1, -2, 3, -4, -5])):
        collect = Collect()
        graph = sl.Graph()
        graph.chain(Count(end=6), sometimes(), collect)
        graph.on_failure("sometimes", policy)  # type: ignore[arg-type]
        graph.run(offline=True)
        assert collect.values == values
        [event] = graph.events()
        assert (event["reaction"], event["error"].kind) == (policy, "exception")


def test_a_sink_that_was_left_out_tells_at_the_end() -> None:
    @sl.processor(on_failure="bypass")
    def picky(number: Number) -> None:
        raise ValueError("no")

    collect = Collect()
    graph = sl.Graph()
    graph.chain(Count(end=6), picky())
    graph.chain("count", collect)
    with pytest.raises(ValueError, match="no"):
        graph.run(offline=True)
    assert collect.values == [0, 1, 2, 3, 4, 5]


def test_restart_sets_it_up_again() -> None:
    setups = []

    @sl.processor
    class Shaky:
        def __init__(self) -> None:
            self.calls = 0

        def setup(self, gpu: sl.GpuContext) -> None:
            setups.append(self.calls)

        def process(self, number: Number) -> Number:
            self.calls += 1
            if self.calls == 3:
                raise ConnectionError("gone")
            return number

    collect = Collect()
    graph = sl.Graph()
    graph.chain(Count(end=5), Shaky(), collect)
    graph.on_failure("shaky", "restart")
    graph.run(offline=True)
    assert setups == [0, 3]
    assert collect.values == [0, 1, 3, 4]
    assert [event["event"] for event in graph.events()] == ["failed", "restarted"]
    with pytest.raises(sl.InvalidArgumentError, match="cannot be bypassed"):
        graph.on_failure("count", "bypass")
    with pytest.raises(ValueError, match="it is 'stop', 'bypass', 'skip' or 'restart', not 'retry'"):
        graph.on_failure("shaky", "retry")  # type: ignore[arg-type]


def test_run_async() -> None:
    async def both() -> list[sl.Statistics]:
        graphs = [sl.Graph(), sl.Graph()]
        for graph in graphs:
            graph.chain(pattern(), passed(), sl.Null())
        return await asyncio.gather(*(graph.run_async(offline=True, frames=5) for graph in graphs))

    assert [statistics["nodes"]["null"]["processed"] for statistics in asyncio.run(both())] == [5, 5]


def test_run_async_is_cancelled() -> None:
    async def cancelled() -> sl.Graph:
        graph = sl.Graph()
        graph.chain(pattern(), passed(), sl.Null())
        task = asyncio.create_task(graph.run_async())
        while not graph.is_running or graph.stats()["nodes"]["null"]["processed"] < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return graph

    graph = asyncio.run(cancelled())
    assert not graph.is_running
    assert all(link["queued"] == 0 for link in graph.stats()["links"].values())


def test_an_exception_in_a_with_block_is_the_one_that_is_raised() -> None:
    graph = sl.Graph()
    graph.chain(pattern(), passed(), sl.Null())
    with pytest.raises(KeyError, match="mine"), graph:
        raise KeyError("mine")
    assert not graph.is_running


def test_a_graph_that_is_let_go_of_runs_on() -> None:
    done = threading.Event()

    @sl.processor
    def last(number: Number) -> None:
        if number.value == 9:
            done.set()

    graph = sl.Graph()
    graph.chain(Count(), last())
    graph.start()
    del graph
    gc.collect()
    assert done.wait(20)


def test_leases_name_who_keeps_a_frame() -> None:
    kept = []

    @sl.processor
    def keeper(frame: sl.VideoFrame) -> sl.VideoFrame:
        if frame.sequence == 1:
            kept.append(frame)
        return frame

    sl.debug.trace_frames()
    try:
        graph = sl.Graph()
        graph.chain(pattern(), keeper(), sl.Null())
        graph.run(offline=True, frames=4)
        [lease] = graph.leases()
        assert lease["taken_by"] == "test-pattern"
        assert lease["what"] == "rgba8 texture of 64x48"
        assert lease["bytes"] == 64 * 48 * 4
        [holder] = lease["holders"]
        assert holder["node"] == "keeper"
        assert holder["file"] == __file__
        source = Path(__file__).read_text().splitlines()
        assert "def keeper" in source[holder["line"]] or "@sl.processor" in source[holder["line"] - 1]
        other = kept[0].like()
        line = source.index("        other = kept[0].like()") + 1
        holders = [holder for lease in graph.leases() for holder in lease["holders"]]
        assert {"node": None, "file": __file__, "line": line} in holders
        del other
    finally:
        sl.debug.trace_frames(False)
        kept.clear()
    assert graph.leases() == []


def test_the_engine_writes_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    @sl.processor(on_failure="skip")
    def picky(number: Number) -> None:
        if number.value == 2:
            raise ValueError("two")

    graph = sl.Graph()
    graph.chain(Count(), picky())
    with caplog.at_level(logging.WARNING, "streamlib"):
        graph.run(offline=True)
        deadline = time.monotonic() + 20
        while not caplog.records:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    [record] = caplog.records
    assert record.name.startswith("streamlib.core.runtime")
    assert record.levelno == logging.WARNING
    assert "ValueError: two" in record.getMessage()
    assert sl.debug.attachments_elsewhere() == 0


def test_what_logging_does_not_want_is_not_made(caplog: pytest.LogCaptureFixture) -> None:
    graph = sl.Graph()
    graph.chain(Count(), Collect())
    with caplog.at_level(logging.CRITICAL, "streamlib"):
        graph.run(offline=True)
    assert caplog.records == []


def test_built_in_classes() -> None:
    ball = sl.BouncingBall(radius=0.2)
    assert (ball.radius, ball.gravity) == (0.2, 1.6)
    assert repr(ball) == "BouncingBall(radius=0.2)"
    assert "radius: number, 0.001 to 0.5, default 0.08" in (sl.BouncingBall.__doc__ or "")
    with pytest.raises(sl.InvalidArgumentError, match="node 'bouncing-ball': parameter 'radius' cannot be 2"):
        sl.BouncingBall(radius=2)
    with pytest.raises(sl.InvalidArgumentError, match="there is no parameter 'radios'; there is: color"):
        sl.BouncingBall(radios=1)  # type: ignore[call-arg]
    assert {"Camera", "Display", "Record", "TestPattern", "Null", "Images", "SaveImages"} <= set(sl.__all__)


def test_events_say_where_an_exception_was_raised() -> None:
    @sl.processor(on_failure="skip")
    def picky(number: Number) -> None:
        if number.value == 2:
            raise ValueError("two")

    graph = sl.Graph()
    graph.chain(Count(), picky())
    graph.run(offline=True)
    [event] = graph.events()
    notes = "".join(event["error"].__notes__)
    assert "Traceback (most recent call last)" in notes
    assert 'raise ValueError("two")' in notes
    assert "ValueError: two" in str(event["error"])


def test_statistics_do_not_hold_each_other() -> None:
    """Who asks every second for months has the last hour."""
    graph = sl.Graph()

    @sl.processor
    def asks(number: Number) -> None:
        graph.stats()

    graph.chain(Count(end=200), asks())
    graph.run(offline=True)
    gc.collect()
    assert sum(isinstance(thing, sl.Statistics) for thing in gc.get_objects()) <= 1


def test_an_error_that_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def failed() -> sl.Graph:
        graph = sl.Graph()
        graph.chain(Count(), divide(), Collect())
        graph.start(offline=True)
        deadline = time.monotonic() + 20
        while graph.is_running:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return graph

    def logged() -> list[str]:
        records = [record for record in caplog.records if record.name == "streamlib"]
        caplog.clear()
        for record in records:
            assert record.levelno == logging.ERROR
            assert record.exc_info is not None
            assert record.exc_info[0] is ZeroDivisionError
        return [record.getMessage() for record in records]

    said = ["a run ended with an error that nobody waited for"]
    graph = failed()
    with pytest.raises(sl.InvalidArgumentError, match=r"not running: it ended with '.*ZeroDivisionError"):
        graph.pause()
    with contextlib.suppress(ZeroDivisionError):
        graph.run(offline=True)
    assert logged() == said, "before the graph runs again"
    graph = failed()
    with pytest.raises(ZeroDivisionError):
        graph.stop()
    del graph
    gc.collect()
    assert logged() == [], "who stopped it was told"
    failed()
    gc.collect()
    assert logged() == said, "when nobody has the graph any more"


def test_an_exception_in_a_block_tells_of_the_run_that_failed() -> None:
    graph = sl.Graph()
    graph.chain(Count(), divide(), Collect())

    def block() -> None:
        with graph:
            graph._native.wait()
            raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        block()
    assert any("ZeroDivisionError" in note for note in getattr(caught.value, "__notes__", []))


@pytest.mark.parametrize("policy", ["skip", "bypass", "restart"])
def test_sys_exit_in_a_processor_ends_the_run_under_every_policy(policy: str) -> None:
    @sl.processor(on_failure=policy)  # type: ignore[call-overload, untyped-decorator]
    def leaves(number: Number) -> Number:
        if number.value == 2:
            sys.exit(3)
        return number

    graph = sl.Graph()
    graph.chain(Count(), leaves(), Collect())
    with pytest.raises(SystemExit) as caught:
        graph.run(offline=True)
    assert caught.value.code == 3


def test_what_the_causes_of_an_exception_held_is_let_go_of(gpu: sl.GpuContext) -> None:
    @sl.processor
    def fails(frame: sl.VideoFrame) -> None:
        def helper(held: sl.VideoFrame) -> None:
            raise KeyError("inner")

        try:
            helper(frame.like())
        except KeyError as error:
            raise ValueError("outer") from error

    graph = sl.Graph()
    graph.chain(pattern(8, 8), fails())
    with pytest.raises(ValueError, match="outer"):
        graph.run(offline=True, frames=1)
    gc.collect()
    gpu.wait_idle()
    assert sl.debug.live_objects()["VideoFrame"] == 0


def test_a_chain_with_a_mistake_adds_nothing() -> None:
    graph = sl.Graph()
    numbers, collect = Count(end=3), Collect()
    with pytest.raises(TypeError, match="argument 'processor': expected a processor, got int"):
        graph.chain(numbers, collect, 5)
    with pytest.raises(sl.InvalidGraphError, match="there is no node 'colect'"):
        graph.chain(numbers, "colect")
    assert graph.chain(numbers, collect) == ["count", "collect"]
    graph.run(offline=True)
