//! Retained messages: a tree in memory, and a log topic from which it is rebuilt.

use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use bytes::Bytes;
use headwater_codec::Publish;
use headwater_log::{Ack, AppendError, Fold, Partition, ReadUpTo, Record, RecordView, Topic};
use headwater_topic::{PageLimit, RetainedTree, TopicFilter, TopicName, TopicNameBuf};

use crate::error::{OpenError, PublishError};
use crate::lock::{lock, read, write};
use crate::message::{Beside, Message, header, with_record};
use crate::offsets::is_before;
use crate::options::StoreOptions;
use crate::store::{only_partition, read_back};
use crate::topics::Topics;

/// The log topic.
pub(crate) const TOPIC: &str = "__headwater_retained";

/// Retained messages by topic.
#[derive(Debug)]
pub(crate) struct Retained {
    pub(crate) partition: Partition,
    kept: RwLock<Kept>,
    /// Held from the look whether there is room until it is taken.
    admission: Mutex<()>,
}

/// What is kept, and what it takes.
#[derive(Debug, Default)]
struct Kept {
    tree: RetainedTree<Entry>,
    bytes: u64,
}

/// What an entry takes beside its message, about: its place in the tree, and the name there.
const ENTRY_BYTES: usize = 128;

impl Kept {
    fn insert(&mut self, entry: Entry) {
        self.bytes = self.bytes.saturating_add(cost(&entry.message));
        let message = Arc::clone(&entry.message);
        let old = self.tree.insert(message.topic(), entry);
        self.release(old);
    }

    fn remove(&mut self, topic: TopicName<'_>) {
        let old = self.tree.remove(topic);
        self.release(old);
    }

    fn release(&mut self, entry: Option<Entry>) {
        self.bytes = self.bytes.saturating_sub(entry.map_or(0, |entry| cost(&entry.message)));
    }
}

fn cost(message: &Message) -> u64 {
    u64::try_from(message.memory_bytes().saturating_add(ENTRY_BYTES)).unwrap_or(u64::MAX)
}

/// What is kept, as far as it is read back.
struct Rebuilt<'a> {
    kept: Kept,
    topics: &'a Topics,
    ends: &'a [u64],
}

impl Fold for Rebuilt<'_> {
    type Error = OpenError;

    fn fold(&mut self, _partition: u32, record: &RecordView<'_>) -> Result<(), OpenError> {
        // Copied: a part of the log's own memory would keep its segment mapped for as long as the message is retained.
        let Ok(message) = Message::from_record(record, &Bytes::new()) else { return Ok(()) };
        if record.value.is_none() {
            self.kept.remove(message.topic());
            return Ok(());
        }
        let source = record.header(header::SOURCE).flatten().and_then(|text| self.topics.read_place(text));
        // A crash may have kept this record and not the one of all messages. Nobody was told that it is safe; but it must not wait for
        // an offset that another message will get.
        let source = source.filter(|source| is_before(*source, self.ends));
        self.kept.insert(Entry { message: Arc::new(message), source, offset: record.offset });
        Ok(())
    }
}

/// One retained message.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    /// Where the same message is among all, lane and offset; `None` if it is not there any more.
    pub(crate) source: Option<(u32, u64)>,
    /// Where it is in the topic of retained messages.
    pub(crate) offset: u64,
}

/// How many retained messages are in a page at most.
pub(crate) const PAGE: usize = 64;

/// How many topics are looked at to see whether a filter matches any.
const LOOKED_AT: usize = 32;

impl Retained {
    /// Rebuilds the tree: the last record of a topic holds. `ends` are the ends of the lanes of all messages.
    pub(crate) fn open(topic: &Topic, topics: &Topics, ends: &[u64]) -> Result<Self, OpenError> {
        let rebuilt = Rebuilt { kept: Kept::default(), topics, ends };
        let Rebuilt { kept, .. } = read_back(topic, rebuilt)?;
        Ok(Self { partition: only_partition(topic)?, kept: RwLock::new(kept), admission: Mutex::default() })
    }

