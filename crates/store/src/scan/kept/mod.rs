//! The ranges in the log: written as they become known, read back by the first who is behind.
//!
//! ```text
//!   __headwater_summaries   | range | range | range | range |          no key, oldest segments deleted
//!                           '- read back, in pieces, when  -'- written since, known in memory
//!                              somebody has to know         ^ opening
//! ```
//!
//! It is a cache: whatever of it is lost is learnt again by reading. What must never be is a range about other records than those that are at its
//! offsets now, for a message would be passed over without a word. So
//!
//! * a range is written when its records are durable: no loss of power takes them and leaves the range;
//! * it names the identity of its log topic, not the name, which another one may get;
//! * it tells where all partitions ended. If one ends before that when the store is opened, the directory is a copy that does not fit together, or
//!   somebody has cut it. Then nothing is believed, and the topic is made anew before other records come to those offsets;
//! * a range with a record that could not be read is not written: another build, or other options, may be able to.

mod record;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use headwater_log::{Ack, CleanupPolicy, Log, Partition, ReadError, ReadUpTo, Record, Topic, TopicOptions};

use self::record::{KeptRange, TopicId};
use super::summary::{Known, Summaries};
use crate::counters::Counters;
use crate::error::OpenError;
use crate::lock::{lock, write};
use crate::options::StoreOptions;

/// The log topic of the ranges.
pub(crate) const TOPIC: &str = "__headwater_summaries";

/// A range is written if it takes at most this part of the bytes that it is about: small pieces are learnt again.
const PART_MAX: usize = 8;
/// What a record takes beside its value, about.
const RECORD_BYTES: usize = 80;

/// The topic has about so many segments.
const SEGMENTS: u64 = 8;
/// Each of them holds some of the largest ranges.
const SEGMENT_BYTES_MIN: u64 = 64 << 10;
const SEGMENT_BYTES_MAX: u64 = 8 << 20;

/// A partition that ranges are about.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) partition: Partition,
    /// Where it ended when the store was opened: what is behind that, the dispatcher sees.
    pub(super) opened_at: u64,
    pub(super) summaries: Arc<RwLock<Summaries>>,
    /// `None`: nothing of it is kept.
    topic_id: Option<TopicId>,
}

/// The log topic of the ranges.
#[derive(Debug)]
pub(super) struct Kept {
    log: Partition,
    /// By their lanes.
    places: Box<[Place]>,
    lanes: HashMap<(TopicId, u32), usize>,
    /// What was there when the store was opened and was not read back yet.
    unread: Mutex<Range<u64>>,
    is_read: AtomicBool,
    /// About so much is read back at a time.
    bytes: usize,
}

impl Place {
    pub(super) fn new(partition: Partition, bytes_max: usize) -> Self {
        let opened_at = partition.durable_end();
        let summaries = Arc::new(RwLock::new(Summaries::new(opened_at, bytes_max)));
        Self { partition, opened_at, summaries, topic_id: None }
    }
}

impl Kept {
    /// Opens or creates the topic; `None` if nothing is to be kept, or it cannot be had. What it holds is not read, but for the last record.
    pub(super) fn open(
        log: &Log,
        topics: impl Iterator<Item = Topic>,
        mut places: Box<[Place]>,
        options: &StoreOptions,
    ) -> Result<Option<Self>, OpenError> {
        if let Some(topic) = log.topic(TOPIC)
            && !is_credible(&topic, &places)
        {
            log.delete_topic(TOPIC)?;
        }
        if options.summaries_bytes_max == 0 {
            return Ok(None);
        }
        let topic = log.open_or_create_topic(TOPIC, topic_options(options, places.len()));
        let Some(partition) = topic.ok().and_then(|topic| topic.partition(0)) else { return Ok(None) };
        let ids: BTreeMap<String, TopicId> =
            topics.filter_map(|topic| Some((topic.name().to_owned(), topic.id().ok().flatten()?))).collect();
        let mut lanes = HashMap::new();
        for (lane, place) in places.iter_mut().enumerate() {
            place.topic_id = ids.get(place.partition.topic()).copied();
            lanes.extend(place.topic_id.map(|id| ((id, place.partition.number()), lane)));
        }
        let unread = partition.start_offset()..partition.appended_end();
        let (is_read, unread) = (AtomicBool::new(unread.is_empty()), Mutex::new(unread));
        Ok(Some(Self { log: partition, places, lanes, unread, is_read, bytes: options.catch_up_bytes }))
    }

