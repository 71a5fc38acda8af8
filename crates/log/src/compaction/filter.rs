//! What of a batch stays.
//!
//! ```text
//!   record    at or behind the end of the pass          stays: its key was not looked at
//!             without a key                             stays
//!             not the last one of its key               goes
//!             the last one, with a value                stays
//!             the last one, a tombstone                 stays until the delete horizon of its batch
//!
//!   batch     all of it stays                           byte for byte, but see below
//!             some of it                                those records, in the place of the batch
//!             nothing                                   goes; as the last of a producer that is remembered, or of its
//!                                                       segment, it stays without records
//! ```
//!
//! A batch that keeps tombstones, all of them looked at, gets a delete horizon if it has none: the time now and
//! `delete_retention_ms` (KIP-534). Source: Apache Kafka, `Cleaner.shouldRetainRecord`, `MemoryRecords.filterTo`. Two things
//! are not as there. A record without a key stays: Kafka drops it, and it may be the only one that says what it says. Batches of
//! transactions, and those for brokers, stay whole: what becomes of them depends on markers that nothing here writes.

use std::borrow::Cow;

use super::map::KeyMap;
use super::producers::LastBatches;
use crate::compress::{self, Compression, Failure};
use crate::error::Damage;
use crate::fetched::Visited;
use crate::format::batch::{HEADER_BYTES, Header};
use crate::format::record::{self, Decoded};
use crate::format::retained::{self, Kept};

/// What a pass goes by.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) keys: &'a KeyMap,
    /// Records at or behind this offset were not looked at.
    pub(crate) end: u64,
    pub(crate) now_ms: i64,
    pub(crate) delete_retention_ms: u64,
    pub(crate) last_batches: &'a LastBatches,
    /// Whether records stay that are not the last of their key, since their batches stay whole. Then tombstones do, too:
    /// what they delete would come back.
    pub(crate) keep_tombstones: bool,
    /// How what is compressed is compressed again, if it is with this codec.
    pub(crate) compression: Option<Compression>,
    /// More than this nobody decompresses.
    pub(crate) decompressed_bytes_max: usize,
}

/// Why a batch cannot be looked into.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Damaged(Damage),
    Compressed(Failure),
}

impl From<Damage> for Unreadable {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl From<Failure> for Unreadable {
    fn from(failure: Failure) -> Self {
        Self::Compressed(failure)
    }
}

/// The records of a batch, not compressed.
pub(crate) fn records_of<'a>(
    header: &Header,
    batch: &'a [u8],
    decompressed_bytes_max: usize,
) -> Result<Cow<'a, [u8]>, Failure> {
    let records = batch.get(HEADER_BYTES..).unwrap_or_default();
    // An empty batch of Kafka's may name a codec; nothing is compressed in it.
    let codec = if header.record_count == 0 { 0 } else { header.codec() };
    compress::plain(codec, records, decompressed_bytes_max)
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It stays as it is.
    Same,
    /// It is replaced by what was put.
    Changed,
    /// Nothing of it stays.
    Gone,
}

/// Numbers of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) kept: u64,
    pub(crate) superseded: u64,
    pub(crate) tombstones_removed: u64,
    pub(crate) tombstones_kept: u64,
    pub(crate) without_key: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.kept += other.kept;
        self.superseded += other.superseded;
        self.tombstones_removed += other.tombstones_removed;
        self.tombstones_kept += other.tombstones_kept;
        self.without_key += other.without_key;
    }
}

/// Whether a batch stays whole, and none of its keys counts.
pub(crate) fn stays_whole(header: &Header) -> bool {
    header.is_control() || header.is_transactional()
}

/// Visits the records of a batch, not compressed: each with its offset, and its bytes as they stand.
pub(crate) fn for_each_record<'a>(
    header: &Header,
    records: &'a [u8],
    mut each: impl FnMut(u64, &Decoded<'a>, &'a [u8]),
) -> Result<(), Damage> {
    let mut visited = Visited::new(header, 0, records);
    loop {
        let from = visited.rest();
        let Some(found) = visited.step() else { return Ok(()) };
        let (offset, decoded) = found?;
        let len = from.len().saturating_sub(visited.rest().len());
        each(offset, &decoded, from.get(..len).unwrap_or_default());
    }
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Superseded,
    /// A tombstone whose time is over.
    Expired,
}

