//! What is kept from run to run: found again, shared by processes, and never believed when it is damaged.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use streamlib_core::*;
use support::{Collect, Number, Numbers, eventually};

/// Set for the processes that share a directory.
const DIRECTORY: &str = "STREAMLIB_TEST_CACHE";

fn open(directory: &Path) -> GpuContext {
    GpuContext::new(&GpuOptions { cache_directory: Some(directory.into()), ..Default::default() }).unwrap()
}

/// Compiles and measures something, and draws with it.
fn work(gpu: &GpuContext, level: u32) {
    let format = VideoFormat::rgba8(Size::new(4, 4).unwrap());
    let kernel = format!(
        "@group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
        @compute @workgroup_size(4, 4) fn main(@builtin(global_invocation_id) id: vec3u) {{
            textureStore(dst, id.xy, vec4f({level}.0 / 255.0));
        }}"
    );
    let kernel = gpu.kernel("level", &kernel).unwrap();
    let mut frame = gpu.frame(format, "test").unwrap();
    let mut encoder = gpu.encoder();
    kernel.call(&mut encoder).unwrap().texture_mut("dst", &mut frame).unwrap().dispatch().unwrap();
    let planes = gpu.convert(&mut encoder, &frame, PixelFormat::I420).unwrap();
    let (level, pixels, planes) = (level as u8, encoder.read_back(&frame).unwrap(), encoder.read_back(&planes).unwrap());
    encoder.submit().unwrap();
    assert_eq!(pixels.wait().unwrap().to_vec(), [level; 4 * 4 * 4]);
    assert_eq!(planes.wait().unwrap().to_vec().len(), 24);
}

fn kept(gpu: &GpuContext) -> DiskCacheStatistics {
    gpu.statistics().disk_cache
}

/// The one file in a directory.
fn only_file(directory: &Path) -> PathBuf {
    let files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn what_a_run_leaves_the_next_one_finds() {
    let directory = tempfile::tempdir().unwrap();
    // On a machine that is too busy to measure, the usual shapes are taken, and none is kept.
    let mut rounds = 0..20;
    let (shape, inner, second) = loop {
        let round = rounds.next().expect("shapes are measured and kept");
        let inner = directory.path().join(format!("not/there/yet/{round}"));
        let first = open(&inner);
        assert_eq!(kept(&first), DiskCacheStatistics::default());
        work(&first, 1);
        let shape = first.statistics().shape;
        assert!(shape.workgroup.is_some() && shape.strip.is_some());
        drop(first);
        let second = open(&inner);
        if second.statistics().shape != PassShape::default() {
            break (shape, inner, second);
        }
    };
    let file = only_file(&inner);
    let written = std::fs::read(&file).unwrap();
    // Before anything was measured or compiled.
    assert_eq!(second.statistics().shape, shape);
    assert_eq!(kept(&second), DiskCacheStatistics { loaded_bytes: written.len() as u64, saves: 0 });
    work(&second, 1);
    drop(second);
    assert!(only_file(&inner) == file);
}

/// Compiles a kernel when it is set up.
struct Compiling;

impl Filter<Number, Number> for Compiling {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        work(cx.gpu()?, 4);
        Ok(())
    }
    fn process(&mut self, number: Number, _: &mut Context<'_>) -> Result<Number> {
        Ok(number)
    }
}

#[test]
fn what_was_compiled_is_kept_as_soon_as_the_graph_runs() {
    let directory = tempfile::tempdir().unwrap();
    let gpu = GpuOptions { cache_directory: Some(directory.path().into()), ..Default::default() };
    let mut graph = Graph::new();
    graph.chain((Numbers::at(100), Compiling, Collect::default())).unwrap();
    let running = Runtime::new(RuntimeOptions { gpu, ..Default::default() }).start(graph).unwrap();
    let saves = || running.statistics().gpu.map_or(0, |gpu| gpu.disk_cache.saves);
    eventually("the cache was written while the graph runs", || saves() > 0);
    assert!(!running.is_over() && kept(&open(directory.path())).loaded_bytes > 0);
    running.stop(Stop::Discard);
    running.wait().1.unwrap();
}

/// The names of this process's threads.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // One that ends meanwhile has no name any more.
    tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn who_writes_it_is_waited_for_at_the_end_of_a_run() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        // A process of its own has no threads of other tests.
        let directory = tempfile::tempdir().unwrap();
        let test = ["--exact", "who_writes_it_is_waited_for_at_the_end_of_a_run"];
        let alone = Command::new(std::env::current_exe().unwrap()).args(test).env(DIRECTORY, directory.path()).status();
        assert!(alone.unwrap().success());
        return;
    };
    for round in 0..10 {
        let cache_directory = Some(Path::new(&directory).join(round.to_string()));
        let gpu = GpuOptions { cache_directory, ..Default::default() };
        let mut graph = Graph::new();
        graph.chain((Numbers::up_to(1), Compiling, Collect::default())).unwrap();
        Runtime::new(RuntimeOptions { gpu, ..Default::default() }).run(graph).unwrap();
        let left: Vec<_> = threads().into_iter().filter(|name| name.starts_with("streamlib")).collect();
        assert!(left.is_empty(), "round {round}: {left:?}");
    }
}

