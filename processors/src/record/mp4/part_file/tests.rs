use std::time::Duration;

use streamlib_core::{Color, Size, Timestamp};

use super::super::super::{Encoder, EncoderOptions, I420Picture, Mp4Writer, OpenH264Encoder, RateControl, VideoTrack, judge};
use super::*;

/// Every write to a file, in order.
#[derive(Default)]
struct Tape {
    writes: Vec<(u64, Vec<u8>)>,
    /// How many writes had been made at each call of `sync`.
    synced: Vec<usize>,
    position: u64,
    end: u64,
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes.push((self.position, bytes.to_vec()));
        self.position += bytes.len() as u64;
        self.end = self.end.max(self.position);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Tape {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::End(_) => self.end,
            SeekFrom::Current(_) => self.position,
        };
        Ok(self.position)
    }
}

impl Storage for Tape {
    fn sync(&mut self) -> io::Result<()> {
        self.synced.push(self.writes.len());
        Ok(())
    }
}

impl Tape {
    /// The file as a power failure leaves it right after `whole` writes, when of those since the last call of `sync` before only those
    /// reached the disk that `kept` chooses by number. What was not written reads as zeros, as on file systems that allocate late.
    fn after_power_failure(&self, whole: usize, kept: impl Fn(usize) -> bool) -> Vec<u8> {
        let safe = self.synced.iter().copied().filter(|writes| *writes < whole).max().unwrap_or(0);
        let mut file = Vec::new();
        for (number, (position, written)) in self.writes[..whole].iter().enumerate() {
            let position = *position as usize;
            if number < safe || kept(number) {
                file.resize(file.len().max(position + written.len()), 0);
                file[position..position + written.len()].copy_from_slice(written);
            }
        }
        file
    }

    /// The file as a kill leaves it after `whole` writes and `bytes` bytes of the next one.
    fn played(&self, whole: usize, bytes: usize) -> Vec<u8> {
        let mut file = Vec::new();
        let part = self.writes.get(whole).map(|(position, written)| (*position, &written[..bytes]));
        for (position, written) in self.writes[..whole].iter().map(|(position, written)| (*position, &written[..])).chain(part) {
            let position = position as usize;
            file.resize(file.len().max(position + written.len()), 0);
            file[position..position + written.len()].copy_from_slice(written);
        }
        file
    }
}

