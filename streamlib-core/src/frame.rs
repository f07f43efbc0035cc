//! `VideoFrame`: a handle to a texture and what its pixels mean.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};

use crate::gpu::{Draft, GpuContext, Lease, PixelGroup, Texture};
use crate::{PixelFormat, Result, Size, Timestamp, VideoFormat};

/// A picture on the GPU: a texture, the meaning of its pixels, when it was captured and its place in the stream.
///
/// Cloning copies no pixel. When the last clone (and the last encoder that recorded it) drops, the texture goes back to its
/// pool. Once written to a port a frame is immutable; draw into a new one that is [`like`](Self::like) it.
#[derive(Clone)]
pub struct VideoFrame {
    lease: Lease<Texture>,
    format: VideoFormat,
    time: Timestamp,
    captured_at: Instant,
    sequence: u64,
    metadata: Option<Arc<Map<String, Value>>>,
    /// What pixel shaders asked for that the next node, a pass that their plan has inserted, will draw.
    draft: Option<Draft>,
}

impl VideoFrame {
    pub(crate) fn new(lease: Lease<Texture>, format: VideoFormat) -> Self {
        Self { lease, format, time: Timestamp::ZERO, captured_at: Instant::now(), sequence: 0, metadata: None, draft: None }
    }

    /// What is to be drawn of it; nothing at first. A draft of another group was left by somebody who kept the frame.
    pub(crate) fn draft_for(&mut self, group: &PixelGroup) -> &mut Draft {
        self.draft.take_if(|draft| !group.owns(draft));
        self.draft.get_or_insert_with(|| group.draft())
    }

    pub(crate) fn take_draft(&mut self, group: &PixelGroup) -> Option<Draft> {
        self.draft.take().filter(|draft| group.owns(draft))
    }

    pub(crate) fn lease(&self) -> &Lease<Texture> {
        &self.lease
    }

    /// The texture. As long as somebody holds it, it is not used for another frame.
    pub fn texture(&self) -> Arc<wgpu::Texture> {
        self.lease.texture().clone()
    }

    /// The texture's default view. Does not keep the texture from being used again; the frame does.
    pub fn view(&self) -> &wgpu::TextureView {
        self.lease.view()
    }

    /// Which of the things it is that [`GpuContext::leases`] lists.
    pub fn lease_id(&self) -> u64 {
        self.lease.id().number()
    }

    /// What the pixels mean.
    pub fn format(&self) -> VideoFormat {
        self.format
    }

    /// The picture's size in pixels.
    pub fn size(&self) -> Size {
        self.format.size
    }

    /// When it was captured, on the runtime's clock. Offline: its place in the medium.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// When it was captured in real time: latency counts from here, live and offline alike.
    pub fn captured_at(&self) -> Instant {
        self.captured_at
    }

    /// Its number in the stream, as its source counts.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Sets when it was captured.
    #[must_use]
    pub fn with_time(self, time: Timestamp) -> Self {
        Self { time, ..self }
    }

    /// Sets when it was captured in real time. [`GpuContext::frame`] sets the moment of its call.
    #[must_use]
    pub fn with_captured_at(self, captured_at: Instant) -> Self {
        Self { captured_at, ..self }
    }

    /// Sets its number in the stream.
    #[must_use]
    pub fn with_sequence(self, sequence: u64) -> Self {
        Self { sequence, ..self }
    }

    /// What processors have said of the picture beside its pixels, by name. It goes on to what is made of the picture.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.metadata.iter().flat_map(|metadata| metadata.iter().map(|(name, value)| (&**name, value)))
    }

    /// Says something of the picture, in the place of what was said under this name before.
    #[must_use]
    pub fn with_metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        Arc::make_mut(self.metadata.get_or_insert_default()).insert(name.into(), value.into());
        self
    }

    /// Sets how its Y'CbCr is to be read. Changes the description, not the pixels.
    #[must_use]
    pub fn with_color(mut self, color: crate::Color) -> Self {
        self.format.color = color;
        self
    }

    /// A pooled frame of the same format, time, sequence number and metadata, its pixels undefined. Waits and fails like
    /// [`GpuContext::frame`].
    pub fn like(&self) -> Result<Self> {
        self.like_with(self.format)
    }

    /// The same in another pixel format.
    pub fn like_in(&self, pixel: PixelFormat) -> Result<Self> {
        self.like_with(self.format.with_pixel(pixel))
    }

    /// The same in another format.
    pub(crate) fn like_with(&self, format: VideoFormat) -> Result<Self> {
        self.like_for(format, &self.lease.taker())
    }

    /// The same, but `None` where it would have to be made or waited for, and taken by this node. Does not block.
    pub fn like_if_free(&self, pixel: PixelFormat, taker: &Arc<str>) -> Option<Self> {
        let frame = GpuContext::free_frame_like(&self.lease, self.format.with_pixel(pixel), taker)?;
        Some(self.describe(frame))
    }

    /// The same as [`like_in`](Self::like_in), taken by this node.
    pub fn like_taken_by(&self, pixel: PixelFormat, taker: &Arc<str>) -> Result<Self> {
        self.like_for(self.format.with_pixel(pixel), taker)
    }

    /// `frame` with what is said of this one.
    fn describe(&self, frame: Self) -> Self {
        let Self { time, captured_at, sequence, .. } = *self;
        Self { time, captured_at, sequence, metadata: self.metadata.clone(), ..frame }
    }

    /// The same, taken by this node.
    pub(crate) fn like_for(&self, format: VideoFormat, taker: &Arc<str>) -> Result<Self> {
        let frame = GpuContext::frame_like(&self.lease, format, taker)?;
        Ok(self.describe(frame))
    }
}

impl std::fmt::Debug for VideoFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VideoFrame(#{} {} at {:?})", self.sequence, self.format, self.time)
    }
}
