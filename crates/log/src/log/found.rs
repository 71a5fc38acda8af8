//! What lies in a log's directory: topics, what is left of topics, and what is not ours.
//!
//! ```text
//!   <topic>-<number>/   has                                 is
//!                       a `.log` file, partition.metadata   a partition
//!                       a note, and the number is 0         of a topic that is being created or deleted
//!                       a note of a creation, above 0       with all above it, being added to its topic
//!                       anything else, or nothing           left alone
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::error::IoError;
use crate::format::names;
use crate::storage::{Access, Storage};

/// Topics by name, each with the numbers of its partitions.
pub(crate) type TopicsOnDisk = BTreeMap<String, BTreeSet<u32>>;

#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) topics: TopicsOnDisk,
    /// Topics whose creation or deletion was interrupted, with every directory of their name.
    pub(crate) unfinished: TopicsOnDisk,
    /// Topics to which partitions were being added, with every directory of their name from the first of these on.
    pub(crate) growing: TopicsOnDisk,
}

/// What a directory is that is named like one of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is nothing in it.
    Empty,
    Partition,
    /// A partition with the note of a creation: of its topic if it is the first, otherwise of it and those above it.
    Creating,
    /// A partition with the note of a deletion: if it is the first, its topic is being deleted.
    Deleting,
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
        match entry.name.as_str() {
            names::CREATING => return Ok(Kind::Creating),
            names::DELETING => return Ok(Kind::Deleting),
            _ => {}
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
        let (mut partitions, mut noted, mut growing) = (BTreeSet::new(), false, None);
        for number in &dirs {
            match kind(storage, &path.join(names::partition_dir(&name, *number)))? {
                Kind::Creating | Kind::Deleting if *number == 0 => noted = true,
                Kind::Creating => {
                    growing = Some(*number);
                    break;
                }
                Kind::Partition | Kind::Deleting => {
                    partitions.insert(*number);
                }
                Kind::Empty | Kind::Foreign => {}
            }
        }
        if noted {
            found.unfinished.insert(name, dirs);
            continue;
        }
        if let Some(first) = growing {
            found.growing.insert(name.clone(), dirs.into_iter().filter(|number| *number >= first).collect());
        }
        if !partitions.is_empty() {
            found.topics.insert(name, partitions);
        }
    }
    Ok(found)
}

/// The first number that is missing: the partitions of a topic are numbered from 0 without a hole.
pub(crate) fn first_missing(partitions: &BTreeSet<u32>) -> Option<u32> {
    (0..).zip(partitions).find(|(number, found)| number != *found).map(|(number, _)| number)
}

/// Whether a partition that is there is not one yet, because a note below it says so.
pub(crate) fn is_being_added(
    storage: &dyn Storage,
    path: &Path,
    topic: &str,
    number: u32,
) -> Result<bool, IoError> {
    for below in 1..=number {
        let note = path.join(names::partition_dir(topic, below)).join(names::CREATING);
        match storage.open(&note, Access::Read) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(IoError::new("open", &note, error)),
        }
    }
    Ok(false)
}

/// Whether a partition, the first of its topic or of those that were added to it, is being created or deleted.
pub(crate) fn is_unfinished(
    storage: &dyn Storage,
    path: &Path,
    topic: &str,
    first: u32,
) -> Result<bool, IoError> {
    match kind(storage, &path.join(names::partition_dir(topic, first))) {
        Ok(kind) => Ok(kind == Kind::Creating || (kind == Kind::Deleting && first == 0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
