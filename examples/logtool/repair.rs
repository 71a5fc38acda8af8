//! Setting damaged segments aside.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use headwater::log::{Log, LogOptions, OnDamage, PartitionRecovery, Severity};
use headwater_examples::show;

use crate::FOUND;
use crate::check::check;
use crate::options::Repair;

/// Says what would be done, and does it when told to.
pub(crate) fn run(options: &Repair, out: &mut impl Write) -> Result<ExitCode> {
    let mut stays = Vec::new();
    let report = check(&options.dir, |finding| {
        let is_damage = matches!(finding.problem, headwater::log::Problem::Damaged(_));
        if finding.severity() == Severity::Error && !is_damage {
            stays.push(format!("{finding}; {}", finding.problem.mend()));
        }
    })?;
    for line in &stays {
        writeln!(out, "not mended by this: {line}")?;
    }
    let damaged: Vec<_> = report.partitions.iter().filter(|found| !found.damage.is_empty()).collect();
    if damaged.is_empty() {
        writeln!(out, "no segment is damaged; nothing to do")?;
        return Ok(if stays.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) });
    }
    if !options.quarantine {
        damaged.iter().try_for_each(|found| tell(found, "would be", out))?;
        writeln!(out, "nothing was changed; --quarantine does it")?;
        return Ok(ExitCode::from(FOUND));
    }
    let log = Log::open(&options.dir, LogOptions::default().on_damage(OnDamage::Quarantine))
        .context("it cannot be repaired")?;
    let done = log.recovery().clone();
    log.close()?;
    done.partitions
        .iter()
        .filter(|found| !found.damage.is_empty())
        .try_for_each(|found| tell(found, "was", out))?;
    Ok(if stays.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn tell(found: &PartitionRecovery, verb: &str, out: &mut impl Write) -> Result<()> {
    for damage in &found.damage {
        writeln!(out, "{damage}")?;
    }
    let name = format!("{}-{}", found.topic, found.partition);
    for aside in &found.set_aside {
        let (segment, path, bytes) = (aside.segment, aside.path.display(), show::bytes(aside.bytes));
        writeln!(out, "{name}: segment {segment:020} {verb} set aside in {path}, {bytes}")?;
    }
    for missing in &found.missing {
        let (first, last) = (missing.start, missing.end.saturating_sub(1));
        let are = if first == last {
            format!("offset {first} is")
        } else {
            format!("offsets {first} to {last} are")
        };
        writeln!(out, "{name}: {are} missing; who reads there gets the next one that is there")?;
    }
    let (start, end) = (found.start_offset, found.end_offset);
    writeln!(out, "{name}: the log begins at offset {start} and goes on at {end}, as before")?;
    Ok(())
}