    /// Looks whether there is room for a message; as long as the guard lives, nobody takes it.
    pub(crate) fn admit(
        &self,
        message: &Message,
        options: &StoreOptions,
    ) -> Result<MutexGuard<'_, ()>, PublishError> {
        let alone = lock(&self.admission);
        if message.payload.is_empty() {
            return Ok(alone);
        }
        let kept = read(&self.kept);
        let (retained, bytes) = (kept.tree.len(), kept.bytes);
        let old = kept.tree.get(message.topic());
        let more = old.map_or(0, |old| cost(&old.message));
        let fits = (old.is_some() || retained < options.retained_max)
            && bytes.saturating_sub(more).saturating_add(cost(message)) <= options.retained_bytes_max;
        if fits { Ok(alone) } else { Err(PublishError::RetainedFull { retained, bytes }) }
    }

    /// Keeps a message, or with an empty payload forgets the one that is kept [MQTT-3.3.1-6]. Returns the offset of the record that says
    /// so; `None` if there was nothing to forget.
    pub(crate) fn publish(
        &self,
        publish: &Publish<'_>,
        message: Message,
        client_id: &str,
        timestamp_ms: i64,
        source: (u32, u64),
        topics: &Topics,
    ) -> Result<Option<u64>, AppendError> {
        let Some(topic) = publish.topic else { return Ok(None) };
        if publish.payload.is_empty() {
            if read(&self.kept).tree.get(topic).is_none() {
                return Ok(None);
            }
            let tombstone = Record::tombstone(topic.as_str()).timestamp(timestamp_ms);
            let offset = self.partition.append(&tombstone, Ack::Appended)?;
            write(&self.kept).remove(topic);
            return Ok(Some(offset));
        }
        let place = topics.write_place(source);
        let beside = Beside { source: Some(&place), ..Beside::default() };
        let append = |record: &Record<'_>| self.partition.append(record, Ack::Appended);
        let Some(offset) = with_record(publish, client_id, timestamp_ms, beside, append).transpose()? else {
            return Ok(None);
        };
        write(&self.kept).insert(Entry { message: Arc::new(message), source: Some(source), offset });
        Ok(Some(offset))
    }

    /// Some of the retained messages that a filter matches, in the order of their topics, those after `after`. With them the topic after
    /// which to go on, or `None` at the end. The lock is held for a page, however many messages there are and however few match.
    pub(crate) fn page(
        &self,
        filter: TopicFilter<'_>,
        after: Option<TopicName<'_>>,
    ) -> (Vec<Entry>, Option<TopicNameBuf>) {
        let mut entries = Vec::new();
        let limit = PageLimit::default().matches_max(PAGE);
        let more = read(&self.kept).tree.page(filter, after, limit, |_, entry| entries.push(entry.clone()));
        (entries, more)
    }

    /// False if a look at a few shows that a filter matches none. It is asked for each filter of a packet, and there may be thousands.
    pub(crate) fn may_have(&self, filter: TopicFilter<'_>) -> bool {
        read(&self.kept).tree.matching(filter).any_within(LOOKED_AT) != Some(false)
    }

    /// Whether the message of a topic is still the one at this offset.
    pub(crate) fn is_current(&self, topic: TopicName<'_>, offset: u64) -> bool {
        read(&self.kept).tree.get(topic).is_some_and(|entry| entry.offset == offset)
    }

    /// Reads one back, for a delivery that was under way when the store was closed.
    pub(crate) fn read(&self, offset: u64) -> Option<Message> {
        read_one(&self.partition, offset)
    }

    pub(crate) fn len(&self) -> usize {
        read(&self.kept).tree.len()
    }
}

/// The message at an offset, if it is still there.
pub(crate) fn read_one(partition: &Partition, offset: u64) -> Option<Message> {
    let fetched = partition.read_up_to(ReadUpTo::Appended, offset, 1).ok()?;
    let record = fetched.views().next()?.ok().filter(|record| record.offset == offset)?;
    Message::from_record(&record, fetched.bytes()).ok()
}

#[cfg(test)]
mod tests {
    use headwater_codec::{Properties, Property};
    use headwater_log::{Log, LogOptions, TopicOptions};

    use super::*;

    #[test]
    fn what_is_read_back_is_no_part_of_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), LogOptions::default()).unwrap();
        let topic = log.create_topic(TOPIC, TopicOptions::default()).unwrap();
        let name = TopicName::parse("a").unwrap();
        let properties = [Property::CorrelationData(b"which")];
        let publish = Publish::new(name, b"x").with_properties(Properties::new(&properties));
        let partition = only_partition(&topic).unwrap();
        let append = |record: &Record<'_>| partition.append(record, Ack::Durable);
        with_record(&publish, "me", 0, Beside::default(), append).unwrap().unwrap();

        let (topics, _) = Topics::open(&log, &StoreOptions::default()).unwrap();
        let retained = Retained::open(&topic, &topics, &[]).unwrap();
        let kept = read(&retained.kept);
        let message = &kept.tree.get(name).unwrap().message;
        let correlation = message.properties.correlation_data.as_ref().unwrap();
        assert_eq!(
            (&message.payload[..], &message.client_id[..], &correlation[..]),
            (&b"x"[..], &b"me"[..], &b"which"[..])
        );
        let fetched = partition.read(0, 1).unwrap();
        let memory = fetched.bytes().as_ptr_range();
        let parts = [&message.payload, &message.client_id, correlation];
        assert!(parts.iter().all(|part| !memory.contains(&part.as_ptr())));
        // What is read for a delivery is: it goes when it is delivered.
        let view = fetched.views().next().unwrap().unwrap();
        let shared = Message::from_record(&view, fetched.bytes()).unwrap();
        assert!(memory.contains(&shared.payload.as_ptr()));
    }
}
