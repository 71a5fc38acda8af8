//! `cargo x strace`: the bed on a real disk while `strace` lets one of its system calls fail, or kills it there.
//!
//! ```text
//!   a run in peace      openat .. "begin" .. openat  fallocate  openat  pwrite64  fdatasync ..   counted
//!   a run for a point                                ^ the 1st one fails with ENOSPC
//!   check               all that was acknowledged is there;  append again, check again
//! ```
//!
//! Where there is no `strace`, or it may not trace, this says so and is skipped.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::bed::{Bed, REFUSED};

/// The system calls of a log, and what happens in them.
const FAULTS: &[(&str, &[&str])] = &[
    ("fdatasync", &["error=EIO", "error=ENOSPC", "error=EINTR", "signal=SIGKILL"]),
    ("fsync", &["error=EIO", "error=ENOSPC", "signal=SIGKILL"]),
    ("fallocate", &["error=ENOSPC", "error=EIO", "error=EINTR", "error=EOPNOTSUPP", "signal=SIGKILL"]),
    ("pwrite64", &["error=EIO", "error=ENOSPC", "error=EINTR", "signal=SIGKILL"]),
    ("pread64", &["error=EIO", "error=EINTR", "signal=SIGKILL"]),
    ("ftruncate", &["error=EIO", "error=EINTR", "signal=SIGKILL"]),
    ("mmap", &["error=ENOMEM", "signal=SIGKILL"]),
    ("openat", &["error=EMFILE", "error=EACCES", "signal=SIGKILL"]),
    ("rename", &["error=EIO", "error=ENOSPC", "signal=SIGKILL"]),
    ("unlink", &["error=EIO", "signal=SIGKILL"]),
    ("mkdir", &["error=ENOSPC", "signal=SIGKILL"]),
    ("fcntl", &["error=EIO", "error=EAGAIN"]),
];
/// So many calls of each kind are hit by each fault, spread over all that there are.
const POINTS: u64 = 3;
/// Enough for several segments and deletions.
const RECORDS: u64 = 320;
const SIGKILL: i32 = 9;

/// How often a system call was made before the log was opened, and in all.
#[derive(Default, Clone, Copy)]
struct Calls {
    before: u64,
    all: u64,
}

pub(crate) fn run(root: &Path) -> Result<()> {
    if let Some(reason) = why_not() {
        println!("SKIPPED: no system call was made to fail, because {reason}");
        return Ok(());
    }
    let bed = Bed::build(root)?;
    let begin = Instant::now();
    let calls = count(&bed)?;
    let (mut points, mut refused, mut killed) = (0, 0, 0);
    for (name, faults) in FAULTS {
        let Some(of) = calls.get(*name).filter(|of| of.all > of.before) else {
            bail!("the bed makes no {name}: leave it out, or let the bed do what needs it");
        };
        let range = of.all - of.before;
        for fault in *faults {
            for point in 0..POINTS.min(range) {
                let nth = of.before + 1 + point * (range - 1) / (POINTS.min(range) - 1).max(1);
                let place = format!("{name}:{fault}:when={nth}");
                let status = hit(&bed, &place).with_context(|| place.clone())?;
                points += 1;
                refused += u64::from(status == Ending::Refused);
                killed += u64::from(status == Ending::Killed);
            }
        }
    }
    println!(
        "{points} points in {} system calls: {refused} refused with an error, {killed} killed, the others went on; no \
         acknowledged record is lost or wrong, {:.0} s",
        FAULTS.len(),
        begin.elapsed().as_secs_f64()
    );
    bed.remove()
}

/// Why there is nothing to do here, if so.
fn why_not() -> Option<String> {
    let traced = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO:when=1", "true"])
        .stdin(Stdio::null())
        .output();
    match traced {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("strace cannot be started: {error}")),
    }
}

/// Counts the system calls of a run in which nothing fails.
fn count(bed: &Bed) -> Result<BTreeMap<String, Calls>> {
    bed.clear()?;
    let log = bed.file("calls");
    let log = log.to_string_lossy();
    let status = bed.append(&["strace", "-qq", "-o", &log], RECORDS, 0, 1)?.status()?;
    if !status.success() {
        bail!("without any fault: {status}: {}", bed.said());
    }
    bed.check()?;
    let mut calls: BTreeMap<String, Calls> = BTreeMap::new();
    let mut begun = false;
    for line in std::fs::read_to_string(&*log)?.lines() {
        begun |= line.starts_with("write(1, \"begin");
        let Some((name, _)) = line.split_once('(') else { continue };
        let of = calls.entry(name.to_owned()).or_default();
        of.all += 1;
        of.before += u64::from(!begun);
    }
    Ok(calls)
}

#[derive(PartialEq)]
enum Ending {
    Whole,
    Refused,
    Killed,
}

/// One run with one fault, and what has to hold after it.
fn hit(bed: &Bed, place: &str) -> Result<Ending> {
    bed.clear()?;
    let name = place.split(':').next().unwrap_or_default();
    let (trace, inject) = (format!("trace={name}"), format!("inject={place}"));
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let status = bed.append(&strace, RECORDS, 1, 1)?.status()?;
    let ending = match (status.code(), status.signal()) {
        (Some(0), _) => Ending::Whole,
        (Some(REFUSED), _) => Ending::Refused,
        (_, Some(SIGKILL)) if place.contains("SIGKILL") => Ending::Killed,
        _ => bail!("{status}: {}", bed.said()),
    };
    if ending == Ending::Whole && (bed.acknowledged()? as u64) < RECORDS {
        bail!("it ended well with {} records of {RECORDS}", bed.acknowledged()?);
    }
    bed.check()?;
    // It works again.
    let status = bed.append(&[], 30, 2, 1)?.status()?;
    if !status.success() {
        bail!("appending again: {status}: {}", bed.said());
    }
    bed.check()?;
    Ok(ending)
}
