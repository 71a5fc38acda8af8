//! Deleting topics.
//!
//! ```text
//!   note in partition 0 -> partitions 1.. removed -> names synced -> files of partition 0 removed -> names synced
//!   -> note removed -> directory of partition 0 removed -> names synced
//! ```
//!
//! From the note on, the topic is gone: the next open finishes what a crash interrupts.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::root::Root;
use crate::error::{IoError, TopicError};
use crate::format::names;
use crate::storage::{self, Storage};

impl Root {
    pub(super) fn delete_topic(&self, name: &str) -> Result<(), TopicError> {
        let guard = self.guard.lock();
        if guard.is_none() {
            return Err(TopicError::Closed);
        }
        let topic = self.topic(name).ok_or_else(|| TopicError::NotFound { topic: name.to_owned() })?;
        let storage = &*self.shared.storage;
        let first = self.path().join(names::partition_dir(name, 0));
        let note = first.join(names::DELETING);
        storage.create(&note).map_err(IoError::of("create", &note))?;
        if let Err(error) = storage.sync_dir(&first) {
            // Without the note the topic stays.
            let _ = storage.remove(&note);
            return Err(IoError::new("sync", &first, error).into());
        }
        self.topics.write().remove(name);
        topic.cores().iter().for_each(|core| core.abandon());
        // Behind the partitions: a member that looks for why it has lost one sees that it is closed.
        self.note_topics_changed();
        self.offsets().forget_topic(name);
        self.shared.starts.forget(name, 0)?;
        // A Kafka broker must not take the recovery point of this topic for that of a later one.
        self.shared.recovery_points.forget(name, 0)?;
        self.shared.cleaner_offsets.forget(name, 0)?;
        Ok(remove_topic(storage, self.path(), name, &(0..topic.partition_count()).collect())?)
    }
}

/// Removes what the log wrote into the directories of a topic's partitions, and each directory that is empty then.
///
/// What others put there stays, and so does the directory; without a `.log` file it is no partition any more.
pub(super) fn remove_topic(
    storage: &dyn Storage,
    path: &Path,
    topic: &str,
    partitions: &BTreeSet<u32>,
) -> Result<(), IoError> {
    let sync = |dir: &Path| storage.sync_dir(dir).map_err(IoError::of("sync", dir));
    for partition in partitions.iter().rev() {
        if Some(partition) == partitions.first() {
            sync(path)?; // The first, which has the note, goes when the others are gone for good.
        }
        let dir = path.join(names::partition_dir(topic, *partition));
        let entries = match storage.list(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(IoError::new("list", &dir, error)),
        };
        let ours = entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name);
        let (notes, mut files): (Vec<_>, Vec<_>) =
            ours.filter(|name| names::is_ours(name)).partition(|name| names::is_note(name));
        // The identity goes first: who reads beside us sees that the topic is gone, not a part of it.
        files.sort_by_key(|name| name != names::PARTITION_METADATA);
        files.iter().try_for_each(|name| storage::remove_if_there(storage, &dir.join(name)))?;
        if !notes.is_empty() {
            // Without the note, what a crash brings back would be a partition.
            sync(&dir)?;
            notes.iter().try_for_each(|name| storage::remove_if_there(storage, &dir.join(name)))?;
        }
        // It stays when something is in it, and a link to a directory stays: then what was removed has to stay away.
        if storage.remove_dir(&dir).is_err() {
            sync(&dir)?;
        }
    }
    sync(path)
}
