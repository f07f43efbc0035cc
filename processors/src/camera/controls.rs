//! What can be set of a camera while it captures: exposure, gain, focus, white balance and whatever else it has.

use std::collections::BTreeMap;
use std::fmt;

use streamlib_core::{Error, ErrorKind, Result};

use super::CameraDevice;

/// A control of a camera, as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraControl {
    /// The system's number for it (`V4L2_CID_...`).
    pub id: u32,
    /// Its name as `v4l2-ctl` has it, which is how it is set: `white_balance_automatic`.
    pub name: String,
    /// Its name for people: `White Balance, Automatic`.
    pub label: String,
    /// Its type and its range.
    pub kind: ControlKind,
    /// Its default; `None` where it has none.
    pub default: Option<ControlValue>,
    /// What it was set to; `None` where that cannot be read.
    pub value: Option<ControlValue>,
    /// What holds it back.
    pub flags: ControlFlags,
}

/// The type of a control, and what it can be set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlKind {
    /// A number from the first to the second in steps of the third.
    Integer(i64, i64, u64),
    /// On or off.
    Boolean,
    /// One of these items, by name or number.
    Menu(Vec<(i64, String)>),
    /// Something that happens when it is set to `true`.
    Button,
    /// A type that cannot be set here: texts, arrays.
    Other,
}

/// What holds a control back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlFlags {
    /// It can never be set.
    pub read_only: bool,
    /// It has no effect at present, mostly because an automatic mode is on.
    pub inactive: bool,
    /// It cannot be set while pictures flow.
    pub grabbed: bool,
    /// The camera changes it by itself.
    pub volatile: bool,
}

/// What a control is set to. In files a number, `true` or `false`, or the name of a menu's item.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected a whole number, true or false, or the name of a menu's item")]
pub enum ControlValue {
    /// On or off; `true` pushes a button.
    Boolean(bool),
    /// A number, also of a menu's item.
    Integer(i64),
    /// The name of a menu's item, upper or lower case.
    Item(String),
}

impl fmt::Display for ControlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(on) => write!(f, "{on}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Item(name) => write!(f, "'{name}'"),
        }
    }
}

/// The range in words: `0 to 255`, `true or false`, `'50 Hz' or '60 Hz'`.
impl fmt::Display for ControlKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(min, max, step) => {
                write!(f, "{min} to {max}")?;
                if *step > 1 { write!(f, " in steps of {step}") } else { Ok(()) }
            }
            Self::Boolean => f.write_str("true or false"),
            Self::Menu(items) => {
                let names: Vec<_> = items.iter().map(|(_, name)| format!("'{name}'")).collect();
                f.write_str(&names.join(" or "))
            }
            Self::Button => f.write_str("true"),
            Self::Other => f.write_str("a type that cannot be set"),
        }
    }
}

/// `brightness: 0 to 255, default 128, now 128`.
impl fmt::Display for CameraControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.kind)?;
        for (name, value) in [("default", &self.default), ("now", &self.value)] {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        let flags = self.flags;
        for (name, is) in [
            ("read only", flags.read_only),
            ("inactive", flags.inactive),
            ("grabbed", flags.grabbed),
            ("volatile", flags.volatile),
        ] {
            if is {
                write!(f, ", {name}")?;
            }
        }
        Ok(())
    }
}

impl CameraControl {
    /// A number as a value of this control.
    pub(super) fn value_of(&self, number: i64) -> Option<ControlValue> {
        match &self.kind {
            ControlKind::Integer(..) => Some(ControlValue::Integer(number)),
            ControlKind::Boolean => Some(ControlValue::Boolean(number != 0)),
            ControlKind::Menu(items) => {
                let item = items.iter().find(|(item, _)| *item == number);
                Some(item.map_or(ControlValue::Integer(number), |(_, name)| ControlValue::Item(name.clone())))
            }
            ControlKind::Button | ControlKind::Other => None,
        }
    }