impl Rules<'_> {
    #[inline]
    fn fate(&self, offset: u64, record: &Decoded<'_>, expired: bool) -> Fate {
        match record.key {
            _ if offset >= self.end => Fate::Stays,
            None => Fate::Stays,
            Some(key) if self.keys.last(key).is_some_and(|last| last > offset) => Fate::Superseded,
            Some(_) if record.value.is_none() && expired && !self.keep_tombstones => Fate::Expired,
            Some(_) => Fate::Stays,
        }
    }

    /// The records that stay, to be written anew.
    fn kept<'a>(&self, header: &Header, records: &'a [u8], expired: bool) -> Result<Vec<Kept<'a>>, Damage> {
        let mut kept = Vec::new();
        let mut malformed = None;
        for_each_record(header, records, |offset, record, mut bytes| {
            if self.fate(offset, record, expired) != Fate::Stays {
                return;
            }
            let timestamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
            match record::cut(&mut bytes) {
                Ok((_, cut)) => kept.push(Kept { cut, offset_delta: record.offset_delta, timestamp }),
                // It was decoded just now.
                Err(field) => malformed = Some(Damage::Record { record: record.offset_delta, field }),
            }
        })?;
        malformed.map_or(Ok(kept), Err)
    }

    fn compression_of(&self, header: &Header) -> Result<Compression, Failure> {
        let codec = header.codec();
        let chosen = self.compression.filter(|compression| compression.codec().0 == codec);
        chosen.or(compress::of_codec(codec)).ok_or(Failure::Unsupported)
    }

    /// Decides on a batch with these records, not compressed, and puts what takes its place, if something does. `is_last` says that its segment has to end with
    /// it; `may_grow` that there is room for longer timestamps.
    pub(crate) fn apply(
        &self,
        header: &Header,
        records: &[u8],
        (is_last, may_grow): (bool, bool),
        out: &mut Vec<u8>,
    ) -> Result<(Verdict, Counts), Unreadable> {
        let mut counts = Counts::default();
        if stays_whole(header) {
            counts.kept = u64::from(header.record_count);
            return Ok((Verdict::Same, counts));
        }
        let expired = header.has_delete_horizon() && self.now_ms >= header.base_timestamp;
        // Most batches stay or go as a whole: what stays is gathered only for those that change.
        for_each_record(header, records, |offset, record, _| match self.fate(offset, record, expired) {
            Fate::Superseded => counts.superseded += 1,
            Fate::Expired => counts.tombstones_removed += 1,
            Fate::Stays => {
                counts.kept += 1;
                counts.without_key += u64::from(record.key.is_none());
                counts.tombstones_kept += u64::from(record.value.is_none() && record.key.is_some());
            }
        })?;
        if counts.kept == 0 {
            if !is_last && !self.last_batches.has(header) {
                return Ok((Verdict::Gone, counts));
            }
            if header.record_count == 0 {
                return Ok((Verdict::Same, counts));
            }
            retained::encode_empty(header, out);
            return Ok((Verdict::Changed, counts));
        }
        let stamp = counts.tombstones_kept > 0
            && !header.has_delete_horizon()
            && header.last_offset < self.end
            && may_grow;
        if counts.kept == u64::from(header.record_count) && !stamp {
            return Ok((Verdict::Same, counts));
        }
        let horizon = if stamp {
            let retention_ms = i64::try_from(self.delete_retention_ms).unwrap_or(i64::MAX);
            Some(self.now_ms.saturating_add(retention_ms))
        } else {
            header.has_delete_horizon().then_some(header.base_timestamp)
        };
        let compression = (self.compression_of(header)?, self.decompressed_bytes_max);
        let kept = self.kept(header, records, expired)?;
        retained::encode(header, &kept, horizon, compression, out)?;
        Ok((Verdict::Changed, counts))
    }
}
