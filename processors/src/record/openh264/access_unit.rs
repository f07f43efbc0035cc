//! From the encoder's byte stream (start codes) to what a file holds (lengths).

use super::super::encoder::ParameterSets;

/// Types of NAL units (ITU-T H.264 table 7-1).
const SEQUENCE_PARAMETER_SET: u8 = 7;
const PICTURE_PARAMETER_SET: u8 = 8;

/// The NAL units of one picture; its buffer is used again for the next.
#[derive(Default)]
pub(super) struct AccessUnit {
    nal_units: Vec<u8>,
    parameter_sets: ParameterSets,
}

impl AccessUnit {
    /// Forgets the picture but not the parameter sets.
    pub(super) fn clear(&mut self) {
        self.nal_units.clear();
    }

    /// Adds a NAL unit that begins with a start code (ITU-T H.264 annex B).
    pub(super) fn push(&mut self, with_start_code: &[u8]) {
        let zeros = with_start_code.iter().take_while(|byte| **byte == 0).count();
        let nal = with_start_code.get(zeros + 1..).unwrap_or_default();
        let Some(header) = nal.first() else { return };
        match header & 0x1f {
            SEQUENCE_PARAMETER_SET => replace(&mut self.parameter_sets.sps, nal),
            PICTURE_PARAMETER_SET => replace(&mut self.parameter_sets.pps, nal),
            _ => {
                self.nal_units.extend_from_slice(&(nal.len() as u32).to_be_bytes());
                self.nal_units.extend_from_slice(nal);
            }
        }
    }

    pub(super) fn nal_units(&self) -> &[u8] {
        &self.nal_units
    }

    pub(super) fn parameter_sets(&self) -> &ParameterSets {
        &self.parameter_sets
    }
}

fn replace(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_become_lengths_and_parameter_sets_stand_apart() {
        let mut unit = AccessUnit::default();
        for nal in
            [&[0, 0, 0, 1, 0x67, 7, 7][..], &[0, 0, 1, 0x68, 8], &[0, 0, 0, 1, 0x65, 0, 5], &[0, 0, 1, 0x06, 6], &[0, 0, 1]]
        {
            unit.push(nal);
        }
        assert_eq!(unit.nal_units(), [0, 0, 0, 3, 0x65, 0, 5, 0, 0, 0, 2, 0x06, 6]);
        assert_eq!(unit.parameter_sets(), &ParameterSets { sps: vec![0x67, 7, 7], pps: vec![0x68, 8] });
        unit.clear();
        assert!(unit.nal_units().is_empty() && !unit.parameter_sets().sps.is_empty());
    }
}
