//! What a processor can do while it is called.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use smallvec::SmallVec;

use crate::gpu::PixelGroup;
use crate::port::link::{AnyLink, Link};
use crate::port::{In, Message, Out};
use crate::{Error, ErrorKind, FrameEncoder, GpuContext, ReadBack, Result, Timestamp, VideoFormat, VideoFrame};

/// A number that a node counts itself; it appears among its statistics.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds to it.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// What it has come to.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends a run as [`Running::stop`](crate::Running::stop) does: everything drains. Can be kept and sent to other threads.
#[derive(Clone)]
pub struct StopHandle(pub(crate) Arc<dyn Fn() + Send + Sync>);

impl StopHandle {
    /// Asks the run to end. Returns at once; does nothing when it has ended.
    pub fn stop(&self) {
        (self.0)();
    }
}

/// What the thread that runs a processor provides.
pub(crate) trait Environment {
    fn gpu(&self) -> Result<&GpuContext>;
    fn now(&self) -> Timestamp;
    fn timestamp_of(&self, instant: Instant) -> Timestamp;
    fn wait_until(&self, time: Timestamp) -> bool;
    fn is_stopping(&self) -> bool;
    fn is_offline(&self) -> bool;
    fn admit(&self, until: Timestamp) -> bool;
    fn counter(&self, node: usize, name: &'static str) -> Counter;
    fn record_latency(&self, node: usize, latency: std::time::Duration);
    fn record_gpu_time(&self, node: usize, time: std::time::Duration);
    fn announce(&self, node: usize, format: VideoFormat);
    fn announced(&self, node: usize) -> Option<VideoFormat>;
    fn stop_handle(&self) -> StopHandle;
}

/// The links that leave an output.
pub(crate) type Links = SmallVec<[Arc<dyn AnyLink>; 1]>;

/// A node's ends of its links. Most nodes have one of each, which then lie beside each other in memory: a chain of thousands
/// is as fast as its reads from memory are few.
pub(crate) struct NodePorts {
    pub(crate) node: usize,
    pub(crate) name: Arc<str>,
    pub(crate) inputs: SmallVec<[Option<Arc<dyn AnyLink>>; 1]>,
    /// For each output, every link that leaves it.
    pub(crate) outputs: SmallVec<[Links; 1]>,
    /// Messages that were taken from the inputs.
    pub(crate) taken: u64,
    /// Messages that were sent to the outputs.
    pub(crate) sent: u64,
    /// Frames that will be delivered by work which is still to be submitted.
    pub(crate) delivering: Vec<VideoFrame>,
    /// For a pixel shader: the group that it is drawn with, and its place there.
    pub(crate) stage: Option<(Arc<PixelGroup>, usize)>,
    /// Submissions whose completion delivers a frame, and when it was captured.
    pub(crate) undelivered: VecDeque<(u64, Instant)>,
}

/// What a processor can do while it is called. It borrows from the segment's thread and cannot be kept.
pub struct Context<'a> {
    pub(crate) ports: &'a mut NodePorts,
    pub(crate) encoder: &'a mut Option<FrameEncoder>,
    pub(crate) environment: &'a dyn Environment,
}

