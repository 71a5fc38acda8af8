//! The groups that have committed something, and how far each is behind.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use headwater::log::{GroupDescription, GroupPartition};
use headwater_examples::show;

use crate::bar::bar;
use crate::options::Groups;

/// Prints every group, or one.
pub(crate) fn run(options: &Groups, out: &mut impl Write) -> Result<ExitCode> {
    let mut groups = crate::open(&options.dir)?.groups()?;
    if let Some(wanted) = &options.group {
        let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
        groups.retain(|group| group.name == *wanted);
        if groups.is_empty() {
            bail!("{} has no group `{wanted}`; it has {names:?}", options.dir.display());
        }
    }
    let ascii = options.ascii || !io::stdout().is_terminal();
    let partitions = groups.iter().flat_map(|group| &group.partitions);
    let longest =
        partitions.map(|partition| partition.durable_end.saturating_sub(partition.start_offset)).max();
    for group in &groups {
        draw(out, group, longest.unwrap_or(0), ascii)?;
    }
    let lag = groups.iter().map(GroupDescription::lag).fold(0, u64::saturating_add);
    writeln!(out, "{} groups, {} offsets behind", show::count(groups.len() as u64), show::count(lag))?;
    Ok(ExitCode::SUCCESS)
}

fn draw(out: &mut impl Write, group: &GroupDescription, longest: u64, ascii: bool) -> Result<()> {
    writeln!(out, "{}  {} behind", group.name, show::count(group.lag()))?;
    for partition in &group.partitions {
        draw_partition(out, partition, longest, ascii)?;
    }
    writeln!(out)?;
    Ok(())
}

/// `  telemetry-0  ██████████░░░░░  8 of 10, 2 behind  2026-..`
fn draw_partition(out: &mut impl Write, one: &GroupPartition, longest: u64, ascii: bool) -> Result<()> {
    let (Some(committed), Some(lag)) = (one.committed, one.lag()) else { return Ok(()) };
    let done = committed.saturating_sub(one.start_offset);
    let bar = bar(done, lag, longest, ascii);
    let name = one.partition.to_string();
    write!(out, "  {name:<20}  {bar:<40}  {committed} of {}, {} behind", one.durable_end, show::count(lag))?;
    if committed < one.start_offset {
        write!(out, ", deleted up to {}", one.start_offset)?;
    }
    if let Some(ms) = one.committed_ms {
        write!(out, "  {}", show::moment(ms))?;
    }
    writeln!(out)?;
    Ok(())
}
