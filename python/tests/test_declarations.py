"""Declarations: what is read off classes and functions, and what cannot be."""

from __future__ import annotations

import dataclasses
import functools
import gc
import weakref
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from support import Number, pattern

import streamlib as sl

pytestmark = pytest.mark.usefixtures("nothing_left")


def declared(text: str) -> None:
    exec(text, {"sl": sl, "Number": Number, "Iterator": Iterator})


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
    ],
)
def test_what_is_no_processor_says_why(text: str, says: str) -> None:
    with pytest.raises((TypeError, ValueError, sl.Error)) as caught:
        declared(text)
    assert says in str(caught.value)


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
