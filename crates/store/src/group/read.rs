//! A group that is behind: whichever member has room reads the log for all.

use std::sync::Arc;

use headwater_codec::QoS;
use headwater_log::{ReadError, ReadUpTo};

use super::Group;
use super::cursor::{Cursor, Piece};
use crate::counters::Counters;
use crate::delivery::{Origin, Source};
use crate::lane::MessageLane;
use crate::lock::lock;
use crate::message::{Message, topic_of};
use crate::store::Shared;

/// How much is read at a time: less when the members have no room for what is found, so that little is read in vain.
#[derive(Debug, Default)]
pub(super) struct PieceSize {
    halved: u32,
}

/// It is not halved below this.
const PIECE_BYTES_MIN: usize = 8 * 1024;

impl PieceSize {
    fn bytes(&self, bytes_max: usize) -> usize {
        (bytes_max >> self.halved).max(PIECE_BYTES_MIN.min(bytes_max))
    }

    fn has_read(&mut self, whole: bool, bytes_max: usize) {
        if whole {
            self.halved = self.halved.saturating_sub(1);
        } else if self.bytes(bytes_max) > PIECE_BYTES_MIN {
            self.halved += 1;
        }
    }
}

impl Group {
    /// Reads a piece of one partition in which the group is behind, and hands out what it finds, to the members in turn. Returns whether
    /// there is more. `reader` is the member that asks, and has room.
    pub(crate) fn read(self: &Arc<Self>, shared: &Shared, reader: u64) -> Result<bool, ReadError> {
        let mut size = lock(&self.reading);
        let Some(piece) = lock(&self.state).piece() else { return Ok(false) };
        let Some(lane) = shared.lane(piece.partition) else { return Ok(false) };
        if piece.wanted.is_empty() && piece.from >= lane.position() {
            self.go_live(piece.partition, lane);
        } else {
            let bytes_max = shared.options.catch_up_bytes;
            let whole = self.scan(shared, &piece, lane, reader, size.bytes(bytes_max))?;
            size.has_read(whole, bytes_max);
        }
        Ok(lock(&self.state).is_behind())
    }

    /// Joins the dispatcher, if nothing was dispatched or returned meanwhile.
    fn go_live(&self, partition: u32, lane: &MessageLane) {
        let _still = lock(&lane.dispatching);
        if let Some(cursor) = lock(&self.state).cursor_mut(partition) {
            cursor.go_live(lane.position());
        }
    }

    /// Returns whether there was room for all that was found.
    fn scan(
        self: &Arc<Self>,
        shared: &Shared,
        piece: &Piece,
        lane: &MessageLane,
        reader: u64,
        bytes: usize,
    ) -> Result<bool, ReadError> {
        let Piece { partition, from, ref wanted } = *piece;
        let was_returned = !wanted.is_empty();
        let filter = self.filter();
        let dispatched = lane.position();
        let fetched = match lane.partition.read_up_to(ReadUpTo::Durable, from, bytes) {
            Ok(fetched) => fetched,
            Err(ReadError::OffsetOutOfRange { start, .. }) if start > from => {
                // Retention was faster: the group goes on from what there is.
                let lost = lock(&self.state).cursor_mut(partition).map(|cursor| cursor.skip_to(start));
                Counters::add(&shared.counters.fell_behind, lost.unwrap_or(0));
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        // Every record before this was looked at, and these were looked for and are not there.
        let (mut next, mut missing) = (from, Vec::new());
        let mut wanted = wanted.iter().copied().peekable();
        let (mut stopped, mut whole) = (false, true);
        for record in fetched.views() {
            let record = match record {
                Ok(record) => record,
                // Counted when it was dispatched.
                Err(ReadError::UnsupportedCodec { .. } | ReadError::DecompressedTooLarge { .. }) => continue,
                Err(error) => return Err(error),
            };
            let offset = record.offset;
            if was_returned {
                missing.extend(std::iter::from_fn(|| wanted.next_if(|wanted| *wanted < offset)));
            }
            // The rest is the dispatcher's.
            stopped = offset >= dispatched || (was_returned && wanted.peek().is_none());
            if stopped {
                break;
            }
            if was_returned && wanted.next_if_eq(&offset).is_none() {
                continue;
            }
            let matches = topic_of(&record).is_some_and(|topic| filter.matches(topic));
            let message = matches.then(|| Message::from_record(&record, fetched.bytes()).ok()).flatten();
            if let Some(message) = message.filter(|message| message.qos != QoS::AtMostOnce) {
                let source = Source { origin: Origin::Messages, partition, offset };
                whole = self.hand_read(shared, Arc::new(message), source, was_returned, reader);
                stopped = !whole;
                if stopped {
                    break;
                }
            } else if was_returned {
                missing.push(offset);
            }
            next = offset + 1;
        }
        if !stopped {
            // Batches may hold no record that is for readers.
            next = fetched.next_offset().min(dispatched);
            missing.extend(std::iter::from_fn(|| wanted.next_if(|wanted| *wanted < next)));
        }
        if let Some(cursor) = lock(&self.state).cursor_mut(partition) {
            if was_returned {
                missing.iter().for_each(|offset| cursor.read(*offset, true));
            } else {
                cursor.advance(next);
            }
        }
        Ok(whole)
    }

    /// Hands out what was read, if nobody has it. `false` if nobody has room.
    fn hand_read(
        self: &Arc<Self>,
        shared: &Shared,
        message: Arc<Message>,
        source: Source,
        was_returned: bool,
        reader: u64,
    ) -> bool {
        let mut state = lock(&self.state);
        let wants = |cursor: &mut Cursor| cursor.wants(source.offset, was_returned);
        let handed = !state.cursor_mut(source.partition).is_some_and(wants)
            || self.hand(&mut state, &message, source, &shared.options, Some(reader));
        if handed && let Some(cursor) = state.cursor_mut(source.partition) {
            cursor.read(source.offset, was_returned);
        }
        handed
    }
}