    /// Writes a range of a lane, whose records take so many bytes. They are durable; the range becomes so whenever it does.
    pub(super) fn write(&self, lane: usize, known: Known, log_bytes: usize, counters: &Counters) {
        let Some(place) = self.places.get(lane) else { return };
        let Some(topic_id) = place.topic_id else { return };
        let ends = self.places.iter().map(|place| place.partition.durable_end()).collect();
        let value = KeptRange { topic_id, partition: place.partition.number(), known, ends }.encode();
        if (value.len() + RECORD_BYTES) * PART_MAX > log_bytes {
            return;
        }
        if self.log.append(&Record::new(&value), Ack::Appended).is_err() {
            Counters::add(&counters.summaries_lost, 1);
        }
    }

    /// Whether all that there is was read back.
    pub(super) fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Acquire)
    }

    /// Reads some of it back. What cannot be used is counted, and not used.
    pub(super) fn read_some(&self, counters: &Counters) {
        let mut unread = lock(&self.unread);
        if unread.is_empty() {
            return;
        }
        match self.log.read_up_to(ReadUpTo::Appended, unread.start, self.bytes) {
            Ok(fetched) => {
                let records = fetched.views().map_while(|record| match record {
                    Ok(record) => (record.offset < unread.end).then_some(record.value),
                    Err(_) => Some(None),
                });
                let lost = records.filter(|value| !value.is_some_and(|value| self.take(value))).count();
                Counters::add(&counters.summaries_lost, u64::try_from(lost).unwrap_or(u64::MAX));
                // It never stands still.
                unread.start = fetched.next_offset().max(unread.start + 1);
            }
            // Retention has been there.
            Err(ReadError::OffsetOutOfRange { start, .. }) if start > unread.start => unread.start = start,
            // Each is a batch of its own: the next one may be whole.
            Err(ReadError::Corrupt(_)) => {
                Counters::add(&counters.summaries_lost, 1);
                unread.start += 1;
            }
            Err(_) => unread.start = unread.end,
        }
        if unread.is_empty() {
            self.is_read.store(true, Ordering::Release);
        }
    }

    /// Whether it is about what is there, or was there.
    fn take(&self, value: &[u8]) -> bool {
        let Ok(KeptRange { topic_id, partition, known, .. }) = KeptRange::decode(value) else { return false };
        let lane = self.lanes.get(&(topic_id, partition));
        let Some(place) = lane.and_then(|lane| self.places.get(*lane)) else { return false };
        if known.end > place.opened_at {
            return false;
        }
        let log_start = place.partition.start_offset();
        if known.end > log_start {
            write(&place.summaries).insert_read(known, log_start);
        }
        true
    }
}

/// Whether the partitions have all that the topic may tell of: its last record says how much that is.
fn is_credible(topic: &Topic, places: &[Place]) -> bool {
    let Some(partition) = topic.partition(0) else { return true };
    let Some(last) = partition.appended_end().checked_sub(1).filter(|last| *last >= partition.start_offset())
    else {
        return true;
    };
    let Ok(fetched) = partition.read_up_to(ReadUpTo::Appended, last, 1) else { return false };
    let value = fetched.views().last().and_then(Result::ok).and_then(|record| record.value);
    let Some(Ok(KeptRange { ends, .. })) = value.map(KeptRange::decode) else { return false };
    ends.len() <= places.len() && ends.iter().zip(places).all(|(end, place)| *end <= place.opened_at)
}

/// As many bytes as the ranges take in memory, about; the oldest go first.
fn topic_options(options: &StoreOptions, lanes: usize) -> TopicOptions {
    let bytes_max = u64::try_from(options.summaries_bytes_max).unwrap_or(u64::MAX);
    // A range has an offset for each lane.
    let largest = u64::try_from(lanes).unwrap_or(u64::MAX).saturating_mul(16);
    let segment_bytes = (bytes_max / SEGMENTS).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX).max(largest);
    options
        .state
        .partitions(1)
        .cleanup_policy(CleanupPolicy::Delete)
        .retention_ms(None)
        .retention_bytes(Some(bytes_max))
        .segment_bytes(segment_bytes)
        .batch_bytes_max(segment_bytes)
        // Nobody waits for it: it becomes durable by upkeep, by a roll, or when the log is closed.
        .flush_bytes(None)
}
