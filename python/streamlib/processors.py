"""Processors of one's own: what `@streamlib.processor` and `@streamlib.pixel_shader` read off a class or a function."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, overload

from . import _native
from ._native import VideoFrame
from .errors import by_name
from .values import to_json

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
elif sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Callable[[Any], Any]:
        """Do nothing: only type checkers look at it."""
        return lambda decorated: decorated


__all__ = ["Input", "Output", "Parameter", "pixel_shader", "processor"]

FailurePolicy = Literal["stop", "bypass", "skip", "restart"]
_Class = TypeVar("_Class", bound=type)

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
    """Whether the graph cannot run without it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """What an output gives: `Annotated[VideoFrame, Output(formats=["grey8"])]`."""

    name: str | None = None
    """Its name. Default: `out`, or `out1`, `out2` and so on; of a `NamedTuple` its fields' names."""

    formats: collections.abc.Sequence[str] | None = None
    """The pixel formats that it may give; frames of others are converted to the first. Default: `rgba8`."""

    size: tuple[int, int] | None = None
    """`(width, height)` of its pictures, if that is known: a graph that needs more memory than there is is then refused at once."""


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


@dataclasses.dataclass(frozen=True)
class _Port:
    """A port, as the native half reads it."""

    name: str
    message: type
    formats: list[str] | None
    delivery: str | None
    pairing: str
    tolerance: float
    required: bool
    optional: bool
    size: tuple[int, int] | None


@dataclasses.dataclass(frozen=True)
class _Scope:
    """The names that annotations can use: a function's beside those of its own module, a class's beside those of the decorator's."""

    global_names: dict[str, Any]
    local_names: dict[str, Any]

    @classmethod
    def of(cls, caller: types.FrameType) -> _Scope:
        """Take the names of who wrote the decorator."""
        return cls(caller.f_globals, {} if caller.f_locals is caller.f_globals else dict(caller.f_locals))


@overload
@dataclass_transform(kw_only_default=True, field_specifiers=(dataclasses.field,))
def processor(decorated: _Class, /) -> _Class: ...
@overload
def processor(decorated: Callable[..., Any], /) -> Callable[..., Any]: ...
@overload
def processor(*, name: str | None = None, rate: float | str | None = None, on_failure: FailurePolicy = "stop") -> Callable[[Any], Any]: ...
def processor(
    decorated: Any = None, /, *, name: str | None = None, rate: float | str | None = None, on_failure: FailurePolicy = "stop"
) -> Any:
    """Make a class or a function a processor.

    Of a class: annotated attributes are parameters; `setup(gpu)` gets ready, `process(...)` takes and returns messages, `teardown()` cleans
    up. Of a function: what is positional are messages, what is keyword-only are parameters.

    Ports come from the annotations of `process`. Without arguments it is a source: it is called, or, as a generator, asked for the next
    message, again and again, or `rate` times a second. `name` is what nodes of it are called; by default `bouncing-ball` for
    `BouncingBall`. `on_failure` says what an exception does: `stop` the run, `bypass` this node from then on, `skip`
    only the message at which it was raised, or `restart` the node.
    """

    def decorate(decorated: Any) -> Any:
        scope = _Scope.of(sys._getframe(2 if direct else 1))
        if not isinstance(decorated, type) and not hasattr(decorated, "__code__"):
            raise TypeError(f"`processor` decorates a class or a function written with `def`, not {type(decorated).__name__}")
        cls = decorated if isinstance(decorated, type) else _class_of(decorated, scope)
        return _declare(cls, scope, name=name, rate=rate, on_failure=on_failure)

    direct = decorated is not None
    return decorate(decorated) if direct else decorate


@dataclass_transform(kw_only_default=True, field_specifiers=(dataclasses.field,))
def pixel_shader(wgsl: str, /, *, name: str | None = None, on_failure: FailurePolicy = "stop") -> Callable[[_Class], _Class]:
    """Make a class a pixel shader: a WGSL function `pixel` from a colour and a position to a colour.

    What the function takes as its third argument, a struct, is what `uniform(frame)` returns, a dict, for each frame; without that method,
    the attributes of the fields' names. `None` leaves the picture as it is. Neighbouring pixel shaders are drawn in one pass, native ones
    and those from Python.
    """
    if not isinstance(wgsl, str):
        raise TypeError(f"argument 'wgsl': expected the text of a WGSL function `pixel`, got {type(wgsl).__name__}")

    def decorate(cls: _Class) -> _Class:
        if not isinstance(cls, type):
            raise TypeError(f"`pixel_shader` decorates a class, not {type(cls).__name__}")
        declared: _Class = _declare(cls, _Scope.of(sys._getframe(1)), name=name, wgsl=wgsl, on_failure=on_failure)
        return declared

    return decorate


