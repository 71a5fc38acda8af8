//! The bed: a small program over a log on a real disk, `crates/log/examples/bed`, that is killed and lied to.
//!
//! ```text
//!   append  -> lines of what was acknowledged -> a file that outlives it
//!   check   <- the lines; tells which still count, or what is missing or wrong
//! ```

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{self, cargo, target};

/// The code with which it ends when the log refused something.
pub(crate) const REFUSED: i32 = 3;

/// How much was acknowledged.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    /// Records of the appenders.
    pub(crate) records: usize,
    /// Records of the producer.
    pub(crate) produced: usize,
    /// Offsets that groups have committed.
    pub(crate) commits: usize,
}

/// The program, and a folder of its own for what it leaves.
pub(crate) struct Bed {
    program: PathBuf,
    folder: PathBuf,
}

impl Bed {
    /// Builds it, with the checks of a debug build.
    pub(crate) fn build(root: &Path) -> Result<Self> {
        command::run(&mut cargo(
            root,
            &["build", "--locked", "--package", "headwater-log", "--example", "bed"],
        ))?;
        let target = target(root);
        let folder = target.join(format!("bed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self { program: target.join("debug/examples/bed"), folder })
    }

    fn lines(&self) -> PathBuf {
        self.folder.join("acknowledged")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Forgets the log and what was acknowledged.
    pub(crate) fn clear(&self) -> Result<()> {
        for path in [self.folder.join("log"), self.lines()] {
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            if let Err(error) = removed
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error).with_context(|| format!("{} cannot be removed", path.display()));
            }
        }
        Ok(())
    }

    /// The command that appends with members of groups and a producer beside it. What it acknowledges is kept.
    pub(crate) fn append_with_groups(&self, count: u64, run: u64, threads: u64) -> Result<Command> {
        let mut command = self.append(&[], count, run, threads)?;
        command.arg("groups");
        Ok(command)
    }

    /// The command that appends, behind another one such as `strace`, if any. What it acknowledges is kept.
    pub(crate) fn append(&self, before: &[&str], count: u64, run: u64, threads: u64) -> Result<Command> {
        let lines = OpenOptions::new().create(true).append(true).open(self.lines())?;
        let mut command = match before {
            [] => Command::new(&self.program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
        };
        command.arg(self.folder.join("log")).arg("append");
        command.args([count, run, threads].map(|number| number.to_string()));
        command.stdin(Stdio::null()).stdout(lines).stderr(File::create(self.file("said"))?);
        Ok(command)
    }

    /// What the last one said before it ended.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.file("said")).unwrap_or_default().trim().to_owned()
    }

    /// Compares the log with what was acknowledged, and keeps what still counts; gives what the program says.
    pub(crate) fn check(&self) -> Result<String> {
        if !self.lines().exists() {
            File::create(self.lines())?;
        }
        let output = Command::new(&self.program)
            .arg(self.folder.join("log"))
            .arg("check")
            .stdin(File::open(self.lines())?)
            .output()
            .context("the bed cannot be started")?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() {
            bail!("{}: {said}; the log is in {}", output.status, self.folder.display());
        }
        std::fs::write(self.lines(), &output.stdout)?;
        Ok(said)
    }

    /// How many acknowledged records are known.
    pub(crate) fn acknowledged(&self) -> Result<usize> {
        Ok(self.told()?.records)
    }

    /// What it said is counted.
    pub(crate) fn told(&self) -> Result<Told> {
        let mut told = Told::default();
        for line in std::fs::read_to_string(self.lines())?.lines() {
            match line.split(' ').next().unwrap_or_default() {
                "produced" => told.produced += 1,
                "committed" => told.commits += 1,
                word if word.starts_with(|first: char| first.is_ascii_digit()) => told.records += 1,
                _ => {}
            }
        }
        Ok(told)
    }

    /// Removes what it left. After a failure it stays, to be looked at.
    pub(crate) fn remove(self) -> Result<()> {
        Ok(std::fs::remove_dir_all(self.folder)?)
    }
}
