"""Processors of one's own: what is read off classes and functions, and how they run."""

from __future__ import annotations

import dataclasses
import enum
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pytest
from conftest import INVERT
from support import Collect, Count, Look, Number, pattern, run

import streamlib as sl

pytestmark = pytest.mark.usefixtures("nothing_left")


@sl.processor
class Invert:
    """Inverts colours."""

    def setup(self, gpu: sl.GpuContext) -> None:
        self.draw = gpu.kernel(INVERT, label="invert")

    def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
        out = frame.like()
        self.draw(src=frame, dst=out)
        return out


@sl.processor
def passed(frame: sl.VideoFrame) -> sl.VideoFrame:
    """Returns its frame."""
    return frame


def test_a_processor_sees_and_makes_pictures() -> None:
    plain, inverted, again = Look(), Look(), Look()
    run(pattern(), plain)
    run(pattern(), Invert(), inverted)
    run(pattern(), Invert(), passed(), Invert(), again)
    assert plain.frames == inverted.frames == again.frames
    assert [time for _, time in plain.frames] == [number * 1_000_000_000 // 30 for number in range(5)]
    for before, after, back in zip(plain.arrays, inverted.arrays, again.arrays, strict=True):
        assert np.array_equal(after[..., :3], 255 - before[..., :3])
        assert np.array_equal(back, before)


def test_a_chain_of_python_shares_a_thread() -> None:
    seen = set()

    @sl.processor
    def note(frame: sl.VideoFrame) -> sl.VideoFrame:
        seen.add((threading.get_native_id(), threading.current_thread().name))
        return frame

    graph = sl.Graph()
    graph.chain(pattern(), note(), sl.BouncingBall(), note(), sl.Null())
    assert "segment 'note' (python)" in graph.explain()
    graph.run(offline=True, frames=20)
    assert len(seen) == 1
    assert sl.debug.attachments_elsewhere() == 0


def test_messages_of_ones_own() -> None:
    @sl.processor
    def double(number: Number) -> Number:
        return Number(2 * number.value, number.time)

    collect = Collect()
    run(Count(end=6), double(), collect, frames=None)
    assert collect.values == [0, 2, 4, 6, 8, 10]


def test_parameters_are_checked_by_name_type_and_range() -> None:
    @sl.processor
    class Tuned:
        """Has parameters of each kind."""

        radius: Annotated[float, sl.Parameter(minimum=0, maximum=0.5, doc="How large it is.")] = 0.05
        count: int = 3
        name: str = "ball"
        mode: Literal["fast", "good"] = "fast"
        color: tuple[float, float, float] = (1, 0, 0)
        label: str | None = None
        internal: object = dataclasses.field(default=None, init=False)

        def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
            return frame

    tuned = Tuned(radius=0.25, color=(0, 1, 0))
    assert (tuned.radius, tuned.count, tuned.color, tuned.label) == (0.25, 3, (0, 1, 0), None)
    described = {parameter["name"]: parameter for parameter in Tuned.__streamlib__.parameters}  # type: ignore[attr-defined]
    assert list(described) == ["radius", "count", "name", "mode", "color", "label"]
    assert described["radius"] == {
        "name": "radius",
        "type": "number",
        "default": 0.05,
        "minimum": 0.0,
        "maximum": 0.5,
        "live": True,
        "doc": "How large it is.",
    }
    assert described["mode"]["type"] == "'fast' or 'good'"
    assert described["label"]["type"] == "string or null"
    Tuned(radius=np.float32(0.5), count=np.int64(4))  # type: ignore[arg-type]
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"radius": 2}, "node 'tuned': parameter 'radius' cannot be 2; it goes from 0 to 0.5"),
        ({"radius": "big"}, "parameter 'radius' cannot be \"big\"; it takes: number"),
        ({"count": 1.5}, "parameter 'count' cannot be 1.5; it takes: integer"),
        ({"mode": "slow"}, "parameter 'mode' cannot be \"slow\"; it takes: 'fast' or 'good'"),
        ({"name": None}, "parameter 'name'"),
        ({"color": 3}, "it takes: array"),
    ]
    for wrong, says in mistakes:
        with pytest.raises(sl.InvalidArgumentError, match="parameter") as caught:
            Tuned(**wrong)
        assert says in str(caught.value)
    with pytest.raises(TypeError, match="unexpected keyword argument 'radios'"):
        Tuned(radios=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        Tuned(color=object())  # type: ignore[arg-type]
    names = "radius, count, name, mode, color, label"
    with pytest.raises(TypeError, match=rf"Tuned\(\) takes its parameters by name, but was given 0.2; they are: {names}$"):
        Tuned(0.2)  # type: ignore[misc]
    with pytest.raises(TypeError, match=r"Record\(\) takes its parameters by name, but was given 'x.mp4'; they are: bitrate, .*path"):
        sl.Record("x.mp4")  # type: ignore[misc, arg-type]


def test_parameters_of_functions() -> None:
    @sl.processor
    def add(number: Number, *, amount: int = 1) -> Number:
        return Number(number.value + amount)

    collect = Collect()
    run(Count(end=3), add(amount=10), add(), collect, frames=None)
    assert collect.values == [11, 12, 13]


def test_parameters_are_set_while_it_runs() -> None:
    changed = threading.Event()

    @sl.processor
    class Level:
        level: Annotated[int, sl.Parameter(maximum=9)] = 1
        fixed: Annotated[int, sl.Parameter(live=False)] = 0

        def process(self, number: Number) -> Number:
            if self.level == 7:
                changed.set()
            return number

    collect = Collect()
    graph = sl.Graph()

    @sl.processor(rate=200)
    def numbers() -> Number:
        return Number(0)

    graph.chain(numbers(), Level(), collect)
    with graph:
        graph.set("level", level=7)
        assert changed.wait(10)
        assert graph.parameters("level") == {"level": 7, "fixed": 0}
        mistakes: list[tuple[dict[str, Any], str]] = [
            ({"level": 10}, "cannot be 10"),
            ({"level": "x"}, "it takes: integer"),
            ({"fixed": 1}, "while the graph runs"),
        ]
        for wrong, says in mistakes:
            with pytest.raises(sl.InvalidArgumentError, match=says):
                graph.set("level", **wrong)
        with pytest.raises(sl.NotFoundError, match="there is no node 'other'"):
            graph.set("other", level=1)


def test_several_inputs_are_matched_by_time() -> None:
    pairs = []
    near = sl.Input(tolerance=0.0001)

    @sl.processor
    def join(left: Annotated[Number, near], right: Annotated[Number, near]) -> Number:
        pairs.append((left.value, right.value))
        return Number(left.value + right.value, left.time)

    @sl.processor
    def odd(number: Number) -> Number | None:
        return number if number.value % 2 else None

    graph = sl.Graph()
    graph.add(join(), "join")
    graph.chain(Count(end=6), "join.left")
    graph.chain(Count(end=6), odd(), "join.right")
    collect = Collect()
    graph.chain("join", collect)
    # A thousandth of a second lies between two of them.
    statistics = graph.run(offline=True)
    assert pairs == [(1, 1), (3, 3), (5, 5)]
    assert collect.values == [2, 6, 10]
    assert statistics["links"]["count.out->join.left"]["dropped"]["unmatched"] == 3


def test_a_message_without_a_time_cannot_be_matched() -> None:
    @dataclasses.dataclass
    class Timeless:
        value: int

    @sl.processor
    def timeless() -> Iterator[Timeless]:
        yield Timeless(1)

    @sl.processor
    def join(left: Timeless, right: Timeless) -> None: ...

    graph = sl.Graph()
    graph.add(join(), "join")
    graph.chain(timeless(), "join.left")
    graph.chain(timeless(), "join.right")
    with pytest.raises(sl.InvalidGraphError, match="node 'join': a message without a time"):
        graph.run(offline=True)


def test_a_message_that_may_be_missing_is_the_newest() -> None:
    seen = []

    @sl.processor
    def watch(number: Number, level: Number | None) -> None:
        seen.append(None if level is None else level.value)

    @sl.processor
    def never() -> Iterator[Number]:
        yield from ()

    graph = sl.Graph()
    graph.add(watch(), "watch")
    graph.chain(Count(end=4), "watch.number")
    graph.chain(never(), "watch.level")
    graph.run(offline=True)
    assert seen == [None] * 4


class Halves(NamedTuple):
    """Two outputs with names."""

    even: Number | None
    odd: Number | None


def test_several_outputs() -> None:
    @sl.processor
    def split(number: Number) -> Halves:
        return Halves(None, number) if number.value % 2 else Halves(number, None)

    @sl.processor
    def both(number: Number) -> tuple[Number, Number]:
        return number, Number(-number.value)

    even, odd, first, second = Collect(), Collect(), Collect(), Collect()
    graph = sl.Graph()
    graph.add(split(), "split")
    graph.add(both(), "both")
    graph.chain(Count(end=5), "split")
    graph.chain("split.even", even)
    graph.chain("split.odd", "both")
    graph.chain("both.out1", first)
    graph.chain("both.out2", second)
    graph.connect("split.odd", graph.add(odd, "odd"))
    graph.run(offline=True)
    assert (even.values, odd.values, first.values, second.values) == ([0, 2, 4], [1, 3], [1, 3], [-1, -3])


def test_a_generator_gives_several_messages_for_one() -> None:
    @sl.processor
    def repeat(number: Number) -> Iterator[Number]:
        for _ in range(number.value):
            yield number

    collect = Collect()
    run(Count(end=4), repeat(), collect, frames=None)
    assert collect.values == [1, 2, 2, 3, 3, 3]


def test_sources() -> None:
    @sl.processor
    class Frames:
        """A source of frames, made of arrays, in another format than `rgba8`."""

        def __init__(self) -> None:
            self.number = 0

        def process(self) -> sl.VideoFrame:
            self.number += 1
            if self.number > 3:
                raise StopIteration
            return sl.VideoFrame.from_numpy(np.full((4, 6), 16 + self.number, np.uint8), time=self.number)

    look = Look()
    run(Frames(), look, frames=None)
    assert [time for _, time in look.frames] == [1, 2, 3]
    assert [array.shape for array in look.arrays] == [(4, 6, 4)] * 3, "they were converted"
    assert look.arrays[0][0, 0, 3] == 255
    assert look.arrays[0][0, 0, 0] == look.arrays[0][0, 0, 2] < look.arrays[2][0, 0, 0], "grey"


def test_a_rate_makes_the_times() -> None:
    @sl.processor(rate="30000/1001")
    def black() -> sl.VideoFrame:
        return sl.VideoFrame.from_numpy(np.zeros((2, 2, 4), np.uint8))

    look = Look()
    statistics = run(black(), look, frames=4)
    assert [sequence for sequence, _ in look.frames] == [0, 1, 2, 3]
    assert [time for _, time in look.frames] == [number * 1_001_000_000 // 30 for number in range(4)]
    graph = sl.Graph()
    live = Look()
    graph.chain(black(), live)
    statistics = graph.run(frames=10)
    assert len(live.frames) == 10
    assert statistics["seconds"] > 0.25
    assert set(statistics["nodes"]["black"]["counters"]) == {"skipped", "gpu_behind"}


def test_formats_of_ports() -> None:
    seen = []

    @sl.processor
    def luma(
        frame: Annotated[sl.VideoFrame, sl.Input(formats=["grey8"])],
    ) -> Annotated[sl.VideoFrame, sl.Output(formats=["grey8"])]:
        seen.append(frame.to_numpy().shape)
        return frame

    look = Look()
    graph = sl.Graph()
    graph.chain(pattern(), luma(), look)
    assert "rgba8 becomes grey8" in graph.explain(offline=True)
    graph.run(offline=True, frames=2)
    assert seen == [(48, 64)] * 2
    assert look.arrays[0].shape == (48, 64, 4)


def test_setup_and_teardown() -> None:
    calls = []

    @sl.processor
    class Noted:
        def setup(self, gpu: sl.GpuContext) -> None:
            calls.append("setup")

        def process(self, frame: sl.VideoFrame) -> None:
            calls.append("process")

        def teardown(self) -> None:
            calls.append("teardown")

    noted = Noted()
    run(pattern(), noted, frames=2)
    assert calls == ["setup", "process", "process", "teardown"]
    graph = sl.Graph()
    graph.chain(pattern(), Noted())
    graph.run(offline=True, frames=1)
    graph.run(offline=True, frames=1)
    assert calls[4:] == ["setup", "process", "teardown"] * 2


def test_a_failed_processor_is_torn_down() -> None:
    calls = []

    @sl.processor
    class Broken:
        def setup(self, gpu: sl.GpuContext) -> None: ...

        def process(self, frame: sl.VideoFrame) -> None:
            raise RuntimeError("broken")

        def teardown(self) -> None:
            calls.append("teardown")

    with pytest.raises(RuntimeError, match="broken"):
        run(pattern(), Broken())
    assert calls == ["teardown"]


TINT = """
struct Parameters { tint: vec3f, strength: f32 }

fn pixel(color: vec4f, position: vec2f, parameters: Parameters) -> vec4f {
    return vec4f(mix(color.rgb, parameters.tint, parameters.strength), color.a);
}
"""


@sl.pixel_shader(TINT)
class Tint:
    """Mixes a colour in."""

    tint: tuple[float, float, float] = (1.0, 0.0, 0.0)
    strength: float = 0.5


@sl.pixel_shader(TINT)
class Alternate:
    """Mixes blue in, in every second picture."""

    def uniform(self, frame: sl.VideoFrame) -> dict[str, object] | None:
        return {"tint": (0, 0, 1), "strength": 1.0} if frame.sequence % 2 else None


def test_pixel_shaders_are_drawn_with_their_neighbours() -> None:
    graph = sl.Graph()
    plain, tinted, alternated = Look(), Look(), Look()
    run(pattern(), plain)
    graph.chain(pattern(), sl.BouncingBall(), Tint(), Alternate(), sl.Null())
    assert "draws bouncing-ball, tint, alternate in one pass" in graph.explain(), graph.explain()
    graph.run(offline=True, frames=2)
    run(pattern(), Tint(strength=0.25), tinted)
    run(pattern(), Alternate(), alternated)
    for number, (before, after, sometimes) in enumerate(zip(plain.arrays, tinted.arrays, alternated.arrays, strict=True)):
        expected = before[..., :3] * 0.75 + np.array([255, 0, 0]) * 0.25
        assert np.abs(after[..., :3] - expected).max() <= 1
        assert np.array_equal(sometimes[..., :3], np.broadcast_to([0, 0, 255], (48, 64, 3)) if number % 2 else before[..., :3])


def test_pixel_shaders_that_cannot_be() -> None:
    with pytest.raises(sl.InvalidArgumentError, match="node 'wrong': the pixel shader has no function 'pixel'"):

        @sl.pixel_shader("fn shade(color: vec4f, position: vec2f) -> vec4f { return color; }")
        class Wrong: ...

    @sl.pixel_shader(TINT)
    class Forgetful:
        def uniform(self, frame: sl.VideoFrame) -> dict[str, object]:
            return {"tint": (0, 0, 0)}

    with pytest.raises(ValueError, match="argument 'uniform': field 'strength', f32, is not given"):
        run(pattern(), Forgetful(), sl.Null())


def bad(returns: object, annotation: str) -> None:
    """Run a processor that returns something else than it says."""
    scope: dict[str, object] = {"sl": sl, "Number": Number, "value": returns}
    exec(f"@sl.processor\ndef broken(number: Number) -> {annotation}:\n    return value", scope)
    graph = sl.Graph()
    graph.chain(Count(end=1), scope["broken"](), *([] if annotation == "None" else [Collect()]))  # type: ignore[operator]
    graph.run(offline=True)


@pytest.mark.parametrize(
    ("returns", "annotation", "says"),
    [
        (None, "Number", "`process` of 'broken' returned None; expected a message; annotate it with `| None`"),
        (5, "Number", "returned an object of type int; expected a Number"),
        (Number(1), "None", "returned an object of type Number; expected None"),
        (Number(1), "tuple[Number]", "expected a tuple of 1"),
        ((Number(1), Number(2)), "tuple[Number]", "expected a tuple of 1"),
    ],
)
def test_what_is_returned_is_checked(returns: object, annotation: str, says: str) -> None:
    with pytest.raises(TypeError) as caught:
        bad(returns, annotation)
    assert says in str(caught.value)
    assert caught.value.node == "broken"  # type: ignore[attr-defined]


def test_pictures_that_are_made_belong_to_the_moment_of_the_one_that_was_given() -> None:
    came: list[tuple[int, int]] = []

    @sl.processor
    def fresh(frame: sl.VideoFrame) -> sl.VideoFrame:
        return sl.VideoFrame.from_numpy(frame.to_numpy())

    @sl.processor
    def told(frame: sl.VideoFrame) -> sl.VideoFrame:
        return sl.VideoFrame.from_numpy(frame.to_numpy(), time=frame.time + 1, sequence=frame.sequence + 7)

    @sl.processor
    def see(frame: sl.VideoFrame) -> None:
        came.append((frame.time, frame.sequence))

    graph = sl.Graph()
    graph.chain(pattern(4, 4), fresh(), told(), see())
    graph.run(offline=True, frames=3)
    assert [sequence for _, sequence in came] == [7, 8, 9]
    assert came[1][0] - came[0][0] == came[2][0] - came[1][0] > 1_000_000


def test_the_moment_is_that_of_what_is_new() -> None:
    came: list[tuple[int, int]] = []

    @sl.processor
    def beside(old: sl.VideoFrame | None, frame: sl.VideoFrame) -> sl.VideoFrame:
        out = sl.VideoFrame.from_numpy(frame.to_numpy())
        came.append((frame.time - out.time, frame.sequence - out.sequence))
        assert abs(frame.age - out.age) < 0.001
        return out

    graph = sl.Graph()
    graph.add(beside(), "beside")
    graph.chain(pattern(4, 4), "beside.frame")
    graph.chain("test-pattern", "beside.old")
    graph.chain("beside", sl.Null())
    graph.run(offline=True, frames=4)
    assert came == [(0, 0)] * 4


def test_a_frame_in_a_message_that_nothing_was_drawn_into_is_refused() -> None:
    @sl.processor
    def forgets(frame: sl.VideoFrame) -> Slotted:
        return Slotted(frame.like())

    graph = sl.Graph()
    graph.chain(pattern(4, 4), forgets())
    with pytest.raises(sl.InvalidArgumentError, match="`process` of 'forgets' returned a frame that nothing was drawn into"):
        graph.run(offline=True, frames=1)


def test_a_frame_that_nothing_was_drawn_into_is_refused() -> None:
    @sl.processor
    def forgets(frame: sl.VideoFrame) -> sl.VideoFrame:
        return frame.like()

    graph = sl.Graph()
    graph.chain(pattern(4, 4), forgets(), sl.Null())
    with pytest.raises(sl.InvalidArgumentError, match="`process` of 'forgets' returned a frame that nothing was drawn into"):
        graph.run(offline=True, frames=1)


def test_nothing_in_the_place_of_something_is_refused() -> None:
    @sl.processor
    def both(frame: sl.VideoFrame) -> tuple[sl.VideoFrame, Number]:
        return frame, None  # type: ignore[return-value]

    @sl.processor
    def source() -> sl.VideoFrame:
        return None  # type: ignore[return-value]

    graph = sl.Graph()
    graph.chain(pattern(4, 4), both())
    graph.chain("both.out1", sl.Null())
    graph.chain("both.out2", Collect())
    with pytest.raises(TypeError, match="`process` of 'both' returned None; expected a message"):
        graph.run(offline=True, frames=1)
    graph = sl.Graph()
    graph.chain(source(), sl.Null())
    with pytest.raises(TypeError, match="`process` of 'source' returned None; expected a message"):
        graph.run(offline=True, frames=1)


class Plain:
    """Has a `__dict__`, with nothing in it."""


@dataclasses.dataclass(slots=True)
class Slotted(Plain):
    """Carries a frame beside an empty `__dict__`."""

    frame: sl.VideoFrame


class Named(NamedTuple):
    """Carries a frame in a list."""

    frames: list[sl.VideoFrame]


def test_frames_of_messages_do_not_change_wherever_they_are() -> None:
    sent: list[sl.VideoFrame] = []

    @sl.processor
    def slotted(frame: sl.VideoFrame) -> Slotted:
        out = frame.edit()
        sent.append(out)
        return Slotted(out)

    @sl.processor
    def named(frame: sl.VideoFrame) -> Annotated[Named, sl.Output(name="out")]:
        out = frame.edit()
        sent.append(out)
        return Named([out])

    for process in (slotted(), named()):
        graph = sl.Graph()
        graph.chain(pattern(4, 4), process)
        graph.run(offline=True, frames=1)
    assert len(sent) == 2
    for frame in sent:
        with pytest.raises(sl.InvalidArgumentError, match="cannot be changed"):
            frame.write(np.zeros((4, 4, 4), np.uint8))


class Shade(enum.Enum):
    """Can be no parameter's value."""

    DARK = 1


def test_elements_of_parameters_are_checked() -> None:
    @sl.processor
    class Deep:
        color: tuple[float, float] = (0, 0)
        names: list[str] = dataclasses.field(default_factory=list)
        points: tuple[tuple[int, int], ...] = ()
        weights: dict[str, Annotated[float, "of one"]] = dataclasses.field(default_factory=dict)
        place: tuple[float, float] | None = None
        modes: list[Literal["a", "b"] | None] = dataclasses.field(default_factory=list)
        either: int | list[int] = 0
        anything: tuple = ()  # type: ignore[type-arg]
        made: np.ndarray | None = None

        def process(self, frame: sl.VideoFrame) -> None: ...

    right: list[dict[str, Any]] = [
        {"color": [0.5, 1]},
        {"color": np.zeros(2)},
        {"points": ((1, 2), (3, 4))},
        {"weights": {"x": 1}},
        {"place": (1, 2)},
        {"modes": ["a", None]},
        {"either": [1]},
        {"anything": (1, "x")},
        {"made": np.zeros((2, 2))},
    ]
    for values in right:
        Deep(**values)
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"color": ("a", "b")}, """parameter 'color' cannot be ["a", "b"]: its element [0] is "a"; it takes: number"""),
        ({"color": (0, True)}, "parameter 'color' cannot be [0, true]: its element [1] is true; it takes: number"),
        ({"color": (0, 1, 2)}, "parameter 'color' cannot be [0, 1, 2]; it takes: array of 2"),
        ({"color": np.zeros(3)}, "parameter 'color' cannot be [0.0, 0.0, 0.0]; it takes: array of 2"),
        ({"names": ["a", 3]}, "its element [1] is 3; it takes: string"),
        ({"points": ((1, 2), (3, 4.5))}, "its element [1][1] is 4.5; it takes: integer"),
        ({"points": ((1, 2, 3),)}, "its element [0] is [1, 2, 3]; it takes: array of 2"),
        ({"weights": {"x": 1, "y": "z"}}, """its element ['y'] is "z"; it takes: number"""),
        ({"place": (1,)}, "parameter 'place' cannot be [1]; it takes: array of 2 or null"),
        ({"place": (1, "x")}, """its element [1] is "x"; it takes: number"""),
        ({"modes": ["c"]}, """its element [0] is "c"; it takes: 'a' or 'b' or null"""),
        ({"either": "x"}, """parameter 'either' cannot be "x"; it takes: integer or array"""),
    ]
    for wrong, says in mistakes:
        with pytest.raises(sl.InvalidArgumentError, match="node 'deep': parameter") as caught:
            Deep(**wrong)
        assert says in str(caught.value)
        assert caught.value.node == "deep"
    with pytest.raises(TypeError, match=r"'color': <Shade.DARK: 1> cannot be written as JSON"):
        Deep(color=Shade.DARK)  # type: ignore[arg-type]
    deep = Deep()
    deep.color = (1, 2, 3)  # type: ignore[assignment]
    graph = sl.Graph()
    with pytest.raises(sl.InvalidArgumentError, match=r"'color' cannot be \[1, 2, 3\]; it takes: array of 2"):
        graph.add(deep)
    deep.color = (1, 2)
    graph.chain(pattern(4, 4), deep)
    deep.color = (1, "x")  # type: ignore[assignment]
    with pytest.raises(sl.InvalidArgumentError, match=r"its element \[1\] is \"x\"; it takes: number"):
        graph.run(offline=True, frames=1)


def test_paths_are_text_for_built_in_processors(tmp_path: Path) -> None:
    record = sl.Record(path=tmp_path / "ball.mp4")  # type: ignore[arg-type]
    assert record.path == str(tmp_path / "ball.mp4")
    run(pattern(), record)
    assert (tmp_path / "ball.mp4").stat().st_size > 0