impl Context<'_> {
    /// The node's name in the graph.
    pub fn node(&self) -> &Arc<str> {
        &self.ports.name
    }

    /// Takes the next message of an input; `None` when there is none now, or the input is not connected.
    pub fn take<T: Message>(&mut self, input: In<T>) -> Option<T> {
        let message = self.input(input)?.take()?;
        self.ports.taken += 1;
        Some(message)
    }

    /// The newest message that ever came to an input, the same again if none came since; `None` before the first. This is how
    /// a join takes the latest of each input.
    pub fn latest<T: Message>(&mut self, input: In<T>) -> Option<T> {
        let (message, taken) = self.input(input)?.latest();
        self.ports.taken += taken;
        message
    }

    /// Whether an input will never have another message: its producer has ended and all was taken. A join that cannot go on
    /// without it returns [`Flow::End`](crate::Flow::End), or its other producers may wait for ever.
    pub fn is_exhausted<T: Message>(&self, input: In<T>) -> bool {
        self.input(input).is_none_or(AnyLink::is_exhausted)
    }

    fn input<T: Message>(&self, input: In<T>) -> Option<&Link<T>> {
        let link = self.ports.inputs.get(input.index)?.as_ref()?;
        link.as_any().downcast_ref()
    }

    /// Writes a message to an output. Its frames are immutable from now on. A consumer on another thread sees it after the GPU
    /// work recorded so far was submitted.
    pub fn send<T: Message>(&mut self, output: Out<T>, message: T) {
        message.visit_frames(&mut |frame| frame.lease().publish());
        self.ports.sent += 1;
        let Some(links) = self.ports.outputs.get(output.index) else { return };
        let links = links.iter().filter_map(|link| link.as_any().downcast_ref::<Link<T>>());
        let mut previous: Option<&Link<T>> = None;
        for link in links {
            if let Some(previous) = previous.replace(link) {
                previous.send(message.clone());
            }
        }
        if let Some(last) = previous {
            last.send(message);
        }
    }

    /// For processors with a [`pixel_function`](crate::Processor::pixel_function): the parameters of this frame, in the layout that the WGSL
    /// declares. The pass that the plan has inserted behind the node draws that; nothing is drawn now.
    pub fn shade(&mut self, frame: &mut VideoFrame, parameters: &[u8]) -> Result<()> {
        match &self.ports.stage {
            Some((group, stage)) => group.note(frame.draft_for(group), *stage, parameters),
            None => Err(Error::new(ErrorKind::InvalidArgument, "a processor without a pixel function cannot shade")
                .hint("return one from `pixel_function`")),
        }
    }

    /// For sources, in `setup`: the format of the frames to come, as far as it is known. What draws or converts them is compiled before the
    /// first comes, which then waits for nothing. Pictures that are too large for the GPU are [`ErrorKind::Unsupported`].
    pub fn announce(&self, format: VideoFormat) -> Result<()> {
        self.gpu()?.check_size(format)?;
        self.environment.announce(self.ports.node, format);
        Ok(())
    }

    /// What the node of that number has announced.
    pub(crate) fn announced(&self, node: usize) -> Option<VideoFormat> {
        self.environment.announced(node)
    }

    /// The GPU took so long for the node's pass.
    pub(crate) fn gpu_took(&self, time: std::time::Duration) {
        self.environment.record_gpu_time(self.ports.node, time);
    }

    /// The GPU. Opened when first asked for, so that graphs without pictures need none.
    pub fn gpu(&self) -> Result<&GpuContext> {
        self.environment.gpu()
    }

    /// The segment's encoder: what is recorded here is submitted once, after the last processor of the segment.
    pub fn encoder(&mut self) -> Result<&mut FrameEncoder> {
        if self.encoder.is_none() {
            *self.encoder = Some(self.environment.gpu()?.encoder());
        }
        self.encoder.as_mut().ok_or_else(|| Error::new(ErrorKind::Gpu, "there is no encoder"))
    }

    /// A pooled frame with undefined pixels; see [`GpuContext::frame`].
    pub fn frame(&mut self, format: VideoFormat) -> Result<VideoFrame> {
        self.environment.gpu()?.frame(format, self.ports.name.clone())
    }

    /// Starts bringing a frame to the CPU; wait for it in `submitted` or later.
    pub fn read_back(&mut self, frame: &VideoFrame) -> Result<ReadBack> {
        self.encoder()?.read_back(frame)
    }

    /// The time on the run's clock.
    pub fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// A moment on the run's clock. A manual clock knows no other moment than its present.
    pub fn timestamp_of(&self, instant: Instant) -> Timestamp {
        self.environment.timestamp_of(instant)
    }

    /// Blocks until the run's clock shows `time`; `false` if the run is ending. Offline, time does not pass: returns at once.
    pub fn wait_until(&self, time: Timestamp) -> bool {
        self.environment.wait_until(time)
    }

    /// Whether the run is ending: sources should return.
    pub fn is_stopping(&self) -> bool {
        self.environment.is_stopping()
    }

    /// A way to end the run from anywhere, also after this call: for a window's close button.
    pub fn stop_handle(&self) -> StopHandle {
        self.environment.stop_handle()
    }

    /// Whether the run is offline: as fast as possible, losing nothing.
    pub fn is_offline(&self) -> bool {
        self.environment.is_offline()
    }

    /// For sources, before they upload or draw: waits until the GPU can take another frame, but live no longer than `until`,
    /// when the next picture is due. `false` means that the GPU is behind, and this picture is to be dropped (and counted) now,
    /// when that costs nothing: the next one is fresher.
    pub fn admit(&self, until: Timestamp) -> bool {
        self.environment.admit(until)
    }

    /// A number that appears as `name` among the node's counters. Ask in `setup` and keep it.
    pub fn counter(&self, name: &'static str) -> Counter {
        self.environment.counter(self.ports.node, name)
    }

    /// For sinks: a frame that was captured at that moment is delivered now; its latency is the time between.
    pub fn delivered(&mut self, captured_at: Instant) {
        self.environment.record_latency(self.ports.node, captured_at.elapsed());
    }

    /// Whether another message waits at one of the inputs already. Who has time can wait for the GPU rather than leave a frame
    /// half done.
    pub fn has_backlog(&self) -> bool {
        self.ports.inputs.iter().flatten().any(|link| link.has_message())
    }

    /// For sinks: this frame will be delivered when the GPU has finished it. Does not block.
    pub fn delivered_when_ready(&mut self, frame: &VideoFrame) {
        self.ports.delivering.push(frame.clone());
    }
}
