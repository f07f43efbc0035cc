"""Frames within messages: drawn and read in the order of the lines, like any others."""

from __future__ import annotations

import gc
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
    """They know them by their addresses, which must not be another class's."""

    def declared() -> Any:
        class Message:
            time = 0

        @sl.processor
        def takes(message: Message) -> None:
            pass

        return takes()

    sink = declared()
    gc.collect()
    others = [type(f"Other{number}", (), {"time": 0}) for number in range(200)]
    for other in others:

        @sl.processor
        class Source:
            def process(self) -> other:  # type: ignore[valid-type]
                raise AssertionError

        graph = sl.Graph()
        graph.add(Source(), "source")
        graph.add(sink, "sink")
        with pytest.raises(sl.InvalidGraphError):
            graph.connect("source", "sink")
