use std::io;
use std::path::{Path, PathBuf};

/// An error of the operating system, with the operation and the path it concerns.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}: {source}", path.display())]
pub struct IoError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The operation after which nothing is known of what was not durable before.
const SYNC: &str = "sync";

impl IoError {
    pub(crate) fn new(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self { operation, path: path.to_owned(), source }
    }

    /// Returns what turns an [`io::Error`] into this type: `.map_err(IoError::of("open", path))`.
    pub(crate) fn of(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::new(operation, path, source)
    }

    /// What was attempted, as a verb: `open`, `sync`, `allocate`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The file or directory it was attempted on.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kind of the operating system's error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether a sync failed. It is never tried again.
    pub(crate) fn is_sync(&self) -> bool {
        self.operation == SYNC
    }

    /// Whether the disk, or the user's share of it, is full.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
}