def declaration_of(candidate: object) -> _native.Declaration | None:
    """Say what the engine knows of a processor's class; `None` if it is none."""
    found = getattr(type(candidate), "__streamlib__", None)
    return found if isinstance(found, _native.Declaration) else None


def refuse_undeclared(cls: type) -> None:
    """Refuse a class that changes the processor it is derived from without being declared one itself."""
    own = any(name in cls.__dict__ for name in ("process", "setup", "teardown", "uniform"))
    annotations = inspect.get_annotations(cls)
    own = own or any("ClassVar" not in str(annotation) for annotation in annotations.values())
    if own and "__streamlib__" not in cls.__dict__:
        base = next(base.__name__ for base in cls.__mro__ if "__streamlib__" in base.__dict__)
        raise TypeError(
            f"argument 'processor': {cls.__name__} is derived from the processor {base}, but not declared: decorate it, too,"
            " with `@streamlib.processor`"
        )


def values_of(candidate: object, leave_out: bool = False) -> str:
    """Write what a processor is set to as JSON. What cannot be written, something that `setup` has put there, is left out if so asked."""
    declaration = declaration_of(candidate)
    values: dict[str, Any] = {}
    for parameter in [] if declaration is None else declaration.parameters:
        value = getattr(candidate, parameter["name"])
        try:
            to_json(value)
        except TypeError:
            if leave_out:
                continue
        values[parameter["name"]] = value
    return to_json(values)


def _declare(
    cls: Any,
    scope: _Scope,
    *,
    name: str | None = None,
    rate: float | str | None = None,
    wgsl: str | None = None,
    on_failure: str = "stop",
) -> Any:
    if issubclass(cls, _native.BuiltIn):
        raise TypeError(
            f"'{cls.__name__}' is derived from a built-in processor, whose code is native: write one of its own, or chain the two"
        )
    own_init = "__init__" in cls.__dict__
    dataclasses.dataclass(kw_only=True, eq=False, init=not own_init)(cls)
    if wgsl is None:
        process = getattr(cls, "process", None)
        if not callable(process):
            raise TypeError(f"'{cls.__name__}' is no processor: it has no method `process`")
        what = f"`process` of '{cls.__name__}'"
        if isinstance(inspect.getattr_static(cls, "process"), (staticmethod, classmethod)):
            raise TypeError(f"{what} is no method: write `def process(self, ...)`")
        if inspect.iscoroutinefunction(process) or inspect.isasyncgenfunction(process):
            raise TypeError(f"{what} is `async`: it runs on a thread of its own, where no event loop is; write `def process(self, ...)`")
        # A class made of a function has that function's hints and messages.
        hints = getattr(process, "__streamlib_hints__", None)
        if hints is None:
            hints = _hints(process, what, scope)
            parameters = list(inspect.signature(process).parameters.values())[1:]
        else:
            parameters = list(inspect.signature(inspect.unwrap(process)).parameters.values())
        inputs = _inputs(cls, parameters, hints)
        outputs, returns = _outputs(cls, hints)
    else:
        process = getattr(cls, "uniform", None)
        inputs = [_Port("frame", VideoFrame, None, None, "each", 0.0, True, False, None)]
        outputs, returns = [_Port("out", VideoFrame, None, None, "each", 0.0, True, False, None)], "one"
    if rate is not None and inputs:
        raise TypeError(f"'{cls.__name__}' has inputs: only a source has a `rate`")
    if not inputs and not outputs:
        raise TypeError(f"'{cls.__name__}' takes nothing and gives nothing: annotate the arguments of `process`, or what it returns")
    setup = getattr(cls, "setup", None)
    if setup is not None and len(inspect.signature(setup).parameters) != 2:
        raise TypeError(f"`setup` of '{cls.__name__}' takes the GPU: write `def setup(self, gpu: streamlib.GpuContext) -> None`")
    declaration = _native.Declaration(
        name or _kebab(cls.__name__),
        inputs,
        outputs,
        returns=returns,
        parameters=json.dumps(_parameters(cls, scope)),
        has_setup=setup is not None,
        has_teardown=hasattr(cls, "teardown"),
        rate=None if rate is None else str(rate),
        wgsl=wgsl,
        has_uniform=wgsl is not None and process is not None,
        on_failure=on_failure,
        place=_place(process),
    )
    cls.__streamlib__ = declaration
    _check_when_made(cls, is_generated=not own_init)
    return cls


