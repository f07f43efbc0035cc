//! The contract between the record processor and whatever turns its pictures into H.264.

use std::fmt;
use std::time::Duration;

use streamlib_core::{Error, ErrorKind, Result, Size, Timestamp};

/// Turns pictures into H.264 access units, one for one and in order.
///
/// An encoder is made for one picture size and colour description. It may hold no picture back (no B pictures, no
/// lookahead) and leave none out: the file keeps every picture at its own time.
pub trait Encoder: Send {
    /// The size that a decoder of this stream shows, as its sequence parameter set says. It is the picture's size rounded up
    /// to even, or more where the encoder cannot go so small; the picture itself is in its top left corner.
    fn coded_size(&self) -> Size;

    /// Encodes one picture that was taken at `timestamp`. Blocks until its access unit is there.
    ///
    /// Timestamps steer rate control and keyframe spacing only; they come back unchanged in the result. Fails with
    /// [`ErrorKind::InvalidArgument`] for a picture of another size than the encoder was made for and with
    /// [`ErrorKind::Encode`] when the encoder refuses; the picture is then lost and the next one is a keyframe.
    fn encode(&mut self, picture: &I420Picture<'_>, timestamp: Timestamp) -> Result<EncodedPicture<'_>>;

    /// Makes the next picture a keyframe, and counts the keyframe interval from there.
    fn force_keyframe(&mut self);
}

/// How to encode.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderOptions {
    /// What is held constant: quality or bits a second. Default: [`RateControl::default`], constant quality.
    pub rate: RateControl,
    /// The longest time between two keyframes, measured in timestamps. Default: 2 s. Shorter costs bits (a keyframe takes
    /// several times the bits of the picture after it); longer costs whoever seeks the time to decode from the last keyframe.
    /// Zero makes every picture a keyframe.
    pub keyframe_interval: Duration,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        Self { rate: RateControl::default(), keyframe_interval: Duration::from_secs(2) }
    }
}

/// What rate control holds constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateControl {
    /// The quantizer, from 12 (hardly to be told from the source) to 51 (coarse); 6 more halve the bits, about. The file's size
    /// follows the content: a still picture costs next to nothing, noise costs a lot.
    Quality(u8),
    /// Bits a second on average, from 10 000 to 240 000 000. Quality follows the content. The rate of pictures is measured, so that
    /// a slow camera gets the same bits; it is taken for 1 to 60 a second, outside of which the bits are off in proportion.
    Bitrate(u32),
}

impl RateControl {
    /// The quantizers that [`RateControl::Quality`] takes.
    pub const QUALITY: std::ops::RangeInclusive<u8> = 12..=51;
    /// The bits a second that [`RateControl::Bitrate`] takes.
    pub const BITRATE: std::ops::RangeInclusive<u32> = 10_000..=240_000_000;

    /// Fails with [`ErrorKind::InvalidArgument`] outside of the ranges above.
    pub fn validate(self) -> Result<()> {
        match self {
            Self::Quality(quantizer) => check("quality", quantizer, Self::QUALITY),
            Self::Bitrate(bits) => check("bitrate", bits, Self::BITRATE),
        }
    }
}

fn check<T: PartialOrd + fmt::Display>(name: &str, value: T, range: std::ops::RangeInclusive<T>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, format!("a {name} of {value} cannot be")).hint(format!(
        "{name} goes from {} to {}",
        range.start(),
        range.end()
    )))
}

/// A quantizer of 26: no artefacts at arm's length, 5 to 10 Mbit/s at 1280x720 and 30 pictures a second of busy test pictures.
impl Default for RateControl {
    fn default() -> Self {
        Self::Quality(26)
    }
}

/// Rows of bytes, each `stride` bytes after the one before.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> Plane<'a> {
    /// A plane whose first pixel is `bytes[0]`. The last row may end where its pixels end.
    pub fn new(bytes: &'a [u8], stride: usize) -> Self {
        Self { bytes, stride }
    }

    /// The bytes, from the first pixel on.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes from a row to the next.
    pub fn stride(self) -> usize {
        self.stride
    }

    fn holds(self, width: usize, height: usize) -> bool {
        let bytes = (height - 1).checked_mul(self.stride).and_then(|rows| rows.checked_add(width));
        self.stride >= width && bytes.is_some_and(|bytes| self.bytes.len() >= bytes)
    }
}

/// A borrowed 4:2:0 picture of even size: a plane of luma and two planes of chroma of half its width and height.
#[derive(Clone, Copy)]
pub struct I420Picture<'a> {
    size: Size,
    y: Plane<'a>,
    u: Plane<'a>,
    v: Plane<'a>,
}

