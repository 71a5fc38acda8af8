//! The memory of batches that are not appended yet: bounded, and used again.
//!
//! ```text
//!   taken + free  <=  buffer_bytes_max
//!   |       '- buffers of `batch_bytes` that wait for the next batch
//!   '--------- open and closed batches, each with its whole buffer
//! ```
//!
//! A buffer counts whole from the moment it is taken, as in Kafka's `BufferPool`, so that no record has to be counted.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::partition::Signal;
use crate::sync::Mutex;

pub(super) struct Memory {
    max: usize,
    batch_bytes: usize,
    held: Mutex<Held>,
    /// How many threads wait for room.
    waiting: AtomicUsize,
    room: Signal,
}

#[derive(Default)]
struct Held {
    taken_bytes: usize,
    free: Vec<Box<[u8]>>,
}

/// Memory of a batch; goes back when it is dropped.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    memory: Arc<Memory>,
}

impl Memory {
    pub(super) fn new(max: usize, batch_bytes: usize) -> Self {
        Self {
            max,
            batch_bytes,
            held: Mutex::default(),
            waiting: AtomicUsize::new(0),
            room: Signal::default(),
        }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    pub(super) fn taken_bytes(&self) -> usize {
        self.held.lock().taken_bytes
    }

    /// Whether somebody waits for memory, so that no batch should linger.
    pub(super) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// A buffer of so many bytes, of whatever content, or of those of a batch if that is more; `None` when there is no
    /// room now.
    pub(super) fn try_take(self: &Arc<Self>, bytes: usize) -> Option<Buffer> {
        let bytes = bytes.max(self.batch_bytes);
        let free = {
            let mut held = self.held.lock();
            if held.taken_bytes.saturating_add(bytes) > self.max {
                return None;
            }
            held.taken_bytes = held.taken_bytes.saturating_add(bytes);
            if bytes == self.batch_bytes {
                held.free.pop()
            } else {
                self.trim(&mut held);
                None
            }
        };
        // Zeroed once, outside of the lock.
        let bytes = free.unwrap_or_else(|| vec![0; bytes].into_boxed_slice());
        Some(Buffer { bytes, memory: Arc::clone(self) })
    }

    /// The same, waiting for room; `short` is called once if there is none at first.
    pub(super) fn take(
        self: &Arc<Self>,
        bytes: usize,
        timeout: Duration,
        short: impl FnOnce(),
    ) -> Option<Buffer> {
        if let Some(buffer) = self.try_take(bytes) {
            return Some(buffer);
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        short();
        let buffer = self.room.wait(timeout, || self.try_take(bytes));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        buffer
    }

    fn give_back(&self, bytes: Box<[u8]>) {
        let mut held = self.held.lock();
        held.taken_bytes = held.taken_bytes.saturating_sub(bytes.len());
        if bytes.len() == self.batch_bytes {
            held.free.push(bytes);
        }
        self.trim(&mut held);
        drop(held);
        self.room.notify();
    }

    /// Lets go of free buffers beyond the bound.
    fn trim(&self, held: &mut Held) {
        let free_max = self.max.saturating_sub(held.taken_bytes) / self.batch_bytes;
        held.free.truncate(free_max);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.memory.give_back(std::mem::take(&mut self.bytes));
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_and_what_is_free_never_exceed_the_bound() {
        let memory = Arc::new(Memory::new(1000, 300));
        let all: Vec<_> = (0..4).map(|_| memory.try_take(1)).collect();
        assert_eq!(all.iter().flatten().count(), 3);
        assert_eq!(memory.taken_bytes(), 900);
        drop(all);
        assert_eq!((memory.taken_bytes(), memory.held.lock().free.len()), (0, 3));
        // A large one takes the place of free ones.
        let large = memory.try_take(500).unwrap();
        assert_eq!((large.len(), memory.taken_bytes(), memory.held.lock().free.len()), (500, 500, 1));
        assert!(memory.try_take(501).is_none());
        let small = memory.try_take(300).unwrap();
        assert_eq!((memory.taken_bytes(), memory.held.lock().free.len()), (800, 0));
        drop((large, small));
        assert_eq!((memory.taken_bytes(), memory.held.lock().free.len()), (0, 1));
        assert!(memory.try_take(1001).is_none());
        assert_eq!(memory.try_take(1000).unwrap().len(), 1000);
    }

    #[test]
    fn who_waits_gets_what_is_given_back() {
        let memory = Arc::new(Memory::new(100, 100));
        let first = memory.try_take(100);
        assert!(memory.take(1, Duration::ZERO, || {}).is_none());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let short = std::cell::Cell::new(false);
                let buffer = memory.take(1, Duration::MAX, || short.set(true));
                (buffer.is_some(), short.get())
            });
            while !memory.is_short() {
                std::thread::yield_now();
            }
            drop(first);
            assert_eq!(waiter.join().unwrap(), (true, true));
        });
        assert!(!memory.is_short());
    }
}
