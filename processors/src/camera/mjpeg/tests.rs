#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

/// Pictures of 45x29, made with libjpeg-turbo by way of Pillow.
const GREY: &[u8] = include_bytes!("pictures/grey.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("pictures/progressive.jpg");
const RESTARTS: &[u8] = include_bytes!("pictures/restarts.jpg");
const OPTIMISED: &[u8] = include_bytes!("pictures/optimised.jpg");
const RGB: &[u8] = include_bytes!("pictures/rgb.jpg");

fn size(text: &str) -> Size {
    text.parse().unwrap()
}

fn ffmpeg(arguments: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args("-v error -nostdin".split(' '))
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end without having read everything.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "ffmpeg {arguments}");
    output.stdout
}

/// A detailed, moving picture as a camera would compress it, with the standard tables.
fn jpeg(size: &str, pixels: &str) -> Vec<u8> {
    let crop = size.replace('x', ":");
    let source = format!("testsrc=s=640x360,noise=alls=8:all_seed=1,format=rgb24,crop={crop}:200:100,format={pixels}");
    ffmpeg(&format!("-f lavfi -i {source} -frames:v 1 -c:v mjpeg -huffman default -q:v 4 -f image2pipe -"), &[])
}

/// The planes one behind the other.
fn decoded(decoder: &mut Decoder, jpeg: &[u8], size: Size) -> Result<(PixelFormat, Vec<u8>), Damage> {
    let pixel = decoder.decode(jpeg, size)?;
    let (planes, count) = decoder.planes();
    Ok((pixel, planes[..count].iter().flat_map(|plane| plane.bytes).copied().collect()))
}

fn ffmpeg_name(pixel: PixelFormat) -> &'static str {
    match pixel {
        PixelFormat::I420 => "yuvj420p",
        PixelFormat::I422 => "yuvj422p",
        PixelFormat::I444 => "yuvj444p",
        _ => "gray",
    }
}

/// Decoders round differently, by one or two.
fn assert_is_as_ffmpeg_has_it(jpeg: &[u8], pixel: PixelFormat, planes: &[u8]) {
    let expected = ffmpeg(&format!("-f mjpeg -i - -f rawvideo -pix_fmt {} -", ffmpeg_name(pixel)), jpeg);
    assert_eq!(planes.len(), expected.len());
    let differences: Vec<u8> = planes.iter().zip(&expected).map(|(found, expected)| found.abs_diff(*expected)).collect();
    let worst = differences.iter().max().unwrap();
    let mean = differences.iter().map(|difference| f64::from(*difference)).sum::<f64>() / differences.len() as f64;
    assert!(*worst <= 3 && mean < 0.25, "{pixel}: off by {worst} at most, {mean:.3} on average");
}

/// Without its Huffman tables, and with other segments in front of them.
fn without_tables(jpeg: &[u8], more: &[u8]) -> Vec<u8> {
    let mut stripped = [&jpeg[..2], more].concat();
    let mut at = 2;
    while jpeg[at + 1] != 0xDA {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] != 0xC4 {
            stripped.extend_from_slice(&jpeg[at..end]);
        }
        at = end;
    }
    stripped.extend_from_slice(&jpeg[at..]);
    stripped
}

#[test]
fn planes_are_as_ffmpeg_has_them() {
    let mut decoder = Decoder::default();
    for (name, pixel) in [("yuvj420p", PixelFormat::I420), ("yuvj422p", PixelFormat::I422), ("yuvj444p", PixelFormat::I444)] {
        for text in ["64x48", "33x17", "1x1", "640x360", "16x16"] {
            let jpeg = jpeg(text, name);
            let (found, planes) = decoded(&mut decoder, &jpeg, size(text)).unwrap();
            assert_eq!(found, pixel, "{text}");
            assert_is_as_ffmpeg_has_it(&jpeg, pixel, &planes);
        }
    }
}

#[test]
fn every_kind_of_jpeg_that_frames_can_hold_is_decoded() {
    let mut decoder = Decoder::default();
    for (jpeg, pixel) in [
        (GREY, PixelFormat::Grey8),
        (PROGRESSIVE, PixelFormat::I420),
        (RESTARTS, PixelFormat::I422),
        (OPTIMISED, PixelFormat::I444),
    ] {
        let (found, planes) = decoded(&mut decoder, jpeg, size("45x29")).unwrap();
        assert_eq!(found, pixel);
        assert_is_as_ffmpeg_has_it(jpeg, pixel, &planes);
    }
    let damage = decoded(&mut decoder, RGB, size("45x29")).unwrap_err();
    assert_eq!(damage.to_string(), "a JPEG of 3 components, Some(RGB)");
    assert_eq!(decoder.planes().1, 0);
}

#[test]
fn pictures_without_tables_get_the_standard_ones() {
    // What AVI files and some cameras have in front, and what others have: nothing.
    let avi1 = [&[0xFF, 0xE0, 0, 16][..], b"AVI1", &[0; 10]].concat();
    let mut decoder = Decoder::default();
    for name in ["yuvj420p", "yuvj422p", "yuvj444p"] {
        let whole = jpeg("64x48", name);
        let expected = decoded(&mut decoder, &whole, size("64x48")).unwrap();
        for more in [&[][..], &avi1] {
            let stripped = without_tables(&whole, more);
            assert!(stripped.len() < whole.len() - 300);
            assert!(decoded(&mut decoder, &stripped, size("64x48")).unwrap() == expected, "{name}");
        }
    }
    let stripped = without_tables(GREY, &[]);
    assert_eq!(decoded(&mut decoder, &stripped, size("45x29")).unwrap().0, PixelFormat::Grey8);
}

