//! Many publishers that each wait for the disk: how many messages one `fdatasync` makes durable.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::time::Instant;

use anyhow::{Context, Result};

use super::Plan;
use super::broker::{Broker, Kind, Programs};
use super::table::{Target, median};
use crate::command::exists;

/// Those whose messages are made durable together, each with one message under way.
const PUBLISHERS: u32 = 100;
/// At least so many messages for each sync.
const MESSAGES_A_SYNC: f64 = 4.0;
/// So many messages a second are enough, however fast the disk is.
const RATE_MAX: f64 = 20_000.0;
const SECONDS: u64 = 2;
/// The disk alone: so many pages are written, one at a time, and made durable.
const PAGES: u64 = 400;
const PAGE: [u8; 4_096] = [1; 4_096];

/// Messages for each sync, and messages a second beside what the disk gives.
pub(crate) fn measure(programs: &Programs, plan: &Plan) -> Result<Vec<Target>> {
    let (publishers, seconds) = (PUBLISHERS.to_string(), plan.seconds(SECONDS).to_string());
    let options = ["--qos", "1", "--window", "1", "--publishers", &publishers, "--seconds", &seconds];
    let options = options.map(str::to_owned);
    let (mut rates, mut disks, mut per_sync) = (Vec::new(), Vec::new(), Vec::new());
    let has_strace = exists("strace", "--version");
    if !has_strace {
        println!("SKIPPED: messages for each fdatasync, because there is no strace");
    }
    for _ in 0..plan.rounds {
        disks.push(syncs_per_sec(programs)?);
        let broker = Broker::start(programs, Kind::Ours)?;
        rates.push(broker.load(programs, &options)?.sent_per_sec);
        broker.stop()?;
        if has_strace {
            let broker = Broker::start(programs, Kind::OursTraced)?;
            let sent = broker.load(programs, &options)?.sent;
            broker.stop()?;
            per_sync.push(sent / programs.syncs()?.max(1) as f64);
        }
    }
    let (rate, disk) = (median(rates.into_iter()), median(disks.into_iter()));
    let aim = (MESSAGES_A_SYNC * disk).min(RATE_MAX);
    let mut targets = vec![Target {
        what: format!("QoS 1, durable, {PUBLISHERS} publishers with one message each"),
        figure: format!("{rate:.0} messages a second; the disk alone: {disk:.0} fdatasync a second"),
        target: format!(
            "{MESSAGES_A_SYNC} times what the disk gives, and not more than {RATE_MAX:.0}: {aim:.0}"
        ),
        held: rate >= aim,
    }];
    if has_strace {
        let per_sync = median(per_sync.into_iter());
        targets.push(Target {
            what: "the same, messages for each fdatasync".to_owned(),
            figure: format!("{per_sync:.1}"),
            target: format!("at least {MESSAGES_A_SYNC}"),
            held: per_sync >= MESSAGES_A_SYNC,
        });
    }
    Ok(targets)
}

/// What the disk gives to one who writes a page and makes it durable, over and over, where there was one before.
pub(crate) fn syncs_per_sec(programs: &Programs) -> Result<f64> {
    let path = programs.folder().join("disk");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("{} cannot be made", path.display()))?;
    for _ in 0..PAGES {
        file.write_all(&PAGE)?;
    }
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let begin = Instant::now();
    for _ in 0..PAGES {
        file.write_all(&PAGE)?;
        file.sync_data()?;
    }
    Ok(PAGES as f64 / begin.elapsed().as_secs_f64())
}