impl<'a> I420Picture<'a> {
    /// Three planes, which may overlap in memory (rows of Cb and Cr side by side). Fails with [`ErrorKind::InvalidArgument`]
    /// if `size` is odd or a plane is too short for it.
    pub fn new(size: Size, y: Plane<'a>, u: Plane<'a>, v: Plane<'a>) -> Result<Self> {
        if size.even() != (size.width(), size.height()) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("a 4:2:0 picture of {size} cannot be"))
                .hint("round both sides up to even"));
        }
        let (width, height) = (size.width() as usize, size.height() as usize);
        for (name, plane, width, height) in
            [("Y", y, width, height), ("Cb", u, width / 2, height / 2), ("Cr", v, width / 2, height / 2)]
        {
            if !plane.holds(width, height) {
                let (bytes, stride) = (plane.bytes.len(), plane.stride);
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    format!("{bytes} bytes with a stride of {stride} hold no {name} plane of {width}x{height}"),
                )
                .hint("give every row in full, the last one at least up to its last pixel"));
            }
        }
        Ok(Self { size, y, u, v })
    }

    /// The layout of [`streamlib_core::PixelFormat::I420`] as it is read back from the GPU: rows of luma, then rows that hold Cb in their
    /// left half and Cr in their right half, all `stride` bytes apart.
    pub fn stacked(size: Size, bytes: &'a [u8], stride: usize) -> Result<Self> {
        let luma = size.height() as usize * stride;
        let u = bytes.get(luma..).unwrap_or_default();
        let v = u.get(size.width() as usize / 2..).unwrap_or_default();
        Self::new(size, Plane::new(bytes, stride), Plane::new(u, stride), Plane::new(v, stride))
    }

    /// The picture's size, even on both sides.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Luma, Cb and Cr.
    pub fn planes(&self) -> [Plane<'a>; 3] {
        [self.y, self.u, self.v]
    }
}

/// One picture as H.264, borrowed from its encoder.
#[derive(Clone, Copy, Debug)]
pub struct EncodedPicture<'a> {
    /// When the picture was taken, as it was given to the encoder.
    pub timestamp: Timestamp,
    /// Whether decoding can start here (an IDR picture).
    pub is_keyframe: bool,
    /// The NAL units of the access unit without parameter sets, each with its length before it in four big-endian bytes
    /// (ISO/IEC 14496-15, as a sample of an `avc1` track).
    pub nal_units: &'a [u8],
    /// What a decoder needs to know before the first picture. The same for all pictures of an encoder.
    pub parameter_sets: &'a ParameterSets,
}

/// The sequence and picture parameter set of a stream: NAL units without start code or length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterSets {
    /// Size, profile, level and colour (ITU-T H.264 section 7.3.2.1).
    pub sps: Vec<u8>,
    /// How slices are coded (ITU-T H.264 section 7.3.2.2).
    pub pps: Vec<u8>,
}

const _: () = {
    const fn send<T: ?Sized + Send>() {}
    send::<dyn Encoder>();
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_may_share_rows_and_end_at_their_last_pixel() {
        let size = Size::new(4, 4).unwrap();
        let bytes: Vec<u8> = (0..5 * 16 + 4).collect();
        let picture = I420Picture::stacked(size, &bytes, 16).unwrap();
        let [y, u, v] = picture.planes();
        assert_eq!((y.bytes()[16], u.bytes()[16], v.bytes()[16]), (16, 80, 82));
        assert_eq!(I420Picture::stacked(size, &bytes[..bytes.len() - 1], 16).err().unwrap().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn pictures_that_cannot_be_are_refused() {
        let plane = |bytes: usize, stride| Plane::new(&[0; 64][..bytes], stride);
        let refused = |width, height, y, u, v| {
            let error = I420Picture::new(Size::new(width, height).unwrap(), y, u, v).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            error.to_string()
        };
        assert!(refused(5, 4, plane(64, 8), plane(64, 8), plane(64, 8)).contains("round both sides up"));
        assert!(refused(4, 4, plane(15, 4), plane(4, 2), plane(4, 2)).contains("no Y plane of 4x4"));
        assert!(refused(4, 4, plane(16, 4), plane(3, 2), plane(4, 2)).contains("no Cb plane of 2x2"));
        assert!(refused(4, 4, plane(16, 4), plane(4, 2), plane(4, 1)).contains("no Cr plane of 2x2"));
        assert!(refused(4, 4, plane(16, usize::MAX), plane(4, 2), plane(4, 2)).contains("no Y plane"));
    }

    #[test]
    fn rates_out_of_range_say_the_range() {
        assert_eq!(
            RateControl::Quality(11).validate().unwrap_err().to_string(),
            "a quality of 11 cannot be; quality goes from 12 to 51"
        );
        assert!(RateControl::Quality(52).validate().is_err());
        assert!(RateControl::Bitrate(9_999).validate().is_err());
        assert!(RateControl::default().validate().is_ok());
    }
}
