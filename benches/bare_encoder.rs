//! OpenH264 by itself, set as `record` sets it by default.

use openh264::encoder::{
    BitRate, ColorPrimaries, Complexity, Encoder, EncoderConfig, FrameRate, MatrixCoefficients, QpRange, RateControlMode,
    TransferCharacteristics, VuiConfig,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};

/// Frames from a keyframe to the next: two seconds at 30 frames a second.
const KEYFRAME_INTERVAL: u64 = 60;

/// An encoder and how many pictures it has had.
pub struct BareEncoder {
    encoder: Encoder,
    size: (usize, usize),
    pictures: u64,
}

impl BareEncoder {
    /// An encoder for pictures of `size`, both sides even.
    pub fn new(size: (u32, u32)) -> Self {
        let vui = VuiConfig::bt709()
            .color_primaries(ColorPrimaries::Bt709)
            .transfer_characteristics(TransferCharacteristics::Bt709)
            .matrix_coefficients(MatrixCoefficients::Bt709)
            .full_range(false);
        let config = EncoderConfig::new()
            .rate_control_mode(RateControlMode::Quality)
            .bitrate(BitRate::from_bps(size.0 * size.1 * 6))
            .qp(QpRange::new(26, 26))
            .max_frame_rate(FrameRate::from_hz(30.0))
            .complexity(Complexity::Low)
            .vui(vui)
            .num_threads(1)
            .skip_frames(false)
            .scene_change_detect(false)
            .adaptive_quantization(false);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config).expect("an encoder");
        Self { encoder, size: (size.0 as usize, size.1 as usize), pictures: 0 }
    }

    /// Encodes a picture in streamlib's layout of `i420`: rows of luma, then rows of Cb and Cr side by side, all `stride` bytes
    /// apart. Returns how many bytes it became.
    pub fn encode(&mut self, bytes: &[u8], stride: usize) -> usize {
        if self.pictures.is_multiple_of(KEYFRAME_INTERVAL) {
            self.encoder.force_intra_frame();
        }
        let at = Timestamp::from_millis(self.pictures * 1000 / 30);
        self.pictures += 1;
        let encoded = self.encoder.encode_at(&Stacked { bytes, stride, size: self.size }, at).expect("a picture");
        encoded.to_vec().len()
    }
}

struct Stacked<'a> {
    bytes: &'a [u8],
    stride: usize,
    size: (usize, usize),
}

impl YUVSource for Stacked<'_> {
    fn dimensions(&self) -> (usize, usize) {
        self.size
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.stride, self.stride, self.stride)
    }

    fn y(&self) -> &[u8] {
        self.bytes
    }

    fn u(&self) -> &[u8] {
        &self.bytes[self.size.1 * self.stride..]
    }

    fn v(&self) -> &[u8] {
        &self.bytes[self.size.1 * self.stride + self.size.0 / 2..]
    }
}
