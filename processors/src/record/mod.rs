//! Records: pictures into H.264.
//!
//! [`encoder`] is the contract that every encoder keeps, [`openh264`] the one that comes with streamlib.

pub mod encoder;
pub mod openh264;

pub use encoder::{Effort, EncodedPicture, Encoder, EncoderOptions, I420Picture, ParameterSets, Plane, RateControl};
pub use openh264::OpenH264Encoder;
