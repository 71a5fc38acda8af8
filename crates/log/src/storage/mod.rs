//! The one door to the file system.
//!
//! Everything the log does to files goes through [`Storage`] and [`File`], mapped windows included, so that
//! a simulated disk can stand behind them and lose, tear and reorder what was not synced. [`Disk`] is the
//! real one.

mod claims;
mod disk;
mod region;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::IoError;

pub use disk::Disk;
pub(crate) use region::{Appender, Region};
pub use region::{HeapPeek, Window};

/// What a file is opened or mapped for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name, without the directory.
    pub name: String,
    /// Whether it is a directory, or a link to one. A link that leads nowhere counts as one too: what it stands
    /// for may come back, so it has to be an error for who goes there, and not be taken for nothing.
    pub is_dir: bool,
}

/// A lock that is held until it is dropped.
pub trait LockGuard: Send + Sync + fmt::Debug {}

/// A file system, as far as the log needs one.
///
/// What an operation did survives a loss of power only after the sync that covers it: [`File::sync_data`] for
/// the bytes and the length of a file, [`Storage::sync_dir`] for the names in a directory.
pub trait Storage: Send + Sync + fmt::Debug {
    /// Lists a directory, in any order. Names that are not UTF-8 are left out.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] when there is no such directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;

    /// Creates a directory and those above it that are missing. It is no error when it exists.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Creates a directory where there is none, in one that exists.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AlreadyExists`] when there is something of this name.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Opens a file that exists.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] when there is no such file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>>;

    /// Creates an empty file for reading and writing, or empties the one that is there.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Creates an empty file for reading and writing where there is none.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AlreadyExists`] when there is something of this name.
    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name in the same directory, replacing what has that name.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Mappings of it live on.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    ///
    /// What the operating system refuses; then nothing is known of the names.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock that the file at `path` stands for, creating the file; `None` when another holder, in
    /// this process or another one, has it.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>>;
}

/// An open file.
pub trait File: Send + Sync + fmt::Debug {
    /// The file's length in bytes.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn size(&self) -> io::Result<u64>;

    /// Reads some bytes from a position on; 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize>;

    /// Writes some of `bytes` at a position and tells how many.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize>;

    /// Makes the file shorter, or longer by zeros that need no space.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Gives the bytes from `from` to `to`, which lie at the end of the file, space on the disk, and makes the
    /// file `to` bytes long. They read as zeros. After success, writing there through a mapping cannot fail
    /// for lack of space.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::StorageFull`] when the disk is full; the file may have become longer.
    fn allocate(&self, from: u64, to: u64) -> io::Result<()>;

    /// Told before the bytes from `from` to `to` are first written through a mapping: a storage may do what makes that
    /// cheap. They are allocated and read as zeros, before and after; what goes wrong here goes wrong in silence. Does
    /// nothing unless it is overridden.
    fn prepare(&self, from: u64, to: u64) {
        let _ = (from, to);
    }

    /// Asked to write these bytes at once where they are about to be written through a mapping, so that every mapping of the
    /// file shows them when it returns. They are allocated, and nobody has written or read there. False when the storage does not,
    /// whatever it has written: then they are written through the mapping. Does nothing unless it is overridden.
    fn fill(&self, position: u64, bytes: &[u8]) -> bool {
        let _ = (position, bytes);
        false
    }

    /// Makes the file's bytes, those written through mappings too, and its length durable.
    ///
    /// # Errors
    ///
    /// What the operating system refuses; then nothing is known of what was not durable before, and calling
    /// it again proves nothing.
    fn sync_data(&self) -> io::Result<()>;

    /// Maps the file's first `capacity` bytes. For [`Access::ReadWrite`] the capacity may lie beyond the end
    /// of the file; only space that the file has is touched. For [`Access::Read`] the file has to have that
    /// length.
    ///
    /// # Errors
    ///
    /// What the operating system refuses; [`io::ErrorKind::UnexpectedEof`] for reading beyond the end.
    fn map(&self, capacity: usize, access: Access) -> io::Result<Window>;
}

/// Reads until `into` is full or the file ends; tells how many bytes were read.
pub(crate) fn read_full_at(file: &dyn File, into: &mut [u8], position: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, position.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// No file that is read whole may be larger: an index, the largest of them, cannot be.
const WHOLE_BYTES_MAX: u64 = 0x7fff_ffff;

/// Reads the whole file. One that is too large for what it should be, a file full of holes too, is an error.
pub(crate) fn read_whole(file: &dyn File) -> io::Result<Vec<u8>> {
    let size = Some(file.size()?).filter(|size| *size <= WHOLE_BYTES_MAX);
    let size = size.and_then(|size| usize::try_from(size).ok()).ok_or(io::ErrorKind::FileTooLarge)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(size, 0);
    let read = read_full_at(file, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Reads a small file whole; `None` when it is missing.
pub(crate) fn read_if_there(storage: &dyn Storage, path: &Path) -> Result<Option<Vec<u8>>, IoError> {
    match storage.open(path, Access::Read) {
        Ok(file) => read_whole(&*file).map(Some).map_err(IoError::of("read", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(IoError::new("open", path, error)),
    }
}

/// Removes a file, unless it is gone already.
pub(crate) fn remove_if_there(storage: &dyn Storage, path: &Path) -> Result<(), IoError> {
    match storage.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(IoError::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Writes all of `bytes`, however few the file takes at once.
pub(crate) fn write_all_at(file: &dyn File, bytes: &[u8], position: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match file.write_at(rest, position.saturating_add(done as u64)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes a file so that after a crash it is there whole, as it was before or as it is now.
pub(crate) fn replace_file(
    storage: &dyn Storage,
    dir: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<(), IoError> {
    exchange_file(storage, dir, name, bytes)?;
    storage.sync_dir(dir).map_err(IoError::of("sync", dir))
}

/// The same before the directory is synced. The old file is not touched: who has it mapped keeps it.
pub(crate) fn exchange_file(
    storage: &dyn Storage,
    dir: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<(), IoError> {
    let temporary = dir.join(format!("{name}.tmp"));
    let path = dir.join(name);
    let file = storage.create(&temporary).map_err(IoError::of("create", &temporary))?;
    write_all_at(&*file, bytes, 0).map_err(IoError::of("write", &temporary))?;
    file.sync_data().map_err(IoError::of("sync", &temporary))?;
    storage.rename(&temporary, &path).map_err(IoError::of("replace", &path))
}
