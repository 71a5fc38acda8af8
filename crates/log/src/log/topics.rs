//! Creating topics.
//!
//! ```text
//!   directory of partition 0 with a note -> names synced -> all partitions -> names synced -> note removed, synced
//! ```
//!
//! As long as the note is there, the topic is not: the next open removes what there is of it. Partitions that are added
//! later go the same way, with the note in the first of them.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::delete::remove_topic;
use super::found::{Kind, is_unfinished, kind, list_dirs};
use super::root::Root;
use crate::error::{IoError, TopicError};
use crate::format::metadata::TopicId;
use crate::format::names;
use crate::options::TopicOptions;
use crate::partition::Core;
use crate::topic::Topic;

impl Root {
    pub(crate) fn create_topic(&self, name: &str, options: TopicOptions) -> Result<Topic, TopicError> {
        names::check_topic(name)?;
        options.check()?;
        options.check_compression()?;
        let guard = self.guard.lock();
        if guard.is_none() {
            return Err(TopicError::Closed);
        }
        if self.topic(name).is_some() {
            return Err(TopicError::Exists { topic: name.to_owned() });
        }
        self.create(name, options)
    }

    pub(super) fn open_or_create_topic(
        &self,
        name: &str,
        options: TopicOptions,
    ) -> Result<Topic, TopicError> {
        names::check_topic(name)?;
        options.check()?;
        options.check_compression()?;
        let guard = self.guard.lock();
        if guard.is_none() {
            return Err(TopicError::Closed);
        }
        let Some(topic) = self.topic(name) else { return self.create(name, options) };
        let found = topic.partition_count();
        match options.partitions.filter(|wanted| *wanted != found) {
            Some(wanted) => Err(TopicError::PartitionCount { topic: name.to_owned(), found, wanted }),
            None => {
                topic.set_options(TopicOptions { partitions: Some(found), ..options });
                Ok(topic)
            }
        }
    }

    /// Under the lock of topics.
    fn create(&self, name: &str, options: TopicOptions) -> Result<Topic, TopicError> {
        let count = options.partitions.unwrap_or(1);
        let options = TopicOptions { partitions: Some(count), ..options };
        let id = new_topic_id().map_err(IoError::of("take randomness for", self.path()))?;
        let cores = self.create_partitions(name, 0..count, Some(id), options)?;
        let topic = Topic::new(name, cores, options);
        self.topics.write().insert(name.to_owned(), topic.clone());
        self.note_topics_changed();
        Ok(topic)
    }

    /// Creates partitions, of which after a crash all are there or none. Under the lock of topics.
    pub(super) fn create_partitions(
        &self,
        name: &str,
        numbers: Range<u32>,
        id: Option<TopicId>,
        options: TopicOptions,
    ) -> Result<Vec<Arc<Core>>, TopicError> {
        self.clear_way(name, &numbers)?;
        // What an earlier topic of this name left in the checkpoints must not speak for this one.
        self.shared.starts.forget(name, numbers.start)?;
        self.shared.recovery_points.forget(name, numbers.start)?;
        self.shared.cleaner_offsets.forget(name, numbers.start)?;
        let topic: Arc<str> = name.into();
        let note = self.begin_creation(name, numbers.start)?;
        let mut cores = Vec::new();
        for partition in numbers.clone() {
            if partition > numbers.start {
                self.create_dir(&self.path().join(names::partition_dir(name, partition)))?;
            }
            cores.push(Arc::new(Core::create(Arc::clone(&self.shared), &topic, partition, id, options)?));
        }
        self.sync_names()?;
        self.end_creation(&note)?;
        Ok(cores)
    }

    /// Removes what a creation or deletion that failed on its way left, and refuses to write over anything else.
    fn clear_way(&self, name: &str, numbers: &Range<u32>) -> Result<(), TopicError> {
        let storage = &*self.shared.storage;
        let mut dirs = list_dirs(storage, self.path())?.remove(name).unwrap_or_default();
        let dirs = dirs.split_off(&numbers.start);
        if is_unfinished(storage, self.path(), name, numbers.start)? {
            return Ok(remove_topic(storage, self.path(), name, &dirs)?);
        }
        for number in dirs {
            let path = self.path().join(names::partition_dir(name, number));
            match kind(storage, &path)? {
                Kind::Empty => {}
                Kind::Foreign if number >= numbers.end => {}
                _ => return Err(TopicError::InTheWay { path }),
            }
        }
        Ok(())
    }

    /// Makes the directory of the first partition with the note, durably and before anything else of them is there.
    fn begin_creation(&self, name: &str, first: u32) -> Result<PathBuf, TopicError> {
        let first = self.path().join(names::partition_dir(name, first));
        self.create_dir(&first)?;
        let note = first.join(names::CREATING);
        self.shared.storage.create_new(&note).map_err(IoError::of("create", &note))?;
        self.shared.storage.sync_dir(&first).map_err(IoError::of("sync", &first))?;
        self.sync_names()?;
        Ok(note)
    }

    /// Removes the note, durably: all that it spoke of is there for good.
    fn end_creation(&self, note: &Path) -> Result<(), IoError> {
        self.shared.storage.remove(note).map_err(IoError::of("remove", note))?;
        let dir = note.parent().unwrap_or(note);
        self.shared.storage.sync_dir(dir).map_err(IoError::of("sync", dir))
    }

    /// Creates the directory of a partition; an empty one will do.
    fn create_dir(&self, path: &Path) -> Result<(), TopicError> {
        let storage = &*self.shared.storage;
        match storage.create_dir(path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match kind(storage, path)? {
                Kind::Empty => Ok(()),
                _ => Err(TopicError::InTheWay { path: path.to_owned() }),
            },
            Err(error) => Err(IoError::new("create", path, error).into()),
        }
    }

    pub(super) fn sync_names(&self) -> Result<(), IoError> {
        self.shared.storage.sync_dir(self.path()).map_err(IoError::of("sync", self.path()))
    }
}

/// A random identity, as Kafka gives one to each topic; never the zero one.
fn new_topic_id() -> io::Result<TopicId> {
    let mut id = TopicId::default();
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    // A version 4 UUID (RFC 9562, section 5.4), as Kafka's are.
    id[6] = (id[6] & 0x0f) | 0x40;
    id[8] = (id[8] & 0x3f) | 0x80;
    Ok(id)
}
