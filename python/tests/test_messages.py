"""Frames within messages: drawn and read in the order of the lines, like any others."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from conftest import INVERT
from support import pattern

import streamlib as sl

pytestmark = pytest.mark.usefixtures("nothing_left")


@dataclass
class Boxed:
    """A message of one's own."""

    frame: sl.VideoFrame


def test_processors_of_messages_draw_in_the_order_of_the_segment(gpu: sl.GpuContext) -> None:
    invert = gpu.kernel(INVERT, label="invert")
    seen: list[Any] = []

    @sl.processor
    def box(frame: sl.VideoFrame) -> Boxed:
        out = frame.like()
        out.write(np.full((8, 8, 4), frame.sequence + 1, np.uint8))
        return Boxed(out)

    @sl.processor
    def inverted(boxed: Boxed) -> Boxed:
        out = boxed.frame.like()
        invert(src=boxed.frame, dst=out)
        return Boxed(out)

    @sl.processor
    def look(boxed: Boxed) -> None:
        seen.append((int(boxed.frame.to_numpy()[3, 3, 0]), boxed.frame.convert("grey8").to_numpy().shape))

    graph = sl.Graph()
    graph.chain(pattern(8, 8), box(), inverted(), look())
    graph.run(offline=True, frames=6)
    assert seen == [(255 - (place + 1), (8, 8)) for place in range(6)]


def test_ports_keep_the_classes_of_their_messages() -> None:
    """They know them by their addresses, which must not become another class's."""

    def declared() -> tuple[Any, weakref.ref[type]]:
        class Message:
            time = 0

        @sl.processor
        class Takes:
            def process(self, message: Message) -> None: ...

        return Takes, weakref.ref(Message)

    takes, message = declared()
    gc.collect()
    assert message() is not None
    del takes
    gc.collect()
    assert message() is None
