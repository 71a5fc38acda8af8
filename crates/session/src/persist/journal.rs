//! What changed and was not told yet.

use alloc::collections::VecDeque;

use headwater_codec::PacketId;

use super::ChangesLost;

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
