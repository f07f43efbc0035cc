//! Pictures in files: `images` reads them as a stream, `save-images` writes a stream as numbered files.

mod decode;
mod encode;
mod jpeg;
mod list;
mod names;
mod sink;
mod source;

pub use decode::{Picture, decode};
pub use encode::ImageFormat;
pub use sink::{SaveImages, SaveImagesParameters};
pub use source::{Broken, Images, ImagesParameters};
