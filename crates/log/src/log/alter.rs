//! Changing a topic that is there: its options, and how many partitions it has.
//!
//! ```text
//!   telemetry-0 .. -1   there                                             options in force
//!   telemetry-2 .. -3   note in -2 -> both made -> note removed, synced -> seen by handles
//! ```
//!
//! A crash before the note is gone leaves the topic as it was: the next open removes the directories from the note on.

use super::root::Root;
use crate::error::TopicError;
use crate::options::TopicOptions;
use crate::topic::Topic;

impl Root {
    pub(super) fn alter_topic(&self, name: &str, options: TopicOptions) -> Result<Topic, TopicError> {
        options.check()?;
        options.check_compression()?;
        let guard = self.guard.lock();
        if guard.is_none() {
            return Err(TopicError::Closed);
        }
        let topic = self.topic(name).ok_or_else(|| TopicError::NotFound { topic: name.to_owned() })?;
        let found = topic.partition_count();
        let wanted = options.partitions.unwrap_or(found);
        if wanted < found {
            return Err(TopicError::FewerPartitions { topic: name.to_owned(), found, wanted });
        }
        let options = TopicOptions { partitions: Some(wanted), ..options };
        if wanted > found {
            let id = match topic.cores().first() {
                Some(core) => core.topic_id()?,
                None => None,
            };
            topic.add(self.create_partitions(name, found..wanted, id, options)?);
            self.note_topics_changed();
        }
        topic.set_options(options);
        Ok(topic)
    }
}
