//! The tests of the log, tested: each of its safeguards is taken out in a copy of the tree, and the tests that are there for it have to fail.
//!
//! ```text
//!   tree -> copy below target -> one safeguard taken out -> the tests named for it -> each of them failed?   one line
//!                                                                                     otherwise: not caught, an error
//! ```

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{cargo, program, target};
use crate::mutations::{self, Mutation};

/// Where the mutated files are.
const SOURCES: &str = "crates/log/src";
/// Where they are listed.
const DOCUMENT: &str = "docs/testing.md";
/// A test that waits for what the mutation never brings is ended after so many seconds, and has not failed.
const SECONDS_MAX: u32 = 240;

/// `cargo x mutate [WORD ...]`: all, or those whose description has one of the words.
pub(crate) fn run(root: &Path, words: &[&str]) -> Result<()> {
    let mut findings = Vec::new();
    check(root, &mut findings)?;
    ensure!(findings.is_empty(), "{}", findings.join("\n"));
    let wanted =
        |mutation: &&Mutation| words.is_empty() || words.iter().any(|word| mutation.what.contains(word));
    let chosen: Vec<&Mutation> = mutations::all().filter(wanted).collect();
    ensure!(!chosen.is_empty(), "no safeguard is described by {words:?}");
    let folder = target(root).join("mutate");
    let tree = folder.join("tree");
    copy(root, &tree)?;
    let mut missed = Vec::new();
    for (at, mutation) in chosen.iter().enumerate() {
        let begun = Instant::now();
        let path = tree.join(SOURCES).join(mutation.file);
        let whole = fs::read_to_string(&path)?;
        fs::write(&path, whole.replacen(mutation.from, mutation.to, 1))?;
        let failed = failing(&tree, &folder.join("target"), mutation.caught_by);
        fs::write(&path, whole)?;
        let survivors: Vec<&str> = match failed? {
            Outcome::Compiled(failed) => mutation
                .caught_by
                .iter()
                .copied()
                .filter(|test| !failed.iter().any(|name| name == test))
                .collect(),
            Outcome::NotCompiled(said) => bail!("without {}: does not compile:\n{said}", mutation.what),
        };
        let verdict = if survivors.is_empty() { "caught" } else { "NOT CAUGHT" };
        println!(
            "{}/{} {verdict}: {} ({}), {:.0} s",
            at + 1,
            chosen.len(),
            mutation.what,
            mutation.file,
            begun.elapsed().as_secs_f64()
        );
        for test in mutation.caught_by {
            let mark = if survivors.contains(test) { "  passed, or never ended: " } else { "  failed: " };
            println!("{mark}{test}");
        }
        if !survivors.is_empty() {
            missed.push(mutation.what);
        }
    }
    if missed.is_empty() {
        println!("{} safeguards taken out, each missed by the tests that are there for it", chosen.len());
        Ok(())
    } else {
        bail!("taken out and not caught: {}", missed.join("; "))
    }
}

/// Whether each safeguard still stands where its mutation takes it out, and its document names it and its tests. Part of `cargo x tidy`.
pub(crate) fn check(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let document =
        fs::read_to_string(root.join(DOCUMENT)).with_context(|| format!("{DOCUMENT} cannot be read"))?;
    for Mutation { what, file, from, caught_by, .. } in mutations::all() {
        let path = root.join(SOURCES).join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let count = text.matches(from).count();
        if count != 1 {
            findings.push(format!(
                "{SOURCES}/{file}: {what}: stands there {count} times; see xtask/src/mutations"
            ));
        }
        let line = document.lines().find(|line| line.starts_with(&format!("| {what} |"))).unwrap_or_default();
        for test in *caught_by {
            if !line.contains(test) {
                findings.push(format!("{DOCUMENT}: no line \"| {what} |\" with the test {test}"));
            }
        }
    }
    Ok(())
}

/// The files that git knows, as they are now; what was copied before and is the same keeps its time, so that it is not built again, and
/// what is no more there goes.
fn copy(root: &Path, tree: &Path) -> Result<()> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others"])
        .arg("--exclude-standard")
        .output()?;
    ensure!(output.status.success(), "git ls-files: {}", output.status);
    let mut known = HashSet::new();
    for name in String::from_utf8(output.stdout)?.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), tree.join(name));
        // A link to a folder, or what was deleted and not yet committed.
        if !from.is_file() {
            continue;
        }
        known.insert(to.clone());
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        let content = fs::read(&from)?;
        if fs::read(&to).ok().as_ref() != Some(&content) {
            fs::write(&to, content)?;
        }
    }
    remove_others(tree, &known)
}

/// A file that was renamed would be there twice, and not compile.
fn remove_others(folder: &Path, known: &HashSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_others(&entry.path(), known)?;
        } else if !known.contains(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

enum Outcome {
    Compiled(Vec<String>),
    NotCompiled(String),
}

/// Runs these tests in the tree; gives those that failed.
fn failing(tree: &Path, target: &Path, tests: &[&str]) -> Result<Outcome> {
    let it = ["test", "--locked", "--package", "headwater-log", "--test", "it"];
    let built = quietly(cargo(tree, &it).arg("--no-run"), target)?;
    if !built.status.success() {
        return Ok(Outcome::NotCompiled(String::from_utf8_lossy(&built.stderr).into_owned()));
    }
    // `timeout` ends the test's process too, not only cargo.
    let seconds = SECONDS_MAX.to_string();
    let mut run = program(tree, "timeout", ["--signal=KILL", &seconds, "cargo"]);
    let output = quietly(run.args(it).args(["--", "--exact"]).args(tests), target)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = said.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    Ok(Outcome::Compiled(failed.map(str::to_owned).collect()))
}

/// Runs it with a target folder of its own, and gives what it prints.
fn quietly(command: &mut Command, target: &Path) -> Result<Output> {
    command.env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", "--cap-lints=warn").env("RUST_BACKTRACE", "0");
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().with_context(|| format!("{name} cannot be started"))
}
