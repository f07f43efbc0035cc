//! A camera's controls: `VIDIOC_QUERY_EXT_CTRL` and its like.
//!
//! The `v4l` crate's own calls panic at types that it does not know and at names that are not UTF-8, and cannot read menus of
//! numbers.
#![allow(unsafe_code, reason = "system calls that take a pointer to a C structure, each beside the structure that it fills")]

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::io;
use std::mem;

use ::v4l::control::Flags;
use ::v4l::device::Handle;
use ::v4l::v4l_sys::{v4l2_ext_control, v4l2_ext_controls, v4l2_query_ext_ctrl, v4l2_querymenu};
use ::v4l::v4l2::{self, vidioc};
use streamlib_core::{Error, ErrorKind, Result};

use super::super::controls::{held, name_of, resolve};
use super::super::{CameraControl, CameraDevice, ControlFlags, ControlKind, ControlValue, errors};

/// `V4L2_CTRL_TYPE_...` of `videodev2.h`.
mod kind {
    pub(super) const INTEGER: u32 = 1;
    pub(super) const BOOLEAN: u32 = 2;
    pub(super) const MENU: u32 = 3;
    pub(super) const BUTTON: u32 = 4;
    pub(super) const INTEGER_64: u32 = 5;
    pub(super) const CLASS: u32 = 6;
    pub(super) const BITMASK: u32 = 8;
    pub(super) const INTEGER_MENU: u32 = 9;
}

/// As many items are asked of a menu, whatever range the driver claims.
const MOST_ITEMS: i64 = 1024;
/// "Numerical result out of range", "Permission denied", "Device or resource busy", "Invalid argument".
const ERANGE: i32 = 34;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;

/// The camera's controls in the driver's order, with their values.
pub(super) fn list(handle: &Handle) -> io::Result<Vec<CameraControl>> {
    let mut controls: Vec<CameraControl> = Vec::new();
    let mut after = 0;
    loop {
        let next = (Flags::NEXT_CTRL | Flags::NEXT_COMPOUND).bits();
        let answer = match query(handle, after | next) {
            Ok(answer) => answer,
            // After the last one, and from drivers that have none.
            Err(error) if matches!(error.raw_os_error(), Some(EINVAL)) || errors::is_unknown_call(&error) => break,
            Err(error) => return Err(error),
        };
        if answer.id <= after {
            break;
        }
        after = answer.id;
        let flags = Flags::from(answer.flags);
        if answer.type_ == kind::CLASS || flags.contains(Flags::DISABLED) {
            continue;
        }
        let label = text(&answer.name);
        let name = name_of(&label);
        // Two of one name could not be told apart: the first has it, as with v4l2-ctl.
        if controls.iter().any(|control| control.name == name) {
            continue;
        }
        let mut control = CameraControl {
            id: answer.id,
            name,
            label,
            kind: kind_of(handle, &answer),
            default: None,
            value: None,
            flags: flags_of(flags),
        };
        control.default = control.value_of(answer.default_value);
        if !flags.contains(Flags::WRITE_ONLY) && !matches!(control.kind, ControlKind::Button | ControlKind::Other) {
            control.value = get(handle, &control).ok().and_then(|number| control.value_of(number));
        }
        controls.push(control);
    }
    Ok(controls)
}

/// Sets controls by name; see [`Capture::set_controls`](super::super::Capture::set_controls).
pub(super) fn apply(
    device: &CameraDevice,
    handle: &Handle,
    values: &BTreeMap<String, ControlValue>,
) -> Result<BTreeMap<String, ControlValue>> {
    if values.is_empty() {
        return Ok(BTreeMap::new());
    }
    let controls = list(handle).map_err(|error| errors::from_system(device, "list the controls of", error))?;
    let wanted = resolve(device, &controls, values)?;
    let mut done: Vec<(&CameraControl, Option<i64>)> = Vec::with_capacity(wanted.len());
    for (control, number) in wanted {
        let before = get(handle, control).ok();
        if let Err(error) = set_if_active(device, handle, control, number) {
            for (control, before) in done.into_iter().rev() {
                if let Some(before) = before
                    && let Err(error) = set(handle, control, before)
                {
                    tracing::warn!(%device, control = control.name, %error, "a control could not be put back");
                }
            }
            return Err(error);
        }
        done.push((control, before));
    }
    let mut made = BTreeMap::new();
    for (control, _) in done {
        let asked = &values[&control.name];
        let found = match control.kind {
            ControlKind::Button => None,
            _ => get(handle, control).ok().and_then(|number| control.value_of(number)),
        };
        if let (Some(found), Ok(number)) = (&found, control.number_of(asked))
            && control.value_of(number).as_ref() != Some(found)
        {
            tracing::warn!(%device, control = control.name, %asked, %found, "the camera set a control to something else");
        }
        made.insert(control.name.clone(), found.unwrap_or_else(|| asked.clone()));
    }
    Ok(made)
}

fn set_if_active(device: &CameraDevice, handle: &Handle, control: &CameraControl, number: i64) -> Result<()> {
    let failed = |error| errors::from_system(device, &format!("set the control '{}' of", control.name), error);
    let flags = flags_of(Flags::from(query(handle, control.id).map_err(failed)?.flags));
    let holds = |flags| held(device, &CameraControl { flags, ..control.clone() }, &list(handle).unwrap_or_default());
    if flags.inactive || flags.grabbed {
        return Err(holds(flags));
    }
    match set(handle, control, number) {
        Ok(()) => Ok(()),
        // What drivers say that do not mark such controls beforehand.
        Err(error) if matches!(error.raw_os_error(), Some(EACCES | EBUSY)) => {
            let grabbed = error.raw_os_error() == Some(EBUSY);
            Err(holds(ControlFlags { grabbed, inactive: !grabbed, ..flags }).caused_by(error))
        }
        Err(error) if matches!(error.raw_os_error(), Some(ERANGE | EINVAL)) => {
            let message = format!("camera {device} refuses {number} for the control '{}'", control.name);
            Err(Error::new(ErrorKind::InvalidArgument, message)
                .hint(format!("it says that it can be {}", control.kind))
                .caused_by(error))
        }
        Err(error) => Err(failed(error)),
    }
}

