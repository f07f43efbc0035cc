//! The engine's errors as Python's exceptions, and exceptions of processors as the engine's errors.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyModule;
use pyo3::{PyTraverseError, PyVisit};
use streamlib::{Error, ErrorKind};

/// What a call that can fail returns to Python.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// An error of either side.
pub(crate) enum Failure {
    Engine(Error),
    Python(PyErr),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<pyo3::CastError<'_, '_>> for Failure {
    fn from(error: pyo3::CastError<'_, '_>) -> Self {
        Self::Python(error.into())
    }
}

impl From<pyo3::CastIntoError<'_>> for Failure {
    fn from(error: pyo3::CastIntoError<'_>) -> Self {
        Self::Python(error.into())
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Python(error) => error,
            Failure::Engine(error) => Python::attach(|py| to_python(py, &error)),
        }
    }
}

/// One of `streamlib.errors`.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        // The message says what was raised.
        if !error.is::<Mark>() {
            causes.push(error.to_string());
        }
        cause = error.source();
    }
    causes.extend(mark(error).map(|mark| mark.traceback.to_string()).filter(|traceback| !traceback.is_empty()));
    let made = PyModule::import(py, "streamlib.errors")
        .and_then(|errors| errors.call_method1("make", (error.kind().name(), error.node(), error.to_string(), causes)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        // Ctrl-C was pressed meanwhile.
        Err(broken) if !broken.is_instance_of::<PyException>(py) => broken,
        Err(broken) => {
            let exception = PyRuntimeError::new_err(error.to_string());
            exception.set_cause(py, Some(broken));
            exception
        }
    }
}

/// Exceptions that a processor has raised. The engine's errors know them by number only: they travel and die on threads that have nothing to do
/// with Python, whose garbage collector would not see who holds them there.
#[derive(Default)]
pub(crate) struct Raised {
    exceptions: Mutex<VecDeque<(u64, Py<PyAny>)>>,
    /// The last traceback: what fails at every frame fails in the same place, and events keep a thousand.
    traceback: Mutex<Arc<str>>,
}

/// So many of the last are kept: the one that ends a run may be followed by one of its `teardown`.
const KEPT: usize = 2;

/// What of an exception goes with the engine's error.
#[derive(Debug)]
struct Mark {
    number: u64,
    text: String,
    /// Where it was raised, as Python prints it.
    traceback: Arc<str>,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Mark {}

impl Raised {
    fn exceptions(&self) -> MutexGuard<'_, VecDeque<(u64, Py<PyAny>)>> {
        self.exceptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine's error of what a processor's code raised. The exception's traceback stays, but what its frames hold is let go of: a
    /// picture in a local variable would otherwise live as long as the exception.
    pub(crate) fn keep(&self, py: Python<'_>, exception: PyErr) -> Error {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let kind = exception.value(py).getattr("kind").and_then(|kind| kind.extract::<String>());
        let kind = kind.ok().and_then(|name| ErrorKind::ALL.iter().copied().find(|kind| kind.name() == name));
        if let Some(traceback) = exception.traceback(py) {
            // It is raised again from the object, which has to know it.
            let known = exception.value(py).call_method1("with_traceback", (&traceback,));
            drop(known);
        }
        let cleared =
            PyModule::import(py, "streamlib.errors").and_then(|errors| errors.call_method1("let_go", (exception.value(py),)));
        drop(cleared);
        // `sys.exit()` and Ctrl-C are no failures of the processor's.
        let ends_the_run = !exception.is_instance_of::<PyException>(py);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let text = exception.to_string();
        let traceback = PyModule::import(py, "streamlib.errors")
            .and_then(|errors| errors.call_method1("told", (exception.value(py),))?.extract::<String>())
            .unwrap_or_default();
        let mut last = self.traceback.lock().unwrap_or_else(PoisonError::into_inner);
        if **last != *traceback {
            *last = traceback.into();
        }
        let traceback = last.clone();
        drop(last);
        let mut exceptions = self.exceptions();
        let oldest = if exceptions.len() == KEPT { exceptions.pop_front() } else { None };
        exceptions.push_back((number, exception.into_value(py).into_any()));
        drop(exceptions);
        // Its destructor may run anything.
        drop(oldest);
        let error = Error::new(kind.unwrap_or(ErrorKind::Exception), text.clone()).caused_by(Mark { number, text, traceback });
        if ends_the_run { error.for_every_policy() } else { error }
    }

    /// Takes all of them, each with its number. Runs no code of Python's; to drop them may.
    pub(crate) fn take_all(&self) -> VecDeque<(u64, Py<PyAny>)> {
        std::mem::take(&mut *self.exceptions())
    }

    /// For the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.exceptions.try_lock() {
            Ok(exceptions) => exceptions.iter().try_for_each(|(_, exception)| visit.call(exception)),
            Err(_) => Ok(()),
        }
    }
}

/// Which exception an error stands for.
pub(crate) fn number(error: &Error) -> Option<u64> {
    mark(error).map(|mark| mark.number)
}

/// The exception, which says from now on in which node it was raised.
pub(crate) fn in_node<'py>(py: Python<'py>, exception: &Py<PyAny>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    PyModule::import(py, "streamlib.errors")?.call_method1("in_node", (exception, error.node()))
}

/// The mark among the causes of an error.
fn mark(error: &Error) -> Option<&Mark> {
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        if let Some(mark) = found.downcast_ref() {
            return Some(mark);
        }
        cause = found.source();
    }
    None
}

/// A value that an argument cannot have.
pub(crate) fn wrong(argument: impl std::fmt::Display, message: impl std::fmt::Display) -> Failure {
    Failure::Python(pyo3::exceptions::PyValueError::new_err(format!("argument '{argument}': {message}")))
}

/// A value of the wrong type.
pub(crate) fn wrong_type(argument: impl std::fmt::Display, expected: &str, given: &Bound<'_, PyAny>) -> Failure {
    let given = given.get_type().name().map_or_else(|_| "something else".into(), |name| name.to_string());
    Failure::Python(pyo3::exceptions::PyTypeError::new_err(format!("argument '{argument}': expected {expected}, got {given}")))
}
