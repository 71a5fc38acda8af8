//! How many bytes the codec adds to a device's program.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{self, cargo};

/// What the others are compared with.
const NOTHING: &str = "nothing";

/// The programs of `xtask/size`, each with what it does.
const PROGRAMS: &[(&str, &str)] = &[
    ("encode", "encodes CONNECT and PUBLISH, any revision"),
    ("puback", ".. and decodes PUBACK by PubAck::decode"),
    ("decode", ".. and decodes PUBACK by Packet::decode"),
    ("encode_v3_1_1", "encodes CONNECT and PUBLISH of 3.1.1"),
    ("puback_v3_1_1", ".. and decodes PUBACK by PubAck::decode"),
    ("decode_v3_1_1", ".. and decodes PUBACK by Packet::decode"),
];

/// Code, and what the linker puts beside it for the code to read. Tables for unwinding are no part of it: a program that aborts
/// on panic has no use for them.
const CODE: &[&str] = &[".text"];
const DATA: &[&str] = &[".rodata", ".data.rel.ro", ".data"];

/// Builds the programs for the host, runs each, and prints what it has more than one that does nothing.
pub(crate) fn run(root: &Path) -> Result<()> {
    let folder = root.join("xtask/size");
    let target = root.join("target/size");
    let mut build = cargo(&folder, &["build", "--release", "--locked", "--bins"]);
    build.env("CARGO_TARGET_DIR", &target);
    command::run(&mut build)?;
    let of = |name: &str| measure(&target.join("release").join(name));
    let nothing = of(NOTHING)?;
    println!("\n{:<15} {:<42} {:>7} {:>7} {:>7}", "program", "what it does", "code", "data", "bytes");
    for (name, what) in PROGRAMS {
        let size = of(name)?;
        let (code, data) = (size.code - nothing.code, size.data - nothing.data);
        println!("{name:<15} {what:<42} {code:>7} {data:>7} {:>7}", code + data);
    }
    Ok(())
}

/// The bytes of one program.
struct Size {
    code: i64,
    data: i64,
}

/// Runs a program, which ends well if it did what it should, and reads the sizes of its sections.
fn measure(program: &Path) -> Result<Size> {
    let status = Command::new(program)
        .status()
        .with_context(|| format!("{}: cannot be started", program.display()))?;
    if !status.success() {
        bail!("{}: did not do what it should: {status}", program.display());
    }
    let output =
        Command::new("size").arg("-A").arg(program).output().context("size of binutils cannot be started")?;
    if !output.status.success() {
        bail!("size -A {}: {}", program.display(), output.status);
    }
    let listing = String::from_utf8(output.stdout).context("size prints no text")?;
    let size = Size { code: sum(&listing, CODE), data: sum(&listing, DATA) };
    if size.code == 0 {
        bail!("size -A {}: no section .text", program.display());
    }
    Ok(size)
}

/// The sizes of these sections together.
fn sum(listing: &str, sections: &[&str]) -> i64 {
    let lines = listing.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let size: i64 = words.next()?.parse().ok()?;
        sections.contains(&name).then_some(size)
    });
    lines.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_added_by_their_whole_names() {
        let listing = "program  :\nsection  size  addr\n.text  367  5664\n.rodata  25  1368\n.data  8  14824\n.data.rel.ro  16  1\nTotal  3575\n";
        assert_eq!((sum(listing, CODE), sum(listing, DATA)), (367, 49));
    }
}
