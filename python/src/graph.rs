//! Graphs, and their runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDict, PyList};
use pyo3::{PyTraverseError, PyVisit};
use serde_json::Value;
use streamlib::{Error, ErrorKind, Mode, Running, RuntimeOptions, Stop};

use crate::debug::{Alive, Kind, holders_of};
use crate::declaration::{Declaration, policy};
use crate::errors::{Outcome, Raised, in_node, to_python, wrong, wrong_type};
use crate::events::Happened;
use crate::frame::{dumps, loads};
use crate::gpu::{runtime, seconds};
use crate::node::Instance;
use crate::registry::BuiltIn;
use crate::run::{State, runs};
use crate::scope;
use crate::steps::{Recipe, Step};
use crate::waiting;

/// Processors and the links between their ports, and their run. `streamlib.Graph` is the face of it.
#[pyclass(frozen, weakref, module = "streamlib._native")]
pub struct Graph {
    state: Mutex<State>,
    _alive: Alive,
}

impl Graph {
    pub(crate) fn state(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, py: Python<'_>, step: Step) -> Outcome<()> {
        Ok(self.state(py).take_step(step)?)
    }

    /// The run that is under way.
    fn run(&self, py: Python<'_>) -> Outcome<Arc<Running>> {
        let run = self.started(py);
        if let Some(run) = run.as_ref().filter(|run| !run.is_over()) {
            return Ok(run.clone());
        }
        let state = self.state(py);
        let failed = match (&run, &state.ended) {
            (Some(run), _) => run.outcome().and_then(Result::err),
            (None, Some(ended)) => ended.outcome.clone().err(),
            (None, None) => None,
        };
        drop(state);
        py.detach(|| drop(run));
        let message = failed.map_or_else(
            || "the graph is not running".into(),
            |error| format!("the graph is not running: it ended with '{error}'"),
        );
        Err(Error::new(ErrorKind::InvalidArgument, message).hint("start it first").into())
    }

    /// The run that is under way, or that another thread is about to start.
    fn started(&self, py: Python<'_>) -> Option<Arc<Running>> {
        loop {
            let state = self.state(py);
            if !state.is_starting {
                return state.running().cloned();
            }
            drop(state);
            py.detach(|| std::thread::sleep(Duration::from_millis(1)));
        }
    }

    /// What a signal does to the run that is under way.
    pub(crate) fn stopper(&self) -> impl Fn() + Send + 'static {
        let run = self.state.lock().unwrap_or_else(PoisonError::into_inner).run.as_ref().map(Arc::downgrade);
        move || {
            if let Some(run) = run.as_ref().and_then(std::sync::Weak::upgrade) {
                run.stop(Stop::Drain);
            }
        }
    }
}

#[pymethods]
impl Graph {
    #[new]
    fn new() -> Self {
        Self { state: Mutex::default(), _alive: Alive::new(Kind::Graph) }
    }

    /// Adds a processor and returns its name: `base`, or that with a number behind it if it is taken, where no `name` is given.
    #[pyo3(signature = (processor, name, declaration, values))]
    fn add(
        &self,
        py: Python<'_>,
        processor: &Bound<'_, PyAny>,
        name: Option<String>,
        declaration: Option<Py<Declaration>>,
        values: &str,
    ) -> Outcome<String> {
        let (base, recipe, made) = match (processor.cast::<BuiltIn>(), declaration) {
            (Ok(built_in), _) => {
                let built_in = built_in.get();
                let (kind, parameters) = built_in.recipe();
                (built_in.name().to_owned(), Recipe::BuiltIn(kind, parameters), built_in.take())
            }
            (Err(_), Some(declaration)) => {
                let base = declaration.get().name.clone();
                let values = serde_json::from_str(values).map_err(|error| wrong("values", error))?;
                let instance = Instance { object: processor.clone().unbind(), declaration, raised: Raised::default() };
                (base, Recipe::Python(Arc::new(instance), values), None)
            }
            (Err(_), None) => return Err(wrong_type("processor", "a processor", processor)),
        };
        let mut state = self.state(py);
        state.refuse_running()?;
        if let Recipe::Python(instance, _) = &recipe {
            let is_it = |step: &Step| match step {
                Step::Add { recipe: Recipe::Python(other, _), name } => other.object.is(&instance.object).then(|| name.clone()),
                _ => None,
            };
            if let Some(name) = state.steps.iter().find_map(is_it) {
                return Err(Error::new(ErrorKind::InvalidGraph, format!("this processor was added already, as '{name}'"))
                    .hint("make another object of its class")
                    .into());
            }
        }
        let made = match made {
            Some(made) => made,
            None => recipe.make()?,
        };
        let graph = state.graph()?;
        let name = match name {
            Some(name) => graph.add_boxed(&name, made).map(|()| name)?,
            None => graph.add_boxed_unnamed(base, made)?,
        };
        state.steps.push(Step::Add { name: name.clone(), recipe });
        Ok(name)
    }

