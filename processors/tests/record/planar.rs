//! Frames that are planar already go to the encoder as they are.

use streamlib_core::{
    Context, Graph, Mode, Next, OutputOptions, PixelFormat, Result, Runtime, RuntimeOptions, Source, VideoFormat, VideoFrame,
};
use streamlib_processors::record::{Record, RecordParameters};

use super::judge;
use super::support::{at, folder, moving};

/// So many frames of `i420`, as a decoder or a planar camera gives them.
struct Planar {
    format: VideoFormat,
    next: u32,
    frames: u32,
}

impl Planar {
    /// The stacked picture: rows of luma, then rows of Cb beside Cr.
    fn picture(&self, number: u32) -> Vec<u8> {
        let size = self.format.size;
        let (width, luma) = (size.width() as usize, (size.width() * size.height()) as usize);
        let tight = moving(size, number);
        let (y, chroma) = tight.split_at(luma);
        let (u, v) = chroma.split_at(luma / 4);
        let rows = u.chunks(width / 2).zip(v.chunks(width / 2)).flat_map(|(u, v)| [u, v]);
        [y].into_iter().chain(rows).flatten().copied().collect()
    }
}

impl Source for Planar {
    fn output(&self) -> OutputOptions {
        OutputOptions { formats: Some(&[PixelFormat::I420]), ..Default::default() }
    }
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        if self.next == self.frames {
            return Ok(Next::End);
        }
        let (number, format) = (self.next, self.format);
        self.next += 1;
        let mut frame = cx.frame(format)?.with_sequence(number.into()).with_time(at(i64::from(number) * 40_000));
        cx.encoder()?.upload(&mut frame, &self.picture(number), format.row_bytes())?;
        Ok(Next::Item(frame))
    }
}

#[test]
fn planar_frames_are_recorded_without_a_conversion() {
    let (_directory, path) = folder();
    let format = VideoFormat::new(PixelFormat::I420, "256x128".parse().unwrap());
    let source = Planar { format, next: 0, frames: 10 };
    let last = moving(format.size, 9);
    let record = Record::new(RecordParameters { path: path.clone(), quality: Some(12), ..Default::default() }).unwrap();
    let mut graph = Graph::new();
    graph.chain((source, record)).unwrap();
    let runtime = Runtime::new(RuntimeOptions { mode: Mode::Offline, stop_on_signals: false, ..Default::default() });
    let plan = runtime.plan(&graph).unwrap();
    assert_eq!(plan.nodes.iter().map(|node| &*node.name).collect::<Vec<_>>(), ["planar", "record"], "{}", plan.explain());
    let bytes = runtime.run(graph).unwrap().gpu.unwrap().bytes;
    let expected = 10 * 256 * 128 * 3 / 2;
    assert_eq!((bytes.uploaded, bytes.read_back, bytes.copied), (expected, expected, 0), "a byte and a half a pixel");
    assert_eq!(judge::complaints(&path), "");
    let decoded = judge::decoded(&path);
    let shown = &decoded[9 * last.len()..];
    let worst = shown.iter().zip(&last).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(decoded.len() == 10 * last.len() && worst <= 16, "off by {worst}");
}
