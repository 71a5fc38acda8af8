//! What a match hands out: all subscribers of one filter at once.

use core::{fmt, iter, slice};

use super::members::Members;

/// The subscribers of one filter, keys and values side by side in two slices.
///
/// `Copy`. Whoever wants the keys only copies one slice, at the speed of memory.
pub struct Subscribers<'tree, K, V> {
    keys: &'tree [K],
    values: &'tree [V],
}

impl<'tree, K, V> Subscribers<'tree, K, V> {
    #[inline]
    pub(super) fn of(members: &'tree Members<K, V>) -> Self {
        Self { keys: members.keys(), values: members.values() }
    }

    #[inline]
    pub(super) const fn one(key: &'tree K, value: &'tree V) -> Self {
        Self { keys: slice::from_ref(key), values: slice::from_ref(value) }
    }

    /// Who they are.
    #[inline]
    #[must_use]
    pub const fn keys(self) -> &'tree [K] {
        self.keys
    }

    /// What each subscribed with, in the same order.
    #[inline]
    #[must_use]
    pub const fn values(self) -> &'tree [V] {
        self.values
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "a filter without subscribers is not kept")]
    #[inline]
    #[must_use]
    pub const fn len(self) -> usize {
        self.keys.len()
    }

    /// The one at a place.
    #[inline]
    #[must_use]
    pub fn get(self, at: usize) -> Option<(&'tree K, &'tree V)> {
        self.keys.get(at).zip(self.values.get(at))
    }

    /// Each with its value.
    #[inline]
    pub fn iter(self) -> iter::Zip<slice::Iter<'tree, K>, slice::Iter<'tree, V>> {
        self.keys.iter().zip(self.values)
    }
}

impl<'tree, K, V> IntoIterator for Subscribers<'tree, K, V> {
    type Item = (&'tree K, &'tree V);
    type IntoIter = iter::Zip<slice::Iter<'tree, K>, slice::Iter<'tree, V>>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K, V> Clone for Subscribers<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Subscribers<'_, K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Subscribers<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(*self).finish()
    }
}
