//! What was read of a partition lately: sessions that come back together are near to each other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::piece::Piece;

/// So many pieces of a partition are kept.
const PIECES_MAX: usize = 4;

/// When nobody has asked for any for longer than this, they are let go.
const KEPT: Duration = Duration::from_secs(10);

/// The pieces that were asked for last, the latest behind.
#[derive(Debug, Default)]
pub(super) struct Recent {
    slots: VecDeque<Arc<Slot>>,
    /// When that was.
    asked_at: Option<Instant>,
}

/// One piece, or a place where somebody is reading one.
#[derive(Debug)]
pub(super) struct Slot {
    begin: u64,
    /// The first offset behind it; 0 until it is read.
    end: AtomicU64,
    pub(super) piece: Mutex<Option<Arc<Piece>>>,
}

impl Slot {
    fn holds(&self, offset: u64) -> bool {
        self.begin == offset || (self.begin < offset && offset < self.end.load(Ordering::Acquire))
    }

    /// `place` is this one's.
    pub(super) fn fill(&self, place: &mut MutexGuard<'_, Option<Arc<Piece>>>, piece: &Arc<Piece>) {
        **place = Some(Arc::clone(piece));
        self.end.store(piece.end, Ordering::Release);
    }
}

impl Recent {
    /// The slot that an offset is in; a new one that begins with it, if there is none.
    pub(super) fn slot(&mut self, offset: u64, now: Instant) -> Arc<Slot> {
        self.asked_at = Some(now);
        let found =
            self.slots.iter().position(|slot| slot.holds(offset)).and_then(|at| self.slots.remove(at));
        let slot = found.unwrap_or_else(|| {
            Arc::new(Slot { begin: offset, end: AtomicU64::new(0), piece: Mutex::new(None) })
        });
        if self.slots.len() >= PIECES_MAX {
            self.slots.pop_front();
        }
        self.slots.push_back(Arc::clone(&slot));
        slot
    }

    /// Lets go of what lies before the start of the log, and of all if it is for nobody.
    pub(super) fn forget(&mut self, start: u64, now: Instant) {
        self.slots.retain(|slot| slot.begin >= start);
        if self.asked_at.is_some_and(|asked_at| now.saturating_duration_since(asked_at) > KEPT) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_before_the_log_or_was_not_asked_for_in_ten_seconds_is_let_go() {
        let mut recent = Recent::default();
        let begin = Instant::now();
        let after = |secs| begin + Duration::from_secs(secs);
        let slots = [0, 10].map(|offset| Arc::downgrade(&recent.slot(offset, begin)));
        let are_kept = || slots.each_ref().map(|slot| slot.strong_count() > 0);
        recent.forget(0, after(9));
        assert_eq!(are_kept(), [true, true]);
        recent.forget(5, after(9));
        assert_eq!(are_kept(), [false, true]);
        assert_eq!(recent.slot(10, after(9)).begin, 10);
        recent.forget(5, after(18));
        assert_eq!(are_kept(), [false, true]);
        recent.forget(5, after(20));
        assert_eq!(are_kept(), [false, false]);
    }
}
