//! The bytes of a file, in pages that copies share.
//!
//! ```text
//!   a file     [p0][p1][p2]     [z] is one page of zeros for all
//!                |   |   |
//!   its image  [p0][p1][q2]     a copy of n pages costs n counters; a page is copied when it changes
//! ```

use std::sync::{Arc, LazyLock};

use super::{PAGE_BYTES, SECTOR_BYTES};

pub(super) type Page = [u8; PAGE_BYTES];

static ZEROS: LazyLock<Arc<Page>> = LazyLock::new(|| Arc::new([0; PAGE_BYTES]));

/// A file's bytes. Those of the last page behind the end are zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages {
    pages: Vec<Arc<Page>>,
    len: usize,
}

impl Pages {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::like(bytes, &Self::default())
    }

    /// The same, sharing the pages that are equal.
    pub(super) fn like(bytes: &[u8], like: &Self) -> Self {
        let share = |(at, chunk): (usize, &[u8])| {
            let known = like.page(at);
            let (start, rest) = known.split_at(chunk.len().min(PAGE_BYTES));
            if start == chunk && is_zero(rest) {
                return Arc::clone(known);
            }
            let mut page = [0; PAGE_BYTES];
            if let Some(start) = page.get_mut(..chunk.len()) {
                start.copy_from_slice(chunk);
            }
            Arc::new(page)
        };
        Self { pages: bytes.chunks(PAGE_BYTES).enumerate().map(share).collect(), len: bytes.len() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many pages there are.
    pub(super) fn count(&self) -> usize {
        self.pages.len()
    }

    /// A page; zeros behind the end.
    pub(super) fn page(&self, at: usize) -> &Arc<Page> {
        self.pages.get(at).unwrap_or(&ZEROS)
    }

    /// Whether both have the same page there.
    pub(super) fn same(&self, other: &Self, at: usize) -> bool {
        let (mine, theirs) = (self.page(at), other.page(at));
        Arc::ptr_eq(mine, theirs) || mine == theirs
    }

    /// Puts a page there; the file becomes longer if it has to. To be followed by [`Pages::resize`].
    pub(super) fn set_page(&mut self, at: usize, page: Arc<Page>) {
        if self.pages.len() <= at {
            self.resize((at + 1) * PAGE_BYTES);
        }
        if let Some(place) = self.pages.get_mut(at) {
            *place = page;
        }
    }

    pub(super) fn resize(&mut self, len: usize) {
        self.pages.resize_with(len.div_ceil(PAGE_BYTES), || Arc::clone(&ZEROS));
        // A page that was put there may have bytes behind the end.
        if !len.is_multiple_of(PAGE_BYTES)
            && let Some(last) = self.pages.last_mut()
            && !is_zero(last.get(len % PAGE_BYTES..).unwrap_or_default())
            && let Some(beyond) = Arc::make_mut(last).get_mut(len % PAGE_BYTES..)
        {
            beyond.fill(0);
        }
        self.len = len;
    }

    /// The bytes from `position` on, at most `len` of them.
    pub(super) fn read(&self, position: usize, len: usize) -> Vec<u8> {
        let end = position.saturating_add(len).min(self.len);
        let mut bytes = Vec::with_capacity(end.saturating_sub(position));
        let mut at = position;
        while at < end {
            let (start, stop) = (at % PAGE_BYTES, PAGE_BYTES.min(end - at + at % PAGE_BYTES));
            bytes.extend_from_slice(self.page(at / PAGE_BYTES).get(start..stop).unwrap_or_default());
            at += stop - start;
        }
        bytes
    }

    pub(super) fn write(&mut self, mut bytes: &[u8], position: usize) {
        let end = position.saturating_add(bytes.len());
        if self.len < end {
            self.resize(end);
        }
        let mut at = position;
        while !bytes.is_empty() {
            let start = at % PAGE_BYTES;
            let (now, later) = bytes.split_at(bytes.len().min(PAGE_BYTES - start));
            let page = self.pages.get_mut(at / PAGE_BYTES).map(Arc::make_mut);
            if let Some(target) = page.and_then(|page| page.get_mut(start..start + now.len())) {
                target.copy_from_slice(now);
            }
            at += now.len();
            bytes = later;
        }
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        self.read(0, self.len)
    }

    /// Goes on with a hash over the length and the bytes. Not made to withstand anybody.
    pub(super) fn fingerprint(&self, hash: u64) -> u64 {
        self.pages
            .iter()
            .flat_map(|page| page.chunks_exact(8))
            .fold(mix(hash, self.len as u64), |hash, word| {
                mix(hash, word.try_into().map_or(0, u64::from_le_bytes))
            })
    }
}

/// Whether all of it is zeros: by comparisons of whole pages, since a fuzzer counts every comparison.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(PAGE_BYTES).all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}

/// One step of a hash.
pub(super) fn mix(hash: u64, word: u64) -> u64 {
    let hash = (hash.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 32)
}

/// The sectors in which two pages differ.
pub(super) fn differing_sectors<'a>(old: &'a Page, new: &'a Page) -> impl Iterator<Item = usize> + 'a {
    old.chunks(SECTOR_BYTES)
        .zip(new.chunks(SECTOR_BYTES))
        .enumerate()
        .filter(|(_, (old, new))| old != new)
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_the_end_does_not_come_back() {
        let mut pages = Pages::of(&[1; 10]);
        pages.set_page(0, Arc::new([2; PAGE_BYTES]));
        pages.resize(10);
        pages.resize(20);
        assert_eq!(pages.to_vec(), [[2; 10], [0; 10]].concat());
        pages.write(&[3; PAGE_BYTES], 15);
        pages.resize(16);
        pages.resize(2 * PAGE_BYTES);
        assert_eq!((pages.count(), pages.read(14, 4)), (2, vec![0, 3, 0, 0]));
        assert!(pages.same(&Pages::like(&pages.to_vec(), &pages), 0));
    }
}
