use std::io;
use std::path::{Path, PathBuf};

use headwater_log::storage::{Access, File, Window};

use super::inode::Inode;
use super::{Op, SimDisk, State};

/// An open file of a simulated disk.
#[derive(Debug)]
pub(super) struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    id: u64,
    access: Access,
}

impl SimFile {
    pub(super) fn new(disk: SimDisk, path: &Path, id: u64, access: Access) -> Self {
        Self { disk, path: path.to_owned(), id, access }
    }

    fn with<T>(&self, op: Op, act: impl FnOnce(&mut State, &mut Inode) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.lock_state();
        if op == Op::SyncData {
            state.keep_moment();
        }
        let counted = state.count(op, &self.path);
        // Taken out, so that the whole state can be asked while the file changes.
        let mut inode = state.inodes.remove(&self.id).unwrap_or_default();
        let outcome = match counted {
            Ok(()) => act(&mut state, &mut inode),
            Err(error) => {
                if op == Op::SyncData && !state.halted {
                    // As Linux does it: some pages were written, and all count as written.
                    let random = &mut state.random;
                    inode.sync(|| random.bool());
                }
                Err(error)
            }
        };
        state.inodes.insert(self.id, inode);
        outcome
    }

    fn check_writable(&self) -> io::Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::Read => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

fn usize_of(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl State {
    /// How much of a transfer is done at once, or that it is interrupted.
    fn transfer(&mut self, len: usize) -> io::Result<usize> {
        if !self.short_io || len == 0 {
            return Ok(len);
        }
        if self.random.u8(..4) == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(self.random.usize(1..=len))
    }
}

impl File for SimFile {
    fn size(&self) -> io::Result<u64> {
        self.with(Op::Size, |_, inode| Ok(inode.len() as u64))
    }

    fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize> {
        let position = usize_of(position)?;
        self.with(Op::Read, |state, inode| {
            let len = state.transfer(into.len())?;
            let bytes = inode.read(position, len);
            for (target, byte) in into.iter_mut().zip(&bytes) {
                *target = *byte;
            }
            Ok(bytes.len())
        })
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.check_writable()?;
        let position = usize_of(position)?;
        self.with(Op::Write, |state, inode| {
            let len = state.transfer(bytes.len())?;
            let more = position.saturating_add(len).saturating_sub(inode.len());
            state.check_space(more.saturating_add(if more > 0 { inode.len() } else { 0 }) as u64)?;
            inode.write(bytes.get(..len).unwrap_or(bytes), position)?;
            Ok(len)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let len = usize_of(len)?;
        self.with(Op::SetLen, |_, inode| inode.set_len(len))
    }

    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        self.check_writable()?;
        let to = usize_of(to)?;
        self.with(Op::Allocate, |state, inode| {
            if from >= to as u64 {
                // EINVAL, as of `fallocate` for no bytes.
                return Err(io::ErrorKind::InvalidInput.into());
            }
            // The file itself is not among the files while it changes.
            state.check_space(if to > inode.len() { to as u64 } else { 0 })?;
            if to > inode.len() { inode.set_len(to) } else { Ok(()) }
        })
    }

    /// Does nothing, but knows what may be prepared: space that the file has, and that nobody wrote to.
    fn prepare(&self, from: u64, to: u64) {
        let state = self.disk.lock_state();
        let Some((inode, (from, to))) =
            state.inodes.get(&self.id).zip(usize_of(from).ok().zip(usize_of(to).ok()))
        else {
            return;
        };
        let bytes = inode.read(from, to - from);
        assert!(bytes.len() == to - from, "prepared beyond the end of the file");
        assert!(bytes.iter().all(|byte| *byte == 0), "prepared where something is written");
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(Op::SyncData, |_, inode| {
            inode.sync(|| true);
            Ok(())
        })
    }

    fn map(&self, capacity: usize, access: Access) -> io::Result<Window> {
        if access == Access::ReadWrite {
            self.check_writable()?;
        }
        self.with(Op::Map, |_, inode| inode.map(capacity, access))
    }
}
