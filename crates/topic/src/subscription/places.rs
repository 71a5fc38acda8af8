//! Where in a list something is, for lists too long to be searched.

use core::num::NonZeroU32;

use super::table::{Hashed, Table};

/// Lists of more items than this have their places in a table.
pub(super) const LONG: usize = 16;

/// Lists of fewer items have none any more.
const SHORT: usize = LONG / 2;

/// One place, found by the hash of what is there.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    /// One more than the place, so that no place takes more room than one.
    after: NonZeroU32,
}

impl Hashed for Place {
    #[inline(always)]
    fn hash(&self, _seed: u64) -> u32 {
        self.hash
    }
}

/// The places of the items of one list.
#[derive(Clone, Debug)]
pub(super) struct Places(Table<Place>);

impl Places {
    /// The table of a list that became long; `None` while it is short. `hash` is that of the item at a place.
    pub(super) fn of(len: usize, hash: impl Fn(usize) -> u32) -> Option<Self> {
        (len > LONG).then(|| {
            let mut places = Self(Table::new(0));
            (0..len).for_each(|at| places.insert(hash(at), at));
            places
        })
    }

    /// Whether a list of this length is searched from end to end again.
    pub(super) const fn are_needless(len: usize) -> bool {
        len < SHORT
    }

    /// Bytes allocated.
    pub(super) const fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// The place with this hash that `is` knows.
    pub(super) fn find(&self, hash: u32, is: impl Fn(usize) -> bool) -> Option<usize> {
        let at = self.0.find(hash, |place| place.hash == hash && is(place.at()))?;
        self.0.get(at).map(Place::at)
    }

    pub(super) fn insert(&mut self, hash: u32, at: usize) {
        self.0.insert(Place { hash, after: after(at) });
    }

    /// Forgets the item at `at`; the item at `last`, with hash `last_hash`, went there, unless they are the same.
    pub(super) fn swap_remove(&mut self, hash: u32, at: usize, last_hash: u32, last: usize) {
        if let Some(place) = self.0.find(hash, |place| place.at() == at) {
            self.0.remove(place);
        }
        if at != last
            && let Some(place) = self.0.find(last_hash, |place| place.at() == last)
            && let Some(place) = self.0.get_mut(place)
        {
            place.after = after(at);
        }
    }
}

impl Place {
    #[inline(always)]
    const fn at(&self) -> usize {
        self.after.get() as usize - 1
    }
}

fn after(at: usize) -> NonZeroU32 {
    u32::try_from(at + 1).ok().and_then(NonZeroU32::new).unwrap_or_else(|| overflow())
}

#[cold]
fn overflow() -> ! {
    unreachable!("one list has 2^32 - 2 items at most")
}
