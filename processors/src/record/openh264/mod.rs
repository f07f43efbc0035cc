//! The encoder that comes with streamlib: Cisco's OpenH264, built from source, on the CPU.
//!
//! It codes the constrained baseline profile in one slice on the calling thread. Two slices on two threads were measured on two cores with other
//! work: a third faster in the best case, slower in the worst, for 3 to 8 % more bits. Cisco's patent cover is for its own binaries, not for
//! source builds.

mod access_unit;
mod controls;
mod frame_rate;
mod padding;

use openh264::encoder::{
    BitRate, ColorPrimaries, Complexity, EncoderConfig, FrameRate, FrameType, MatrixCoefficients, QpRange, RateControlMode,
    TransferCharacteristics, VuiConfig,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp as Millis};
use streamlib_core::{Color, Error, ErrorKind, Matrix, Range, Result, Size, Timestamp};

use self::access_unit::AccessUnit;
use self::frame_rate::FrameRateMeter;
use self::padding::Padding;
use super::encoder::{EncodedPicture, Encoder, EncoderOptions, I420Picture, RateControl};

/// OpenH264 takes no picture below a macroblock; smaller ones are padded.
const SMALLEST_SIDE: u32 = 16;
/// Level 5.2, in either orientation.
const LARGEST: (u32, u32) = (3840, 2160);

/// H.264 on the CPU, at the speed of about one core.
///
/// ```
/// use streamlib_core::{Color, Size, Timestamp};
/// use streamlib_processors::record::{Encoder, EncoderOptions, I420Picture, OpenH264Encoder};
///
/// let size = Size::new(320, 240)?;
/// let mut encoder = OpenH264Encoder::new(size, Color::default_for_height(240), &EncoderOptions::default())?;
/// let grey = vec![128; 320 * 240 * 3 / 2];
/// let encoded = encoder.encode(&I420Picture::stacked(size, &grey, 320)?, Timestamp::ZERO)?;
/// assert!(encoded.is_keyframe);
/// # Ok::<(), streamlib_core::Error>(())
/// ```
pub struct OpenH264Encoder {
    encoder: openh264::encoder::Encoder,
    size: Size,
    options: EncoderOptions,
    padding: Option<Padding>,
    meter: FrameRateMeter,
    first: Option<Timestamp>,
    last_keyframe: Option<Timestamp>,
    /// Set while a finer quantizer gives more bits than OpenH264 has room for.
    finest: Option<u8>,
    color: Color,
    unit: AccessUnit,
}

impl OpenH264Encoder {
    /// An encoder for pictures of `size` (those it is given are rounded up to even) in the given colours.
    ///
    /// Fails with [`ErrorKind::Encode`] for pictures above 3840x2160 (or 2160x3840) and with [`ErrorKind::InvalidArgument`]
    /// for options out of range.
    pub fn new(size: Size, color: Color, options: &EncoderOptions) -> Result<Self> {
        options.rate.validate()?;
        let (long, short) = (size.width().max(size.height()), size.width().min(size.height()));
        if long > LARGEST.0 || short > LARGEST.1 {
            return Err(Error::new(ErrorKind::Encode, format!("openh264 cannot encode {size}"))
                .hint("it takes up to 3840x2160: scale the picture down before recording it"));
        }
        let (width, height) = size.even();
        let size = Size::new(width, height)?;
        let coded = Size::new(width.max(SMALLEST_SIDE), height.max(SMALLEST_SIDE))?;
        Ok(Self {
            encoder: start(config(coded, color, options, None))?,
            size,
            options: options.clone(),
            padding: (coded != size).then(|| Padding::new(coded)),
            meter: FrameRateMeter::default(),
            first: None,
            last_keyframe: None,
            finest: None,
            color,
            unit: AccessUnit::default(),
        })
    }

    /// Begins anew, with the same parameter sets, and no finer quantizer than this.
    fn restart(&mut self, finest: Option<u8>) -> Result<()> {
        self.encoder = start(config(self.coded_size(), self.color, &self.options, finest))?;
        self.meter.say_again();
        self.finest = finest;
        Ok(())
    }

    fn next_coarser(&self) -> Option<u8> {
        let finest = match (self.finest, self.options.rate) {
            (Some(finest), _) | (None, RateControl::Quality(finest)) => finest,
            (None, RateControl::Bitrate(_)) => *RateControl::QUALITY.start(),
        };
        let coarsest = *RateControl::QUALITY.end();
        (finest < coarsest).then(|| (finest + 6).min(coarsest))
    }

    fn is_keyframe_due(&self, timestamp: Timestamp) -> bool {
        self.last_keyframe.is_none_or(|last| timestamp.saturating_since(last) >= self.options.keyframe_interval)
    }
}

impl Encoder for OpenH264Encoder {
    fn coded_size(&self) -> Size {
        self.padding.as_ref().map_or(self.size, Padding::size)
    }

