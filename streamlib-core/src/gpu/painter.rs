//! Painting a frame onto a texture that is none of ours: a window's.

use std::sync::Arc;

use super::bind_groups::ResourceId;
use super::device::Device;
use super::{FrameEncoder, GpuContext, wgsl};
use crate::{Error, ErrorKind, Result, VideoFrame};

/// A vertex and a fragment shader that draw one frame over a part of a texture. Cloning is cheap.
///
/// The WGSL reads the frame as `@group(0) @binding(0) var src: texture_2d<f32>`, in linear light (its sRGB encoding is undone), with
/// the linear sampler at `@binding(1)`. It draws three vertices.
#[derive(Clone)]
pub struct FramePainter(Arc<Inner>);

struct Inner {
    id: ResourceId,
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    target: wgpu::TextureFormat,
    device: Arc<Device>,
}

/// Which of a module's shaders to use, and for what.
#[derive(Clone, Copy, Debug)]
pub struct PainterOptions<'a> {
    /// The `@vertex` function.
    pub vertex: &'a str,
    /// The `@fragment` function.
    pub fragment: &'a str,
    /// The format of the textures that are painted on, or one that they can be viewed as.
    pub target: wgpu::TextureFormat,
}

/// A part of a texture, in texels from its top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Viewport {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
    /// Across.
    pub width: f32,
    /// Down.
    pub height: f32,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.device.bind_groups.forget(self.id);
    }
}

impl GpuContext {
    /// Makes a painter. `label` names it in errors. Blocks for as long as the driver takes.
    pub fn painter(&self, label: &str, wgsl: &str, options: &PainterOptions<'_>) -> Result<FramePainter> {
        let device = self.device();
        wgsl::checked(wgsl).map_err(|message| {
            Error::new(ErrorKind::InvalidArgument, format!("painter '{label}'{message}")).hint("correct the WGSL")
        })?;
        let entry =
            |binding, ty| wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::FRAGMENT, ty, count: None };
        let texture = wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        };
        let sampler = wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering);
        let layout = device.create_bind_group_layout("streamlib painter", &[entry(0, texture), entry(1, sampler)]);
        let pipeline = device.create_render_pipeline(&format!("painter '{label}'"), wgsl, options, &layout)?;
        Ok(FramePainter(Arc::new(Inner {
            id: ResourceId::new(),
            pipeline,
            layout,
            target: options.target,
            device: device.clone(),
        })))
    }
}

impl FramePainter {
    /// Records the painting of an `rgba8` frame onto `target`, which becomes black elsewhere.
    pub fn paint(&self, encoder: &mut FrameEncoder, frame: &VideoFrame, target: &wgpu::Texture, at: Viewport) -> Result<()> {
        let Inner { id, pipeline, layout, target: format, device } = &*self.0;
        let Some(light) = frame.lease().resource().light(device) else {
            let message = format!("a frame of {} cannot be painted", frame.format());
            return Err(Error::new(ErrorKind::InvalidArgument, message).hint("paint rgba8"));
        };
        encoder.reads(frame);
        let (sampler_id, sampler) = &device.samplers.linear;
        let key = [*id, frame.lease().id(), *sampler_id].into_iter().collect();
        let resource = |binding| match binding {
            0 => wgpu::BindingResource::TextureView(light),
            _ => wgpu::BindingResource::Sampler(sampler),
        };
        let group = device.bind_groups.find(key, || device.create_group(layout, 2, resource));
        let view = Device::foreign_view(target, *format);
        let mut pass = encoder.commands().begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("streamlib painter"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
            })],
            ..Default::default()
        });
        pass.set_viewport(at.x, at.y, at.width, at.height, 0.0, 1.0);
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.draw(0..3, 0..1);
        Ok(())
    }
}
