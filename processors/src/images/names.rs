//! Numbered file names: `frame-%05d.png`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use streamlib_core::{Error, ErrorKind, Result};

use super::ImageFormat;

/// The digits that a number gets in a folder of pictures.
const DIGITS: usize = 5;

/// A file name with a place for a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    folder: PathBuf,
    before: String,
    digits: usize,
    after: String,
    pub(super) format: ImageFormat,
}

impl Names {
    /// Reads `FOLDER/frame-%05d.png`, or `FOLDER` alone, which stands for `FOLDER/%05d.png`. `format` decides where the name's end
    /// does not.
    pub(super) fn parse(path: &Path, format: Option<ImageFormat>) -> Result<Self> {
        let wrong = |what: &str, hint: &str| {
            let message = format!("'{}' {what}", path.display());
            Err(Error::new(ErrorKind::InvalidArgument, message).hint(hint))
        };
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            return wrong("is no name for pictures", "write it as frames/frame-%05d.png, or give a folder");
        };
        let ending = ImageFormat::of_ending(path);
        if !name.contains('%') {
            return match ending {
                Some(_) if !path.is_dir() => {
                    wrong("has no place for the pictures' numbers", "write the place as %05d, as in frame-%05d.png")
                }
                _ => {
                    let format = format.unwrap_or_default();
                    let after = format!(".{}", format.ending());
                    Ok(Self { folder: path.to_owned(), before: String::new(), digits: DIGITS, after, format })
                }
            };
        }
        let Some(format) = format.or(ending) else {
            return wrong("does not say whether pictures are PNG or JPEG", "end it in .png or .jpg, or set the format");
        };
        if ending.is_some_and(|ending| ending != format) {
            return wrong(&format!("does not end like {} pictures", format.ending()), "let name and format agree");
        }
        let Some((before, digits, after)) = split(&name) else {
            return wrong("must have one place for the pictures' numbers", "write the place as %05d or %d, and a % as %%");
        };
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { folder, before, digits, after, format })
    }

    /// The file of picture `number`.
    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{}{number:0digits$}{}", self.before, self.after, digits = self.digits))
    }

    /// Where the pictures go.
    pub(super) fn folder(&self) -> &Path {
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }
    }

    /// What the name of a half-written picture begins with; hidden, so that `*` does not find it.
    pub(super) fn hidden(&self) -> OsString {
        format!(".{}", self.before).into()
    }
}

/// What stands before and after the one `%d` or `%05d` of a name, with `%%` read as `%`.
fn split(name: &str) -> Option<(String, usize, String)> {
    let mut parts = [String::new(), String::new()];
    let mut digits = None;
    let mut rest = name;
    while let Some((text, conversion)) = rest.split_once('%') {
        let part = &mut parts[usize::from(digits.is_some())];
        part.push_str(text);
        if let Some(after) = conversion.strip_prefix('%') {
            part.push('%');
            rest = after;
            continue;
        }
        let (width, after) = conversion.split_once('d')?;
        let width = match width {
            "" => 1,
            // More digits than a number of 64 bits has serve nobody.
            width => width.strip_prefix('0')?.parse().ok().filter(|width| (1..=20).contains(width))?,
        };
        if digits.replace(width).is_some() {
            return None;
        }
        rest = after;
    }
    let [before, mut after] = parts;
    after.push_str(rest);
    Some((before, digits?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_where_the_name_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = |pattern: &str, number| Names::parse(Path::new(pattern), None).unwrap().path(number).display().to_string();
        assert_eq!(path("frames/frame-%05d.png", 42), "frames/frame-00042.png");
        assert_eq!(path("%d.jpg", 7), "7.jpg");
        assert_eq!(path("100%% %03d.JPEG", 12_345), "100% 12345.JPEG");
        assert_eq!(path("frames", 3), "frames/00003.png");
        let with_dot = folder.path().join("v1.png");
        std::fs::create_dir(&with_dot).unwrap();
        assert_eq!(path(with_dot.to_str().unwrap(), 3), with_dot.join("00003.png").display().to_string());
        let jpeg = Names::parse(Path::new("frames"), Some(ImageFormat::Jpeg)).unwrap();
        assert_eq!((jpeg.path(0), jpeg.format), ("frames/00000.jpg".into(), ImageFormat::Jpeg));
        assert_eq!(Names::parse(Path::new("%d.png"), None).unwrap().folder(), Path::new("."));
    }

    #[test]
    fn names_that_cannot_be_say_what_is_missing() {
        for (pattern, format, said) in [
            ("frame.png", None, "'frame.png' has no place for the pictures' numbers; write the place as %05d"),
            ("%d-%d.png", None, "must have one place"),
            ("%s.png", None, "must have one place"),
            ("%5d.png", None, "must have one place"),
            ("%099d.png", None, "must have one place"),
            ("%%.png", None, "must have one place"),
            ("%", None, "PNG or JPEG"),
            ("%d", None, "end it in .png or .jpg"),
            ("%d.webp", None, "end it in .png or .jpg"),
            ("%d.png", Some(ImageFormat::Jpeg), "does not end like jpg pictures"),
            ("", None, "is no name for pictures"),
            ("/", None, "is no name for pictures"),
        ] {
            let error = Names::parse(Path::new(pattern), format).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(said), "{pattern}: {error}");
        }
    }
}
