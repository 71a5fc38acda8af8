//! A group that is behind: whichever member has room reads the log for all.

use std::sync::Arc;

use headwater_codec::QoS;
use headwater_log::{ReadError, ReadUpTo};
use headwater_topic::TopicName;

use super::Group;
use super::cursor::{Cursor, Piece};
use crate::counters::Counters;
use crate::delivery::{Origin, Source};
use crate::lane::MessageLane;
use crate::lock::lock;
use crate::message::{Message, topic_of};
use crate::scan::{Probes, Skipped, Wanted};
use crate::store::Shared;

/// How much is read at a time: less when the members have no room for what is found, so that little is read in vain.
#[derive(Debug, Default)]
pub(super) struct PieceSize {
    halved: u32,
}

/// Who reads, and how much.
#[derive(Debug, Clone, Copy)]
struct Reading<'a> {
    shared: &'a Shared,
    lane: &'a MessageLane,
    /// The member that asks.
    reader: u64,
    bytes: usize,
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
    /// there is more. `reader` is the member that asks, and has room; `fell_behind` counts what retention has deleted before it was read.
    pub(crate) fn read(
        self: &Arc<Self>,
        shared: &Shared,
        reader: u64,
        fell_behind: &mut u64,
    ) -> Result<bool, ReadError> {
        let mut size = lock(&self.reading);
        let Some(piece) = lock(&self.state).piece() else { return Ok(false) };
        let Some(lane) = shared.lane(piece.partition) else { return Ok(false) };
        if piece.wanted.is_empty() && piece.from >= lane.position() {
            self.go_live(piece.partition, lane);
            return Ok(lock(&self.state).is_behind());
        }
        let bytes_max = shared.options.catch_up_bytes;
        let reading = Reading { shared, lane, reader, bytes: size.bytes(bytes_max) };
        let read =
            if piece.wanted.is_empty() { self.scan(&reading, &piece) } else { self.find(&reading, &piece) };
        match read {
            Ok(whole) => size.has_read(whole, bytes_max),
            Err(ReadError::OffsetOutOfRange { start, .. }) if start > piece.from => {
                // Retention was faster: the group goes on from what there is.
                let lost = lock(&self.state).cursor_mut(piece.partition).map(|cursor| cursor.skip_to(start));
                Counters::add(&shared.counters.fell_behind, lost.unwrap_or(0));
                *fell_behind += lost.unwrap_or(0);
            }
            Err(error) => return Err(error),
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

    /// Looks for what is for the group behind what was examined. Returns whether there was room for all that was found.
    fn scan(self: &Arc<Self>, reading: &Reading<'_>, piece: &Piece) -> Result<bool, ReadError> {
        let Reading { shared, lane, bytes, .. } = *reading;
        let Piece { partition, from, .. } = *piece;
        let filter = self.filter();
        let dispatched = lane.position();
        // What is skipped is there, or the read says that it is not.
        let skipped = (from >= lane.partition.start_offset()).then(|| {
            lane.scans.skip(from, dispatched, &shared.counters, || Probes::of([filter].into_iter()))
        });
        let Skipped { next, limit, has_more } =
            skipped.unwrap_or(Skipped { next: from, limit: dispatched, has_more: false });
        Counters::add(&shared.counters.skipped, next - from);
        let mut whole = true;
        let mut end = next;
        if !has_more && next < dispatched {
            let wanted = Wanted { next, limit, bytes };
            let wants = |topic: TopicName<'_>| filter.matches(topic);
            let found = lane.scans.read(&lane.partition, wanted, &shared.counters, wants)?;
            end = found.end;
            for (offset, message) in found.messages {
                if message.qos == QoS::AtMostOnce {
                    continue;
                }
                let source = Source { origin: Origin::Messages, partition, offset };
                whole = self.hand_read(shared, message, source, false, reading.reader);
                if !whole {
                    end = offset;
                    break;
                }
            }
        }
        if let Some(cursor) = lock(&self.state).cursor_mut(partition) {
            cursor.advance(end);
        }
        Ok(whole)
    }

    /// Finds what was returned. Returns whether there was room for all of it.
    fn find(self: &Arc<Self>, reading: &Reading<'_>, piece: &Piece) -> Result<bool, ReadError> {
        let Reading { shared, lane, reader, bytes } = *reading;
        let Piece { partition, from, ref wanted } = *piece;
        let filter = self.filter();
        let dispatched = lane.position();
        let fetched = lane.partition.read_up_to(ReadUpTo::Durable, from, bytes)?;
        // Those that were looked for and are not there.
        let mut missing = Vec::new();
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
            missing.extend(std::iter::from_fn(|| wanted.next_if(|wanted| *wanted < offset)));
            // The rest is the dispatcher's.
            stopped = offset >= dispatched || wanted.peek().is_none();
            if stopped {
                break;
            }
            if wanted.next_if_eq(&offset).is_none() {
                continue;
            }
            let matches = topic_of(&record).is_some_and(|topic| filter.matches(topic));
            let message = matches.then(|| Message::from_record(&record, fetched.bytes()).ok()).flatten();
            if let Some(message) = message.filter(|message| message.qos != QoS::AtMostOnce) {
                let source = Source { origin: Origin::Messages, partition, offset };
                whole = self.hand_read(shared, Arc::new(message), source, true, reader);
                stopped = !whole;
                if stopped {
                    break;
                }
            } else {
                missing.push(offset);
            }
        }
        if !stopped {
            // Batches may hold no record that is for readers.
            let next = fetched.next_offset().min(dispatched);
            missing.extend(std::iter::from_fn(|| wanted.next_if(|wanted| *wanted < next)));
        }
        if let Some(cursor) = lock(&self.state).cursor_mut(partition) {
            missing.iter().for_each(|offset| cursor.read(*offset, true));
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
