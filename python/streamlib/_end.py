"""The end of the interpreter: what runs is ended first."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time

from . import _native
from .graphs import tell_unread
from .waits import waiting

# How long a processor has to come out of its code once an exception was raised there.
_PATIENCE = 2.0


def end() -> None:
    """End what runs, and let go of the GPU.

    A processor whose code does not return is interrupted by an exception. One that waits outside of Python cannot be: CPython would end its
    thread in the middle of native code, and with it the process by a signal, so the process ends here, with status 1.
    """
    _native.close()
    tell_unread()
    for thread in list(waiting):
        thread.join(_PATIENCE)
    stuck = _native.python_threads()
    if not stuck:
        return
    _interrupt(stuck)
    deadline = time.monotonic() + _PATIENCE
    while _native.python_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    if not _native.python_threads():
        return
    try:
        with contextlib.suppress(Exception):
            print("streamlib: a processor does not return; the process ends without it", file=sys.stderr)
        with contextlib.suppress(Exception):
            logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
    finally:
        os._exit(1)


def _interrupt(threads: list[int]) -> None:
    try:
        import ctypes
    except ImportError:
        return
    for thread in threads:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(SystemExit))
