"""Values of parameters and metadata: what JSON can say, and what annotations say of them."""

from __future__ import annotations

import collections.abc
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

__all__ = ["Wrong", "find_wrong", "kind_of", "to_json"]

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
    types.NoneType: "null",
}

_TYPES: dict[str, tuple[type, ...]] = {
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "null": (types.NoneType,),
}


class Wrong(typing.NamedTuple):
    """What of a value cannot be, where in it that is, and what would be right."""

    where: str
    value: object
    expected: str


def kind_of(hint: Any) -> str:
    """Say which values of JSON an annotation allows, as descriptors of built-in processors do: `integer or null`."""
    origin, choices = get_origin(hint) or hint, get_args(hint)
    if origin is typing.Annotated:
        return kind_of(choices[0])
    if origin is Literal:
        return " or ".join(f"'{choice}'" if isinstance(choice, str) else to_json(choice) for choice in choices)
    if origin in (typing.Union, types.UnionType):
        kinds = dict.fromkeys(map(kind_of, choices))
        return " or ".join([*(kind for kind in kinds if kind != "null"), *(["null"] if "null" in kinds else [])])
    return _KINDS.get(origin, "any")


def _is_a(kind: str, value: object) -> bool:
    # Python's booleans are integers.
    return kind == "any" or (isinstance(value, _TYPES[kind]) and isinstance(value, bool) is (kind == "boolean"))


def find_wrong(hint: Any, value: Any, where: str = "") -> Wrong | None:
    """Find what an annotation does not allow in a value as JSON gives it back: a list for a tuple."""
    origin, choices = get_origin(hint) or hint, get_args(hint)
    if origin is typing.Annotated:
        return find_wrong(choices[0], value, where)
    if origin is Literal:
        is_there = any(type(choice) is type(value) and choice == value for choice in choices)
        return None if is_there else Wrong(where, value, kind_of(hint))
    if origin in (typing.Union, types.UnionType):
        found = [find_wrong(choice, value, where) for choice in choices]
        if None in found:
            return None
        deeper = next((wrong for wrong in found if wrong and wrong.where != where), None)
        return deeper or Wrong(where, value, " or ".join(dict.fromkeys(wrong.expected for wrong in found if wrong)))
    kind = kind_of(hint)
    if not _is_a(kind, value):
        return Wrong(where, value, kind)
    elements: list[tuple[str, Any, Any]] = []
    if origin is tuple and choices and choices[-1] is not Ellipsis:
        if len(value) != len(choices):
            return Wrong(where, value, f"array of {len(choices)}")
        elements = [(f"[{index}]", choice, one) for index, (choice, one) in enumerate(zip(choices, value, strict=True))]
    elif kind == "array" and choices:
        elements = [(f"[{index}]", choices[0], one) for index, one in enumerate(value)]
    elif kind == "object" and choices:
        elements = [(f"[{name!r}]", choices[1], one) for name, one in value.items()]
    return next((wrong for at, choice, one in elements if (wrong := find_wrong(choice, one, where + at))), None)


def to_json(value: object) -> str:
    """Write a value as JSON, numpy's numbers and arrays too. Of a dict, a wrong value is named."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(name))}: {_one(str(name), one)}" for name, one in value.items()) + "}"
    return _one("", value)


def _one(name: str, value: object) -> str:
    of = f"'{name}' cannot be {value!r}" if name else f"{value!r} cannot be written"

    def plain(value: object) -> object:
        convert = getattr(value, "tolist", None)
        if convert is None:
            raise TypeError(f"{value!r} cannot be written as JSON: a parameter is a number, text, a list or a dict of these")
        return convert()

    try:
        return json.dumps(value, default=plain, allow_nan=False)
    except TypeError as error:
        raise TypeError(f"'{name}': {error}" if name else str(error)) from error
    except ValueError as error:
        raise ValueError(f"{of}: numbers are finite, and no list is within itself") from error
