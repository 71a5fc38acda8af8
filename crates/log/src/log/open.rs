//! Opening a log: lock, look at every partition, then recover every partition.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::delete::remove_topic;
use super::root::Root;
use super::shared::{OffsetFile, Shared};
use crate::error::{IoError, OpenError};
use crate::format::names;
use crate::options::{LogOptions, TopicOptions};
use crate::partition::{Core, Signal};
use crate::recovery::Known;
use crate::report::RecoveryReport;
use crate::storage::Storage;
use crate::sync::{Mutex, RwLock};
use crate::topic::Topic;

pub(super) fn open(path: &Path, options: LogOptions) -> Result<(Arc<Root>, RecoveryReport), OpenError> {
    let begun = Instant::now();
    let LogOptions { topic_defaults, verify_every_read, storage, clock } = options;
    topic_defaults.check()?;
    create_root(&*storage, path)?;
    let lock = path.join(names::LOCK);
    let guard = storage.lock(&lock).map_err(IoError::of("lock", &lock))?;
    let guard = guard.ok_or(OpenError::Locked { path: lock })?;

    let shared = Arc::new(Shared {
        starts: OffsetFile::open(&storage, path, names::LOG_STARTS)?,
        recovery_points: OffsetFile::open(&storage, path, names::RECOVERY_POINTS)?,
        storage,
        clock,
        path: path.to_owned(),
        verify_every_read,
        unsynced: Signal::default(),
        closed: AtomicBool::new(false),
    });
    let Found { topics, unfinished } = find_topics(&*shared.storage, path)?;

    let mut plans = Vec::new();
    for (name, partitions) in &topics {
        let name: Arc<str> = name.as_str().into();
        for partition in partitions {
            let known = known(&shared, &name, *partition);
            plans.push(Core::plan(&shared, &name, *partition, known, &topic_defaults)?);
        }
    }
    // Nothing was changed up to here, whatever was found.
    remove_clean_shutdown(&*shared.storage, path)?;
    for (name, partitions) in &unfinished {
        remove_topic(&*shared.storage, path, name, partitions)?;
        shared.starts.forget(name)?;
        shared.recovery_points.forget(name)?;
    }
    let mut plans = plans.into_iter();
    let mut report = RecoveryReport::default();
    let mut open = BTreeMap::new();
    for (name, partitions) in &topics {
        let mut cores = Vec::with_capacity(partitions.len());
        for plan in plans.by_ref().take(partitions.len()) {
            let (core, recovery) = Core::open(plan, Arc::clone(&shared), topic_defaults)?;
            cores.push(Arc::new(core));
            report.partitions.push(recovery);
        }
        let count = u32::try_from(cores.len()).ok();
        let options = TopicOptions { partitions: count, ..topic_defaults };
        open.insert(name.clone(), Topic::new(name, cores, options));
    }
    keep_starts(&shared, &report)?;
    report.duration = begun.elapsed();
    let root = Root { shared, topics: RwLock::new(open), guard: Mutex::new(Some(guard)) };
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
        storage.create_dir(path).map_err(IoError::of("create", path))?;
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

fn known(shared: &Shared, topic: &str, partition: u32) -> Known {
    Known {
        start: shared.starts.of(topic, partition),
        recovery_point: shared.recovery_points.of(topic, partition),
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

/// Topics by name, each with the numbers of its partitions.
pub(crate) type TopicsOnDisk = BTreeMap<String, BTreeSet<u32>>;

struct Found {
    topics: TopicsOnDisk,
    /// Topics whose creation or deletion was interrupted.
    unfinished: TopicsOnDisk,
}

/// Lists the directories of partitions.
pub(crate) fn list_topics(storage: &dyn Storage, path: &Path) -> Result<TopicsOnDisk, IoError> {
    let mut topics = TopicsOnDisk::new();
    for entry in storage.list(path).map_err(IoError::of("list", path))? {
        if let Some((topic, partition)) = names::parse_partition_dir(&entry.name).filter(|_| entry.is_dir) {
            topics.entry(topic.to_owned()).or_default().insert(partition);
        }
    }
    Ok(topics)
}

fn find_topics(storage: &dyn Storage, path: &Path) -> Result<Found, OpenError> {
    let mut found = Found { topics: list_topics(storage, path)?, unfinished: TopicsOnDisk::new() };
    let names: Vec<String> = found.topics.keys().cloned().collect();
    for name in names {
        let Some(partitions) = found.topics.get(&name) else { continue };
        if is_unfinished(storage, path, &name, partitions)? {
            found.unfinished.extend(found.topics.remove_entry(&name));
            continue;
        }
        if let Some((missing, _)) = (0_u32..).zip(partitions).find(|(number, found)| number != *found) {
            return Err(OpenError::MissingPartition { topic: name, partition: missing });
        }
    }
    Ok(found)
}

/// Whether the creation or the deletion of a topic was interrupted.
///
/// Partition 0 comes last when a topic is created, and its `partition.metadata` is the last of its files; so a
/// topic without it that holds nothing was never there. A topic that is being deleted has a note in partition 0,
/// which goes last.
fn is_unfinished(
    storage: &dyn Storage,
    path: &Path,
    topic: &str,
    partitions: &BTreeSet<u32>,
) -> Result<bool, IoError> {
    let mut complete = false;
    if partitions.contains(&0) {
        let dir = path.join(names::partition_dir(topic, 0));
        let entries = storage.list(&dir).map_err(IoError::of("list", &dir))?;
        if entries.iter().any(|entry| entry.name == names::DELETING) {
            return Ok(true);
        }
        complete = entries.iter().any(|entry| entry.name == names::PARTITION_METADATA);
    }
    if complete {
        return Ok(false);
    }
    for partition in partitions {
        let dir = path.join(names::partition_dir(topic, *partition));
        for entry in storage.list(&dir).map_err(IoError::of("list", &dir))? {
            if names::parse_segment_file(&entry.name).is_some_and(|(_, suffix)| suffix == names::LOG) {
                let file = dir.join(&entry.name);
                let opened = storage.open(&file, crate::storage::Access::Read);
                let size = opened.and_then(|opened| opened.size()).map_err(IoError::of("measure", &file))?;
                if size > 0 {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}
