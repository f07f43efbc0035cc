//! What is worth keeping from run to run, in a file for each adapter: what its driver has compiled, and what shape of passes suits it.
//!
//! One call is `unsafe`: a driver may trust what is said to be its own, so wgpu asks us to vouch for it. What we give it was written
//! by this version of streamlib for this driver and has the checksum of what was written, against accidents. Against others there is
//! the file's owner: where the system tells, only this user's own files are read that nobody else can write.

#![allow(unsafe_code, reason = "wgpu takes a driver's cache on trust")]
#![allow(clippy::disallowed_methods, reason = "one is created for each device")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use etcetera::BaseStrategy;

use super::refusals::in_scopes;
use super::shape::{PassShape, Strip, Tile};

/// What a file begins with, before the checksum of the rest.
const MAGIC: &[u8] = b"streamlib GPU cache\n";

/// A file that has grown beyond this is begun anew: drivers only ever add.
const MOST_BYTES: u64 = 64 << 20;

/// What files end with that are being written.
const PARTIAL: &str = ".partial";

/// Such a file was left behind by a process that was killed if it is older than this.
const STALE: Duration = Duration::from_secs(3600);

/// Where caches lie if the program does not say: `streamlib` in the user's cache directory. None if the user has no home.
pub(super) fn default_directory() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|strategy| strategy.cache_dir().join("streamlib"))
}

/// What was found on the disk and what was put there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct DiskCacheStatistics {
    /// Bytes that an earlier run had left, or another process.
    pub loaded_bytes: u64,
    /// How often it was written since.
    pub saves: u64,
}

/// For whom the rest of a file is.
#[derive(PartialEq, serde::Serialize, serde::Deserialize)]
struct Header {
    streamlib: String,
    adapter: String,
    driver: String,
    shape: PassShape,
}

impl Header {
    fn new(info: &wgpu::AdapterInfo, shape: PassShape) -> Self {
        Self {
            streamlib: env!("CARGO_PKG_VERSION").into(),
            adapter: info.name.clone(),
            driver: format!("{} {}", info.driver, info.driver_info),
            shape,
        }
    }

    /// Whether the rest was made by the same streamlib with the same driver.
    fn is_for(&self, info: &wgpu::AdapterInfo) -> bool {
        *self == Self::new(info, self.shape) && self.shape.is_one_of_ours()
    }
}

/// A device's part of it. What cannot be read or written is done without.
pub(super) struct DiskCache {
    info: wgpu::AdapterInfo,
    path: Option<PathBuf>,
    /// Where the backend has one.
    pipelines: Option<wgpu::PipelineCache>,
    workgroup: OnceLock<Tile>,
    strip: OnceLock<Strip>,
    loaded_bytes: u64,
    saves: AtomicU64,
    /// Whether there may be something that the file has not.
    is_dirty: AtomicBool,
    /// Whether a shape is in use that was not measured: none is kept then.
    is_unmeasured: AtomicBool,
    /// The checksum of what the file has. Held while it is written.
    on_disk: Mutex<Option<u32>>,
}

impl DiskCache {
    /// What is there for this adapter.
    pub(super) fn open(device: &wgpu::Device, adapter: &wgpu::Adapter, directory: Option<&Path>) -> Self {
        let info = adapter.get_info();
        // What draws nothing is not worth remembering.
        let path = directory.filter(|_| info.backend != wgpu::Backend::Noop).map(|directory| directory.join(file_name(&info)));
        let bytes = path.as_deref().and_then(read).unwrap_or_default();
        let found = parse(&bytes).filter(|found| found.header.is_for(&info));
        let has_pipelines = path.is_some() && device.features().contains(wgpu::Features::PIPELINE_CACHE);
        let pipelines = has_pipelines.then(|| {
            let data = found.as_ref().map(|found| found.pipelines).filter(|data| !data.is_empty());
            let descriptor = wgpu::PipelineCacheDescriptor { label: Some("streamlib"), data, fallback: true };
            // SAFETY: `data` came from `PipelineCache::get_data`, of this adapter with this driver: see the top.
            let created = in_scopes(device, || unsafe { device.create_pipeline_cache(&descriptor) });
            created.inspect_err(|error| tracing::info!(%error, "compiled shaders cannot be kept")).ok()
        });
        let pipelines = pipelines.flatten();
        let shape = found.as_ref().map_or_else(PassShape::default, |found| found.header.shape);
        Self {
            path,
            pipelines,
            workgroup: shape.workgroup.map_or_else(OnceLock::new, OnceLock::from),
            strip: shape.strip.map_or_else(OnceLock::new, OnceLock::from),
            loaded_bytes: found.as_ref().map_or(0, |_| bytes.len() as u64),
            saves: AtomicU64::new(0),
            is_dirty: AtomicBool::new(false),
            is_unmeasured: AtomicBool::new(false),
            on_disk: Mutex::new(found.map(|found| found.checksum)),
            info,
        }
    }

