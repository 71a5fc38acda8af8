//! The proof that the lower crates need no `std`, and in their core tier no heap.

use std::path::Path;

use anyhow::Result;

use crate::command::{self, cargo};

/// Builds the probe twice: with the core tier alone, and with `alloc`.
///
/// The probe is a `staticlib` that brings its own `#[panic_handler]`. If any of its dependencies pulls `std` in, there are two
/// handlers and the build fails; a plain `--no-default-features` build of a crate would not notice. In the core tier it brings no
/// allocator either, so a dependency on `alloc` fails the build in the same way.
pub(crate) fn run(root: &Path) -> Result<()> {
    let probe = root.join("xtask/probe");
    let target = root.join("target/nostd");
    for features in ["core-tier", "alloc-tier"] {
        let mut build = cargo(&probe, &["build", "--release", "--locked", "--features", features]);
        build.env("CARGO_TARGET_DIR", &target);
        command::run(&mut build)?;
    }
    Ok(())
}
