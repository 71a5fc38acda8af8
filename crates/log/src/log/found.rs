//! What lies in a log's directory: topics, what is left of topics, and what is not ours.
//!
//! ```text
//!   <topic>-<number>/   has                                 is
//!                       a `.log` file, partition.metadata   a partition
//!                       a note, and the number is 0         of a topic that is being created or deleted
//!                       anything else, or nothing           left alone
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::error::IoError;
use crate::format::names;
use crate::storage::Storage;

/// Topics by name, each with the numbers of its partitions.
pub(crate) type TopicsOnDisk = BTreeMap<String, BTreeSet<u32>>;

#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) topics: TopicsOnDisk,
    /// Topics whose creation or deletion was interrupted, with every directory of their name.
    pub(crate) unfinished: TopicsOnDisk,
}

/// What a directory is that is named like one of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is nothing in it.
    Empty,
    Partition,
    /// A partition with a note: if it is the first, its topic is being created or deleted.
    Noted,
    /// There is something in it, and no partition.
    Foreign,
}

/// Looks into a directory that is named like one of a partition.
pub(crate) fn kind(storage: &dyn Storage, dir: &Path) -> Result<Kind, IoError> {
    let entries = storage.list(dir).map_err(IoError::of("list", dir))?;
    if entries.is_empty() {
        return Ok(Kind::Empty);
    }
    let mut kind = Kind::Foreign;
    for entry in entries.iter().filter(|entry| !entry.is_dir) {
        if names::is_note(&entry.name) {
            return Ok(Kind::Noted);
        }
        let is_segment = || names::parse_segment_file(&entry.name).is_some_and(|(_, end)| end == names::LOG);
        if entry.name == names::PARTITION_METADATA || is_segment() {
            kind = Kind::Partition;
        }
    }
    Ok(kind)
}

/// Lists the directories that are named like those of partitions.
pub(crate) fn list_dirs(storage: &dyn Storage, path: &Path) -> Result<TopicsOnDisk, IoError> {
    let mut topics = TopicsOnDisk::new();
    for entry in storage.list(path).map_err(IoError::of("list", path))? {
        if let Some((topic, partition)) = names::parse_partition_dir(&entry.name).filter(|_| entry.is_dir) {
            topics.entry(topic.to_owned()).or_default().insert(partition);
        }
    }
    Ok(topics)
}

/// Finds the topics of a log.
pub(crate) fn find_topics(storage: &dyn Storage, path: &Path) -> Result<Found, IoError> {
    let mut found = Found::default();
    for (name, dirs) in list_dirs(storage, path)? {
        let (mut partitions, mut noted) = (BTreeSet::new(), false);
        for number in &dirs {
            let kind = kind(storage, &path.join(names::partition_dir(&name, *number)))?;
            noted |= kind == Kind::Noted && *number == 0;
            if matches!(kind, Kind::Partition | Kind::Noted) {
                partitions.insert(*number);
            }
        }
        if noted {
            found.unfinished.insert(name, dirs);
        } else if !partitions.is_empty() {
            found.topics.insert(name, partitions);
        }
    }
    Ok(found)
}

/// Whether the topic of a partition is being created or deleted.
pub(crate) fn is_unfinished(storage: &dyn Storage, path: &Path, topic: &str) -> Result<bool, IoError> {
    match kind(storage, &path.join(names::partition_dir(topic, 0))) {
        Ok(kind) => Ok(kind == Kind::Noted),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
