"""Graphs: which processors there are, how they are linked, and their runs."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import json
import logging
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Literal, TypedDict

from . import _logs, _native
from ._built_in import BuiltIn
from .errors import add_note
from .processors import FailurePolicy, check_values, declaration_of, refuse_undeclared, values_of
from .statistics import Statistics
from .values import to_json
from .waits import in_a_thread

if sys.version_info >= (3, 11):
    from typing import Self, Unpack
else:
    from typing_extensions import Self, Unpack

__all__ = ["Graph", "RunOptions"]

# How many samples of statistics are remembered for `to_pandas`: an hour's, one a second.
_SAMPLES = 3600


# Those that were started and may have ended with an error that nobody was told of.
_started: weakref.WeakSet[Graph] = weakref.WeakSet()


def tell_unread() -> None:
    """Log how runs ended that nobody asked about."""
    for graph in list(_started):
        graph._tell_unread()


class RunOptions(TypedDict, total=False):
    """How to run a graph."""

    offline: bool
    """As fast as it goes, losing nothing, instead of by the clock. Default: `False`."""

    frames: int | None
    """The run ends when every sink has had so many messages. Default: it goes on."""

    duration: float | None
    """The run ends after so many seconds. Default: it goes on."""

    drain_deadline: float
    """How many seconds what is under way may take to reach the sinks when the run ends. Default: 5."""

    max_in_flight: int | None
    """The most submissions that a segment may have outstanding at the GPU. Default: 1 live, 3 offline."""

    fusion: bool
    """Whether pixel shaders that follow each other are drawn in one pass. Default: `True`."""


class Graph:
    """Processors and the links between their ports.

    >>> import streamlib as sl
    >>> graph = sl.Graph()
    >>> graph.chain(sl.TestPattern(size=(320, 240)), sl.BouncingBall(), sl.Null())
    ['test-pattern', 'bouncing-ball', 'null']
    >>> statistics = graph.run(offline=True, frames=30)
    >>> statistics["nodes"]["null"]["processed"]
    30

    The same graph can run again. All threads may use it.
    """

    def __init__(self) -> None:
        self._native = _native.Graph()
        self._samples: collections.deque[dict[str, Any]] = collections.deque(maxlen=_SAMPLES)

    def add(self, processor: object, name: str | None = None) -> str:
        """Add a processor and return its name: that of its class, like `bouncing-ball`, where none is given.

        Names are unique, not empty and free of dots and white space. A processor that is written in Python is in a graph once; a built-in
        one that is added again makes another node.
        """
        declaration = declaration_of(processor)
        if isinstance(processor, type):
            raise TypeError(
                f"argument 'processor': expected a processor, got the class {processor.__name__}; call it: {processor.__name__}()"
            )
        if declaration is None and not isinstance(processor, BuiltIn):
            kind = type(processor).__name__
            raise TypeError(f"argument 'processor': expected a processor, got {kind}; decorate its class with `@streamlib.processor`")
        if declaration is not None:
            refuse_undeclared(type(processor))
        return self._native.add(processor, name, declaration, "{}" if declaration is None else values_of(processor))

    def connect(self, source: str, target: str, delivery: str | None = None) -> None:
        """Link an output to an input, given as `node.port`, or `node` alone where it has just one.

        `delivery` says what the queue does, if the link gets one, when its consumer is slow: `latest`, `drop-oldest(N)` or `block(N)`.
        """
        self._native.connect(source, target, delivery)

    def chain(self, *processors: object) -> list[str]:
        """Add processors, link each to the next, and return their names. Text is the name, or the port, of a node that is there already.

        If one cannot be added or linked, none is.
        """
        before = self._native.steps()
        try:
            names = [processor if isinstance(processor, str) else self.add(processor) for processor in processors]
            for source, target in itertools.pairwise(names):
                self.connect(source, target)
        except Exception:
            if not self.is_running:
                self._native.undo(before)
            raise
        return names

    def on_failure(self, node: str, policy: FailurePolicy) -> None:
        """Say what happens when a node fails: `stop` ends the run, `bypass` goes on without it.

        `skip` passes over the message at which it failed, `restart` sets the node up again.
        """
        self._native.on_failure(node, policy)

    def run(self, **options: Unpack[RunOptions]) -> Statistics:
        """Run to the end and return what was done. Raises what ended the run, if that was an error.

        Ctrl-C (and SIGTERM) drains the graph, and `run` returns; a second one ends the process at once, with status 130. Signals for which
        the program has handlers of its own are left to these: what they raise drains the graph, and is raised here.
        """
        self._start(options, lend=True)
        try:
            self._wait_draining()
        except BaseException:
            self._native.stop(True)
            self._native.wait()
            raise
        return self._finish()

    async def run_async(self, **options: Unpack[RunOptions]) -> Statistics:
        """Do the same for asyncio. Cancelling it drains the graph first."""
        self._start(options, lend=False)
        over = in_a_thread(self._native.wait)
        try:
            await asyncio.shield(over)
        except asyncio.CancelledError:
            self._native.stop(True)
            # Who cancels again does not end it sooner.
            while not over.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(over)
            raise
        return self._finish()

    def _wait_draining(self, timeout: float | None = None) -> bool:
        """Wait for the run; Ctrl-C drains it."""
        with _draining_on_signals(self._native):
            return self._native.wait(timeout)

    def start(self, **options: Unpack[RunOptions]) -> Self:
        """Start a run and return at once. `stop` or `wait` for it; in a `with` block, its end stops it."""
        self._start(options, lend=False)
        return self

    def stop(self, *, drain: bool = True) -> Statistics:
        """End the run and return what it did. `drain=False` throws away, and counts, what is under way. Raises what `run` would.

        A processor cannot wait for the end of its own run: it calls `request_stop`.
        """
        self._native.refuse_own()
        self._native.stop(drain)
        self._native.wait()
        return self._finish()

    def request_stop(self, *, drain: bool = True) -> None:
        """Ask the run to end and return at once: for processors of the graph, which cannot wait for it."""
        self._native.stop(drain)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run is over, at most for so many seconds, and say whether it is. Raises what `run` would.

        Ctrl-C drains the run, as in `run`.
        """
        is_over = self._wait_draining(timeout)
        if is_over:
            self._native.raise_error()
        return is_over

    def pause(self) -> None:
        """Let the sources rest; what is under way goes on to the sinks."""
        self._native.pause()

    def resume(self) -> None:
        """End a pause."""
        self._native.resume()

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._native.is_running

    def set(self, node: str, /, **parameters: Any) -> None:
        """Set parameters of a node while the graph runs. It takes them between two frames, all at once."""
        processor = dict(self._native.processors()).get(node)
        if processor is not None:
            check_values(processor, json.loads(to_json(parameters)))
        self._native.set(node, parameters)

    def parameters(self, node: str) -> dict[str, Any]:
        """Give the parameters of a node of the running graph, as they were set last."""
        return self._native.parameters(node)

    def set_enabled(self, node: str, enabled: bool) -> None:
        """Switch a filter off, so that what it takes goes through unchanged, or on again."""
        self._native.set_enabled(node, enabled)

    def stats(self) -> Statistics:
        """Say what the run has done so far, or the last one did."""
        values = json.loads(self._native.statistics())
        earlier = [sample for sample in self._samples if sample["seconds"] < values["seconds"]]
        # After the end they stay as they are.
        if len(earlier) == len(self._samples):
            self._samples.append(values)
        return Statistics(values, earlier)

    def events(self) -> list[dict[str, Any]]:
        """Say what happened to the processors of the run: failures, restarts, refused parameters.

        Each is a dict with `time`, `node` and `event`.
        """
        return self._native.events()

    def leases(self) -> list[dict[str, Any]]:
        """Say which textures, buffers and staging memory are out, and which Python objects hold them.

        Each is a dict with `what`, `bytes`, `taken_by` (a node), `held_seconds` and `holders`: of each Python object the `node` in which
        it was got and, after `streamlib.debug.trace_frames()`, the `file` and `line`.
        """
        return self._native.leases()

    def explain(self, *, offline: bool = False, fusion: bool = True) -> str:
        """Say in words how the graph runs, or would run: which nodes share a thread, which links are queues, what is drawn together."""
        return self._native.explain(offline=offline, fusion=fusion)

    def __enter__(self) -> Self:
        if not self.is_running:
            self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, _: object) -> Literal[False]:
        if raised is None:
            self.stop()
            return False
        # What was raised within matters more than what it has led to here, or was led to by.
        self._native.stop(True)
        self._native.wait()
        try:
            self._native.raise_unread()
        except Exception as error:
            add_note(raised, f"the graph's run ended with {type(error).__name__}: {error}")
        return False

    def __del__(self) -> None:
        # What is left of a graph whose construction failed, or of an interpreter that ends, may not be enough.
        with contextlib.suppress(Exception):
            self._tell_unread()

    def _tell_unread(self) -> None:
        """Log how the last run ended, if that was an error and nobody was told."""
        try:
            self._native.raise_unread()
        except Exception as error:
            logging.getLogger("streamlib").error("a run ended with an error that nobody waited for", exc_info=error)

    def _start(self, options: RunOptions, *, lend: bool) -> None:
        _logs.begin()
        unknown = set(options) - set(RunOptions.__annotations__)
        if unknown:
            raise TypeError(f"unknown option '{min(unknown)}'; there is: {', '.join(RunOptions.__annotations__)}")
        _check(options)
        self._tell_unread()
        _started.add(self)
        self._native.set_values({name: self._checked(processor) for name, processor in self._native.processors()})
        self._samples.clear()
        self._native.start(
            lend=lend,
            offline=options.get("offline", False),
            frames=options.get("frames"),
            duration=options.get("duration"),
            drain_deadline=options.get("drain_deadline", 5.0),
            max_in_flight=options.get("max_in_flight"),
            fusion=options.get("fusion", True),
        )

    @staticmethod
    def _checked(processor: object) -> str:
        """Write what a processor of Python's is set to now: its attributes may have changed since it was added."""
        values = values_of(processor, leave_out=True)
        declaration = declaration_of(processor)
        if declaration is not None:
            declaration.check(values)
        return values

    def _finish(self) -> Statistics:
        self._native.raise_error()
        return self.stats()