    /// The number that stands for a value.
    ///
    /// # Errors
    /// `InvalidArgument` for a value out of its range, `Unsupported` where it cannot be set at all.
    pub(super) fn number_of(&self, value: &ControlValue) -> Result<i64> {
        let refused =
            |why: &str| Error::new(ErrorKind::Unsupported, format!("control '{}' {why}", self.name)).hint("leave it out");
        if self.flags.read_only {
            return Err(refused("can only be read"));
        }
        let number = match (&self.kind, value) {
            (ControlKind::Other, _) => return Err(refused("has a type that cannot be set")),
            (ControlKind::Integer(min, max, step), ControlValue::Integer(number)) => {
                let on_step = |number: i64| (i128::from(number) - i128::from(*min)) % i128::from((*step).max(1)) == 0;
                Some(*number).filter(|number| (*min..=*max).contains(number) && on_step(*number))
            }
            (ControlKind::Boolean, ControlValue::Boolean(on)) => Some(i64::from(*on)),
            (ControlKind::Boolean, ControlValue::Integer(number @ (0 | 1))) => Some(*number),
            (ControlKind::Menu(items), ControlValue::Integer(number)) => {
                items.iter().find(|(item, _)| item == number).map(|(item, _)| *item)
            }
            (ControlKind::Menu(items), ControlValue::Item(name)) => {
                items.iter().find(|(_, item)| item.eq_ignore_ascii_case(name)).map(|(item, _)| *item)
            }
            (ControlKind::Button, ControlValue::Boolean(true)) => Some(1),
            _ => None,
        };
        number.ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, format!("control '{}' cannot be {value}", self.name))
                .hint(format!("it can be {}", self.kind))
        })
    }

    /// Whether it switches something, an automatic mode for example.
    fn is_switch(&self) -> bool {
        !matches!(self.kind, ControlKind::Integer(..))
    }
}

/// The controls that are meant with the numbers to set, switches first; refuses what cannot be.
pub(super) fn resolve<'a>(
    device: &CameraDevice,
    controls: &'a [CameraControl],
    values: &BTreeMap<String, ControlValue>,
) -> Result<Vec<(&'a CameraControl, i64)>> {
    let mut resolved = Vec::with_capacity(values.len());
    for (name, value) in values {
        let control = controls.iter().find(|control| control.name == *name).ok_or_else(|| {
            let names: Vec<_> = controls.iter().map(|control| control.name.as_str()).collect();
            let has = if names.is_empty() { "no controls".to_owned() } else { names.join(", ") };
            Error::new(ErrorKind::InvalidArgument, format!("camera {device} has no control '{name}'"))
                .hint(format!("it has {has}"))
        })?;
        resolved.push((control, control.number_of(value)?));
    }
    resolved.sort_by_key(|(control, _)| !control.is_switch());
    Ok(resolved)
}

/// What to say of a control that the camera holds at present: which automatic modes there are, and how they are set.
pub(super) fn held(device: &CameraDevice, control: &CameraControl, controls: &[CameraControl]) -> Error {
    let failed = format!("control '{}' of camera {device} cannot be set now", control.name);
    if control.flags.grabbed && !control.flags.inactive {
        return Error::new(ErrorKind::Busy, format!("{failed}: pictures flow")).hint("set it when the camera is opened");
    }
    let automatic: Vec<_> = controls
        .iter()
        .filter(|other| other.is_switch() && other.name != control.name && other.name.contains("auto"))
        .filter_map(|other| Some(format!("{} is {}", other.name, other.value.as_ref()?)))
        .collect();
    let error = Error::new(ErrorKind::Busy, format!("{failed}: it is inactive, as if an automatic mode were on"));
    error.hint(if automatic.is_empty() {
        "switch that mode off first".to_owned()
    } else {
        format!("switch that mode off first: {}", automatic.join(", "))
    })
}