    fn encode(&mut self, picture: &I420Picture<'_>, timestamp: Timestamp) -> Result<EncodedPicture<'_>> {
        if picture.size() != self.size {
            let (got, expected) = (picture.size(), self.size);
            return Err(Error::new(ErrorKind::InvalidArgument, format!("a picture of {got} for an encoder of {expected}"))
                .hint("make a new encoder (and a new file) when the size changes"));
        }
        if self.is_keyframe_due(timestamp) {
            match self.finest {
                Some(_) => self.restart(None)?,
                None => self.encoder.force_intra_frame(),
            }
        }
        if let (RateControl::Bitrate(_), Some(rate)) = (self.options.rate, self.meter.measure(timestamp)) {
            controls::set_frame_rate(&mut self.encoder, rate);
        }
        let since_first = timestamp.saturating_since(*self.first.get_or_insert(timestamp));
        let millis = Millis::from_millis(since_first.as_millis() as u64);
        // Until this picture is through, the next one has to be a keyframe.
        let last_keyframe = self.last_keyframe.take();
        let frame_type = loop {
            let Self { encoder, padding, unit, .. } = self;
            let encoded = match padding {
                None => encode(encoder, picture, millis, unit),
                Some(padding) => encode(encoder, &padding.pad(picture)?, millis, unit),
            };
            match encoded {
                Ok(frame_type) => break frame_type,
                // OpenH264 has room for two thirds of the picture's raw bytes; noise takes more. After that it refuses everything.
                Err(error) => match self.next_coarser() {
                    Some(finest) => self.restart(Some(finest))?,
                    None => return Err(refused(&error)),
                },
            }
        };
        let is_keyframe = match frame_type {
            FrameType::IDR => true,
            FrameType::P => false,
            other => {
                return Err(Error::new(ErrorKind::Encode, format!("openh264 gave no picture but {other:?}"))
                    .hint("the next picture will be a keyframe; if this repeats, record with another encoder"));
            }
        };
        self.last_keyframe = if is_keyframe { Some(timestamp) } else { last_keyframe };
        Ok(EncodedPicture {
            timestamp,
            is_keyframe,
            nal_units: self.unit.nal_units(),
            parameter_sets: self.unit.parameter_sets(),
        })
    }

    fn force_keyframe(&mut self) {
        self.last_keyframe = None;
    }
}

fn start(config: EncoderConfig) -> Result<openh264::encoder::Encoder> {
    controls::silent_encoder(OpenH264API::from_source(), config).map_err(|error| refused(&error))
}

fn encode(
    encoder: &mut openh264::encoder::Encoder,
    picture: &I420Picture<'_>,
    at: Millis,
    unit: &mut AccessUnit,
) -> Result<FrameType, openh264::Error> {
    let encoded = encoder.encode_at(&Source(picture), at)?;
    unit.clear();
    for layer in (0..encoded.num_layers()).filter_map(|index| encoded.layer(index)) {
        for nal in (0..layer.nal_count()).filter_map(|index| layer.nal_unit(index)) {
            unit.push(nal);
        }
    }
    Ok(encoded.frame_type())
}

fn refused(error: &openh264::Error) -> Error {
    Error::new(ErrorKind::Encode, format!("openh264 refused: {error}"))
        .hint("the next picture will be a keyframe; if this repeats, restart the recording")
}

fn config(coded: Size, color: Color, options: &EncoderOptions, finest: Option<u8>) -> EncoderConfig {
    let quality = RateControl::QUALITY;
    let (mode, bits, quantizers) = match options.rate {
        // With both ends of the range equal the mode cannot choose. The bits then only decide which H.264 level is declared.
        RateControl::Quality(quantizer) => {
            let quantizer = finest.unwrap_or(quantizer);
            (RateControlMode::Quality, coded.width() * coded.height() * 6, QpRange::new(quantizer, quantizer))
        }
        RateControl::Bitrate(bits) => {
            (RateControlMode::Bitrate, bits, QpRange::new(finest.unwrap_or(*quality.start()), *quality.end()))
        }
    };
    let matrix = match color.matrix {
        Matrix::Bt601 => MatrixCoefficients::Smpte170M,
        Matrix::Bt709 => MatrixCoefficients::Bt709,
    };
    let vui = VuiConfig::bt709()
        .color_primaries(ColorPrimaries::Bt709)
        .transfer_characteristics(TransferCharacteristics::Bt709)
        .matrix_coefficients(matrix)
        .full_range(color.range == Range::Full);
    EncoderConfig::new()
        .rate_control_mode(mode)
        .bitrate(BitRate::from_bps(bits.max(*RateControl::BITRATE.start())))
        .qp(quantizers)
        .max_frame_rate(FrameRate::from_hz(FrameRateMeter::ASSUMED))
        // More is slower by a tenth to a third, for a hundredth of the bits.
        .complexity(Complexity::Low)
        .vui(vui)
        .num_threads(1)
        // Every picture in is one access unit out, and keyframes are placed by time.
        .skip_frames(false)
        .scene_change_detect(false)
        // OpenH264 switches it off by itself, with a complaint.
        .adaptive_quantization(false)
}

/// A picture as the `openh264` crate wants it: with planes that are long enough, which `I420Picture` has checked.
struct Source<'a, 'b>(&'a I420Picture<'b>);

impl YUVSource for Source<'_, '_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.size().width() as usize, self.0.size().height() as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let [y, u, v] = self.0.planes();
        (y.stride(), u.stride(), v.stride())
    }

    fn y(&self) -> &[u8] {
        self.0.planes()[0].bytes()
    }

    fn u(&self) -> &[u8] {
        self.0.planes()[1].bytes()
    }

    fn v(&self) -> &[u8] {
        self.0.planes()[2].bytes()
    }
}
