//! What was read of a partition lately: sessions that come back together are near to each other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::piece::Piece;

/// So many pieces of a partition are kept.
const PIECES_MAX: usize = 4;

/// The pieces that were asked for last, the latest behind.
#[derive(Debug, Default)]
pub(super) struct Recent {
    slots: VecDeque<Arc<Slot>>,
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
    pub(super) fn slot(&mut self, offset: u64) -> Arc<Slot> {
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

    pub(super) fn forget_before(&mut self, start: u64) {
        self.slots.retain(|slot| slot.begin >= start);
    }
}
