//! Everything that must hold before a change is taken.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::command::{self, cargo};
use crate::kafka::Asked;
use crate::{clients, kafka, kill, nostd, size, strace, tidy};

/// A few of the kills that a person lets `cargo x kill` do.
const KILLS: u64 = 20;

/// `cargo x ci`. Stops at the first step that fails.
pub(crate) fn run(root: &Path) -> Result<()> {
    let begin = Instant::now();
    step("format");
    command::run(&mut cargo(root, &["fmt", "--all", "--check"]))?;
    step("order of the house");
    tidy::run(root)?;
    step("lints");
    command::run(&mut cargo(
        root,
        &["clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"],
    ))?;
    step("the lower crates without std");
    nostd::run(root)?;
    step("the codec in a small program");
    size::run(root)?;
    step("documentation");
    let mut doc = cargo(root, &["doc", "--workspace", "--no-deps", "--all-features", "--locked"]);
    command::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    step("the log, killed");
    kill::run(root, KILLS)?;
    step("the log with system calls that fail");
    strace::run(root)?;
    step("examples against real clients");
    clients::run(root, &[])?;
    step("Kafka as the judge");
    let asked = kafka::run(root, &[])?;
    step("unit tests inside the examples");
    // `cargo test` without `--examples` builds them and runs none of their tests.
    command::run(&mut cargo(root, &["test", "--package", "headwater-examples", "--examples", "--locked"]))?;
    step("the codec with all its features, and with none");
    let codec = ["test", "--package", "headwater-codec", "--locked"];
    command::run(cargo(root, &codec).arg("--all-features"))?;
    command::run(cargo(root, &codec).arg("--no-default-features"))?;
    step("the log with every codec, and with none");
    // The tests that look into batches; all others run with the codecs that are on by default.
    let log = ["test", "--package", "headwater-log", "--locked"];
    let looking = ["--", "compress", "record_batch", "golden", "idempotence", "review_disk"];
    command::run(cargo(root, &log).arg("--all-features").args(looking))?;
    command::run(cargo(root, &log).arg("--no-default-features").args(looking))?;
    let fuzzed =
        ["test", "--package", "headwater-testkit", "--locked", "--features", "zstd", "log_compressed"];
    command::run(&mut cargo(root, &fuzzed))?;
    step("waiting for records, every interleaving");
    let loom = ["test", "--package", "headwater-log", "--locked", "--release", "--test", "loom"];
    // Other flags, so a target folder of its own: in the common one everything would be built again, twice.
    let target = command::target(root).join("loom");
    command::run(cargo(root, &loom).env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", target))?;
    step("the codec beside two others");
    let fuzz = root.join("fuzz");
    command::run(&mut cargo(&fuzz, &["fmt", "--all", "--check"]))?;
    // Not the targets themselves: they want a fuzzer to link to.
    command::run(&mut cargo(&fuzz, &["test", "--package", "headwater-differential", "--locked"]))?;
    // Last, so that the runner's closing lines close the output.
    step("tests");
    command::run(&mut cargo(root, &["test", "--workspace", "--locked"]))?;
    let seconds = begin.elapsed().as_secs_f64();
    match asked {
        Asked::Yes => println!("\nall of it holds, {seconds:.0} s"),
        Asked::No => println!(
            "\nSKIPPED: Apache Kafka was not asked (the reason is above); all else holds, {seconds:.0} s"
        ),
    }
    Ok(())
}

fn step(name: &str) {
    println!("\n== {name}");
}
