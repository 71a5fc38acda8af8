//! Packet identifiers, a block at a time: those up to the last one that a durable snapshot names may be given out.
//!
//! ```text
//!   given out          may be given out        are being saved
//!  ----------> last_id ----------------> through -------------> pending
//! ```
//!
//! After a crash the session goes on behind what the snapshot names, so that no identifier that the client may hold is taken for another
//! message. It costs one record for each [`BLOCK`] of messages, and no wait as long as the disk keeps up with half a block.

use std::collections::VecDeque;

use headwater_codec::PacketId;

/// How many identifiers are saved ahead of the last one that was given out.
pub(super) const BLOCK: u16 = 4_096;

/// So many saves may be waited for; of more than that, those in the middle are not waited for.
const PENDING_MAX: usize = 4;

/// The identifiers that one session may give out.
#[derive(Debug, Default)]
pub(crate) struct PacketIds {
    through: Option<PacketId>,
    /// Offsets of snapshots that may not be durable, and what each reserves, in order.
    pending: VecDeque<(u64, PacketId)>,
}

impl PacketIds {
    /// Those up to this one, of whose durability somebody else takes care.
    pub(super) fn new(through: Option<PacketId>) -> Self {
        Self { through, pending: VecDeque::new() }
    }

    /// A snapshot with this reservation was appended.
    pub(super) fn push(&mut self, offset: u64, through: PacketId) {
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_back();
        }
        self.pending.push_back((offset, through));
    }

    /// The last one that may be given out, when the snapshots before `durable_end` are durable.
    pub(super) fn through(&mut self, durable_end: u64) -> Option<PacketId> {
        while let Some((_, through)) = self.pending.front().filter(|(offset, _)| *offset < durable_end) {
            self.through = Some(*through);
            self.pending.pop_front();
        }
        self.through
    }

    /// The snapshot that is waited for.
    pub(super) fn pending(&self) -> Option<u64> {
        self.pending.front().map(|(offset, _)| *offset)
    }
}

/// The last identifier of the block behind this one; after 65,535 comes 1.
pub(super) fn block_behind(last: Option<PacketId>) -> Option<PacketId> {
    let last = last.map_or(0, PacketId::get);
    let through = last.checked_add(BLOCK).unwrap_or_else(|| last.wrapping_add(BLOCK).wrapping_add(1));
    PacketId::new(through)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> PacketId {
        PacketId::new(number).unwrap()
    }

    #[test]
    fn a_block_goes_around_the_end_without_zero() {
        assert_eq!(block_behind(None), Some(id(BLOCK)));
        assert_eq!(block_behind(Some(id(1))), Some(id(BLOCK + 1)));
        assert_eq!(block_behind(Some(id(65_535 - BLOCK))), Some(id(65_535)));
        assert_eq!(block_behind(Some(id(65_535 - BLOCK + 1))), Some(id(1)));
        assert_eq!(block_behind(Some(id(65_535))), Some(id(BLOCK)));
    }

    #[test]
    fn only_what_is_durable_may_be_given_out_and_the_last_save_is_never_forgotten() {
        let mut ids = PacketIds::new(Some(id(10)));
        for offset in 0..20 {
            ids.push(offset, id(100 + u16::try_from(offset).unwrap()));
        }
        assert_eq!((ids.through(0), ids.pending()), (Some(id(10)), Some(0)));
        assert_eq!((ids.through(1), ids.pending()), (Some(id(100)), Some(1)));
        assert_eq!((ids.through(20), ids.pending()), (Some(id(119)), None));
    }
}
