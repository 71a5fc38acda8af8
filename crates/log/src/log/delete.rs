//! Deleting topics.
//!
//! ```text
//!   note in partition 0 -> partitions 1.. removed -> names synced -> partition 0 removed -> names synced
//! ```
//!
//! From the note on, the topic is gone: the next open finishes what a crash interrupts.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::root::Root;
use crate::error::{IoError, TopicError};
use crate::format::names;
use crate::storage::Storage;

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
        self.shared.starts.forget(name)?;
        // A Kafka broker must not take the recovery point of this topic for that of a later one.
        self.shared.recovery_points.forget(name)?;
        Ok(remove_topic(storage, self.path(), name, &(0..topic.partition_count()).collect())?)
    }
}

/// Removes the directories of a topic's partitions with all that is in them.
pub(super) fn remove_topic(
    storage: &dyn Storage,
    path: &Path,
    topic: &str,
    partitions: &BTreeSet<u32>,
) -> Result<(), IoError> {
    let sync = || storage.sync_dir(path).map_err(IoError::of("sync", path));
    for partition in partitions.iter().rev() {
        if *partition == 0 {
            sync()?; // Partition 0, which has the note, goes when the others are gone for good.
        }
        let dir = path.join(names::partition_dir(topic, *partition));
        let entries = match storage.list(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(IoError::new("list", &dir, error)),
        };
        // The note goes last.
        let (last, others): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .filter(|entry| !entry.is_dir)
            .partition(|entry| entry.name == names::DELETING);
        for entry in others.iter().chain(&last) {
            let file = dir.join(&entry.name);
            match storage.remove(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(IoError::new("remove", &file, error));
                }
                _ => {}
            }
        }
        storage.remove_dir(&dir).map_err(IoError::of("remove", &dir))?;
    }
    sync()
}
