//! Pooled textures.

use std::sync::{Arc, OnceLock};

use super::device::Device;
use super::pool::Resource;
use super::slot::Lease;
use crate::{Error, ErrorKind, PixelFormat, Result, VideoFormat};

/// What every pooled texture may be used for.
const USAGES: wgpu::TextureUsages = wgpu::TextureUsages::COPY_SRC
    .union(wgpu::TextureUsages::COPY_DST)
    .union(wgpu::TextureUsages::TEXTURE_BINDING)
    .union(wgpu::TextureUsages::RENDER_ATTACHMENT)
    .union(wgpu::TextureUsages::STORAGE_BINDING);

/// A texture and its views, which hold no `Arc` of it.
pub(crate) struct Texture {
    pub(super) texture: Arc<wgpu::Texture>,
    pub(super) view: wgpu::TextureView,
    /// Made when it is first painted.
    light: OnceLock<wgpu::TextureView>,
}

impl Texture {
    /// The view through which it is read in linear light, if it is `rgba8`.
    pub(super) fn light(&self, device: &Device) -> Option<&wgpu::TextureView> {
        let has_light = self.texture.format() == wgpu::TextureFormat::Rgba8Unorm;
        has_light.then(|| self.light.get_or_init(|| device.create_light_view(&self.texture)))
    }
}

/// What makes two textures interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TextureKey {
    size: wgpu::Extent3d,
    pixel: PixelFormat,
}

impl TextureKey {
    /// The texture of a picture, if the device can make one.
    pub(super) fn new(format: VideoFormat, device: &Device) -> Result<Self> {
        let size = format.texture_size();
        let limit = device.raw.limits().max_texture_dimension_2d;
        if size.width > limit || size.height > limit {
            let message = format!("a texture of {}x{} texels is too large", size.width, size.height);
            let hint = format!("this adapter takes up to {limit}x{limit}; choose a smaller picture");
            return Err(Error::new(ErrorKind::Unsupported, message).hint(hint));
        }
        Ok(Self { size, pixel: format.pixel })
    }
}

impl Resource for Texture {
    type Key = TextureKey;
    const WHAT: &'static str = "a texture";

    fn bytes(key: TextureKey) -> u64 {
        u64::from(key.size.width) * u64::from(key.size.height) * u64::from(key.pixel.texel_bytes())
    }

    fn describe(key: TextureKey) -> String {
        format!("{} texture of {}x{}", key.pixel, key.size.width, key.size.height)
    }

    fn create(device: &Device, key: TextureKey) -> Result<Self> {
        let texture = device.create_texture(key.size, key.pixel.texture_format(), USAGES)?;
        Ok(Self { view: device.create_view(&texture), light: OnceLock::new(), texture: Arc::new(texture) })
    }

    fn is_reusable(&self) -> bool {
        Arc::strong_count(&self.texture) == 1
    }
}

impl Lease<Texture> {
    pub(crate) fn texture(&self) -> &Arc<wgpu::Texture> {
        &self.resource().texture
    }

    pub(crate) fn view(&self) -> &wgpu::TextureView {
        &self.resource().view
    }
}
