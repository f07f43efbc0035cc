//! Every WGSL file of the repository is sound, and what it draws is kept as a golden image. Needs no GPU.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::fs;
use std::path::{Path, PathBuf};

use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Every file below `folder` whose name ends so; build outputs and hidden folders apart.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() && name != "target" && !name.starts_with('.') {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn shaders() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), "wgsl", &mut found);
    assert!(found.len() >= 7, "the tree was not walked: {found:?}");
    found
}

/// The file, after the one that its first line names, `// After source.wgsl.`, and after that one's. What stands where pixel shaders
/// would comes with whatever calls it.
fn text(path: &Path) -> String {
    let own = fs::read_to_string(path).unwrap();
    let first = own.lines().next().and_then(|line| line.strip_prefix("// After ")?.split_once(".wgsl")).map(|(name, _)| name);
    match first {
        Some(name) => text(&path.with_file_name(format!("{name}.wgsl"))) + "\n" + &own,
        None => own,
    }
}

/// The same, with all that it calls.
fn whole(path: &Path) -> String {
    let text = text(path);
    match text.contains("staged(") && !text.contains("fn staged(") {
        true => text + &fs::read_to_string(path.with_file_name("unstaged.wgsl")).unwrap(),
        false => text,
    }
}

#[test]
fn every_shader_is_sound() {
    for path in shaders() {
        let wgsl = whole(&path);
        let name = path.display();
        let module =
            naga::front::wgsl::parse_str(&wgsl).unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&wgsl)));
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::default());
        validator.validate(&module).unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&wgsl)));
    }
}

/// `to_420.wgsl` has a `to_420-something.png` or `to_420.png` in the `tests/golden` of its crate.
#[test]
fn every_shader_that_draws_has_a_golden_image() {
    // What benches compare with draws nothing that is shown.
    for path in shaders().into_iter().filter(|path| !path.components().any(|part| part.as_os_str() == "benches")) {
        if !whole(&path).contains("@compute") && !whole(&path).contains("@fragment") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let root = path.ancestors().find(|folder| folder.join("Cargo.toml").exists()).unwrap();
        let mut images = Vec::new();
        files(&root.join("tests/golden"), "png", &mut images);
        let is_of = |image: &PathBuf| {
            let rest = image.file_stem().unwrap().to_string_lossy().strip_prefix(&stem).map(str::to_string);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        assert!(images.iter().any(is_of), "{} has no golden image in {}/tests/golden", path.display(), root.display());
    }
}