    /// How many steps have made it so far.
    fn steps(&self, py: Python<'_>) -> usize {
        self.state(py).steps.len()
    }

    /// Goes back to what it was after so many steps.
    fn undo(&self, py: Python<'_>, steps: usize) -> Outcome<()> {
        let mut state = self.state(py);
        state.refuse_running()?;
        let length = state.steps.len();
        let undone = (state.steps.split_off(steps.min(length)), state.graph.take());
        drop(state);
        drop(undone);
        Ok(())
    }

    #[pyo3(signature = (from_, to, delivery=None))]
    fn connect(&self, py: Python<'_>, from_: String, to: String, delivery: Option<&str>) -> Outcome<()> {
        let delivery = delivery.map(str::parse).transpose()?;
        self.step(py, Step::Connect { from: from_, to, delivery })
    }

    fn on_failure(&self, py: Python<'_>, node: String, reaction: &str) -> Outcome<()> {
        let policy = policy(reaction)?;
        self.step(py, Step::OnFailure { node, policy })
    }

    /// Switches a filter off or on: in the run that is under way, else in the next.
    fn set_enabled(&self, py: Python<'_>, node: String, enabled: bool) -> Outcome<()> {
        match self.run(py) {
            Ok(run) => Ok(run.set_enabled(&node, enabled)?),
            Err(_) => self.step(py, Step::SetEnabled { node, enabled }),
        }
    }

    /// Sets parameters of a node of the run that is under way. `changes` is a JSON object.
    #[pyo3(signature = (node, changes: "dict[str, typing.Any]"))]
    fn set(&self, py: Python<'_>, node: &str, changes: &Bound<'_, PyDict>) -> Outcome<()> {
        let run = self.run(py)?;
        let changes: Value = serde_json::from_str(&dumps(py, changes)?).map_err(|error| wrong("changes", error))?;
        py.detach(|| run.set_parameters(node, &changes))?;
        // The next run begins with it. A processor of Python's has it in its attributes.
        let mut state = self.state(py);
        let recipes = state.steps.iter_mut().filter_map(|step| match step {
            Step::Add { name, recipe: Recipe::BuiltIn(_, parameters) } if name == node => Some(parameters),
            _ => None,
        });
        for parameters in recipes {
            let (Value::Object(parameters), Value::Object(changes)) = (parameters, &changes) else { continue };
            parameters.extend(changes.clone());
        }
        Ok(())
    }

    /// The nodes whose processors are Python's, with these.
    #[pyo3(signature = () -> "list[tuple[str, object]]")]
    fn processors(&self, py: Python<'_>) -> Vec<(String, Py<PyAny>)> {
        let state = self.state(py);
        let processors = state.steps.iter().filter_map(|step| match step {
            Step::Add { name, recipe: Recipe::Python(instance, _) } => Some((name.clone(), instance.object.clone_ref(py))),
            _ => None,
        });
        processors.collect()
    }

    /// What these are set to when the next run begins, by node, as JSON.
    fn set_values(&self, py: Python<'_>, values: HashMap<String, String>) -> Outcome<()> {
        let mut state = self.state(py);
        state.refuse_running()?;
        let mut has_changed = false;
        for step in &mut state.steps {
            let Step::Add { name, recipe: Recipe::Python(_, current) } = step else { continue };
            let Some(value) = values.get(name) else { continue };
            let value: serde_json::Map<_, _> = serde_json::from_str(value).map_err(|error| wrong(name, error))?;
            let Value::Object(current) = current else { continue };
            for (name, value) in value {
                has_changed |= current.get(&name) != Some(&value);
                current.insert(name, value);
            }
        }
        if has_changed {
            let outdated = state.graph.take();
            drop(state);
            drop(outdated);
        }
        Ok(())
    }

