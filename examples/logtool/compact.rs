//! Compacting a partition of a log that is closed.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use headwater::log::{CleanupPolicy, Clock, Log, LogOptions, SystemClock, TopicOptions};
use headwater_examples::show;
use indicatif::{ProgressBar, ProgressStyle};

use crate::options::Compact;

/// Compacts one partition, or all of a topic, and says what that did.
pub(crate) fn run(options: &Compact, out: &mut impl Write) -> Result<ExitCode> {
    // A log is made where there is none; that is not what was meant.
    crate::open(&options.dir)?;
    let compacted = TopicOptions::default()
        .cleanup_policy(CleanupPolicy::Compact)
        .delete_retention_ms(options.delete_retention.as_millis().try_into().unwrap_or(u64::MAX));
    let memory =
        LogOptions::default().topic_defaults(compacted).cleaner_dedupe_bytes(options.memory.as_u64());
    let log = Log::open(&options.dir, memory).context("it cannot be opened")?;
    let topic = log.topic(&options.topic).with_context(|| {
        format!("{} has no topic `{}`; it has {:?}", options.dir.display(), options.topic, log.topics())
    })?;
    let chosen = |number: u32| options.partition.is_none_or(|wanted| wanted == number);
    let partitions: Vec<_> = topic.partitions().filter(|partition| chosen(partition.number())).collect();
    if partitions.is_empty() {
        anyhow::bail!("topic `{}` has {} partitions", options.topic, topic.partition_count());
    }
    for partition in partitions {
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{prefix} pass {msg} {bar:40} {bytes}/{total_bytes}, {eta}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(format!("{}-{}", partition.topic(), partition.number()));
        let report = partition.compact(SystemClock.now_ms(), &mut |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.done_bytes);
            bar.set_message(progress.pass.to_string());
        });
        bar.finish_and_clear();
        let report = report?;
        writeln!(
            out,
            "{}-{}: {} in {} segments, now {} in {}; {} records went, {} of them tombstones, {} stay; {} keys, {} passes",
            partition.topic(),
            partition.number(),
            show::bytes(report.bytes_before),
            report.segments_before,
            show::bytes(report.bytes_after),
            report.segments_after,
            show::count(report.records_superseded + report.tombstones_removed),
            show::count(report.tombstones_removed),
            show::count(report.records_kept),
            show::count(report.keys),
            report.passes,
        )?;
        if report.records_without_key > 0 {
            writeln!(out, "  {} records have no key, and stay", show::count(report.records_without_key))?;
        }
    }
    log.close()?;
    Ok(ExitCode::SUCCESS)
}
