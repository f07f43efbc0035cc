//! A processor that does what another does, and fails once.

use std::sync::Arc;
use std::time::Duration;

use streamlib::prelude::*;
use streamlib::{MainLoop, PixelStage, Threading, Tunable};

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Error,
    Panic,
}

/// In the second call of which method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    BeforeProcess,
    AfterProcess,
    Submitted,
    /// In its first call: there is no other.
    Finish,
}

pub(crate) struct Faulty {
    inner: Box<dyn Processor>,
    how: How,
    place: Place,
    /// Calls until it fails.
    left: u32,
}

impl Faulty {
    pub(crate) fn new(inner: Box<dyn Processor>, how: How, place: Place) -> Self {
        Self { inner, how, place, left: if place == Place::Finish { 1 } else { 2 } }
    }

    fn pass(&mut self, place: Place) -> Result<()> {
        if place != self.place || self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        match (self.left, self.how) {
            (0, How::Error) => Err(Error::new(ErrorKind::Io, "it failed on purpose")),
            (0, How::Panic) => panic!("on purpose"),
            _ => Ok(()),
        }
    }
}

impl Processor for Faulty {
    fn ports(&mut self, ports: &mut Ports) {
        self.inner.ports(ports);
    }
    fn threading(&self) -> Threading {
        self.inner.threading()
    }
    fn pixel_function(&self) -> Result<Option<PixelStage>> {
        self.inner.pixel_function()
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
        self.pass(Place::BeforeProcess)?;
        let flow = self.inner.process(cx)?;
        self.pass(Place::AfterProcess)?;
        Ok(flow)
    }
    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.pass(Place::Submitted)?;
        self.inner.submitted(cx)
    }
    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.pass(Place::Finish)?;
        self.inner.finish(cx)
    }
}
