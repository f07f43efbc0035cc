"""Two sources, joined into one picture, side by side.

`python side_by_side.py [SINK]`: a path ending in .mp4, or nothing for a window.
"""

import sys

import streamlib as sl

JOIN = """
@group(0) @binding(0) var left: texture_2d<f32>;
@group(0) @binding(1) var right: texture_2d<f32>;
@group(0) @binding(2) var dst: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= textureDimensions(dst)) {
        return;
    }
    let width = textureDimensions(left).x;
    if id.x < width {
        textureStore(dst, id.xy, textureLoad(left, id.xy, 0));
    } else {
        textureStore(dst, id.xy, textureLoad(right, vec2u(id.x - width, id.y), 0));
    }
}
"""


@sl.processor
class SideBySide:
    """Puts two pictures of the same time, and the same height, side by side."""

    def setup(self, gpu: sl.GpuContext) -> None:
        """Compile the shader."""
        self.gpu = gpu
        self.join = gpu.kernel(JOIN, label="join")

    def process(self, left: sl.VideoFrame, right: sl.VideoFrame) -> sl.VideoFrame:
        """Draw both into a wider frame."""
        out = self.gpu.frame(left.width + right.width, left.height)
        self.join(left=left, right=right, dst=out)
        return out.with_time(left.time).with_sequence(left.sequence)


def main(path: str | None = None) -> None:
    """Run it on a camera and the test pattern, or on two test patterns into a file."""
    graph = sl.Graph()
    graph.add(SideBySide(), "side-by-side")
    if path is None:
        graph.chain(sl.Camera(size=(640, 480)), "side-by-side.left")
        graph.chain(sl.TestPattern(size=(640, 480)), sl.BouncingBall(), "side-by-side.right")
        graph.chain("side-by-side", sl.Display(title="Side by side"))
        graph.run()
    else:
        graph.chain(sl.TestPattern(size=(320, 240)), "side-by-side.left")
        graph.chain(sl.TestPattern(size=(320, 240)), sl.BouncingBall(), "side-by-side.right")
        graph.chain("side-by-side", sl.Record(path=path))
        graph.run(offline=True, frames=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
