//! The last offset of each key, in memory of a fixed size.
//!
//! ```text
//!   key --> two hashes of 64 bits, with random secrets --> slot = hash * slots / 2^64, or the next free one behind it
//!
//!   slot   | hash | hash | offset + 1 |      24 bytes; 0 in the last: free
//! ```
//!
//! Keys are not kept. Two keys with the same 128 bits would pass for one, and the older one's record would go; so the secrets are
//! drawn anew for each map, and who chooses the keys cannot choose their hashes. By chance it takes 2^64 keys.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The bytes of a slot.
pub(crate) const SLOT_BYTES: u64 = 24;
/// Of ten slots so many are used, as by Kafka's cleaner: with more the search for a free one becomes long.
const USED_OF_TEN: u64 = 9;

const _: () = assert!(size_of::<Slot>() as u64 == SLOT_BYTES);

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: [u64; 2],
    /// One more than the offset; 0 if the slot is free.
    next: u64,
}

/// The last offset of each key that was put.
#[derive(Debug)]
pub(crate) struct KeyMap {
    slots: Vec<Slot>,
    used: u64,
    used_max: u64,
    secrets: [RandomState; 2],
}

impl KeyMap {
    /// A map of at most so many bytes, and not larger than so many keys need.
    pub(crate) fn new(bytes_max: u64, keys_max: u64) -> Self {
        let wanted = keys_max.saturating_mul(10).div_ceil(USED_OF_TEN).saturating_add(1);
        let slots = (bytes_max / SLOT_BYTES).min(wanted).max(2);
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        let used_max = (slots as u64).saturating_mul(USED_OF_TEN) / 10;
        Self {
            slots: vec![Slot::default(); slots],
            used: 0,
            used_max: used_max.max(1),
            secrets: [RandomState::new(), RandomState::new()],
        }
    }

    /// Notes that a key has a record at an offset, which is above those put before; false, with nothing noted, when there is no
    /// place for another key.
    pub(crate) fn put(&mut self, key: &[u8], offset: u64) -> bool {
        let hash = self.hash(key);
        let full = self.used >= self.used_max;
        let Some(slot) = self.find(hash).and_then(|at| self.slots.get_mut(at)) else { return false };
        let is_new = slot.next == 0;
        if is_new && full {
            return false;
        }
        *slot = Slot { hash, next: offset.saturating_add(1) };
        self.used += u64::from(is_new);
        true
    }

    /// The last offset that was put for a key.
    pub(crate) fn last(&self, key: &[u8]) -> Option<u64> {
        let slot = self.slots.get(self.find(self.hash(key))?)?;
        slot.next.checked_sub(1)
    }

    /// The number of keys.
    pub(crate) fn len(&self) -> u64 {
        self.used
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        self.secrets.each_ref().map(|secret| {
            let mut hasher = secret.build_hasher();
            hasher.write(key);
            hasher.finish()
        })
    }

    /// The slot that has this hash, or the free one where it would go. There is always a free one.
    fn find(&self, hash: [u64; 2]) -> Option<usize> {
        let [high, _] = hash;
        let at = (u128::from(high) * self.slots.len() as u128) >> 64;
        let at = usize::try_from(at).ok()?;
        let (before, from) = self.slots.split_at_checked(at)?;
        let is_it = |slot: &Slot| slot.next == 0 || slot.hash == hash;
        from.iter().position(is_it).map(|behind| at + behind).or_else(|| before.iter().position(is_it))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map_until_it_is_full(
            bytes in 0_u64..600,
            keys in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2), 0..200),
        ) {
            let mut map = KeyMap::new(bytes, 1000);
            let mut model = HashMap::new();
            let room = map.used_max;
            for (offset, key) in (0..).zip(&keys) {
                let fits = model.contains_key(key) || (model.len() as u64) < room;
                prop_assert_eq!(map.put(key, offset), fits);
                if fits {
                    model.insert(key, offset);
                }
            }
            prop_assert_eq!(map.len(), model.len() as u64);
            for key in &keys {
                prop_assert_eq!(map.last(key), model.get(key).copied());
            }
        }
    }

    #[test]
    fn it_takes_what_it_may_and_no_more_than_it_needs() {
        assert_eq!(KeyMap::new(128 << 20, 9).slots.len(), 11);
        assert_eq!(KeyMap::new(2400, u64::MAX).slots.len(), 100);
        assert_eq!(KeyMap::new(2400, u64::MAX).used_max, 90);
        let mut least = KeyMap::new(0, 0);
        assert!(least.put(b"a", 1) && least.put(b"a", 2) && !least.put(b"b", 3));
        assert_eq!((least.last(b"a"), least.last(b"b")), (Some(2), None));
    }
}
