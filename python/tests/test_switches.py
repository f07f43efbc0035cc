"""What a run and the declarations of its processors can be told, and what that changes, on the real engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import pytest
from support import Collect, Count, Look, Number, pattern, run, wait_until

import streamlib as sl

pytestmark = pytest.mark.usefixtures("nothing_left")


@sl.processor(rate=500)
def numbers() -> Number:
    return Number(1)


@sl.processor
class Last:
    """Keeps what came last, and how many came."""

    def __init__(self) -> None:
        self.value = 0
        self.came = 0

    def process(self, number: Number) -> None:
        self.value = number.value
        self.came += 1


@sl.processor
def negated(number: Number) -> Number:
    return Number(-number.value)


def test_a_pause_stops_the_source_until_it_is_resumed() -> None:
    last = Last()
    graph = sl.Graph()
    graph.chain(numbers(), last)
    with graph:
        wait_until(lambda: last.came >= 3, "it runs")
        graph.pause()
        before = last.came
        # A hundred and fifty would come.
        assert not graph.wait(0.3)
        assert last.came <= before + 2, "those that were under way"
        before = last.came
        graph.resume()
        wait_until(lambda: last.came > before + 3, "it runs again")


@pytest.mark.parametrize("ask", ["stop", "request_stop"])
@pytest.mark.parametrize("drain", [True, False])
def test_what_is_under_way_is_delivered_or_discarded(ask: str, drain: bool) -> None:
    @sl.processor
    def slow(frame: sl.VideoFrame) -> None:
        threading.Event().wait(0.02)

    graph = sl.Graph()
    graph.add(sl.TestPattern(size=(4, 4), rate=1000), "pattern")
    graph.add(slow(), "slow")
    graph.connect("pattern", "slow", "block(50)")
    link = "pattern.out->slow.frame"
    graph.start()
    wait_until(lambda: graph.stats()["links"][link]["queued"] >= 40, "the queue fills")
    if ask == "stop":
        graph.stop(drain=drain)
    else:
        graph.request_stop(drain=drain)
        assert graph.wait(20)
    account = graph.stats()["links"][link]
    assert account["sent"] == account["received"] + account["dropped"]["discarded"]
    assert (account["dropped"]["discarded"] == 0) is drain


def test_a_filter_that_is_switched_off_lets_pictures_through() -> None:
    plain = Look()
    run(pattern(), plain, frames=2)

    @sl.processor
    def black(frame: sl.VideoFrame) -> sl.VideoFrame:
        return sl.VideoFrame.from_numpy(np.zeros((48, 64, 4), np.uint8))

    for make in (sl.BouncingBall, black):
        look = Look()
        graph = sl.Graph()
        [_, name, _] = graph.chain(pattern(), make(), look)
        graph.set_enabled(name, False)
        graph.run(offline=True, frames=2)
        assert np.array_equal(look.arrays, plain.arrays)
        graph.set_enabled(name, True)
        graph.run(offline=True, frames=2)
        assert not np.array_equal(look.arrays[2:], plain.arrays)


def test_filters_are_switched_while_they_run() -> None:
    last = Last()
    graph = sl.Graph()
    graph.chain(numbers(), negated(), last)
    with graph:
        for enabled, value in ((True, -1), (False, 1), (True, -1)):
            graph.set_enabled("negated", enabled)
            wait_until(lambda value=value: last.value == value, "it is switched")  # type: ignore[misc]
    with pytest.raises(sl.Error, match="node 'last'"):
        graph.set_enabled("last", False)


def times(first: int) -> object:
    """Make a source of three numbers, a tenth of a second apart."""

    @sl.processor
    def times() -> Iterator[Number]:
        for value in range(3):
            yield Number(value, time=first + value * 100_000_000)

    return times()


def joined(join: object, later: int) -> list[tuple[int | None, int | None]]:
    """Run what takes `left` and `right`, which is so many nanoseconds later, and give what came together."""
    graph = sl.Graph()
    graph.add(join, "join")
    graph.chain(times(0), "join.left")
    graph.chain(times(later), "join.right")
    collect: list[tuple[int | None, int | None]] = join.pairs  # type: ignore[attr-defined]
    graph.run(offline=True)
    return collect


def test_how_far_apart_aligned_messages_may_lie() -> None:
    def pairs(tolerance: sl.Input, later: int) -> int:
        @sl.processor
        class Join:
            def __init__(self) -> None:
                self.pairs: list[tuple[int, int]] = []

            def process(self, left: Annotated[Number, tolerance], right: Annotated[Number, tolerance]) -> None:
                self.pairs.append((left.value, right.value))

        return len(joined(Join(), later))

    for option, later, count in [
        (sl.Input(), 10_000_000, 3),
        (sl.Input(), 30_000_000, 0),
        (sl.Input(tolerance=0.005), 10_000_000, 0),
        (sl.Input(tolerance=0.04), 30_000_000, 3),
    ]:
        assert pairs(option, later) == count, (option, later)


def test_how_inputs_are_paired() -> None:
    @sl.processor
    class Newest:
        def __init__(self) -> None:
            self.pairs: list[tuple[int, int | None]] = []

        def process(self, left: Number, right: Annotated[Number, sl.Input(pairing="latest")]) -> None:
            self.pairs.append((left.value, None if right is None else right.value))

    @sl.processor
    class Matched:
        def __init__(self) -> None:
            self.pairs: list[tuple[int, int | None]] = []

        def process(self, left: Number, right: Annotated[Number | None, sl.Input(pairing="aligned")]) -> None:
            self.pairs.append((left.value, None if right is None else right.value))

    @sl.processor
    class Each:
        def __init__(self) -> None:
            self.pairs: list[tuple[int, int | None]] = []

        def process(self, left: Annotated[Number, sl.Input(pairing="each")], right: Number | None) -> None:
            self.pairs.append((left.value, None if right is None else right.value))

    far = 60_000_000_000
    assert [left for left, _ in joined(Newest(), far)] == [0, 1, 2], "called for each of the other's"
    assert [left for left, _ in joined(Each(), far)] == [0, 1, 2]
    assert joined(Matched(), far) == []
    assert joined(Matched(), 0) == [(0, 0), (1, 1), (2, 2)]


def test_an_input_that_is_not_required_may_be_left_open() -> None:
    for required in (True, False):
        seen: list[Number | None] = []

        @sl.processor
        class Watch:
            def __init__(self, seen: list[Number | None]) -> None:
                self.seen = seen

            def process(self, number: Number, level: Annotated[Number | None, sl.Input(required=required)]) -> None:
                self.seen.append(level)

        graph = sl.Graph()
        graph.add(Watch(seen), "watch")
        graph.chain(Count(end=3), "watch.number")
        if required:
            with pytest.raises(sl.InvalidGraphError, match="node 'watch': input 'level' is not connected"):
                graph.run(offline=True)
        else:
            graph.run(offline=True)
            assert seen == [None] * 3


def test_an_input_says_how_it_is_delivered_to() -> None:
    @sl.processor
    def kept(frame: Annotated[sl.VideoFrame, sl.Input(delivery="block(7)")]) -> None: ...

    graph = sl.Graph()
    graph.chain(pattern(), kept())
    [link] = graph.run(frames=2)["links"].values()
    assert link["policy"] == "block(7)"


def test_an_output_has_a_name() -> None:
    @sl.processor
    def one(number: Number) -> Annotated[Number, sl.Output(name="answer")]:
        return number

    @sl.processor
    def two(number: Number) -> tuple[Annotated[Number, sl.Output(name="first")], Number]:
        return number, Number(-number.value)

    first, second = Collect(), Collect()
    graph = sl.Graph()
    graph.chain(Count(end=3), one())
    graph.add(two(), "two")
    graph.connect("one.answer", "two")
    graph.chain("two.first", first)
    graph.chain("two.out2", second)
    graph.run(offline=True)
    assert (first.values, second.values) == ([0, 1, 2], [0, -1, -2])


def test_an_output_that_says_how_large_it_is_is_refused_before_it_runs() -> None:
    made: list[int] = []

    def huge(size: tuple[int, int] | None) -> object:
        @sl.processor
        def huge() -> Annotated[sl.VideoFrame, sl.Output(size=size)]:
            made.append(1)
            return sl.VideoFrame.from_numpy(np.zeros((2, 2, 4), np.uint8))

        return huge()

    graph = sl.Graph()
    # A gigabyte each, and the ball's pictures as much again.
    graph.chain(huge((16384, 16384)), sl.BouncingBall(), sl.Null())
    with pytest.raises(sl.OutOfMemoryError, match=r"cannot hold this graph: .*'huge' makes 1073741824 bytes"):
        graph.run(offline=True, frames=2)
    assert made == []
    graph = sl.Graph()
    graph.chain(huge(None), sl.BouncingBall(), sl.Null())
    graph.run(offline=True, frames=2)


WARM = "fn pixel(color: vec4f, position: vec2f) -> vec4f { return color; }"


def test_a_processors_name_is_its_nodes() -> None:
    @sl.processor(name="doubler")
    def double(number: Number) -> Number:
        return number

    @sl.pixel_shader(WARM, name="warmer")
    class Warm: ...

    graph = sl.Graph()
    assert graph.chain(Count(), double(), double(), Collect()) == ["count", "doubler", "doubler-2", "collect"]
    assert graph.chain(pattern(), Warm(), sl.Null())[1] == "warmer"


def test_what_a_pixel_shader_does_when_it_fails() -> None:
    for policy, reaction in (("skip", "skip"), ("bypass", "bypass"), ("stop", "stop")):

        @sl.pixel_shader(WARM, on_failure=policy)  # type: ignore[arg-type]
        class Picky:
            def uniform(self, frame: sl.VideoFrame) -> None:
                if frame.sequence == 1:
                    raise ValueError("not this one")

        look = Look()
        graph = sl.Graph()
        graph.chain(pattern(), Picky(), look)
        if policy == "stop":
            with pytest.raises(ValueError, match="not this one"):
                graph.run(offline=True, frames=4)
        else:
            graph.run(offline=True, frames=4)
            assert [sequence for sequence, _ in look.frames] == [0, 1, 2, 3]
        assert [event["reaction"] for event in graph.events()] == [reaction]


def test_an_exception_keeps_what_it_was_raised_from() -> None:
    @sl.processor
    def fails(number: Number) -> None:
        names: dict[int, str] = {}
        try:
            names[number.value]
        except KeyError as error:
            raise ValueError("no such number") from error

    graph = sl.Graph()
    graph.chain(Count(), fails())
    with pytest.raises(ValueError, match="no such number") as caught:
        graph.run(offline=True)
    assert isinstance(caught.value.__cause__, KeyError)
    assert "raised by node 'fails'" in caught.value.__notes__  # type: ignore[attr-defined]


def test_the_causes_of_an_error_of_the_engine_are_its_notes() -> None:
    graph = sl.Graph()
    graph.chain(pattern(), sl.Record(path="/nonexistent/ball.mp4"))
    with pytest.raises(sl.Error, match=r"ball\.mp4") as caught:
        graph.run(offline=True, frames=2)
    assert any(note.startswith("caused by: ") and "No such file" in note for note in caught.value.__notes__), caught.value  # type: ignore[attr-defined]
