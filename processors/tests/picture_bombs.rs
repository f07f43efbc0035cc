//! Small files that claim to be huge pictures are refused before memory is taken for them.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]
#![allow(unsafe_code, reason = "a counting global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use streamlib_core::ErrorKind;
use streamlib_processors::images::decode;

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A PNG with valid checksums that claims a size and has a few bytes of pixels.
fn png(width: u32, height: u32, bits: u8, color: u8) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([bits, color, 0, 0, 0]);
    // An empty stream of zlib.
    for (kind, data) in [(b"IHDR", &header[..]), (b"IDAT", &[0x78, 0x9c, 3, 0, 0, 0, 0, 1]), (b"IEND", &[])] {
        let chunk = [&kind[..], data].concat();
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(&chunk);
        file.extend(crc32fast::hash(&chunk).to_be_bytes());
    }
    file
}

/// The beginning of a JPEG that claims a size.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8, 0xff, 0xc0, 0, 17, 8];
    file.extend(height.to_be_bytes());
    file.extend(width.to_be_bytes());
    file.extend([3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]);
    file.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0, 0, 0, 0xff, 0xd9]);
    file
}

#[test]
fn a_claim_costs_no_memory() {
    for (file, said) in [
        (png(65_535, 65_535, 8, 6), "up to 16384"),
        (png(u32::MAX >> 1, u32::MAX >> 1, 16, 6), "up to 16384"),
        (png(16_385, 1, 8, 0), "up to 16384"),
        (png(16_384, 16_384, 8, 6), "512 MiB"),
        (png(11_000, 11_000, 16, 6), "512 MiB"),
        (jpeg(65_535, 65_535), "up to 16384"),
        (jpeg(16_384, 16_384), "512 MiB"),
    ] {
        let before = HELD.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        let error = decode(&file).unwrap_err();
        let taken = MOST.load(Ordering::Relaxed) - before;
        assert!(taken < 1 << 20, "{taken} bytes were taken: {error}");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn sizes_of_zero_are_broken_files() {
    for (width, height) in [(0, 0), (0, 5), (5, 0)] {
        let error = decode(&png(width, height, 8, 6)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    }
}
