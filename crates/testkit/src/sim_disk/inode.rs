//! A file's bytes on each of their ways to the platter, and what a loss of power leaves of them.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use headwater_log::storage::{Access, HeapPeek, Window};

use super::chooser::Choose;
use super::pages::{Page, Pages, differing_sectors, is_zero};
use super::{PAGE_BYTES, SECTOR_BYTES};

/// A file's bytes on each of their ways to the platter.
#[derive(Debug, Default)]
pub(super) struct Inode {
    live: Live,
    /// What the kernel takes for written.
    clean: Pages,
    /// What is written.
    durable: Pages,
    /// Pages that were written since the last sync, even if with the bytes that they had.
    dirty: BTreeSet<usize>,
    /// The lengths the file had since the last sync.
    lens: BTreeSet<usize>,
}

#[derive(Debug)]
enum Live {
    Bytes(Pages),
    /// Mapped for writing.
    Window {
        peek: HeapPeek,
        len: usize,
    },
}

impl Default for Live {
    fn default() -> Self {
        Self::Bytes(Pages::default())
    }
}

impl Inode {
    /// A file with these bytes, all durable.
    pub(super) fn durable(bytes: Pages) -> Self {
        Self {
            lens: BTreeSet::from([bytes.len()]),
            live: Live::Bytes(bytes.clone()),
            clean: bytes.clone(),
            durable: bytes,
            dirty: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.live {
            Live::Bytes(bytes) => bytes.len(),
            Live::Window { len, .. } => *len,
        }
    }

    /// The bytes as programs see them.
    pub(super) fn content(&self) -> Pages {
        match &self.live {
            Live::Bytes(bytes) => bytes.clone(),
            Live::Window { peek, len } => {
                let bytes = peek.copy(0..usize::MAX);
                let (inside, beyond) = bytes.split_at((*len).min(bytes.len()));
                assert!(is_zero(beyond), "written beyond the end of the file through a mapping: SIGBUS");
                let mut pages = Pages::like(inside, &self.clean);
                pages.resize(*len);
                pages
            }
        }
    }

    pub(super) fn read(&self, position: usize, len: usize) -> Vec<u8> {
        let end = position.saturating_add(len).min(self.len());
        match &self.live {
            Live::Bytes(bytes) => bytes.read(position, len),
            Live::Window { peek, .. } if position < end => {
                let mut bytes = peek.copy(position..end);
                bytes.resize(end - position, 0);
                bytes
            }
            Live::Window { .. } => Vec::new(),
        }
    }

    /// The bytes for a program to change: not while they are mapped for writing.
    fn bytes_mut(&mut self) -> io::Result<&mut Pages> {
        if let Live::Window { peek, .. } = &self.live {
            if !peek.writer_is_gone() {
                return Err(io::Error::other("written by calls while it is mapped for writing"));
            }
            self.live = Live::Bytes(self.content());
        }
        match &mut self.live {
            Live::Bytes(bytes) => Ok(bytes),
            Live::Window { .. } => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    pub(super) fn write(&mut self, new: &[u8], position: usize) -> io::Result<()> {
        let bytes = self.bytes_mut()?;
        bytes.write(new, position);
        let len = bytes.len();
        self.lens.insert(len);
        self.dirty.extend(position / PAGE_BYTES..position.saturating_add(new.len()).div_ceil(PAGE_BYTES));
        Ok(())
    }

    pub(super) fn set_len(&mut self, new: usize) -> io::Result<()> {
        if let Live::Window { peek, len } = &mut self.live
            && !peek.writer_is_gone()
        {
            *len = new;
        } else {
            self.bytes_mut()?.resize(new);
        }
        self.lens.insert(new);
        Ok(())
    }

    pub(super) fn map(&mut self, capacity: usize, access: Access) -> io::Result<Window> {
        if access == Access::Read {
            if capacity > self.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            return Ok(Window::heap(&self.read(0, capacity), capacity, access).0);
        }
        let content = self.bytes_mut()?.to_vec();
        let (window, peek) = Window::heap(&content, capacity, access);
        self.live = Live::Window { peek, len: content.len() };
        Ok(window)
    }

    /// The pages that a sync would write.
    fn dirty_pages(&self, content: &Pages) -> BTreeSet<usize> {
        let pages = content.count().max(self.clean.count());
        let mut dirty: BTreeSet<usize> = (0..pages).filter(|at| !content.same(&self.clean, *at)).collect();
        dirty.extend(self.dirty.iter().copied().filter(|at| *at < pages));
        dirty
    }

    /// Syncs; with `keep` deciding for each page whether it reaches the platter. All count as written.
    pub(super) fn sync(&mut self, mut keep: impl FnMut() -> bool) {
        let content = self.content();
        for at in self.dirty_pages(&content) {
            if keep() {
                self.durable.set_page(at, Arc::clone(content.page(at)));
            }
        }
        self.durable.resize(content.len());
        self.lens = BTreeSet::from([content.len()]);
        self.clean = content;
        self.dirty.clear();
    }

    /// How many files a loss of power may leave, those torn inside a sector not counted; at most `u64::MAX`.
    pub(super) fn images(&self) -> u64 {
        let content = self.content();
        let pages = self.dirty_pages(&content);
        let sectors: usize =
            pages.iter().map(|at| differing_sectors(self.durable.page(*at), content.page(*at)).count()).sum();
        let lens = self.crash_lens(&content).len() as u64;
        u32::try_from(sectors)
            .ok()
            .and_then(|bits| 1_u64.checked_shl(bits))
            .map_or(u64::MAX, |ways| ways.saturating_mul(lens))
    }

    /// The lengths that the file may have after a loss of power.
    fn crash_lens(&self, content: &Pages) -> BTreeSet<usize> {
        let mut lens = self.lens.clone();
        lens.extend([self.durable.len(), content.len()]);
        lens
    }

    /// The bytes after a loss of power.
    pub(super) fn crashed(&self, choose: &mut dyn Choose) -> Pages {
        let content = self.content();
        let mut bytes = self.durable.clone();
        let lens = self.crash_lens(&content);
        let len = if lens.len() > 1 { choose.below(lens.len()) } else { 0 };
        let len = lens.into_iter().nth(len).unwrap_or_default();
        let mut pages = self.dirty_pages(&content);
        // What is cut off, or is the same anyway, is no choice.
        pages.retain(|at| at * PAGE_BYTES < len && !content.same(&self.durable, *at));
        let fate = if pages.is_empty() || choose.one_by_one() { 2 } else { choose.below(3) };
        for at in pages {
            let (old, new) = (self.durable.page(at), content.page(at));
            let page = match fate {
                0 => Arc::clone(new),
                1 => Arc::clone(old),
                _ => Arc::new(crashed_page(old, new, choose)),
            };
            bytes.set_page(at, page);
        }
        bytes.resize(len);
        bytes
    }

    /// The same file after the process died.
    pub(super) fn orphaned(&self) -> Self {
        Self {
            live: Live::Bytes(self.content()),
            clean: self.clean.clone(),
            durable: self.durable.clone(),
            dirty: self.dirty.clone(),
            lens: self.lens.clone(),
        }
    }
}

/// A page that was being written when the power went: the old one, the new one, or a mixture.
fn crashed_page(old: &Page, new: &Page, choose: &mut dyn Choose) -> Page {
    let mut page = *old;
    let mut renew = |range: std::ops::Range<usize>| {
        if let (Some(target), Some(new)) = (page.get_mut(range.clone()), new.get(range)) {
            target.copy_from_slice(new);
        }
    };
    let fate = if choose.one_by_one() { 2 } else { choose.below(5) };
    match fate {
        0 => {}
        1 => return *new,
        // Sector by sector.
        2 => {
            for sector in differing_sectors(old, new) {
                if choose.below(2) == 1 {
                    renew(sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES);
                }
            }
        }
        // The page went to the disk in the middle of a copy into it, be it one that goes forward or backward.
        fate => {
            let differs = |at: &usize| old.get(*at) != new.get(*at);
            let first = (0..PAGE_BYTES).find(differs).unwrap_or(0);
            let last = (0..PAGE_BYTES).rfind(differs).unwrap_or(0);
            let cut = first + choose.below(last - first + 1);
            renew(if fate == 3 { 0..cut } else { cut..PAGE_BYTES });
        }
    }
    page
}
