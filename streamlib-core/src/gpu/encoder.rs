//! Records GPU work on frames, keeps those frames until it is submitted, and submits once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::GpuContext;
use super::buffer::BufferMemory;
use super::refusals::Attending;
use super::slot::Lease;
use super::staging::{Fate, ReadBack, Staging};
use super::texture::Texture;
use super::timeline::ReadyToken;
use super::uniform::{UniformOffsets, UniformWriter};
use crate::{Error, ErrorKind, Result, VideoFrame};

/// One command buffer in the making.
///
/// It holds every frame that was recorded until the commands are submitted. Without that, a dropped frame's texture could be
/// handed out, overwritten and submitted by somebody else before this encoder's commands read it.
pub struct FrameEncoder {
    gpu: GpuContext,
    commands: Option<wgpu::CommandEncoder>,
    read: Vec<Lease<Texture>>,
    written: Vec<Lease<Texture>>,
    read_buffers: Vec<Lease<BufferMemory>>,
    written_buffers: Vec<Lease<BufferMemory>>,
    /// Filled by `upload` and `write_buffer`.
    pub(super) uploads: Vec<Lease<Staging>>,
    /// Filled by `read_back` and `read_buffer`.
    pub(super) read_backs: Vec<Lease<Staging>>,
    uniforms: UniformWriter,
    /// Whether something was recorded since it was last asked.
    has_recorded: bool,
}

impl FrameEncoder {
    pub(super) fn new(gpu: GpuContext) -> Self {
        Self {
            gpu,
            commands: None,
            read: Vec::new(),
            written: Vec::new(),
            read_buffers: Vec::new(),
            written_buffers: Vec::new(),
            uploads: Vec::new(),
            read_backs: Vec::new(),
            uniforms: UniformWriter::default(),
            has_recorded: false,
        }
    }

    /// The GPU it records for.
    pub fn gpu(&self) -> &GpuContext {
        &self.gpu
    }

    /// Whether nothing was recorded since the last submission.
    pub fn is_empty(&self) -> bool {
        self.commands.is_none()
    }

    /// wgpu's encoder, for work that streamlib has no words for. Name the frames that it touches with [`reads`](Self::reads)
    /// and [`writes`](Self::writes).
    pub fn commands(&mut self) -> &mut wgpu::CommandEncoder {
        self.has_recorded = true;
        let device = self.gpu.device();
        self.commands.get_or_insert_with(|| device.create_command_encoder())
    }

    /// Whether something was recorded since the last call.
    pub(crate) fn take_recorded(&mut self) -> bool {
        std::mem::take(&mut self.has_recorded)
    }

    /// Keeps `frame` until submission, because recorded commands read it.
    pub fn reads(&mut self, frame: &VideoFrame) {
        self.read.push(frame.lease().clone());
    }

    /// Keeps `frame` until submission, because recorded commands write it; from then on its token is this submission.
    ///
    /// A frame that was written to a port is immutable: [`ErrorKind::InvalidArgument`].
    pub fn writes(&mut self, frame: &mut VideoFrame) -> Result<()> {
        Self::check_writable(frame)?;
        self.keeps(frame, true);
        Ok(())
    }

    /// Whether it has recorded something that writes `frame` since the last submission.
    pub fn has_written(&self, frame: &VideoFrame) -> bool {
        self.written.iter().any(|lease| lease.id() == frame.lease().id())
    }

    /// Whether it keeps memory of uploads or read-backs, which others may wait for, until it is submitted.
    pub fn keeps_staging(&self) -> bool {
        !self.uploads.is_empty() || !self.read_backs.is_empty()
    }

    pub(super) fn check_writable(frame: &VideoFrame) -> Result<()> {
        match frame.lease().is_published() {
            false => Ok(()),
            true => Err(Error::new(ErrorKind::InvalidArgument, "a frame that was sent, or came in, cannot be changed")
                .hint("take a new one with `like`, or `edit` it")),
        }
    }

    /// Keeps `frame` until submission, because recorded commands use it.
    pub(super) fn keeps(&mut self, frame: &VideoFrame, writes: bool) {
        match writes {
            true => self.written.push(frame.lease().clone()),
            false => self.read.push(frame.lease().clone()),
        }
    }

    /// Keeps `buffer` until submission, because recorded commands use it.
    pub(super) fn keeps_buffer(&mut self, buffer: &Lease<BufferMemory>, writes: bool) {
        match writes {
            true => self.written_buffers.push(buffer.clone()),
            false => self.read_buffers.push(buffer.clone()),
        }
    }

