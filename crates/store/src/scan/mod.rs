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
use std::time::Instant;

use headwater_log::{Partition, ReadError};
use headwater_topic::TopicName;

use self::bits::Bits;
use self::fill::Filling;
pub(crate) use self::keys::Probes;
use self::piece::Piece;
use self::recent::Recent;
use self::summary::Summaries;
use crate::counters::Counters;
use crate::lock::{lock, read, write};
use crate::message::Message;

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

/// What was found in a piece.
#[derive(Debug)]
pub(crate) struct Found {
    /// Offsets and messages, in order.
    pub(crate) messages: Vec<(u64, Arc<Message>)>,
    /// The first offset behind the piece.
    pub(crate) end: u64,
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

    /// The messages from `wanted.next` on whose topic is wanted, of one piece, which is read from the log unless somebody has read it just now.
    pub(crate) fn read(
        &self,
        partition: &Partition,
        wanted: Wanted,
        counters: &Counters,
        wants: impl Fn(TopicName<'_>) -> bool,
    ) -> Result<Found, ReadError> {
        let (piece, is_wanted) = self.piece(partition, wanted, counters, &wants)?;
        let is_wanted = is_wanted.unwrap_or_else(|| piece.wants(wants));
        Ok(Found { messages: piece.messages(partition, wanted, counters, &is_wanted)?, end: piece.end })
    }

    /// The piece, and if it was read now, whether each of its topics is wanted.
    fn piece(
        &self,
        partition: &Partition,
        wanted: Wanted,
        counters: &Counters,
        wants: impl Fn(TopicName<'_>) -> bool,
    ) -> Result<(Arc<Piece>, Option<Vec<bool>>), ReadError> {
        let slot = lock(&self.recent).slot(wanted.next, Instant::now());
        // Whoever comes to the same place meanwhile waits for this, and has it.
        let mut found = lock(&slot.piece);
        if let Some(piece) = &*found {
            return Ok((Arc::clone(piece), None));
        }
        let mut bits = (!read(&self.summaries).covers(wanted.next)).then(Bits::new);
        let (piece, is_wanted) = Piece::read(partition, wanted, counters, wants, bits.as_mut())?;
        let piece = Arc::new(piece);
        if let Some(bits) = bits {
            write(&self.summaries).insert_read(piece.begin, piece.end, bits, partition.start_offset());
        }
        slot.fill(&mut found, &piece);
        Ok((piece, Some(is_wanted)))
    }

    /// Forgets what lies before the start of the log, so that what was read of it does not keep it, and what was read for those who have
    /// long caught up. To be called now and then.
    pub(crate) fn forget_before(&self, start: u64) {
        lock(&self.recent).forget(start, Instant::now());
        let is_behind = read(&self.summaries).begins_before(start);
        if is_behind {
            write(&self.summaries).forget_before(start);
        }
    }
}
