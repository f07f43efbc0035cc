//! The sink: what it writes comes back, whole or not at all.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use streamlib_core::{Alpha, Context, ErrorKind, Graph, Next, Result, Source, VideoFormat, VideoFrame};
use streamlib_processors::images::{ImageFormat, Images, SaveImages, SaveImagesParameters, decode};

use super::support::{collect, ffmpeg, files, judged, pattern, run, size};

fn save(folder: &Path, names: &str, picture: &str, frames: u64) -> Result<()> {
    let sink = SaveImages::new(SaveImagesParameters { path: folder.join(names), ..Default::default() })?;
    let mut graph = Graph::new();
    graph.chain((pattern(picture), sink)).unwrap();
    run(graph, Some(frames)).1
}

#[test]
fn what_is_saved_as_png_is_read_as_it_was() {
    for picture in ["1x1", "33x17", "640x360"] {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "frame-%d.png", picture, 12).unwrap();
        let (mut expected, _) = collect(pattern(picture), Some(12));
        let (mut read, outcome) = collect(Images::from(folder.path().join("frame-*.png").display().to_string()), None);
        outcome.unwrap();
        assert_eq!(read.len(), 12);
        // Rates differ in nothing: both default to 30.
        for (read, expected) in read.iter_mut().zip(&mut expected) {
            assert!(read == expected, "picture {} of {picture} differs", expected.sequence);
        }
        if picture == "640x360" {
            assert_eq!(judged(&folder.path().join("frame-10.png")), expected[10].pixels, "ffmpeg sees the same");
        }
    }
}

#[test]
fn names_are_numbered_and_older_files_replaced() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("00001.jpg"), "an older file").unwrap();
    let parameters =
        SaveImagesParameters { path: folder.path().into(), format: Some(ImageFormat::Jpeg), first: 1, ..Default::default() };
    let mut graph = Graph::new();
    graph.chain((pattern("64x48"), SaveImages::new(parameters).unwrap())).unwrap();
    let (statistics, outcome) = run(graph, Some(3));
    outcome.unwrap();
    assert_eq!(files(folder.path()), ["00001.jpg", "00002.jpg", "00003.jpg"]);
    let bytes: u64 = files(folder.path()).iter().map(|name| folder.path().join(name).metadata().unwrap().len()).sum();
    let counters = &statistics.nodes["save-images"].counters;
    assert_eq!((counters["frames"], counters["bytes"]), (3, bytes));
    assert!(statistics.latency_ms["save-images"].max > 0.0);
    ffmpeg(&["-i"], &folder.path().join("%05d.jpg"), &["-f", "null", "-"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let ours = folder.path().join("00001.jpg").metadata().unwrap().permissions().mode();
        std::fs::write(folder.path().join("ordinary"), "").unwrap();
        let ordinary = folder.path().join("ordinary").metadata().unwrap().permissions().mode();
        assert_eq!(ours, ordinary, "it has the rights of any new file");
    }
}

#[test]
fn jpegs_of_higher_quality_are_larger_and_closer() {
    let (expected, _) = collect(pattern("320x240"), Some(1));
    let saved = |quality| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("%d.jpg");
        let sink = SaveImages::new(SaveImagesParameters { path, quality, ..Default::default() }).unwrap();
        let mut graph = Graph::new();
        graph.chain((pattern("320x240"), sink)).unwrap();
        run(graph, Some(1)).1.unwrap();
        let file = std::fs::read(folder.path().join("0.jpg")).unwrap();
        let pixels = decode(&file).unwrap().pixels;
        let off: u64 = pixels.iter().zip(&expected[0].pixels).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        (file.len(), off as f64 / pixels.len() as f64)
    };
    let (coarse, fine) = (saved(20), saved(95));
    assert!(fine.0 > coarse.0 && fine.1 < coarse.1 && fine.1 < 1.0, "{coarse:?} {fine:?}");
}

/// One frame with every alpha, premultiplied.
struct Glass(bool);

fn glass() -> Vec<u8> {
    (0..=255u8).flat_map(|alpha| [alpha, alpha / 2, alpha / 3, alpha]).collect()
}

