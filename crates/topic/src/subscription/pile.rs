//! A list that is on the stack while it is short.

use alloc::vec::Vec;

/// A list of which `SHORT` items need no heap.
#[derive(Clone, Debug)]
pub(super) struct Pile<T, const SHORT: usize> {
    short: [T; SHORT],
    /// How many of them there are; all went into `long` if it has any.
    len: usize,
    long: Vec<T>,
}

impl<T: Copy, const SHORT: usize> Pile<T, SHORT> {
    /// `any` fills places that nobody looks at.
    #[inline(always)]
    pub(super) const fn new(any: T) -> Self {
        Self { short: [any; SHORT], len: 0, long: Vec::new() }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, item: T) {
        if self.long.is_empty() {
            if let Some(place) = self.short.get_mut(self.len) {
                *place = item;
                self.len += 1;
                return;
            }
            self.long.reserve(8 * SHORT);
            self.long.extend_from_slice(&self.short);
        }
        self.long.push(item);
    }

    /// Forgets the items and keeps the memory.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.long.clear();
    }

    #[inline(always)]
    pub(super) const fn len(&self) -> usize {
        if self.long.is_empty() { self.len } else { self.long.len() }
    }

    #[inline(always)]
    pub(super) fn items(&self) -> &[T] {
        if self.long.is_empty() { self.short.get(..self.len).unwrap_or_default() } else { &self.long }
    }
}
