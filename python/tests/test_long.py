"""Ten thousand frames through a Python processor: memory stays where it is. `STREAMLIB_LONG_SCALE=0.1` runs a tenth."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import alive

import streamlib as sl

FRAMES = int(10_000 * float(os.environ.get("STREAMLIB_LONG_SCALE", "1")))
SETTLED = 500
# Of the allocator's and the driver's own ways, over thousands of frames.
MOST_GROWTH = 1_000_000


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Notes the resident memory when things have settled, and at the end."""

    def __init__(self) -> None:
        self.settled = 0
        self.last = 0

    def see(self, frame: sl.VideoFrame) -> None:
        if frame.sequence == SETTLED:
            gc.collect()
            self.settled = resident_bytes()
        elif frame.sequence == FRAMES - 1:
            gc.collect()
            self.last = resident_bytes()


def plain(watch: Watch) -> object:
    @sl.processor
    def process(frame: sl.VideoFrame) -> sl.VideoFrame:
        watch.see(frame)
        return frame.edit()

    return process()


def raises(watch: Watch, policy: str) -> object:
    @sl.processor(on_failure=policy)  # type: ignore[call-overload, untyped-decorator]
    def process(frame: sl.VideoFrame) -> sl.VideoFrame:
        watch.see(frame)
        out = frame.edit()
        if frame.sequence % 10 == 9 and frame.sequence != FRAMES - 1:
            raise RuntimeError("every tenth")
        return out

    made: object = process()
    return made


def keeps(watch: Watch) -> object:
    @sl.processor
    class Keep:
        def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
            watch.see(frame)
            self.kept = frame
            return frame

        def teardown(self) -> None:
            del self.kept

    return Keep()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("make", "name", "errors"),
    [
        (plain, "process", 0),
        (lambda watch: raises(watch, "skip"), "process", len(range(9, FRAMES - 1, 10))),
        (lambda watch: raises(watch, "bypass"), "process", 1),
        (keeps, "keep", 0),
    ],
    ids=["plain", "raises every tenth, skip", "raises, bypass", "keeps the last"],
)
def test_memory_stays_where_it_is(make: Callable[[Watch], object], name: str, errors: int, caplog: pytest.LogCaptureFixture) -> None:
    # pytest keeps every record that is logged: a thousand warnings would be its memory, not ours.
    caplog.set_level(logging.ERROR, "streamlib")
    # What the allocators of the interpreter, the engine and the driver take at first, they take once: a mebibyte at a time.
    before = sl.Graph()
    before.chain(sl.TestPattern(size=(320, 240)), make(Watch()), sl.Null())
    before.run(offline=True, frames=SETTLED)
    del before
    watch = Watch()
    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(320, 240)), make(watch), sl.Null())
    statistics = graph.run(offline=True, frames=FRAMES)
    assert statistics["nodes"]["null"]["processed"] == FRAMES
    assert statistics["nodes"][name]["errors"] == errors
    if watch.last:
        growth = watch.last - watch.settled
        print(f"{name}: {growth} bytes from frame {SETTLED} to {FRAMES}")
        assert growth < MOST_GROWTH
    else:
        assert errors == 1, "one that is bypassed sees no more"
    del graph
    counts = alive()
    assert (counts["VideoFrame"], counts["textures_in_use"], counts["Graph"]) == (0, 0, 0)
