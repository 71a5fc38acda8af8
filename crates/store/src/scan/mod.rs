//! Reading the log for those who are behind: what cannot be for them is skipped, what was read for one is there for all.
//!
//! ```text
//!   offsets of one partition:
//!   |- range -|- range -|  not known  |- range -|- range -|- the dispatcher's -|
//!   |  bits   |  bits   |             |  bits   |  bits   |  being filled      |
//!        ^         ^            ^                               position of the lane
//!      skipped: no filter can match   read as a piece, whose topics become a range
//!
//!   __headwater_summaries: each range, when it becomes known; read back by the first who comes to where nothing is known ([`kept`])
//! ```
//!
//! A range is so many records as are read at a time, with a set of bits that says which topics may be among them ([`Bits`], [`keys`]): it
//! never says that a topic is missing that is there. It is filled by the dispatcher as the records pass, and by whoever reads where none is known and
//! none was kept. A [`Piece`] is what was read: each topic once, the records by their topic, and those messages as messages that
//! somebody wanted.

mod bits;
mod fill;
mod kept;
mod keys;
mod names;
mod piece;
mod recent;
mod summary;

use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use headwater_log::{Log, Partition, ReadError};
use headwater_topic::TopicName;

use self::bits::Bits;
use self::fill::Filling;
pub(crate) use self::fill::Passed;
use self::kept::{Kept, Place};
pub(crate) use self::keys::Probes;
use self::piece::Piece;
use self::recent::Recent;
use self::summary::{Known, Summaries};
use crate::counters::Counters;
use crate::error::OpenError;
use crate::lock::{lock, read, write};
use crate::message::Message;
use crate::options::StoreOptions;
use crate::topics::Topics;

/// What is known of the topics in one partition, and what was read of it lately.
#[derive(Debug)]
pub(crate) struct Scans {
    summaries: Arc<RwLock<Summaries>>,
    filling: Mutex<Filling>,
    recent: Mutex<Recent>,
    /// Whether ranges are kept at all.
    keeps: bool,
    /// The log topic that they are kept in, and the lane there. `None` if they are not.
    kept: Option<(Arc<Kept>, usize)>,
    /// Where the partition ended when the store was opened: what was kept is about what is before.
    opened_at: u64,
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
    /// Of each partition that messages are in, whose dispatchers begin where it ends.
    pub(crate) fn open(log: &Log, topics: &Topics, options: &StoreOptions) -> Result<Vec<Self>, OpenError> {
        let partitions = topics.partitions();
        let bytes_max = options.summaries_bytes_max / partitions.len().max(1);
        let places: Box<[_]> =
            partitions.into_iter().map(|partition| Place::new(partition, bytes_max)).collect();
        let each: Vec<_> =
            places.iter().map(|place| (Arc::clone(&place.summaries), place.opened_at)).collect();
        let kept = Kept::open(log, topics.iter().cloned(), places, options)?.map(Arc::new);
        let scans = each.into_iter().enumerate().map(|(lane, (summaries, opened_at))| Self {
            summaries,
            filling: Mutex::new(Filling::new(opened_at)),
            recent: Mutex::default(),
            keeps: bytes_max > 0,
            kept: kept.as_ref().map(|kept| (Arc::clone(kept), lane)),
            opened_at,
        });
        Ok(scans.collect())
    }

    /// Where the partition ended when the store was opened.
    pub(crate) fn opened_at(&self) -> u64 {
        self.opened_at
    }

    /// What was kept, if it is not read back and may be about this offset, of which nothing is known.
    fn unread(&self, offset: u64) -> Option<&Kept> {
        let (kept, _) = self.kept.as_ref().filter(|_| offset < self.opened_at)?;
        (!kept.is_read() && !read(&self.summaries).covers(offset)).then_some(kept)
    }

    /// Goes from `next` over the ranges in which nothing can match, up to `end`. `probes` is asked only where a range is known.
    pub(crate) fn skip(
        &self,
        next: u64,
        end: u64,
        counters: &Counters,
        probes: impl FnOnce() -> Option<Probes>,
    ) -> Skipped {
        // Also for those who can skip nothing: what they read would be written once more.
        if let Some(kept) = self.unread(next) {
            kept.read_some(counters);
            return Skipped { next, limit: end, has_more: true };
        }
        let nothing = Skipped { next, limit: end, has_more: false };
        let skipped = {
            let summaries = read(&self.summaries);
            let probes = summaries.knows(next).then(probes).flatten();
            probes.map_or(nothing, |probes| summaries.skip(next, end, &probes))
        };
        // Where it ends, more may have been kept.
        let has_more = skipped.has_more || (skipped.next < end && self.unread(skipped.next).is_some());
        Skipped { has_more, ..skipped }
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
        if let Some(bits) = bits.and_then(|bits| bits.folded()) {
            self.learn(&piece, bits, partition.start_offset(), counters);
        }
        slot.fill(&mut found, &piece);
        Ok((piece, Some(is_wanted)))
    }

    /// The topics of a piece become known.
    fn learn(&self, piece: &Piece, bits: Bits, log_start: u64, counters: &Counters) {
        let known = Known { begin: piece.begin, end: piece.end, bits };
        let kept = self.kept.as_ref().filter(|_| piece.is_whole).map(|kept| (kept, known.clone()));
        let learnt = write(&self.summaries).insert_read(known, log_start);
        if let (Some(((kept, lane), known)), Some((begin, end))) = (kept, learnt) {
            kept.write(*lane, Known { begin, end, ..known }, piece.log_bytes, counters);
        }
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
