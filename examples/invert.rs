//! A processor of one's own, in one file: inverts the colours of a test pattern and records ten seconds of it.

use streamlib::prelude::*;

struct Invert {
    kernel: Kernel,
}

const WGSL: &str = "
@group(0) @binding(0) var src: texture_2d<f32>;
@group(0) @binding(1) var dst: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= textureDimensions(dst)) {
        return;
    }
    let colour = textureLoad(src, id.xy, 0);
    textureStore(dst, id.xy, vec4f(1.0 - colour.rgb, colour.a));
}
";

impl Filter for Invert {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.kernel = cx.gpu()?.kernel("invert", WGSL)?;
        Ok(())
    }

    fn process(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<VideoFrame> {
        let mut inverted = frame.like()?;
        self.kernel.call(cx.encoder()?)?.texture("src", &frame)?.texture_mut("dst", &mut inverted)?.dispatch()?;
        Ok(inverted)
    }
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "inverted.mp4".into());
    let mut graph = Graph::new();
    let invert = Invert { kernel: Kernel::default() };
    graph.chain((TestPattern::default(), invert, Record::to(path)))?;
    let options = RuntimeOptions { mode: Mode::Offline, frames: Some(300), ..Default::default() };
    Runtime::new(options).run(graph)?;
    Ok(())
}
