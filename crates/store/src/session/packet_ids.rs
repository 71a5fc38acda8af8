//! Packet identifiers, a block at a time: those up to the last one that a durable snapshot names may be given out.
//!
//! ```text
//!   given out          may be given out        are being saved
//!  ----------> last_id ----------------> through -------------> pending
//! ```
//!
//! After a crash the session goes on behind what the snapshot names, and what lies between is avoided as long as the session lasts, so that no
//! identifier that the client may hold is taken for another message. It costs one record for each [`BLOCK`] of messages, and no wait as long as the disk keeps up with half a block.

use std::collections::VecDeque;

use headwater_codec::PacketId;

use super::snapshot::Snapshot;

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

/// At most so many identifiers are avoided: of more, those of the oldest crashes may be given out again.
const AVOIDED_MAX: usize = 32_768;

impl Snapshot {
    /// The connection ended without a word, in a crash for instance: what was reserved may have been given out, and the client may hold any
    /// of it for a message that nothing is known of.
    pub(super) fn avoid_reserved(&mut self) {
        let Some(reserved) = self.reserved_packet_id.take() else { return };
        let last = self.last_packet_id.map_or(0, PacketId::get);
        self.last_packet_id = Some(reserved);
        let first = last.checked_add(1).and_then(PacketId::new);
        if last < reserved.get() {
            self.avoided_packet_ids.extend(first.map(|first| (first, reserved)));
        } else {
            self.avoided_packet_ids.extend(first.zip(PacketId::new(u16::MAX)));
            self.avoided_packet_ids.push((PacketId::MIN, reserved));
        }
        let count = |(first, last): &(PacketId, PacketId)| usize::from(last.get() - first.get()) + 1;
        while self.avoided_packet_ids.iter().map(count).sum::<usize>() > AVOIDED_MAX {
            self.avoided_packet_ids.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> PacketId {
        PacketId::new(number).unwrap()
    }

    #[test]
    fn what_was_reserved_is_avoided_around_the_end_too_and_never_more_than_half_of_all() {
        let mut snapshot = Snapshot::new(Vec::new());
        snapshot.last_packet_id = Some(id(65_530));
        snapshot.reserved_packet_id = Some(id(10));
        snapshot.avoid_reserved();
        assert_eq!(snapshot.avoided_packet_ids, [(id(65_531), id(65_535)), (id(1), id(10))]);
        assert_eq!((snapshot.last_packet_id, snapshot.reserved_packet_id), (Some(id(10)), None));
        snapshot.avoid_reserved();
        assert_eq!(snapshot.avoided_packet_ids.len(), 2, "a clean end adds nothing");
        snapshot.reserved_packet_id = Some(id(32_770));
        snapshot.avoid_reserved();
        assert_eq!(snapshot.avoided_packet_ids, [(id(11), id(32_770))], "the oldest ones go");
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
