//! How far a group has come in one partition.

use std::collections::BTreeSet;

use super::State;

/// How far a group has come in one partition.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// The first offset that is for the group; 0 if that does not matter any more.
    starts: u64,
    /// The first offset that was not examined; while live, the dispatcher may have come further without finding anything.
    next: u64,
    /// Whether the dispatcher hands out what it finds. Then nothing is returned.
    live: bool,
    /// Examined, and handed out to nobody who has it still.
    returned: BTreeSet<u64>,
    /// Not examined, but on their way with a member that was saved later than the group.
    ahead: BTreeSet<u64>,
}

/// Something to read.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) partition: u32,
    /// Where to begin.
    pub(super) from: u64,
    /// Offsets that were returned, in order; empty: all that the filter matches.
    pub(super) wanted: Vec<u64>,
}

/// So many returned messages are looked for in one read.
const WANTED_MAX: usize = 256;

impl Cursor {
    /// Of a group that begins here, with the dispatcher.
    pub(super) fn beginning(starts: u64) -> Self {
        Self { starts, next: starts, live: true, ..Self::default() }
    }

    /// Of a group whose members are away.
    pub(super) fn away(next: u64, returned: BTreeSet<u64>, ahead: BTreeSet<u64>) -> Self {
        Self { starts: 0, next, live: false, returned, ahead }
    }

    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    pub(super) fn returned_len(&self) -> usize {
        self.returned.len()
    }

    pub(super) fn returned(&self) -> impl Iterator<Item = u64> {
        self.returned.iter().copied()
    }

    /// Whether a message that was published with QoS 0 came before the group.
    pub(super) fn begins_after(&self, offset: u64) -> bool {
        offset < self.starts
    }

    /// The first offset that was not examined. `dispatched` must have been read before the group was locked.
    pub(super) fn position(&self, dispatched: u64) -> u64 {
        if self.live { self.next.max(dispatched) } else { self.next }
    }

    /// Whether the dispatcher is to hand out what it found here.
    pub(super) fn takes(&self, offset: u64) -> bool {
        self.live && offset >= self.next
    }

    /// Everything before this was examined.
    pub(super) fn advance(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// The members read by themselves from now on.
    pub(super) fn fall_behind(&mut self, dispatched: u64) {
        self.next = self.position(dispatched);
        self.live = false;
    }

    /// Joins the dispatcher, whose position this is and who stands still, unless there is something to read.
    pub(super) fn go_live(&mut self, dispatched: u64) {
        self.live = self.next >= dispatched && self.returned.is_empty();
        if self.live {
            self.ahead = BTreeSet::new();
        }
    }

    pub(super) fn give_back(&mut self, offset: u64, dispatched: u64) {
        self.fall_behind(dispatched);
        self.returned.insert(offset);
    }

    /// Whether a message that was read is to be handed out: nobody has it.
    pub(super) fn wants(&mut self, offset: u64, was_returned: bool) -> bool {
        if was_returned {
            return self.returned.contains(&offset);
        }
        !self.live && offset >= self.next && !self.ahead.remove(&offset)
    }

    /// A message that was read has been handed out, or is not for the group.
    pub(super) fn read(&mut self, offset: u64, was_returned: bool) {
        if was_returned {
            self.returned.remove(&offset);
        } else {
            self.advance(offset + 1);
        }
    }

    /// Retention has deleted what was before `start`; returns how many records that were.
    pub(super) fn skip_to(&mut self, start: u64) -> u64 {
        let kept = self.returned.split_off(&start);
        let returned = std::mem::replace(&mut self.returned, kept).len();
        self.ahead = self.ahead.split_off(&start);
        let unread = start.saturating_sub(self.next);
        self.advance(start);
        unread.saturating_add(u64::try_from(returned).unwrap_or(u64::MAX))
    }

    fn piece(&self, partition: u32) -> Piece {
        let wanted: Vec<u64> = self.returned().take(WANTED_MAX).collect();
        Piece { partition, from: wanted.first().copied().unwrap_or(self.next), wanted }
    }
}

impl State {
    /// What is to be read next.
    pub(super) fn piece(&mut self) -> Option<Piece> {
        if self.ended {
            return None;
        }
        let count = self.cursors.len();
        let index = (1..=count)
            .map(|step| (self.read + step) % count)
            .find(|index| self.cursors.get(*index).is_some_and(|cursor| !cursor.live))?;
        self.read = index;
        Some(self.cursors.get(index)?.piece(u32::try_from(index).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_the_dispatcher_only_when_nothing_is_left_to_read() {
        let mut cursor = Cursor::beginning(5);
        assert!(cursor.is_live() && cursor.takes(5) && !cursor.takes(4));
        assert!(cursor.begins_after(4) && !cursor.begins_after(5));
        // The dispatcher has come to 9 without finding anything.
        cursor.give_back(7, 9);
        assert!(!cursor.is_live() && !cursor.takes(9));
        assert_eq!(cursor.position(20), 9);
        cursor.go_live(9);
        assert!(!cursor.is_live(), "7 was returned");
        cursor.read(7, true);
        cursor.go_live(10);
        assert!(!cursor.is_live(), "9 was dispatched");
        cursor.read(9, false);
        cursor.go_live(10);
        assert!(cursor.is_live() && cursor.takes(10));
        assert_eq!(cursor.position(20), 20);
    }

    #[test]
    fn what_a_member_has_is_passed_over_once_and_what_retention_took_is_counted() {
        let mut cursor = Cursor::away(3, BTreeSet::from([0, 2]), BTreeSet::from([3, 9]));
        assert!(!cursor.wants(3, false));
        cursor.read(3, false);
        assert!(cursor.wants(4, false) && cursor.wants(2, true) && !cursor.wants(1, true));
        assert_eq!(cursor.skip_to(6), 2 + 2, "0 and 2 were returned, 4 and 5 not read");
        assert_eq!((cursor.position(0), cursor.returned_len()), (6, 0));
        assert!(!cursor.wants(9, false));
    }
}
