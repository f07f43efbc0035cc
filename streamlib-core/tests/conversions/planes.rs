//! The samples of a picture, wherever its format keeps them: written down here anew, so that the shaders have a witness.

use streamlib_core::{PixelFormat, VideoFormat};

/// A picture as planes without padding. Red, green and blue are three planes of one size.
pub(crate) struct Planes {
    /// Luma, or red.
    pub(crate) first: Vec<u8>,
    /// Cb, or green; empty for grey.
    pub(crate) second: Vec<u8>,
    /// Cr, or blue; empty for grey.
    pub(crate) third: Vec<u8>,
    pub(crate) size: (usize, usize),
    /// Samples of the second and third plane, across and down.
    pub(crate) chroma_size: (usize, usize),
}

/// Pixels a chroma sample, across and down.
pub(crate) fn subsampling(pixel: PixelFormat) -> (usize, usize) {
    match pixel {
        PixelFormat::Nv12 | PixelFormat::I420 => (2, 2),
        PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::I422 => (2, 1),
        _ => (1, 1),
    }
}

/// For each of a picture's three planes, where its samples are among the texture's bytes.
fn places(format: VideoFormat) -> [Box<dyn Fn(usize, usize) -> usize>; 3] {
    let row = format.row_bytes();
    let height = format.size.height() as usize;
    let even_height = height.next_multiple_of(2);
    let step = |first: usize, step: usize| Box::new(move |x: usize, y: usize| y * row + x * step + first) as Box<_>;
    let plane =
        |top: usize, left: usize, step: usize| Box::new(move |x: usize, y: usize| (top + y) * row + left + x * step) as Box<_>;
    match format.pixel {
        PixelFormat::Rgba8 => [step(0, 4), step(1, 4), step(2, 4)],
        PixelFormat::Rgb24 => [step(0, 3), step(1, 3), step(2, 3)],
        PixelFormat::Bgr24 => [step(2, 3), step(1, 3), step(0, 3)],
        PixelFormat::Yuyv => [step(0, 2), step(1, 4), step(3, 4)],
        PixelFormat::Uyvy => [step(1, 2), step(0, 4), step(2, 4)],
        PixelFormat::Nv12 => [step(0, 1), plane(even_height, 0, 2), plane(even_height, 1, 2)],
        PixelFormat::I420 => [step(0, 1), plane(even_height, 0, 1), plane(even_height, row / 2, 1)],
        PixelFormat::I422 => [step(0, 1), plane(height, 0, 1), plane(height, row / 2, 1)],
        PixelFormat::I444 => [step(0, 1), plane(height, 0, 1), plane(2 * height, 0, 1)],
        _ => [step(0, 1), step(0, 1), step(0, 1)],
    }
}

fn sizes(format: VideoFormat) -> [(usize, usize); 3] {
    let size = (format.size.width() as usize, format.size.height() as usize);
    let (across, down) = subsampling(format.pixel);
    let chroma = match format.pixel {
        PixelFormat::Grey8 => (0, 0),
        _ => (size.0.div_ceil(across), size.1.div_ceil(down)),
    };
    [size, chroma, chroma]
}

impl Planes {
    pub(crate) fn of(format: VideoFormat, bytes: &[u8]) -> Self {
        let sizes = sizes(format);
        let mut planes = places(format).into_iter().zip(sizes).map(|(place, (width, height))| {
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| bytes[place(x, y)]).collect()
        });
        let mut next = || planes.next().unwrap();
        Self { first: next(), second: next(), third: next(), size: sizes[0], chroma_size: sizes[1] }
    }
}

/// The texture's bytes of a picture whose samples are as `sample(plane, x, y)` says, `x` and `y` counting that plane's samples.
/// Padding is 77, which must not be seen.
pub(crate) fn texture(format: VideoFormat, mut sample: impl FnMut(usize, usize, usize) -> u8) -> Vec<u8> {
    let mut bytes = vec![77; format.bytes()];
    for (plane, (place, (width, height))) in places(format).into_iter().zip(sizes(format)).enumerate() {
        for y in 0..height {
            for x in 0..width {
                bytes[place(x, y)] = sample(plane, x, y);
            }
        }
    }
    bytes
}
