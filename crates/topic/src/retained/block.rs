//! Some names that are neighbours, with their values.
//!
//! ```text
//!   text     site/1/asite/1/bsite/2/a      one behind the other
//!   ends            8       16      24     where each ends
//!   values          V       V       V
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::order::compare;

/// How many names a block has at most.
pub(super) const NAMES_MAX: usize = 64;

/// How many bytes its names have at most, unless there is only one or a new one has just been too long.
pub(super) const BYTES_MAX: usize = 4096;

/// Names in the order of levels. None of the blocks of a tree is empty.
#[derive(Clone, Debug)]
pub(super) struct Block<V> {
    text: String,
    /// `u32`: at most [`NAMES_MAX`] names of 65,535 bytes each.
    ends: Vec<u32>,
    values: Vec<V>,
    /// Where the first ends; here too, as it is what a search among blocks asks for.
    first_end: u32,
}

const _: () = assert!(NAMES_MAX * crate::limits::TEXT_BYTES_MAX < u32::MAX as usize);

impl<V> Block<V> {
    pub(super) const fn new() -> Self {
        Self { text: String::new(), ends: Vec::new(), values: Vec::new(), first_end: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// True if it has to be split before another name goes in.
    pub(super) fn is_too_large(&self) -> bool {
        self.len() > 1 && (self.len() > NAMES_MAX || self.text.len() > BYTES_MAX)
    }

    /// Where a name begins, and where the name before it ends.
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize)
    }

    fn end(&self, index: usize) -> Option<usize> {
        self.ends.get(index).map(|end| *end as usize)
    }

    fn bytes(&self, index: usize) -> &[u8] {
        let end = self.end(index).unwrap_or_default();
        self.text.as_bytes().get(self.start(index)..end).unwrap_or_default()
    }

    pub(super) fn name(&self, index: usize) -> Option<&str> {
        self.text.get(self.start(index)..self.end(index)?)
    }

    pub(super) fn value(&self, index: usize) -> Option<&V> {
        self.values.get(index)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &V)> {
        (0..self.len()).filter_map(|index| Some((self.name(index)?, self.value(index)?)))
    }

    pub(super) fn value_mut(&mut self, index: usize) -> Option<&mut V> {
        self.values.get_mut(index)
    }

    /// True if the first name is not above a text.
    pub(super) fn is_in_reach(&self, text: &str) -> bool {
        let first = self.text.as_bytes().get(..self.first_end as usize).unwrap_or_default();
        compare(first, text.as_bytes()).is_le()
    }

    /// True if the last name is not below a text.
    pub(super) fn ends_in_reach(&self, text: &str) -> bool {
        compare(self.bytes(self.len().saturating_sub(1)), text.as_bytes()).is_ge()
    }

    /// The place of a name, or where it would be; nothing before `from` is looked at.
    pub(super) fn find(&self, from: usize, text: &str) -> Result<usize, usize> {
        let (mut low, mut high) = (from, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match compare(self.bytes(middle), text.as_bytes()) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    pub(super) fn insert(&mut self, index: usize, name: &str, value: V) {
        // Room for an eighth more, not twice as much: there may be millions of names, and they are moved anyway.
        if self.ends.len() == self.ends.capacity() {
            let more = self.ends.len() / 8 + 4;
            self.ends.reserve_exact(more);
            self.values.reserve_exact(more);
        }
        if self.text.capacity() - self.text.len() < name.len() {
            self.text.reserve_exact(name.len() + self.text.len() / 8);
        }
        let start = self.start(index);
        self.text.insert_str(start, name);
        self.ends.insert(index, length(start));
        self.values.insert(index, value);
        for end in self.ends.iter_mut().skip(index) {
            *end += length(name.len());
        }
        self.note_first();
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<V> {
        let (start, end) = (self.start(index), self.end(index)?);
        self.text.replace_range(start..end, "");
        self.ends.remove(index);
        for other in self.ends.iter_mut().skip(index) {
            *other -= length(end - start);
        }
        let value = self.values.remove(index);
        self.note_first();
        if self.ends.len() < self.ends.capacity() / 2 || self.text.len() < self.text.capacity() / 2 {
            self.shrink();
        }
        Some(value)
    }

    fn note_first(&mut self) {
        self.first_end = self.ends.first().copied().unwrap_or_default();
    }

    fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    /// Cuts off the upper half.
    pub(super) fn split(&mut self) -> Self {
        let half = self.len() / 2;
        let start = self.start(half);
        let mut upper = Self {
            text: self.text.split_off(start),
            ends: self.ends.split_off(half),
            values: self.values.split_off(half),
            first_end: 0,
        };
        for end in &mut upper.ends {
            *end -= length(start);
        }
        upper.note_first();
        self.shrink();
        upper
    }

    /// True if the two are small enough to be one, and to stay so for a while.
    pub(super) fn fits(&self, next: &Self) -> bool {
        self.len() + next.len() <= NAMES_MAX / 2 && self.text.len() + next.text.len() <= BYTES_MAX / 2
    }

    /// Puts what comes next behind it.
    pub(super) fn append(&mut self, mut next: Self) {
        let before = length(self.text.len());
        self.text.push_str(&next.text);
        self.ends.extend(next.ends.iter().map(|end| end + before));
        self.values.append(&mut next.values);
        self.shrink();
    }
}

/// A length in a block.
#[expect(
    clippy::cast_possible_truncation,
    reason = "all the names of a block have less than 2^32 bytes, see above"
)]
const fn length(bytes: usize) -> u32 {
    bytes as u32
}