#[test]
fn what_is_damaged_or_not_ours_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let gpu = open(directory.path());
    work(&gpu, 1);
    drop(gpu);
    let file = only_file(directory.path());
    let good = std::fs::read(&file).unwrap();
    let damaged = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let mut cases: Vec<_> = [0, 19, 20, 23, 24, 40, good.len() / 2, good.len() - 1].map(damaged).into();
    cases.extend([0, 10, 22, 24, 100, good.len() - 1].map(|length| good[..length].to_vec()));
    cases.push([&good[..], b"more"].concat());
    cases.push(b"something else altogether".to_vec());
    for (index, case) in cases.iter().enumerate() {
        std::fs::write(&file, case).unwrap();
        let gpu = open(directory.path());
        assert_eq!((kept(&gpu).loaded_bytes, gpu.statistics().shape), (0, PassShape::default()), "case {index}");
        work(&gpu, 2);
        drop(gpu);
        // And it is mended.
        assert!(kept(&open(directory.path())).loaded_bytes > 0, "case {index}");
    }
    // Of another streamlib or another driver: whole, but not for us.
    for (theirs, ours) in [("\"streamlib\":\"", "\"streamlib\":\"9"), ("\"driver\":\"", "\"driver\":\"9")] {
        let header = good[24..].iter().position(|byte| *byte == b'\n').unwrap() + 24;
        let text = String::from_utf8(good[24..header].to_vec()).unwrap().replace(theirs, ours);
        let rest = [text.as_bytes(), &good[header..]].concat();
        std::fs::write(&file, [&good[..20], &crc32fast::hash(&rest).to_le_bytes(), &rest].concat()).unwrap();
        assert_eq!(kept(&open(directory.path())).loaded_bytes, 0, "{ours}");
    }
}

#[cfg(unix)]
#[test]
fn what_others_can_write_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    work(&open(directory.path()), 1);
    let file = only_file(directory.path());
    let permit = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    for (mode, is_read) in [(0o600, true), (0o644, true), (0o664, false), (0o602, false)] {
        permit(mode);
        assert_eq!(kept(&open(directory.path())).loaded_bytes > 0, is_read, "{mode:o}");
    }
}

#[test]
fn what_a_killed_process_has_left_is_removed_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old.partial"), directory.path().join("new.partial"));
    let two_hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    std::fs::File::create(&old).unwrap().set_modified(two_hours_ago).unwrap();
    std::fs::write(&new, "another process is at it").unwrap();
    work(&open(directory.path()), 1);
    assert!(!old.exists() && new.exists());
}

#[test]
fn who_cannot_write_does_without() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a file, not a directory");
    std::fs::write(&file, "").unwrap();
    let gpu = open(&file);
    work(&gpu, 3);
    drop(gpu);
    let gpu = GpuContext::new(&GpuOptions { cache_directory: None, ..Default::default() }).unwrap();
    work(&gpu, 3);
    assert_eq!(kept(&gpu), DiskCacheStatistics::default());
}

#[test]
fn processes_that_share_a_directory_find_whole_files() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        // One of the processes, which all write.
        (0..5).for_each(|round| work(&open(directory.as_ref()), round));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    work(&open(directory.path()), 1);
    let file = only_file(directory.path());
    let test = ["--exact", "processes_that_share_a_directory_find_whole_files"];
    let start = || Command::new(std::env::current_exe().unwrap()).args(test).env(DIRECTORY, directory.path()).spawn().unwrap();
    let mut processes: Vec<_> = (0..4).map(|_| start()).collect();
    // What is there is whole at any moment; taken away, it is written again.
    let mut seen = 0;
    while processes.iter_mut().any(|process| process.try_wait().unwrap().is_none()) {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        let (checksum, rest) = bytes.get(20..).and_then(<[u8]>::split_first_chunk).expect("a beginning");
        assert_eq!(u32::from_le_bytes(*checksum), crc32fast::hash(rest), "of {} bytes", bytes.len());
        let _ = std::fs::remove_file(&file);
        seen += 1;
    }
    assert!(seen > 5, "{seen} files were seen");
    assert!(processes.iter_mut().all(|process| process.wait().unwrap().success()));
    work(&open(directory.path()), 1);
    // No half-written file is left.
    assert_eq!(only_file(directory.path()), file);
}
