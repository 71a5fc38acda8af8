//! What is kept for one filter that is not shared: one subscriber in place, more of them in a list elsewhere.

use alloc::vec::Vec;

use super::members::Members;
use super::prefetch::prefetch;
use super::subscribers::Subscribers;
use super::text::TextAt;

/// Most filters have one subscriber: then there is nothing but him.
#[derive(Clone, Debug)]
pub(super) enum List<K, V> {
    One {
        key: K,
        value: V,
    },
    /// The place of the list.
    Many(u32),
}

/// Lists of two subscribers and more.
#[derive(Clone, Debug)]
pub(super) struct Lists<K, V> {
    all: Vec<Entry<K, V>>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry<K, V> {
    /// The filter, by which it is found when the list moves.
    pub(super) text: TextAt,
    pub(super) members: Members<K, V>,
}

impl<K, V> Lists<K, V> {
    pub(super) const fn new() -> Self {
        Self { all: Vec::new() }
    }

    /// Bytes allocated, what keys and values allocated aside.
    pub(super) fn bytes(&self) -> usize {
        self.all.capacity() * size_of::<Entry<K, V>>()
            + self.all.iter().map(|entry| entry.members.bytes()).sum::<usize>()
    }

    #[inline]
    pub(super) fn get(&self, place: u32) -> Option<&Members<K, V>> {
        self.all.get(place as usize).map(|entry| &entry.members)
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut Members<K, V>> {
        self.all.get_mut(place as usize).map(|entry| &mut entry.members)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<K, V>> {
        self.all.iter_mut()
    }

    /// Asks for the memory of a list, if it is one.
    #[inline(always)]
    pub(super) fn prefetch(&self, list: &List<K, V>) {
        if let List::Many(place) = list
            && let Some(entry) = self.all.get(*place as usize)
        {
            prefetch(entry);
        }
    }

    /// The subscribers of a filter.
    #[inline]
    pub(super) fn subscribers<'t>(&'t self, list: &'t List<K, V>) -> Option<Subscribers<'t, K, V>> {
        match list {
            List::One { key, value } => Some(Subscribers::one(key, value)),
            List::Many(place) => self.get(*place).map(Subscribers::of),
        }
    }

    /// The place the next list gets.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or_else(|_| overflow())
    }

    /// Adds a list at the place that [`next`](Self::next) said.
    pub(super) fn push(&mut self, text: TextAt, members: Members<K, V>) {
        self.all.push(Entry { text, members });
    }

    /// Takes a list out. The last one goes to its place: says of which filter that is, if it is another one.
    pub(super) fn swap_remove(&mut self, place: u32) -> (Members<K, V>, Option<TextAt>) {
        let taken = self.all.swap_remove(place as usize);
        if self.all.is_empty() {
            self.all = Vec::new();
        } else if self.all.len() < self.all.capacity() / 4 {
            self.all.shrink_to(self.all.len() * 2);
        }
        (taken.members, self.all.get(place as usize).map(|entry| entry.text))
    }
}

#[cold]
fn overflow() -> ! {
    unreachable!("one subscription tree has 2^32 filters at most")
}
