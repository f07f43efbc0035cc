"""Whether Python holds up what is native: two Python chains beside a native one, all at 60 frames a second.

The native chain runs alone first, then beside Python processors that, for 100 ms at a time, sleep, compute, or hold the interpreter's lock.
`make bench-python ARGS=beside` runs it: two minutes and a half.
"""

from __future__ import annotations

import ctypes
import sys
import time

import streamlib as sl

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
# It keeps the interpreter's lock: `ctypes.pydll` does not let go of it.
hold = ctypes.PyDLL(None).usleep


@sl.processor
class Busy:
    """Is busy for a tenth of a second, twice a second, each time in another way."""

    def __init__(self) -> None:
        self.next = 0.0
        self.ways = 0

    def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
        now = time.monotonic()
        if now >= self.next:
            self.next = now + 0.5
            self.ways += 1
            way = self.ways % 3
            if way == 0:
                time.sleep(0.1)
            elif way == 1:
                while time.monotonic() < now + 0.1:
                    sum(range(100))
            else:
                hold(100_000)
        return frame


def native() -> sl.Graph:
    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(320, 240), rate=60), sl.BouncingBall(), sl.Null())
    return graph


def busy() -> sl.Graph:
    graph = sl.Graph()
    graph.chain(sl.TestPattern(size=(320, 240), rate=60), Busy(), sl.BouncingBall(), sl.Null())
    return graph


def lost(statistics: sl.Statistics) -> tuple[int, int]:
    """Count what was due, and what of it did not arrive."""
    counters = statistics["nodes"]["test-pattern"]["counters"]
    dropped = sum(sum(link["dropped"].values()) for link in statistics["links"].values())
    missing = counters["skipped"] + counters["gpu_behind"] + dropped
    return statistics["nodes"]["null"]["processed"] + missing, missing


def main() -> None:
    alone = native().run(duration=SECONDS)
    chains = [busy().start(), busy().start()]
    beside = native().run(duration=SECONDS)
    others = [chain.stop() for chain in chains]
    shares = []
    for name, statistics in (("alone", alone), ("beside two Python chains", beside)):
        due, missing = lost(statistics)
        shares.append(100 * missing / due)
        print(f"native {name}: {missing} of {due} frames dropped, {shares[-1]:.2f} %")
    for other in others:
        due, missing = lost(other)
        print(f"  a Python chain beside it: {missing} of {due} dropped")
    print(f"more by {shares[1] - shares[0]:.2f} % than alone; limit 0.1")
    print(f"the interpreter's lock was taken on native threads {sl.debug.attachments_elsewhere()} times; limit 0")


if __name__ == "__main__":
    main()
