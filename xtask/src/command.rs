//! Running other programs, loudly.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A program to run in `folder`; what it prints goes where ours goes.
pub(crate) fn program<I: AsRef<OsStr>>(
    folder: &Path,
    name: &str,
    arguments: impl IntoIterator<Item = I>,
) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).args(arguments);
    command
}

/// `cargo` with these arguments; inherits the toolchain that built us.
pub(crate) fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    program(folder, &cargo, arguments)
}

/// Runs it to its end and fails where it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    println!("$ {line}");
    let begin = Instant::now();
    let status = command.status().with_context(|| format!("{line}: cannot be started"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    println!("  ok, {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// The same, but it is killed and fails when it takes longer.
pub(crate) fn run_within(command: &mut Command, secs: u64) -> Result<()> {
    let line = line_of(command);
    println!("$ {line}");
    let begin = Instant::now();
    let mut process = command.spawn().with_context(|| format!("{line}: cannot be started"))?;
    let status = loop {
        if let Some(status) = process.try_wait()? {
            break status;
        }
        if begin.elapsed() > Duration::from_secs(secs) {
            process.kill()?;
            process.wait()?;
            bail!("{line}: not done after {secs} s");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if !status.success() {
        bail!("{line}: {status}");
    }
    println!("  ok, {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Whether the program is there at all: whether `NAME --version` or the like can be started.
pub(crate) fn exists(name: &str, argument: &str) -> bool {
    Command::new(name).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

fn line_of(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
