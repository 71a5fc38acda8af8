//! The files that this process has mapped, so that no two parts of it disagree on who may write what.
//!
//! ```text
//!                     a region is there ...      with an appender         without one
//!   make an appender                             no                       at or behind its end
//!   make a region that is only read              up to its end            yes
//!   cut the file                                 not before its end       not before its end
//! ```
//!
//! The lock on the directory sees to that already. But a [`Storage`](super::Storage) may be anybody's, and one whose
//! lock lets everybody in should cost an error, not a slice whose bytes change. Files are told apart by device and
//! inode; where there are none this checks nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::{Arc, Weak};

use super::region::Region;
use crate::sync::Mutex;

/// A file, by whatever name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
pub(super) fn identify(file: &fs::File) -> io::Result<Option<Identity>> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata()?;
    Ok(Some(Identity { device: metadata.dev(), inode: metadata.ino() }))
}

#[cfg(not(unix))]
pub(super) fn identify(_file: &fs::File) -> io::Result<Option<Identity>> {
    Ok(None)
}

#[derive(Debug)]
struct Claims {
    files: BTreeMap<Identity, Vec<Weak<Region>>>,
    /// How many files there were when those without a mapping were last forgotten.
    swept: usize,
}

static CLAIMS: Mutex<Claims> = Mutex::new(Claims { files: BTreeMap::new(), swept: 0 });

/// Files that nobody has mapped any more are forgotten when there are this many more than the last time, and twice as
/// many.
const SWEEP_MIN: usize = 1024;

impl Claims {
    /// The regions of a file that somebody still has. Whoever gets them drops them outside of the lock.
    fn regions(&mut self, file: Identity) -> Vec<Arc<Region>> {
        self.files.get(&file).into_iter().flatten().filter_map(Weak::upgrade).collect()
    }

    fn add(&mut self, file: Identity, region: &Arc<Region>) {
        let regions = self.files.entry(file).or_default();
        regions.retain(|region| region.strong_count() > 0);
        regions.push(Arc::downgrade(region));
        if self.files.len() > self.swept.saturating_mul(2).saturating_add(SWEEP_MIN) {
            self.files.retain(|_, regions| regions.iter().any(|region| region.strong_count() > 0));
            self.swept = self.files.len();
        }
    }
}

/// Notes a region of a file, unless it contradicts another one.
pub(super) fn claim(file: Option<Identity>, region: &Arc<Region>) -> io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let fits = |other: &Arc<Region>| match (region.has_appender(), other.has_appender()) {
        (true, true) => false,
        (true, false) => other.published() <= region.published(),
        (false, true) => region.published() <= other.published(),
        (false, false) => true,
    };
    let mut claims = CLAIMS.lock();
    let others = claims.regions(file);
    let fit = others.iter().all(fits);
    if fit {
        claims.add(file, region);
    }
    drop(claims);
    drop(others);
    if fit { Ok(()) } else { Err(io::ErrorKind::ResourceBusy.into()) }
}

/// Checks that nobody has bytes of a file that are about to be cut.
pub(super) fn check_cut(file: Option<Identity>, len: u64) -> io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let regions = CLAIMS.lock().regions(file);
    let whole = regions.iter().all(|region| region.published() as u64 <= len);
    if whole { Ok(()) } else { Err(io::ErrorKind::ResourceBusy.into()) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::region::Window;
    use super::super::{Access, File, Storage};
    use super::*;

    fn file(dir: &tempfile::TempDir) -> Arc<dyn File> {
        let file = super::super::Disk.create(&dir.path().join("a")).unwrap();
        file.set_len(100).unwrap();
        file
    }

    fn window(file: &Arc<dyn File>, access: Access) -> Window {
        file.map(100, access).unwrap()
    }

    fn busy<T>(outcome: io::Result<T>) -> bool {
        outcome.is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
    }

    #[test]
    fn a_file_has_one_writer_whoever_opened_it() {
        let dir = tempfile::tempdir().unwrap();
        let one = file(&dir);
        let other = super::super::Disk.open(&dir.path().join("a"), Access::ReadWrite).unwrap();
        let appender = window(&one, Access::ReadWrite).into_appender(0, 100).unwrap();
        assert!(busy(window(&other, Access::ReadWrite).into_appender(0, 100)));
        drop(appender);
        window(&other, Access::ReadWrite).into_appender(0, 100).unwrap();
    }

    #[test]
    fn nobody_writes_or_cuts_what_somebody_reads() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        let mut appender = window(&file, Access::ReadWrite).into_appender(0, 100).unwrap();
        appender.append(40, |spare| spare.fill(7)).unwrap();
        let slice = appender.region().slice(0..40).unwrap();
        assert!(busy(window(&file, Access::Read).freeze(41)), "the rest is still written");
        let frozen = window(&file, Access::Read).freeze(40).unwrap();
        drop(appender);
        for _ in 0..2 {
            assert!(busy(window(&file, Access::ReadWrite).into_appender(39, 100)));
            assert!(busy(file.set_len(39)));
        }
        window(&file, Access::ReadWrite).into_appender(40, 100).unwrap();
        file.set_len(40).unwrap();
        drop((slice, frozen));
        file.set_len(0).unwrap();
    }
}
