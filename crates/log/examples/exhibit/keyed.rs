//! A compacted topic: few keys, written over and over, and tombstones.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use headwater_log::{CleanupPolicy, Clock, Log, Partition, SystemClock};

use super::author::{Author, Known, Sample, append_samples};
use super::lines::say_known;
use super::{Outcome, Told, open, options};

/// Batches that are appended at a time.
const BATCHES: u64 = 240;
/// The keys are the products of two numbers below this: some come often, others once in a while.
const FACTORS: u32 = 24;
const VALUE_BYTES: usize = 600;
const SEGMENT_BYTES: u64 = 64 * 1024;

/// Appends to the topic, which is made if it is not there; says what was appended.
pub(crate) fn write(directory: &str, topic: &str, seed: u64) -> Outcome<()> {
    let clock = Arc::new(Told(AtomicI64::new(SystemClock.now_ms())));
    let mut author = Author::new(seed, Arc::clone(&clock));
    author.packs = true;
    let (log, partition) = opened(directory, topic, Arc::clone(&clock))?;
    let mut known = Known::new();
    for _ in 0..BATCHES {
        clock.0.fetch_add(1, Ordering::Relaxed);
        author.choose_codec(&log, topic)?;
        let samples: Vec<Sample> = (0..author.random.usize(1..10)).map(|_| sample(&mut author)).collect();
        known.extend((append_samples(&partition, &samples)?..).zip(samples));
    }
    say_known(&partition, &known)?;
    Ok(log.close()?)
}

fn sample(author: &mut Author) -> Sample {
    let mut sample = author.sample();
    sample.timestamp = author.clock.now_ms();
    sample.key =
        Some(format!("key {}", author.random.u32(..FACTORS) * author.random.u32(..FACTORS)).into_bytes());
    sample.value = (author.random.u8(..10) > 0).then(|| author.content(VALUE_BYTES).unwrap_or_default());
    sample
}

/// Compacts it and says what it has looked at for the first time: from this offset to that.
pub(crate) fn compact(directory: &str, topic: &str) -> Outcome<()> {
    let now_ms = SystemClock.now_ms();
    let (log, partition) = opened(directory, topic, Arc::new(Told(AtomicI64::new(now_ms))))?;
    let cleaned = partition.compact(now_ms, &mut |_| {})?.cleaned;
    writeln!(io::stdout(), r#"{{"from":{},"to":{}}}"#, cleaned.start, cleaned.end)?;
    Ok(log.close()?)
}

fn opened(directory: &str, topic: &str, clock: Arc<Told>) -> Outcome<(Log, Partition)> {
    let log = open(directory, clock)?;
    let options = options().partitions(1).segment_bytes(SEGMENT_BYTES).batch_bytes_max(SEGMENT_BYTES);
    let topic = log.open_or_create_topic(topic, options.cleanup_policy(CleanupPolicy::Compact))?;
    let partition = topic.partition(0).ok_or("no partition")?;
    Ok((log, partition))
}
