//! The engine's errors as Python's exceptions, and exceptions of processors as the engine's errors.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyModule;
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
        causes.push(error.to_string());
        cause = error.source();
    }
    let made = PyModule::import(py, "streamlib.errors")
        .and_then(|errors| errors.call_method1("make", (error.kind().name(), error.node(), error.to_string(), causes)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => {
            let exception = PyRuntimeError::new_err(error.to_string());
            exception.set_cause(py, Some(broken));
            exception
        }
    }
}

/// The exception that a processor raised, if that is what went wrong, saying in which node.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> Option<Py<PyAny>> {
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        if let Some(exception) = found.downcast_ref::<PyErr>() {
            let errors = PyModule::import(py, "streamlib.errors").ok()?;
            let exception = errors.call_method1("in_node", (exception.value(py), error.node()));
            return exception.ok().map(Bound::unbind);
        }
        cause = found.source();
    }
    None
}

/// What a processor's code raised, as the engine knows it. Its traceback stays, but what its frames hold is let go of: a picture in a local
/// variable would otherwise live as long as the error.
pub(crate) fn from_python(py: Python<'_>, exception: PyErr) -> Error {
    let kind = exception.value(py).getattr("kind").and_then(|kind| kind.extract::<String>());
    let kind = kind.ok().and_then(|name| ErrorKind::ALL.iter().copied().find(|kind| kind.name() == name));
    if let Some(traceback) = exception.traceback(py) {
        // It is raised again from the object, which has to know it.
        let kept = exception.value(py).call_method1("with_traceback", (&traceback,));
        drop(kept);
        // What is still running is not cleared.
        let cleared = PyModule::import(py, "traceback").and_then(|module| module.call_method1("clear_frames", (traceback,)));
        drop(cleared);
    }
    Error::new(kind.unwrap_or(ErrorKind::Exception), exception.to_string()).caused_by(exception)
}

/// A value that an argument cannot have.
pub(crate) fn wrong(argument: &str, message: impl std::fmt::Display) -> Failure {
    Failure::Python(pyo3::exceptions::PyValueError::new_err(format!("argument '{argument}': {message}")))
}

/// A value of the wrong type.
pub(crate) fn wrong_type(argument: &str, expected: &str, given: &Bound<'_, PyAny>) -> Failure {
    let given = given.get_type().name().map_or_else(|_| "something else".into(), |name| name.to_string());
    Failure::Python(pyo3::exceptions::PyTypeError::new_err(format!("argument '{argument}': expected {expected}, got {given}")))
}
