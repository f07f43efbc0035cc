"""Waiting for what blocks, on behalf of event loops."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_a_thread"]

T = TypeVar("T")

# The threads that wait: the interpreter's end waits for them.
waiting: set[threading.Thread] = set()


def in_a_thread(wait: Callable[[], T]) -> asyncio.Future[T]:
    """Call `wait` on a thread of its own, and give the future of what it returns or raises.

    The event loop's own threads are few, and for what ends soon; Ctrl-C would wait for them. Who cancels the future waits no more, but
    `wait` goes on.
    """
    loop = asyncio.get_running_loop()
    waited: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if waited.done():
            return
        if error is None:
            waited.set_result(result)  # type: ignore[arg-type]
        else:
            waited.set_exception(error)

    def call() -> None:
        try:
            result, error = None, None
            try:
                result = wait()
            except BaseException as raised:
                error = raised
            # A loop that is closed has nobody who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(tell, result, error)
            del result, error
        finally:
            waiting.discard(thread)

    thread = threading.Thread(target=call, name="streamlib-wait", daemon=True)
    waiting.add(thread)
    thread.start()
    return waited
