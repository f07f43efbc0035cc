//! Work beside the frames: buffers, one-off submissions from many threads, edits of frames that others hold.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use streamlib_core::{Buffer, ErrorKind, GpuContext, GpuOptions, Kernel, PixelFormat, Size, VideoFormat, VideoFrame};

static GPU: LazyLock<GpuContext> = LazyLock::new(|| GpuContext::new(&GpuOptions::default()).unwrap());

const LONG: Duration = Duration::from_secs(60);

/// Adds to each number, so many times over.
const ADD: &str = "struct Add { each: u32, times: u32 }
    @group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
    @group(0) @binding(1) var<uniform> add: Add;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&numbers) {
            for (var i = 0u; i < add.times; i++) { numbers[id.x] += add.each; }
        }
    }";

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % limit
    }
}

fn add(kernel: &Kernel, encoder: &mut streamlib_core::FrameEncoder, numbers: &mut Buffer<u32>, each: u32, times: u32) {
    let call = kernel.call(encoder).unwrap().buffer_mut("numbers", numbers).unwrap();
    call.fields("add", &[("each", &each), ("times", &times)]).unwrap().dispatch().unwrap();
}

#[test]
fn ten_thousand_submissions_from_eight_threads_are_right_or_named_errors() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let kernel = gpu.kernel("add", ADD).unwrap();
    let outcomes: [AtomicU64; 3] = Default::default();
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (gpu, kernel, outcomes) = (&gpu, &kernel, &outcomes);
            scope.spawn(move || {
                let mut random = Random(thread + 1);
                for _ in 0..1250 {
                    let length = 1 + random.below(3000) as usize;
                    let numbers: Vec<u32> = (0..length).map(|_| random.below(1000) as u32).collect();
                    let (each, times) = (random.below(1000) as u32, random.below(20) as u32);
                    let mut buffer = gpu.buffer::<u32>(length, "test").unwrap();
                    let mut encoder = gpu.encoder();
                    encoder.write_buffer(&mut buffer, &numbers).unwrap();
                    add(kernel, &mut encoder, &mut buffer, each, times);
                    // Within a submission the second sees what the first has done.
                    add(kernel, &mut encoder, &mut buffer, 1, 1);
                    let result = encoder.read_buffer(&buffer).unwrap();
                    drop(buffer);
                    let outcome = match random.below(4) {
                        0 => {
                            drop(encoder);
                            result.wait()
                        }
                        // Too short for most of them: the work goes on, and is read all the same.
                        1 => match encoder.submit_and_wait(Duration::from_micros(random.below(300))) {
                            Ok(()) => result.wait(),
                            Err(error) if random.below(2) == 0 => Err(error),
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::Stalled, "{error}");
                                result.wait()
                            }
                        },
                        2 => {
                            encoder.submit().unwrap();
                            result.wait()
                        }
                        _ => encoder.submit_and_wait(LONG).and_then(|()| result.wait()),
                    };
                    let kind = match outcome {
                        Ok(found) => {
                            let expected: Vec<_> = numbers.iter().map(|number| number + each * times + 1).collect();
                            assert_eq!(found, expected);
                            0
                        }
                        Err(error) if error.kind() == ErrorKind::Cancelled => 1,
                        Err(error) if error.kind() == ErrorKind::Stalled => 2,
                        Err(error) => panic!("{error}"),
                    };
                    outcomes[kind].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let counts = outcomes.map(AtomicU64::into_inner);
    assert_eq!(counts.iter().sum::<u64>(), 10_000);
    assert!(counts[0] > 5000 && counts[1] > 1000 && counts[2] > 0, "right, cancelled, timed out: {counts:?}");
    gpu.wait_idle(LONG).unwrap();
    let statistics = gpu.statistics();
    assert_eq!((statistics.buffers.in_use, statistics.staging.in_use, gpu.leases().len()), (0, 0, 0), "{:?}", gpu.leases());
    assert!(statistics.staging.created < 300, "they are used again: {:?}", statistics.staging);
    assert!(statistics.buffers.created < 200, "they are used again: {:?}", statistics.buffers);
    assert!(statistics.kernels.bind_groups <= 1024, "{:?}", statistics.kernels);
}

#[test]
fn what_is_not_written_of_a_buffer_stays() {
    let mut encoder = GPU.encoder();
    let mut bytes = GPU.buffer::<u8>(10, "test").unwrap();
    encoder.write_buffer(&mut bytes, &[7; 10]).unwrap();
    let error = encoder.write_buffer(&mut bytes, &[1; 5]).unwrap_err();
    assert!(error.to_string().contains("write all of it, or a multiple of 4 bytes"), "{error}");
    encoder.write_buffer(&mut bytes, &[2; 4]).unwrap();
    let read = encoder.read_buffer(&bytes).unwrap();
    encoder.submit_and_wait(LONG).unwrap();
    assert_eq!(read.wait().unwrap(), [2, 2, 2, 2, 7, 7, 7, 7, 7, 7]);
}

