//! Retained messages: a tree in memory, and a log topic from which it is rebuilt.

use std::sync::{Arc, RwLock};

use headwater_codec::Publish;
use headwater_log::{Ack, AppendError, Partition, ReadError, ReadUpTo, Record};
use headwater_topic::{RetainedTree, TopicFilter, TopicName};

use crate::lock::{read, write};
use crate::message::{Message, header, with_record};

/// The log topic.
pub(crate) const TOPIC: &str = "__headwater_retained";

/// Retained messages by topic.
#[derive(Debug)]
pub(crate) struct Retained {
    pub(crate) partition: Partition,
    tree: RwLock<RetainedTree<Entry>>,
}

/// One retained message.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    /// Where the same message is in the topic of all messages; `None` if it is not there any more.
    pub(crate) source: Option<(u32, u64)>,
    /// Where it is in the topic of retained messages.
    pub(crate) offset: u64,
}

impl Retained {
    /// Rebuilds the tree: the last record of a topic holds. `ends` are the ends of the partitions of all messages.
    pub(crate) fn open(partition: Partition, ends: &[u64]) -> Result<Self, ReadError> {
        let mut tree = RetainedTree::new();
        let mut next = partition.start_offset();
        while next < partition.durable_end() {
            let fetched = partition.read(next, 1 << 20)?;
            next = fetched.next_offset();
            for record in fetched.views() {
                let record = record?;
                let source = record.header(header::SOURCE).flatten().and_then(parse_source);
                // A crash may have kept this record and not the one of all messages. Nobody was told that it is safe; but it
                // must not wait for an offset that another message will get.
                let source = source.filter(|source| is_before(*source, ends));
                let Ok(message) = Message::from_record(&record, fetched.bytes()) else { continue };
                if record.value.is_some() {
                    let message = Arc::new(message);
                    let entry = Entry { message: Arc::clone(&message), source, offset: record.offset };
                    tree.insert(message.topic(), entry);
                } else {
                    tree.remove(message.topic());
                }
            }
        }
        Ok(Self { partition, tree: RwLock::new(tree) })
    }

    /// Keeps a message, or with an empty payload forgets the one that is kept [MQTT-3.3.1-6]. Returns the offset of the record that says
    /// so; `None` if there was nothing to forget.
    pub(crate) fn publish(
        &self,
        publish: &Publish<'_>,
        message: impl FnOnce() -> Option<Message>,
        client_id: &str,
        timestamp_ms: i64,
        source: (u32, u64),
    ) -> Result<Option<u64>, AppendError> {
        let Some(topic) = publish.topic else { return Ok(None) };
        if publish.payload.is_empty() {
            if read(&self.tree).get(topic).is_none() {
                return Ok(None);
            }
            let tombstone = Record::tombstone(topic.as_str()).timestamp(timestamp_ms);
            let offset = self.partition.append(&tombstone, Ack::Appended)?;
            write(&self.tree).remove(topic);
            return Ok(Some(offset));
        }
        let place = format!("{}:{}", source.0, source.1);
        let append = |record: &Record<'_>| self.partition.append(record, Ack::Appended);
        let Some(offset) = with_record(publish, client_id, timestamp_ms, Some(&place), append).transpose()?
        else {
            return Ok(None);
        };
        if let Some(message) = message() {
            write(&self.tree)
                .insert(topic, Entry { message: Arc::new(message), source: Some(source), offset });
        }
        Ok(Some(offset))
    }

    /// Some of the retained messages that a filter matches, in the order of their topics: those after `after`, at most `limit`. With
    /// them the topic after which to go on, or `None` at the end.
    pub(crate) fn page(
        &self,
        filter: TopicFilter<'_>,
        after: Option<TopicName<'_>>,
        limit: usize,
    ) -> (Vec<Entry>, Option<Arc<Message>>) {
        let tree = read(&self.tree);
        let matching = match after {
            Some(after) => {
                tree.matching_after(filter, after).take(limit).map(|(_, entry)| entry.clone()).collect()
            }
            None => tree.matching(filter).take(limit).map(|(_, entry)| entry.clone()).collect::<Vec<_>>(),
        };
        let more = (matching.len() == limit).then(|| matching.last().map(|entry| Arc::clone(&entry.message)));
        (matching, more.flatten())
    }

    /// Whether a filter matches any.
    pub(crate) fn has(&self, filter: TopicFilter<'_>) -> bool {
        read(&self.tree).matching(filter).next().is_some()
    }

    /// Reads one back, for a delivery that was under way when the store was closed.
    pub(crate) fn read(&self, offset: u64) -> Option<Message> {
        read_one(&self.partition, offset)
    }

    pub(crate) fn len(&self) -> usize {
        read(&self.tree).len()
    }
}

/// The message at an offset, if it is still there.
pub(crate) fn read_one(partition: &Partition, offset: u64) -> Option<Message> {
    let fetched = partition.read_up_to(ReadUpTo::Appended, offset, 1).ok()?;
    let record = fetched.views().next()?.ok().filter(|record| record.offset == offset)?;
    Message::from_record(&record, fetched.bytes()).ok()
}

fn is_before((partition, offset): (u32, u64), ends: &[u64]) -> bool {
    usize::try_from(partition).ok().and_then(|index| ends.get(index)).is_some_and(|end| offset < *end)
}

fn parse_source(text: &[u8]) -> Option<(u32, u64)> {
    let (partition, offset) = std::str::from_utf8(text).ok()?.split_once(':')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}
