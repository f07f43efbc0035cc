"""What is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from ..waits import in_a_thread

__all__ = ["Promise"]

T = TypeVar("T")


class Promise(Generic[T]):
    """A result that is under way: `await` it, or call `sync_wait`; as often as one likes."""

    def __init__(self, wait: Callable[[], T]) -> None:
        self._wait: Callable[[], T] | None = wait
        self._result: list[T] = []
        self._lock = threading.Lock()

    def sync_wait(self) -> T:
        """Block until the result is there, and return it."""
        with self._lock:
            if self._wait is not None:
                self._result.append(self._wait())
                self._wait = None
            return self._result[0]

    def __await__(self) -> Generator[Any, None, T]:
        return in_a_thread(self.sync_wait).__await__()
