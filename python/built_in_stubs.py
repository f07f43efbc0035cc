"""Writes the type stubs of the built-in processors from the engine's registry; `scripts/python-stubs` calls it."""

from __future__ import annotations

from typing import Any

from streamlib._built_in import classes
from streamlib._native import descriptors

_TYPES = {
    "array": "collections.abc.Sequence[typing.Any]",
    "boolean": "bool",
    "integer": "int",
    "null": "None",
    "number": "float",
    "object": "collections.abc.Mapping[str, typing.Any]",
    "string": "str",
}


def python_type(kind: str) -> str:
    """Say a JSON type, or the values that there are, in Python's terms."""
    return " | ".join(
        f'typing.Literal["{choice[1:-1]}"]' if choice.startswith("'") else _TYPES.get(choice, "typing.Any")
        for choice in dict.fromkeys(kind.split(" or "))
    )


def write(name: str, doc: str, parameters: list[dict[str, Any]]) -> None:
    """Print the stub of a class."""
    print(f"class {name}(BuiltIn):")
    print('    """' + doc.replace("\\", "\\\\").replace("\n", "\n    ").replace("    \n", "\n") + '\n    """')
    arguments = [f"{parameter['name']}: {python_type(parameter['type'])} = ..." for parameter in parameters]
    print(f"    def __new__(cls{', *, ' if arguments else ''}{', '.join(arguments)}) -> {name}: ...")
    print(f"    def __init__(self{', *, ' if arguments else ''}{', '.join(arguments)}) -> None: ...")
    for parameter in parameters:
        print(f"    @property\n    def {parameter['name']}(self) -> {python_type(parameter['type'])}: ...")


def main() -> None:
    """Print all."""
    print("# Made by scripts/python-stubs from the registry of built-in processors. Do not edit.")
    print("import collections.abc\nimport typing\nfrom ._native import BuiltIn as BuiltIn\n")
    print(f"__all__ = {['BuiltIn', *classes]!r}")
    print("classes: dict[str, type[BuiltIn]]\n")
    for cls, descriptor in zip(classes.values(), descriptors(), strict=True):
        write(cls.__name__, cls.__doc__ or "", descriptor["parameters"])


if __name__ == "__main__":
    main()
