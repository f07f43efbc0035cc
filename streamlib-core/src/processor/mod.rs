//! What people implement: the general `Processor`, and three small traits that cover most of them.

mod adapt;
mod cadence;
mod context;
mod failure;
mod pixel;

use std::sync::Arc;
use std::time::Duration;

pub use adapt::IntoProcessor;
pub use cadence::Cadence;
pub use context::{Context, Counter, StopHandle};
pub(crate) use context::{Environment, NodePorts};
pub use failure::{FailurePolicy, Restart};
pub use pixel::{PixelShader, PixelStage};

use crate::port::{InputOptions, Message, OutputOptions, Ports};
use crate::{Result, Tunable, VideoFrame};

/// Whether the runtime should go on calling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Yes.
    Continue,
    /// Yes, but nothing was done this time: the call is not counted.
    Skip,
    /// No: it has nothing more to give and wants nothing more.
    End,
}

/// What processors have in common that are best called from one thread: an interpreter with a lock. Neighbours of one domain share a
/// segment.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    /// What it is called in plans; two of one name are the same.
    pub name: &'static str,
    /// Runs the life of each of its segments' threads: gets the thread ready, calls what it is given once, puts things back. What
    /// must not be held while the segment waits is not held during that call.
    pub around: fn(life: &mut (dyn FnMut() + Send)),
}

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Domain {}

/// On which thread a processor runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threading {
    /// On its producer's, by direct call. Sources and processors with several inputs get one of their own all the same.
    #[default]
    Shared,
    /// On one of its own: it blocks, or it computes for long.
    Own,
    /// On its producer's if that is a segment of this domain, else on one of its own.
    Within(Domain),
}

impl Threading {
    /// The domain it asks for.
    pub(crate) fn domain(self) -> Option<Domain> {
        match self {
            Self::Within(domain) => Some(domain),
            Self::Shared | Self::Own => None,
        }
    }
}

/// The general processor: any number of ports of any types.
///
/// All calls come from one thread, that of its segment, and in this order: [`setup`](Self::setup), then
/// [`process`](Self::process) and [`submitted`](Self::submitted) in turn, then [`finish`](Self::finish); after that it is dropped
/// there too. A panic is caught and treated as an error. Most authors want [`Source`], [`Filter`] or [`Sink`].
pub trait Processor: Send + 'static {
    /// Declares the ports. Called once, when it is added to a graph.
    fn ports(&mut self, ports: &mut Ports);

    /// On which thread it runs. Default: its producer's.
    fn threading(&self) -> Threading {
        Threading::Shared
    }

    /// What happens when it fails, unless the graph says otherwise. Default: the run stops.
    fn failure_policy(&self) -> FailurePolicy {
        FailurePolicy::Stop
    }

    /// GPU features that it needs, beyond what every adapter has. A graph with an adapter that lacks one fails as it is set up, saying who
    /// needs what. Default: none.
    fn required_features(&self) -> wgpu::Features {
        wgpu::Features::empty()
    }

    /// What it does to a pixel, if that is all it does: then it only says its parameters with [`Context::shade`], and a pass that the plan
    /// inserts draws. In Rust, [`PixelShader`] is the way to write one. Default: it does something else.
    fn pixel_function(&self) -> Result<Option<PixelStage>> {
        Ok(None)
    }

    /// How long one call may take before the runtime gives it up as stuck: its thread is left behind, the run ends with
    /// [`ErrorKind::Stalled`](crate::ErrorKind::Stalled). Default: for ever.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// After how long without a message [`tick`](Self::tick) is called, again and again. Default: never.
    fn tick_interval(&self) -> Option<Duration> {
        None
    }

    /// No message came for [`tick_interval`](Self::tick_interval): time to put aside what should not wait for the next.
    fn tick(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Its parameters, where they can be set while it runs: `Some(self)` for a [`Described`](crate::Described) processor. Default:
    /// they cannot.
    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        None
    }

    /// What must run on the main thread while the graph runs. Default: nothing.
    fn main_loop(&self) -> Option<Arc<dyn MainLoop>> {
        None
    }

    /// Gets ready: opens devices, compiles shaders. No frame flows before every processor of the graph is ready.
    ///
    /// Called again after a failure where the policy is to restart: it begins afresh, whatever an earlier attempt left.
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Takes what it wants from its inputs, records GPU work, sends. Called when an input has something; without inputs, again and
    /// again. Neither submits nor waits for the GPU.
    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow>;

    /// Called after the work that `process` recorded was submitted. Sinks on their own thread may wait here.
    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// The inputs have ended: sends what is held back, closes files. Called once, also when the run ends early.
    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }
}