def _check_when_made(cls: Any, is_generated: bool) -> None:
    make = cls.__init__

    @functools.wraps(make)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        if is_generated:
            by_name(cls, args, [field.name for field in dataclasses.fields(cls) if field.init])
        make(self, *args, **kwargs)
        # A class that is derived from this one, and is a processor itself, checks what it is.
        if type(self).__init__ is checked or type(self).__streamlib__ is cls.__streamlib__:
            type(self).__streamlib__.check(values_of(self))

    cls.__init__ = checked


def _class_of(function: Callable[..., Any], scope: _Scope) -> type:
    """Make the class of a processor that was written as a function."""
    what = f"'{function.__name__}'"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{what} is `async`: it runs on a thread of its own, where no event loop is; write `def {function.__name__}(...)`")
    hints = _hints(function, what, scope)
    signature = inspect.signature(function)
    fields: list[str] = []
    body: dict[str, Any] = {"__doc__": function.__doc__, "__module__": function.__module__, "__qualname__": function.__qualname__}
    annotations: dict[str, Any] = {}
    messages: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{what} takes '*{parameter.name}': ports are arguments with names")
        if parameter.kind is not parameter.KEYWORD_ONLY:
            messages.append(parameter)
            continue
        if parameter.name in ("process", "setup", "teardown"):
            raise TypeError(f"{what} has a parameter '{parameter.name}', which is a method of processors: give it another name")
        fields.append(parameter.name)
        annotations[parameter.name] = hints.get(parameter.name, Any)
        if parameter.default is not parameter.empty:
            body[parameter.name] = parameter.default

    # Frames come this way: without parameters there is nothing to look up.
    def process(self: Any, *arguments: Any) -> Any:
        return function(*arguments)

    def process_with_fields(self: Any, *arguments: Any) -> Any:
        return function(*arguments, **{name: getattr(self, name) for name in fields})

    if fields:
        process = process_with_fields
    process.__wrapped__ = _bare(messages, function)  # type: ignore[attr-defined]
    process.__streamlib_hints__ = hints  # type: ignore[attr-defined]
    process.__code_of__ = function.__code__  # type: ignore[attr-defined]
    body["__annotations__"] = annotations
    body["process"] = process
    return type(function.__name__, (), body)


def _bare(messages: list[inspect.Parameter], function: Callable[..., Any]) -> Callable[..., Any]:
    """Make something with the signature of `function`, parameters apart."""

    def bare() -> None: ...

    bare.__signature__ = inspect.Signature(messages)  # type: ignore[attr-defined]
    bare.__doc__ = function.__doc__
    return bare


def _hints(function: Any, what: str, scope: _Scope) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, localns=scope.local_names, include_extras=True)
    except Exception as error:
        raise TypeError(f"an annotation of {what} cannot be resolved: {error}") from error


def _split(hint: Any) -> tuple[Any, list[Any], bool]:
    """Take an annotation apart: the type, what `Annotated` adds, and whether it may be `None`."""
    extras: list[Any] = []
    optional = False
    while True:
        origin = get_origin(hint)
        if origin is typing.Annotated:
            hint, *more = get_args(hint)
            extras += more
        elif origin in (typing.Union, types.UnionType):
            rest = [choice for choice in get_args(hint) if choice is not type(None)]
            if len(rest) == len(get_args(hint)) or len(rest) != 1:
                return hint, extras, optional
            hint, optional = rest[0], True
        else:
            return hint, extras, optional


def _message(hint: Any, what: str) -> type:
    hint = get_origin(hint) or hint
    if not isinstance(hint, type) or hint in (object, type, tuple, Any, type(None), types.UnionType):
        raise TypeError(f"{what} is annotated with {hint!r}: the type of a port is `streamlib.VideoFrame` or a class of one's own")
    return hint


def _inputs(cls: Any, parameters: list[inspect.Parameter], hints: dict[str, Any]) -> list[_Port]:
    ports = []
    for parameter in parameters:
        what = f"argument '{parameter.name}' of `process` of '{cls.__name__}'"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{what} is no port: ports are positional arguments")
        if parameter.name not in hints:
            raise TypeError(f"{what} has no annotation: its type says what the port takes")
        hint, extras, optional = _split(hints[parameter.name])
        options = next((extra for extra in extras if isinstance(extra, Input)), Input())
        # Of several, those that may be missing give what they have.
        usual = "each" if len(parameters) == 1 else "latest" if optional else "aligned"
        formats = _formats(options.formats, what)
        ports.append(
            _Port(
                parameter.name,
                _message(hint, what),
                formats,
                options.delivery,
                options.pairing or usual,
                options.tolerance,
                options.required,
                optional,
                None,
            )
        )
    return ports


