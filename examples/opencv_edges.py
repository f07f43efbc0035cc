"""Finds edges with OpenCV: pixels come to the CPU as a numpy array, and go back as one.

`python opencv_edges.py [SINK]`: a path ending in .mp4, or nothing for a window.
"""

import sys

import cv2
import numpy as np

import streamlib as sl


@sl.processor
class Edges:
    """Draws the edges of the picture in white on black."""

    low: float = 50.0
    high: float = 150.0

    def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
        """Bring the pixels to the CPU, look for edges, send them on."""
        grey = cv2.cvtColor(frame.to_numpy(), cv2.COLOR_RGBA2GRAY)
        edges = cv2.Canny(grey, self.low, self.high)
        out = frame.like()
        out.write(np.ascontiguousarray(cv2.cvtColor(edges, cv2.COLOR_GRAY2RGBA)))
        return out


def main(path: str | None = None) -> None:
    """Run it on a camera, or on the test pattern into a file."""
    graph = sl.Graph()
    if path is None:
        graph.chain(sl.Camera(), Edges(), sl.Display(title="Edges"))
        graph.run()
    else:
        graph.chain(sl.TestPattern(size=(640, 360)), Edges(low=30), sl.Record(path=path))
        graph.run(offline=True, frames=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