def _check(options: RunOptions) -> None:
    """Refuse values of options that cannot be."""
    for name in ("frames", "max_in_flight", "duration", "drain_deadline"):
        value = options.get(name)
        is_whole = name in {"frames", "max_in_flight"}
        # Only the deadline has no way of saying that there is none.
        if name not in options or (value is None and name != "drain_deadline"):
            continue
        if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)):
            raise TypeError(f"argument '{name}': expected a number{'' if is_whole else ' of seconds'}, got {value!r}")
        if is_whole and not 0 <= value < 1 << 63:
            raise ValueError(f"argument '{name}': it cannot be {value}")
    for name in ("offline", "fusion"):
        if not isinstance(options.get(name, False), bool):
            raise TypeError(f"argument '{name}': expected True or False, got {options.get(name)!r}")


@contextlib.contextmanager
def _draining_on_signals(graph: _native.Graph) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM drain a graph, where the program has no handlers of its own for them.

    Python's handler in C writes each signal to a pipe at once, whoever has the interpreter's lock; a native thread reads it.
    """
    usual: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        yield
        return
    ours = [number for number, handler in usual.items() if signal.getsignal(number) == handler]
    pipe = _native.SignalPipe(graph, [int(number) for number in ours])
    before = signal.set_wakeup_fd(pipe.fileno(), warn_on_full_buffer=False)
    try:
        if before != -1 or not ours:
            # Somebody else listens: an event loop.
            signal.set_wakeup_fd(before)
            ours = []
        for number in ours:
            # Without a handler of Python's the one in C is not called.
            signal.signal(number, lambda *_: None)
        yield
    finally:
        for number in ours:
            signal.signal(number, usual[number])
        if ours:
            signal.set_wakeup_fd(before)
