//! Names for a recording that begins again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The first of `video-2.mp4`, `video-3.mp4` and so on that is not there yet: a name that nobody chose replaces no file.
pub(super) fn next_part(path: &Path) -> PathBuf {
    let mut number = 2u64;
    loop {
        let mut name = OsString::from(path.file_stem().unwrap_or_default());
        name.push(format!("-{number}"));
        if let Some(extension) = path.extension() {
            name.push(".");
            name.push(extension);
        }
        let part = path.with_file_name(name);
        // Whether it is there cannot always be known; the recording itself will say.
        if !part.try_exists().unwrap_or(false) {
            return part;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_two_and_replace_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(next_part(&at("video.mp4")), at("video-2.mp4"));
        std::fs::write(at("video-2.mp4"), "of another day").unwrap();
        assert_eq!(next_part(&at("video.mp4")), at("video-3.mp4"));
        assert_eq!(next_part(&at("my.video.mp4")), at("my.video-2.mp4"));
        assert_eq!(next_part(&at("video")), at("video-2"));
        assert_eq!(next_part(Path::new("video.mp4")), Path::new("video-2.mp4"));
    }
}
