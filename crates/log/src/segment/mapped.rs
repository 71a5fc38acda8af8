//! The memory of closed segments, of which only so many have any.
//!
//! ```text
//!   read -> slot of the segment -> mapped? yes: used
//!                                          no:  empty memory, behind all others in the queue;
//!                                               too many? the foremost that was not used since it was last looked at
//!                                               is let go: unmapped when its last reader is done
//! ```
//!
//! Who is read once, as by a reader that catches up, is the first to go.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use super::Indexes;
use super::heads::CheckedHeads;
use crate::storage::Region;
use crate::sync::Mutex;

/// What is mapped of a segment, and how much of it was checked.
#[derive(Debug, Default)]
pub(crate) struct Mapped {
    pub(super) log: OnceLock<Arc<Region>>,
    pub(super) indexes: OnceLock<Indexes>,
    pub(super) heads: OnceLock<Arc<CheckedHeads>>,
    /// Held while the indexes are loaded, so that they are rebuilt once.
    pub(super) loading: Mutex<()>,
    /// The bytes up to here were checked, or
    verified: AtomicUsize,
    /// those from here on were written by this process.
    written_from: Option<usize>,
}

impl Mapped {
    /// The memory of a segment that takes appends, of which `verified` bytes were checked.
    pub(super) fn active(log: Arc<Region>, indexes: Indexes, verified: usize) -> Self {
        Self {
            written_from: Some(log.published()),
            log: OnceLock::from(log),
            indexes: OnceLock::from(indexes),
            verified: AtomicUsize::new(verified),
            ..Self::default()
        }
    }

    pub(super) fn verified(&self) -> usize {
        self.verified.load(Ordering::Acquire)
    }

    /// Whether the bytes were checked, or written, since they are mapped.
    pub(super) fn knows(&self, bytes: Range<usize>) -> bool {
        bytes.end <= self.verified() || self.written_from.is_some_and(|from| bytes.start >= from)
    }

    /// The end of what is known to be right from `at` on; `at` when that is nothing.
    pub(super) fn known_end(&self, at: usize) -> usize {
        if self.written_from.is_some_and(|from| at >= from) { usize::MAX } else { self.verified().max(at) }
    }

    /// Remembers that the bytes up to the range's end were checked, if there is no hole before it.
    pub(super) fn note_verified(&self, bytes: Range<usize>) {
        if bytes.start <= self.verified() {
            self.verified.fetch_max(bytes.end, Ordering::AcqRel);
        }
    }
}

/// The place for the memory of a closed segment.
#[derive(Debug)]
pub(super) struct Slot {
    mapped: Mutex<Option<Arc<Mapped>>>,
    /// Read again since it was mapped, or since it was last looked at.
    used: AtomicBool,
    /// So much was checked before it was mapped for the first time.
    verified: AtomicUsize,
    /// What is mapped for good: another segment has the names of the files.
    retired: OnceLock<Arc<Mapped>>,
}

impl Slot {
    pub(super) fn new(verified: usize) -> Arc<Self> {
        let (mapped, used, retired) = (Mutex::default(), AtomicBool::new(false), OnceLock::new());
        Arc::new(Self { mapped, used, verified: AtomicUsize::new(verified), retired })
    }

    /// Keeps this memory as long as the slot.
    pub(super) fn retire(&self, mapped: Arc<Mapped>) {
        // Whoever comes second has the same bytes.
        let _ = self.retired.set(mapped);
    }

    pub(super) fn retired(&self) -> Option<&Arc<Mapped>> {
        self.retired.get()
    }

    /// The segment's memory, for as long as the caller holds it.
    pub(super) fn mapped(self: &Arc<Self>, mappings: &Mappings) -> Arc<Mapped> {
        if let Some(mapped) = self.retired.get() {
            return Arc::clone(mapped);
        }
        let mut slot = self.mapped.lock();
        if let Some(mapped) = &*slot {
            self.used.store(true, Ordering::Relaxed);
            return Arc::clone(mapped);
        }
        // Only once: what is mapped anew is checked anew.
        let verified = AtomicUsize::new(self.verified.swap(0, Ordering::AcqRel));
        let mapped = Arc::new(Mapped { verified, ..Mapped::default() });
        *slot = Some(Arc::clone(&mapped));
        drop(slot);
        mappings.admit(self);
        mapped
    }
}

/// The closed segments of a log that are mapped.
#[derive(Debug)]
pub(crate) struct Mappings {
    max: usize,
    queue: Mutex<VecDeque<Weak<Slot>>>,
}

impl Mappings {
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max.max(1), queue: Mutex::default() }
    }

    fn admit(&self, slot: &Arc<Slot>) {
        let mut queue = self.queue.lock();
        let mut let_go = Vec::new();
        // Whoever was used gets one more turn, so this ends after the second round.
        while queue.len() >= self.max {
            let Some(foremost) = queue.pop_front() else { break };
            let Some(slot) = foremost.upgrade() else { continue };
            if slot.used.swap(false, Ordering::Relaxed) {
                queue.push_back(foremost);
            } else {
                let_go.extend(slot.mapped.lock().take());
            }
        }
        queue.push_back(Arc::downgrade(slot));
        drop(queue);
        drop(let_go); // To unmap is a system call: not under the lock.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_segments_are_mapped_and_those_in_use_stay() {
        let mappings = Mappings::new(3);
        let slots: Vec<_> = (0..10).map(|_| Slot::new(0)).collect();
        let first = slots[0].mapped(&mappings);
        for slot in &slots[1..] {
            slot.mapped(&mappings);
            // It is read all the time.
            assert!(Arc::ptr_eq(&first, &slots[0].mapped(&mappings)));
            let mapped = slots.iter().filter(|slot| slot.mapped.lock().is_some()).count();
            assert!(mapped <= 3, "{mapped}");
        }
        assert_eq!(mappings.queue.lock().len(), 3);
    }

    #[test]
    fn what_is_mapped_anew_is_checked_anew() {
        let mappings = Mappings::new(1);
        let (one, other) = (Slot::new(100), Slot::new(0));
        let mapped = one.mapped(&mappings);
        assert!(mapped.knows(50..100) && !mapped.knows(50..101));
        mapped.note_verified(120..130);
        assert_eq!(mapped.verified(), 100, "with a hole before it");
        mapped.note_verified(90..130);
        assert!(mapped.knows(0..130));
        other.mapped(&mappings);
        other.mapped(&mappings);
        assert!(!one.mapped(&mappings).knows(0..1));
    }

    #[test]
    fn segments_that_are_gone_give_their_place_up() {
        let mappings = Mappings::new(2);
        let kept = Slot::new(0);
        let mapped = kept.mapped(&mappings);
        for _ in 0..10 {
            Slot::new(0).mapped(&mappings);
            assert!(Arc::ptr_eq(&mapped, &kept.mapped(&mappings)));
        }
        assert!(mappings.queue.lock().len() <= 2);
    }
}
