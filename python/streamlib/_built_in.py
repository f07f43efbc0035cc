"""The built-in processors as classes, made from what the engine's registry says of them."""

from __future__ import annotations

import inspect
import os
from typing import Any

from . import _native
from ._native import BuiltIn
from .errors import by_name


def _make(descriptor: dict[str, Any]) -> type[BuiltIn]:
    registered = descriptor["name"]
    name = "".join(part.capitalize() for part in registered.split("-"))
    defaults = {parameter["name"]: parameter["default"] for parameter in descriptor["parameters"]}

    def new(cls: type[BuiltIn], *values: Any, **parameters: Any) -> BuiltIn:
        by_name(cls, values, defaults)
        parameters = {key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in parameters.items()}
        return BuiltIn.__new__(cls, registered, parameters)

    def init(self: BuiltIn, *values: Any, **parameters: Any) -> None: ...

    def reader(parameter: str) -> property:
        return property(lambda self: self._parameters.get(parameter, defaults[parameter]), doc=docs[parameter])

    def describe(self: BuiltIn) -> str:
        return f"{name}({', '.join(f'{key}={value!r}' for key, value in self._parameters.items())})"

    docs = {parameter["name"]: parameter["doc"] for parameter in descriptor["parameters"]}
    kind = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.Signature([inspect.Parameter(key, kind, default=value) for key, value in defaults.items()])
    body: dict[str, Any] = {
        "__new__": new,
        "__init__": init,
        "__repr__": describe,
        "__doc__": _doc(descriptor),
        "__module__": "streamlib",
        "__signature__": signature,
        **{key: reader(key) for key in defaults},
    }
    return type(name, (BuiltIn,), body)


def _doc(descriptor: dict[str, Any]) -> str:
    lines = [descriptor["summary"], ""]
    for kind in ("inputs", "outputs"):
        for port in descriptor[kind]:
            formats = f" ({', '.join(port['formats'])})" if port["formats"] else ""
            lines.append(f"{kind[:-1].capitalize()} `{port['name']}`: {port['message'].rsplit('::', 1)[-1]}{formats}.")
    if descriptor["parameters"]:
        lines += ["", "Parameters:"]
    for parameter in descriptor["parameters"]:
        bounds = ""
        if parameter["minimum"] is not None and parameter["maximum"] is not None:
            bounds = f", {parameter['minimum']:g} to {parameter['maximum']:g}"
        fixed = "" if parameter["live"] else "; cannot be set while the graph runs"
        lines.append(f"    {parameter['name']}: {parameter['type']}{bounds}, default {parameter['default']!r}{fixed}")
        lines += [f"        {line}" for line in parameter["doc"].splitlines()]
    return "\n".join(lines)


classes: dict[str, type[BuiltIn]] = {cls.__name__: cls for cls in map(_make, _native.descriptors())}
"""By name."""

globals().update(classes)

__all__ = ["BuiltIn", *classes]  # pyright: ignore[reportUnsupportedDunderAll]
