//! The house rules that a compiler does not check: who may use whom, where `unsafe`, clocks and
//! printing may stand, and that every file says what it is for.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root is there")
}

/// Every Rust file of the project with its text; names are relative to the root.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["harness", "kernels", "baselines", "reports"].map(|name| root.join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("the file can be read");
                let name = path.strip_prefix(&root).expect("it lies below").display().to_string();
                found.push((name, text));
            }
        }
    }
    assert!(found.len() > 50, "the walk found only {} files", found.len());
    found
}

/// Names the lines that hold one of these words outside the places where they may stand.
fn check(words: &[&str], allowed: impl Fn(&str) -> bool) {
    let mut offenders = Vec::new();
    for (name, text) in sources() {
        if allowed(&name) || name.contains("/tests/") || name.ends_with("tests.rs") {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                offenders.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    assert!(offenders.is_empty(), "{words:?} may not stand here:\n{}", offenders.join("\n"));
}

fn manifest(folder: &str) -> String {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("there is a manifest")
}

#[test]
fn crates_use_only_whom_they_may() {
    let allowed: [(&str, &[&str]); 7] = [
        ("harness/core", &[]),
        ("harness/engine", &["core"]),
        ("harness/cdna", &[]),
        ("kernels", &["core"]),
        ("baselines", &["core", "engine"]),
        ("reports", &["core"]),
        ("harness/cli", &["core", "engine", "kernels", "baselines", "reports"]),
    ];
    for (folder, allowed) in allowed {
        let manifest = manifest(folder);
        let runtime = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        for line in runtime.lines() {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if let Some(other) = name.strip_prefix("tilemark-") {
                assert!(allowed.contains(&other), "{folder} may not depend on {other}");
            }
        }
    }
}

#[test]
fn kernels_and_core_stay_light() {
    for folder in ["harness/core", "kernels"] {
        for heavy in ["polars", "tokio", "cudarc", "plotters", "parquet"] {
            assert!(!manifest(folder).contains(heavy), "{folder} depends on {heavy}");
        }
    }
}

#[test]
fn unsafe_stands_only_where_hardware_or_foreign_code_begins() {
    let places = [
        "harness/engine/src/device/",
        "harness/engine/src/compile/",
        "baselines/rivals/",
        "harness/cdna/src/hip",
    ];
    check(&["unsafe {", "unsafe fn", "unsafe impl"], |name| {
        places.iter().any(|place| name.starts_with(place))
    });
}

#[test]
fn clocks_are_read_only_where_time_is_measured() {
    check(&["Instant", "SystemTime", "Timestamp::now"], |name| {
        name.starts_with("harness/engine/src/measure")
            || name.starts_with("harness/engine/src/device")
            || name.starts_with("harness/cdna/")
            || name.contains("/benches/")
            // The date of a run, which is no measurement.
            || name == "harness/cli/src/cmd/run.rs"
    });
}

#[test]
fn only_the_command_line_prints() {
    check(&["println!", "print!(", "process::exit"], |name| {
        name.starts_with("harness/cli/")
            || name.starts_with("harness/cdna/src/main.rs")
            // Called through a C interface, it has no other way to say what went wrong.
            || name.starts_with("harness/cdna/src/hip")
            // A build script talks to cargo.
            || name.ends_with("/build.rs")
            || name.contains("/examples/")
            // The worker talks to the engine on stdout, and ends when the engine is gone.
            || name == "harness/engine/src/worker/serve.rs"
    });
}

#[test]
fn every_file_says_what_it_is_for() {
    let files = sources().into_iter();
    let silent: Vec<String> =
        files.filter(|(_, text)| !text.starts_with("//!")).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "no opening comment: {silent:?}");
}

#[test]
fn a_family_is_a_folder() {
    for family in tilemark_kernels::FAMILIES {
        // A backward pass is a family of its own in the folder of its forward pass.
        let name = family.about().name;
        let folder = root().join("kernels").join(name.strip_suffix("_bwd").unwrap_or(name));
        for file in ["mod.rs", "reference.rs", "shapes.toml"] {
            assert!(folder.join(file).is_file(), "{}/{file} is missing", folder.display());
        }
    }
}
