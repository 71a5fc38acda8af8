//! A Python below the target folder that has what `tests/clients` and `tests/interop` ask for.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::{self, target};

/// What has to be installed, below the root.
const REQUIREMENTS: &[&str] = &["tests/clients/requirements.txt", "tests/interop/requirements.txt"];

/// The interpreter, which [`install`] makes.
pub(crate) fn program(root: &Path) -> PathBuf {
    folder(root).join("bin/python")
}

fn folder(root: &Path) -> PathBuf {
    target(root).join("clients/python")
}

/// Makes it and fetches what is asked for, as far as it is not there.
pub(crate) fn install(root: &Path) -> Result<()> {
    let folder = folder(root);
    let pip = folder.join("bin/pip");
    if !pip.exists() {
        let venv = ["-m".as_ref(), "venv".as_ref(), folder.as_os_str()];
        command::run(&mut command::program(root, "python3", venv))?;
    }
    for requirements in REQUIREMENTS {
        let arguments = ["install", "--quiet", "-r", requirements];
        command::run(&mut command::program(root, &pip.to_string_lossy(), arguments))?;
    }
    Ok(())
}
