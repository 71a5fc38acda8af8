//! What waits to be written: small things together, large payloads as they are. From some place on it may be closed.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// A payload of at least so many bytes is not copied behind its head but written from where it is: the log's map.
const APART_BYTES: usize = 4 * 1024;

/// So much memory is kept for acknowledgements and small messages to come.
const KEPT_BYTES: usize = 512;

/// Bytes in the order in which they are to be written.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    whole: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
    /// How many bytes were written.
    taken: u64,
    /// From which place on nothing is to be written.
    closed_from: Option<u64>,
}

impl Outbox {
    /// The number of bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Gives memory back that an empty one holds for nothing.
    pub(crate) fn release(&mut self) {
        if self.len == 0 && self.tail.capacity() > KEPT_BYTES {
            self.tail = BytesMut::new();
        }
    }

    /// The place of its end, counted from the first byte that was ever put in.
    pub(crate) fn end(&self) -> u64 {
        self.taken + self.len as u64
    }

    /// From this place on nothing is to be written, if there is one.
    pub(crate) fn close_from(&mut self, place: Option<u64>) {
        self.closed_from = place;
    }

    /// The number of bytes that may be written.
    fn open(&self) -> usize {
        let until_closed = self.closed_from.map(|place| place.saturating_sub(self.taken));
        let until_closed =
            until_closed.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        self.len.min(until_closed)
    }

    /// Puts a copy at the end.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Lets `write` put something at the end.
    pub(crate) fn write<R>(&mut self, write: impl FnOnce(&mut BytesMut) -> R) -> R {
        let before = self.tail.len();
        let written = write(&mut self.tail);
        self.len += self.tail.len() - before;
        written
    }

    /// Puts a payload at the end, copying it only if it is small.
    pub(crate) fn payload(&mut self, payload: &Bytes) {
        if payload.len() < APART_BYTES {
            self.extend(payload);
            return;
        }
        if !self.tail.is_empty() {
            self.whole.push_back(self.tail.split().freeze());
        }
        self.whole.push_back(payload.clone());
        self.len += payload.len();
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.open()
    }

    fn chunk(&self) -> &[u8] {
        let first: &[u8] = self.whole.front().map_or(&self.tail, |first| first);
        first.get(..self.open()).unwrap_or(first)
    }

    fn advance(&mut self, count: usize) {
        let open = self.open();
        assert!(count <= open, "cannot advance by {count} in {open}");
        self.len -= count;
        self.taken += count as u64;
        let mut left = count;
        while let Some(first) = self.whole.front_mut() {
            if left < first.len() {
                first.advance(left);
                return;
            }
            left -= first.len();
            self.whole.pop_front();
        }
        self.tail.advance(left);
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts =
            self.whole.iter().map(|part| &part[..]).chain([&self.tail[..]]).filter(|part| !part.is_empty());
        let (mut used, mut left) = (0, self.open());
        for (slice, part) in slices.iter_mut().zip(parts) {
            if left == 0 {
                break;
            }
            let part = part.get(..left).unwrap_or(part);
            *slice = IoSlice::new(part);
            left -= part.len();
            used += 1;
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_out_in_order_whatever_the_sizes_of_parts_and_writes() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let (mut outbox, mut expected, mut got) = (Outbox::default(), Vec::new(), Vec::new());
            for number in 0..rng.u8(1..20) {
                let part = vec![number; if rng.bool() { rng.usize(0..100) } else { rng.usize(4_000..9_000) }];
                expected.extend_from_slice(&part);
                if rng.bool() {
                    outbox.extend(&part)
                } else {
                    outbox.payload(&Bytes::from(part))
                }
                if rng.bool() {
                    let count = rng.usize(0..=outbox.len());
                    let mut slices = [IoSlice::new(&[]); 8];
                    let used = outbox.chunks_vectored(&mut slices);
                    let seen: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.to_vec()).collect();
                    let count = count.min(seen.len());
                    got.extend_from_slice(&seen[..count]);
                    outbox.advance(count);
                }
            }
            while outbox.has_remaining() {
                got.extend_from_slice(outbox.chunk());
                outbox.advance(outbox.chunk().len());
            }
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn nothing_comes_out_from_where_it_is_closed() {
        for closed in [0, 3, 5, 5 + 4_096, 5 + 4_096 + 2] {
            let mut outbox = Outbox::default();
            outbox.extend(b"head:");
            outbox.payload(&Bytes::from(vec![b'x'; 4_096]));
            outbox.extend(b"tail");
            outbox.advance(1);
            outbox.close_from(Some(closed + 1));
            let mut slices = [IoSlice::new(&[]); 8];
            let used = outbox.chunks_vectored(&mut slices);
            assert_eq!(slices[..used].iter().map(|slice| slice.len()).sum::<usize>(), outbox.remaining());
            let mut written = 0;
            while outbox.has_remaining() {
                written += outbox.chunk().len();
                outbox.advance(outbox.chunk().len());
            }
            assert_eq!(written as u64, closed);
            outbox.close_from(None);
            assert_eq!(outbox.remaining() as u64 + closed, outbox.end() - 1);
        }
    }
}
