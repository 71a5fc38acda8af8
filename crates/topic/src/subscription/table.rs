//! A hash table in one array: ordered by hash, open, without a mark for what was removed.
//!
//! ```text
//!   homes   0     1     2     3     4     5   | overflow
//!         [ 03  |     | 2A  | 2B  | 31  | 57  |     |     ]      hashes, two digits of them
//!           ^home 0     ^home 2 ^home 2 ^home 2 ^home 5
//!                              \______\_______ displaced: the run from home 2 goes on
//! ```
//!
//! The home of a hash is its share of the array, `hash x homes / 2^32`, so the array is the list of all items in the order of their
//! hashes, with gaps. A search goes from the home forward and ends at a gap or at a higher hash: what is not there is known after
//! little more than what is. What is removed is closed up by what follows it, so a table is as fast after a million removals as
//! before. Growing goes through both arrays once, from left to right. The array never wraps around: a run that leaves the last home goes
//! on behind it.

use alloc::vec::Vec;
use core::mem;

use super::prefetch::prefetch;

/// An item that knows its hash, from what it stores or, with a seed, from what it is.
pub(super) trait Hashed {
    fn hash(&self, seed: u64) -> u32;

    /// How many homes of a hundred may be taken. The fewer, the less is searched, and the more is vacant.
    const LOAD_MAX: usize = 90;
}

/// Below this part of the largest load the array is made smaller.
const SHRINK: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    /// As many as there are homes, and the overflow.
    slots: Vec<Option<T>>,
    homes: u32,
    len: usize,
    seed: u64,
}

impl<T> Table<T> {
    pub(super) const fn new(seed: u64) -> Self {
        Self { slots: Vec::new(), homes: 0, len: 0, seed }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn seed(&self) -> u64 {
        self.seed
    }

    /// Bytes allocated.
    pub(super) const fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Option<T>>()
    }

    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        home(hash, self.homes)
    }

    #[inline(always)]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.slots.get(at)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.slots.get_mut(at)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten()
    }

    /// All items, in the order of their hashes.
    pub(super) fn into_items(self) -> impl Iterator<Item = T> {
        self.slots.into_iter().flatten()
    }
}

impl<T: Hashed> Table<T> {
    /// Where the item with this hash is that `is` knows; other items are shown to it too.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, is: impl Fn(&T) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            let item = self.slots.get(at)?.as_ref()?;
            if is(item) {
                return Some(at);
            }
            if item.hash(self.seed) > hash {
                return None;
            }
            at += 1;
        }
    }

    /// Asks for the memory that a search for this hash begins in.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u32) {
        if let Some(slot) = self.slots.get(self.home(hash)) {
            prefetch(slot);
        }
    }

    /// Enters an item that is not there yet. What else is there may move.
    pub(super) fn insert(&mut self, item: T) {
        if (self.len + 1).saturating_mul(100) > (self.homes as usize).saturating_mul(T::LOAD_MAX) {
            // By a fifth: little is vacant, and each item is moved some six times in its life.
            self.resize(self.homes + (self.homes / 5).max(4));
        }
        let hash = item.hash(self.seed);
        let start = self.home(hash);
        let mut carried = item;
        let mut found = false;
        for slot in self.slots.get_mut(start..).unwrap_or_default() {
            match slot {
                None => {
                    *slot = Some(carried);
                    self.len += 1;
                    return;
                }
                Some(other) if found || other.hash(self.seed) > hash => {
                    found = true;
                    mem::swap(other, &mut carried);
                }
                Some(_) => {}
            }
        }
        push(&mut self.slots, Some(carried));
        self.len += 1;
    }

    /// Takes an item out. What else is there may move.
    pub(super) fn remove(&mut self, at: usize) -> Option<T> {
        let item = self.slots.get_mut(at)?.take()?;
        self.len -= 1;
        let mut hole = at;
        while let Some(next) = self.get(hole + 1)
            && self.home(next.hash(self.seed)) <= hole
        {
            self.slots.swap(hole, hole + 1);
            hole += 1;
        }
        if self.len.saturating_mul(100 * SHRINK) < (self.homes as usize).saturating_mul(T::LOAD_MAX) {
            self.shrink();
        }
        Some(item)
    }

    fn shrink(&mut self) {
        if self.len == 0 {
            *self = Self::new(self.seed);
        } else if self.homes > 4 {
            // Room for half as many more.
            let homes = (self.len + self.len / 2).saturating_mul(100) / T::LOAD_MAX + 4;
            self.resize(u32::try_from(homes).unwrap_or(self.homes));
        }
    }

    /// Moves all items into an array of another size.
    fn resize(&mut self, homes: u32) {
        let mut slots = Vec::new();
        let overflow = (homes as usize / 64).min(16);
        slots.reserve_exact(homes as usize + overflow);
        for item in mem::take(&mut self.slots).into_iter().flatten() {
            let home = home(item.hash(self.seed), homes);
            if slots.len() < home {
                slots.resize_with(home, || None);
            }
            push(&mut slots, Some(item));
        }
        if slots.len() < homes as usize + overflow {
            slots.resize_with(homes as usize + overflow, || None);
        }
        self.slots = slots;
        self.homes = homes;
    }
}

