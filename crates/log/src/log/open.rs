//! Opening a log: lock, look at every partition, then recover every partition.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use super::believed::Believed;
use super::delete::remove_topic;
use super::found::{Found, TopicsOnDisk, find_topics, first_missing};
use super::root::Root;
use super::shared::{OffsetFile, Shared};
use crate::error::{IoError, OpenError};
use crate::format::names;
use crate::group::{Groups, OFFSETS_TOPIC, Offsets, offsets_options};
use crate::options::{LogOptions, TopicOptions};
use crate::partition::{Core, Signal};
use crate::recovery::{Known, Plan};
use crate::report::RecoveryReport;
use crate::segment::Mappings;
use crate::storage::Storage;
use crate::sync::{Mutex, RwLock};
use crate::topic::Topic;

pub(super) fn open(path: &Path, options: LogOptions) -> Result<(Arc<Root>, RecoveryReport), OpenError> {
    let begun = Instant::now();
    options.check()?;
    options.topic_defaults.check_compression()?;
    let LogOptions {
        topic_defaults,
        verify_every_read,
        decompressed_bytes_max,
        mapped_segments_max,
        clock_step_ms_max,
        producer_id_expiration_ms,
        producers_max,
        on_damage,
        cleaner_dedupe_bytes,
        storage,
        clock,
    } = options;
    create_root(&*storage, path)?;
    let lock = path.join(names::LOCK);
    let guard = storage.lock(&lock).map_err(IoError::of("lock", &lock))?;
    let guard = guard.ok_or(OpenError::Locked { path: lock })?;

    let shared = Arc::new(Shared {
        starts: OffsetFile::open(&storage, path, names::LOG_STARTS)?,
        recovery_points: OffsetFile::open(&storage, path, names::RECOVERY_POINTS)?,
        cleaner_offsets: OffsetFile::open(&storage, path, names::CLEANER_OFFSETS)?,
        cleaner_dedupe_bytes,
        storage,
        clock,
        path: path.to_owned(),
        verify_every_read,
        producer_id_expiration_ms,
        producers_max,
        decompressed_bytes_max,
        unsynced: Signal::default(),
        closed: AtomicBool::new(false),
        mappings: Arc::new(Mappings::new(mapped_segments_max)),
        believed: Mutex::default(),
    });
    let Found { topics, unfinished, growing } = find_topics(&*shared.storage, path)?;
    check_numbers(&topics)?;

    let mut plans = Vec::new();
    // What groups have committed does not expire, whatever else does.
    let options_of = |name: &str| {
        if name == OFFSETS_TOPIC { offsets_options(topic_defaults) } else { topic_defaults }
    };
    for (name, partitions) in &topics {
        let options = options_of(name);
        let name: Arc<str> = name.as_str().into();
        for partition in partitions {
            let known = known(&shared, &name, *partition);
            plans.push(Core::plan(&shared, &name, *partition, known, &options, on_damage)?);
        }
    }
    let known_ms = plans.iter().filter_map(Plan::known_ms).max();
    *shared.believed.lock() = Believed::new(clock_step_ms_max, known_ms, &*shared.clock);
    let believed_ms = shared.times().believed_ms;
    plans.iter_mut().for_each(|plan| plan.note_believed(believed_ms));
    // Nothing was changed up to here, whatever was found.
    remove_clean_shutdown(&*shared.storage, path)?;
    for (name, partitions) in &unfinished {
        remove_topic(&*shared.storage, path, name, partitions)?;
        shared.starts.forget(name, 0)?;
        shared.recovery_points.forget(name, 0)?;
        shared.cleaner_offsets.forget(name, 0)?;
    }
    for (name, partitions) in &growing {
        remove_topic(&*shared.storage, path, name, partitions)?;
        let first = partitions.first().copied().unwrap_or_default();
        shared.starts.forget(name, first)?;
        shared.recovery_points.forget(name, first)?;
        shared.cleaner_offsets.forget(name, first)?;
    }
    let mut plans = plans.into_iter();
    let mut report = RecoveryReport::default();
    let mut open = BTreeMap::new();
    for (name, partitions) in &topics {
        let mut cores = Vec::with_capacity(partitions.len());
        for plan in plans.by_ref().take(partitions.len()) {
            let (core, recovery) = Core::open(plan, Arc::clone(&shared), options_of(name))?;
            cores.push(Arc::new(core));
            report.partitions.push(recovery);
        }
        let count = u32::try_from(cores.len()).ok();
        let options = TopicOptions { partitions: count, ..options_of(name) };
        open.insert(name.clone(), Topic::new(name, cores, options));
    }
    keep_starts(&shared, &report)?;
    forget_cleaned(&shared, &open)?;
    let (offsets, found) = Offsets::load(&open, topic_defaults, shared.clock.now_ms());
    report.offsets = found;
    report.duration = begun.elapsed();
    let root = Root {
        shared,
        topics: RwLock::new(open),
        guard: Mutex::new(Some(guard)),
        producer_ids: Mutex::new(0..0),
        groups: Groups::new(offsets),
        topics_version: AtomicU64::new(0),
        topics_changed: Signal::default(),
    };
    Ok((Arc::new(root), report))
}

