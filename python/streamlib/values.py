"""Values of parameters and metadata: what JSON can say."""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ["to_json"]


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
