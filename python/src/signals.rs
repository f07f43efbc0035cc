//! Ctrl-C while a graph runs, heard even while some Python code holds the interpreter's lock.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use pyo3::prelude::*;

use crate::errors::Outcome;
use crate::graph::Graph;

/// The exit status of a program that was interrupted, by custom 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Where Python's C-level handler writes the number of each signal: the first has the graph drain, the second ends the process.
#[pyclass(frozen, module = "streamlib._native")]
pub struct SignalPipe {
    writer: UnixStream,
}

#[pymethods]
impl SignalPipe {
    #[new]
    fn new(graph: &Graph) -> Outcome<Self> {
        let failed = |error: std::io::Error| {
            streamlib::Error::new(streamlib::ErrorKind::Io, "cannot make a pipe for signals").caused_by(error)
        };
        let (mut reader, writer) = UnixStream::pair().map_err(failed)?;
        writer.set_nonblocking(true).map_err(failed)?;
        let stop = graph.stopper();
        let listen = move || {
            let mut signals = 0;
            let mut byte = [0; 1];
            while matches!(reader.read(&mut byte), Ok(1)) {
                signals += 1;
                if signals > 1 {
                    std::process::exit(INTERRUPTED);
                }
                stop();
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(listen).map_err(failed)?;
        Ok(Self { writer })
    }

    /// For `signal.set_wakeup_fd`.
    fn fileno(&self) -> i32 {
        self.writer.as_raw_fd()
    }
}
