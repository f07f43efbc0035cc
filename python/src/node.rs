//! A processor that is written in Python, as the engine runs it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyStopIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use serde_json::Value;
use streamlib::{
    Cadence, Context, Error, ErrorKind, FailurePolicy, Flow, In, Out, PixelStage, Ports, Processor, Result, Threading, Timestamp,
    Tunable, Tuning,
};

use crate::declaration::{Declaration, Returns, check, name_of};
use crate::errors::{Failure, Outcome, Raised};
use crate::frame::{VideoFrame, in_format, loads};
use crate::interpreter::{DOMAIN, attach};
use crate::message::PythonMessage;
use crate::scope;

/// An object of Python's that is a processor. The graph that it was added to and its node share it: Python's garbage collector sees one
/// reference.
pub(crate) struct Instance {
    pub(crate) object: Py<PyAny>,
    pub(crate) declaration: Py<Declaration>,
    pub(crate) raised: Raised,
}

pub(crate) struct Node {
    instance: Arc<Instance>,
    /// What it is set to.
    values: Value,
    inputs: Vec<InPort>,
    outputs: Vec<OutPort>,
    cadence: Option<Cadence>,
    /// What a generator gives.
    iterator: Option<Py<PyAny>>,
    is_set_up: bool,
    /// From `setup` on.
    claim: Option<Claim>,
}

/// The objects that run in some graph: each in one node only, since its attributes are one run's.
static RUNNING: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

struct Claim(usize);

