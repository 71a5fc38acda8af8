//! Whose turn it is in a group: counted by all who match, so it is atomic.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[derive(Debug)]
pub(super) struct Turn(AtomicUsize);

impl Turn {
    pub(super) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// This turn; the next call gets the next one.
    pub(super) fn next(&self) -> usize {
        self.add(1)
    }

    /// Lets some turns pass.
    pub(super) fn skip(&self, turns: usize) {
        self.add(turns);
    }

    /// The same turn in a group that had so many members and has not any more.
    ///
    /// Turns are counted on and on, so with another number of members they would be anybody's.
    pub(super) fn settle(&mut self, members: usize) {
        let turn = self.0.get_mut();
        *turn = turn.checked_rem(members).unwrap_or_default();
    }

    #[cfg(target_has_atomic = "ptr")]
    fn add(&self, turns: usize) -> usize {
        self.0.fetch_add(turns, Relaxed)
    }

    /// Two threads may take the same turn; a processor that cannot add atomically has one.
    #[cfg(not(target_has_atomic = "ptr"))]
    fn add(&self, turns: usize) -> usize {
        let turn = self.0.load(Relaxed);
        self.0.store(turn.wrapping_add(turns), Relaxed);
        turn
    }
}

/// The clone goes on from here by itself.
impl Clone for Turn {
    fn clone(&self) -> Self {
        Self(AtomicUsize::new(self.0.load(Relaxed)))
    }
}