#[inline(always)]
const fn home(hash: u32, homes: u32) -> usize {
    ((hash as u64 * homes as u64) >> 32) as usize
}

/// Pushes without doubling.
fn push<T>(slots: &mut Vec<T>, item: T) {
    if slots.len() == slots.capacity() {
        slots.reserve_exact(slots.len() / 16 + 4);
    }
    slots.push(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its hash, and which of those with that hash.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Item(u32, u32);

    impl Hashed for Item {
        fn hash(&self, _seed: u64) -> u32 {
            self.0
        }
    }

    /// Hashes at both ends and in a heap, so that runs meet and leave the last home.
    fn items() -> impl Iterator<Item = Item> {
        let scattered = |number: u32| number.wrapping_mul(0x9E37_79B1);
        (0..600).map(move |number| match number % 4 {
            0 => Item(u32::MAX - number % 16, number),
            1 => Item(0x8000_0000 + number % 16, number),
            2 => Item(number % 3, number),
            _ => Item(scattered(number), number),
        })
    }

    fn find(table: &Table<Item>, item: Item) -> Option<usize> {
        table.find(item.0, |other| *other == item)
    }

    /// Ordered by hash, and nobody before his home or behind a gap.
    fn check(table: &Table<Item>) {
        let mut before = None;
        let mut gap = 0;
        for (at, slot) in table.slots.iter().enumerate() {
            let Some(item) = slot else {
                gap = at + 1;
                continue;
            };
            assert!(before <= Some(item.0), "{item:?} at {at}");
            assert!(gap <= table.home(item.0) && table.home(item.0) <= at, "{item:?} at {at}");
            before = Some(item.0);
        }
        assert_eq!(table.iter().count(), table.len());
    }

    #[test]
    fn keeps_its_order_and_finds_all_that_is_there_and_nothing_else() {
        let mut table = Table::new(0);
        for (number, item) in items().enumerate() {
            assert_eq!(find(&table, item), None);
            table.insert(item);
            assert!(find(&table, item).is_some());
            if number % 37 == 0 {
                check(&table);
            }
        }
        assert!(items().all(|item| find(&table, item).and_then(|at| table.get(at)) == Some(&item)));
        let full = table.bytes();
        for (number, item) in items().enumerate().filter(|(number, _)| number % 10 != 0) {
            let at = find(&table, item).unwrap();
            assert_eq!(table.remove(at), Some(item));
            assert_eq!(find(&table, item), None);
            if number % 37 == 0 {
                check(&table);
            }
        }
        check(&table);
        assert!(table.bytes() < full / 3 && table.len() == 60);
        for item in items().step_by(10) {
            table.remove(find(&table, item).unwrap());
        }
        assert_eq!((table.len(), table.bytes()), (0, 0));
    }
}