#[test]
fn pictures_of_another_size_are_left_out() {
    let mut decoder = Decoder::default();
    let jpeg = jpeg("64x48", "yuvj422p");
    for other in ["64x47", "63x48", "128x48", "8x8", "640x480"] {
        let damage = decoded(&mut decoder, &jpeg, size(other)).unwrap_err();
        assert_eq!(damage.to_string(), "a JPEG of 64x48");
        assert_eq!(decoder.planes().1, 0);
    }
    assert!(decoded(&mut decoder, &jpeg, size("64x48")).is_ok());
}

#[test]
fn what_follows_the_end_does_not_matter() {
    let mut decoder = Decoder::default();
    let jpeg = jpeg("64x48", "yuvj420p");
    let expected = decoded(&mut decoder, &jpeg, size("64x48")).unwrap();
    let before = GREY[GREY.len() / 2..].to_vec();
    for padding in [vec![0; 1000], vec![0xFF; 7], before, vec![0xAA; 33]] {
        let padded = [&jpeg[..], &padding].concat();
        assert!(decoded(&mut decoder, &padded, size("64x48")).unwrap() == expected);
    }
    // Some cameras have bytes left over in front of the end.
    let (picture, end) = jpeg.split_at(jpeg.len() - 2);
    for filling in [&[0][..], &[0, 0, 0], &[0xFF]] {
        let filled = [picture, filling, end].concat();
        assert!(decoded(&mut decoder, &filled, size("64x48")).unwrap() == expected, "{filling:?}");
    }
}

/// Wherever the picture ends too early, with or without zeros in the place of the rest.
#[test]
fn pictures_cut_short_are_left_out() {
    let mut decoder = Decoder::default();
    for (jpeg, text) in [
        (jpeg("64x48", "yuvj420p"), "64x48"),
        (without_tables(&jpeg("32x32", "yuvj422p"), &[]), "32x32"),
        (PROGRESSIVE.to_vec(), "45x29"),
    ] {
        let whole = decoded(&mut decoder, &jpeg, size(text)).unwrap();
        for end in 0..jpeg.len() {
            let mut cut = jpeg[..end].to_vec();
            for _ in 0..2 {
                match decoded(&mut decoder, &cut, size(text)) {
                    Err(_) => assert_eq!(decoder.planes().1, 0),
                    // The last bytes hold the end and bits that fill up.
                    Ok(planes) => {
                        assert!(end + 4 >= jpeg.len(), "cut at {end} of {} and not noticed", jpeg.len());
                        assert!(planes == whole);
                    }
                }
                cut.resize(jpeg.len(), 0);
            }
        }
    }
}

/// A broken byte can make another picture, but no panic and no plane of another size.
#[test]
fn broken_bytes_do_no_harm() {
    let mut decoder = Decoder::default();
    let mut outcomes = [0, 0];
    for (jpeg, text) in [
        (jpeg("32x32", "yuvj420p"), "32x32"),
        (GREY.to_vec(), "45x29"),
        (RESTARTS.to_vec(), "45x29"),
        (PROGRESSIVE.to_vec(), "45x29"),
    ] {
        let size = size(text);
        let (pixel, planes) = decoded(&mut decoder, &jpeg, size).unwrap();
        for at in 0..jpeg.len() {
            for change in [0xFF, 0x01, 0x80, jpeg[at], !jpeg[at]] {
                let mut broken = jpeg.clone();
                broken[at] ^= change;
                let found = decoded(&mut decoder, &broken, size);
                outcomes[usize::from(found.is_ok())] += 1;
                if let Ok((found, other)) = found
                    && found == pixel
                {
                    assert_eq!(other.len(), planes.len());
                }
            }
        }
    }
    assert!(outcomes[0] > 1000 && outcomes[1] > 1000, "{outcomes:?}");
}

#[test]
fn what_is_no_jpeg_is_left_out() {
    let mut decoder = Decoder::default();
    for bytes in [&[][..], &[0; 100], b"not a picture", &[0xFF, 0xD8], &[0xFF, 0xD8, 0xFF, 0xD9], &[0xFF; 64]] {
        assert!(matches!(decoder.decode(bytes, size("8x8")), Err(Damage::Broken(_))), "{bytes:?}");
    }
}

#[test]
fn sampling_factors_are_read_as_ratios() {
    for (factors, pixel) in [
        ([(1, 1), (1, 1), (1, 1)], Some(PixelFormat::I444)),
        ([(2, 2), (2, 2), (2, 2)], Some(PixelFormat::I444)),
        ([(2, 1), (1, 1), (1, 1)], Some(PixelFormat::I422)),
        ([(2, 2), (1, 2), (1, 2)], Some(PixelFormat::I422)),
        ([(2, 2), (1, 1), (1, 1)], Some(PixelFormat::I420)),
        ([(1, 2), (1, 1), (1, 1)], None),
        ([(2, 2), (1, 1), (1, 2)], None),
        ([(4, 1), (1, 1), (1, 1)], None),
    ] {
        assert_eq!(sampling(factors[0], factors[1], factors[2]).ok(), pixel, "{factors:?}");
    }
}
