//! Values that refer to each other by index, so that nothing of them is ever followed or dropped by recursion.
//!
//! ```text
//!   slots   [ full | vacant | full | vacant ]
//!                      |  ^             |
//!   vacant ------------+  +-------------+        a chain through the vacant slots, the last one freed first
//! ```

use alloc::vec::Vec;

/// A growing array whose slots are used again.
///
/// The array itself is given back when the last value goes; until then it keeps the size of its fullest time.
#[derive(Clone, Debug)]
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    /// The first slot to use again.
    vacant: Option<usize>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Slot<T> {
    Full(T),
    /// The slot to use again after this one.
    Vacant(Option<usize>),
}

impl<T> Arena<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), vacant: None, len: 0 }
    }

    /// The number of values, vacant slots not counted.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Stores a value and says where. O(1), amortised.
    pub(crate) fn insert(&mut self, value: T) -> usize {
        let index = match self.vacant {
            Some(index) => {
                if let Some(slot) = self.slots.get_mut(index)
                    && let Slot::Vacant(next) = *slot
                {
                    *slot = Slot::Full(value);
                    self.vacant = next;
                } else {
                    dead(index)
                }
                index
            }
            None => {
                self.slots.push(Slot::Full(value));
                self.slots.len() - 1
            }
        };
        self.len += 1;
        index
    }

    /// Takes a value out. O(1).
    pub(crate) fn remove(&mut self, index: usize) -> T {
        let slot = self.slots.get_mut(index).unwrap_or_else(|| dead(index));
        let Slot::Full(value) = core::mem::replace(slot, Slot::Vacant(self.vacant)) else { dead(index) };
        self.vacant = Some(index);
        self.len -= 1;
        if self.len == 0 {
            *self = Self::new();
        }
        value
    }

    pub(crate) fn get(&self, index: usize) -> &T {
        match self.slots.get(index) {
            Some(Slot::Full(value)) => value,
            _ => dead(index),
        }
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut T {
        match self.slots.get_mut(index) {
            Some(Slot::Full(value)) => value,
            _ => dead(index),
        }
    }

    /// All values, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Full(value) => Some(value),
            Slot::Vacant(_) => None,
        })
    }
}

/// An index outlived its value: a fault of this crate that no input can cause, and nothing sensible can follow.
#[cold]
fn dead(index: usize) -> ! {
    unreachable!("index {index} outlived its value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_vacant_slots_again() {
        let mut arena = Arena::new();
        let (a, b, c) = (arena.insert('a'), arena.insert('b'), arena.insert('c'));
        assert_eq!((arena.remove(a), arena.remove(b)), ('a', 'b'));
        assert_eq!((arena.insert('d'), arena.insert('e')), (b, a));
        assert_eq!((*arena.get(a), *arena.get(b), *arena.get(c), arena.len()), ('e', 'd', 'c', 3));
        assert_eq!(arena.slots.len(), 3);
    }

    #[test]
    fn gives_the_array_back_with_the_last_value() {
        let mut arena = Arena::new();
        let indexes: Vec<usize> = (0..100).map(|value| arena.insert(value)).collect();
        for index in indexes {
            arena.remove(index);
        }
        assert_eq!((arena.len(), arena.slots.capacity(), arena.vacant), (0, 0, None));
    }

    #[test]
    fn iterates_over_values_only() {
        let mut arena = Arena::new();
        let (a, _) = (arena.insert('a'), arena.insert('b'));
        arena.remove(a);
        assert!(arena.iter().eq(&['b']));
    }

    #[test]
    #[should_panic(expected = "index 0 outlived its value")]
    fn a_dead_index_is_not_answered() {
        let mut arena = Arena::new();
        let (a, _) = (arena.insert('a'), arena.insert('b'));
        arena.remove(a);
        arena.get(a);
    }
}
