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
from .annotations import Input, Output, Parameter, check_name, is_ours, options_of, refuse_options
from .errors import add_note, by_name, make
from .values import find_wrong, kind_of, to_json

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
elif sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Callable[[Any], Any]:
        """Do nothing: only type checkers look at it."""
        return lambda decorated: decorated


__all__ = ["pixel_shader", "processor"]

FailurePolicy = Literal["stop", "bypass", "skip", "restart"]
_Class = TypeVar("_Class", bound=type)


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
    written = to_json(values)
    check_values(candidate, json.loads(written))
    return written


def check_values(candidate: object, values: dict[str, Any]) -> None:
    """Refuse values that the annotations of a processor's parameters do not allow, in the depth of lists and dicts too.

    They are as JSON gives them back: lists for tuples.
    """
    nothing: tuple[str, dict[str, Any]] = ("", {})
    node, annotations = getattr(type(candidate), "__streamlib_parameters__", nothing)
    for name, value in values.items():
        wrong = find_wrong(annotations.get(name, Any), value)
        if wrong is not None:
            element = f": its element {wrong.where} is {json.dumps(wrong.value)}" if wrong.where else ""
            message = f"node '{node}': parameter '{name}' cannot be {json.dumps(value)}{element}; it takes: {wrong.expected}"
            raise make("invalid_argument", node, message, [])


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
        _refuse_async(process, what, "process(self, ...)")
        # A class made of a function has that function's hints and messages.
        hints = getattr(process, "__streamlib_hints__", None)
        is_function = hints is not None
        if hints is None:
            hints = _hints(process, what, scope)
            parameters = list(inspect.signature(process).parameters.values())[1:]
        else:
            parameters = list(inspect.signature(inspect.unwrap(process)).parameters.values())
        inputs = _inputs(cls, parameters, hints, is_function)
        outputs, returns = _outputs(cls, hints)
    else:
        process = getattr(cls, "uniform", None)
        inputs = [_Port("frame", VideoFrame, None, None, "each", 0.0, True, False, None)]
        outputs, returns = [_Port("out", VideoFrame, None, None, "each", 0.0, True, False, None)], "one"
    if rate is not None and inputs:
        raise TypeError(f"'{cls.__name__}' has inputs: only a source has a `rate`")
    if not inputs and not outputs:
        raise TypeError(f"'{cls.__name__}' takes nothing and gives nothing: annotate the arguments of `process`, or what it returns")
    if name is not None:
        check_name(name, f"'{cls.__name__}'", "name")
    for method in ("setup", "teardown") if wgsl is None else ("setup", "teardown", "uniform"):
        _refuse_async(getattr(cls, method, None), f"`{method}` of '{cls.__name__}'", f"{method}(self, ...)")
    setup = getattr(cls, "setup", None)
    if setup is not None and len(inspect.signature(setup).parameters) != 2:
        raise TypeError(f"`setup` of '{cls.__name__}' takes the GPU: write `def setup(self, gpu: streamlib.GpuContext) -> None`")
    described, annotations = _parameters(cls, scope)
    name = _kebab(cls.__name__) if name is None else name
    try:
        declaration = _native.Declaration(
            name,
            inputs,
            outputs,
            returns=returns,
            parameters=json.dumps(described),
            has_setup=setup is not None,
            has_teardown=hasattr(cls, "teardown"),
            rate=None if rate is None else str(rate),
            wgsl=wgsl,
            has_uniform=wgsl is not None and process is not None,
            on_failure=on_failure,
            place=_place(process),
        )
    except Exception as error:
        add_note(error, f"in the declaration of '{cls.__name__}'")
        raise
    cls.__streamlib__ = declaration
    cls.__streamlib_parameters__ = (name, annotations)
    # What is there when it is made, unless `setup` adds to it.
    fields = [] if setup is not None else declaration.fields
    _check_when_made(cls, is_generated=not own_init, fields=fields)
    return cls


def _refuse_async(function: object, what: str, instead: str) -> None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{what} is `async`: it runs on a thread of its own, where no event loop is; write `def {instead}`")


def _check_when_made(cls: Any, is_generated: bool, fields: list[str]) -> None:
    make = cls.__init__

    @functools.wraps(make)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        if is_generated:
            by_name(cls, args, [field.name for field in dataclasses.fields(cls) if field.init])
        make(self, *args, **kwargs)
        # A class that is derived from this one, and is a processor itself, checks what it is.
        if type(self).__init__ is checked or type(self).__streamlib__ is cls.__streamlib__:
            type(self).__streamlib__.check(values_of(self))
            missing = next((field for field in fields if not hasattr(self, field)), None)
            if missing is not None:
                raise TypeError(
                    f"'{cls.__name__}' has no attribute '{missing}', which its pixel shader takes: annotate one, or give it with"
                    " `def uniform(self, frame)`"
                )

    cls.__init__ = checked


def _class_of(function: Callable[..., Any], scope: _Scope) -> type:
    """Make the class of a processor that was written as a function."""
    what = f"'{function.__name__}'"
    _refuse_async(function, what, f"{function.__name__}(...)")
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
    try:
        isinstance(None, hint)
    except TypeError as error:
        # A TypedDict, or a protocol that exists for type checkers only.
        raise TypeError(f"{what} is annotated with {hint!r}, whose objects cannot be told from others: {error}") from error
    return hint


