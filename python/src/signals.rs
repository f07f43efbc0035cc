//! Ctrl-C while a graph runs, heard even while some Python code holds the interpreter's lock.

use pyo3::prelude::*;

use crate::errors::Outcome;
use crate::graph::Graph;

/// Where Python's C-level handler writes the number of each signal that has a handler of Python's: of these, the first has the graph drain, the
/// second ends the process. Others are the program's.
#[pyclass(frozen, module = "streamlib._native")]
pub struct SignalPipe(system::Pipe);

#[pymethods]
impl SignalPipe {
    #[new]
    #[pyo3(signature = (graph, numbers: "collections.abc.Sequence[int]"))]
    fn new(graph: &Graph, numbers: Vec<u8>) -> Outcome<Self> {
        Ok(Self(system::Pipe::to(graph.stopper(), numbers)?))
    }

    /// For `signal.set_wakeup_fd`.
    fn fileno(&self) -> i32 {
        self.0.number()
    }
}

#[cfg(unix)]
mod system {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use streamlib::{Error, ErrorKind, Result};

    /// The exit status of a program that was interrupted, by custom 128 + SIGINT.
    const INTERRUPTED: i32 = 130;

    pub(super) struct Pipe(UnixStream);

    impl Pipe {
        /// One at whose other end a thread waits, until this end goes.
        pub(super) fn to(stop: impl Fn() + Send + 'static, numbers: Vec<u8>) -> Result<Self> {
            let failed = |error: std::io::Error| Error::new(ErrorKind::Io, "cannot make a pipe for signals").caused_by(error);
            let (mut reader, writer) = UnixStream::pair().map_err(failed)?;
            writer.set_nonblocking(true).map_err(failed)?;
            let listen = move || {
                let mut is_second = false;
                let mut byte = [0; 1];
                while matches!(reader.read(&mut byte), Ok(1)) {
                    if !numbers.contains(&byte[0]) {
                        continue;
                    }
                    if std::mem::replace(&mut is_second, true) {
                        std::process::exit(INTERRUPTED);
                    }
                    stop();
                }
            };
            std::thread::Builder::new().name("signals".into()).spawn(listen).map_err(failed)?;
            Ok(Self(writer))
        }

        pub(super) fn number(&self) -> i32 {
            self.0.as_raw_fd()
        }
    }
}

#[cfg(not(unix))]
mod system {
    use streamlib::{Error, ErrorKind, Result};

    pub(super) struct Pipe(std::convert::Infallible);

    impl Pipe {
        pub(super) fn to(_: impl Fn() + Send + 'static, _: Vec<u8>) -> Result<Self> {
            Err(Error::new(ErrorKind::Unsupported, "signals are not heard on this system")
                .hint("Ctrl-C is seen between two steps of Python's main thread"))
        }

        pub(super) fn number(&self) -> i32 {
            match self.0 {}
        }
    }
}
