"""Evens out the contrast with WebGPU itself: a histogram in a buffer, three shaders in a pass, a table that stays from frame to frame.

`python raw_webgpu.py [SINK]`: a path ending in .mp4, or nothing for a window.
"""

import sys

import streamlib as sl
from streamlib import webgpu

WGSL = """
@group(0) @binding(0) var src: texture_2d<f32>;
@group(0) @binding(1) var dst: texture_storage_2d<rgba8unorm, write>;
@group(0) @binding(2) var<storage, read_write> histogram: array<atomic<u32>, 256>;
// What becomes of each brightness.
@group(0) @binding(3) var<storage, read_write> levels: array<f32, 256>;

fn brightness(color: vec4f) -> f32 {
    return dot(color.rgb, vec3f(0.2126, 0.7152, 0.0722));
}

@compute @workgroup_size(16, 16)
fn count(@builtin(global_invocation_id) id: vec3u) {
    if all(id.xy < textureDimensions(src)) {
        let bin = u32(round(brightness(textureLoad(src, id.xy, 0)) * 255.0));
        atomicAdd(&histogram[bin], 1u);
    }
}

@compute @workgroup_size(256)
fn level(@builtin(local_invocation_id) id: vec3u) {
    var below = 0u;
    for (var bin = 0u; bin <= id.x; bin++) {
        below += atomicLoad(&histogram[bin]);
    }
    let size = textureDimensions(src);
    let wanted = f32(below) / f32(size.x * size.y);
    // Slowly, so that the picture does not flicker; the first frame at once, as the table is all zeros.
    levels[id.x] = mix(wanted, levels[id.x], select(0.0, 0.9, levels[255] > 0.0));
}

@compute @workgroup_size(16, 16)
fn apply(@builtin(global_invocation_id) id: vec3u) {
    if all(id.xy < textureDimensions(dst)) {
        let color = textureLoad(src, id.xy, 0);
        let before = brightness(color);
        let after = levels[u32(round(before * 255.0))];
        textureStore(dst, id.xy, vec4f(color.rgb * after / max(before, 1.0 / 255.0), color.a));
    }
}
"""


@sl.processor
class EvenContrast:
    """Spreads the brightness of the picture over the whole range."""

    def setup(self, gpu: sl.GpuContext) -> None:
        """Make what stays the same from frame to frame."""
        self.device = gpu.device
        storage = webgpu.BufferUsage.STORAGE | webgpu.BufferUsage.COPY_DST
        self.histogram = self.device.create_buffer(label="histogram", size=4 * 256, usage=storage)
        self.levels = self.device.create_buffer(label="levels", size=4 * 256, usage=storage)
        self.layout = self.device.create_bind_group_layout(
            entries=[
                {"binding": 0, "visibility": "COMPUTE", "texture": {}},
                {"binding": 1, "visibility": "COMPUTE", "storage_texture": {"format": "rgba8unorm"}},
                {"binding": 2, "visibility": "COMPUTE", "buffer": {"type": "storage"}},
                {"binding": 3, "visibility": "COMPUTE", "buffer": {"type": "storage"}},
            ]
        )
        module = self.device.create_shader_module(label="contrast", code=WGSL)
        layout = self.device.create_pipeline_layout(bind_group_layouts=[self.layout])
        self.count, self.level, self.apply = (
            self.device.create_compute_pipeline(layout=layout, compute={"module": module, "entry_point": entry_point})
            for entry_point in ("count", "level", "apply")
        )

    def process(self, frame: sl.VideoFrame) -> sl.VideoFrame:
        """Record one pass and submit it."""
        out = frame.like()
        group = self.device.create_bind_group(
            layout=self.layout,
            entries=[
                {"binding": 0, "resource": frame.texture},
                {"binding": 1, "resource": out.texture},
                {"binding": 2, "resource": self.histogram},
                {"binding": 3, "resource": self.levels},
            ],
        )
        tiles = -(-frame.width // 16), -(-frame.height // 16)
        encoder = self.device.create_command_encoder(label="contrast")
        encoder.clear_buffer(self.histogram)
        commands = encoder.begin_compute_pass()
        commands.set_bind_group(0, group)
        for pipeline, workgroups in (self.count, tiles), (self.level, (1,)), (self.apply, tiles):
            commands.set_pipeline(pipeline)
            commands.dispatch_workgroups(*workgroups)
        commands.end()
        self.device.queue.submit([encoder.finish()])
        return out


def main(path: str | None = None) -> None:
    """Run it on a camera, or on the test pattern into a file."""
    graph = sl.Graph()
    if path is None:
        graph.chain(sl.Camera(), EvenContrast(), sl.Display(title="Even contrast"))
        graph.run()
    else:
        graph.chain(sl.TestPattern(size=(640, 360)), EvenContrast(), sl.Record(path=path))
        graph.run(offline=True, frames=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
