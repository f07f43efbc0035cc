//! Typed ports: what a processor takes and gives, and how messages are delivered.

pub(crate) mod counts;
mod fifo;
pub(crate) mod link;

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::{Error, ErrorKind, PixelFormat, Result, Size, Timestamp, VideoFrame};
use link::{AnyLink, Link, Transport};

/// What can travel over a link: [`VideoFrame`], or any type of one's own.
///
/// Cloning must be cheap: a fan-out clones. A message that carries frames says so, so that they become immutable when written
/// to a port.
///
/// ```
/// use streamlib_core::{Message, VideoFrame};
///
/// #[derive(Clone)]
/// struct Detection { frame: VideoFrame, score: f32 }
///
/// impl Message for Detection {
///     fn visit_frames(&self, visit: &mut dyn FnMut(&VideoFrame)) {
///         visit(&self.frame);
///     }
/// }
/// ```
pub trait Message: Clone + Send + 'static {
    /// Calls `visit` with every frame that the message carries. Default: it carries none.
    fn visit_frames(&self, visit: &mut dyn FnMut(&VideoFrame)) {
        let _ = visit;
    }

    /// When what it carries was captured: what [`Pairing::Aligned`] inputs are matched by. Default: it has no time.
    fn time(&self) -> Option<Timestamp> {
        None
    }

    /// The pixel formats that a port of this type has when it names none: `rgba8` for frames, none for other types.
    fn default_formats() -> &'static [PixelFormat] {
        &[]
    }
}

impl Message for VideoFrame {
    fn visit_frames(&self, visit: &mut dyn FnMut(&VideoFrame)) {
        visit(self);
    }

    fn time(&self) -> Option<Timestamp> {
        Some(self.time())
    }

    fn default_formats() -> &'static [PixelFormat] {
        &[PixelFormat::Rgba8]
    }
}

/// The identity of a message type.
#[derive(Clone)]
pub struct MessageType {
    id: TypeId,
    variant: u64,
    name: Cow<'static, str>,
    make_link: fn(Transport) -> Arc<dyn AnyLink>,
}

impl MessageType {
    /// The type `T`.
    pub fn of<T: Message>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            variant: 0,
            name: Cow::Borrowed(std::any::type_name::<T>()),
            make_link: |transport| Arc::new(Link::<T>::new(transport)),
        }
    }

    /// One of the types that are all `T` in Rust: those of a language with types of its own. Two of different numbers cannot be linked.
    pub fn variant<T: Message>(variant: u64, name: impl Into<String>) -> Self {
        Self { variant, name: Cow::Owned(name.into()), ..Self::of::<T>() }
    }

    /// The type's path in Rust, or the variant's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Itself if it is `T` in Rust, else `T`.
    fn or<T: Message>(self) -> Self {
        if self.id == TypeId::of::<T>() { self } else { Self::of::<T>() }
    }

    pub(crate) fn make_link(&self, transport: Transport) -> Arc<dyn AnyLink> {
        (self.make_link)(transport)
    }
}

impl PartialEq for MessageType {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.variant == other.variant
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What a queue between two threads does when its consumer is slow. An offline run blocks in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Holds one message; the newest replaces it.
    Latest,
    /// Holds up to so many; the oldest makes room.
    DropOldest(usize),
    /// Holds up to so many, then the producer waits. Loses nothing.
    Block(usize),
}

impl Delivery {
    /// Messages it holds.
    pub fn capacity(self) -> usize {
        match self {
            Self::Latest => 1,
            Self::DropOldest(capacity) | Self::Block(capacity) => capacity,
        }
    }

    pub(crate) fn check(self) -> Result<Self> {
        match self.capacity() {
            0 => Err(Error::new(ErrorKind::InvalidArgument, "a queue of 0 messages would lose or block everything")
                .hint("give a capacity of at least 1")),
            _ => Ok(self),
        }
    }
}

/// `latest`, `drop-oldest(8)`, `block(4)`.
impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::DropOldest(capacity) => write!(f, "drop-oldest({capacity})"),
            Self::Block(capacity) => write!(f, "block({capacity})"),
        }
    }
}

/// The same, read.
impl FromStr for Delivery {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(ErrorKind::InvalidArgument, format!("'{text}' is no delivery policy"))
                .hint("there is: latest, drop-oldest(N), block(N)")
        };
        let number = |rest: &str| rest.strip_prefix('(')?.strip_suffix(')')?.parse().ok();
        let policy = match (text.strip_prefix("drop-oldest"), text.strip_prefix("block")) {
            (Some(rest), _) => Self::DropOldest(number(rest).ok_or_else(wrong)?),
            (_, Some(rest)) => Self::Block(number(rest).ok_or_else(wrong)?),
            _ if text == "latest" => Self::Latest,
            _ => return Err(wrong()),
        };
        policy.check()
    }
}

