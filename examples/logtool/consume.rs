//! Records as a member of a group gets them: what it printed is committed, and does not come again.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use headwater::log::{Consumer, ConsumerOptions, Log, LogOptions, OffsetReset, TopicPartition};

use crate::lines;
use crate::options::{Beginning, Consume};

/// How long it waits for more before it looks whether somebody still reads what it prints.
const NAP: Duration = Duration::from_millis(500);

/// Prints what the group has not done yet.
pub(crate) fn run(options: &Consume, out: &mut impl Write) -> Result<ExitCode> {
    // It writes, so it needs the log for itself; but it makes none where there is none.
    crate::open(&options.dir)?;
    let log = Log::open(&options.dir, LogOptions::default())
        .with_context(|| format!("{} cannot be opened", options.dir.display()))?;
    if let Some(from) = &options.from {
        begin(&log, options, from)?;
    }
    let member_options = ConsumerOptions::default().auto_offset_reset(match options.from {
        Some(Beginning::Latest) => OffsetReset::Latest,
        _ => OffsetReset::Earliest,
    });
    let mut member = log.consumer_with(&options.group, [options.topic.as_str()], member_options)?;
    print(&mut member, options, out)?;
    drop(member);
    log.close()?;
    Ok(ExitCode::SUCCESS)
}

/// Sets where the group begins, whatever it has done.
fn begin(log: &Log, options: &Consume, from: &Beginning) -> Result<()> {
    let topic = log.topic(&options.topic);
    let topic = topic
        .with_context(|| format!("there is no topic `{}`; there are {:?}", options.topic, log.topics()))?;
    let offsets: Vec<_> = topic
        .partitions()
        .map(|partition| {
            let (start, end) = (partition.start_offset(), partition.durable_end());
            let offset = match from {
                Beginning::Earliest => start,
                Beginning::Latest => end,
                // What a partition does not have begins at its nearest end.
                Beginning::Offset(offset) => (*offset).clamp(start, end),
            };
            (TopicPartition::new(options.topic.as_str(), partition.number()), offset)
        })
        .collect();
    log.reset_group_offsets(&options.group, &offsets)?;
    Ok(())
}

fn print(member: &mut Consumer, options: &Consume, out: &mut impl Write) -> Result<()> {
    let mut left = options.max.unwrap_or(u64::MAX);
    let wait = if options.follow { NAP } else { Duration::ZERO };
    while left > 0 {
        let Some(records) = member.poll(wait)? else {
            if options.follow {
                out.flush()?;
                continue;
            }
            return Ok(());
        };
        let mut next = records.next_offset();
        for record in &records {
            if left == 0 {
                next = record?.offset;
                break;
            }
            lines::consumed(records.partition().partition, &record?).write(out, options.json)?;
            left -= 1;
        }
        // First what was printed is out, then it is done.
        out.flush()?;
        member.commit_offset(records.partition(), next)?;
    }
    Ok(())
}
