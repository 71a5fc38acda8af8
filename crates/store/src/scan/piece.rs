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
pub(super) struct Piece {
    pub(super) begin: u64,
    /// The first offset behind it.
    pub(super) end: u64,
    names: Names,
    entries: Box<[Entry]>,
    /// Whether each of its records could be read.
    pub(super) is_whole: bool,
    /// What its records take in the log.
    pub(super) log_bytes: usize,
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

/// The topic of a record.
enum Topic<'a> {
    /// One that is there, at this place.
    Found(u32),
    /// Another one, and its hash.
    New(TopicName<'a>, u64),
}

/// `None` if the record is no message. Whether a text is a topic is found out once for each.
fn find<'a>(names: &Names, record: &RecordView<'a>) -> Option<Topic<'a>> {
    let text = topic_text(record)?;
    let hash = match names.find(text) {
        Ok(place) => return Some(Topic::Found(place)),
        Err(hash) => hash,
    };
    if let Some(topic) = std::str::from_utf8(text).ok().and_then(|text| TopicName::parse(text).ok()) {
        return Some(Topic::New(topic, hash));
    }
    let topic = topic_of(record)?;
    Some(names.find(topic.as_str().as_bytes()).map_or_else(|hash| Topic::New(topic, hash), Topic::Found))
}

impl Piece {
    /// Gives with it whether each of its topics is wanted.
    pub(super) fn read(
        partition: &Partition,
        wanted: Wanted,
        counters: &Counters,
        wants: impl Fn(TopicName<'_>) -> bool,
        mut bits: Option<&mut Bits>,
    ) -> Result<(Self, Vec<bool>), ReadError> {
        let Wanted { next, limit, bytes } = wanted;
        let fetched = partition.read_up_to(ReadUpTo::Durable, next, bytes)?;
        let (mut names, mut is_wanted, mut entries) = (Names::default(), Vec::new(), Vec::new());
        let (mut read, mut is_whole) = (0, true);
        for record in fetched.views() {
            let Some(record) = readable(record)? else {
                is_whole = false;
                continue;
            };
            if record.offset >= limit {
                break;
            }
            read += 1;
            let topic = match find(&names, &record) {
                Some(Topic::Found(place)) => place,
                Some(Topic::New(topic, hash)) => {
                    let Some(place) = names.add(topic, hash) else { continue };
                    is_wanted.push(wants(topic));
                    if let Some(bits) = &mut bits {
                        keys::insert(topic, bits);
                    }
                    place
                }
                None => continue,
            };
            let entry = Entry { offset: record.offset, topic, message: OnceLock::new() };
            if at(&is_wanted, topic) {
                entry.make(&record, fetched.bytes());
            }
            entries.push(entry);
        }
        Counters::add(&counters.scanned, read);
        let piece = Self {
            begin: next,
            // Batches may hold no record that is for readers.
            end: fetched.next_offset().min(limit),
            names: names.closed(),
            entries: entries.into(),
            is_whole,
            log_bytes: fetched.bytes().len(),
            read_again: AtomicU32::new(0),
        };
        Ok((piece, is_wanted))
    }

    /// Whether each of its topics is wanted.
    pub(super) fn wants(&self, wants: impl Fn(TopicName<'_>) -> bool) -> Vec<bool> {
        self.names.iter().map(wants).collect()
    }

    /// The messages from `next` on whose topic is wanted, in order. Those that nobody has wanted before are read again.
    pub(super) fn messages(
        &self,
        partition: &Partition,
        wanted: Wanted,
        counters: &Counters,
        is_wanted: &[bool],
    ) -> Result<Vec<(u64, Arc<Message>)>, ReadError> {
        let Wanted { next, bytes, .. } = wanted;
        if !is_wanted.contains(&true) {
            return Ok(Vec::new());
        }
        let first = self.entries.partition_point(|entry| entry.offset < next);
        let entries = self.entries.get(first..).unwrap_or_default();
        let wanted = || entries.iter().filter(|entry| at(is_wanted, entry.topic));
        if wanted().any(|entry| entry.message.get().is_none()) {
            // Where many come by, all of it is made for those who follow.
            let is_first = self.read_again.fetch_add(1, Ordering::Relaxed) == 0;
            let missing = entries
                .iter()
                .filter(|entry| entry.message.get().is_none() && (!is_first || at(is_wanted, entry.topic)));
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