#[test]
fn a_cancelled_read_back_is_ready_to_say_so() {
    let buffer = GPU.buffer::<u8>(4, "test").unwrap();
    let mut encoder = GPU.encoder();
    let read = encoder.read_buffer(&buffer).unwrap();
    assert!(!read.is_ready());
    drop(encoder);
    assert!(read.is_ready());
    assert_eq!(read.wait().unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn what_is_cancelled_or_never_read_is_used_again() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let kernel = gpu.kernel("add", ADD).unwrap();
    let format = VideoFormat::rgba8(Size::new(64, 64).unwrap());
    let round = |fate: u32| {
        let mut encoder = gpu.encoder();
        let mut frame = gpu.frame(format, "test").unwrap();
        let mut numbers = gpu.buffer::<u32>(100, "test").unwrap();
        encoder.upload(&mut frame, &[1; 64 * 64 * 4], 64 * 4).unwrap();
        encoder.write_buffer(&mut numbers, &[1; 100]).unwrap();
        add(&kernel, &mut encoder, &mut numbers, 1, 1);
        let read = (encoder.read_back(&frame).unwrap(), encoder.read_buffer(&numbers).unwrap());
        match fate {
            0 => drop(encoder),
            1 => drop((read, encoder.submit_and_wait(LONG).unwrap())),
            _ => {
                encoder.submit_and_wait(LONG).unwrap();
                assert_eq!(read.0.wait().unwrap().to_vec(), [1; 64 * 64 * 4]);
                assert_eq!(read.1.wait().unwrap(), [2; 100]);
            }
        }
    };
    (0..3).for_each(round);
    let created = gpu.statistics().created;
    (0..30).for_each(|index| round(index % 3));
    assert_eq!(gpu.statistics().created, created);
    let staging = gpu.statistics().staging;
    assert_eq!((staging.created, staging.in_use), (4, 0), "{staging:?}");
}

#[test]
fn too_much_under_way_says_what_is() {
    let gpu = GpuContext::new(&GpuOptions { budget_bytes: 64 << 20, ..Default::default() }).unwrap();
    let format = VideoFormat::rgba8(Size::new(2048, 2048).unwrap());
    let mut frame = gpu.frame(format, "camera").unwrap();
    let mut encoder = gpu.encoder();
    let pixels = vec![1; format.bytes()];
    let mut upload = || encoder.upload(&mut frame, &pixels, format.row_bytes());
    (0..4).for_each(|_| upload().unwrap());
    let error = upload().unwrap_err();
    let message = error.to_string();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(message.contains("the budget of staging memory of 67108864 bytes is used up: 16777216 more bytes"), "{message}");
    assert!(message.contains("upload memory (16777216 bytes) taken by 'camera'"), "{message}");
    assert!(message.contains("submit before more is uploaded"), "{message}");
    // Nothing of what was recorded is lost, and after it there is room.
    let read = encoder.read_back(&frame).map(drop).unwrap_err();
    assert_eq!(read.kind(), ErrorKind::OutOfMemory);
    encoder.submit_and_wait(LONG).unwrap();
    let read = encoder.read_back(&frame).unwrap();
    encoder.submit().unwrap();
    assert!(read.wait().unwrap().to_vec() == pixels);
}

#[test]
fn what_is_read_back_outlives_the_context() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let format = VideoFormat::rgba8(Size::new(8, 8).unwrap());
    let mut frame = gpu.frame(format, "test").unwrap();
    let mut encoder = gpu.encoder();
    encoder.upload(&mut frame, &[9; 256], 32).unwrap();
    let (read, unread) = (encoder.read_back(&frame).unwrap(), encoder.read_back(&frame).unwrap());
    encoder.submit().unwrap();
    encoder.upload(&mut frame, &[1; 256], 32).unwrap();
    drop((gpu, frame));
    std::thread::spawn(move || drop((encoder, unread))).join().unwrap();
    assert_eq!(read.wait().unwrap().to_vec(), [9; 256]);
}

