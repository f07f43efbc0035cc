"""Declarations: what is read off classes and functions, and what cannot be."""

from __future__ import annotations

import dataclasses
import functools
import gc
import weakref
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypedDict

import numpy as np
import pytest
from support import Collect, Count, Number, pattern

import streamlib as sl

pytestmark = pytest.mark.usefixtures("nothing_left")


def declared(text: str) -> None:
    exec(text, {"sl": sl, "Number": Number, "Iterator": Iterator, "Annotated": Annotated, "Twice": Twice, "Row": Row, "Shape": Shape})


class Twice(NamedTuple):
    left: Annotated[Number, sl.Output(name="right")]
    right: Number


class Pair(NamedTuple):
    left: Number
    right: Number


class Row(TypedDict):
    x: int


class Shape(Protocol):
    x: int


def port(options: str) -> str:
    return f"@sl.processor\ndef f(n: Number, frame: Annotated[sl.VideoFrame, {options}]) -> None: ..."


def output(options: str) -> str:
    return f"@sl.processor\ndef f(n: Number) -> Annotated[Number, {options}]: ..."


def parameter(options: str) -> str:
    return f"@sl.processor\nclass C:\n    radius: Annotated[float, {options}] = 1\n    def process(self, n: Number) -> None: ..."


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("@sl.processor\nclass Nothing: pass", "'Nothing' is no processor: it has no method `process`"),
        ("@sl.processor\ndef f(frame) -> None: ...", "argument 'frame' of `process` of 'f' has no annotation"),
        ("@sl.processor\ndef f(frame: sl.VideoFrame): ...", "is not annotated: write `-> streamlib.VideoFrame`"),
        ("@sl.processor\ndef f(frame: 'Missing') -> None: ...", "an annotation of 'f' cannot be resolved: name 'Missing'"),
        (
            "@sl.processor\nclass C:\n    size: 'Nowhere' = 1\n    def process(self, n: Number) -> None: ...",
            "'C' cannot be resolved",
        ),
        ("@sl.processor\ndef f(*frames: sl.VideoFrame) -> None: ...", "ports are arguments with names"),
        ("@sl.processor\ndef f(frame: object) -> None: ...", "the type of a port is"),
        ("@sl.processor\ndef f(frame: int | str) -> None: ...", "the type of a port is"),
        ("@sl.processor\ndef f(n: Number) -> tuple[Number, ...]: ...", "a tuple of any length"),
        ("@sl.processor\ndef f() -> None: ...", "takes nothing and gives nothing"),
        ("@sl.processor(rate=30)\ndef f(n: Number) -> None: ...", "only a source has a `rate`"),
        ("@sl.processor(rate=0)\ndef f() -> Number: ...", "'0' is no frame rate"),
        (
            "@sl.processor(on_failure='ignore')\ndef f(n: Number) -> None: ...",
            "argument 'on_failure': it is 'stop', 'bypass', 'skip' or",
        ),
        (
            "@sl.processor\nclass C:\n    def setup(self): ...\n    def process(self, n: Number) -> None: ...",
            "`setup` of 'C' takes the GPU",
        ),
        ("@sl.processor\nasync def f(frame: sl.VideoFrame) -> None: ...", "'f' is `async`"),
        ("@sl.processor\nclass C:\n    @staticmethod\n    def process(frame: sl.VideoFrame) -> None: ...", "is no method"),
        ("import typing\n@sl.processor\ndef f() -> typing.Iterator: ...", "is an iterator of what? Write"),
        ("import typing\n@sl.processor\ndef f(frame: typing.Any) -> None: ...", "the type of a port is"),
        ("@sl.processor\ndef f(frame: sl.VideoFrame) -> tuple: ...", "the type of a port is"),
        ("@sl.processor\ndef f(n: Number, *, setup: int = 1) -> None: ...", "which is a method of processors"),
        ("@sl.processor\nclass C(sl.BouncingBall):\n    def process(self, n: Number) -> None: ...", "derived from a built-in"),
        (
            "from typing import Annotated\n@sl.processor\ndef f(frame: Annotated[sl.VideoFrame, sl.Input(formats='grey8')]) -> None: ...",
            "are 'grey8': expected a list of names, like ['grey8']",
        ),
        ("sl.processor(len)", "a function written with `def`, not builtin_function"),
        ("sl.pixel_shader(3)", "argument 'wgsl': expected the text"),
        ("@sl.pixel_shader('')\ndef f(): ...", "decorates a class, not function"),
        ("@sl.processor\nclass C:\n    x: list = []\n    def process(self, n: Number) -> None: ...", "mutable default"),
        ("sl.processor(5)", "decorates a class or a function written with `def`, not int"),
        *(
            (
                f"@sl.processor\nclass C:\n    async def {method}: ...\n    def process(self, n: Number) -> None: ...",
                f"`{method.partition('(')[0]}` of 'C' is `async`",
            )
            for method in ("setup(self, gpu)", "teardown(self)")
        ),
        ("@sl.pixel_shader('')\nclass C:\n    async def uniform(self, frame): ...", "`uniform` of 'C' is `async`"),
        (
            "@sl.processor\ndef f(n: Number) -> Twice: ...",
            "what `process` of 'f' returns has two outputs of the name 'right': give one of them another",
        ),
        ("@sl.processor\ndef f(n: Number) -> tuple[()]: ...", "what `process` of 'f' returns is a tuple of nothing"),
        (port("sl.Input"), "argument 'frame' of `process` of 'f' is annotated with the class Input: call it, `Input(...)`"),
        (port("sl.Output(name='x')"), "argument 'frame' of `process` of 'f' is annotated with Output(...): what it can have is Input(...)"),
        (port("sl.Input(), sl.Input()"), "argument 'frame' of `process` of 'f' is annotated with Input(...) more than once"),
        (output("sl.Input()"), "what `process` of 'f' returns is annotated with Input(...): what it can have is Output(...)"),
        (parameter("sl.Input()"), "attribute 'radius' of 'C' is annotated with Input(...): what it can have is Parameter(...)"),
        (
            "@sl.processor\ndef f(n: Number) -> Annotated[tuple[Number, Number], sl.Output(name='x')]: ...",
            "what `process` of 'f' returns is annotated with Output(name='x', formats=None, size=None): annotate the type of each output",
        ),
        (
            "@sl.processor\ndef f(n: Number) -> Annotated[Iterator[Number], sl.Output]: ...",
            "what `process` of 'f' returns is annotated with <class 'streamlib.annotations.Output'>: annotate the type of each output",
        ),
        *(
            (
                f"@sl.processor(name={name!r})\ndef f(n: Number) -> None: ...",
                f"'f': its `name` is {name!r}; names are not empty and have no",
            )
            for name in ("a.b", "", "a b")
        ),
        ("@sl.processor(name=3)\ndef f(n: Number) -> None: ...", "'f': its `name` is 3; expected text"),
        ("@sl.pixel_shader('', name='a.b')\nclass C: ...", "'C': its `name` is 'a.b'; names are not empty and have no"),
        (
            parameter("sl.Parameter(minimum=2, maximum=1)"),
            "attribute 'radius' of 'C': its `minimum` is 2, which is above its `maximum`, 1",
        ),
        (parameter("sl.Parameter(minimum='a')"), "attribute 'radius' of 'C': its `minimum` is 'a'; expected a number"),
        (parameter("sl.Parameter(maximum=float('nan'))"), "attribute 'radius' of 'C': its `maximum` is nan; expected a number"),
        (parameter("sl.Parameter(live='no')"), "attribute 'radius' of 'C': its `live` is 'no'; expected True or False"),
        (parameter("sl.Parameter(doc=3)"), "attribute 'radius' of 'C': its `doc` is 3; expected text"),
        (port("sl.Input(tolerance='x')"), "argument 'frame' of `process` of 'f': its `tolerance` is 'x'; expected seconds, from 0 on"),
        (port("sl.Input(tolerance=-1)"), "argument 'frame' of `process` of 'f': its `tolerance` is -1; expected seconds, from 0 on"),
        (port("sl.Input(delivery=3)"), "argument 'frame' of `process` of 'f': its `delivery` is 3; expected a policy like"),
        (port("sl.Input(pairing='any')"), "argument 'frame' of `process` of 'f': its `pairing` is 'any'; expected 'aligned'"),
        (port("sl.Input(required='no')"), "argument 'frame' of `process` of 'f': its `required` is 'no'; expected True or False"),
        (port("sl.Input(formats=[3])"), "argument 'frame' of `process` of 'f': its `formats` is 3; expected names, like 'rgba8'"),
        (port("sl.Input(required=False)"), "argument 'frame' of `process` of 'f' is aligned and not `required`"),
        (
            port("sl.Input(pairing='each')"),
            "argument 'frame' of `process` of 'f' has the pairing 'each', but it is called with a message of",
        ),
        (output("sl.Output(size=5)"), "what `process` of 'f' returns: its `size` is 5; expected (width, height)"),
        (output("sl.Output(size=(4, 0))"), "what `process` of 'f' returns: its `size` is (4, 0); expected (width, height)"),
        (output("sl.Output(size=(1 << 40, 1))"), "what `process` of 'f' returns: its `size` is (1099511627776, 1); expected"),
        (output("sl.Output(name='a.b')"), "what `process` of 'f' returns: its `name` is 'a.b'; names are not empty and have no"),
        (output("sl.Output(name='')"), "what `process` of 'f' returns: its `name` is ''; names are not empty and have no"),
        (
            "@sl.processor\ndef f(row: Row) -> None: ...",
            "argument 'row' of `process` of 'f' is annotated with <class 'test_declarations.Row'>",
        ),
        ("@sl.processor\ndef f(n: Number) -> Row: ...", "what `process` of 'f' returns is annotated with <class 'test_declarations.Row'>"),
        ("@sl.processor\ndef f(shape: Shape) -> None: ...", "whose objects cannot be told from others"),
    ],
)
def test_what_is_no_processor_says_why(text: str, says: str) -> None:
    with pytest.raises((TypeError, ValueError, sl.Error)) as caught:
        declared(text)
    assert says in str(caught.value)


