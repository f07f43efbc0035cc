//! Which pictures a pattern names, in the order in which a person counts.

use std::path::{Path, PathBuf};

use streamlib_core::{Error, ErrorKind, Result};

/// What a folder's files must end in to be read when no pattern says so.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The files that `pattern` names, `img2` before `img10`; never none.
///
/// Fails with [`ErrorKind::InvalidArgument`] if it is no pattern, and with [`ErrorKind::NotFound`] if it names no file.
pub(super) fn list(pattern: &str) -> Result<Vec<PathBuf>> {
    let mut pictures = if Path::new(pattern).is_dir() { in_folder(pattern)? } else { matching(pattern)? };
    pictures.retain(|path| path.is_file());
    if pictures.is_empty() {
        return Err(nothing(pattern));
    }
    pictures.sort_by(|a, b| alphanumeric_sort::compare_path(a, b).then_with(|| a.cmp(b)));
    Ok(pictures)
}

fn in_folder(folder: &str) -> Result<Vec<PathBuf>> {
    let mut pictures = matching(&format!("{}/*", glob::Pattern::escape(folder.trim_end_matches('/'))))?;
    pictures.retain(|path| {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        ENDINGS.iter().any(|known| ending == *known)
    });
    Ok(pictures)
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>> {
    // As in a shell: what is hidden, such as half-written pictures, is not meant by `*`.
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let paths = glob::glob_with(pattern, options).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, format!("'{pattern}' is no pattern of files: {error}"))
            .hint("write it as frames/*.png; [, ], * and ? stand for themselves in brackets, as in [[]")
    })?;
    paths
        .map(|path| {
            path.map_err(|error| {
                let message = format!("cannot look for pictures in '{}': {}", error.path().display(), error.error());
                Error::new(ErrorKind::Io, message).hint("see to the rights of that folder").caused_by(error)
            })
        })
        .collect()
}

fn nothing(pattern: &str) -> Error {
    let wild = |part: &std::ffi::OsStr| part.to_string_lossy().contains(['*', '?', '[']);
    let is_folder = Path::new(pattern).is_dir();
    let mut folder: PathBuf = Path::new(pattern).iter().take_while(|part| !wild(part)).collect();
    if !is_folder && folder.as_os_str() == pattern {
        folder.pop();
    }
    let shown = std::path::absolute(&folder).ok().or_else(|| std::env::current_dir().ok()).unwrap_or(folder);
    let hint = match (shown.is_dir(), is_folder) {
        (false, _) => "that folder does not exist".to_owned(),
        (true, true) => "it holds no file that ends in .png, .jpg or .jpeg".to_owned(),
        (true, false) => "the folder is there: see to the file names, or give the folder alone for all its pictures".to_owned(),
    };
    Error::new(ErrorKind::NotFound, format!("no picture matches '{pattern}' in the folder '{}'", shown.display())).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[PathBuf]) -> Vec<String> {
        paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn pictures_come_as_people_count_and_hidden_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for name in ["img10.png", "img2.png", "img1.png", "b.JPG", "img100.png", "notes.txt", ".img3.png", "Img 7.jpeg"] {
            std::fs::write(at(name), "").unwrap();
        }
        std::fs::create_dir(at("img5.png")).unwrap();
        assert_eq!(names(&list(&at("img*.png")).unwrap()), ["img1.png", "img2.png", "img10.png", "img100.png"]);
        assert_eq!(names(&list(&at("")).unwrap()), ["Img 7.jpeg", "b.JPG", "img1.png", "img2.png", "img10.png", "img100.png"]);
        assert_eq!(names(&list(&at("notes.txt")).unwrap()), ["notes.txt"]);
    }

    #[test]
    fn a_folder_whose_name_has_brackets_is_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a[1]*");
        std::fs::create_dir(&odd).unwrap();
        std::fs::write(odd.join("1.png"), "").unwrap();
        assert_eq!(names(&list(odd.to_str().unwrap()).unwrap()), ["1.png"]);
    }

    #[test]
    fn nothing_found_says_pattern_and_folder() {
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().display();
        let refused = |pattern: String| {
            let error = list(&pattern).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(error.to_string().contains(&format!("no picture matches '{pattern}' in the folder '")), "{error}");
            error.to_string()
        };
        let said = refused(format!("{shown}/*.png"));
        assert!(said.contains(&format!("folder '{shown}'")) && said.contains("the folder is there"), "{said}");
        let said = refused(format!("{shown}/missing/*.png"));
        assert!(said.contains(&format!("folder '{shown}/missing'; that folder does not exist")), "{said}");
        let said = refused(format!("{shown}/one.png"));
        assert!(said.contains(&format!("folder '{shown}'; the folder is there")), "{said}");
        let said = refused(format!("{shown}"));
        assert!(said.contains("ends in .png, .jpg or .jpeg"), "{said}");
        let here = std::env::current_dir().unwrap();
        assert!(refused("*.nothing".into()).contains(&format!("folder '{}'", here.display())));
        let error = list("a/***/b").unwrap_err();
        assert!(error.kind() == ErrorKind::InvalidArgument && error.to_string().contains("'a/***/b'"), "{error}");
    }
}
