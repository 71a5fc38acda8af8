//! The way back: what each subscriber has, so that one who leaves costs what he had and no more.
//!
//! ```text
//!   table     k1 -> at 17      one subscription: the place of its filter, in the table itself
//!             k2 -> many 0     more than one: a list
//!   many      [0: 17, 230, 512, ...]
//! ```

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::hash::Hash;
use core::mem;
use core::num::NonZeroU32;

use super::hash::Seed;
use super::members::Members;
use super::table::{Hashed, Table};

/// What names a filter or group here.
pub(super) type Held = NonZeroU32;

#[derive(Clone, Debug)]
pub(super) struct Owners<K> {
    table: Table<Owner<K>>,
    many: Vec<Many>,
}

#[derive(Clone, Debug)]
struct Owner<K> {
    /// The hash; its lowest bit is taken for whether `held` is one more than the place of a list.
    tag: u32,
    held: Held,
    key: K,
}

const IS_MANY: u32 = 1;

impl<K> Owner<K> {
    /// The place of the list, if there is one.
    const fn list(&self) -> Option<usize> {
        if self.tag & IS_MANY == 0 { None } else { Some(self.held.get() as usize - 1) }
    }
}

impl<K> Hashed for Owner<K> {
    #[inline(always)]
    fn hash(&self, _seed: u64) -> u32 {
        self.tag & !IS_MANY
    }
}

/// What one owner of several has.
#[derive(Clone, Debug)]
struct Many {
    /// The hash of the owner, by which it is found when the list moves.
    hash: u32,
    held: Members<Held, ()>,
}

impl<K> Owners<K> {
    /// What a subscriber takes in the table.
    #[cfg(test)]
    pub(super) const OWNER_BYTES: usize = size_of::<Option<Owner<K>>>();

    pub(super) const fn new() -> Self {
        Self { table: Table::new(0), many: Vec::new() }
    }

    /// The number of owners.
    pub(super) const fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes allocated, what keys allocated aside.
    pub(super) fn bytes(&self) -> usize {
        self.table.bytes()
            + self.many.capacity() * size_of::<Many>()
            + self.many.iter().map(|many| many.held.bytes()).sum::<usize>()
    }

    /// Gives everything held the name that `new` says. O(subscriptions).
    pub(super) fn rename(&mut self, new: impl Fn(Held) -> Held, seed: &Seed) {
        for owner in self.table.iter_mut().filter(|owner| owner.list().is_none()) {
            owner.held = new(owner.held);
        }
        for many in &mut self.many {
            many.held.rename(|held| new(*held), seed);
        }
    }

    /// Takes a list out; the last one goes to its place.
    fn take_list(&mut self, list: usize) -> Members<Held, ()> {
        let taken = self.many.swap_remove(list);
        if let Some(moved) = self.many.get(list) {
            let last = self.many.len();
            if let Some(at) = self.table.find(moved.hash, |owner| owner.list() == Some(last))
                && let Some(owner) = self.table.get_mut(at)
            {
                owner.held = after(list);
            }
        }
        if self.many.is_empty() {
            self.many = Vec::new();
        } else if self.many.len() < self.many.capacity() / 4 {
            self.many.shrink_to(self.many.len() * 2);
        }
        taken.held
    }
}

impl<K: Hash + Eq> Owners<K> {
    /// Asks for the memory that an owner is in.
    #[inline]
    pub(super) fn prefetch<Q: Hash + ?Sized>(&self, key: &Q, seed: &Seed) {
        self.table.prefetch(seed.key(key) & !IS_MANY);
    }

    fn find<Q>(&self, key: &Q, hash: u32) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.table.find(hash, |owner| owner.tag & !IS_MANY == hash && owner.key.borrow() == key)
    }

    /// Adds to what an owner has something it does not have yet.
    pub(super) fn add(&mut self, key: K, held: Held, seed: &Seed) {
        let hash = seed.key(&key) & !IS_MANY;
        let next = after(self.many.len());
        let Some(owner) = self.find(&key, hash).and_then(|at| self.table.get_mut(at)) else {
            self.table.insert(Owner { tag: hash, held, key });
            return;
        };
        match owner.list() {
            Some(list) => {
                if let Some(many) = self.many.get_mut(list) {
                    many.held.insert(held, (), seed);
                }
            }
            None => {
                let mut both = Members::new();
                both.insert(mem::replace(&mut owner.held, next), (), seed);
                both.insert(held, (), seed);
                owner.tag |= IS_MANY;
                self.many.push(Many { hash, held: both });
            }
        }
    }

    /// Takes something from what an owner has.
    pub(super) fn remove<Q>(&mut self, key: &Q, held: Held, seed: &Seed)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = seed.key(key) & !IS_MANY;
        let Some(at) = self.find(key, hash) else { return };
        let Some(list) = self.table.get(at).and_then(Owner::list) else {
            self.table.remove(at);
            return;
        };
        let Some(many) = self.many.get_mut(list) else { return };
        many.held.remove(&held, seed);
        if let [last] = *many.held.keys()
            && let Some(owner) = self.table.get_mut(at)
        {
            owner.tag &= !IS_MANY;
            owner.held = last;
            self.take_list(list);
        }
    }

    /// Takes an owner out, with all it has.
    pub(super) fn take<Q>(&mut self, key: &Q, seed: &Seed) -> impl Iterator<Item = Held> + use<K, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = seed.key(key) & !IS_MANY;
        let owner = self.find(key, hash).and_then(|at| self.table.remove(at));
        let many = owner.as_ref().and_then(Owner::list).map(|list| self.take_list(list));
        let one = owner.filter(|owner| owner.list().is_none()).map(|owner| owner.held);
        one.into_iter().chain(many.into_iter().flat_map(Members::into_keys))
    }
}

fn after(place: usize) -> Held {
    u32::try_from(place + 1).ok().and_then(Held::new).unwrap_or_else(|| overflow())
}

#[cold]
fn overflow() -> ! {
    unreachable!("one subscription tree has 2^32 - 2 subscribers at most")
}
