//! Pixels on their way from the CPU to a frame: one copy into reused staging memory, in the layout of the frame's texture.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::slot::Lease;
use super::staging::{Staging, padded_row_bytes};
use super::{FrameEncoder, GpuContext};
use crate::{Error, ErrorKind, PixelFormat, Result, VideoFormat, VideoFrame};

/// A plane of a picture in CPU memory: rows that begin `stride` bytes apart. After the last row nothing need follow.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// The plane from its first pixel on.
    pub bytes: &'a [u8],
    /// Bytes from the start of a row to that of the next.
    pub stride: usize,
}

/// Where a plane lies in its texture, in bytes and rows. A plane can be smaller than its place: odd pictures are padded.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    name: &'static str,
    /// The first byte in a row of the texture.
    left: usize,
    /// The first row of the texture.
    top: usize,
    /// Bytes of a row of the plane.
    row_bytes: usize,
    rows: usize,
    /// Bytes of a row of the place.
    place_bytes: usize,
    place_rows: usize,
    /// Whether a pixel is one byte, so that padding repeats the edge. Otherwise it is zero.
    repeats_edge: bool,
}

impl VideoFormat {
    /// The planes that a camera or a decoder delivers of such a picture, and how many they are. On the frame path: no allocation.
    fn places(self) -> ([Place; 3], usize) {
        let (width, height) = (self.size.width() as usize, self.size.height() as usize);
        let (even_width, even_height) = (width.next_multiple_of(2), height.next_multiple_of(2));
        let plane = |name, left, top, row_bytes, rows| Place {
            name,
            left,
            top,
            row_bytes,
            rows,
            place_bytes: row_bytes,
            place_rows: rows,
            repeats_edge: true,
        };
        let luma = Place { place_bytes: even_width, ..plane("luma", 0, 0, width, height) };
        let half = even_width / 2;
        let one = |plane| ([plane, Place::default(), Place::default()], 1);
        match self.pixel {
            PixelFormat::Nv12 => {
                let chroma = plane("chroma", 0, even_height, even_width, even_height / 2);
                ([Place { place_rows: even_height, ..luma }, chroma, Place::default()], 2)
            }
            PixelFormat::I420 => {
                let chroma = |name, left| plane(name, left, even_height, half, even_height / 2);
                ([Place { place_rows: even_height, ..luma }, chroma("Cb", 0), chroma("Cr", half)], 3)
            }
            PixelFormat::I422 => {
                let chroma = |name, left| plane(name, left, height, half, height);
                ([luma, chroma("Cb", 0), chroma("Cr", half)], 3)
            }
            PixelFormat::I444 => {
                let chroma = |name, top| plane(name, 0, top, width, height);
                ([Place { place_bytes: width, ..luma }, chroma("Cb", height), chroma("Cr", 2 * height)], 3)
            }
            PixelFormat::Rgb24 | PixelFormat::Bgr24 => {
                let picture = plane("picture", 0, 0, width * 3, height);
                one(Place { place_bytes: self.row_bytes(), repeats_edge: false, ..picture })
            }
            PixelFormat::Rgba8 | PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Grey8 => {
                one(plane("picture", 0, 0, self.row_bytes(), height))
            }
        }
    }
}