impl Claim {
    fn new(object: &Py<PyAny>) -> Result<Self> {
        let address = object.as_ptr().addr();
        match RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(address) {
            true => Ok(Self(address)),
            false => Err(Error::new(
                ErrorKind::Busy,
                "this processor is still running, in another graph or in an earlier run of this one",
            )
            .hint("make another object of its class for each graph")),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

#[derive(Clone, Copy)]
enum InPort {
    Frame(In<streamlib::VideoFrame>),
    Message(In<PythonMessage>),
}

#[derive(Clone, Copy)]
enum OutPort {
    Frame(Out<streamlib::VideoFrame>),
    Message(Out<PythonMessage>),
}

impl Node {
    pub(crate) fn new(instance: Arc<Instance>, values: Value) -> Self {
        let cadence = instance.declaration.get().rate.map(Cadence::new);
        Self { instance, values, inputs: Vec::new(), outputs: Vec::new(), cadence, iterator: None, is_set_up: false, claim: None }
    }

    fn declaration(&self) -> &Declaration {
        self.instance.declaration.get()
    }

    /// Whether the segment's encoder, and with it a GPU, may be needed. Frames also come within messages; without a frame in the process there
    /// are none.
    fn has_pictures(&self) -> bool {
        let declaration = self.declaration();
        let frames = declaration.inputs.iter().any(|input| input.class.is_none())
            || declaration.outputs.iter().any(|output| output.class.is_none());
        frames || declaration.has_setup || VideoFrame::was_made()
    }

    /// Calls into Python as this node. Exceptions become errors that carry them.
    fn call<T>(
        &mut self,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut Self, Python<'_>, &mut Context<'_>) -> Outcome<T>,
    ) -> Result<T> {
        scope::within(cx, Arc::as_ptr(&self.instance).addr(), self.has_pictures(), |cx| {
            attach(|py| {
                call(self, py, cx).map_err(|failure| match failure {
                    Failure::Engine(error) => error,
                    Failure::Python(exception) => self.instance.raised.keep(py, exception),
                })
            })
        })
    }

    /// Takes a message from each input; none if one has nothing after all.
    fn take<'py>(&mut self, py: Python<'py>, cx: &mut Context<'_>) -> Outcome<Option<Vec<Bound<'py, PyAny>>>> {
        let declaration = self.instance.declaration.get();
        let mut arguments = Vec::with_capacity(self.inputs.len());
        for (port, input) in self.inputs.iter().zip(&declaration.inputs) {
            let argument = match (port, input.is_latest) {
                (InPort::Frame(port), false) => {
                    let frame = cx.take(*port);
                    frame.iter().for_each(scope::given);
                    frame.map(|frame| self.frame(py, cx, frame)).transpose()?
                }
                (InPort::Frame(port), true) => cx.latest(*port).map(|frame| self.frame(py, cx, frame)).transpose()?,
                (InPort::Message(port), false) => cx.take(*port).map(|message| message.object(py)),
                (InPort::Message(port), true) => cx.latest(*port).map(|message| message.object(py)),
            };
            match argument {
                Some(argument) => arguments.push(argument),
                None if input.is_latest => arguments.push(py.None().into_bound(py)),
                None => return Ok(None),
            }
        }
        Ok(Some(arguments))
    }

    fn frame<'py>(&self, py: Python<'py>, cx: &Context<'_>, frame: streamlib::VideoFrame) -> Outcome<Bound<'py, PyAny>> {
        let gpu = cx.gpu()?.clone();
        Ok(Bound::new(py, VideoFrame::for_call(py, frame, gpu, self.declaration().place.as_ref()))?.into_any())
    }

    /// Sends what `process` returned.
    fn send(&self, cx: &mut Context<'_>, value: &Bound<'_, PyAny>, is_tuple: bool, due: Option<(u64, Timestamp)>) -> Outcome<()> {
        let outputs = &self.declaration().outputs;
        if !is_tuple {
            return match outputs.len() {
                0 if value.is_none() => Ok(()),
                0 => Err(self.wrong_return(value, "None: it is annotated to return nothing")),
                _ => self.send_one(cx, 0, value, due),
            };
        }
        let values = value.cast::<PyTuple>().ok().filter(|values| values.len() == outputs.len());
        let Some(values) = values else {
            return Err(self.wrong_return(value, &format!("a tuple of {}, one for each output", outputs.len())));
        };
        values.iter().enumerate().try_for_each(|(index, value)| self.send_one(cx, index, &value, due))
    }

    fn send_one(
        &self,
        cx: &mut Context<'_>,
        index: usize,
        value: &Bound<'_, PyAny>,
        due: Option<(u64, Timestamp)>,
    ) -> Outcome<()> {
        let output = &self.declaration().outputs[index];
        if value.is_none() {
            return match output.is_optional {
                true => Ok(()),
                false => Err(self.wrong_return(value, "a message; annotate it with `| None` if there may be none")),
            };
        }
        match (&self.outputs[index], &output.class) {
            (OutPort::Frame(port), _) => {
                let Ok(frame) = value.cast::<VideoFrame>() else { return Err(self.wrong_return(value, "a VideoFrame")) };
                let frame = frame.get().frame();
                self.check_sent(cx, frame)?;
                let mut frame = in_format(cx.gpu()?, frame, &output.spec.formats)?;
                if let Some((sequence, time)) = due {
                    frame = frame.with_sequence(sequence).with_time(time);
                }
                cx.send(*port, frame);
            }
            (OutPort::Message(port), Some(class)) => {
                let class = class.bind(value.py());
                if !value.is_instance(class)? {
                    return Err(self.wrong_return(value, &format!("a {}", name_of(class))));
                }
                let message = PythonMessage::new(value);
                message.frames().iter().try_for_each(|frame| self.check_sent(cx, frame))?;
                cx.send(*port, message);
            }
            (OutPort::Message(_), None) => {}
        }
        Ok(())
    }

    /// Refuses frames that whoever takes them could do nothing with.
    fn check_sent(&self, cx: &Context<'_>, frame: &streamlib::VideoFrame) -> Outcome<()> {
        let gpu = cx.gpu()?;
        let (what, hint) = if !frame.is_of(gpu) {
            ("a frame of another GPU device", "one that was taken before the device was lost or closed is void; take a new one")
        } else if !scope::is_written(gpu, frame) {
            (
                "a frame that nothing was drawn into",
                "call a kernel with it, `write` an array, or submit the commands that write its texture: what it shows is undefined",
            )
        } else {
            return Ok(());
        };
        let message = format!("`process` of '{}' {} {what}", self.declaration().name, self.verb());
        Err(Error::new(ErrorKind::InvalidArgument, message).hint(hint).into())
    }

    /// What `process` did with what it gave.
    fn verb(&self) -> &'static str {
        if matches!(self.declaration().returns, Returns::Iterator { .. }) { "yielded" } else { "returned" }
    }

    fn wrong_return(&self, value: &Bound<'_, PyAny>, expected: &str) -> Failure {
        let given = name_of(&value.get_type());
        let given = if value.is_none() { "None".into() } else { format!("an object of type {given}") };
        let (name, verb) = (&self.declaration().name, self.verb());
        PyTypeError::new_err(format!("`process` of '{name}' {verb} {given}; expected {expected}")).into()
    }

    fn process_filter(&mut self, py: Python<'_>, cx: &mut Context<'_>) -> Outcome<Flow> {
        let Some(arguments) = self.take(py, cx)? else { return Ok(Flow::Skip) };
        let object = self.instance.object.clone_ref(py);
        let (object, process) = (object.bind(py), pyo3::intern!(py, "process"));
        let value = match <[_; 1]>::try_from(arguments) {
            // Makes no tuple and no bound method.
            Ok([argument]) => object.call_method1(process, (argument,)),
            Err(arguments) => object.call_method1(process, PyTuple::new(py, arguments)?),
        }?;
        match self.declaration().returns {
            Returns::One => self.send(cx, &value, false, None)?,
            Returns::Tuple => self.send(cx, &value, true, None)?,
            Returns::Iterator { of_tuples } => {
                for item in value.try_iter()? {
                    self.send(cx, &item?, of_tuples, None)?;
                }
            }
        }
        Ok(Flow::Continue)
    }

    fn process_source(&mut self, py: Python<'_>, cx: &mut Context<'_>, due: Option<(u64, Timestamp)>) -> Outcome<Flow> {
        let object = self.instance.object.bind(py);
        let process = pyo3::intern!(py, "process");
        let (value, is_tuple) = match self.declaration().returns {
            Returns::Iterator { of_tuples } => {
                if self.iterator.is_none() {
                    self.iterator = Some(object.call_method0(process)?.try_iter()?.into_any().unbind());
                }
                let next = self.iterator.as_ref().map(|iterator| iterator.bind(py).call_method0(pyo3::intern!(py, "__next__")));
                (next, of_tuples)
            }
            returns => (Some(object.call_method0(process)), returns == Returns::Tuple),
        };
        match value {
            Some(Err(end)) if end.is_instance_of::<PyStopIteration>(py) => Ok(Flow::End),
            None => Ok(Flow::End),
            Some(value) => {
                let value = value?;
                let is_nothing = value.is_none() && self.declaration().outputs.iter().all(|output| output.is_optional);
                if is_nothing {
                    return Ok(Flow::Skip);
                }
                self.send(cx, &value, is_tuple, due)?;
                Ok(Flow::Continue)
            }
        }
    }

    /// Says a pixel shader's parameters for the next frame.
    fn process_shader(&mut self, py: Python<'_>, cx: &mut Context<'_>) -> Outcome<Flow> {
        let (Some(InPort::Frame(input)), Some(OutPort::Frame(output))) = (self.inputs.first(), self.outputs.first()) else {
            return Ok(Flow::End);
        };
        let (input, output) = (*input, *output);
        let Some(mut frame) = cx.take(input) else { return Ok(Flow::Skip) };
        let Some(shader) = &self.declaration().shader else { return Ok(Flow::End) };
        let object = self.instance.object.bind(py);
        let bytes = match (&shader.layout, shader.has_method) {
            (None, false) => Some(Default::default()),
            (Some(layout), false) => Some(layout.pack_attributes(object)?),
            (layout, true) => {
                let given = self.frame(py, cx, frame.clone())?;
                let value = object.call_method1(pyo3::intern!(py, "uniform"), (given,))?;
                match layout {
                    _ if value.is_none() => None,
                    Some(layout) => Some(layout.pack("uniform", &value)?),
                    None => Some(Default::default()),
                }
            }
        };
        if let Some(bytes) = bytes {
            cx.shade(&mut frame, &bytes)?;
        }
        cx.send(output, frame);
        Ok(Flow::Continue)
    }

    fn tear_down(&mut self, py: Python<'_>) -> Outcome<()> {
        if let Some(iterator) = self.iterator.take()
            && let Ok(close) = iterator.bind(py).getattr("close")
        {
            close.call0()?;
        }
        if std::mem::take(&mut self.is_set_up) && self.declaration().has_teardown {
            self.instance.object.bind(py).call_method0("teardown")?;
        }
        Ok(())
    }
}

impl Processor for Node {
    fn ports(&mut self, ports: &mut Ports) {
        let declaration = self.instance.declaration.get();
        self.inputs = declaration
            .inputs
            .iter()
            .map(|input| match input.class {
                None => InPort::Frame(ports.declare_input(input.spec.clone())),
                Some(_) => InPort::Message(ports.declare_input(input.spec.clone())),
            })
            .collect();
        self.outputs = declaration
            .outputs
            .iter()
            .map(|output| match output.class {
                None => OutPort::Frame(ports.declare_output(output.spec.clone())),
                Some(_) => OutPort::Message(ports.declare_output(output.spec.clone())),
            })
            .collect();
    }

