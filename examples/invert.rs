//! A processor of one's own, in one file: inverts the colours of a test pattern and records ten seconds of it.

use streamlib::prelude::*;

struct Invert;

impl PixelShader for Invert {
    type Uniform = ();
    const WGSL: &'static str = "
        fn pixel(color: vec4f, position: vec2f) -> vec4f {
            return vec4f(1.0 - color.rgb, color.a);
        }";

    fn uniform(&mut self, _: &VideoFrame) -> Result<()> {
        Ok(())
    }
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "inverted.mp4".into());
    let mut graph = Graph::new();
    graph.chain((TestPattern::default(), Invert, Record::to(path)))?;
    let options = RuntimeOptions { mode: Mode::Offline, frames: Some(300), ..Default::default() };
    Runtime::new(options).run(graph)?;
    Ok(())
}