    /// Creates a pipeline with what is kept, and keeps it.
    pub(super) fn pipeline<T>(&self, create: impl FnOnce(Option<&wgpu::PipelineCache>) -> T) -> T {
        let pipeline = create(self.pipelines.as_ref());
        self.is_dirty.store(true, Ordering::Relaxed);
        pipeline
    }

    pub(super) fn shape(&self) -> PassShape {
        PassShape { workgroup: self.workgroup.get().copied(), strip: self.strip.get().copied() }
    }

    /// Takes this workgroup from now on, unless another was taken first; returns the one that is. Only what was measured is kept on disk.
    pub(super) fn set_workgroup(&self, measured: Option<Tile>, usual: Tile) -> Tile {
        self.set(&self.workgroup, measured, usual)
    }

    /// Takes this strip, in the same way.
    pub(super) fn set_strip(&self, measured: Option<Strip>, usual: Strip) -> Strip {
        self.set(&self.strip, measured, usual)
    }

    fn set<T: Copy>(&self, cell: &OnceLock<T>, measured: Option<T>, usual: T) -> T {
        let taken = *cell.get_or_init(|| measured.unwrap_or(usual));
        match measured {
            Some(_) => self.is_dirty.store(true, Ordering::Relaxed),
            None => self.is_unmeasured.store(true, Ordering::Relaxed),
        }
        taken
    }

    pub(super) fn statistics(&self) -> DiskCacheStatistics {
        DiskCacheStatistics { loaded_bytes: self.loaded_bytes, saves: self.saves.load(Ordering::Relaxed) }
    }

    /// Writes what is new, if anything is. Other processes find the old file or the new one, never a part of either; of two
    /// that write at once, one is kept.
    pub(super) fn save(&self) {
        let Some(path) = self.path.as_deref().filter(|_| self.is_dirty.swap(false, Ordering::Relaxed)) else { return };
        let mut on_disk = self.on_disk.lock().unwrap_or_else(PoisonError::into_inner);
        let pipelines = match &self.pipelines {
            // A device that is lost has none to give; what the file has is better.
            Some(pipelines) => match pipelines.get_data() {
                Some(data) => data,
                None => return,
            },
            None => Vec::new(),
        };
        let shape = if self.is_unmeasured.load(Ordering::Relaxed) { PassShape::default() } else { self.shape() };
        let Ok(header) = serde_json::to_vec(&Header::new(&self.info, shape)) else { return };
        let rest = [&header, &b"\n"[..], &pipelines].concat();
        let checksum = crc32fast::hash(&rest);
        if *on_disk == Some(checksum) {
            return;
        }
        match write(path, &[MAGIC, &checksum.to_le_bytes(), &rest]) {
            Ok(()) => {
                *on_disk = Some(checksum);
                self.saves.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(path = %path.display(), bytes = rest.len(), "GPU cache written");
            }
            Err(error) => {
                self.is_dirty.store(true, Ordering::Relaxed);
                tracing::info!(path = %path.display(), %error, "the GPU cache cannot be written");
            }
        }
    }
}

/// What a file holds.
struct Found<'a> {
    checksum: u32,
    header: Header,
    pipelines: &'a [u8],
}

/// One card can have two drivers, and not every backend tells vendors apart.
fn file_name(info: &wgpu::AdapterInfo) -> String {
    let names = crc32fast::hash(format!("{} {}", info.name, info.driver).as_bytes());
    format!("{}-{:04x}-{:04x}-{names:08x}.cache", info.backend.to_str(), info.vendor, info.device)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let metadata = std::fs::metadata(path).ok()?;
    if !is_private(&metadata) {
        tracing::info!(path = %path.display(), "the GPU cache is not read: others can write it");
        return None;
    }
    (metadata.len() <= MOST_BYTES).then(|| std::fs::read(path).ok())?
}

/// Whether a file is this user's, and nobody else can write it.
#[cfg(unix)]
fn is_private(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// Elsewhere the user's own directories are protected by what they inherit.
#[cfg(not(unix))]
fn is_private(_: &std::fs::Metadata) -> bool {
    true
}

/// `None` for what was not written here, or not in full.
fn parse(bytes: &[u8]) -> Option<Found<'_>> {
    let (checksum, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
    let checksum = u32::from_le_bytes(*checksum);
    if checksum != crc32fast::hash(rest) {
        return None;
    }
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let header = serde_json::from_slice(&rest[..end]).ok()?;
    Some(Found { checksum, header, pipelines: &rest[end + 1..] })
}

/// Under another name first: what bears the name is whole.
fn write(path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    sweep(directory);
    let mut file = tempfile::Builder::new().suffix(PARTIAL).tempfile_in(directory)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Removes what killed processes have left.
fn sweep(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_stale = || Some(entry.metadata().ok()?.modified().ok()?.elapsed().ok()? > STALE);
        if entry.file_name().to_string_lossy().ends_with(PARTIAL) && is_stale() == Some(true) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
