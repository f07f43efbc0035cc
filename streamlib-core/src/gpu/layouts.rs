//! The bind group layouts that all frame shaders share, so that a texture's bind groups serve every shader.

use super::device::Device;
use super::slot::Slot;
use crate::{Error, ErrorKind, PixelFormat, Result};

pub(super) struct Layouts {
    sampled: wgpu::BindGroupLayout,
    storage_rgba8: wgpu::BindGroupLayout,
    storage_r8: Option<wgpu::BindGroupLayout>,
}

impl Layouts {
    pub(super) fn new(device: &Device) -> Self {
        let layout = |label, ty| {
            device.raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(label),
                entries: &[wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::COMPUTE | wgpu::ShaderStages::FRAGMENT,
                    ty,
                    count: None,
                }],
            })
        };
        let storage = |format| {
            let entry = wgpu::BindingType::StorageTexture {
                access: wgpu::StorageTextureAccess::WriteOnly,
                format,
                view_dimension: wgpu::TextureViewDimension::D2,
            };
            device.raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some("streamlib destination"),
                entries: &[wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::COMPUTE,
                    ty: entry,
                    count: None,
                }],
            })
        };
        let r8 = PixelFormat::I420.texture_format();
        let writes_r8 = device.allowed_usages(r8).contains(wgpu::TextureUsages::STORAGE_BINDING);
        Self {
            sampled: layout(
                "streamlib source",
                wgpu::BindingType::Texture {
                    sample_type: wgpu::TextureSampleType::Float { filterable: true },
                    view_dimension: wgpu::TextureViewDimension::D2,
                    multisampled: false,
                },
            ),
            storage_rgba8: storage(PixelFormat::Rgba8.texture_format()),
            storage_r8: writes_r8.then(|| storage(r8)),
        }
    }

    pub(super) fn sampled(&self) -> &wgpu::BindGroupLayout {
        &self.sampled
    }

    /// The layout for writing textures of `format`; `None` when the adapter cannot.
    pub(super) fn storage(&self, format: wgpu::TextureFormat) -> Option<&wgpu::BindGroupLayout> {
        match format {
            wgpu::TextureFormat::Rgba8Unorm => Some(&self.storage_rgba8),
            wgpu::TextureFormat::R8Unorm => self.storage_r8.as_ref(),
            _ => None,
        }
    }

    /// The slot's bind group for reading, made on first use.
    pub(super) fn sampled_group<'a>(&self, device: &wgpu::Device, slot: &'a Slot) -> &'a wgpu::BindGroup {
        slot.sampled.get_or_init(|| group(device, &self.sampled, &slot.view))
    }

    /// The slot's bind group for writing, made on first use.
    pub(super) fn storage_group<'a>(&self, device: &wgpu::Device, slot: &'a Slot) -> Result<&'a wgpu::BindGroup> {
        let layout = self.storage(slot.texture.format()).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("this adapter cannot write {:?} from a shader", slot.texture.format()))
        })?;
        Ok(slot.storage.get_or_init(|| group(device, layout, &slot.view)))
    }
}

fn group(device: &wgpu::Device, layout: &wgpu::BindGroupLayout, view: &wgpu::TextureView) -> wgpu::BindGroup {
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("streamlib frame"),
        layout,
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(view) }],
    })
}
