use std::collections::BTreeSet;
use std::io;

use headwater_log::storage::{Access, HeapPeek, Window};

use super::chooser::Choose;
use super::{PAGE_BYTES, SECTOR_BYTES};

/// A file's bytes on each of their ways to the platter.
#[derive(Debug, Default)]
pub(super) struct Inode {
    live: Live,
    /// What the kernel takes for written.
    clean: Vec<u8>,
    /// What is written.
    durable: Vec<u8>,
    /// Pages that were written since the last sync, even if with the bytes that they had.
    dirty: BTreeSet<usize>,
    /// The lengths the file had since the last sync.
    lens: BTreeSet<usize>,
}

#[derive(Debug)]
enum Live {
    Bytes(Vec<u8>),
    /// Mapped for writing.
    Window {
        peek: HeapPeek,
        len: usize,
    },
}

impl Default for Live {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Inode {
    /// A file with these bytes, all durable.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        let lens = BTreeSet::from([bytes.len()]);
        Self {
            live: Live::Bytes(bytes.clone()),
            clean: bytes.clone(),
            durable: bytes,
            dirty: BTreeSet::new(),
            lens,
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.live {
            Live::Bytes(bytes) => bytes.len(),
            Live::Window { len, .. } => *len,
        }
    }

    /// The bytes as programs see them.
    pub(super) fn content(&self) -> Vec<u8> {
        match &self.live {
            Live::Bytes(bytes) => bytes.clone(),
            Live::Window { peek, len } => {
                let mut bytes = peek.copy(0..usize::MAX);
                let beyond = bytes.get(*len..).unwrap_or_default();
                assert!(
                    beyond.iter().all(|byte| *byte == 0),
                    "written beyond the end of the file through a mapping: SIGBUS"
                );
                bytes.resize(*len, 0);
                bytes
            }
        }
    }

    pub(super) fn read(&self, position: usize, len: usize) -> Vec<u8> {
        let end = position.saturating_add(len).min(self.len());
        match &self.live {
            Live::Bytes(bytes) => bytes.get(position..end).unwrap_or_default().to_vec(),
            Live::Window { peek, .. } if position < end => {
                let mut bytes = peek.copy(position..end);
                bytes.resize(end - position, 0);
                bytes
            }
            Live::Window { .. } => Vec::new(),
        }
    }

    /// The bytes for a program to change: not while they are mapped for writing.
    fn bytes_mut(&mut self) -> io::Result<&mut Vec<u8>> {
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
        let end = position.saturating_add(new.len());
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        if let Some(target) = bytes.get_mut(position..end) {
            target.copy_from_slice(new);
        }
        let len = bytes.len();
        self.lens.insert(len);
        self.dirty.extend(position / PAGE_BYTES..end.div_ceil(PAGE_BYTES));
        Ok(())
    }

    pub(super) fn set_len(&mut self, new: usize) -> io::Result<()> {
        if let Live::Window { peek, len } = &mut self.live
            && !peek.writer_is_gone()
        {
            *len = new;
        } else {
            self.bytes_mut()?.resize(new, 0);
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
        let content = self.bytes_mut()?.clone();
        let (window, peek) = Window::heap(&content, capacity, access);
        self.live = Live::Window { peek, len: content.len() };
        Ok(window)
    }

    /// The pages that a sync would write.
    fn dirty_pages(&self, content: &[u8]) -> BTreeSet<usize> {
        let pages = content.len().max(self.clean.len()).div_ceil(PAGE_BYTES);
        let differs = |at: &usize| page(content, *at) != page(&self.clean, *at);
        let mut dirty: BTreeSet<usize> = (0..pages).filter(differs).collect();
        dirty.extend(self.dirty.iter().copied().filter(|at| *at < pages));
        dirty
    }

    /// Syncs; with `keep` deciding for each page whether it reaches the platter. All count as written.
    pub(super) fn sync(&mut self, mut keep: impl FnMut() -> bool) {
        let content = self.content();
        for at in self.dirty_pages(&content) {
            if keep() {
                set_page(&mut self.durable, at, page(&content, at));
            }
        }
        self.durable.resize(content.len(), 0);
        self.lens = BTreeSet::from([content.len()]);
        self.clean = content;
        self.dirty.clear();
    }

    /// The bytes after a loss of power.
    pub(super) fn crashed(&self, choose: &mut dyn Choose) -> Vec<u8> {
        let content = self.content();
        let dirty = self.dirty_pages(&content);
        let mut bytes = self.durable.clone();
        let mut lens = self.lens.clone();
        lens.insert(self.durable.len());
        lens.insert(content.len());
        if !dirty.is_empty() {
            match choose.below(3) {
                0 => dirty.iter().for_each(|at| set_page(&mut bytes, *at, page(&content, *at))),
                1 => {}
                _ => {
                    for at in &dirty {
                        let new = crashed_page(page(&self.durable, *at), page(&content, *at), choose);
                        set_page(&mut bytes, *at, &new);
                    }
                }
            }
        }
        let len = if lens.len() > 1 { choose.below(lens.len()) } else { 0 };
        bytes.resize(lens.into_iter().nth(len).unwrap_or_default(), 0);
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

fn page(bytes: &[u8], at: usize) -> &[u8] {
    let start = (at * PAGE_BYTES).min(bytes.len());
    let end = (start + PAGE_BYTES).min(bytes.len());
    bytes.get(start..end).unwrap_or_default()
}

fn set_page(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    let (start, end) = (at * PAGE_BYTES, (at + 1) * PAGE_BYTES);
    if bytes.len() < start + new.len() {
        bytes.resize(start + new.len(), 0);
    }
    let end = end.min(bytes.len());
    if let Some(target) = bytes.get_mut(start..end) {
        target.fill(0);
        for (target, new) in target.iter_mut().zip(new) {
            *target = *new;
        }
    }
}

/// A page that was being written when the power went: the old one, the new one, or a mixture.
fn crashed_page(old: &[u8], new: &[u8], choose: &mut dyn Choose) -> Vec<u8> {
    let byte = |bytes: &[u8], at: usize| bytes.get(at).copied().unwrap_or(0);
    let len = old.len().max(new.len());
    match choose.below(4) {
        0 => old.to_vec(),
        1 => new.to_vec(),
        // Sector by sector.
        2 => {
            let kept: Vec<bool> = (0..PAGE_BYTES / SECTOR_BYTES).map(|_| choose.below(2) == 0).collect();
            let is_new = |at: usize| kept.get(at / SECTOR_BYTES).copied().unwrap_or(false);
            (0..len).map(|at| if is_new(at) { byte(new, at) } else { byte(old, at) }).collect()
        }
        // The page went to the disk in the middle of a copy into it.
        _ => {
            let cut = choose.below(len.max(1));
            (0..len).map(|at| if at < cut { byte(new, at) } else { byte(old, at) }).collect()
        }
    }
}
