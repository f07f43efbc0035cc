//! One error type: what happened, in which node, and what to do next.

use std::fmt;
use std::sync::Arc;

/// What went wrong, as far as a program can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value that cannot be: a size of zero, a parameter out of its range, an unknown name.
    InvalidArgument,
    /// The graph cannot run as it stands: a cycle, an unconnected input, types that differ.
    InvalidGraph,
    /// The thing asked for is not there: a camera, a file.
    NotFound,
    /// The operating system refused.
    PermissionDenied,
    /// Somebody else is using the device.
    Busy,
    /// This machine, driver or build cannot do it.
    Unsupported,
    /// No GPU adapter could be used, not even a software one.
    NoAdapter,
    /// The GPU device is gone; tokens and textures of it are void.
    DeviceLost,
    /// The GPU refused a command (a validation or an internal error of wgpu).
    Gpu,
    /// A memory budget is used up.
    OutOfMemory,
    /// A device went away while in use.
    Disconnected,
    /// Something that should have answered in time did not.
    Stalled,
    /// Reading or writing failed.
    Io,
    /// An encoder or a container refused the data.
    Encode,
    /// A processor panicked.
    Panicked,
    /// A processor that is written in another language raised an exception.
    Exception,
    /// It was given up before it began.
    Cancelled,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::InvalidArgument,
        Self::InvalidGraph,
        Self::NotFound,
        Self::PermissionDenied,
        Self::Busy,
        Self::Unsupported,
        Self::NoAdapter,
        Self::DeviceLost,
        Self::Gpu,
        Self::OutOfMemory,
        Self::Disconnected,
        Self::Stalled,
        Self::Io,
        Self::Encode,
        Self::Panicked,
        Self::Exception,
        Self::Cancelled,
    ];

    /// As other languages and logs write it: `invalid_argument`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::InvalidGraph => "invalid_graph",
            Self::NotFound => "not_found",
            Self::PermissionDenied => "permission_denied",
            Self::Busy => "busy",
            Self::Unsupported => "unsupported",
            Self::NoAdapter => "no_adapter",
            Self::DeviceLost => "device_lost",
            Self::Gpu => "gpu",
            Self::OutOfMemory => "out_of_memory",
            Self::Disconnected => "disconnected",
            Self::Stalled => "stalled",
            Self::Io => "io",
            Self::Encode => "encode",
            Self::Panicked => "panicked",
            Self::Exception => "exception",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with its kind, the node it happened in, the way out and its cause.
///
/// `Display` prints one line: `node 'camera': no camera 'front' (there is: 0 'vivid'); pass one of these names`.
/// The cause is available through [`std::error::Error::source`].
///
/// ```
/// use streamlib_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::NotFound, "no camera 'front'").hint("pass one of: 'back'").in_node("camera");
/// assert_eq!(error.to_string(), "node 'camera': no camera 'front'; pass one of: 'back'");
/// assert!(!error.is_recoverable());
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    node: Option<Arc<str>>,
    message: String,
    hint: Option<String>,
    is_for_every_policy: bool,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error that says what happened. Add the way out with [`hint`](Self::hint).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, node: None, message: message.into(), hint: None, is_for_every_policy: false, source: None }))
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Whatever the policy of the node in which it happened says, it ends the run: for processors that want just that.
    #[must_use]
    pub fn for_every_policy(mut self) -> Self {
        self.0.is_for_every_policy = true;
        self
    }

    pub(crate) fn is_for_every_policy(&self) -> bool {
        self.0.is_for_every_policy
    }

    /// The error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Says before the message what it was about: `buffer 'small': ...`.
    #[must_use]
    pub fn with_context(self, what: impl fmt::Display) -> Self {
        self.with_message(|message| format!("{what}: {message}"))
    }

    /// Says the same in other words.
    pub(crate) fn with_message(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.0.message = change(&self.0.message);
        self
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Names the node, unless an inner call has named one already.
    #[must_use]
    pub fn in_node(mut self, node: impl Into<Arc<str>>) -> Self {
        self.0.node.get_or_insert_with(|| node.into());
        self
    }

    /// What went wrong, as far as a program can act on it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The node it happened in, if it happened in one.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }

    /// Whether the same call may succeed later without anybody changing the program: a camera that was unplugged, a busy
    /// device, a lost GPU.
    pub fn is_recoverable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Busy | ErrorKind::DeviceLost | ErrorKind::Disconnected | ErrorKind::Stalled)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.0.node {
            write!(f, "node '{node}': ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(hint) = &self.0.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// The whole chain, so that `fn main() -> Result<()>` prints what a person needs.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