def _inputs(cls: Any, parameters: list[inspect.Parameter], hints: dict[str, Any], is_function: bool) -> list[_Port]:
    ports = []
    for parameter in parameters:
        what = f"argument '{parameter.name}' of `process` of '{cls.__name__}'"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{what} is no port: ports are positional arguments")
        if parameter.name not in hints:
            raise TypeError(f"{what} has no annotation: its type says what the port takes")
        hint, extras, optional = _split(hints[parameter.name])
        if parameter.default is not parameter.empty or hint in (int, float, str, bool):
            written = str(parameter.replace(annotation=hints[parameter.name], kind=parameter.KEYWORD_ONLY))
            instead = f"are keyword-only: write `*, {written}`" if is_function else f"are attributes: write `{written}` in the class"
            kind = "function" if is_function else "class"
            raise TypeError(f"{what} is a message, which has no default and is no plain value; parameters of a {kind} {instead}")
        options = options_of(extras, Input, what)
        # Of several, those that may be missing give what they have.
        usual = "each" if len(parameters) == 1 else "latest" if optional else "aligned"
        pairing = options.pairing or usual
        if pairing == "aligned" and not options.required:
            raise ValueError(f'{what} is aligned and not `required`: without it nothing would be called; let it be `pairing="latest"`')
        ports.append(
            _Port(
                parameter.name,
                _message(hint, what),
                None if options.formats is None else list(options.formats),
                options.delivery,
                pairing,
                float(options.tolerance),
                options.required,
                optional,
                None,
            )
        )
    alone = [port.name for port in ports if port.pairing == "each"]
    active = [port.name for port in ports if port.pairing != "latest"]
    if alone and len(active) > 1:
        raise ValueError(
            f"argument '{alone[0]}' of `process` of '{cls.__name__}' has the pairing 'each', but it is called with a message of"
            f" each of {', '.join(active)}: let them be 'aligned', or all but one 'latest'"
        )
    return ports


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
        refuse_options(extras, what)
        hint, extras, optional = _split(get_args(hint)[0])
    is_tuple = False
    if hint is type(None):
        refuse_options(extras, what)
        ports: list[_Port] = []
    elif isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields") and not any(map(is_ours, extras)):
        fields = typing.get_type_hints(hint, include_extras=True)
        ports = [_output(name, fields.get(name), f"field '{name}' of {what}") for name in hint._fields]  # pyright: ignore[reportAttributeAccessIssue]
        is_tuple = True
    elif get_origin(hint) is tuple:
        choices = get_args(hint)
        if Ellipsis in choices:
            raise TypeError(f"{what} is a tuple of any length: name the type of each output")
        if not choices:
            raise TypeError(f"{what} is a tuple of nothing: name the type of each output, or write `-> None` for a sink")
        refuse_options(extras, what)
        ports = [_output(f"out{index + 1}", choice, f"output {index + 1} of {what}") for index, choice in enumerate(choices)]
        is_tuple = True
    else:
        ports = [_output("out", typing.Annotated[(hint, *extras)] if extras else hint, what, optional)]
    names = [port.name for port in ports]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{what} has two outputs of the name '{twice}': give one of them another, `Output(name=...)`")
    returns = "tuple" if is_tuple else "one"
    if iterates:
        returns = "iterator of tuples" if is_tuple else "iterator"
    return ports, returns


def _output(name: str, hint: Any, what: str, may_be_none: bool = False) -> _Port:
    hint, extras, optional = _split(hint)
    options = options_of(extras, Output, what)
    message = _message(hint, what)
    formats = None if options.formats is None else list(options.formats)
    return _Port(options.name or name, message, formats, None, "each", 0.0, True, optional or may_be_none, options.size)


def _parameters(cls: Any, scope: _Scope) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Describe the parameters, and give their annotations."""
    try:
        hints = typing.get_type_hints(cls, localns={**scope.global_names, **scope.local_names}, include_extras=True)
    except Exception as error:
        raise TypeError(f"an annotation of '{cls.__name__}' cannot be resolved: {error}") from error
    descriptors = []
    taken: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        hint = hints[field.name]
        _, extras, _ = _split(hint)
        about = options_of(extras, Parameter, f"attribute '{field.name}' of '{cls.__name__}'")
        default = field.default
        if default is dataclasses.MISSING:
            factory = field.default_factory
            default = None if factory is dataclasses.MISSING else factory()
        try:
            plain, json_type = json.loads(to_json(default)), kind_of(hint)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"attribute '{field.name}' of '{cls.__name__}' can be no parameter: {error}") from error
        taken[field.name] = hint
        descriptors.append(
            {
                "name": field.name,
                "type": json_type,
                "default": plain,
                "minimum": None if about.minimum is None else float(about.minimum),
                "maximum": None if about.maximum is None else float(about.maximum),
                "live": about.live,
                "doc": about.doc,
            }
        )
    return descriptors, taken


def _place(function: Any) -> tuple[str, int] | None:
    code = getattr(function, "__code_of__", None) or getattr(function, "__code__", None)
    return None if code is None else (code.co_filename, code.co_firstlineno)


def _kebab(name: str) -> str:
    """Turn `BouncingBall` and `bouncing_ball` into `bouncing-ball`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()
