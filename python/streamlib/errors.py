"""What can go wrong, as exceptions: `streamlib.Error` and a class for each kind.

Each has `kind`, a word that programs can act on, and `node`, the name of the node it happened in, if it happened in one. Where Python
has an exception for such a thing, the class is that, too: a `NotFoundError` is a `LookupError`.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterable, Sequence
from typing import ClassVar

__all__ = [
    "BusyError",
    "CancelledError",
    "DeviceLostError",
    "DisconnectedError",
    "EncodeError",
    "Error",
    "GpuError",
    "InvalidArgumentError",
    "InvalidGraphError",
    "NoAdapterError",
    "NotFoundError",
    "OutOfMemoryError",
    "PanickedError",
    "PermissionDeniedError",
    "StalledError",
    "StorageError",
    "UnsupportedError",
]


class Error(Exception):
    """Something that streamlib could not do: what happened, in which node, and what to do next."""

    kind: ClassVar[str] = "exception"
    """What went wrong, as far as a program can act on it."""

    node: str | None = None
    """The node it happened in, if it happened in one."""

    @property
    def message(self) -> str:
        """What happened, as text."""
        return str(self)

    @property
    def is_recoverable(self) -> bool:
        """Whether the same call may succeed later without anybody changing the program."""
        return self.kind in {"busy", "device_lost", "disconnected", "stalled"}


class InvalidArgumentError(Error, ValueError):
    """A value that cannot be: a size of zero, a parameter out of its range, an unknown name."""

    kind = "invalid_argument"


class InvalidGraphError(Error, ValueError):
    """The graph cannot run as it stands: a cycle, an unconnected input, types that differ."""

    kind = "invalid_graph"


class NotFoundError(Error, LookupError):
    """The thing asked for is not there: a camera, a file."""

    kind = "not_found"


class PermissionDeniedError(Error, PermissionError):
    """The operating system refused."""

    kind = "permission_denied"


class BusyError(Error):
    """Somebody else is using the device, or the graph is running."""

    kind = "busy"


class UnsupportedError(Error, RuntimeError):
    """The machine, the driver or the build cannot do it."""

    kind = "unsupported"


class NoAdapterError(Error):
    """No GPU adapter could be used, not even a software one."""

    kind = "no_adapter"


class DeviceLostError(Error):
    """The GPU device is gone; frames of it are void."""

    kind = "device_lost"


class GpuError(Error, RuntimeError):
    """The GPU refused a command."""

    kind = "gpu"


class OutOfMemoryError(Error, MemoryError):
    """A memory budget is used up."""

    kind = "out_of_memory"


class DisconnectedError(Error, ConnectionError):
    """A device went away while in use."""

    kind = "disconnected"


class StalledError(Error, TimeoutError):
    """Something that should have answered in time did not."""

    kind = "stalled"


class StorageError(Error, OSError):
    """Reading or writing failed."""

    kind = "io"


class EncodeError(Error):
    """An encoder or a container refused the data."""

    kind = "encode"


class PanickedError(Error):
    """A processor that is written in Rust panicked."""

    kind = "panicked"


class CancelledError(Error):
    """It was given up before it began."""

    kind = "cancelled"


_CLASSES: dict[str, type[Error]] = {
    cls.kind: cls
    for cls in (
        InvalidArgumentError,
        InvalidGraphError,
        NotFoundError,
        PermissionDeniedError,
        BusyError,
        UnsupportedError,
        NoAdapterError,
        DeviceLostError,
        GpuError,
        OutOfMemoryError,
        DisconnectedError,
        StalledError,
        StorageError,
        EncodeError,
        PanickedError,
        CancelledError,
    )
}


def make(kind: str, node: str | None, message: str, causes: list[str]) -> Error:
    """Make the exception of an error of the engine. The one place where kinds become classes."""
    error = _CLASSES.get(kind, Error)(message)
    error.node = node
    for cause in causes:
        add_note(error, f"caused by: {cause}")
    return error


def told(exception: BaseException) -> str:
    """Write an exception with its traceback, as Python prints it."""
    return "".join(traceback.format_exception(type(exception), exception, exception.__traceback__)).rstrip()


def let_go(exception: BaseException) -> None:
    """Clear what the frames of an exception's traceback hold, and those of its causes: a picture in a local variable would live as long."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [exception]
    while left:
        current = left.pop()
        if current is None or any(current is other for other in seen):
            continue
        seen.append(current)
        # What is still running is not cleared.
        traceback.clear_frames(current.__traceback__)
        left += [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]


def in_node(exception: BaseException, node: str | None) -> BaseException:
    """Say in which node a processor raised this exception."""
    if node is not None and getattr(exception, "node", None) is None:
        # One with slots has no room: the note says it.
        with contextlib.suppress(AttributeError):
            exception.node = node  # type: ignore[attr-defined]
        add_note(exception, f"raised by node '{node}'")
    return exception


def by_name(cls: type, values: Sequence[object], parameters: Iterable[str]) -> None:
    """Refuse values of a processor's parameters that are given without their names."""
    if values:
        names = ", ".join(parameters) or "it has none"
        raise TypeError(f"{cls.__name__}() takes its parameters by name, but was given {values[0]!r}; they are: {names}")


def add_note(exception: BaseException, note: str) -> None:
    """Add a line to what is printed of an exception; Python 3.10 does not print it."""
    notes: list[str] = getattr(exception, "__notes__", [])
    if note not in notes:
        exception.__notes__ = [*notes, note]  # type: ignore[attr-defined]
