//! Memory that is a file: written once at its end, read below it.
//!
//! ```text
//!  0                    published          writable            capacity
//!  |  read by everybody  |  one Appender    |  not touched      |
//!  |  never written      |  never read      |  no space behind  |
//! ```
//!
//! This is the one file of the crate with `unsafe` code.
//!
//! # Why this is sound
//!
//! * The memory of a [`Region`] is reached by raw pointers only; no reference to the whole ever exists.
//! * Bytes below `published` are only read: [`Region`] hands out shared slices of them. `published` never
//!   falls. It is raised after the bytes were written, with release order, and read with acquire order, so a
//!   reader sees the bytes it covers.
//! * Bytes from `published` on are reached by the region's [`Appender`] alone. There is one per region,
//!   because both come from a [`Window`] by value, and its methods take `&mut self`. So the one `&mut [u8]`
//!   that can exist never overlaps a shared slice.
//! * The appender may let the storage write there by a call ([`File::fill`](super::File::fill)) while it has no slice of them. Such
//!   memory is initialised before and after, so it is sound to publish it whatever was written.
//! * Bytes from `writable` on are not touched at all: behind them there may be no space on the disk, where a
//!   write would end the process (SIGBUS). `writable` is raised only after the file was given that space, and
//!   falls only by the appender's own hand, before the file is cut.
//! * A slice that was handed out holds the region, and the region holds the mapping.
//! * The memory does not change behind Rust's back. Between processes the lock on the directory keeps other writers
//!   out. Within this one a file has at most one [`Appender`], which begins at or behind whatever is published of the
//!   file in another region that somebody still has, and the file is not cut below that: `claims` refuses anything
//!   else, also when a [`Storage`](super::Storage) of somebody's own has a lock that lets everybody in.
//! * What writes into, or cuts, the files by another way is outside of what can be promised for any mapping, and so
//!   is a read error of the disk: another program, `std::fs` in this one, two processes with a `Storage` whose lock
//!   does not exclude. Whoever opens a log on [`Disk`](super::Disk) says that there is nothing of that.
//! * A [`Window`] that a user gets from a [`Storage`](super::Storage) has no public way to its bytes.
//! * Heap windows, which a simulated disk hands out, are written under a gate, and [`HeapPeek`] copies under
//!   the same gate; each has memory of its own.
#![expect(unsafe_code, reason = "mapped memory is raw; the argument is at the top of this file")]

use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw};

use super::Access;
use super::claims::{self, Identity};
use crate::sync::Mutex;

/// The mapped beginning of a file, as [`File::map`](super::File::map) gives it to the log.
///
/// It is opaque: only the log reads and writes through it.
pub struct Window {
    memory: Memory,
    access: Access,
    /// The file that it maps, if it can be told.
    file: Option<Identity>,
}

enum Memory {
    Mapped(MmapRaw),
    Heap(Arc<Heap>),
}

impl Memory {
    fn base(&self) -> *mut u8 {
        match self {
            Self::Mapped(map) => map.as_mut_ptr(),
            Self::Heap(heap) => heap.base,
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Self::Mapped(map) => map.len(),
            Self::Heap(heap) => heap.len,
        }
    }
}

/// Memory of the heap in place of a mapping. Owns `len` bytes at `base`.
struct Heap {
    base: *mut u8,
    len: usize,
    gate: Mutex<()>,
    writer_gone: AtomicBool,
}

// SAFETY: the memory is owned, and what may touch which part of it when is argued at the top of this file.
unsafe impl Send for Heap {}
// SAFETY: as above.
unsafe impl Sync for Heap {}

impl Heap {
    fn new(content: &[u8], capacity: usize, writer_gone: bool) -> Self {
        let mut memory = vec![0_u8; capacity.max(content.len())].into_boxed_slice();
        if let Some(start) = memory.get_mut(..content.len()) {
            start.copy_from_slice(content);
        }
        let len = memory.len();
        let base = Box::into_raw(memory).cast::<u8>();
        Self { base, len, gate: Mutex::new(()), writer_gone: AtomicBool::new(writer_gone) }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: `base` and `len` are of the box taken apart in `new`, and nothing borrows from it any more.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(self.base, self.len)) });
    }
}