    fn threading(&self) -> Threading {
        Threading::Within(DOMAIN)
    }

    fn failure_policy(&self) -> FailurePolicy {
        self.declaration().on_failure
    }

    fn pixel_function(&self) -> Result<Option<PixelStage>> {
        Ok(self.declaration().shader.as_ref().map(|shader| shader.stage.clone()))
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        match self.declaration().parameters.is_empty() {
            true => None,
            false => Some(self),
        }
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if let Some(cadence) = &mut self.cadence {
            cadence.count(cx);
        }
        if self.claim.is_none() {
            self.claim = Some(Claim::new(&self.instance.object)?);
        }
        self.call(cx, |this, py, cx| {
            this.tear_down(py)?;
            if this.declaration().has_setup {
                let gpu = crate::gpu::GpuContext::new(cx.gpu()?.clone());
                this.instance.object.bind(py).call_method1("setup", (gpu,))?;
            }
            this.is_set_up = true;
            Ok(())
        })
    }

    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if self.declaration().shader.is_some() {
            return self.call(cx, Self::process_shader);
        }
        if !self.inputs.is_empty() {
            return self.call(cx, Self::process_filter);
        }
        // Nobody waits for the clock with the interpreter's lock.
        let due = match &mut self.cadence {
            None => None,
            Some(cadence) => match cadence.next(cx) {
                None => return Ok(Flow::Skip),
                due => due,
            },
        };
        self.call(cx, |this, py, cx| this.process_source(py, cx, due))
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.call(cx, |this, py, _| this.tear_down(py))
    }
}

impl Tunable for Node {
    fn tuning(&self) -> Tuning {
        let descriptors = self.declaration().parameters.clone();
        let known = descriptors.clone();
        Tuning::new(self.values.clone(), descriptors, move |values| check(&known, values))
    }

    fn tune(&mut self, values: &Value, cx: &mut Context<'_>) -> Result<()> {
        self.call(cx, |this, py, _| {
            for (name, value) in values.as_object().into_iter().flatten() {
                if this.values.get(name) != Some(value) {
                    this.instance.object.bind(py).setattr(&**name, loads(py, &value.to_string())?)?;
                }
            }
            this.values = values.clone();
            Ok(())
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that failed is not finished, but what it has opened is to be closed.
        if self.is_set_up || self.iterator.is_some() {
            let instance = self.instance.clone();
            let outcome = attach(|py| self.tear_down(py).map_err(|failure| instance.raised.keep(py, failure.into())));
            if let Err(error) = outcome {
                tracing::warn!(node = self.declaration().name, %error, "teardown failed");
            }
        }
    }
}
