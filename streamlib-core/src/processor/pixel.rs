//! Processors that say only how a pixel's colour changes.

use std::marker::PhantomData;
use std::sync::Arc;

use super::{Context, Flow, IntoProcessor, Processor};
use crate::gpu::{DeclaredUniform, PixelFunction, Uniform};
use crate::port::{In, InputOptions, Out, OutputOptions, Ports};
use crate::{Result, Tunable, VideoFrame};

/// A filter that changes each pixel's colour by itself: a WGSL function, and what it is told about each frame.
///
/// The function takes a colour (gamma-encoded R'G'B' and alpha, each from 0 to 1), the position of the pixel's centre (in pixels, from
/// the picture's top left corner) and, if [`Uniform`](Self::Uniform) is not `()`, a struct of parameters. It returns the colour, which is clamped to 0 to 1:
///
/// ```wgsl
/// struct Parameters { blue: f32 }
///
/// fn pixel(color: vec4f, position: vec2f, parameters: Parameters) -> vec4f {
///     return color + vec4f(0.0, 0.0, parameters.blue, 0.0);
/// }
/// ```
///
/// Pixel shaders that follow each other are drawn in one pass over the picture, together with the conversion from the source's pixel
/// format and to the sink's: `Plan::explain` says which.
///
/// ```
/// use streamlib_core::{Graph, PixelShader, Result, VideoFrame, uniform_fields};
///
/// /// Darkens every second line.
/// struct Lines { level: f32 }
///
/// #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
/// #[repr(C)]
/// struct Parameters { level: f32 }
/// uniform_fields!(Parameters { level });
///
/// impl PixelShader for Lines {
///     type Uniform = Parameters;
///     const WGSL: &'static str = "
///         struct Parameters { level: f32 }
///         fn pixel(color: vec4f, position: vec2f, parameters: Parameters) -> vec4f {
///             let is_odd = u32(position.y) % 2u == 1u;
///             return vec4f(select(color.rgb, color.rgb * parameters.level, is_odd), color.a);
///         }";
///     fn uniform(&mut self, _: &VideoFrame) -> Result<Parameters> {
///         Ok(Parameters { level: self.level })
///     }
/// }
///
/// let mut graph = Graph::new();
/// graph.add("lines", Lines { level: 0.8 })?;
/// # Ok::<(), streamlib_core::Error>(())
/// ```
pub trait PixelShader: Send + 'static {
    /// What the function's third argument is made of; `()` if it has two. See [`uniform_fields!`](crate::uniform_fields).
    type Uniform: Uniform;

    /// The WGSL: functions, constants and structs, among them `fn pixel`. It is checked when the processor is added to a graph.
    const WGSL: &'static str;

    /// What the function is to know for this frame, whose size, time and number are those of the picture that is drawn. Its texture
    /// may be that of a picture before: not yet converted, and without what other pixel shaders do.
    fn uniform(&mut self, frame: &VideoFrame) -> Result<Self::Uniform>;

    /// See [`Processor::tunable`].
    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        None
    }
}

/// Marks pixel shaders.
pub struct PixelShaders;

impl<P: PixelShader> IntoProcessor<PixelShaders> for P {
    fn into_processor(self) -> Box<dyn Processor> {
        Box::new(PixelNode { shader: self, input: In::default(), output: Out::default(), uniform: PhantomData })
    }
}

struct PixelNode<P: PixelShader> {
    shader: P,
    input: In<VideoFrame>,
    output: Out<VideoFrame>,
    uniform: PhantomData<fn() -> P::Uniform>,
}

impl<P: PixelShader> Processor for PixelNode<P> {
    fn ports(&mut self, ports: &mut Ports) {
        self.input = ports.input(InputOptions::default());
        self.output = ports.output(OutputOptions::default());
    }

    fn pixel_function(&self) -> Result<Option<PixelStage>> {
        PixelFunction::new::<P::Uniform>(P::WGSL).map(|function| Some(PixelStage(Arc::new(function))))
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        self.shader.tunable()
    }

    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let Some(mut frame) = cx.take(self.input) {
            let uniform = self.shader.uniform(&frame)?;
            cx.shade(&mut frame, bytemuck::bytes_of(&uniform))?;
            cx.send(self.output, frame);
        }
        Ok(Flow::Continue)
    }
}

/// The checked WGSL of a pixel shader. Whoever writes [`PixelShader`]s in Rust needs none.
#[derive(Clone, Debug)]
pub struct PixelStage(pub(crate) Arc<PixelFunction>);

impl PixelStage {
    /// Of this text, as [`PixelShader::WGSL`] has it. Mistakes are [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) with line, column
    /// and text.
    pub fn new(wgsl: &str) -> Result<Self> {
        PixelFunction::with_declared(wgsl).map(|function| Self(Arc::new(function)))
    }

    /// What the function takes as its third argument, if it has one: what [`Context::shade`] is to be given.
    pub fn parameters(&self) -> Option<&DeclaredUniform> {
        self.0.parameters()
    }
}
