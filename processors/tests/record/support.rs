//! What these tests share.

use std::path::{Path, PathBuf};

use streamlib_core::{Color, Matrix, Range, Size, Timestamp};
use streamlib_processors::record::{
    Encoder, EncoderOptions, I420Picture, Mp4Writer, OpenH264Encoder, Plane, Recording, VideoTrack,
};

pub(crate) const HD: Color = Color::new(Matrix::Bt709, Range::Limited);

pub(crate) struct Recorder {
    pub(crate) encoder: OpenH264Encoder,
    pub(crate) writer: Mp4Writer,
    pub(crate) size: Size,
}

impl Recorder {
    pub(crate) fn new(path: &Path, size: &str, color: Color, options: &EncoderOptions) -> Self {
        let size: Size = size.parse().unwrap();
        let encoder = OpenH264Encoder::new(size, color, options).unwrap();
        let writer = Mp4Writer::create(path, VideoTrack { size, coded_size: encoder.coded_size(), color }).unwrap();
        let (width, height) = size.even();
        Self { encoder, writer, size: Size::new(width, height).unwrap() }
    }

    pub(crate) fn push(&mut self, at: Timestamp, i420: &[u8]) -> streamlib_core::Result<bool> {
        let picture = I420Picture::stacked_tight(self.size, i420);
        let encoded = self.encoder.encode(&picture, at)?;
        self.writer.push(&encoded)?;
        Ok(encoded.is_keyframe)
    }

    /// A picture whose content depends on its number.
    pub(crate) fn push_numbered(&mut self, at: Timestamp, number: u32) -> bool {
        let picture = moving(self.size, number);
        self.push(at, &picture).unwrap()
    }
}

/// Three tight planes.
pub(crate) trait Tight<'a> {
    fn stacked_tight(size: Size, bytes: &'a [u8]) -> Self;
}

impl<'a> Tight<'a> for I420Picture<'a> {
    fn stacked_tight(size: Size, bytes: &'a [u8]) -> Self {
        let (width, luma) = (size.width() as usize, (size.width() * size.height()) as usize);
        let (y, chroma) = bytes.split_at(luma);
        let (u, v) = chroma.split_at(luma / 4);
        I420Picture::new(size, Plane::new(y, width), Plane::new(u, width / 2), Plane::new(v, width / 2)).unwrap()
    }
}

/// A gradient that moves, with some noise in it.
pub(crate) fn moving(size: Size, number: u32) -> Vec<u8> {
    let (width, height) = (size.width(), size.height());
    let noise = |index: u32| (index.wrapping_add(number * 7919).wrapping_mul(2_654_435_761) >> 28) as u8;
    let luma = (0..height).flat_map(|y| (0..width).map(move |x| 32 + ((x + y + number * 3) % 160) as u8 + noise(y * width + x)));
    let chroma = (0..width * height / 2).map(|index| 100 + ((index / 64 + number) % 50) as u8);
    luma.chain(chroma).collect()
}

pub(crate) fn flat(size: Size, [y, u, v]: [u8; 3]) -> Vec<u8> {
    let luma = (size.width() * size.height()) as usize;
    [vec![y; luma], vec![u; luma / 4], vec![v; luma / 4]].concat()
}

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_nanos(micros * 1_000)
}

pub(crate) fn record(path: &Path, size: &str, options: &EncoderOptions, times: &[Timestamp]) -> Recording {
    let mut recorder = Recorder::new(path, size, HD, options);
    for (number, time) in times.iter().enumerate() {
        recorder.push_numbered(*time, number as u32);
    }
    recorder.writer.finish().unwrap()
}

pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("video.mp4");
    (directory, path)
}

pub(crate) fn part(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.part", path.file_name().unwrap().to_str().unwrap()))
}
