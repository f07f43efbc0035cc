//! A processor that does what another does, and fails once.

use std::sync::Arc;
use std::time::Duration;

use streamlib::prelude::*;
use streamlib::{MainLoop, Threading, Tunable};

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Error,
    Panic,
}

pub(crate) struct Faulty {
    inner: Box<dyn Processor>,
    how: How,
    calls: u32,
}

impl Faulty {
    pub(crate) fn new(inner: Box<dyn Processor>, how: How) -> Self {
        Self { inner, how, calls: 0 }
    }
}

impl Processor for Faulty {
    fn ports(&mut self, ports: &mut Ports) {
        self.inner.ports(ports);
    }
    fn threading(&self) -> Threading {
        self.inner.threading()
    }
    fn patience(&self) -> Option<Duration> {
        self.inner.patience()
    }
    fn tick_interval(&self) -> Option<Duration> {
        self.inner.tick_interval()
    }
    fn tick(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.inner.tick(cx)
    }
    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        self.inner.tunable()
    }
    fn main_loop(&self) -> Option<Arc<dyn MainLoop>> {
        self.inner.main_loop()
    }
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.inner.setup(cx)
    }
    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.calls += 1;
        match (self.calls, self.how) {
            (2, How::Error) => Err(Error::new(ErrorKind::Io, "it failed on purpose")),
            (2, How::Panic) => panic!("on purpose"),
            _ => self.inner.process(cx),
        }
    }
    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.inner.submitted(cx)
    }
    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.inner.finish(cx)
    }
}
