//! The house itself: who may import whom. (Shaders are checked by the core's `tests/wgsl.rs`.)

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn crates_depend_downwards_only() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed: &[(&str, &[&str])] = &[
        ("streamlib-core", &[]),
        ("streamlib-processors", &["streamlib-core"]),
        ("streamlib", &["streamlib-core", "streamlib-processors"]),
        ("streamlib-python", &["streamlib"]),
        ("streamlib-benches", &["streamlib"]),
    ];
    let packages = metadata["packages"].as_array().unwrap();
    assert_eq!(packages.len(), allowed.len(), "a new crate: say here what it may depend on");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let (_, allowed) = allowed.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} is new"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency = dependency["name"].as_str().unwrap();
            let is_ours = dependency.starts_with("streamlib");
            assert!(!is_ours || allowed.contains(&dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn platform_libraries_are_named_where_they_belong() {
    for (library, home) in [
        ("winit", "processors/src/display"),
        ("nokhwa", "processors/src/camera"),
        ("v4l", "processors/src/camera"),
        ("pyo3", "python"),
    ] {
        for folder in ["streamlib-core", "processors", "streamlib", "examples", "benches"] {
            for path in files(&root().join(folder), "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let named = text.contains(&format!("{library}::")) || text.contains(&format!("use {library}"));
                let at_home = path.starts_with(root().join(home));
                let is_this = path.ends_with("streamlib/tests/workspace.rs");
                assert!(!named || at_home || is_this, "{} names {library}, which belongs to {home}", path.display());
            }
        }
    }
}

#[test]
fn processors_do_not_import_their_siblings() {
    let source = root().join("processors/src");
    let modules: BTreeSet<_> = std::fs::read_dir(&source)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "lib")
        .collect();
    for path in files(&source, "rs") {
        let mine = path.strip_prefix(&source).unwrap().iter().next().unwrap().to_string_lossy().replace(".rs", "");
        let text = std::fs::read_to_string(&path).unwrap();
        for sibling in modules.iter().filter(|sibling| **sibling != mine && mine != "lib") {
            assert!(!text.contains(&format!("crate::{sibling}")), "{} imports its sibling {sibling}", path.display());
        }
    }
}
