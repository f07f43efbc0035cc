//! The two things that the `openh264` crate has no safe call for.
#![allow(unsafe_code, reason = "OpenH264's SetOption takes a pointer to a value whose type depends on the option")]

use std::ffi::c_int;
use std::ptr::from_mut;

use openh264::encoder::{Encoder, EncoderConfig};
use openh264::{Error, OpenH264API};
use openh264_sys2::{ENCODER_OPTION_FRAME_RATE, ENCODER_OPTION_TRACE_LEVEL, WELS_LOG_QUIET};

/// An encoder that prints nothing. The crate silences OpenH264 only after initialising it, which is when it complains on stderr
/// that frames will not be skipped.
pub(super) fn silent_encoder(api: OpenH264API, config: EncoderConfig) -> Result<Encoder, Error> {
    let mut encoder = Encoder::with_api_config(api, config)?;
    let mut level: c_int = WELS_LOG_QUIET;
    // SAFETY: the encoder is alive; this option reads one int, copies it, and is allowed before initialisation.
    unsafe {
        encoder.raw_api().set_option(ENCODER_OPTION_TRACE_LEVEL, from_mut(&mut level).cast());
    }
    Ok(encoder)
}

/// Tells bitrate control how many pictures a second to share the bits among. An encoder that has not yet encoded ignores it.
pub(super) fn set_frame_rate(encoder: &mut Encoder, pictures_a_second: f32) {
    let mut rate = pictures_a_second;
    // SAFETY: the encoder is alive; this option reads one float and copies it. The crate keeps no copy of the rate that would now be wrong,
    // except for a change of size, which this encoder does not do.
    unsafe {
        encoder.raw_api().set_option(ENCODER_OPTION_FRAME_RATE, from_mut(&mut rate).cast());
    }
}