/// Creates the directory and those above it that are missing, and makes their names durable.
fn create_root(storage: &dyn Storage, path: &Path) -> Result<(), IoError> {
    let mut parents = Vec::new();
    let mut at = path;
    loop {
        match storage.list(at) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(IoError::new("list", at, error)),
        }
        let Some(parent) = at.parent() else { break };
        at = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        parents.push(at);
    }
    if !parents.is_empty() {
        storage.create_dir_all(path).map_err(IoError::of("create", path))?;
    }
    parents.into_iter().try_for_each(|parent| storage.sync_dir(parent).map_err(IoError::of("sync", parent)))
}

/// Keeps the start offsets that recovery found above those that were kept: of logs that Kafka wrote, and of those
/// whose beginning is missing, which is reported once.
fn keep_starts(shared: &Shared, report: &RecoveryReport) -> Result<(), IoError> {
    let risen: Vec<_> = report
        .partitions
        .iter()
        .filter(|found| found.start_offset > shared.starts.of(&found.topic, found.partition).unwrap_or(0))
        .map(|found| (found.topic.as_str(), found.partition, found.start_offset))
        .collect();
    if risen.is_empty() { Ok(()) } else { shared.starts.raise(&risen) }
}

/// Forgets how far partitions were compacted that have not so many segments: that was another log, as when a partition comes from a
/// backup. As soon as this one had grown so far, all before it would pass for compacted, and a tombstone go before what it deletes.
fn forget_cleaned(shared: &Shared, topics: &BTreeMap<String, Topic>) -> Result<(), IoError> {
    let cores = topics.values().flat_map(|topic| topic.cores().to_vec()).collect::<Vec<_>>();
    let ends: Vec<_> = cores.iter().map(|core| (core.topic(), core.number(), core.sealed_end())).collect();
    shared.cleaner_offsets.forget_behind(&ends)
}

fn known(shared: &Shared, topic: &str, partition: u32) -> Known {
    Known {
        start: shared.starts.of(topic, partition),
        recovery_point: shared.recovery_points.of(topic, partition),
        producers_max: shared.producers_max,
    }
}

/// The note of a clean shutdown stands for the files as they are. They are about to change.
fn remove_clean_shutdown(storage: &dyn Storage, path: &Path) -> Result<(), IoError> {
    let note = path.join(names::CLEAN_SHUTDOWN);
    match storage.remove(&note) {
        Ok(()) => storage.sync_dir(path).map_err(IoError::of("sync", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(IoError::new("remove", &note, error)),
    }
}

fn check_numbers(topics: &TopicsOnDisk) -> Result<(), OpenError> {
    for (topic, partitions) in topics {
        if let Some(partition) = first_missing(partitions) {
            return Err(OpenError::MissingPartition { topic: topic.clone(), partition });
        }
    }
    Ok(())
}
