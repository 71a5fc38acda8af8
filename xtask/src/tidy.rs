//! What no compiler checks: who may import whom, how long a file may be, that nothing is left unfinished, that the map shows
//! every room, that the listings of the guide are its program, and that the lists of MQTT's rules and of promises name tests that exist.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{conformance, mutate, promises};

/// The complete list of allowed imports between our crates; the picture is in `ARCHITECTURE.md`.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("topic", &[]),
    ("codec", &["topic"]),
    ("session", &["codec", "topic"]),
    ("log", &[]),
    ("store", &["topic", "codec", "session", "log"]),
];

/// What the sans-IO crates must never name: time, randomness, threads and I/O reach them as arguments.
const NEVER_IN_SANS_IO: &[&str] =
    &["tokio", "std::net", "std::time", "std::thread", "std::fs", "std::io", "fastrand", "Instant::now"];

/// The one file of them that adapts to a runtime's types, behind a feature of its own.
const ADAPTERS: &[&str] = &["crates/codec/src/framed.rs"];

/// The crates that [`NEVER_IN_SANS_IO`] is about.
const SANS_IO: &[&str] = &["topic", "codec", "session"];

/// The only files that may contain `unsafe` code, each with its reason at its top.
const MAY_BE_UNSAFE: &[&str] = &[
    "crates/log/src/storage/region.rs",
    "crates/topic/src/subscription/prefetch.rs",
    "xtask/probe/src/lib.rs",
    "xtask/size/src/lib.rs",
    "crates/codec/tests/alloc.rs",
    "crates/topic/tests/it/memory.rs",
    "benches/peers/src/memory.rs",
    "benches/peers/src/log/peer/limit.rs",
];

/// A source file of more lines is two rooms in one.
const LINES_MAX: usize = 500;

/// Marks of work that was not finished. Spelled in two halves, so that this file passes its own check.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("#[ign", "ore"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// `cargo x tidy`.
pub(crate) fn run(root: &Path) -> Result<()> {
    let sources = sources(root)?;
    let mut findings = Vec::new();
    for file in &sources {
        lines(file, &mut findings);
    }
    for (name, allowed) in MAY_IMPORT {
        manifest(root, name, allowed, &mut findings)?;
    }
    map(root, &mut findings)?;
    quickstart(root, &mut findings)?;
    guide(root, &mut findings)?;
    let document = fs::read_to_string(root.join(conformance::DOCUMENT))
        .with_context(|| format!("{} cannot be read", conformance::DOCUMENT))?;
    conformance::check(&document, &sources, &mut findings);
    let document = fs::read_to_string(root.join(promises::DOCUMENT))
        .with_context(|| format!("{} cannot be read", promises::DOCUMENT))?;
    promises::check(&document, &sources, &mut findings);
    mutate::check(root, &mut findings)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!(
        "tidy: {} source files, imports, lengths, the map, the guide and the lists of conformance, promises and mutations hold",
        sources.len()
    );
    Ok(())
}

/// One Rust file: its path from the root, with `/`, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

fn sources(root: &Path) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("{} cannot be listed", folder.display()))?
        {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | "node_modules" | "data") {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                found.push(Source { path: from_root(root, &path), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn from_root(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Length, unfinished work, `unsafe`, and what a sans-IO crate must not name.
fn lines(file: &Source, findings: &mut Vec<String>) {
    let Source { path, text } = file;
    let count = text.lines().count();
    if count > LINES_MAX {
        findings.push(format!("{path}: {count} lines, {LINES_MAX} are the most: make two rooms of it"));
    }
    let sans_io = SANS_IO.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")))
        && !ADAPTERS.contains(&path.as_str());
    for (number, line) in text.lines().enumerate() {
        let place = format!("{path}:{}", number + 1);
        for mark in UNFINISHED.iter().filter(|mark| line.contains(**mark)) {
            findings.push(format!("{place}: `{mark}`: finish it or list it in an issue"));
        }
        let code = line.split("//").next().unwrap_or_default();
        if code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
            && !MAY_BE_UNSAFE.contains(&path.as_str())
            && !path.ends_with("tidy.rs")
        {
            findings.push(format!("{place}: unsafe code lives in {MAY_BE_UNSAFE:?} only"));
        }
        if sans_io && !line.starts_with("#[cfg(feature") {
            for name in NEVER_IN_SANS_IO.iter().filter(|name| code.contains(**name)) {
                findings.push(format!(
                    "{place}: `{name}` in a crate that gets time, randomness and I/O as arguments"
                ));
            }
        }
    }
}

/// The dependencies of one crate, test dependencies aside, against the list.
fn manifest(root: &Path, name: &str, allowed: &[&str], findings: &mut Vec<String>) -> Result<()> {
    let path = root.join("crates").join(name).join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut in_dependencies = false;
    for line in text.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]") && !line.contains("dev-dependencies");
        } else if in_dependencies && let Some(rest) = line.strip_prefix("headwater-") {
            let imported = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            if !allowed.contains(&imported) {
                findings
                    .push(format!("crates/{name}/Cargo.toml: {name} may import {allowed:?}, not {imported}"));
            }
        }
    }
    Ok(())
}

/// The quickstart example stands in the README and in the documentation of the crate, to the letter: so it compiles there, and each
/// of the three is published by itself.
fn quickstart(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let read =
        |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("{path} cannot be read"));
    let code = read("examples/quickstart/main.rs")?;
    let readme = read("README.md")?;
    if block(&readme, "```rust\n") != Some(code.as_str()) {
        findings.push("README.md: its first Rust block is not examples/quickstart/main.rs".to_owned());
    }
    let crate_doc: String = read("src/lib.rs")?
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .flat_map(|line| [line.strip_prefix(' ').unwrap_or(line), "\n"])
        .collect();
    if block(&crate_doc, "```\n") != Some(code.as_str()) {
        findings.push("src/lib.rs: its first block is not examples/quickstart/main.rs".to_owned());
    }
    Ok(())
}

/// The Rust blocks of the guide, one behind the other, are the program that the tests run, to the letter.
fn guide(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let read =
        |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("{path} cannot be read"));
    let (guide, program) = (read("docs/guide.md")?, read("examples/small_broker/main.rs")?);
    let blocks: Vec<&str> =
        guide.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    if blocks.join("\n") != program {
        findings
            .push("docs/guide.md: its Rust blocks together are not examples/small_broker/main.rs".to_owned());
    }
    Ok(())
}

/// What stands between the first fence of this kind and the next.
fn block<'a>(text: &'a str, fence: &str) -> Option<&'a str> {
    text.split_once(fence).and_then(|(_, rest)| rest.split_once("```")).map(|(block, _)| block)
}

/// Every folder of the first levels has its name in `ARCHITECTURE.md`.
fn map(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md cannot be read")?;
    let mut rooms: Vec<PathBuf> = Vec::new();
    for parent in ["", "crates", "examples", "tests", "docs", "benches", "fuzz", "xtask"] {
        let folder = root.join(parent);
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            let is_room = if parent == "docs" { path.is_file() } else { path.is_dir() };
            if is_room && !hidden {
                rooms.push(path);
            }
        }
    }
    for room in rooms {
        let name = room.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let ours =
            !matches!(name.as_str(), "target" | "data" | "src" | "node_modules" | "artifacts" | "corpus");
        if ours && !map.contains(&name) {
            findings.push(format!("ARCHITECTURE.md: no room for {}", from_root(root, &room)));
        }
    }
    Ok(())
}
