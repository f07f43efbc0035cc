//! Makes processors of sources, filters, sinks and closures.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::{Context, FailurePolicy, Filter, Flow, MainLoop, Next, Processor, Sink, Source, Threading};
use crate::port::{In, Message, Out, Ports};
use crate::{Result, Tunable};

/// What can be a node: a [`Processor`], [`Source`], [`Filter`], [`Sink`] or a closure from message to message.
///
/// `Marker` only tells these apart; it is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no processor",
    note = "implement `Source`, `Filter`, `Sink` or `Processor` for it; if it is a `Result`, add `?`"
)]
pub trait IntoProcessor<Marker>: Sized {
    /// The processor.
    fn into_processor(self) -> Box<dyn Processor>;

    /// The name that a node of it gets when none is given: the type's name as in `bouncing-ball`.
    fn default_name() -> String {
        let path = std::any::type_name::<Self>();
        let path = path.split('<').next().unwrap_or(path);
        let name = path.rsplit("::").next().unwrap_or(path);
        if name.contains("closure") {
            return "closure".into();
        }
        let mut kebab = String::new();
        for character in name.chars() {
            if character.is_uppercase() && !kebab.is_empty() {
                kebab.push('-');
            }
            kebab.extend(if character == '_' { '-'.to_lowercase() } else { character.to_lowercase() });
        }
        kebab
    }
}

/// Markers.
pub struct General;
/// Marks sources of `T`.
pub struct SourceOf<T>(PhantomData<T>);
/// Marks filters from `I` to `O`.
pub struct FilterOf<I, O>(PhantomData<(I, O)>);
/// Marks sinks of `T`.
pub struct SinkOf<T>(PhantomData<T>);
/// Marks closures from `I` to `O`.
pub struct ClosureOf<I, O>(PhantomData<(I, O)>);

impl<P: Processor> IntoProcessor<General> for P {
    fn into_processor(self) -> Box<dyn Processor> {
        Box::new(self)
    }
}

impl<T: Message, S: Source<T>> IntoProcessor<SourceOf<T>> for S {
    fn into_processor(self) -> Box<dyn Processor> {
        Box::new(SourceNode { source: self, output: Out::<T>::default() })
    }
}

impl<I: Message, O: Message, F: Filter<I, O>> IntoProcessor<FilterOf<I, O>> for F {
    fn into_processor(self) -> Box<dyn Processor> {
        Box::new(FilterNode { filter: self, input: In::<I>::default(), output: Out::<O>::default() })
    }
}

impl<T: Message, S: Sink<T>> IntoProcessor<SinkOf<T>> for S {
    fn into_processor(self) -> Box<dyn Processor> {
        Box::new(SinkNode { sink: self, input: In::<T>::default() })
    }
}

impl<I: Message, O: Message, F> IntoProcessor<ClosureOf<I, O>> for F
where
    F: FnMut(I, &mut Context<'_>) -> Result<O> + Send + 'static,
{
    fn into_processor(self) -> Box<dyn Processor> {
        Box::new(FilterNode { filter: Closure(self), input: In::<I>::default(), output: Out::<O>::default() })
    }
}

struct Closure<F>(F);

impl<I: Message, O: Message, F> Filter<I, O> for Closure<F>
where
    F: FnMut(I, &mut Context<'_>) -> Result<O> + Send + 'static,
{
    fn process(&mut self, message: I, cx: &mut Context<'_>) -> Result<O> {
        (self.0)(message, cx)
    }
}

struct SourceNode<S, T> {
    source: S,
    output: Out<T>,
}

impl<T: Message, S: Source<T>> Processor for SourceNode<S, T> {
    fn ports(&mut self, ports: &mut Ports) {
        self.output = ports.output(self.source.output());
    }

    fn threading(&self) -> Threading {
        Threading::Own
    }

    fn patience(&self) -> Option<Duration> {
        self.source.patience()
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        self.source.tunable()
    }

    fn required_features(&self) -> wgpu::Features {
        self.source.required_features()
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.source.setup(cx)
    }

    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        match self.source.produce(cx)? {
            Next::Item(message) => cx.send(self.output, message),
            Next::Skip => return Ok(Flow::Skip),
            Next::End => return Ok(Flow::End),
        }
        Ok(Flow::Continue)
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.source.finish(cx)
    }
}

struct FilterNode<F, I, O> {
    filter: F,
    input: In<I>,
    output: Out<O>,
}

impl<I: Message, O: Message, F: Filter<I, O>> Processor for FilterNode<F, I, O> {
    fn ports(&mut self, ports: &mut Ports) {
        self.input = ports.input(self.filter.input());
        self.output = ports.output(self.filter.output());
    }

    fn threading(&self) -> Threading {
        self.filter.threading()
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        self.filter.tunable()
    }

    fn required_features(&self) -> wgpu::Features {
        self.filter.required_features()
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.filter.setup(cx)
    }

    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let Some(message) = cx.take(self.input) {
            let message = self.filter.process(message, cx)?;
            cx.send(self.output, message);
        }
        Ok(Flow::Continue)
    }
}

struct SinkNode<S, T> {
    sink: S,
    input: In<T>,
}

impl<T: Message, S: Sink<T>> Processor for SinkNode<S, T> {
    fn ports(&mut self, ports: &mut Ports) {
        self.input = ports.input(self.sink.input());
    }

    fn failure_policy(&self) -> FailurePolicy {
        self.sink.failure_policy()
    }

    fn threading(&self) -> Threading {
        self.sink.threading()
    }

    fn main_loop(&self) -> Option<Arc<dyn MainLoop>> {
        self.sink.main_loop()
    }

    fn tick_interval(&self) -> Option<Duration> {
        self.sink.tick_interval()
    }

    fn tick(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.sink.tick(cx)
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        self.sink.tunable()
    }

    fn required_features(&self) -> wgpu::Features {
        self.sink.required_features()
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.sink.setup(cx)
    }

    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let Some(message) = cx.take(self.input) {
            self.sink.consume(message, cx)?;
        }
        Ok(Flow::Continue)
    }

    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.sink.submitted(cx)
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.sink.finish(cx)
    }
}
