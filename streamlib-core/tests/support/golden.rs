//! Golden images: pictures in `tests/golden` beside the tests, which somebody has looked at, and comparison with them.
//!
//! Other crates' tests include this file by its path. When a picture is meant to change, run the tests once with
//! `STREAMLIB_GOLDEN=rewrite`, look at what was written and commit it.

use std::fs::File;
use std::path::{Path, PathBuf};

/// Samples of 8 bits, rows without padding.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// One sample a pixel, or red, green, blue and alpha.
    pub(crate) color: png::ColorType,
    pub(crate) samples: Vec<u8>,
}

/// What may differ between GPUs.
#[derive(Clone, Copy)]
pub(crate) struct Tolerance {
    /// By how much a sample may differ.
    pub(crate) level: u8,
    /// How many of a thousand pixels may differ by more: edges that another GPU rounds to the next pixel.
    pub(crate) outliers_in_1000: usize,
}

impl Picture {
    fn channels(&self) -> usize {
        self.color.samples()
    }

    fn write(&self, path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut encoder = png::Encoder::new(File::create(path).unwrap(), self.width, self.height);
        encoder.set_color(self.color);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        encoder.write_header().unwrap().write_image_data(&self.samples).unwrap();
    }

    fn read(path: &Path) -> Option<Self> {
        let mut reader = png::Decoder::new(std::io::BufReader::new(File::open(path).ok()?)).read_info().unwrap();
        let mut samples = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut samples).unwrap();
        Some(Self { width: info.width, height: info.height, color: info.color_type, samples })
    }

    /// Where two pictures differ, made eight times as bright; opaque.
    fn difference(&self, other: &Self) -> Self {
        let has_alpha = self.channels() == 4;
        let level = |(index, (a, b)): (usize, (&u8, &u8))| match has_alpha && index % 4 == 3 {
            true => 255,
            false => a.abs_diff(*b).saturating_mul(8),
        };
        let samples = self.samples.iter().zip(&other.samples).enumerate().map(level).collect();
        Self { samples, ..*self }
    }
}

/// Panics unless the picture is the golden one of this name. Then the picture and the difference lie where the message says.
pub(crate) fn check(name: &str, actual: &Picture, tolerance: Tolerance) {
    if let Err(message) = compare(name, actual, tolerance) {
        panic!("{message}");
    }
}

fn compare(name: &str, actual: &Picture, tolerance: Tolerance) -> Result<(), String> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.png"));
    if std::env::var_os("STREAMLIB_GOLDEN").is_some_and(|value| value == "rewrite") {
        actual.write(&golden);
        return Ok(());
    }
    let output = |kind: &str| -> PathBuf { Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("golden/{name}.{kind}.png")) };
    let rewrite = "STREAMLIB_GOLDEN=rewrite accepts what is drawn now";
    let fail = |what: String| {
        actual.write(&output("actual"));
        Err(format!("{what}; drawn now: {}; {rewrite}", output("actual").display()))
    };
    let Some(expected) = Picture::read(&golden) else { return fail(format!("there is no {}", golden.display())) };
    if (expected.width, expected.height, expected.color) != (actual.width, actual.height, actual.color) {
        let shape = |picture: &Picture| format!("{}x{} {:?}", picture.width, picture.height, picture.color);
        return fail(format!("{} is {}, not {}", golden.display(), shape(&expected), shape(actual)));
    }
    let pixels = || actual.samples.chunks(actual.channels()).zip(expected.samples.chunks(actual.channels()));
    let off = |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    let outliers = pixels().map(off).filter(|off| *off > tolerance.level).count();
    if outliers * 1000 <= pixels().count() * tolerance.outliers_in_1000 {
        return Ok(());
    }
    let difference = output("difference");
    actual.difference(&expected).write(&difference);
    fail(format!(
        "{outliers} of {} pixels differ from {} by more than {}, the worst by {}; difference, times 8: {}",
        pixels().count(),
        golden.display(),
        tolerance.level,
        pixels().map(off).max().unwrap_or(0),
        difference.display()
    ))
}