#[test]
fn buffers_that_do_not_fit_say_so() {
    let kernel = GPU.kernel("add", ADD).unwrap();
    let mut encoder = GPU.encoder();
    let said = |error: streamlib_core::Error| {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        error.to_string()
    };
    let message = said(GPU.buffer::<u32>(0, "test").err().unwrap());
    assert!(message.contains("a buffer of 0 elements of 4 bytes cannot be; this adapter takes buffers of 1 to "), "{message}");
    said(GPU.buffer::<u64>(usize::MAX, "test").err().unwrap());
    let mut wide = GPU.buffer::<[u32; 2]>(4, "test").unwrap();
    let message = said(kernel.call(&mut encoder).unwrap().buffer_mut("numbers", &mut wide).err().unwrap());
    assert!(message.contains("takes elements of 4 bytes as 'numbers', but the buffer has elements of 8"), "{message}");
    let mut numbers = GPU.buffer::<u32>(4, "test").unwrap();
    let message = said(kernel.call(&mut encoder).unwrap().buffer("numbers", &numbers).err().unwrap());
    assert!(message.contains("writes 'numbers', a buffer of elements of 4 bytes") && message.contains("buffer_mut"), "{message}");
    let fixed = "@group(0) @binding(0) var<storage, read_write> table: array<u32, 256>;
        @compute @workgroup_size(1) fn main() { table[255] = 1u; }";
    let fixed = GPU.kernel("fixed", fixed).unwrap();
    let message = said(fixed.call(&mut encoder).unwrap().buffer_mut("table", &mut numbers).err().unwrap());
    assert!(message.contains("takes at least 1024 bytes as 'table', but the buffer has 16"), "{message}");
    let message = said(encoder.write_buffer(&mut numbers, &[0; 5]).unwrap_err());
    assert!(message.contains("5 elements do not fit into a buffer of 4"), "{message}");
    let frame = GPU.frame(VideoFormat::rgba8(Size::new(1, 1).unwrap()), "test").unwrap();
    let message = said(kernel.call(&mut encoder).unwrap().texture("numbers", &frame).err().unwrap());
    assert!(message.contains("was given a frame for 'numbers', which is a buffer"), "{message}");
    let mut frame = frame;
    let message = said(kernel.call(&mut encoder).unwrap().texture_mut("numbers", &mut frame).err().unwrap());
    let expected = "was given a frame for 'numbers', which is a buffer of elements of 4 bytes (var<storage, read_write>); give a `Buffer` with `buffer_mut`";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn textures_and_buffers_share_a_budget_that_lets_go_of_what_is_free_and_names_who_holds_what() {
    let gpu = GpuContext::new(&GpuOptions { budget_bytes: 64 << 10, ..Default::default() }).unwrap();
    let rgba8 = |side| VideoFormat::rgba8(Size::new(side, side).unwrap());
    let frame = gpu.frame(rgba8(64), "painter").unwrap();
    let small = [(); 2].map(|()| gpu.frame(rgba8(8), "painter").unwrap());
    let buffer = gpu.buffer::<u8>(30_000, "counter").unwrap();
    assert_eq!(gpu.statistics().memory.bytes, (16 << 10) + 2 * 256 + (32 << 10));
    let error = gpu.frame(rgba8(100), "late").unwrap_err();
    let message = error.to_string();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(message.contains("40000 more bytes are needed"), "{message}");
    assert!(message.contains("rgba8 texture of 64x64 (16384 bytes) taken by 'painter'"), "{message}");
    assert!(message.contains("held are: buffer (32768 bytes) taken by 'counter'"), "{message}");
    assert!(message.contains("; rgba8 texture of 8x8 (256 bytes) taken by 'painter'"), "{message}");
    assert!(message.contains(" ago and 1 more like it"), "{message}");
    drop((buffer, small));
    // It was kept for later; now it makes room.
    assert_eq!(gpu.statistics().buffers.allocated, 1);
    let large = gpu.frame(rgba8(100), "late").unwrap();
    assert_eq!(gpu.statistics().buffers.allocated, 0);
    drop(large);
    let waiting = std::thread::spawn({
        let gpu = gpu.clone();
        move || gpu.buffer::<u8>(50_000, "patient").map(drop)
    });
    std::thread::park_timeout(Duration::from_millis(50));
    drop(frame);
    waiting.join().unwrap().unwrap();
    // Four size classes to a doubling: 50,000 bytes are in one of 56 KiB.
    assert_eq!(gpu.statistics().memory.bytes, 56 << 10);
}

#[test]
fn no_more_buffers_of_a_class_are_kept_than_asked() {
    let gpu = GpuContext::new(&GpuOptions { buffers_kept: 2, ..Default::default() }).unwrap();
    drop((0..5).map(|_| gpu.buffer::<u8>(1000, "test").unwrap()).collect::<Vec<_>>());
    drop(gpu.buffer::<u8>(2000, "test").unwrap());
    let statistics = gpu.statistics().buffers;
    assert_eq!((statistics.allocated, statistics.bytes, statistics.created), (3, 2 * 1024 + 2048, 6));
}

/// Draws one line of a frame.
const LINE: &str = "struct Line { row: u32, level: f32 }
    @group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
    @group(0) @binding(1) var<uniform> line: Line;
    @compute @workgroup_size(16) fn main(@builtin(global_invocation_id) id: vec3u) {
        if id.x < textureDimensions(dst).x { textureStore(dst, vec2u(id.x, line.row), vec4f(line.level)); }
    }";

/// A frame, and what its pixels must be for as long as somebody holds it.
struct Held {
    frame: VideoFrame,
    pixels: Vec<u8>,
}

fn check(gpu: &GpuContext, held: &Held) {
    let mut encoder = gpu.encoder();
    let read_back = encoder.read_back(&held.frame).unwrap();
    encoder.submit().unwrap();
    assert!(read_back.wait().unwrap().to_vec() == held.pixels, "pixels changed under a holder");
}

#[test]
fn edits_never_change_a_frame_under_a_holder() {
    const SIDE: usize = 16;
    let format = VideoFormat::rgba8(Size::new(SIDE as u32, SIDE as u32).unwrap());
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let line = gpu.kernel("line", LINE).unwrap();
    let holders: Arc<Mutex<Vec<Held>>> = Arc::default();
    let (in_place, most) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (gpu, line, holders, in_place, most) = (&gpu, &line, &holders, &in_place, &most);
            scope.spawn(move || {
                let mut random = Random(thread + 77);
                for _ in 0..1000 {
                    // One of those that are held, shared with its holder or taken away from it, or a new one.
                    let chosen = {
                        let mut holders = holders.lock().unwrap();
                        let count = holders.len() as u64;
                        match random.below(3) {
                            _ if count == 0 => None,
                            0 => Some(holders.swap_remove(random.below(count) as usize)),
                            1 => {
                                let held = &holders[random.below(count) as usize];
                                Some(Held { frame: held.frame.clone(), pixels: held.pixels.clone() })
                            }
                            _ => None,
                        }
                    };
                    let mut encoder = gpu.encoder();
                    let mut held = chosen.unwrap_or_else(|| {
                        let mut frame = gpu.frame(format, "test").unwrap();
                        let pixels: Vec<u8> = (0..format.bytes()).map(|_| random.below(256) as u8).collect();
                        encoder.upload(&mut frame, &pixels, format.row_bytes()).unwrap();
                        Held { frame, pixels }
                    });
                    for _ in 0..random.below(3) {
                        let before = held.frame.texture();
                        let texture = Arc::as_ptr(&before);
                        drop(before);
                        held.frame = encoder.edit(held.frame).unwrap();
                        in_place.fetch_add(u64::from(Arc::as_ptr(&held.frame.texture()) == texture), Ordering::Relaxed);
                        let (row, level) = (random.below(SIDE as u64) as u32, random.below(256) as u8);
                        let call = line.call(&mut encoder).unwrap().texture_mut("dst", &mut held.frame).unwrap();
                        let fields =
                            [("row", &row as &dyn streamlib_core::UniformNumber), ("level", &(f32::from(level) / 255.0))];
                        call.fields("line", &fields).unwrap().dispatch_over(SIDE as u32, 1).unwrap();
                        held.pixels[row as usize * SIDE * 4..][..SIDE * 4].fill(level);
                    }
                    encoder.submit().unwrap();
                    check(gpu, &held);
                    let mut holders = holders.lock().unwrap();
                    holders.push(held);
                    most.fetch_max(holders.len() as u64, Ordering::Relaxed);
                    if holders.len() > 1200 || random.below(20) == 0 {
                        let index = random.below(holders.len() as u64) as usize;
                        let gone = holders.swap_remove(index);
                        drop(holders);
                        check(gpu, &gone);
                    }
                }
            });
        }
    });
    let holders = std::mem::take(&mut *holders.lock().unwrap());
    let most = most.into_inner();
    assert!(most >= 1000, "{most} holders at once");
    holders.iter().for_each(|held| check(&gpu, held));
    let edits = in_place.into_inner();
    assert!(edits > 100 && gpu.statistics().bytes.copied > 0, "{edits} edits in place");
    drop(holders);
    assert_eq!(gpu.statistics().textures.in_use, 0);
}

#[test]
fn a_frame_whose_texture_somebody_holds_is_not_edited_in_place() {
    let format = VideoFormat::new(PixelFormat::Rgba8, Size::new(2, 2).unwrap());
    let mut encoder = GPU.encoder();
    let mut frame = GPU.frame(format, "test").unwrap();
    encoder.upload(&mut frame, &[7; 16], 8).unwrap();
    let texture = frame.texture();
    let edited = encoder.edit(frame).unwrap();
    assert!(!Arc::ptr_eq(&texture, &edited.texture()));
    let pixels = encoder.read_back(&edited).unwrap();
    encoder.submit().unwrap();
    assert_eq!(pixels.wait().unwrap().to_vec(), [7; 16]);
}