def test_what_the_engine_refuses_says_of_whom() -> None:
    for options in ("sl.Input(delivery='newest')", "sl.Input(formats=['grey9'])"):
        with pytest.raises(ValueError, match=r"newest|grey9") as caught:
            declared(port(options))
        assert caught.value.__notes__ == ["in the declaration of 'f'"]  # type: ignore[attr-defined]


def test_what_others_say_in_annotations_is_theirs() -> None:
    @sl.processor
    def both(number: Annotated[Number, "mine"]) -> Annotated[Pair, "mine"]:
        return Pair(number, number)

    @sl.processor
    def whole(number: Number) -> Annotated[Pair, sl.Output(name="pair")]:
        return Pair(number, number)

    graph = sl.Graph()
    graph.chain(Count(end=2), both())
    graph.chain("both.left", Collect())
    graph.chain("count", whole())

    @sl.processor
    def halves(pair: Pair) -> None:
        assert pair.left is pair.right

    graph.connect("whole.pair", graph.add(halves()))
    assert graph.run(offline=True)["nodes"]["halves"]["processed"] == 2


def test_bounds_may_be_numbers_of_numpy() -> None:
    bounds: dict[str, Any] = {"minimum": np.float32(0), "maximum": np.int64(2)}

    @sl.processor
    class Bounded:
        level: Annotated[float, sl.Parameter(**bounds)] = 1

        def process(self, number: Number) -> None: ...

    with pytest.raises(sl.InvalidArgumentError, match="it goes from 0 to 2"):
        Bounded(level=3)


