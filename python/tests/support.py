"""Processors that several tests use."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

import numpy as np

import streamlib as sl


@dataclasses.dataclass
class Number:
    """A message of one's own."""

    value: int
    time: int = 0


@sl.processor
class Count:
    """Counts up to `end`."""

    end: int = 10

    def process(self) -> Iterator[Number]:
        for value in range(self.end):
            yield Number(value, time=value * 1_000_000)


@sl.processor
class Collect:
    """Keeps the values that come."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def process(self, number: Number) -> None:
        self.values.append(number.value)


@sl.processor
class Look:
    """Keeps the pixels that come, as arrays."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self.frames: list[tuple[int, int]] = []

    def process(self, frame: sl.VideoFrame) -> None:
        self.frames.append((frame.sequence, frame.time))
        self.arrays.append(frame.to_numpy(copy=True))


def pattern(width: int = 64, height: int = 48) -> sl.BuiltIn:
    """Make moving bars."""
    return sl.TestPattern(size=(width, height))


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, which is to come within 20 seconds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.001)


def run(*processors: object, frames: int | None = 5) -> sl.Statistics:
    """Run a chain offline."""
    graph = sl.Graph()
    graph.chain(*processors)
    return graph.run(offline=True, frames=frames)