def _formats(formats: object, what: str) -> list[str] | None:
    if formats is None:
        return None
    if isinstance(formats, str) or not isinstance(formats, collections.abc.Sequence):
        raise TypeError(f"the formats of {what} are {formats!r}: expected a list of names, like [{formats!r}]")
    return list(formats)


_ITERATORS = (collections.abc.Iterator, collections.abc.Iterable, collections.abc.Generator)


def _outputs(cls: Any, hints: dict[str, Any]) -> tuple[list[_Port], str]:
    what = f"what `process` of '{cls.__name__}' returns"
    if "return" not in hints:
        raise TypeError(f"{what} is not annotated: write `-> streamlib.VideoFrame`, or `-> None` for a sink")
    hint, extras, optional = _split(hints["return"])
    iterates = (get_origin(hint) or hint) in _ITERATORS
    if iterates:
        if not get_args(hint):
            raise TypeError(f"{what} is an iterator of what? Write `-> Iterator[streamlib.VideoFrame]`")
        hint, extras, optional = _split(get_args(hint)[0])
    is_tuple = False
    if hint is type(None):
        ports: list[_Port] = []
    elif isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        fields = typing.get_type_hints(hint, include_extras=True)
        ports = [_output(name, fields.get(name), f"field '{name}' of {what}") for name in hint._fields]  # pyright: ignore[reportAttributeAccessIssue]
        is_tuple = True
    elif get_origin(hint) is tuple:
        choices = get_args(hint)
        if Ellipsis in choices:
            raise TypeError(f"{what} is a tuple of any length: name the type of each output")
        ports = [_output(f"out{index + 1}", choice, f"output {index + 1} of {what}") for index, choice in enumerate(choices)]
        is_tuple = True
    else:
        ports = [_output("out", typing.Annotated[(hint, *extras)] if extras else hint, what, optional)]
    returns = "tuple" if is_tuple else "one"
    if iterates:
        returns = "iterator of tuples" if is_tuple else "iterator"
    return ports, returns


def _output(name: str, hint: Any, what: str, may_be_none: bool = False) -> _Port:
    hint, extras, optional = _split(hint)
    options = next((extra for extra in extras if isinstance(extra, Output)), Output())
    message = _message(hint, what)
    formats = _formats(options.formats, what)
    return _Port(options.name or name, message, formats, None, "each", 0.0, True, optional or may_be_none, options.size)


_KINDS: dict[Any, str] = {
    float: "number",
    int: "integer",
    bool: "boolean",
    str: "string",
    list: "array",
    tuple: "array",
    dict: "object",
    collections.abc.Sequence: "array",
    collections.abc.Mapping: "object",
}


def _parameters(cls: Any, scope: _Scope) -> list[dict[str, Any]]:
    try:
        hints = typing.get_type_hints(cls, localns={**scope.global_names, **scope.local_names}, include_extras=True)
    except Exception as error:
        raise TypeError(f"an annotation of '{cls.__name__}' cannot be resolved: {error}") from error
    descriptors = []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        hint, extras, optional = _split(hints[field.name])
        about = next((extra for extra in extras if isinstance(extra, Parameter)), Parameter())
        default = field.default
        if default is dataclasses.MISSING:
            factory = field.default_factory
            default = None if factory is dataclasses.MISSING else factory()
        if get_origin(hint) is Literal:
            kind = " or ".join(f"'{choice}'" if isinstance(choice, str) else to_json(choice) for choice in get_args(hint))
        else:
            kind = _KINDS.get(get_origin(hint) or hint, "any")
        descriptors.append(
            {
                "name": field.name,
                "type": kind + (" or null" if optional else ""),
                "default": json.loads(to_json(default)),
                "minimum": about.minimum,
                "maximum": about.maximum,
                "live": about.live,
                "doc": about.doc,
            }
        )
    return descriptors


def _place(function: Any) -> tuple[str, int] | None:
    code = getattr(function, "__code_of__", None) or getattr(function, "__code__", None)
    return None if code is None else (code.co_filename, code.co_firstlineno)


def _kebab(name: str) -> str:
    """Turn `BouncingBall` and `bouncing_ball` into `bouncing-ball`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()
