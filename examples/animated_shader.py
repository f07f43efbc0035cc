"""A pixel shader: a WGSL function from colour to colour, whose parameters change with the picture's time.

`python animated_shader.py [SINK]`: a path ending in .mp4, or nothing for a window.
"""

from __future__ import annotations

import math
import sys
from typing import Annotated, Any

import streamlib as sl


@sl.pixel_shader(
    """
    struct Parameters { centre: vec2f, radius: f32, strength: f32 }

    fn pixel(color: vec4f, position: vec2f, parameters: Parameters) -> vec4f {
        let light = 1.0 - parameters.strength * smoothstep(0.3, 1.0, distance(position, parameters.centre) / parameters.radius);
        return vec4f(color.rgb * light, color.a);
    }
    """
)
class Spotlight:
    """Darkens everything but a circle that wanders about. It is drawn in one pass with the shaders beside it."""

    strength: Annotated[float, sl.Parameter(minimum=0, maximum=1, doc="How dark the rest is.")] = 0.9
    seconds: float = 4.0

    def uniform(self, frame: sl.VideoFrame) -> dict[str, Any]:
        """Say the parameters for this frame."""
        angle = 2 * math.pi * frame.time / 1e9 / self.seconds
        centre = (frame.width * (0.5 + 0.3 * math.cos(angle)), frame.height * (0.5 + 0.3 * math.sin(angle)))
        return {"centre": centre, "radius": frame.height * 0.5, "strength": self.strength}


def main(path: str | None = None) -> None:
    """Run it on a camera, or on the test pattern into a file."""
    graph = sl.Graph()
    if path is None:
        graph.chain(sl.Camera(), sl.BouncingBall(), Spotlight(), sl.Display(title="Spotlight"))
        graph.run()
    else:
        graph.chain(sl.TestPattern(size=(640, 360)), sl.BouncingBall(), Spotlight(), sl.Record(path=path))
        graph.run(offline=True, frames=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
