//! `kafko`: topics of partitions, each behind a task of its own that coalesces appends; one `write` a batch.

use std::path::Path;

use bytes::Bytes;
use kafko::{Consumer, LogConfig, Producer};
use tokio::runtime::Runtime;

use super::Peer;
use crate::log::bed::Content;

/// A topic of one partition, and the runtime that its task runs on.
pub struct Kafko {
    // In this order: the runtime goes last.
    producer: Producer,
    consumer: Consumer,
    broker: kafko::Kafko,
    count: u64,
    runtime: Runtime,
}

impl Peer for Kafko {
    const NAME: &'static str = "kafko";

    fn open(dir: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("{error}"));
        let opened = runtime.block_on(async {
            // As many bytes a batch as ours has, instead of 64 KiB.
            let config = LogConfig { batch_max_bytes: 128 << 10, ..LogConfig::default() };
            let broker = kafko::Kafko::open_with_config(dir.join("kafko"), config).await?;
            broker.create_topic("bench").await?;
            let (producer, consumer) =
                (broker.producer_for("bench").await?, broker.consumer_for("bench").await?);
            Ok::<_, kafko::KafkoError>((broker, producer, consumer))
        });
        let (broker, producer, consumer) = opened.unwrap_or_else(|error| panic!("{error}"));
        Self { producer, consumer, broker, count: 0, runtime }
    }

    fn append(&mut self, record: &[u8]) {
        self.append_batch(&[record]);
    }

    fn append_batch(&mut self, records: &[&[u8]]) {
        let items = records.iter().map(|record| (None, Bytes::copy_from_slice(record))).collect();
        self.runtime.block_on(self.producer.send_batch(items)).unwrap_or_else(|error| panic!("{error}"));
        self.count += records.len() as u64;
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) {
        for _ in 0..self.count {
            let record = self.runtime.block_on(self.consumer.next_record());
            visit(record.unwrap_or_else(|error| panic!("{error}")).value());
        }
    }

    /// It reads all of a segment behind a record to get the record, so only some are looked at: from the first to the last.
    fn check(&mut self, bytes: usize, count: u64) {
        assert_eq!(self.count, count);
        for number in (0..16).map(|place| place * (count - 1) / 15) {
            self.consumer.seek_all(number);
            let record = self.runtime.block_on(self.consumer.next_record());
            let record = record.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((record.value().len(), Content::number(record.value())), (bytes, Some(number)));
        }
    }

    fn close(self) {
        let Self { producer, consumer, broker, runtime, .. } = self;
        drop((producer, consumer));
        runtime.block_on(broker.shutdown()).unwrap_or_else(|error| panic!("{error}"));
    }
}
