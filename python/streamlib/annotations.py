"""What annotations may say of ports and parameters beside their types: `Input`, `Output`, `Parameter`."""

from __future__ import annotations

import collections.abc
import dataclasses
import math
import numbers
import re
from typing import Any, Literal, TypeVar

__all__ = ["Input", "Output", "Parameter", "check_name", "is_ours", "options_of", "refuse_options"]

# How far apart the messages of a processor with several inputs may have been captured.
_TOLERANCE = 0.02


@dataclasses.dataclass(frozen=True, kw_only=True)
class Input:
    """How an input takes its messages: `Annotated[VideoFrame, Input(formats=["i420"])]`."""

    formats: collections.abc.Sequence[str] | None = None
    """The pixel formats that it takes, the best first; others are converted. Default: `rgba8`."""

    delivery: str | None = None
    """What a queue before it does when `process` is slow: `latest`, `drop-oldest(N)` or `block(N)`. Default: `latest`;
    `drop-oldest(4)` for one of several inputs."""

    pairing: Literal["aligned", "latest", "each"] | None = None
    """Of several inputs: `aligned` ones are matched by capture time, `latest` ones give their newest message, the same again if need be.
    Default: `aligned`, and `latest` where the annotation has `| None`."""

    tolerance: float = _TOLERANCE
    """How many seconds aligned messages may lie apart."""

    required: bool = True
    """Whether the graph cannot run without it. An aligned one is always required: without it `process` would never be called."""

    def _check(self, what: str) -> None:
        _check_formats(self.formats, what)
        _expect(self.delivery is None or isinstance(self.delivery, str), what, "delivery", self.delivery, "a policy like 'latest'")
        pairings = (None, "aligned", "latest", "each")
        _expect(self.pairing in pairings, what, "pairing", self.pairing, "'aligned', 'latest' or 'each'")
        _expect(_is_number(self.tolerance) and self.tolerance >= 0, what, "tolerance", self.tolerance, "seconds, from 0 on")
        _expect(isinstance(self.required, bool), what, "required", self.required, "True or False")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """What an output gives: `Annotated[VideoFrame, Output(formats=["grey8"])]`.

    A `NamedTuple` that is annotated with it is one message, not an output for each field.
    """

    name: str | None = None
    """Its name. Default: `out`, or `out1`, `out2` and so on; of a `NamedTuple` its fields' names."""

    formats: collections.abc.Sequence[str] | None = None
    """The pixel formats that it may give; frames of others are converted to the first. Default: `rgba8`."""

    size: tuple[int, int] | None = None
    """`(width, height)` of its pictures, if that is known: a graph that needs more memory than there is is then refused at once."""

    def _check(self, what: str) -> None:
        _check_formats(self.formats, what)
        if self.name is not None:
            check_name(self.name, what, "name")
        sides = self.size if isinstance(self.size, tuple) else ()
        are_sides = len(sides) == 2 and all(isinstance(side, numbers.Integral) and 0 < side < 1 << 32 for side in sides)
        _expect(self.size is None or are_sides, what, "size", self.size, "(width, height)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """What a parameter can be: `radius: Annotated[float, Parameter(minimum=0, maximum=0.5)] = 0.05`."""

    minimum: float | None = None
    """The smallest value."""

    maximum: float | None = None
    """The largest value."""

    live: bool = True
    """Whether it can be set while the graph runs."""

    doc: str = ""
    """What it does."""

    def _check(self, what: str) -> None:
        for option, bound in (("minimum", self.minimum), ("maximum", self.maximum)):
            _expect(bound is None or _is_number(bound), what, option, bound, "a number")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"{what}: its `minimum` is {self.minimum!r}, which is above its `maximum`, {self.maximum!r}")
        _expect(isinstance(self.live, bool), what, "live", self.live, "True or False")
        _expect(isinstance(self.doc, str), what, "doc", self.doc, "text")


_Options = TypeVar("_Options", Input, Output, Parameter)


def _expect(is_right: bool, what: str, option: str, value: object, expected: str) -> None:
    if not is_right:
        raise TypeError(f"{what}: its `{option}` is {value!r}; expected {expected}")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def check_name(name: object, what: str, option: str) -> None:
    """Refuse what cannot be the name of a node or a port."""
    _expect(isinstance(name, str), what, option, name, "text")
    if not name or re.search(r"[.\s]", str(name)):
        raise ValueError(f"{what}: its `{option}` is {name!r}; names are not empty and have no dots or spaces")


def _check_formats(formats: object, what: str) -> None:
    if isinstance(formats, str) or not (formats is None or isinstance(formats, collections.abc.Sequence)):
        raise TypeError(f"the formats of {what} are {formats!r}: expected a list of names, like [{formats!r}]")
    for name in formats or ():
        _expect(isinstance(name, str), what, "formats", name, "names, like 'rgba8'")


def is_ours(extra: object) -> bool:
    """Tell what annotations say to us from what they say to others."""
    return isinstance(extra, (Input, Output, Parameter)) or any(extra is cls for cls in (Input, Output, Parameter))


def options_of(extras: list[Any], kind: type[_Options], what: str) -> _Options:
    """Find what an annotation says of a port or a parameter, and refuse what says nothing there."""
    found = []
    for extra in filter(is_ours, extras):
        if isinstance(extra, type):
            raise TypeError(f"{what} is annotated with the class {extra.__name__}: call it, `{extra.__name__}(...)`")
        if isinstance(extra, kind):
            found.append(extra)
        else:
            raise TypeError(f"{what} is annotated with {type(extra).__name__}(...): what it can have is {kind.__name__}(...)")
    if len(found) > 1:
        raise TypeError(f"{what} is annotated with {kind.__name__}(...) more than once")
    options = found[0] if found else kind()
    options._check(what)
    return options


def refuse_options(extras: list[Any], what: str) -> None:
    """Refuse what is said of several outputs together, or of none."""
    for extra in filter(is_ours, extras):
        raise TypeError(f"{what} is annotated with {extra!r}: annotate the type of each output")