impl Window {
    /// A window of memory in the heap, for simulated storage: `content` and zeros behind it up to `capacity`.
    ///
    /// The [`HeapPeek`] lets the storage see what was written through the window.
    #[must_use]
    pub fn heap(content: &[u8], capacity: usize, access: Access) -> (Self, HeapPeek) {
        let heap = Arc::new(Heap::new(content, capacity, access == Access::Read));
        (Self { memory: Memory::Heap(Arc::clone(&heap)), access, file: None }, HeapPeek { heap })
    }

    pub(super) fn map(file: &fs::File, capacity: usize, access: Access) -> io::Result<Self> {
        let mut options = MmapOptions::new();
        options.len(capacity);
        let map = match access {
            Access::Read => options.map_raw_read_only(file)?,
            Access::ReadWrite => options.map_raw(file)?,
        };
        Ok(Self { memory: Memory::Mapped(map), access, file: claims::identify(file)? })
    }

    /// Makes of the window a region whose first `len` bytes are there for good, and that takes no more. It is refused
    /// when somebody still writes there.
    pub(crate) fn freeze(self, len: usize) -> io::Result<Arc<Region>> {
        let len = len.min(self.memory.capacity());
        if let Memory::Heap(heap) = &self.memory {
            heap.writer_gone.store(true, Ordering::Release);
        }
        let file = self.file;
        let region = Arc::new(Region::new(self.memory, len, len, false));
        claims::claim(file, &region)?;
        Ok(region)
    }

    /// Makes of the window a region of which `published` bytes are there, and its one appender, which may
    /// write up to `writable`. It is refused when somebody else writes there, or has what it would write over.
    pub(crate) fn into_appender(self, published: usize, writable: usize) -> io::Result<Appender> {
        if self.access != Access::ReadWrite || published > writable || writable > self.memory.capacity() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let file = self.file;
        let region = Arc::new(Region::new(self.memory, published, writable, true));
        claims::claim(file, &region)?;
        Ok(Appender { region })
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("capacity", &self.memory.capacity())
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// A simulated storage's view of a heap window that it handed out.
#[derive(Clone)]
pub struct HeapPeek {
    heap: Arc<Heap>,
}

impl HeapPeek {
    /// Copies a part of the window's bytes, as far as there are any.
    ///
    /// Waits for a write that is under way; do not call it from within one.
    #[must_use]
    pub fn copy(&self, range: Range<usize>) -> Vec<u8> {
        let _gate = self.heap.gate.lock();
        // SAFETY: the memory is there as long as `heap`, initialised, and nobody writes while the gate is held.
        let bytes = unsafe { std::slice::from_raw_parts(self.heap.base, self.heap.len) };
        let end = range.end.min(bytes.len());
        bytes.get(range.start..end).unwrap_or_default().to_vec()
    }

    /// Whether nothing will be written through the window any more.
    #[must_use]
    pub fn writer_is_gone(&self) -> bool {
        self.heap.writer_gone.load(Ordering::Acquire)
    }
}

impl fmt::Debug for HeapPeek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeapPeek").field("len", &self.heap.len).finish_non_exhaustive()
    }
}

/// A file's memory with its published length; see the top of the file.
pub(crate) struct Region {
    memory: Memory,
    published: AtomicUsize,
    writable: AtomicUsize,
    has_appender: AtomicBool,
}

