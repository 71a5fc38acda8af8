//! Reading the log for those who are behind: what cannot be for them is skipped, what was read for one is there for all.
//!
//! ```text
//!   offsets of one partition:
//!   |- range -|- range -|  not known  |- range -|- range -|- the dispatcher's -|
//!   |  bits   |  bits   | (restart)   |  bits   |  bits   |  being filled      |
//!        ^         ^            ^                               position of the lane
//!      skipped: no filter can match   read as a piece, whose topics become a range
//! ```
//!
//! A range is so many records as are read at a time, with a set of bits that says which topics may be among them ([`Bits`], [`keys`]): it
//! never says that a topic is missing that is there. It is filled by the dispatcher as the records pass, and by whoever reads where none is known, since
//! nothing of it is kept in the log. A [`Piece`] is what was read: each topic once, the records by their topic, and those messages as messages that
//! somebody wanted.

mod bits;
mod fill;
mod keys;
mod names;
mod piece;
mod recent;
mod summary;

use std::sync::{Arc, Mutex, RwLock};

use headwater_log::{Partition, ReadError};
use headwater_topic::TopicName;

use self::bits::Bits;
use self::fill::Filling;
pub(crate) use self::keys::Probes;
pub(crate) use self::piece::Piece;
use self::recent::Recent;
use self::summary::Summaries;
use crate::counters::Counters;
use crate::lock::{lock, read, write};

/// What is known of the topics in one partition, and what was read of it lately.
#[derive(Debug)]
pub(crate) struct Scans {
    summaries: RwLock<Summaries>,
    filling: Mutex<Filling>,
    recent: Mutex<Recent>,
    /// Whether ranges are kept at all.
    keeps: bool,
}

/// A place in the log to go on from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Skipped {
    /// Nothing that could match is before it.
    pub(crate) next: u64,
    /// What of the log is to be read together, at most up to here.
    pub(crate) limit: u64,
    /// Whether there may be more to skip: enough was done for one call.
    pub(crate) has_more: bool,
}

/// What of a partition is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) next: u64,
    /// The end of what may be read.
    pub(crate) limit: u64,
    /// About so much at a time.
    pub(crate) bytes: usize,
}

impl Scans {
    /// Of a partition whose dispatcher is at `position`, with so much memory for its ranges.
    pub(crate) fn new(position: u64, bytes_max: usize) -> Self {
        Self {
            summaries: RwLock::new(Summaries::new(position, bytes_max)),
            filling: Mutex::new(Filling::new(position)),
            recent: Mutex::default(),
            keeps: bytes_max > 0,
        }
    }

    /// Goes from `next` over the ranges in which nothing can match, up to `end`. `probes` is asked only where a range is known.
    pub(crate) fn skip(&self, next: u64, end: u64, probes: impl FnOnce() -> Option<Probes>) -> Skipped {
        let summaries = read(&self.summaries);
        if !summaries.knows(next) {
            return Skipped { next, limit: end, has_more: false };
        }
        let Some(probes) = probes() else { return Skipped { next, limit: end, has_more: false } };
        summaries.skip(next, end, &probes)
    }

    /// The records from `wanted.next` on, read from the log unless somebody has read them just now. Those whose topic is wanted are there as
    /// messages.
    pub(crate) fn piece(
        &self,
        partition: &Partition,
        wanted: Wanted,
        counters: &Counters,
        wants: impl Fn(TopicName<'_>) -> bool,
    ) -> Result<Arc<Piece>, ReadError> {
        let slot = lock(&self.recent).slot(wanted.next);
        // Whoever comes to the same place meanwhile waits for this, and has it.
        let mut found = lock(&slot.piece);
        if let Some(piece) = &*found {
            return Ok(Arc::clone(piece));
        }
        let mut bits = (!read(&self.summaries).covers(wanted.next)).then(Bits::new);
        let piece = Arc::new(Piece::read(partition, wanted, counters, wants, bits.as_mut())?);
        if let Some(bits) = bits {
            write(&self.summaries).insert_read(piece.begin, piece.end, bits, partition.start_offset());
        }
        slot.fill(&mut found, &piece);
        Ok(piece)
    }

    /// Forgets what lies before the start of the log, so that what was read of it does not keep it.
    pub(crate) fn forget_before(&self, start: u64) {
        lock(&self.recent).forget_before(start);
        let is_behind = read(&self.summaries).begins_before(start);
        if is_behind {
            write(&self.summaries).forget_before(start);
        }
    }
}
