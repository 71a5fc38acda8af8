//! What waits to be written: small things together, large payloads as they are.

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
}

impl Outbox {
    /// The number of bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Gives memory back that an empty one holds for nothing.
    pub(crate) fn release(&mut self) {
        if self.len == 0 && self.tail.capacity() > KEPT_BYTES {
            *self = Self::default();
        }
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
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.whole.front().map_or(&self.tail, |first| first)
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.len, "cannot advance by {count} in {}", self.len);
        self.len -= count;
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
        let mut used = 0;
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
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
}
