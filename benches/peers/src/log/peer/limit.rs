//! How fast it can be: the bytes of Kafka's batches, made by hand, with their checksum and nothing else.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memmap2::MmapMut;
use rustix::fs::{FallocateFlags, fallocate};

/// Names in the tables.
pub const MAP: &str = "LIMIT, map";
pub const WRITE: &str = "LIMIT, write";

/// What a record takes besides its value, as one of a batch and with the batch's header.
pub const RECORD_BYTES: usize = 9;
pub const BATCH_BYTES: usize = 61;

fn file(dir: &Path, bytes: u64) -> File {
    let options = File::options().create(true).truncate(true).read(true).write(true).open(dir.join("limit"));
    let file = options.unwrap_or_else(|error| panic!("{error}"));
    fallocate(&file, FallocateFlags::empty(), 0, bytes).unwrap_or_else(|error| panic!("{error}"));
    file
}

/// A mapped file with its space allocated: each append is a checksum and a copy.
#[derive(Debug)]
pub struct Mapped {
    map: MmapMut,
    at: usize,
}

impl Mapped {
    /// With room for so many bytes.
    #[expect(unsafe_code, reason = "mapping a file is unsafe: somebody may cut it")]
    pub fn new(dir: &Path, bytes: usize) -> Self {
        // SAFETY: nobody else has this file.
        let map = unsafe { MmapMut::map_mut(&file(dir, bytes as u64)) };
        Self { map: map.unwrap_or_else(|error| panic!("{error}")), at: 0 }
    }

    /// Appends the bytes of a batch.
    #[inline]
    pub fn append(&mut self, batch: &[u8]) {
        let crc = crc_fast::crc32_iscsi(batch.get(21..).unwrap_or_default());
        if let Some(to) = self.map.get_mut(self.at..self.at + batch.len()) {
            to.copy_from_slice(batch);
            if let Some(field) = to.get_mut(17..21) {
                field.copy_from_slice(&crc.to_be_bytes());
            }
        }
        self.at += batch.len();
    }

    /// What was appended.
    pub fn bytes(&self) -> &[u8] {
        self.map.get(..self.at).unwrap_or_default()
    }
}

/// A file with its space allocated: each append is a checksum and one positioned write.
#[derive(Debug)]
pub struct Written {
    file: File,
    at: u64,
}

impl Written {
    /// With room for so many bytes.
    pub fn new(dir: &Path, bytes: usize) -> Self {
        Self { file: file(dir, bytes as u64), at: 0 }
    }

    /// Appends the bytes of a batch.
    #[inline]
    pub fn append(&mut self, batch: &mut [u8]) {
        let crc = crc_fast::crc32_iscsi(batch.get(21..).unwrap_or_default());
        if let Some(field) = batch.get_mut(17..21) {
            field.copy_from_slice(&crc.to_be_bytes());
        }
        self.file.write_all_at(batch, self.at).unwrap_or_else(|error| panic!("{error}"));
        self.at += batch.len() as u64;
    }

    /// Waits for the disk.
    pub fn sync(&self) {
        self.file.sync_data().unwrap_or_else(|error| panic!("{error}"));
    }
}