    /// Fails in a call of one of the graph's own processors, which would wait for itself.
    fn refuse_own(&self, py: Python<'_>) -> Outcome<()> {
        let inside = scope::instance();
        let is_own = self.state(py).instances().any(|instance| Some(Arc::as_ptr(instance).addr()) == inside);
        if is_own {
            return Err(Error::new(ErrorKind::InvalidArgument, "a processor cannot wait for the end of its own run")
                .hint("`request_stop()` asks for the end and returns at once")
                .into());
        }
        Ok(())
    }

    /// The parameters of a node of the run that is under way, as they were set last.
    #[pyo3(signature = (node) -> "dict[str, typing.Any]")]
    fn parameters<'py>(&self, py: Python<'py>, node: &str) -> Outcome<Bound<'py, PyAny>> {
        let run = self.run(py)?;
        let values = py.detach(|| run.parameters(node))?;
        Ok(loads(py, &values.to_string())?)
    }

    /// Starts a run and returns at once. If a processor needs the main thread, which is to be lent, `wait` lends it.
    #[pyo3(signature = (*, lend, offline, frames, duration, drain_deadline, max_in_flight, fusion))]
    #[allow(clippy::too_many_arguments, reason = "Python calls it with names")]
    fn start(
        &self,
        py: Python<'_>,
        lend: bool,
        offline: bool,
        frames: Option<u64>,
        duration: Option<f64>,
        drain_deadline: f64,
        max_in_flight: Option<usize>,
        fusion: bool,
    ) -> Outcome<()> {
        let options = RuntimeOptions {
            mode: if offline { Mode::Offline } else { Mode::Live },
            frames,
            duration: duration.map(|duration| seconds("duration", duration)).transpose()?,
            drain_deadline: seconds("drain_deadline", drain_deadline)?,
            max_in_flight,
            fusion,
            // Python's own handlers stay: see `streamlib.graphs`.
            stop_on_signals: false,
            ..RuntimeOptions::default()
        };
        self.settle(py);
        let mut state = self.state(py);
        state.refuse_running()?;
        state.graph()?;
        let graph = state.graph.take().unwrap_or_default();
        state.is_starting = true;
        drop(state);
        let started = py.detach(|| match lend {
            true => runtime(options).start_lending(graph),
            false => Ok((runtime(options).start(graph)?, None)),
        });
        let mut state = self.state(py);
        state.is_starting = false;
        let (run, main_loop) = started?;
        let run = Arc::new(run);
        runs().push(run.clone());
        state.run = Some(run);
        state.main_loop = main_loop;
        Ok(())
    }

    /// Asks the run to end. Returns at once.
    fn stop(&self, py: Python<'_>, drain: bool) {
        let run = self.started(py);
        if let Some(run) = run {
            py.detach(|| run.stop(if drain { Stop::Drain } else { Stop::Discard }));
        }
    }

    /// Waits until the run is over, without the interpreter's lock; whether it is. Python's signal handlers run meanwhile.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> Outcome<bool> {
        self.refuse_own(py)?;
        let timeout = timeout.map(|timeout| seconds("timeout", timeout)).transpose()?;
        let Some(run) = self.started(py) else { return Ok(true) };
        let main_loop = self.state(py).main_loop.take();
        if let Some(main_loop) = main_loop {
            py.detach(|| main_loop.run(&|| run.is_over()));
        }
        let is_over = waiting::wait(py, timeout, |slice| run.wait_for(slice))?;
        if is_over {
            drop(run);
            self.settle(py);
        }
        Ok(is_over)
    }

    /// Raises what ended the last run, if that was an error.
    fn raise_error(&self, py: Python<'_>) -> Outcome<()> {
        let mut state = self.state(py);
        let Some(ended) = &mut state.ended else { return Ok(()) };
        ended.is_told = true;
        let (exception, outcome) = (ended.exception.as_ref().map(|exception| exception.clone_ref(py)), ended.outcome.clone());
        drop(state);
        match (exception, outcome) {
            (_, Ok(())) => Ok(()),
            (Some(exception), Err(error)) => Err(PyErr::from_value(in_node(py, &exception, &error)?).into()),
            (None, Err(error)) => Err(to_python(py, &error).into()),
        }
    }

    /// The same, if the run is over and nobody was told yet.
    fn raise_unread(&self, py: Python<'_>) -> Outcome<()> {
        self.settle(py);
        let is_unread = self.state(py).ended.as_ref().is_some_and(|ended| !ended.is_told);
        if is_unread { self.raise_error(py) } else { Ok(()) }
    }

    fn pause(&self, py: Python<'_>) -> Outcome<()> {
        self.run(py)?.pause();
        Ok(())
    }

    fn resume(&self, py: Python<'_>) -> Outcome<()> {
        self.run(py)?.resume();
        Ok(())
    }

    /// Whether a run is under way.
    #[getter]
    fn is_running(&self, py: Python<'_>) -> bool {
        self.run(py).is_ok()
    }

    /// What the run has done so far, or the last one did, as JSON.
    fn statistics(&self, py: Python<'_>) -> Outcome<String> {
        // Its own processors may ask before `start` has returned.
        drop(self.started(py));
        self.settle(py);
        let (run, ended) = {
            let state = self.state(py);
            (state.running().cloned(), state.ended.as_ref().map(|ended| ended.statistics.clone()))
        };
        match (run, ended) {
            (Some(run), _) => Ok(py.detach(|| serde_json::to_string(&run.statistics()).unwrap_or_default())),
            (None, Some(ended)) => Ok(ended),
            (None, None) => {
                Err(Error::new(ErrorKind::InvalidArgument, "the graph has not run yet").hint("start it first").into())
            }
        }
    }

    /// How the graph runs, or would run, in words.
    #[pyo3(signature = (*, offline, fusion))]
    fn explain(&self, py: Python<'_>, offline: bool, fusion: bool) -> Outcome<String> {
        self.settle(py);
        let mut state = self.state(py);
        if let Some(run) = state.running() {
            return Ok(run.plan().explain());
        }
        let mode = if offline { Mode::Offline } else { Mode::Live };
        let options = RuntimeOptions { mode, fusion, ..Default::default() };
        let plan = runtime(options).plan(state.graph()?)?;
        Ok(plan.explain())
    }

    /// What happened to the processors of the run: a list of dicts.
    #[pyo3(signature = () -> "list[dict[str, typing.Any]]")]
    fn events<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyList>> {
        self.settle(py);
        let (run, ended) = {
            let state = self.state(py);
            (state.running().cloned(), state.ended.as_ref().map(|ended| ended.events.clone()))
        };
        let events = run.map_or_else(|| ended.unwrap_or_default(), |run| Happened::all(&run));
        let list = PyList::empty(py);
        for event in events {
            let row = PyDict::new(py);
            row.set_item("time", event.time)?;
            row.set_item("node", &*event.node)?;
            row.set_item("event", event.what)?;
            if let Some(error) = &event.error {
                row.set_item("error", to_python(py, error).value(py))?;
            }
            if let Some(reaction) = event.reaction {
                row.set_item("reaction", reaction)?;
            }
            if let Some(failures) = event.failures {
                row.set_item("failures", failures)?;
            }
            list.append(row)?;
        }
        Ok(list)
    }

    /// Which textures, buffers and staging memory are out, and which Python objects hold them: a list of dicts.
    #[pyo3(signature = () -> "list[dict[str, typing.Any]]")]
    fn leases<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyList>> {
        let leases = py.detach(|| crate::gpu::opened().map(|gpu| gpu.leases()).unwrap_or_default());
        let list = PyList::empty(py);
        for lease in leases {
            let row = PyDict::new(py);
            row.set_item("what", lease.what)?;
            row.set_item("bytes", lease.bytes)?;
            row.set_item("taken_by", &*lease.taken_by)?;
            row.set_item("held_seconds", lease.held.as_secs_f64())?;
            let holders = PyList::empty(py);
            for (node, file, line) in holders_of(lease.id) {
                let holder = PyDict::new(py);
                holder.set_item("node", node)?;
                holder.set_item("file", file)?;
                holder.set_item("line", line)?;
                holders.append(holder)?;
            }
            row.set_item("holders", holders)?;
            list.append(row)?;
        }
        Ok(list)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Who changes it meanwhile has a reference to it: it is no garbage.
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        if let Some(exception) = state.ended.as_ref().and_then(|ended| ended.exception.as_ref()) {
            visit.call(exception)?;
        }
        let own = 1 + usize::from(state.graph.is_some());
        // A run that uses one keeps it alive.
        for instance in state.instances().filter(|instance| Arc::strong_count(instance) <= own) {
            visit.call(&instance.object)?;
            visit.call(&instance.declaration)?;
            instance.raised.visit(&visit)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        if let Ok(mut state) = self.state.try_lock() {
            let left = (std::mem::take(&mut state.steps), state.graph.take(), state.ended.take());
            drop(state);
            drop(left);
        }
    }
}
