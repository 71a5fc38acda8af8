//! What was read of a partition at a time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use headwater_log::{Partition, ReadError, ReadUpTo, RecordView};
use headwater_topic::TopicName;

use super::bits::Bits;
use super::names::Names;
use super::{Wanted, keys};
use crate::counters::Counters;
use crate::message::{Message, topic_of, topic_text};

/// The records from one offset to another, by their topics.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(super) begin: u64,
    /// The first offset behind it.
    pub(crate) end: u64,
    names: Names,
    entries: Box<[Entry]>,
    /// How often messages were made that the first reader did not want.
    read_again: AtomicU32,
}

/// One that is more records away is looked up, not read up to.
const FAR: u64 = 16;

/// A record that is a message.
#[derive(Debug)]
struct Entry {
    offset: u64,
    topic: u32,
    /// Made when somebody wants it.
    message: OnceLock<Arc<Message>>,
}

impl Piece {
    pub(super) fn read(
        partition: &Partition,
        wanted: Wanted,
        counters: &Counters,
        wants: impl Fn(TopicName<'_>) -> bool,
        mut bits: Option<&mut Bits>,
    ) -> Result<Self, ReadError> {
        let Wanted { next, limit, bytes } = wanted;
        let fetched = partition.read_up_to(ReadUpTo::Durable, next, bytes)?;
        let (mut names, mut is_wanted, mut entries) = (Names::default(), Vec::new(), Vec::new());
        let mut read = 0;
        for record in fetched.views() {
            let Some(record) = readable(record)? else { continue };
            if record.offset >= limit {
                break;
            }
            read += 1;
            // Whether a text is a topic is found out once for each.
            let found = topic_text(&record).and_then(|text| names.find(text));
            let place = found.or_else(|| {
                let topic = topic_of(&record)?;
                if let Some(place) = names.find(topic.as_str().as_bytes()) {
                    return Some(place);
                }
                let place = names.add(topic)?;
                is_wanted.push(wants(topic));
                if let Some(bits) = &mut bits {
                    keys::insert(topic, bits);
                }
                Some(place)
            });
            let Some(topic) = place else { continue };
            let entry = Entry { offset: record.offset, topic, message: OnceLock::new() };
            if at(&is_wanted, topic) {
                entry.make(&record, fetched.bytes());
            }
            entries.push(entry);
        }
        Counters::add(&counters.scanned, read);
        Ok(Self {
            begin: next,
            // Batches may hold no record that is for readers.
            end: fetched.next_offset().min(limit),
            names: names.closed(),
            entries: entries.into(),
            read_again: AtomicU32::new(0),
        })
    }

    /// The messages from `next` on whose topic is wanted, in order. Those that nobody has wanted before are read again.
    pub(crate) fn messages(
        &self,
        partition: &Partition,
        wanted: Wanted,
        counters: &Counters,
        wants: impl Fn(TopicName<'_>) -> bool,
    ) -> Result<Vec<(u64, Arc<Message>)>, ReadError> {
        let Wanted { next, bytes, .. } = wanted;
        let is_wanted: Vec<bool> = self.names.iter().map(wants).collect();
        if !is_wanted.contains(&true) {
            return Ok(Vec::new());
        }
        let first = self.entries.partition_point(|entry| entry.offset < next);
        let entries = self.entries.get(first..).unwrap_or_default();
        let wanted = || entries.iter().filter(|entry| at(&is_wanted, entry.topic));
        if wanted().any(|entry| entry.message.get().is_none()) {
            // Where many come by, all of it is made for those who follow.
            let is_first = self.read_again.fetch_add(1, Ordering::Relaxed) == 0;
            let missing = entries
                .iter()
                .filter(|entry| entry.message.get().is_none() && (!is_first || at(&is_wanted, entry.topic)));
            make(missing, partition, bytes, counters)?;
        }
        Ok(wanted().filter_map(|entry| Some((entry.offset, Arc::clone(entry.message.get()?)))).collect())
    }
}

/// Makes the messages of records, in their order, as far as they are still there.
fn make<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    partition: &Partition,
    bytes: usize,
    counters: &Counters,
) -> Result<(), ReadError> {
    let mut missing = entries.peekable();
    while let Some(from) = missing.peek().map(|entry| entry.offset) {
        let fetched = partition.read_up_to(ReadUpTo::Durable, from, bytes)?;
        let (mut read, mut end) = (0, fetched.next_offset());
        for record in fetched.views() {
            let Some(record) = readable(record)? else { continue };
            read += 1;
            while missing.next_if(|entry| entry.offset < record.offset).is_some() {}
            if let Some(entry) = missing.next_if(|entry| entry.offset == record.offset) {
                entry.make(&record, fetched.bytes());
            }
            if missing.peek().is_none_or(|entry| entry.offset > record.offset + FAR) {
                end = record.offset + 1;
                break;
            }
        }
        Counters::add(&counters.scanned, read);
        while missing.next_if(|entry| entry.offset < end).is_some() {}
    }
    Ok(())
}

impl Entry {
    fn make(&self, record: &RecordView<'_>, memory: &bytes::Bytes) {
        if let Ok(message) = Message::from_record(record, memory) {
            // Another one that made it at the same time made the same.
            let _ = self.message.set(Arc::new(message));
        }
    }
}

/// `None` for a record that cannot be read here; it was counted when it was dispatched.
fn readable(record: Result<RecordView<'_>, ReadError>) -> Result<Option<RecordView<'_>>, ReadError> {
    match record {
        Ok(record) => Ok(Some(record)),
        Err(ReadError::UnsupportedCodec { .. } | ReadError::DecompressedTooLarge { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn at(flags: &[bool], place: u32) -> bool {
    usize::try_from(place).ok().and_then(|index| flags.get(index)).copied().unwrap_or(false)
}
