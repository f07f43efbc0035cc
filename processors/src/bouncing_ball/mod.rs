//! `bouncing-ball`: draws a ball that bounces over the video.

mod physics;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamlib_core::{Animated, Context, Described, PixelShader, Result, Tunable, VideoFrame, check_parameters};

use physics::Physics;

/// Draws a ball that falls, bounces and loses height, and is thrown up anew before it comes to rest.
///
/// Its way depends on the frames' times alone: the same times give the same pictures.
pub struct BouncingBall {
    parameters: BouncingBallParameters,
    physics: Physics,
}

/// What can be set of a [`BouncingBall`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BouncingBallParameters {
    /// Radius in picture heights.
    #[schemars(range(min = 0.001, max = 0.5))]
    pub radius: f64,
    /// How fast it falls, in picture heights per second squared.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub gravity: f64,
    /// How much of its speed a bounce on the floor leaves.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub damping: f64,
    /// How fast it goes sideways, in picture heights per second.
    #[schemars(range(min = -10.0, max = 10.0))]
    pub speed: f64,
    /// Red, green and blue, 0 to 255; or keyframes of them.
    pub color: Animated<[u8; 3]>,
}

/// An orange ball of a twelfth of the picture's height.
impl Default for BouncingBallParameters {
    fn default() -> Self {
        Self { radius: 0.08, gravity: 1.6, damping: 0.85, speed: 0.4, color: [255, 102, 0].into() }
    }
}

/// What the shader is told.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Ball {
    centre: [f32; 2],
    radius: f32,
    _padding: f32,
    color: [f32; 3],
    _padding_too: f32,
    light: [f32; 3],
}

streamlib_core::uniform_fields!(Ball { centre, radius, color, light });

/// The sRGB transfer function (IEC 61966-2-1).
fn to_linear(encoded: f32) -> f32 {
    if encoded <= 0.04045 { encoded / 12.92 } else { ((encoded + 0.055) / 1.055).powf(2.4) }
}

impl BouncingBall {
    /// A ball of these parameters.
    pub fn new(parameters: BouncingBallParameters) -> Result<Self> {
        check_parameters::<Self>(&parameters)?;
        Ok(Self { physics: physics(&parameters), parameters })
    }

    /// Where the centre is on a frame, in pixels from its top left corner. Advances the ball to the frame's time.
    pub fn centre_on(&mut self, frame: &VideoFrame) -> (f64, f64) {
        self.centre(frame.size(), frame.time())
    }

    /// The same for a picture of this size and time.
    pub fn centre(&mut self, size: streamlib_core::Size, time: streamlib_core::Timestamp) -> (f64, f64) {
        let height = f64::from(size.height());
        self.physics.aspect = f64::from(size.width()) / height;
        let (x, y) = self.physics.advance_to(time);
        (x * height, y * height)
    }
}

fn physics(parameters: &BouncingBallParameters) -> Physics {
    Physics::new(parameters.gravity, parameters.damping, parameters.radius, parameters.speed)
}

impl Default for BouncingBall {
    fn default() -> Self {
        Self::new(BouncingBallParameters::default()).unwrap_or_else(|_| unreachable!("the defaults are within their ranges"))
    }
}

impl Described for BouncingBall {
    type Parameters = BouncingBallParameters;
    const NAME: &'static str = "bouncing-ball";
    const SUMMARY: &'static str = "Draws a ball that bounces over the video.";

    fn from_parameters(parameters: BouncingBallParameters) -> Result<Self> {
        Self::new(parameters)
    }

    fn parameters(&self) -> &BouncingBallParameters {
        &self.parameters
    }

    fn set_parameters(&mut self, parameters: BouncingBallParameters, _: &mut Context<'_>) -> Result<()> {
        self.physics.retune(physics(&parameters));
        self.parameters = parameters;
        Ok(())
    }
}

impl PixelShader for BouncingBall {
    type Uniform = Ball;
    const WGSL: &'static str = include_str!("ball.wgsl");

    fn uniform(&mut self, frame: &VideoFrame) -> Result<Ball> {
        let (x, y) = self.centre_on(frame);
        let radius = self.parameters.radius * f64::from(frame.size().height());
        let color = self.parameters.color.at(frame.time()).map(|level| f32::from(level) / 255.0);
        let (centre, light) = ([x as f32, y as f32], color.map(to_linear));
        Ok(Ball { centre, radius: radius as f32, color, light, ..bytemuck::Zeroable::zeroed() })
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }
}
