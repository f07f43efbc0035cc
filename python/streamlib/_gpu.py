"""The process's GPU."""

from __future__ import annotations

from . import _logs, _native
from ._native import GpuContext


def gpu(*, adapter: str | None = None, budget_bytes: int | None = None) -> GpuContext:
    """Give the GPU that everything in this process runs on. It is opened when it is first asked for, here or by a graph.

    `adapter` is a part of the adapter's name; `budget_bytes` bounds the textures and buffers that may exist at once. Both only matter to
    the call that opens it: later ones raise `streamlib.BusyError` if they ask for something else.
    """
    if budget_bytes is not None and (isinstance(budget_bytes, bool) or not isinstance(budget_bytes, int)):
        raise TypeError(f"argument 'budget_bytes': expected a number of bytes, got {budget_bytes!r}")
    if budget_bytes is not None and not 0 < budget_bytes < 1 << 64:
        raise ValueError(f"argument 'budget_bytes': it is {budget_bytes}, expected a number of bytes above 0")
    _logs.begin()
    return _native.gpu(adapter=adapter, budget_bytes=budget_bytes)
