//! What changed and was not told yet.

use alloc::collections::VecDeque;

use headwater_codec::PacketId;

use super::{Change, ChangesLost};
use crate::exchange::Exchange;

/// Changes, oldest first, at most `limit`.
#[derive(Debug)]
pub(crate) struct Journal {
    notes: VecDeque<Note>,
    limit: usize,
    overflowed: bool,
}

/// A change without its message, which is looked up when the change is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// The turn in which it was taken tells it from a later message under the same identifier.
    Taken {
        packet_id: PacketId,
        exactly_once: bool,
        taken: u64,
    },
    Written(PacketId),
    Received(PacketId),
    Completed(PacketId),
    Forgotten,
    Skipped(PacketId),
    Held(PacketId),
    Released(PacketId),
}

impl Journal {
    pub(crate) fn new(limit: usize) -> Self {
        Self { notes: VecDeque::new(), limit: limit.max(1), overflowed: false }
    }

    pub(crate) fn push(&mut self, note: Note) {
        if self.overflowed {
            return;
        }
        if self.notes.len() >= self.limit {
            self.notes.clear();
            self.overflowed = true;
            return;
        }
        self.notes.push_back(note);
    }

    pub(crate) fn pop(&mut self) -> Result<Option<Note>, ChangesLost> {
        if core::mem::take(&mut self.overflowed) {
            return Err(ChangesLost { limit: self.limit });
        }
        Ok(self.notes.pop_front())
    }
}

impl<T> Exchange<T> {
    /// From now on changes are kept until they are told.
    pub(crate) fn record_changes(&mut self, limit: usize) {
        self.journal = Some(Journal::new(limit));
    }

    /// The oldest change that was not told.
    pub(crate) fn poll_change(&mut self) -> Result<Option<Change<&T>>, ChangesLost> {
        let Some(note) = self.journal.as_mut().map_or(Ok(None), Journal::pop)? else { return Ok(None) };
        Ok(Some(match note {
            Note::Taken { packet_id, exactly_once, taken } => match self.outgoing.message(packet_id, taken) {
                Some(message) => Change::Taken { packet_id, exactly_once, message },
                None => Change::Skipped { packet_id },
            },
            Note::Written(packet_id) => Change::Written { packet_id },
            Note::Received(packet_id) => Change::Received { packet_id },
            Note::Completed(packet_id) => Change::Completed { packet_id },
            Note::Forgotten => Change::Forgotten,
            Note::Skipped(packet_id) => Change::Skipped { packet_id },
            Note::Held(packet_id) => Change::Held { packet_id },
            Note::Released(packet_id) => Change::Released { packet_id },
        }))
    }
}
