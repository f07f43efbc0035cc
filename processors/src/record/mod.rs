//! Records: pictures into H.264, H.264 into a fragmented MP4 file that plays whatever ends the process.
//!
//! [`encoder`] is the contract that every encoder keeps, [`openh264`] the one that comes with streamlib, [`mp4`] the file.

pub mod encoder;
#[cfg(test)]
mod judge;
pub mod mp4;
pub mod openh264;
mod parts;
mod sink;

pub use encoder::{EncodedPicture, Encoder, EncoderOptions, I420Picture, ParameterSets, Plane, RateControl};
pub use mp4::{Mp4Options, Mp4Writer, Recording, VideoTrack};
pub use openh264::OpenH264Encoder;
pub use sink::{Record, RecordParameters};