/// `White Balance, Automatic` becomes `white_balance_automatic`, as `v4l2-ctl` has it.
pub(super) fn name_of(label: &str) -> String {
    let mut name = String::with_capacity(label.len());
    for letter in label.chars() {
        if letter.is_ascii_alphanumeric() {
            name.push(letter.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    name
}

#[cfg(test)]
mod tests {
    use super::super::Backend;
    use super::*;

    fn control(name: &str, kind: ControlKind) -> CameraControl {
        let flags = ControlFlags::default();
        CameraControl { id: 1, name: name.into(), label: name.into(), kind, default: None, value: None, flags }
    }

    fn controls() -> Vec<CameraControl> {
        let menu = vec![(0, "Auto".to_owned()), (3, "Manual Mode".to_owned())];
        vec![
            control("gain", ControlKind::Integer(-10, 100, 5)),
            control("power_line", ControlKind::Boolean),
            CameraControl { value: Some(ControlValue::Item("Auto".into())), ..control("auto_exposure", ControlKind::Menu(menu)) },
            control("reset", ControlKind::Button),
            control("text", ControlKind::Other),
            CameraControl {
                flags: ControlFlags { read_only: true, ..ControlFlags::default() },
                ..control("temperature", ControlKind::Integer(0, 100, 1))
            },
        ]
    }

    fn camera() -> CameraDevice {
        CameraDevice::new(0, "C920".into(), "/dev/video0".into(), Backend::V4l)
    }

    fn resolved(text: &str) -> Result<Vec<(String, i64)>> {
        let values = serde_json::from_str(text).unwrap();
        let controls = controls();
        let resolved = resolve(&camera(), &controls, &values)?;
        Ok(resolved.into_iter().map(|(control, number)| (control.name.clone(), number)).collect())
    }

    #[test]
    fn values_become_numbers_and_switches_go_first() {
        let found = resolved(r#"{"auto_exposure": "manual mode", "gain": -5, "power_line": true, "reset": true}"#).unwrap();
        let expected = [("auto_exposure", 3), ("power_line", 1), ("reset", 1), ("gain", -5)];
        assert_eq!(found, expected.map(|(name, number)| (name.to_owned(), number)));
        assert_eq!(resolved(r#"{"auto_exposure": 0, "power_line": 0}"#).unwrap().len(), 2);
    }

    #[test]
    fn values_that_cannot_be_are_told_what_can() {
        for (text, message) in [
            (
                r#"{"zoom": 1}"#,
                "camera 0 'C920' (/dev/video0) has no control 'zoom'; it has gain, power_line, auto_exposure, reset",
            ),
            (r#"{"gain": 101}"#, "control 'gain' cannot be 101; it can be -10 to 100 in steps of 5"),
            (r#"{"gain": 3}"#, "control 'gain' cannot be 3; it can be -10 to 100 in steps of 5"),
            (r#"{"gain": "high"}"#, "control 'gain' cannot be 'high'; it can be -10 to 100"),
            (r#"{"power_line": 2}"#, "control 'power_line' cannot be 2; it can be true or false"),
            (r#"{"auto_exposure": "off"}"#, "control 'auto_exposure' cannot be 'off'; it can be 'Auto' or 'Manual Mode'"),
            (r#"{"auto_exposure": 1}"#, "control 'auto_exposure' cannot be 1; it can be 'Auto' or 'Manual Mode'"),
            (r#"{"reset": false}"#, "control 'reset' cannot be false; it can be true"),
            (r#"{"text": "x"}"#, "control 'text' has a type that cannot be set"),
            (r#"{"temperature": 1}"#, "control 'temperature' can only be read"),
        ] {
            let error = resolved(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    #[test]
    fn what_holds_a_control_is_named() {
        let controls = controls();
        let error = held(&camera(), &controls[0], &controls);
        assert_eq!(error.kind(), ErrorKind::Busy);
        let message = error.to_string();
        assert!(message.contains("it is inactive") && message.ends_with("off first: auto_exposure is 'Auto'"), "{message}");
        let grabbed = ControlFlags { grabbed: true, ..ControlFlags::default() };
        let error = held(&camera(), &CameraControl { flags: grabbed, ..controls[0].clone() }, &controls);
        assert!(error.to_string().contains("pictures flow"), "{error}");
    }

    #[test]
    fn names_are_those_of_v4l2_ctl() {
        assert_eq!(name_of("White Balance, Automatic"), "white_balance_automatic");
        assert_eq!(name_of("Exposure Time, Absolute"), "exposure_time_absolute");
        assert_eq!(name_of(" 3A Lock (x)"), "3a_lock_x");
    }

    #[test]
    fn controls_are_printed_in_a_line() {
        let mut gain = control("gain", ControlKind::Integer(0, 255, 1));
        gain.default = Some(ControlValue::Integer(16));
        gain.value = gain.value_of(32);
        gain.flags.inactive = true;
        assert_eq!(gain.to_string(), "gain: 0 to 255, default 16, now 32, inactive");
        let exposure = &controls()[2];
        assert_eq!(exposure.value_of(3), Some(ControlValue::Item("Manual Mode".into())));
        assert_eq!(exposure.to_string(), "auto_exposure: 'Auto' or 'Manual Mode', now 'Auto'");
    }
}