def test_literals_of_each_kind() -> None:
    @sl.processor
    class Chooses:
        level: Literal[1, 2] = 1
        mode: Literal["a or b", "c"] | None = "a or b"
        flag: Literal[True, "auto"] = "auto"

        def process(self, frame: sl.VideoFrame) -> None: ...

    choices: list[dict[str, Any]] = [{"level": 2}, {"mode": "c"}, {"mode": None}, {"flag": True}]
    for right in choices:
        Chooses(**right)
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"level": 3}, "1 or 2"),
        ({"mode": "a"}, "'a or b' or 'c' or null"),
        ({"flag": False}, "true or 'auto'"),
    ]
    for wrong, says in mistakes:
        with pytest.raises(sl.InvalidArgumentError, match=f"it takes: {says}"):
            Chooses(**wrong)


def test_classes_that_messages_name_go_with_their_processors() -> None:
    def make() -> list[weakref.ref[type]]:
        @dataclasses.dataclass
        class Message:
            x: int

            def who(self) -> type:
                return Process

        @sl.processor
        class Process:
            def process(self, frame: sl.VideoFrame) -> Message:
                return Message(1)

        return [weakref.ref(Message), weakref.ref(Process)]

    made = make()
    gc.collect()
    assert [reference() for reference in made] == [None, None]


