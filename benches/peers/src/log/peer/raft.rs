//! `raft-engine`: one group of Raft, an entry for each record, without its compression.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};

use super::{ByNumber, Durable, Peer};

/// The only group.
const GROUP: u64 = 1;

/// Its engine, and the index of the last entry.
pub struct Raft {
    engine: Engine,
    batch: LogBatch,
    last: u64,
    /// Of groups that threads have for themselves, the last.
    groups: AtomicU64,
}

/// An entry: its index in the first eight bytes, the record behind them.
#[derive(Clone)]
struct Entries;

impl MessageExt for Entries {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        entry.get_value().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
    }
}

fn entry(index: u64, record: &[u8]) -> BytesValue {
    let mut value = Vec::with_capacity(8 + record.len());
    value.extend_from_slice(&index.to_le_bytes());
    value.extend_from_slice(record);
    let mut entry = BytesValue::new();
    entry.set_value(value);
    entry
}

fn record(entry: &BytesValue) -> &[u8] {
    entry.get_value().get(8..).unwrap_or_default()
}

impl Peer for Raft {
    const NAME: &'static str = "raft-engine";

    fn open(dir: &Path) -> Self {
        let config = Config {
            dir: dir.join("raft").to_string_lossy().into_owned(),
            batch_compression_threshold: ReadableSize(0),
            ..Config::default()
        };
        let engine = Engine::open(config).unwrap_or_else(|error| panic!("{error}"));
        let last = engine.last_index(GROUP).unwrap_or(0);
        Self { engine, batch: LogBatch::default(), last, groups: AtomicU64::new(GROUP) }
    }

    #[inline]
    fn append(&mut self, record: &[u8]) {
        self.append_batch(&[record]);
    }

    fn append_batch(&mut self, records: &[&[u8]]) {
        let entries: Vec<_> =
            (self.last + 1..).zip(records).map(|(index, record)| entry(index, record)).collect();
        self.last += records.len() as u64;
        let added = self.batch.add_entries::<Entries>(GROUP, &entries);
        added.unwrap_or_else(|error| panic!("{error}"));
        self.engine.write(&mut self.batch, false).unwrap_or_else(|error| panic!("{error}"));
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) {
        let Some(mut next) = self.engine.first_index(GROUP) else { return };
        let mut entries = Vec::new();
        while next <= self.last {
            entries.clear();
            let end = (next + 1024).min(self.last + 1);
            let fetched =
                self.engine.fetch_entries_to::<Entries>(GROUP, next, end, Some(1 << 20), &mut entries);
            next += fetched.unwrap_or_else(|error| panic!("{error}")) as u64;
            entries.iter().for_each(|entry| visit(record(entry)));
        }
    }
}

impl ByNumber for Raft {
    fn read_at(&mut self, number: u64, visit: &mut dyn FnMut(&[u8])) {
        let entry =
            self.engine.get_entry::<Entries>(GROUP, number + 1).unwrap_or_else(|error| panic!("{error}"));
        visit(entry.as_ref().map(record).unwrap_or_default());
    }
}

impl Durable for Raft {
    const NAME: &'static str = "raft-engine";

    fn open(dir: &Path) -> Self {
        <Self as Peer>::open(dir)
    }

    /// Each call an entry of a group of its own: entries of one group have to come in order, from one thread.
    fn append(&self, record: &[u8]) {
        let group = self.groups.fetch_add(1, Ordering::Relaxed);
        let mut batch = LogBatch::with_capacity(1);
        let added = batch.add_entries::<Entries>(group, &[entry(1, record)]);
        added.unwrap_or_else(|error| panic!("{error}"));
        self.engine.write(&mut batch, true).unwrap_or_else(|error| panic!("{error}"));
    }
}