/// A finished recording of `frames` pictures at 10 a second: 5 in a fragment.
fn recording(directory: &Path, frames: u32) -> Vec<u8> {
    let size = Size::new(64, 48).unwrap();
    let color = Color::default_for_height(48);
    let options = EncoderOptions { rate: RateControl::Quality(30), ..Default::default() };
    let mut encoder = OpenH264Encoder::new(size, color, &options).unwrap();
    let path = directory.join("whole.mp4");
    let mut writer = Mp4Writer::create(&path, VideoTrack { size, coded_size: encoder.coded_size(), color }).unwrap();
    for frame in 0..frames {
        let noise: Vec<u8> =
            (0..64 * 72u32).map(|pixel| (pixel.wrapping_mul(2_654_435_761).rotate_left(frame) >> 24) as u8).collect();
        let picture = I420Picture::stacked(size, &noise, 64).unwrap();
        writer.push(&encoder.encode(&picture, Timestamp::ZERO + Duration::from_millis(100) * frame).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    fs::read(path).unwrap()
}

/// The same file again, through `append`, fragment by fragment and index.
fn taped(whole: &[u8], sync: bool) -> Tape {
    let boxes = judge::boxes(whole);
    let mut tape = Tape::default();
    let begin = boxes.iter().find(|(_, kind, _)| kind == "moof").unwrap().0;
    tape.write_all(&whole[..begin]).unwrap();
    for (index, (at, kind, length)) in boxes.iter().enumerate() {
        match kind.as_str() {
            "moof" => {
                let mdat = &boxes[index + 1];
                let mut head = whole[*at..mdat.0 + 8].to_vec();
                append(&mut tape, *at as u64, &mut head, &whole[mdat.0 + 8..mdat.0 + mdat.2], sync).unwrap();
            }
            "mfra" => append(&mut tape, *at as u64, &mut whole[*at..at + length].to_vec(), &[], sync).unwrap(),
            _ => {}
        }
    }
    tape
}

/// ffmpeg forgives more than others: no reader may take media for boxes, and only a `free` box may go beyond the end.
fn assert_only_the_tail_is_open(file: &[u8]) {
    for (at, kind, length) in judge::boxes(file) {
        assert!(["ftyp", "moov", "free", "moof", "mdat", "mfra"].contains(&&*kind), "a box '{kind}' at {at}");
        assert!(at + length <= file.len() || kind == "free", "'{kind}' at {at} ends beyond the file");
    }
}

#[test]
fn a_kill_at_any_byte_of_any_write_leaves_a_file_that_plays_clean() {
    let directory = tempfile::tempdir().unwrap();
    let whole = recording(directory.path(), 14);
    let tape = taped(&whole, false);
    assert_eq!(tape.played(tape.writes.len(), 0), whole, "append writes what the writer wrote");
    // begin, then head, body and header of each of three fragments, then head, nothing and header of the index.
    assert_eq!(tape.writes.len(), 1 + 3 * 3 + 2);

    let path = directory.path().join("killed.mp4");
    let mut last = 0;
    for (index, (position, written)) in tape.writes.iter().enumerate().skip(1 + 3) {
        let is_within_a_page = written.len() <= ALIGNMENT && (*position as usize).is_multiple_of(ALIGNMENT);
        let cuts: Vec<usize> = match is_within_a_page {
            true => vec![0],
            false => (0..8).chain([9, 12, 15, 16, 17, 24, 31]).chain((32..written.len()).step_by(written.len() / 7)).collect(),
        };
        for bytes in cuts.into_iter().filter(|bytes| *bytes < written.len()) {
            let file = tape.played(index, bytes);
            assert_only_the_tail_is_open(&file);
            fs::write(&path, file).unwrap();
            assert_eq!(judge::complaints(&path), "", "after {index} writes and {bytes} bytes");
            if bytes == 0 {
                let frames = judge::times(&path).len();
                assert!(frames >= last && frames >= 5, "{frames} pictures after {last}");
                last = frames;
            }
        }
    }
    assert_eq!(last, 14);
}

/// A disk writes in an order of its own; what was synced is there all the same.
#[test]
fn with_sync_power_can_fail_at_any_write_in_whatever_order_the_disk_writes() {
    let directory = tempfile::tempdir().unwrap();
    let whole = recording(directory.path(), 14);
    let tape = taped(&whole, true);
    assert_eq!(tape.synced.last(), Some(&tape.writes.len()), "in the end all is on the disk");
    let path = directory.path().join("dark.mp4");
    // The file has its name when the first fragment was committed and synced: after `begin`, head, body and header.
    for after in 5..=tape.writes.len() {
        let committed = tape.synced.iter().filter(|writes| **writes < after).count() / 2;
        // Every choice of the last three: more are never on their way.
        for kept in 0..8 {
            let file = tape.after_power_failure(after, |number| number + 3 >= after && kept >> (after - 1 - number) & 1 == 1);
            let at = format!("after {after} writes, kept {kept:b}");
            for (offset, kind, length) in judge::boxes(&file) {
                let is_whole = offset + length <= file.len();
                assert!(is_whole || !["moof", "mdat", "mfra"].contains(&&*kind), "a torn '{kind}' {at}");
            }
            fs::write(&path, &file).unwrap();
            assert_eq!(judge::complaints(&path), "", "{at}");
            assert!(judge::times(&path).len() >= (committed * 5).min(14), "{at}");
        }
    }
}

#[test]
fn every_committed_box_begins_within_a_page() {
    let directory = tempfile::tempdir().unwrap();
    let whole = recording(directory.path(), 40);
    let boxes = judge::boxes(&whole);
    assert_eq!(boxes.iter().filter(|(_, kind, _)| kind == "moof").count(), 8);
    for (at, kind, _) in boxes.iter().filter(|(_, kind, _)| kind == "moof" || kind == "mfra") {
        assert!(at.is_multiple_of(ALIGNMENT), "{kind} at {at}");
    }
    assert_eq!(boxes.iter().map(|(_, _, length)| length).sum::<usize>(), whole.len());
}
