//! The three system calls that the `v4l` crate has no safe and complete form of.
//!
//! Its `query_caps` panics at a name that is not UTF-8 (the kernel cuts names at 31 bytes, in the middle of a character if need
//! be), its `Format` leaves the Y'CbCr encoding out, and it opens cameras so that child processes inherit them.
#![allow(unsafe_code, reason = "system calls that take a pointer to a C structure, each beside the structure that it fills")]

use std::io;
use std::mem;
use std::os::fd::BorrowedFd;

use ::v4l::device::Handle;
use ::v4l::v4l_sys::{v4l2_capability, v4l2_format, v4l2_pix_format};
use ::v4l::v4l2::{self, vidioc};

/// `V4L2_CAP_...` of `videodev2.h`.
const VIDEO_CAPTURE: u32 = 0x0000_0001;
const VIDEO_OUTPUT: u32 = 0x0000_0002;
const STREAMING: u32 = 0x0400_0000;
const DEVICE_CAPS: u32 = 0x8000_0000;
/// `V4L2_BUF_TYPE_VIDEO_CAPTURE`.
const BUFFER_VIDEO_CAPTURE: u32 = 1;

/// What a node is and can do.
pub(super) struct Capabilities {
    pub(super) name: String,
    /// Where it is plugged in: `usb-0000:00:14.0-1`.
    pub(super) bus: String,
    /// Whether it delivers pictures in mapped memory, one plane behind the other.
    pub(super) captures: bool,
}

/// What `VIDIOC_QUERYCAP` says. Fails with `ENODEV` on a camera that was unplugged, so it is the way to ask whether it is there.
pub(super) fn capabilities(handle: &Handle) -> io::Result<Capabilities> {
    // SAFETY: a structure of integers and arrays of integers, for which zeroes are valid.
    let mut answer: v4l2_capability = unsafe { mem::zeroed() };
    // SAFETY: VIDIOC_QUERYCAP fills one v4l2_capability, which is what the pointer leads to, and keeps no pointer.
    unsafe { v4l2::ioctl(handle.fd(), vidioc::VIDIOC_QUERYCAP, (&raw mut answer).cast()) }?;
    let flags = if answer.capabilities & DEVICE_CAPS == 0 { answer.capabilities } else { answer.device_caps };
    let text = |bytes: &[u8]| {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).trim().to_owned()
    };
    Ok(Capabilities {
        name: text(&answer.card),
        bus: text(&answer.bus_info),
        captures: flags & (VIDEO_CAPTURE | STREAMING) == VIDEO_CAPTURE | STREAMING && flags & VIDEO_OUTPUT == 0,
    })
}

/// What the camera is set to (`VIDIOC_G_FMT`).
pub(super) struct PictureFormat {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fourcc: [u8; 4],
    pub(super) bytes_per_line: u32,
    pub(super) colorspace: u32,
    pub(super) ycbcr_encoding: u32,
    pub(super) quantization: u32,
}

pub(super) fn picture_format(handle: &Handle) -> io::Result<PictureFormat> {
    // SAFETY: a structure of integers and a union of such structures, for which zeroes are valid.
    let mut answer: v4l2_format = unsafe { mem::zeroed() };
    answer.type_ = BUFFER_VIDEO_CAPTURE;
    // SAFETY: VIDIOC_G_FMT fills one v4l2_format, which is what the pointer leads to, and keeps no pointer.
    unsafe { v4l2::ioctl(handle.fd(), vidioc::VIDIOC_G_FMT, (&raw mut answer).cast()) }?;
    // SAFETY: for this buffer type the kernel fills the union's `pix`; being integers, any bytes of it are valid.
    let pix: v4l2_pix_format = unsafe { answer.fmt.pix };
    // SAFETY: both variants of the union are a u32.
    let ycbcr_encoding = unsafe { pix.__bindgen_anon_1.ycbcr_enc };
    Ok(PictureFormat {
        width: pix.width,
        height: pix.height,
        fourcc: pix.pixelformat.to_le_bytes(),
        bytes_per_line: pix.bytesperline,
        colorspace: pix.colorspace,
        ycbcr_encoding,
        quantization: pix.quantization,
    })
}

/// Keeps the camera from being inherited by child processes, which would hold it open.
pub(super) fn close_on_exec(handle: &Handle) -> io::Result<()> {
    // SAFETY: the handle owns the descriptor and outlives this borrow of it.
    let descriptor = unsafe { BorrowedFd::borrow_raw(handle.fd()) };
    Ok(rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?)
}
