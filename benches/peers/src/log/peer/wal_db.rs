//! `wal-db`: one positioned write a call, CRC-32C, group commit.

use std::path::Path;

use wal_db::{FileStore, Lsn, Wal};

use super::{ByNumber, Durable, Peer};

/// Its log, and where each record is: it finds a record by its position only.
pub struct WalDb {
    wal: Wal<FileStore>,
    places: Vec<Lsn>,
}

impl Peer for WalDb {
    const NAME: &'static str = "wal-db";

    fn open(dir: &Path) -> Self {
        let wal = Wal::open(dir.join("wal")).unwrap_or_else(|error| panic!("{error}"));
        Self { wal, places: Vec::new() }
    }

    #[inline]
    fn append(&mut self, record: &[u8]) {
        let place = self.wal.append(record).unwrap_or_else(|error| panic!("{error}"));
        self.places.push(place);
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) {
        for record in self.wal.iter().unwrap_or_else(|error| panic!("{error}")) {
            visit(record.unwrap_or_else(|error| panic!("{error}")).data());
        }
    }
}

impl ByNumber for WalDb {
    fn read_at(&mut self, number: u64, visit: &mut dyn FnMut(&[u8])) {
        let Some(place) = self.places.get(number as usize) else { return };
        let mut records = self.wal.iter_from(*place).unwrap_or_else(|error| panic!("{error}"));
        if let Some(Ok(record)) = records.next() {
            visit(record.data());
        }
    }
}

impl Durable for WalDb {
    const NAME: &'static str = "wal-db";

    fn open(dir: &Path) -> Self {
        <Self as Peer>::open(dir)
    }

    fn append(&self, record: &[u8]) {
        let _place = self.wal.append_and_sync(record).unwrap_or_else(|error| panic!("{error}"));
    }
}