// SAFETY: what may touch which part of the memory when is argued at the top of this file.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    fn new(memory: Memory, published: usize, writable: usize, has_appender: bool) -> Self {
        Self {
            memory,
            published: AtomicUsize::new(published),
            writable: AtomicUsize::new(writable),
            has_appender: AtomicBool::new(has_appender),
        }
    }

    /// A region over bytes of the heap, complete.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Arc<Self> {
        let heap = Arc::new(Heap::new(bytes, bytes.len(), true));
        Arc::new(Self::new(Memory::Heap(heap), bytes.len(), bytes.len(), false))
    }

    /// Whether its one appender is still there.
    pub(super) fn has_appender(&self) -> bool {
        self.has_appender.load(Ordering::Acquire)
    }

    pub(crate) fn published(&self) -> usize {
        self.published.load(Ordering::Acquire)
    }

    pub(crate) fn writable(&self) -> usize {
        self.writable.load(Ordering::Acquire)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// Tells that the file has space up to `to`.
    pub(crate) fn raise_writable(&self, to: usize) {
        self.writable.fetch_max(to.min(self.capacity()), Ordering::AcqRel);
    }

    /// The published bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: bytes below `published` are initialised, inside the memory, never written again, and live as
        // long as `self`.
        unsafe { std::slice::from_raw_parts(self.memory.base(), self.published()) }
    }

    /// A part of the published bytes that keeps the memory alive; `None` when it is not published.
    pub(crate) fn slice(self: &Arc<Self>, range: Range<usize>) -> Option<Bytes> {
        if range.is_empty() {
            return Some(Bytes::new());
        }
        (range.end <= self.published()).then(|| Bytes::from_owner(Part { region: Arc::clone(self), range }))
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("published", &self.published())
            .field("writable", &self.writable())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

struct Part {
    region: Arc<Region>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.region.bytes().get(self.range.clone()).unwrap_or_default()
    }
}

/// The one writer of a [`Region`].
#[derive(Debug)]
pub(crate) struct Appender {
    region: Arc<Region>,
}

impl Appender {
    pub(crate) fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// The bytes that can be appended now.
    pub(crate) fn room(&self) -> usize {
        self.region.writable().saturating_sub(self.region.published())
    }

    /// The bytes that can be appended when the file is given the space for them.
    pub(crate) fn room_max(&self) -> usize {
        self.region.capacity().saturating_sub(self.region.published())
    }

    /// Gives back the room that is left, so that the file can be cut behind what is published.
    pub(crate) fn give_up_room(&mut self) {
        self.region.writable.store(self.region.published(), Ordering::Release);
    }

    /// Lets `fill` write the next `len` bytes, then publishes them; tells where they begin. `None`, with
    /// `fill` not called, when there is no room.
    pub(crate) fn append(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) -> Option<usize> {
        let at = self.region.published();
        let end = at.checked_add(len).filter(|end| *end <= self.region.writable())?;
        self.with(at, len, fill);
        self.region.published.store(end, Ordering::Release);
        Some(at)
    }

    /// Publishes the next `len` bytes as they are: the storage has written them. Tells where they begin; `None`, with nothing
    /// published, when there is no room.
    pub(crate) fn publish(&mut self, len: usize) -> Option<usize> {
        let at = self.region.published();
        let end = at.checked_add(len).filter(|end| *end <= self.region.writable())?;
        self.region.published.store(end, Ordering::Release);
        Some(at)
    }

    /// Writes bytes behind the published ones without publishing them; false, with nothing written, when they
    /// do not lie there.
    pub(crate) fn overwrite(&mut self, at: usize, bytes: &[u8]) -> bool {
        let inside = at >= self.region.published()
            && at.checked_add(bytes.len()).is_some_and(|end| end <= self.region.writable());
        if inside {
            self.with(at, bytes.len(), |spare| spare.copy_from_slice(bytes));
        }
        inside
    }

