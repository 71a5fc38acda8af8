use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{Access, DirEntry, File, LockGuard, Storage, Window, claims};

/// The file system of the operating system.
///
/// On Linux the lock is an open-file-description record lock, which excludes a running Kafka too (Java's
/// file lock is a record lock), and space is allocated by `fallocate`. Elsewhere the lock is the standard
/// library's, and space is allocated by writing zeros.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Storage for Disk {
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                let kind = entry.file_type()?;
                // A partition may lie on another disk, behind a link.
                let is_dir = if kind.is_symlink() {
                    fs::metadata(entry.path()).map_or(true, |target| target.is_dir())
                } else {
                    kind.is_dir()
                };
                entries.push(DirEntry { name, is_dir });
            }
        }
        Ok(entries)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(access == Access::ReadWrite).open(path)?;
        Ok(Arc::new(DiskFile { file }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Arc::new(DiskFile { file }))
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(DiskFile { file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    #[cfg(unix)]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(()) // A directory cannot be opened for a sync there; its names are journalled.
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        loop {
            // The file is not truncated: that would be a write into somebody else's directory.
            let file =
                fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            if !try_lock(&file)? {
                return Ok(None);
            }
            // A Kafka broker deletes the file when it stops. Who had opened it before holds a file without a name.
            if is_named(&file, path)? {
                return Ok(Some(Box::new(DiskLock { _file: file })));
            }
        }
    }
}

#[derive(Debug)]
struct DiskLock {
    _file: fs::File, // The lock goes with the description.
}

impl LockGuard for DiskLock {}

/// Whether the path still leads to this file.
#[cfg(unix)]
fn is_named(file: &fs::File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((held.dev(), held.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_named(_file: &fs::File, _path: &Path) -> io::Result<bool> {
    Ok(true) // An open file cannot be deleted there.
}

#[cfg(target_os = "linux")]
fn try_lock(file: &fs::File) -> io::Result<bool> {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    let whole_file = libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0, // Has to be 0 for this kind of lock, fcntl(2).
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn try_lock(file: &fs::File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

#[derive(Debug)]
struct DiskFile {
    file: fs::File,
}

impl DiskFile {
    /// Allocates by writing: for file systems without `fallocate`.
    fn write_zeros(&self, from: u64, to: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut at = from;
        while at < to {
            let len = usize::try_from(to - at).unwrap_or(usize::MAX).min(ZEROS.len());
            super::write_all_at(self, ZEROS.get(..len).unwrap_or(&ZEROS), at)?;
            at += len as u64;
        }
        Ok(())
    }
}

impl File for DiskFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, into, position)
    }

    #[cfg(windows)]
    fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, into, position)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.file, bytes, position)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(&self.file, bytes, position)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len < self.size()? {
            claims::check_cut(claims::identify(&self.file)?, len)?;
        }
        self.file.set_len(len)
    }

    #[cfg(target_os = "linux")]
    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        use nix::errno::Errno;
        use nix::fcntl::{FallocateFlags, fallocate};

        let too_large = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        let start = i64::try_from(from).map_err(too_large)?;
        let len = i64::try_from(to.saturating_sub(from)).map_err(too_large)?;
        loop {
            match fallocate(&self.file, FallocateFlags::empty(), start, len) {
                Ok(()) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => return self.write_zeros(from, to),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
        self.write_zeros(from, to)
    }

    /// Writes the zeros that are there already: one call makes all the pages, where each would cost a fault of its own that takes
    /// longer, and the file system has no extents to convert at the next sync.
    #[cfg(target_os = "linux")]
    fn prepare(&self, from: u64, to: u64) {
        let _ = self.write_zeros(from, to);
    }

    /// On Linux a file and its mappings are the same pages. Of many bytes this is less work than a fault for each page.
    #[cfg(target_os = "linux")]
    fn fill(&self, position: u64, bytes: &[u8]) -> bool {
        super::write_all_at(self, bytes, position).is_ok()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn map(&self, capacity: usize, access: Access) -> io::Result<Window> {
        if access == Access::Read && self.size()? < capacity as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Window::map(&self.file, capacity, access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_lock_in_the_same_process_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let first = Disk.lock(&path).unwrap();
        assert!(first.is_some());
        assert!(Disk.lock(&path).unwrap().is_none());
        drop(first);
        assert!(Disk.lock(&path).unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_on_a_file_that_was_deleted_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let file = fs::File::create(&path).unwrap();
        assert!(is_named(&file, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!is_named(&file, &path).unwrap());
        fs::File::create(&path).unwrap();
        assert!(!is_named(&file, &path).unwrap());
    }

    #[test]
    fn allocated_space_reads_as_zeros_and_lengthens_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = Disk.create(&dir.path().join("a")).unwrap();
        file.write_at(b"abc", 0).unwrap();
        file.allocate(3, 9000).unwrap();
        let bytes = super::super::read_whole(&*file).unwrap();
        assert_eq!(bytes.len(), 9000);
        assert_eq!(bytes[..4], *b"abc\0");
    }

    #[test]
    fn zeros_are_written_where_the_file_system_cannot_allocate() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.path().join("a"))
            .unwrap();
        let file = DiskFile { file };
        file.write_zeros(10, 200_000).unwrap();
        assert_eq!(super::super::read_whole(&file).unwrap(), vec![0; 200_000]);
    }
}
