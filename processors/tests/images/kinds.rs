//! Every kind of PNG and JPEG, judged by ffmpeg; and bytes that are no picture.

use std::path::Path;

use streamlib_core::{Alpha, ErrorKind};
use streamlib_processors::images::{Picture, decode};

use super::support::{ffmpeg, judged, size};

fn decoded(path: &Path) -> Picture {
    let picture = decode(&std::fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(picture.pixels.len(), picture.format.bytes());
    picture
}

fn worst(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn every_kind_of_png_is_read_as_ffmpeg_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, has_alpha, tolerance) in [
        ("rgb24", false, 0),
        ("rgba", true, 0),
        ("pal8", true, 0),
        ("gray", false, 0),
        ("monob", false, 0),
        ("ya8", true, 0),
        // 16 bits become 8: ffmpeg and we may round apart by one, in colour and in alpha.
        ("gray16be", false, 1),
        ("rgb48be", false, 1),
        ("rgba64be", true, 2),
        ("ya16be", true, 2),
    ] {
        for picture in ["1x1", "5x3", "64x48"] {
            let path = folder.path().join(format!("{kind} {picture}.png"));
            let source = format!("testsrc2=s={picture}:alpha={},format=rgba,format={kind}", if has_alpha { 150 } else { 255 });
            ffmpeg(&["-f", "lavfi", "-i", &source, "-frames:v", "1"], &path, &[]);
            let ours = decoded(&path);
            assert_eq!(ours.format.size, size(picture));
            let theirs = judged(&path);
            let is_opaque = ours.format.alpha == Alpha::Opaque;
            assert!(is_opaque || has_alpha, "{kind}");
            assert!(!is_opaque || theirs.chunks(4).all(|pixel| pixel[3] == 255), "{kind}");
            let theirs: Vec<u8> = theirs.chunks(4).flat_map(premultiplied).collect();
            assert!(worst(&ours.pixels, &theirs) <= tolerance, "{kind} {picture}: off by {}", worst(&ours.pixels, &theirs));
        }
    }
}

fn premultiplied(pixel: &[u8]) -> [u8; 4] {
    let multiply = |value: u8| (f64::from(value) * f64::from(pixel[3]) / 255.0).round() as u8;
    [multiply(pixel[0]), multiply(pixel[1]), multiply(pixel[2]), pixel[3]]
}

#[test]
fn every_kind_of_jpeg_is_read_as_ffmpeg_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["yuvj444p", "yuvj422p", "yuvj420p", "gray"] {
        for picture in ["1x1", "17x9", "64x48"] {
            let path = folder.path().join(format!("{kind} {picture}.jpg"));
            // Without sharp edges, on which decoders differ in how they spread chroma; in small pictures every colour is an edge.
            let source = format!("gradients=s={picture}:seed=3:c0=teal:c1=orange,format={kind}");
            ffmpeg(&["-f", "lavfi", "-i", &source, "-frames:v", "1", "-q:v", "2"], &path, &[]);
            let (ours, theirs) = (decoded(&path), judged(&path));
            assert_eq!((ours.format.size, ours.format.alpha), (size(picture), Alpha::Opaque));
            let off: u32 = ours.pixels.iter().zip(&theirs).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            let (mean, worst) = (f64::from(off) / theirs.len() as f64, worst(&ours.pixels, &theirs));
            assert!(mean <= 3.0 && worst <= 30, "{kind} {picture}: off by {worst}, {mean} on average");
        }
    }
}

/// Cyan, red and half black, 16x16, as printers' pictures have them.
#[test]
fn cmyk_jpegs_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    for file in ["cmyk.jpg", "ycck.jpg"] {
        let picture = decoded(&folder.join(file));
        for (x, y, expected) in [(3, 3, [0, 255, 255, 255]), (12, 3, [255, 0, 0, 255]), (3, 12, [127, 127, 127, 255])] {
            let pixel = &picture.pixels[(y * 16 + x) * 4..][..4];
            assert!(worst(pixel, &expected) <= 4, "{file}: {pixel:?} at {x},{y}");
        }
    }
}

#[test]
fn a_jpeg_stands_as_its_exif_orientation_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lying.jpg");
    ffmpeg(&["-f", "lavfi", "-i", "gradients=s=32x16:c0=black:c1=white:x0=0:y0=0:x1=31:y1=0", "-frames:v", "1"], &path, &[]);
    let mut file = std::fs::read(&path).unwrap();
    let lying = decode(&file).unwrap();
    // Exif with one entry: orientation (0x112), short, 1 value, 6 = to be turned right by 90 degrees.
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let mut segment = vec![0xff, 0xe1];
    segment.extend((exif.len() as u16 + 2).to_be_bytes());
    segment.extend(exif);
    file.splice(2..2, segment);
    let upright = decode(&file).unwrap();
    assert_eq!((lying.format.size, upright.format.size), (size("32x16"), size("16x32")));
    for (x, y) in [(0, 0), (5, 3), (31, 15)] {
        let (from, to) = ((y * 32 + x) * 4, (x * 16 + 15 - y) * 4);
        assert_eq!(lying.pixels[from..from + 4], upright.pixels[to..to + 4], "{x},{y}");
    }
}

#[test]
fn what_is_no_picture_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.png");
    ffmpeg(&["-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", "1"], &path, &[]);
    let whole = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| decode(bytes).unwrap_err();

    let error = refused(b"");
    assert!(error.kind() == ErrorKind::Io && error.to_string().contains("it is empty"), "{error}");
    for bytes in [&b"hello"[..], b"GIF89a", b"RIFF....WEBPVP8 "] {
        let error = refused(bytes);
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("neither PNG nor JPEG"), "{error}");
    }
    for length in [8, 20, 40, whole.len() / 2] {
        let error = refused(&whole[..length]);
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains("the file is broken"), "{length}: {error}");
    }
    let mut torn = whole.clone();
    torn[whole.len() / 2] ^= 0x55;
    assert_eq!(refused(&torn).kind(), ErrorKind::Io, "its checksum is wrong");
    assert_eq!(refused(&[0xff, 0xd8, 0xff, 0xe0]).kind(), ErrorKind::Io);
}