    /// Both callers have checked that the range lies between `published` and `writable`.
    fn with(&mut self, at: usize, len: usize, fill: impl FnOnce(&mut [u8])) {
        let _gate = match &self.region.memory {
            Memory::Heap(heap) => Some(heap.gate.lock()),
            Memory::Mapped(_) => None,
        };
        // SAFETY: the range lies between `published` and `writable`, so inside the memory, which is initialised
        // (file or zeroed heap) and writable; nobody else reads or writes there, as argued at the top.
        let spare = unsafe { std::slice::from_raw_parts_mut(self.region.memory.base().add(at), len) };
        fill(spare);
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.region.has_appender.store(false, Ordering::Release);
        if let Memory::Heap(heap) = &self.region.memory {
            heap.writer_gone.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heap_appender(content: &[u8], capacity: usize, writable: usize) -> (Appender, HeapPeek) {
        let (window, peek) = Window::heap(content, capacity, Access::ReadWrite);
        (window.into_appender(content.len(), writable).unwrap(), peek)
    }

    #[test]
    fn bytes_are_visible_only_once_published() {
        let (mut appender, peek) = heap_appender(b"old", 16, 8);
        let region = Arc::clone(appender.region());
        assert_eq!(region.bytes(), b"old");
        let at = appender.append(3, |spare| {
            assert_eq!(region.bytes(), b"old");
            spare.copy_from_slice(b"new");
        });
        assert_eq!(at, Some(3));
        assert_eq!(region.bytes(), b"oldnew");
        assert_eq!(peek.copy(0..7), b"oldnew\0");
    }

    #[test]
    fn space_that_the_file_lacks_is_never_written() {
        let (mut appender, _peek) = heap_appender(b"", 16, 4);
        assert_eq!(appender.append(5, |_| unreachable!()), None);
        assert!(!appender.overwrite(0, &[1; 5]));
        appender.region().raise_writable(1000);
        assert_eq!(appender.room(), 16);
        assert_eq!(appender.append(5, |spare| spare.fill(7)), Some(0));
        assert!(!appender.overwrite(4, &[1]), "published bytes are not overwritten");
        assert!(appender.overwrite(5, &[1]));
        appender.give_up_room();
        assert_eq!((appender.room(), appender.append(1, |_| unreachable!())), (0, None));
    }

    #[test]
    fn slices_outlive_the_appender_and_the_region() {
        let (mut appender, peek) = heap_appender(b"", 16, 16);
        appender.append(4, |spare| spare.copy_from_slice(b"abcd")).unwrap();
        let slice = appender.region().slice(1..3).unwrap();
        assert!(appender.region().slice(1..5).is_none());
        assert!(!peek.writer_is_gone());
        drop(appender);
        assert!(peek.writer_is_gone());
        assert_eq!(&slice[..], b"bc");
    }

    #[cfg(unix)]
    #[test]
    fn a_mapped_file_grows_under_its_window() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        let window = Window::map(&file, 100_000, Access::ReadWrite).unwrap();
        let mut appender = window.into_appender(0, 10).unwrap();
        assert_eq!(appender.append(11, |_| unreachable!()), None);
        file.set_len(90_000).unwrap();
        appender.region().raise_writable(90_000);
        appender.append(90_000, |spare| spare.fill(9)).unwrap();
        let mut byte = [0];
        std::os::unix::fs::FileExt::read_at(&file, &mut byte, 89_999).unwrap();
        assert_eq!(byte, [9]);
    }

    #[test]
    fn readers_see_whole_appends_while_they_are_made() {
        let (mut appender, _peek) = heap_appender(b"", 64 * 1000, 64 * 1000);
        let region = Arc::clone(appender.region());
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut seen = 0;
                while seen < 64 * 1000 {
                    let bytes = region.bytes();
                    seen = bytes.len();
                    assert_eq!(seen % 64, 0);
                    assert!(
                        bytes
                            .chunks(64)
                            .zip((0_u8..=255).cycle())
                            .all(|(chunk, n)| chunk.iter().all(|b| *b == n))
                    );
                }
            });
            for n in 0..1000_u32 {
                appender.append(64, |spare| spare.fill(n.to_le_bytes()[0])).unwrap();
            }
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_read_only_window_gets_no_appender() {
        let (window, _peek) = Window::heap(b"abc", 3, Access::Read);
        assert!(window.into_appender(0, 3).is_err());
    }
}
