//! `cargo x kill [ROUNDS]`: the bed appends durable records as fast as it can and is killed with SIGKILL, again and again.
//!
//! Each kill comes at a random time after the start: in the opening, in recovery, in appends, rolls and deletions. After
//! it the log is opened and has to have every record that was acknowledged, and no wrong one.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bed::Bed;

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
    let (mut acknowledged, mut idle) = (0, 0);
    for round in 1..=rounds {
        let known = if round == 1 { 0 } else { bed.acknowledged()? };
        let mut process = bed.append(&[], ENDLESS, round, THREADS)?.spawn()?;
        std::thread::sleep(Duration::from_micros(random.u64(..LATEST_MS * 1000)));
        process.kill()?;
        let status = process.wait()?;
        if status.signal() != Some(SIGKILL) {
            bail!("round {round} of seed {seed}: {status} before it was killed: {}", bed.said());
        }
        let more = bed.acknowledged()? - known;
        acknowledged += more;
        idle += u64::from(more == 0);
        let said = match bed.check() {
            Ok(said) => said,
            Err(error) => bail!("round {round} of seed {seed}: {error:#}"),
        };
        if round % PROGRESS == 0 || round == rounds {
            println!("  {round} of {rounds}: {said}");
        }
    }
    println!(
        "{rounds} kills, {idle} of them before the first record: {acknowledged} records were acknowledged, none is lost \
         or wrong, {:.0} s",
        begin.elapsed().as_secs_f64()
    );
    bed.remove()
}