    /// Copies the pixels of `source` to `destination`, which must have the same format.
    pub fn copy(&mut self, source: &VideoFrame, destination: &mut VideoFrame) -> Result<()> {
        if source.format().texture_size() != destination.format().texture_size()
            || source.format().pixel != destination.format().pixel
        {
            let message = format!("cannot copy {} to {}", source.format(), destination.format());
            return Err(Error::new(ErrorKind::InvalidArgument, message).hint("both must have one format"));
        }
        self.writes(destination)?;
        self.reads(source);
        let extent = source.format().texture_size();
        let to = destination.lease().texture().as_image_copy();
        self.commands().copy_texture_to_texture(source.lease().texture().as_image_copy(), to, extent);
        self.gpu.device().bytes.copied.fetch_add(source.format().bytes() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// The same picture to be changed, in this encoder: itself if nobody else holds it, else a pooled copy. Others who hold it see no
    /// change.
    ///
    /// What is not written keeps its colour: draw into it with a kernel that writes some of its texels, or a render pass that loads.
    pub fn edit(&mut self, frame: VideoFrame) -> Result<VideoFrame> {
        if self.edit_in_place(&frame) {
            return Ok(frame);
        }
        let mut copy = frame.like()?;
        self.copy(&frame, &mut copy)?;
        Ok(copy)
    }

    /// Whether the picture may be changed where it is, in this encoder: nobody but this handle holds it. Then it can be written from now on.
    pub fn edit_in_place(&mut self, frame: &VideoFrame) -> bool {
        let id = frame.lease().id();
        let is_it = |lease: &&Lease<Texture>| lease.id() == id;
        // What this encoder keeps it for comes before the change.
        let kept = self.read.iter().filter(is_it).count() + self.written.iter().filter(is_it).count();
        let is_unshared = frame.lease().is_unshared(1 + kept);
        if is_unshared {
            frame.lease().unpublish();
        }
        is_unshared
    }

    /// Starts bringing the pixels of `frame` to the CPU. Does not block; see [`ReadBack::wait`].
    pub fn read_back(&mut self, frame: &VideoFrame) -> Result<ReadBack> {
        self.reads(frame);
        let gpu = self.gpu.clone();
        let (read_back, staging) = ReadBack::record(&gpu, self.commands(), frame)?;
        self.read_backs.push(staging);
        Ok(read_back)
    }

    /// Writes the uniforms of a dispatch that is recorded next.
    pub(super) fn uniforms(&mut self, uniforms: &[&[u8]]) -> Result<(wgpu::BindGroup, UniformOffsets)> {
        let gpu = self.gpu.clone();
        self.commands();
        let Some(commands) = &mut self.commands else { return Err(Error::new(ErrorKind::Gpu, "there is no command encoder")) };
        self.uniforms.write(gpu.device(), gpu.uniform_blocks(), commands, uniforms)
    }

    /// Submits what was recorded and waits until the GPU has done it. Not for the frame path.
    ///
    /// [`ErrorKind::Stalled`] after `timeout`: the work goes on all the same, and what it uses comes back when it is done. Otherwise fails
    /// like [`submit`](Self::submit).
    pub fn submit_and_wait(&mut self, timeout: Duration) -> Result<()> {
        self.submit()?.map_or(Ok(()), |token| token.wait(timeout))
    }

    /// Submits what was recorded and lets frames and buffers go; `None` when nothing was. Does not wait for the GPU.
    ///
    /// What one encoder recorded is done in its order. Encoders are done in the order in which they are submitted: what one thread submits after it has seen another's
    /// `submit` return comes after that. An encoder that is dropped instead does nothing at all.
    ///
    /// Fails with what wgpu found wrong with the commands, and with [`ErrorKind::DeviceLost`].
    pub fn submit(&mut self) -> Result<Option<ReadyToken>> {
        let Some(commands) = self.commands.take() else {
            return Ok(None);
        };
        let device = self.gpu.device();
        self.uniforms.submit(&commands, self.gpu.uniform_blocks());
        self.uploads.drain(..).for_each(|staging| staging.map_after(&commands));
        let attending = Attending::begin();
        let submission = device.submitter.submit([commands.finish()]);
        let refused = self.gpu.take_error();
        drop(attending);
        self.written.drain(..).for_each(|lease| lease.set_submission(submission));
        self.written_buffers.drain(..).for_each(|lease| lease.set_submission(submission));
        self.read.clear();
        self.read_buffers.clear();
        for staging in self.read_backs.drain(..) {
            staging.resource().set_fate(match &refused {
                Ok(()) => Fate::Submitted(submission),
                Err(_) => Fate::Refused,
            });
        }
        // Then what threads have done wrong that do not look for it, unless this one is a segment's.
        refused.and_then(|()| self.gpu.take_error())?;
        self.gpu.timeline().check_alive()?;
        Ok(Some(self.gpu.token(submission)))
    }
}

/// What was not submitted is cancelled.
impl Drop for FrameEncoder {
    fn drop(&mut self) {
        self.read_backs.iter().for_each(|staging| staging.resource().set_fate(Fate::Cancelled));
        self.uniforms.cancel(self.gpu.uniform_blocks());
    }
}
