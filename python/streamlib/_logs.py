"""What the engine says, in Python's `logging`: under `streamlib`, at the level it has when the GPU is opened or a graph starts."""

from __future__ import annotations

import atexit
import logging
import threading
import traceback

from . import _native

_thread: threading.Thread | None = None
_lock = threading.Lock()


def begin() -> None:
    """Let the engine's records come, from the level that `logging` wants now."""
    global _thread
    _native.set_log_level(min(logging.getLogger("streamlib").getEffectiveLevel(), 100))
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_write, name="streamlib-logs", daemon=True)
            _thread.start()
            atexit.register(_end, _thread)


def _write() -> None:
    while (record := _native.next_log()) is not None:
        name, level, message = record
        try:
            logging.getLogger(name).log(level, "%s", message)
        except Exception:
            # Of a filter or a handler. The next record is another's.
            if logging.raiseExceptions:
                traceback.print_exc()


def _end(thread: threading.Thread) -> None:
    _native.stop_logging()
    thread.join(timeout=5.0)
