"""A detector that sends messages of its own, and a second processor that draws them.

`python detector.py [SINK]`: a path ending in .mp4, or nothing for a window.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import cv2
import numpy as np

import streamlib as sl


@dataclass
class Found:
    """Where something was found in a picture."""

    time: int
    boxes: list[tuple[int, int, int, int]]


@sl.processor
class FindOrange:
    """Finds what is orange, as the ball is: its hue, by classic vision."""

    least: int = 50

    def process(self, frame: sl.VideoFrame) -> Found:
        """Look at the picture on the CPU."""
        hsv = cv2.cvtColor(cv2.cvtColor(frame.to_numpy(), cv2.COLOR_RGBA2RGB), cv2.COLOR_RGB2HSV)
        mask = cv2.inRange(hsv, np.array([8, 180, 180]), np.array([16, 255, 255]))
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = [cv2.boundingRect(contour) for contour in contours if cv2.contourArea(contour) >= self.least]
        return Found(frame.time, [(int(x), int(y), int(width), int(height)) for x, y, width, height in boxes])


BOX = """
@group(0) @binding(0) var src: texture_2d<f32>;
@group(0) @binding(1) var dst: texture_storage_2d<rgba8unorm, write>;
@group(0) @binding(2) var<uniform> box: vec4f;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= textureDimensions(dst)) {
        return;
    }
    let position = vec2f(id.xy);
    let outside = max(box.xy - position, position - (box.xy + box.zw));
    let is_line = abs(max(outside.x, outside.y)) < 2.0;
    textureStore(dst, id.xy, select(textureLoad(src, id.xy, 0), vec4f(0.0, 1.0, 0.0, 1.0), is_line));
}
"""


@sl.processor
class DrawBoxes:
    """Draws a green box around everything that was found in this very picture: messages are matched by capture time."""

    def setup(self, gpu: sl.GpuContext) -> None:
        """Compile the shader."""
        self.draw = gpu.kernel(BOX, label="box")

    def process(self, frame: sl.VideoFrame, found: Found) -> sl.VideoFrame:
        """Draw one box after the other, on the GPU."""
        for box in found.boxes:
            out = frame.like()
            self.draw(src=frame, dst=out, box=box)
            frame = out
        return frame


def main(path: str | None = None) -> None:
    """Find the ball that was drawn over a camera's picture, or the test pattern."""
    graph = sl.Graph()
    graph.add(DrawBoxes(), "draw-boxes")
    source = sl.Camera() if path is None else sl.TestPattern(size=(640, 360))
    sink = sl.Display(title="Detector") if path is None else sl.Record(path=path)
    *_, ball = graph.chain(source, sl.BouncingBall())
    graph.chain(ball, "draw-boxes.frame")
    graph.chain(ball, FindOrange(), "draw-boxes.found")
    graph.chain("draw-boxes", sink)
    graph.run() if path is None else graph.run(offline=True, frames=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