/// What a source has to give.
#[derive(Debug)]
pub enum Next<T> {
    /// A message.
    Item(T),
    /// Nothing this time: it was interrupted, or dropped a picture because the GPU is behind.
    Skip,
    /// Nothing ever again.
    End,
}

/// A processor with one output and no input. It has a thread of its own.
pub trait Source<T: Message = VideoFrame>: Send + 'static {
    /// The output. Default: `out`, in the type's default formats.
    fn output(&self) -> OutputOptions {
        OutputOptions::default()
    }

    /// See [`Processor::patience`].
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// See [`Processor::tunable`].
    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        None
    }

    /// See [`Processor::required_features`].
    fn required_features(&self) -> wgpu::Features {
        wgpu::Features::empty()
    }

    /// See [`Processor::setup`].
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Makes the next message. May block, in steps: return [`Next::Skip`] at least every 100 ms so that the run can end. A live
    /// source asks [`Context::admit`] before it uploads or draws; one that does not waits for the GPU instead of dropping.
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<T>>;

    /// See [`Processor::finish`].
    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }
}

/// A processor with one input and one output: one message out for each message in. A closure can be one:
/// `|frame: VideoFrame, cx: &mut Context| -> Result<VideoFrame>`.
pub trait Filter<I: Message = VideoFrame, O: Message = VideoFrame>: Send + 'static {
    /// The input. Default: `in`, in the type's default formats.
    fn input(&self) -> InputOptions {
        InputOptions::default()
    }

    /// The output. Default: `out`, in the type's default formats.
    fn output(&self) -> OutputOptions {
        OutputOptions::default()
    }

    /// See [`Processor::threading`].
    fn threading(&self) -> Threading {
        Threading::Shared
    }

    /// See [`Processor::tunable`].
    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        None
    }

    /// See [`Processor::required_features`].
    fn required_features(&self) -> wgpu::Features {
        wgpu::Features::empty()
    }

    /// See [`Processor::setup`].
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Makes one message of another. Records GPU work; neither submits nor waits.
    fn process(&mut self, message: I, cx: &mut Context<'_>) -> Result<O>;
}

/// A processor with one input and no output.
pub trait Sink<T: Message = VideoFrame>: Send + 'static {
    /// The input. Default: `in`, in the type's default formats.
    fn input(&self) -> InputOptions {
        InputOptions::default()
    }

    /// See [`Processor::threading`].
    fn threading(&self) -> Threading {
        Threading::Shared
    }

    /// See [`Processor::failure_policy`].
    fn failure_policy(&self) -> FailurePolicy {
        FailurePolicy::Stop
    }

    /// See [`Processor::tick_interval`].
    fn tick_interval(&self) -> Option<Duration> {
        None
    }

    /// See [`Processor::tick`].
    fn tick(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// See [`Processor::main_loop`].
    fn main_loop(&self) -> Option<Arc<dyn MainLoop>> {
        None
    }

    /// See [`Processor::tunable`].
    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        None
    }

    /// See [`Processor::required_features`].
    fn required_features(&self) -> wgpu::Features {
        wgpu::Features::empty()
    }

    /// See [`Processor::setup`].
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Takes one message. GPU work that it records is submitted right afterwards.
    fn consume(&mut self, message: T, cx: &mut Context<'_>) -> Result<()>;

    /// See [`Processor::submitted`].
    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// See [`Processor::finish`].
    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }
}

/// Something that must own the main thread while a graph runs: on macOS, the window system.
pub trait MainLoop: Send + Sync {
    /// Runs on the thread that called [`Runtime::run`](crate::Runtime::run) until `is_over` says so. `wake` interrupts it.
    fn run(&self, is_over: &dyn Fn() -> bool);

    /// Makes `run` look at `is_over` soon. Called from other threads.
    fn wake(&self);
}
