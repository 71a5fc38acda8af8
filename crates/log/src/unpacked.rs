//! Records that were decompressed for who reads them, kept as long as the batches that they were read from.
//!
//! ```text
//!   Fetched   | batch | batch, compressed | batch | batch, compressed |
//!                          |                             |
//!   Unpacked    first -> records ------ next ------> records ------ next -> (nothing yet)
//! ```
//!
//! Whoever visits the batches of one `Fetched` meets the same compressed ones in the same order: the first visitor fills the
//! list, and the others find it filled. It only grows, through a shared reference, and so what was borrowed from it stays.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::compress::{self, Failure};

/// The decompressed batches of a [`Fetched`](crate::Fetched) or a [`Batch`](crate::Batch). A clone begins empty, and all are equal:
/// it is a cache.
pub(crate) struct Unpacked {
    /// The most that one batch may become.
    bytes_max: usize,
    first: Link,
}

/// Where the next batch will be.
type Link = OnceLock<Box<Node>>;

struct Node {
    records: Result<Bytes, Failure>,
    next: Link,
}

impl Unpacked {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, first: Link::new() }
    }

    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// For a visitor that begins.
    pub(crate) fn visit(&self) -> Visit<'_> {
        Visit { bytes_max: self.bytes_max, link: &self.first }
    }
}

/// One after the other: a list that drops itself by recursion would run out of stack.
impl Drop for Unpacked {
    fn drop(&mut self) {
        let mut next = self.first.take();
        while let Some(mut node) = next {
            next = node.next.take();
        }
    }
}

impl Clone for Unpacked {
    fn clone(&self) -> Self {
        Self::new(self.bytes_max)
    }
}

impl PartialEq for Unpacked {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Unpacked {}

impl fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacked").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

/// A visitor's place in the list.
#[derive(Clone, Copy)]
pub(crate) struct Visit<'a> {
    bytes_max: usize,
    link: &'a Link,
}

impl<'a> Visit<'a> {
    /// The records of the next compressed batch, decompressed now if nobody has before.
    pub(crate) fn next(&mut self, codec: u8, stream: &[u8]) -> Result<&'a Bytes, Failure> {
        let node = self.link.get_or_init(|| {
            let records = compress::decompress(codec, stream, self.bytes_max).map(Bytes::from);
            Box::new(Node { records, next: Link::new() })
        });
        self.link = &node.next;
        node.records.as_ref().map_err(|failure| *failure)
    }

    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }
}

impl fmt::Debug for Visit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_decompressed_once_and_what_was_borrowed_stays() {
        let unpacked = Unpacked::new(100);
        let mut first = unpacked.visit();
        let one = first.next(0, b"one").unwrap();
        let two = first.next(0, b"two").unwrap();
        // A second visitor finds what is there, whatever it brings.
        let mut second = unpacked.visit();
        assert_eq!(second.next(0, b"none").unwrap().as_ptr(), one.as_ptr());
        assert_eq!(second.next(0, b"none").unwrap().as_ptr(), two.as_ptr());
        assert_eq!((&one[..], &two[..]), (&b"one"[..], &b"two"[..]));
    }

    #[test]
    fn a_failure_is_remembered() {
        let unpacked = Unpacked::new(2);
        for _ in 0..2 {
            let mut visit = unpacked.visit();
            assert_eq!(visit.next(0, b"one"), Err(Failure::TooLarge));
            assert_eq!(visit.next(0, b"ok").unwrap(), "ok");
        }
    }

    #[test]
    fn a_list_of_a_million_is_dropped_without_recursion() {
        let unpacked = Unpacked::new(0);
        let mut visit = unpacked.visit();
        for _ in 0..1_000_000 {
            visit.next(0, b"").unwrap();
        }
    }
}
