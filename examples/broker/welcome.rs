//! What the broker says when it starts and when it stops.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use headwater::log::{Log, Partition, RecoveryReport};
use headwater::store::Store;
use headwater_examples::show;

use crate::files::Share;
use crate::hub::Hub;
use crate::options::Options;

/// Where it listens, where the data is, what was recovered, what retention holds, and what to type next.
pub(crate) fn print(log: &Log, store: &Store, options: &Options, files: Share, address: SocketAddr) {
    let mut text = String::new();
    let written = welcome(&mut text, log, store, options, files, address);
    debug_assert!(written.is_ok(), "a string takes everything");
    say(&text);
}

/// What it did.
pub(crate) fn farewell(hub: &Hub) {
    let load = |counter: &std::sync::atomic::AtomicU64| show::count(counter.load(Ordering::Relaxed));
    let (counters, statistics) = (&hub.counters, hub.store.statistics());
    let mut text = format!(
        "stopped: {} messages received, {} sent; {} not stored, {} dropped, {} expired, {} too large for their receiver\n",
        load(&counters.received),
        load(&counters.sent),
        load(&counters.failed),
        show::count(statistics.dropped),
        show::count(statistics.expired),
        load(&counters.too_large),
    );
    if counters.wills_early.load(Ordering::Relaxed) > 0 {
        let _ = writeln!(
            text,
            "{} wills did not wait for their delay because there was no room for more",
            load(&counters.wills_early)
        );
    }
    if counters.reserved.load(Ordering::Relaxed) > 0 {
        let _ = writeln!(
            text,
            "{} messages to topics below $SYS were refused: only the broker publishes there",
            load(&counters.reserved)
        );
    }
    if statistics.sessions_refused > 0 {
        let _ = writeln!(
            text,
            "{} clients were turned away because there was no room for more sessions",
            show::count(statistics.sessions_refused)
        );
    }
    if statistics.retained_refused > 0 {
        let _ = writeln!(
            text,
            "{} messages were refused because there was no room for more retained ones",
            show::count(statistics.retained_refused)
        );
    }
    if statistics.returned > 0 {
        let _ = writeln!(
            text,
            "{} messages of shared subscriptions went to another subscriber because the first one had gone",
            show::count(statistics.returned)
        );
    }
    if statistics.fell_behind > 0 {
        let _ = writeln!(
            text,
            "{} records were deleted by retention before a session had read them",
            show::count(statistics.fell_behind)
        );
    }
    say(&text);
}

/// Writes to the standard output. If nobody reads it, or it is full, the broker serves all the same.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = io::Write::write_all(&mut out, text.as_bytes()).and_then(|()| io::Write::flush(&mut out));
}

fn welcome(
    text: &mut String,
    log: &Log,
    store: &Store,
    options: &Options,
    files: Share,
    address: SocketAddr,
) -> std::fmt::Result {
    let data = options.data.canonicalize().unwrap_or_else(|_| options.data.clone());
    let partitions: Vec<Partition> =
        store.topics().flat_map(|topic| topic.partitions().collect::<Vec<_>>()).collect();
    let statistics = store.statistics();
    let port = address.port();
    writeln!(text, "Headwater broker {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(text, "  listens on  {address}, MQTT 3.1, 3.1.1 and 5.0")?;
    writeln!(text, "  data        {}, log {}", data.display(), topics(store))?;
    for route in &options.routes {
        writeln!(text, "  routes      {} to log topic `{}`", route.filter(), route.topic_name())?;
    }
    writeln!(text, "  recovered   {}", recovered(log.recovery()))?;
    writeln!(text, "  holds       {}", holds(&partitions))?;
    writeln!(
        text,
        "              {} retained messages, {} sessions",
        statistics.retained, statistics.sessions
    )?;
    writeln!(
        text,
        "  retention   {}, about {} a partition; whole files of {} go",
        humantime::format_duration(options.retention),
        show::bytes(options.retention_bytes),
        show::bytes(options.segment_bytes)
    )?;
    writeln!(text, "  takes       {}", takes(options, files))?;
    writeln!(text, "  try         mosquitto_sub -p {port} -t 'factory/#' -v")?;
    writeln!(text, "              mosquitto_pub -p {port} -t factory/line-1/temperature -m 21.5 -q 1")?;
    writeln!(
        text,
        "              cargo run --release --example replay -- --data {} --follow",
        options.data.display()
    )
}

/// Also those that no rule names any more.
fn topics(store: &Store) -> String {
    let all = store.topics().map(|topic| format!("`{}` in {}", topic.name(), topic.partition_count()));
    let all: Vec<String> = all.collect();
    format!("topic{} {} partitions", if all.len() == 1 { "" } else { "s" }, all.join(", "))
}

fn recovered(report: &RecoveryReport) -> String {
    if report.is_clean() {
        return format!("nothing to do: the log was closed cleanly, or is new ({:.0?})", report.duration);
    }
    let scanned: usize = report.partitions.iter().map(|partition| partition.segments_scanned).sum();
    let batches: u64 = report.partitions.iter().map(|partition| partition.batches_scanned).sum();
    let mut text =
        format!("{scanned} files with {} batches checked in {:.0?}", show::count(batches), report.duration);
    for partition in &report.partitions {
        if let Some((segment, position)) = partition.cut_at {
            let _ = write!(
                text,
                "\n              {}-{}: a torn tail of {} was cut off file {segment:020}.log at {position}",
                partition.topic,
                partition.partition,
                show::bytes(partition.bytes_cut)
            );
        }
        if let Some(offset) = partition.missing_from {
            let _ = write!(
                text,
                "\n              {}-{}: records {offset} to {} are missing",
                partition.topic, partition.partition, partition.start_offset
            );
        }
    }
    text
}

fn takes(options: &Options, files: Share) -> String {
    let connections = show::count(files.connections);
    if files.connections == u64::from(options.connections_max) {
        return format!("{connections} connections");
    }
    format!(
        "{connections} connections and not {}: {} open files are allowed (ulimit -n), {} of them are kept for the log",
        show::count(options.connections_max.into()),
        files.limit,
        files.log
    )
}

fn holds(partitions: &[Partition]) -> String {
    let messages: u64 =
        partitions.iter().map(|partition| partition.durable_end() - partition.start_offset()).sum();
    let bytes: u64 = partitions.iter().map(Partition::size_bytes).sum();
    let files: usize = partitions.iter().map(|partition| partition.segments().len()).sum();
    let mut text = format!("{} messages, {} in {files} files", show::count(messages), show::bytes(bytes));
    let oldest = partitions
        .iter()
        .filter(|partition| partition.durable_end() > partition.start_offset())
        .filter_map(|partition| {
            let fetched = partition.read(partition.start_offset(), 1).ok()?;
            fetched.views().next()?.ok().map(|record| record.timestamp)
        })
        .min();
    if let Some(oldest) = oldest {
        let _ = write!(text, ", the oldest of {}", show::moment(oldest));
    }
    text
}