fn flags_of(flags: Flags) -> ControlFlags {
    ControlFlags {
        read_only: flags.contains(Flags::READ_ONLY),
        inactive: flags.contains(Flags::INACTIVE),
        grabbed: flags.contains(Flags::GRABBED),
        volatile: flags.contains(Flags::VOLATILE),
    }
}

fn kind_of(handle: &Handle, answer: &v4l2_query_ext_ctrl) -> ControlKind {
    let (min, max) = (answer.minimum, answer.maximum);
    if Flags::from(answer.flags).contains(Flags::HAS_PAYLOAD) || answer.nr_of_dims > 0 {
        return ControlKind::Other;
    }
    match answer.type_ {
        kind::INTEGER | kind::INTEGER_64 => ControlKind::Integer(min, max, answer.step),
        kind::BITMASK => ControlKind::Integer(0, max, 1),
        kind::BOOLEAN => ControlKind::Boolean,
        kind::BUTTON => ControlKind::Button,
        kind::MENU | kind::INTEGER_MENU => {
            let items = min..=max.min(min.saturating_add(MOST_ITEMS));
            ControlKind::Menu(items.filter_map(|item| Some((item, item_name(handle, answer, item)?))).collect())
        }
        _ => ControlKind::Other,
    }
}

/// What a control is, or the one after `id` with the flags for that in it.
fn query(handle: &Handle, id: u32) -> io::Result<v4l2_query_ext_ctrl> {
    // SAFETY: a structure of integers and arrays of integers, for which zeroes are valid.
    let mut answer: v4l2_query_ext_ctrl = unsafe { mem::zeroed() };
    answer.id = id;
    // SAFETY: VIDIOC_QUERY_EXT_CTRL fills one v4l2_query_ext_ctrl, which is what the pointer leads to, and keeps no pointer.
    unsafe { v4l2::ioctl(handle.fd(), vidioc::VIDIOC_QUERY_EXT_CTRL, (&raw mut answer).cast()) }?;
    Ok(answer)
}

/// The name of a menu's item; `None` for numbers that drivers leave out between the first and the last.
fn item_name(handle: &Handle, control: &v4l2_query_ext_ctrl, item: i64) -> Option<String> {
    // SAFETY: a structure of integers and a union of integers, for which zeroes are valid.
    let mut answer: v4l2_querymenu = unsafe { mem::zeroed() };
    (answer.id, answer.index) = (control.id, u32::try_from(item).ok()?);
    // SAFETY: VIDIOC_QUERYMENU fills one v4l2_querymenu, which is what the pointer leads to, and keeps no pointer.
    unsafe { v4l2::ioctl(handle.fd(), vidioc::VIDIOC_QUERYMENU, (&raw mut answer).cast()) }.ok()?;
    if control.type_ == kind::INTEGER_MENU {
        // SAFETY: any bytes are a number, and of such a menu the kernel fills the number.
        return Some(unsafe { answer.__bindgen_anon_1.value }.to_string());
    }
    // SAFETY: any bytes are an array of bytes.
    let name = unsafe { answer.__bindgen_anon_1.name };
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(String::from_utf8_lossy(name).trim().to_owned())
}

/// Whether the control's numbers need more than 32 bits.
fn is_wide(control: &CameraControl) -> bool {
    matches!(control.kind, ControlKind::Integer(min, max, _) if i32::try_from(min).is_err() || i32::try_from(max).is_err())
}

fn get(handle: &Handle, control: &CameraControl) -> io::Result<i64> {
    let value = transfer(handle, vidioc::VIDIOC_G_EXT_CTRLS, control.id, 0)?;
    // A control of 32 bits fills the first half of the number, the lower one on every processor that we know cameras on.
    Ok(if is_wide(control) { value } else { i64::from(value as i32) })
}

fn set(handle: &Handle, control: &CameraControl, number: i64) -> io::Result<()> {
    transfer(handle, vidioc::VIDIOC_S_EXT_CTRLS, control.id, number).map(|_| ())
}

/// Gets or sets the present value of one control.
fn transfer(handle: &Handle, call: vidioc::_IOC_TYPE, id: u32, number: i64) -> io::Result<i64> {
    // SAFETY: a structure of integers and a union of integers and pointers, for which zeroes are valid.
    let mut control: v4l2_ext_control = unsafe { mem::zeroed() };
    control.id = id;
    control.__bindgen_anon_1.value64 = number;
    // SAFETY: a structure of integers and a pointer, for which zeroes are valid; `which` is then V4L2_CTRL_WHICH_CUR_VAL.
    let mut controls: v4l2_ext_controls = unsafe { mem::zeroed() };
    (controls.count, controls.controls) = (1, &raw mut control);
    // SAFETY: the calls take one v4l2_ext_controls, which leads to the one v4l2_ext_control that outlives it; neither is kept.
    // The control has no payload (`kind_of` calls those Other, which are neither read nor set), so the kernel follows no pointer.
    unsafe { v4l2::ioctl(handle.fd(), call, (&raw mut controls).cast()) }?;
    // SAFETY: any bytes are a number.
    Ok(unsafe { control.__bindgen_anon_1.value64 })
}

fn text(letters: &[c_char]) -> String {
    let bytes: Vec<u8> = letters.iter().map(|letter| *letter as u8).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
