//! The run of a graph, and what is left of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use streamlib::{Error, ErrorKind, MainLoop, Running, Stop};

use crate::errors::number;
use crate::events::Happened;
use crate::graph::Graph;
use crate::node::Instance;
use crate::steps::{Recipe, Step};

/// What runs, whether its graph is still there or not: the interpreter must not go down before it.
static RUNS: Mutex<Vec<Arc<Running>>> = Mutex::new(Vec::new());

pub(crate) fn runs() -> MutexGuard<'static, Vec<Arc<Running>>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets go of runs that are over.
pub(crate) fn forget_the_ended() {
    let ended: Vec<_> = runs().extract_if(.., |run| run.is_over()).collect();
    ended.iter().for_each(|run| run.join());
}

/// Ends everything that runs, and waits for it.
pub(crate) fn end_all() {
    let runs = std::mem::take(&mut *runs());
    runs.iter().for_each(|run| run.stop(Stop::Discard));
    for run in runs {
        // One that is stuck in Python or in a driver is left behind.
        if run.wait_for(Duration::from_secs(10)) {
            run.join();
        }
    }
}

#[derive(Default)]
pub(crate) struct State {
    /// What the graph was made of: so that it can run again.
    pub(crate) steps: Vec<Step>,
    /// What will run next, if it has been made.
    pub(crate) graph: Option<streamlib::Graph>,
    pub(crate) run: Option<Arc<Running>>,
    /// Whether a thread is about to put a run there.
    pub(crate) is_starting: bool,
    /// What is to run on the main thread, which `wait` lends, for as long as the run.
    pub(crate) main_loop: Option<Arc<dyn MainLoop>>,
    pub(crate) ended: Option<Ended>,
}

/// What is left of the last run, with the exception that ended it: it knows the frames that it has gone through, and they know this graph, so
/// Python's garbage collector has to see it.
pub(crate) struct Ended {
    pub(crate) statistics: String,
    pub(crate) events: Vec<Happened>,
    pub(crate) outcome: streamlib::Result<()>,
    pub(crate) exception: Option<Py<PyAny>>,
    /// Whether somebody was told how it ended.
    pub(crate) is_told: bool,
}

impl State {
    /// The graph as it is described, made again if the last one was used up.
    pub(crate) fn graph(&mut self) -> streamlib::Result<&mut streamlib::Graph> {
        let graph = match self.graph.take() {
            Some(graph) => graph,
            None => {
                let mut graph = streamlib::Graph::new();
                self.steps.iter().try_for_each(|step| step.apply(&mut graph))?;
                graph
            }
        };
        Ok(self.graph.insert(graph))
    }

    pub(crate) fn take_step(&mut self, step: Step) -> streamlib::Result<()> {
        self.refuse_running()?;
        step.apply(self.graph()?)?;
        self.steps.push(step);
        Ok(())
    }

    pub(crate) fn refuse_running(&self) -> streamlib::Result<()> {
        if self.is_starting {
            return Err(Error::new(ErrorKind::Busy, "another thread is starting the graph").hint("start it once"));
        }
        match self.running() {
            Some(run) if !run.is_over() => {
                Err(Error::new(ErrorKind::Busy, "the graph is running").hint("stop it before you change it or start it again"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.steps.iter().filter_map(|step| match step {
            Step::Add { recipe: Recipe::Python(instance, _), .. } => Some(instance),
            _ => None,
        })
    }

    pub(crate) fn running(&self) -> Option<&Arc<Running>> {
        self.run.as_ref()
    }
}

impl Graph {
    /// Puts what is left of a run that is over in its place.
    pub(crate) fn settle(&self, py: Python<'_>) {
        let run = self.state(py).running().cloned().filter(|run| run.is_over());
        let Some(run) = run else { return };
        let (statistics, events) = py.detach(|| {
            run.join();
            forget_the_ended();
            (serde_json::to_string(&run.statistics()).unwrap_or_default(), Happened::all(&run))
        });
        let outcome = run.outcome().unwrap_or(Ok(()));
        let number = outcome.as_ref().err().and_then(number);
        let mut state = self.state(py);
        if !state.running().is_some_and(|current| Arc::ptr_eq(current, &run)) {
            // Another thread has settled it meanwhile.
            drop(state);
            return py.detach(|| drop(run));
        }
        // All in one step: whoever waits for the run finds all of it or goes through this. No code of Python's runs before the lock is let go of.
        let mut raised: Vec<_> = state.instances().flat_map(|instance| instance.raised.take_all()).collect();
        let exception = raised.iter().position(|(other, _)| Some(*other) == number).map(|place| raised.swap_remove(place).1);
        let before = state.ended.replace(Ended { statistics, events, outcome, exception, is_told: false });
        let left = state.run.take();
        drop(state);
        drop((raised, before));
        py.detach(|| drop((left, run)));
    }
}
