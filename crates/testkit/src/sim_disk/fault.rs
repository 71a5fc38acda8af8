use std::io;
use std::path::Path;

/// An operation of a [`SimDisk`](super::SimDisk).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Op {
    List,
    CreateDirAll,
    CreateDir,
    RemoveDir,
    Open,
    Create,
    CreateNew,
    Rename,
    Remove,
    SyncDir,
    Lock,
    Size,
    Read,
    Write,
    SetLen,
    Allocate,
    SyncData,
    Map,
}

/// An operation that fails.
///
/// # Examples
///
/// ```
/// use headwater_testkit::sim_disk::{Fault, Op};
///
/// // The second sync of a segment from now on, and none after it.
/// let fault = Fault::on(Op::SyncData).path_end(".log").skip(1);
/// # let _ = fault;
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    op: Option<Op>,
    path_end: Option<String>,
    skip: u64,
    times: u64,
    kind: io::ErrorKind,
}

impl Fault {
    /// The next call of this operation fails, once, with an error like EIO.
    #[must_use]
    pub fn on(op: Op) -> Self {
        Self { op: Some(op), ..Self::on_any() }
    }

    /// The next call of any operation fails.
    #[must_use]
    pub fn on_any() -> Self {
        Self { op: None, path_end: None, skip: 0, times: 1, kind: io::ErrorKind::Other }
    }

    /// Only on paths that end so.
    #[must_use]
    pub fn path_end(self, end: &str) -> Self {
        Self { path_end: Some(end.to_owned()), ..self }
    }

    /// Not the next so many calls, but those after them.
    #[must_use]
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Every call from then on.
    #[must_use]
    pub fn for_good(self) -> Self {
        Self { times: u64::MAX, ..self }
    }

    /// With this error.
    #[must_use]
    pub fn kind(self, kind: io::ErrorKind) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn strike(&mut self, op: Op, path: &Path) -> io::Result<()> {
        let meant = self.op.is_none_or(|meant| meant == op)
            && self.path_end.as_ref().is_none_or(|end| path.to_string_lossy().ends_with(end.as_str()));
        if !meant {
            return Ok(());
        }
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        if self.times == 0 {
            return Ok(());
        }
        self.times -= 1;
        Err(io::Error::new(self.kind, "injected"))
    }
}