def test_derived_classes_are_declared() -> None:
    @sl.processor
    class Base:
        def process(self, frame: sl.VideoFrame) -> None: ...

    class Derived(Base):
        def process(self, frame: sl.VideoFrame) -> None: ...

    class Same(Base):
        def helper(self) -> None: ...

    sl.Graph().add(Same())
    with pytest.raises(TypeError, match="Derived is derived from the processor Base, but not declared: decorate it, too"):
        sl.Graph().add(Derived())


def test_wrapped_methods_are_read_as_they_are_written() -> None:
    def logged(method: Any) -> Any:
        @functools.wraps(method)
        def wrapper(*args: Any) -> Any:
            return method(*args)

        return wrapper

    @sl.processor
    class Wrapped:
        @logged
        def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
            return frame

    graph = sl.Graph()
    graph.chain(pattern(4, 4), Wrapped(), sl.Null())
    assert graph.run(offline=True, frames=2)["nodes"]["wrapped"]["processed"] == 2


SHADE = """
// What it takes: nothing: at all
struct Inner { x: f32 }
struct Shade { /* a: comment */ @align(16) color: vec3<f32>, level : f32, _pad: f32, steps: array<vec4f, 3>, inner: Inner, }

fn pixel(color: vec4<f32>, position: vec2<f32>, shade: Shade) -> vec4<f32> {
    return vec4f(color.rgb * shade.level * shade.color, 1.0);
}
"""


def test_a_pixel_shader_without_an_attribute_of_a_fields_name() -> None:
    @sl.pixel_shader(SHADE)
    class Lacks:
        color: tuple[float, float, float] = (1, 1, 1)
        steps: list[list[float]] = dataclasses.field(default_factory=list)
        inner: dict[str, float] = dataclasses.field(default_factory=dict)

    with pytest.raises(TypeError, match="'Lacks' has no attribute 'level', which its pixel shader takes: annotate one, or"):
        Lacks()

    @sl.pixel_shader(SHADE)
    class Given:
        def uniform(self, frame: sl.VideoFrame) -> None: ...

    @sl.pixel_shader(SHADE)
    class Later:
        def setup(self, gpu: sl.GpuContext) -> None:
            self.color, self.level, self.steps, self.inner = (1, 1, 1), 0.5, [[0] * 4] * 3, {"x": 1}

    @sl.pixel_shader(SHADE)
    class Itself:
        def __init__(self) -> None:
            self.color, self.level, self.steps, self.inner = (1, 1, 1), 0.5, [[0] * 4] * 3, {"x": 1}

    graph = sl.Graph()
    graph.chain(pattern(4, 4), Given(), Later(), Itself(), sl.Null())
    assert graph.run(offline=True, frames=2)["nodes"]["null"]["processed"] == 2
