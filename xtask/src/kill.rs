//! `cargo x kill [ROUNDS]`: the bed appends durable records as fast as it can and is killed with SIGKILL, again and again.
//!
//! Beside the appenders a producer sends, and members of two groups poll and commit. Each kill comes at a random time after
//! the start: in the opening, in recovery, in appends, rolls, commits and deletions. After it the log is opened and has to
//! have every record that was acknowledged, and no wrong one; those of the producer once, in order, none left out. Each
//! group is at least where its last commit that returned was, at most at the durable end, and is given every record from there on.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bed::{Bed, Told};

/// More than can be appended before any kill.
const ENDLESS: u64 = 1 << 27;
const THREADS: u64 = 4;
const LATEST_MS: u64 = 150;
const SIGKILL: i32 = 9;
/// A line tells of so many rounds.
const PROGRESS: u64 = 50;

pub(crate) fn run(root: &Path, rounds: u64) -> Result<()> {
    let bed = Bed::build(root)?;
    let begin = Instant::now();
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut all, mut idle) = (Told::default(), 0);
    for round in 1..=rounds {
        let known = if round == 1 { Told::default() } else { bed.told()? };
        let mut process = bed.append_with_groups(ENDLESS, round, THREADS)?.spawn()?;
        std::thread::sleep(Duration::from_micros(random.u64(..LATEST_MS * 1000)));
        process.kill()?;
        let status = process.wait()?;
        if status.signal() != Some(SIGKILL) {
            bail!("round {round} of seed {seed}: {status} before it was killed: {}", bed.said());
        }
        let now = bed.told()?;
        idle += u64::from(now.records == known.records);
        all.records += now.records - known.records;
        all.produced += now.produced - known.produced;
        all.commits += now.commits - known.commits;
        let said = match bed.check() {
            Ok(said) => said,
            Err(error) => bail!("round {round} of seed {seed}: {error:#}"),
        };
        if round % PROGRESS == 0 || round == rounds {
            println!("  {round} of {rounds}: {said}");
        }
    }
    println!(
        "{rounds} kills, {idle} of them before the first record: {} records of appenders and {} of producers were \
         acknowledged, none is lost, twice or wrong; {} commits of groups, none is lost, {:.0} s",
        all.records,
        all.produced,
        all.commits,
        begin.elapsed().as_secs_f64()
    );
    bed.remove()
}