/// What messages of an input have to do with those of the other inputs of its processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pairing {
    /// Nothing: each is reason enough to call `process`.
    #[default]
    Each,
    /// `process` is called when every aligned input has a message, all captured at the same time. At most so far may this
    /// input's lie behind the newest of them; one that lies further behind has no partner: it is dropped and counted as
    /// `unmatched`. Of several that would do, the nearest is taken: offline of all, live of those that have arrived.
    ///
    /// Times come from [`Message::time`] and must not go back on a link. Give the queue room for what may wait for a partner, at
    /// least two messages; where both inputs come from one source and one way is longer, room for as many as it is longer, or an
    /// offline run waits for ever.
    Aligned {
        /// How far behind: less than half the distance of two frames leaves no doubt which belong together.
        tolerance: Duration,
    },
    /// It is no reason to call `process`, unless all inputs are of this kind; [`Context::latest`](crate::Context::latest) gives
    /// the newest.
    Latest,
}

/// How to declare an input.
#[derive(Clone, Copy, Debug)]
pub struct InputOptions {
    /// Default: `in`.
    pub name: &'static str,
    /// The pixel formats it takes. Default: those of the message type. A neighbour that gives others gets a conversion between,
    /// to the first of these.
    pub formats: Option<&'static [PixelFormat]>,
    /// What a queue before it does when it is slow. Default: [`Delivery::Latest`]; a link can override it.
    pub delivery: Delivery,
    /// Whether the graph cannot run without it. Default: `true`.
    pub required: bool,
    /// What its messages have to do with those of the other inputs. Default: nothing.
    pub pairing: Pairing,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self { name: "in", formats: None, delivery: Delivery::Latest, required: true, pairing: Pairing::Each }
    }
}

/// How to declare an output.
#[derive(Clone, Copy, Debug)]
pub struct OutputOptions {
    /// Default: `out`.
    pub name: &'static str,
    /// The pixel formats that it may give. Default: those of the message type.
    pub formats: Option<&'static [PixelFormat]>,
    /// How large its pictures are, if that is known now: then a memory budget that cannot hold the graph is refused before it starts.
    /// Default: not known.
    pub size: Option<Size>,
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self { name: "out", formats: None, size: None }
    }
}

/// A declared input.
#[derive(Clone, Debug)]
pub struct InputSpec {
    /// Its name, unique among the inputs of its processor.
    pub name: String,
    /// What it takes.
    pub message: MessageType,
    /// The pixel formats it takes; empty for other messages than frames.
    pub formats: Vec<PixelFormat>,
    /// What a queue before it does when it is slow.
    pub delivery: Delivery,
    /// Whether the graph cannot run without it.
    pub required: bool,
    /// What its messages have to do with those of the other inputs.
    pub pairing: Pairing,
}

/// A declared output.
#[derive(Clone, Debug)]
pub struct OutputSpec {
    /// Its name, unique among the outputs of its processor.
    pub name: String,
    /// What it gives.
    pub message: MessageType,
    /// The pixel formats that it may give; empty for other messages than frames.
    pub formats: Vec<PixelFormat>,
    /// How large its pictures are, where that is known.
    pub size: Option<Size>,
}

/// Where a processor declares its ports.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) outputs: Vec<OutputSpec>,
}

impl Ports {
    /// Declares an input; keep what is returned to take messages with.
    pub fn input<T: Message>(&mut self, options: InputOptions) -> In<T> {
        self.declare_input(InputSpec {
            name: options.name.into(),
            message: MessageType::of::<T>(),
            formats: options.formats.unwrap_or_else(T::default_formats).to_vec(),
            delivery: options.delivery,
            required: options.required,
            pairing: options.pairing,
        })
    }

    /// The same for ports that are only known while the program runs. It takes `T`, or the variant of it that the spec names.
    pub fn declare_input<T: Message>(&mut self, input: InputSpec) -> In<T> {
        let message = input.message.or::<T>();
        self.inputs.push(InputSpec { message, ..input });
        In { index: self.inputs.len() - 1, message: PhantomData }
    }

    /// Declares an output; keep what is returned to send messages with.
    pub fn output<T: Message>(&mut self, options: OutputOptions) -> Out<T> {
        self.declare_output(OutputSpec {
            name: options.name.into(),
            message: MessageType::of::<T>(),
            formats: options.formats.unwrap_or_else(T::default_formats).to_vec(),
            size: options.size,
        })
    }

    /// The same for ports that are only known while the program runs. It gives `T`, or the variant of it that the spec names.
    pub fn declare_output<T: Message>(&mut self, output: OutputSpec) -> Out<T> {
        let message = output.message.or::<T>();
        self.outputs.push(OutputSpec { message, ..output });
        Out { index: self.outputs.len() - 1, message: PhantomData }
    }
}

/// The handle of an input. `Default` gives one of no port; using it before [`Ports::input`] has replaced it is an error.
pub struct In<T> {
    pub(crate) index: usize,
    message: PhantomData<fn() -> T>,
}

/// The handle of an output. `Default` gives one of no port; using it before [`Ports::output`] has replaced it is an error.
pub struct Out<T> {
    pub(crate) index: usize,
    message: PhantomData<fn(T)>,
}

impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<T> {}

impl<T> Default for In<T> {
    fn default() -> Self {
        Self { index: usize::MAX, message: PhantomData }
    }
}

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T> Default for Out<T> {
    fn default() -> Self {
        Self { index: usize::MAX, message: PhantomData }
    }
}
