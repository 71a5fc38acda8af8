//! Creating topics.

use std::sync::Arc;

use super::delete::remove_topic;
use super::open::list_topics;
use super::root::Root;
use crate::error::{IoError, TopicError};
use crate::format::metadata::TopicId;
use crate::format::names;
use crate::options::TopicOptions;
use crate::partition::Core;
use crate::topic::Topic;

impl Root {
    pub(super) fn create_topic(&self, name: &str, options: TopicOptions) -> Result<Topic, TopicError> {
        names::check_topic(name)?;
        options.check()?;
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
        // What an earlier topic of this name left in the checkpoints must not speak for this one.
        self.shared.starts.forget(name)?;
        self.shared.recovery_points.forget(name)?;
        // A creation or deletion that failed on its way left directories of this name.
        if let Some(left) = list_topics(&*self.shared.storage, self.path())?.get(name) {
            remove_topic(&*self.shared.storage, self.path(), name, left)?;
        }
        let id = new_topic_id().map_err(IoError::of("take randomness for", self.path()))?;
        let topic: Arc<str> = name.into();
        let mut cores = Vec::new();
        // Partition 0 comes last, when the others are there for good: where it is, the topic is whole.
        for partition in (0..count).rev() {
            if partition == 0 && count > 1 {
                self.sync_names()?;
            }
            cores.push(Arc::new(Core::create(Arc::clone(&self.shared), &topic, partition, id, options)?));
        }
        self.sync_names()?;
        cores.reverse();
        let topic = Topic::new(name, cores, options);
        self.topics.write().insert(name.to_owned(), topic.clone());
        Ok(topic)
    }

    pub(super) fn sync_names(&self) -> Result<(), IoError> {
        self.shared.storage.sync_dir(self.path()).map_err(IoError::of("sync", self.path()))
    }
}

/// A random identity, as Kafka gives one to each topic; never the zero one.
fn new_topic_id() -> std::io::Result<TopicId> {
    let mut id = TopicId::default();
    getrandom::fill(&mut id).map_err(std::io::Error::other)?;
    // A version 4 UUID (RFC 9562, section 5.4), as Kafka's are.
    id[6] = (id[6] & 0x0f) | 0x40;
    id[8] = (id[8] & 0x3f) | 0x80;
    Ok(id)
}
