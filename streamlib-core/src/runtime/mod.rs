//! Carries out plans: starts, pauses, drains, stops, supervises and counts.

mod assemble;
mod clock;
mod convert;
mod draw;
mod environment;
mod events;
mod incoming;
mod running;
mod segment;
mod shared;
mod signals;
mod statistics;
mod supervisor;
mod tuner;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::channel::bounded;

pub use clock::ManualClock;
pub use events::{Events, Reaction, RunEvent, RunEventKind};
pub use running::Running;
pub use statistics::{Latency, LinkStatistics, NodeStatistics, Percentiles, Statistics};

use crate::graph::Graph;
use crate::plan::{Mode, Plan, PlanOptions, Role};
use crate::processor::MainLoop;
use crate::{Error, ErrorKind, GpuContext, GpuOptions, Result};
use assemble::assemble;
use running::Outcome;
use segment::{Node, Segment};
use shared::{Phase, Shared};
use supervisor::{Supervisor, Watched};
use tuner::Tuner;

/// How to run graphs.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// Whether time passes. Default: live.
    pub mode: Mode,
    /// The run ends when every sink has had so many messages. Default: none, it goes on.
    pub frames: Option<u64>,
    /// The run ends after this time. Default: none, it goes on.
    pub duration: Option<Duration>,
    /// How long what is under way may take to reach the sinks when the run ends. Default: 5 s; then it is discarded.
    pub drain_deadline: Duration,
    /// The most submissions that a segment may have outstanding at the GPU. Default: 1 live, 3 offline. More keeps the GPU busy
    /// while the next frame is prepared, and costs memory; where the GPU is slower than the source, each is a frame's work more
    /// of latency.
    pub max_in_flight: Option<usize>,
    /// Whether pixel shaders that follow each other are drawn in one pass, with the conversions before and behind them. Default: `true`.
    pub fusion: bool,
    /// How to open the GPU, when a graph needs one.
    pub gpu: GpuOptions,
    /// A clock that is advanced by hand, for tests. Default: none, the monotonic clock.
    pub clock: Option<ManualClock>,
    /// Whether Ctrl-C and SIGTERM end a run: the first drains it, a second one ends the program at once. Default: `true`, which
    /// replaces handlers of the program's own for good.
    pub stop_on_signals: bool,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            frames: None,
            duration: None,
            drain_deadline: Duration::from_secs(5),
            max_in_flight: None,
            fusion: true,
            gpu: GpuOptions::default(),
            clock: None,
            stop_on_signals: true,
        }
    }
}

/// How to end a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Sources end; what is under way reaches the sinks. After the drain deadline the rest is discarded.
    Drain,
    /// What is under way is thrown away (and counted); sinks still finish their files.
    Discard,
}

/// The GPU of a runtime: opened when first needed, kept for later runs, opened anew after it was lost.
#[derive(Default)]
pub(crate) struct Gpu {
    context: Mutex<Option<GpuContext>>,
    /// Whether the program has opened it.
    is_given: bool,
}

impl Gpu {
    /// Many segments ask at once; one opens, the others wait for it. One that was opened without what this graph needs is left to those
    /// who have it; the next has what both need.
    fn get(&self, options: &GpuOptions, features: wgpu::Features) -> Result<GpuContext> {
        let mut kept = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gpu) = &*kept {
            // wgpu tells of a loss when it is polled; the thread that does so may not have come to it yet.
            let _ = gpu.wgpu_device().poll(wgpu::PollType::Poll);
        }
        if let Some(gpu) = &*kept
            && gpu.timeline().check_alive().is_ok()
            && (self.is_given || gpu.offers(features))
        {
            return Ok(gpu.clone());
        }
        let has = kept.as_ref().map_or(wgpu::Features::empty(), GpuContext::features);
        let gpu = GpuContext::with_features(options, features | has)?;
        let before = kept.replace(gpu.clone());
        // Closing one takes its time: nobody waits for that.
        drop(kept);
        drop(before);
        Ok(gpu)
    }

    /// The bytes of textures and buffers that there may be, or will be when it is opened.
    fn budget(&self, options: &GpuOptions) -> u64 {
        let kept = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map_or(options.budget_bytes, |gpu| gpu.statistics().memory.budget_bytes)
    }
}

/// Runs graphs, one after the other or several at a time, all on one GPU device; on another only if a graph needs features with which it
/// was not opened.
#[derive(Default)]
pub struct Runtime {
    options: RuntimeOptions,
    gpu: Arc<Gpu>,
}

