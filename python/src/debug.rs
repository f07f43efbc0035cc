//! What is alive on both sides of the border, and which Python objects hold which textures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::Outcome;
use crate::frame::loads;
use crate::run::forget_the_ended;
use crate::{gpu, scope};

macro_rules! kinds {
    ($($kind:ident)+) => {
        /// What there is one object of for each object of Python's.
        #[derive(Clone, Copy)]
        pub(crate) enum Kind {
            $($kind,)+
        }

        impl Kind {
            const ALL: &[(Self, &str)] = &[$((Self::$kind, stringify!($kind)),)+];
        }
    };
}

kinds! {
    Adapter BindGroup BindGroupLayout Buffer CommandBuffer CommandEncoder ComputePass ComputePipeline Declaration Device GpuContext Graph
    Kernel PipelineLayout Pixels QuerySet Queue ReadBack Sampler ShaderModule Texture TextureView VideoFrame
}

static ALIVE: [AtomicI64; Kind::ALL.len()] = [const { AtomicI64::new(0) }; Kind::ALL.len()];

/// Counts one object for as long as it lives.
pub(crate) struct Alive(Kind);

impl Alive {
    pub(crate) fn new(kind: Kind) -> Self {
        ALIVE[kind as usize].fetch_add(1, Ordering::Relaxed);
        Self(kind)
    }
}

/// How many there are.
pub(crate) fn alive(kind: Kind) -> i64 {
    ALIVE[kind as usize].load(Ordering::Relaxed)
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE[self.0 as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who got a texture, and where.
pub(crate) struct Holder {
    pub(crate) lease: u64,
    pub(crate) node: Option<Arc<str>>,
    /// The file and the line, if they were asked for.
    pub(crate) place: Option<(String, u32)>,
}

static TRACES: AtomicBool = AtomicBool::new(false);
static LAST: AtomicU64 = AtomicU64::new(0);
/// By their numbers.
static HOLDERS: Mutex<BTreeMap<u64, Holder>> = Mutex::new(BTreeMap::new());

fn holders() -> MutexGuard<'static, BTreeMap<u64, Holder>> {
    HOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An object of Python's that holds a texture: listed for as long as it lives.
pub(crate) struct Holding {
    number: u64,
}

impl Holding {
    pub(crate) fn new(py: Python<'_>, lease: u64) -> Self {
        let place = TRACES.load(Ordering::Relaxed).then(|| caller(py)).flatten();
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let holder = Holder { lease, node: scope::node(), place };
        holders().insert(number, holder);
        Self { number }
    }

    /// Adds the place that is known better than by the caller: that of the function that is about to be called.
    pub(crate) fn at(self, place: Option<&(String, u32)>) -> Self {
        if let Some(place) = place.filter(|_| TRACES.load(Ordering::Relaxed))
            && let Some(holder) = holders().get_mut(&self.number)
        {
            holder.place = Some(place.clone());
        }
        self
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        holders().remove(&self.number);
    }
}

/// The line of Python that is running.
fn caller(py: Python<'_>) -> Option<(String, u32)> {
    let frame = PyModule::import(py, "sys").ok()?.call_method0("_getframe").ok()?;
    let file = frame.getattr("f_code").ok()?.getattr("co_filename").ok()?.extract().ok()?;
    Some((file, frame.getattr("f_lineno").ok()?.extract().ok()?))
}

/// The holders of each lease: `(node, file, line)`.
pub(crate) fn holders_of(lease: u64) -> Vec<(Option<String>, Option<String>, Option<u32>)> {
    let holders = holders();
    let of_lease = holders.values().filter(|holder| holder.lease == lease);
    let row = |holder: &Holder| {
        let (file, line) = holder.place.clone().unzip();
        (holder.node.as_deref().map(String::from), file, line)
    };
    of_lease.map(row).collect()
}

/// From now on `leases()` says where Python got each frame. Costs a microsecond a frame.
#[pyfunction]
#[pyo3(signature = (on=true))]
pub(crate) fn trace_frames(on: bool) {
    TRACES.store(on, Ordering::Relaxed);
}

/// How many objects of wgpu's somebody holds, on the GPU that is open: streamlib's own and the program's.
#[pyfunction]
#[pyo3(signature = () -> "dict[str, int]")]
pub(crate) fn gpu_objects(py: Python<'_>) -> Outcome<Bound<'_, PyAny>> {
    let alive = py.detach(|| {
        forget_the_ended();
        gpu::opened().map(|gpu| gpu.statistics().alive).unwrap_or_default()
    });
    let text = serde_json::to_string(&alive).unwrap_or_default();
    Ok(loads(py, &text)?)
}

/// How many objects there are of each class, and of what is behind them on the GPU.
#[pyfunction]
#[pyo3(signature = () -> "dict[str, int]")]
pub(crate) fn live_objects(py: Python<'_>) -> Outcome<Bound<'_, PyDict>> {
    let counts = PyDict::new(py);
    for (kind, name) in Kind::ALL {
        counts.set_item(name, alive(*kind))?;
    }
    let gpu = py.detach(|| {
        forget_the_ended();
        gpu::opened().map(|gpu| gpu.statistics())
    });
    let gpu = gpu.map(|gpu| (gpu.textures.in_use, gpu.buffers.in_use, gpu.staging.in_use)).unwrap_or_default();
    counts.set_item("textures_in_use", gpu.0)?;
    counts.set_item("buffers_in_use", gpu.1)?;
    counts.set_item("staging_in_use", gpu.2)?;
    Ok(counts)
}
