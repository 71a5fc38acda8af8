//! Subscribers of one filter or group, or what one owner has, as two arrays side by side.
//!
//! ```text
//!   keys     [k0 k1 k2 ... k9999]     what a match hands out: one piece of memory, copied at its speed
//!   values   [v0 v1 v2 ... v9999]
//!   places   k0 -> 0, k1 -> 1, ..     only above 16 subscribers
//! ```
//!
//! Who leaves is replaced by the last: O(1), whatever their number.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::hash::Hash;
use core::mem;

use super::hash::Seed;
use super::places::Places;

#[derive(Clone, Debug)]
pub(super) struct Members<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
    places: Option<Box<Places>>,
}

impl<K, V> Members<K, V> {
    pub(super) const fn new() -> Self {
        Self { keys: Vec::new(), values: Vec::new(), places: None }
    }

    #[inline]
    pub(super) fn keys(&self) -> &[K] {
        &self.keys
    }

    #[inline]
    pub(super) fn values(&self) -> &[V] {
        &self.values
    }

    pub(super) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes allocated, what keys and values allocated aside.
    pub(super) fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<K>()
            + self.values.capacity() * size_of::<V>()
            + self.places.as_ref().map_or(0, |places| size_of::<Places>() + places.bytes())
    }

    /// All keys, in no particular order.
    pub(super) fn into_keys(self) -> impl Iterator<Item = K> {
        self.keys.into_iter()
    }

    /// The only one that is left.
    pub(super) fn pop(&mut self) -> Option<(K, V)> {
        self.keys.pop().zip(self.values.pop())
    }
}

impl<K: Hash + Eq, V> Members<K, V> {
    /// Where a subscriber is.
    pub(super) fn find<Q>(&self, key: &Q, seed: &Seed) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let is = |at: usize| self.keys.get(at).is_some_and(|other| other.borrow() == key);
        match &self.places {
            None => (0..self.keys.len()).find(|at| is(*at)),
            Some(places) => places.find(seed.key(key), is),
        }
    }

    /// Enters a subscriber, or replaces its value; returns the one it had. O(1), amortised.
    pub(super) fn insert(&mut self, key: K, value: V, seed: &Seed) -> Option<V> {
        if let Some(old) = self.find(&key, seed).and_then(|at| self.values.get_mut(at)) {
            return Some(mem::replace(old, value));
        }
        if let Some(places) = &mut self.places {
            places.insert(seed.key(&key), self.keys.len());
        }
        self.keys.push(key);
        self.values.push(value);
        if self.places.is_none() {
            self.index(seed);
        }
        None
    }

    /// Gives every key the name that `new` says. O(keys).
    pub(super) fn rename(&mut self, new: impl Fn(&K) -> K, seed: &Seed) {
        for key in &mut self.keys {
            *key = new(key);
        }
        if self.places.is_some() {
            self.index(seed);
        }
    }

    fn index(&mut self, seed: &Seed) {
        let hash = |at: usize| self.keys.get(at).map_or(0, |key| seed.key(key));
        self.places = Places::of(self.keys.len(), hash).map(Box::new);
    }

    /// Takes a subscriber out. O(1), amortised.
    pub(super) fn remove<Q>(&mut self, key: &Q, seed: &Seed) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let at = self.find(key, seed)?;
        if let Some(places) = &mut self.places {
            let last_hash = self.keys.last().map_or(0, |last| seed.key(last));
            places.swap_remove(seed.key(key), at, last_hash, self.keys.len() - 1);
        }
        self.keys.swap_remove(at);
        let value = self.values.swap_remove(at);
        if Places::are_needless(self.keys.len()) {
            self.places = None;
        }
        if self.keys.len() < self.keys.capacity() / 4 {
            self.keys.shrink_to(self.keys.len() * 2);
            self.values.shrink_to(self.values.len() * 2);
        }
        Some(value)
    }
}