impl Source for Glass {
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        if std::mem::replace(&mut self.0, true) {
            return Ok(Next::End);
        }
        let format = VideoFormat { alpha: Alpha::Premultiplied, ..VideoFormat::rgba8(size("256x1")) };
        let mut frame = cx.frame(format)?;
        cx.encoder()?.upload(&mut frame, &glass(), 1024)?;
        Ok(Next::Item(frame))
    }
}

#[test]
fn alpha_comes_back_in_png_and_stands_on_black_in_jpeg() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["png", "jpg"] {
        let mut graph = Graph::new();
        let sink = SaveImages::to(folder.path().join(format!("%d.{ending}"))).unwrap();
        graph.chain((Glass(false), sink)).unwrap();
        run(graph, None).1.unwrap();
    }
    let (read, _) = collect(Images::from(folder.path().join("*.png").display().to_string()), None);
    assert_eq!((read[0].format.alpha, &read[0].pixels), (Alpha::Premultiplied, &glass()));
    // Straight alpha in the file: white stays white where it is half transparent.
    assert_eq!(judged(&folder.path().join("0.png"))[128 * 4..][..4], [255, 128, 84, 128]);
    let black = decode(&std::fs::read(folder.path().join("0.jpg")).unwrap()).unwrap();
    let (pixel, alpha) = (&black.pixels[200 * 4..][..4], black.format.alpha);
    assert!(alpha == Alpha::Opaque && pixel[0].abs_diff(200) < 8 && pixel[1].abs_diff(100) < 8, "{pixel:?}");
}

#[test]
fn places_that_cannot_be_written_to_are_refused_before_the_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for (names, hint) in [
        (folder.path().join("missing/%d.png"), "missing' does not exist: create it first"),
        (folder.path().join("missing"), "missing' does not exist: create it first"),
        (folder.path().join("file/%d.png"), "file' is no directory"),
        (PathBuf::from("/sys/%d.png"), "the directory '/sys' is not writable"),
    ] {
        let error = save(Path::new(""), names.to_str().unwrap(), "4x4", 1).unwrap_err();
        assert_eq!((error.kind(), error.node()), (ErrorKind::Io, Some("save-images")), "{error}");
        assert!(error.to_string().contains(hint) && !error.to_string().contains(".part"), "{error}");
    }
    std::fs::create_dir(folder.path().join("1.png")).unwrap();
    let error = save(folder.path(), "%d.png", "4x4", 3).unwrap_err();
    assert!(error.to_string().contains("1.png") && error.to_string().contains("directory"), "{error}");
    assert_eq!(files(folder.path()), ["0.png", "1.png", "file"], "nothing else is left");
}

/// What the child below needs: where to save.
const CHILD: &str = "STREAMLIB_TEST_FULL_DISK";

#[test]
fn a_full_disk_leaves_whole_pictures_only() {
    let folder = tempfile::tempdir().unwrap();
    // A limit on file sizes (in blocks of 512 bytes) stands for a full disk; the signal it sends is ignored, so that writes fail.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" --exact save::saves_until_the_disk_is_full --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files(folder.path()), Vec::<String>::new(), "no half file under any name");
    let shown = folder.path().join("0.png");
    let message = format!("node 'save-images': cannot save the picture '{}': File too large", shown.display());
    assert!(said.contains(&message) && said.contains("make room on that disk"), "{said}");
}

/// Runs in the child process of the test above; does nothing when it runs by itself.
#[test]
#[allow(clippy::print_stdout, reason = "what a child process has to say")]
fn saves_until_the_disk_is_full() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    println!("{}", save(Path::new(&folder), "%d.png", "640x480", 5).unwrap_err());
}

/// Who has opened a picture, as a browser or a script does, has it whole, also while another takes its name.
#[test]
fn a_picture_that_is_replaced_stays_whole_for_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "%d.png", "320x240", 2).unwrap();
    let whole = std::fs::read(folder.path().join("0.png")).unwrap();
    let mut reader = std::fs::File::open(folder.path().join("0.png")).unwrap();
    save(folder.path(), "%d.png", "64x48", 1).unwrap();
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert!(read == whole, "{} bytes instead of {}", read.len(), whole.len());
    let replaced = decode(&std::fs::read(folder.path().join("0.png")).unwrap()).unwrap();
    assert_eq!(replaced.format.size, size("64x48"));
    assert_eq!(files(folder.path()), ["0.png", "1.png"]);
}