impl FrameEncoder {
    /// Uploads rows of pixels that lie `stride` bytes apart, through reused staging memory. One copy on the CPU.
    ///
    /// `rows` must hold the frame's texture: `texture_size().height` rows of at least `row_bytes()` bytes. For pictures whose
    /// planes lie elsewhere, or whose odd sides are not padded, there is [`upload_planes`](Self::upload_planes).
    pub fn upload(&mut self, frame: &mut VideoFrame, rows: &[u8], stride: usize) -> Result<()> {
        let format = frame.format();
        let (row, height) = (format.row_bytes(), format.texture_size().height as usize);
        let needed = bytes_needed(stride, row, height);
        if stride < row || rows.len() < needed {
            let message = format!("{} bytes in rows of {stride} are no picture of {format}", rows.len());
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .hint(format!("it takes {height} rows of at least {row} bytes, {needed} bytes in all")));
        }
        self.stage(frame, |view, padded| {
            if stride == padded && rows.len() >= padded * height {
                view.copy_from_slice(&rows[..padded * height]);
                return;
            }
            for (index, source) in rows.chunks(stride).take(height).enumerate() {
                view.slice(index * padded..index * padded + row).copy_from_slice(&source[..row]);
            }
        })
    }

    /// Uploads a picture whose planes lie apart, as cameras and decoders deliver them. One copy on the CPU.
    ///
    /// | format | planes, in this order, `width` x `height` being the picture's |
    /// |---|---|
    /// | `i420` | luma `width` x `height`, Cb and Cr of half of that, each side rounded up |
    /// | `i422` | luma, Cb and Cr of half the width, rounded up |
    /// | `i444` | luma, Cb and Cr, all of one size |
    /// | `nv12` | luma; rows of `Cb Cr` pairs, as many as `i420`'s |
    /// | `yuyv`, `uyvy` | one, its width rounded up to even |
    /// | `rgb24`, `bgr24`, `rgba8`, `grey8` | one |
    ///
    /// Odd sides need no padding. A wrong number of planes, a stride that is shorter than a row and a plane that is too short are
    /// [`ErrorKind::InvalidArgument`].
    pub fn upload_planes(&mut self, frame: &mut VideoFrame, planes: &[Plane<'_>]) -> Result<()> {
        let format = frame.format();
        let (places, count) = format.places();
        let places = &places[..count];
        check(format, places, planes)?;
        self.stage(frame, |view, padded| {
            for (place, plane) in places.iter().zip(planes) {
                let padding = place.place_bytes - place.row_bytes;
                for index in 0..place.place_rows {
                    let start = index.min(place.rows - 1) * plane.stride;
                    let row = &plane.bytes[start..start + place.row_bytes];
                    let at = (place.top + index) * padded + place.left;
                    view.slice(at..at + row.len()).copy_from_slice(row);
                    if padding > 0 {
                        let edge = if place.repeats_edge { row[row.len() - 1] } else { 0 };
                        view.slice(at + row.len()..at + row.len() + padding).fill(edge);
                    }
                }
            }
        })
    }

    /// Lets `fill` write the texture's rows, which lie so many bytes apart, and records their way into the texture.
    fn stage(&mut self, frame: &mut VideoFrame, fill: impl FnOnce(&mut wgpu::BufferViewMut, usize)) -> Result<()> {
        Self::check_writable(frame)?;
        let memory = self.gpu().upload_memory(frame.format(), &frame.lease().taker())?;
        fill(&mut memory.staging.write(memory.bytes())?, padded_row_bytes(frame.format()) as usize);
        self.upload_from(frame, memory)
    }

    /// Records the way of what was written to `memory` into the texture of `frame`, which must have the same format.
    pub fn upload_from(&mut self, frame: &mut VideoFrame, memory: UploadMemory) -> Result<()> {
        let UploadMemory { staging, format } = memory;
        if format.texture_size() != frame.format().texture_size() || format.pixel != frame.format().pixel {
            let message = format!("pixels of {format} cannot be uploaded to a frame of {}", frame.format());
            return Err(Error::new(ErrorKind::InvalidArgument, message).hint("both must have one format"));
        }
        self.writes(frame)?;
        let extent = format.texture_size();
        let padded = padded_row_bytes(format);
        let size = padded as usize * extent.height as usize;
        let gpu = self.gpu().clone();
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(padded), rows_per_image: None };
        self.commands().copy_buffer_to_texture(
            wgpu::TexelCopyBufferInfo { buffer: staging.raw(), layout },
            frame.lease().texture().as_image_copy(),
            extent,
        );
        self.uploads.push(staging);
        let bytes = &gpu.device().bytes;
        bytes.uploaded.fetch_add(format.bytes() as u64, Ordering::Relaxed);
        bytes.row_padding.fetch_add((size - format.bytes()) as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Memory for the pixels of a frame on their way to the GPU: what may have to be waited for is had before anything is written.
pub struct UploadMemory {
    staging: Lease<Staging>,
    format: VideoFormat,
}

impl GpuContext {
    /// Memory for a picture of this format. Waits up to two seconds when the budget is used up, then fails, saying who holds what.
    pub fn upload_memory(&self, format: VideoFormat, taker: &Arc<str>) -> Result<UploadMemory> {
        let bytes = u64::from(padded_row_bytes(format)) * u64::from(format.texture_size().height);
        Ok(UploadMemory { staging: Staging::for_upload(self, bytes, taker)?, format })
    }
}

impl UploadMemory {
    fn bytes(&self) -> u64 {
        u64::from(padded_row_bytes(self.format)) * u64::from(self.format.texture_size().height)
    }

    /// Writes the rows of the texture from the first on, each [`VideoFormat::row_bytes`] long. Does not block.
    pub fn write_rows<'a>(&mut self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<()> {
        let (row_bytes, padded) = (self.format.row_bytes(), padded_row_bytes(self.format) as usize);
        let height = self.format.texture_size().height as usize;
        let mut view = self.staging.write(self.bytes())?;
        let mut written = 0;
        for (index, row) in rows.into_iter().enumerate() {
            if row.len() != row_bytes || index >= height {
                let message = format!("row {index} of {} bytes is none of {}", row.len(), self.format);
                return Err(
                    Error::new(ErrorKind::InvalidArgument, message).hint(format!("it takes {height} rows of {row_bytes} bytes"))
                );
            }
            view.slice(index * padded..index * padded + row_bytes).copy_from_slice(row);
            written += 1;
        }
        match written == height {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::InvalidArgument, format!("{written} rows are no picture of {}", self.format))
                .hint(format!("it takes {height} rows of {row_bytes} bytes"))),
        }
    }
}

/// Bytes of so many rows, `stride` apart, the last of which ends with its pixels.
fn bytes_needed(stride: usize, row: usize, rows: usize) -> usize {
    stride.saturating_mul(rows - 1).saturating_add(row)
}

fn check(format: VideoFormat, places: &[Place], planes: &[Plane<'_>]) -> Result<()> {
    let wrong = |message, hint| Err(Error::new(ErrorKind::InvalidArgument, message).hint(hint));
    if planes.len() != places.len() {
        let names = places.iter().map(|place| place.name).collect::<Vec<_>>().join(", ");
        return wrong(
            format!("{format} has {} planes, not {}", places.len(), planes.len()),
            format!("pass them in this order: {names}"),
        );
    }
    for (place, plane) in places.iter().zip(planes) {
        let needed = bytes_needed(plane.stride, place.row_bytes, place.rows);
        if plane.stride < place.row_bytes || plane.bytes.len() < needed {
            return wrong(
                format!("{} bytes in rows of {} are no {} of {format}", plane.bytes.len(), plane.stride, place.name),
                format!("it takes {} rows of at least {} bytes, {needed} bytes in all", place.rows, place.row_bytes),
            );
        }
    }
    Ok(())
}