impl Runtime {
    /// A runtime. Opens no device yet: graphs without pictures need none.
    pub fn new(options: RuntimeOptions) -> Self {
        Self { options, gpu: Arc::default() }
    }

    /// A runtime on a GPU that is open already.
    pub fn with_gpu(options: RuntimeOptions, gpu: GpuContext) -> Self {
        Self { options, gpu: Arc::new(Gpu { context: Mutex::new(Some(gpu)), is_given: true }) }
    }

    /// How it runs graphs.
    pub fn options(&self) -> &RuntimeOptions {
        &self.options
    }

    /// Another one on the same GPU, which either of them opens when a graph of its first needs it.
    pub fn with_options(&self, options: RuntimeOptions) -> Self {
        Self { options, gpu: self.gpu.clone() }
    }

    /// The GPU. Opened now if no graph has needed it so far.
    pub fn gpu(&self) -> Result<GpuContext> {
        self.gpu.get(&self.options.gpu, wgpu::Features::empty())
    }

    /// The GPU, if it is open.
    pub fn opened_gpu(&self) -> Option<GpuContext> {
        self.gpu.context.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the graph would run.
    pub fn plan(&self, graph: &Graph) -> Result<Plan> {
        Plan::new(graph.spec(), PlanOptions { mode: self.options.mode, fusion: self.options.fusion })
    }

    /// Runs a graph to its end and returns what it did. Blocks; lends this thread to a processor that needs the main thread.
    pub fn run(&self, graph: Graph) -> Result<Statistics> {
        let (running, main_loop) = self.start_lending(graph)?;
        if let Some(main_loop) = main_loop {
            main_loop.run(&|| running.is_over());
        }
        let (statistics, outcome) = running.wait();
        outcome.map(|()| statistics)
    }

    /// The same, and shows `observe` the running graph every `interval` on another thread, and once more at the end, also when it
    /// ends in an error. This is where to watch its statistics and events, set parameters and stop it.
    pub fn run_with(&self, graph: Graph, interval: Duration, mut observe: impl FnMut(&Running) + Send) -> Result<Statistics> {
        let (running, main_loop) = self.start_lending(graph)?;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !running.wait_for(interval) {
                    observe(&running);
                }
                observe(&running);
            });
            if let Some(main_loop) = main_loop {
                main_loop.run(&|| running.is_over());
            }
        });
        let (statistics, outcome) = running.wait();
        outcome.map(|()| statistics)
    }

    /// Starts a graph and returns at once. Fails if a processor needs the main thread, which only [`run`](Self::run) can lend.
    pub fn start(&self, graph: Graph) -> Result<Running> {
        if graph.main_loop().is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "a processor of this graph needs the main thread")
                .hint("call Runtime::run on the main thread instead"));
        }
        self.start_with(graph, None)
    }

    /// Starts a graph like [`start`](Self::start). What is returned beside it, if a processor needs the main thread, is to be run there until
    /// the run is over.
    pub fn start_lending(&self, graph: Graph) -> Result<(Running, Option<Arc<dyn MainLoop>>)> {
        let main_loop = graph.main_loop();
        Ok((self.start_with(graph, main_loop.clone())?, main_loop))
    }

    fn start_with(&self, graph: Graph, main_loop: Option<Arc<dyn MainLoop>>) -> Result<Running> {
        for (option, is_zero) in
            [("frames", self.options.frames == Some(0)), ("max_in_flight", self.options.max_in_flight == Some(0))]
        {
            if is_zero {
                let message = format!("`{option}` of the runtime's options is 0: nothing would ever be done");
                return Err(Error::new(ErrorKind::InvalidArgument, message).hint("say at least 1, or leave it"));
            }
        }
        let plan = self.plan(&graph)?;
        plan.check_memory(graph.spec(), self.gpu.budget(&self.options.gpu))?;
        // Starting is the change from nothing: it names the segments that get a thread.
        let change = plan.change_from(&Plan::default());
        let starts: std::collections::HashSet<_> = change.start.iter().collect();
        let links: Vec<_> = plan.links.iter().map(|link| link.message.make_link(link.transport)).collect();
        let (events, receiver) = bounded(4 * plan.nodes.len() + 64);
        let segments = plan.segments.len();
        let (spec, mut processors) = graph.into_parts();
        let mut features = wgpu::Features::empty();
        processors.iter().for_each(|processor| features |= processor.required_features());
        let tuners = plan.nodes.iter().map(|planned| match planned.role {
            Role::Processor(position) => Tuner::new(processors[position].tunable().map(|tunable| tunable.tuning())),
            Role::Convert { .. } | Role::Draw { .. } => Tuner::default(),
        });
        let tuners = tuners.collect();
        let switches = plan.nodes.iter().map(|planned| match planned.role {
            Role::Processor(position) => spec.nodes[position].is_filter().then(|| AtomicBool::new(spec.nodes[position].enabled)),
            Role::Convert { .. } | Role::Draw { .. } => None,
        });
        let switches = switches.collect();
        let shared = Arc::new(Shared::new(self.options.clone(), self.gpu.clone(), features, tuners, switches, segments, events));
        let mut nodes = assemble(&plan, &spec, processors, &links)?;
        let patience: Vec<_> = nodes.iter().map(|node| node.as_ref().and_then(Node::patience)).collect();
        let (mut leaving, mut arriving) = (vec![Vec::new(); segments], vec![Vec::new(); segments]);
        for (planned, link) in plan.links.iter().zip(&links) {
            let (from, to) = (plan.nodes[planned.from.node].segment, plan.nodes[planned.to.node].segment);
            if from != to {
                leaving[from].push(link.clone());
                arriving[to].push(link.clone());
            }
        }
        let runners: Vec<_> = plan
            .segments
            .iter()
            .enumerate()
            .map(|(number, segment)| {
                let nodes = segment.nodes.iter().filter_map(|index| nodes[*index].take()).collect();
                Segment::new(number, nodes, leaving[number].clone(), shared.clone())
            })
            .collect();
        for (planned, link) in plan.links.iter().zip(&links) {
            if let crate::Transport::Queue(_) = planned.transport {
                let waker = |node: usize| runners[plan.nodes[node].segment].waker();
                link.connect(waker(planned.to.node), waker(planned.from.node));
            }
        }
        let mut watched = Vec::with_capacity(segments);
        for (number, runner) in
            runners.into_iter().enumerate().filter(|(number, _)| starts.contains(&plan.segments[*number].name))
        {
            let name = plan.segments[number].name.clone();
            let waker = runner.waker();
            let (outgoing, incoming) = (std::mem::take(&mut leaving[number]), std::mem::take(&mut arriving[number]));
            let thread = std::thread::Builder::new().name(name.clone());
            let thread = match plan.segments[number].domain {
                None => thread.spawn(move || runner.run()),
                Some(domain) => thread.spawn(move || {
                    let mut runner = Some(runner);
                    (domain.around)(&mut || runner.take().into_iter().for_each(Segment::run));
                }),
            };
            let thread = thread.map_err(|error| {
                shared.advance_to(Phase::Discarding);
                Error::new(ErrorKind::Io, format!("cannot start a thread for '{name}'")).caused_by(error)
            })?;
            watched.push(Watched { thread: Some(thread), waker, outgoing, incoming, name });
        }
        let supervisor = Supervisor {
            shared: shared.clone(),
            events: receiver,
            segments: watched,
            sinks: plan.nodes.iter().filter(|node| node.is_sink).count(),
            nodes: plan.nodes.iter().map(|node| node.name.clone()).zip(patience).collect(),
        };
        if self.options.stop_on_signals {
            signals::stop_on_signals(Arc::downgrade(&shared));
        }
        let outcome = Arc::new(Outcome::default());
        let spawned = std::thread::Builder::new().name("supervisor".into()).spawn({
            let (outcome, shared) = (outcome.clone(), shared.clone());
            move || {
                let bug = || Some(Error::new(ErrorKind::Panicked, "the supervisor panicked").hint("this is a bug in streamlib"));
                outcome.set(catch_unwind(AssertUnwindSafe(|| supervisor.run())).unwrap_or_else(|_| bug()));
                if let Some(main_loop) = main_loop {
                    main_loop.wake();
                }
                // Nobody waits for the disk.
                shared.save_gpu_cache();
            }
        });
        let supervisor = spawned.map_err(|error| {
            shared.advance_to(Phase::Discarding);
            Error::new(ErrorKind::Io, "cannot start the supervisor's thread").caused_by(error)
        })?;
        Ok(Running { shared, plan, links, outcome, supervisor: Mutex::new(Some(supervisor)) })
    }
}
