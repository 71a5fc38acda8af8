//! Who makes the records up, from a seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use headwater_log::{Ack, Clock, Compression, Header, Log, Partition, ReadUpTo, Record};

use super::{Outcome, Told};

/// What one record is made of.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What was appended to a partition, by offset.
pub(crate) type Known = BTreeMap<u64, Sample>;

/// Who makes the records up.
pub(crate) struct Author {
    pub(crate) random: Rng,
    pub(crate) clock: Arc<Told>,
    /// Batches that were appended, as a producer would send them, and what is in them.
    encoded: Vec<(Vec<u8>, Vec<Sample>)>,
    /// Whether batches are compressed.
    pub(crate) packs: bool,
}

impl Author {
    pub(crate) fn new(seed: u64, clock: Arc<Told>) -> Self {
        Self { random: Rng::with_seed(seed), clock, encoded: Vec::new(), packs: false }
    }

    pub(crate) fn sample(&mut self) -> Sample {
        let names = ["", "mqtt.qos", "trace", "trace", "\u{2603} in UTF-8", "null"];
        let largest = if self.random.u8(..100) == 0 { 40_000 } else { 300 };
        let count = self.random.usize(..5);
        let headers = (0..count)
            .map(|_| (names[self.random.usize(..names.len())].to_owned(), self.content(30)))
            .collect();
        // Mostly as late as the batch before or later, often back, seldom ahead, once in a while at the very beginning.
        let wander = match self.random.u16(..400) {
            0 => self.random.i64(0..2_000_000),
            1..=100 => self.random.i64(-5_000_000..0),
            _ => 0,
        };
        let timestamp = if self.random.u8(..200) == 0 { 0 } else { self.clock.now_ms() + wander };
        Sample { timestamp, key: self.content(40), value: self.content(largest), headers }
    }

    /// Null, empty, or bytes of any kind.
    pub(crate) fn content(&mut self, largest: usize) -> Option<Vec<u8>> {
        match self.random.u8(..10) {
            0 => None,
            1 => Some(Vec::new()),
            // The same all along, or what no codec makes smaller.
            2..=4 => Some(vec![self.random.u8(..); self.random.usize(1..=largest)]),
            _ => {
                let bytes = self.random.usize(1..=largest);
                Some((0..bytes).map(|_| self.random.u8(..)).collect())
            }
        }
    }

    /// Sets what the next batches are compressed with; seldom it is left to who encodes them.
    pub(crate) fn choose_codec(&mut self, log: &Log, topic: &str) -> Outcome<()> {
        let codecs =
            [Compression::Lz4, Compression::ZSTD, Compression::Snappy, Compression::GZIP, Compression::None];
        let options = log.topic(topic).ok_or("no such topic")?.options();
        log.alter_topic(topic, options.compression(codecs.get(self.random.usize(..7)).copied()))?;
        Ok(())
    }

    /// Appends batches: of one record, of many, and earlier ones that are encoded already.
    pub(crate) fn fill(
        &mut self,
        log: &Log,
        partition: &Partition,
        stamped: bool,
        batches: u64,
    ) -> Outcome<Known> {
        let mut known = Known::new();
        for number in 0..batches {
            // Half of the batches at the time of the one before: the first of those is the one that the time index names.
            let step = if self.random.bool() { 0 } else { self.random.i64(0..900_000) };
            let now_ms = self.clock.now_ms() + step;
            self.clock.0.store(now_ms, Ordering::Relaxed);
            if self.packs {
                self.choose_codec(log, partition.topic())?;
            }
            let (offset, mut samples) = if number % 10 == 9 {
                let (batch, samples) = &self.encoded[self.random.usize(..self.encoded.len())];
                (partition.append_record_batch(batch, Ack::Appended)?, samples.clone())
            } else {
                let count = if number % 3 == 0 { 1 } else { self.random.usize(2..30) };
                let samples: Vec<_> = (0..count).map(|_| self.sample()).collect();
                (append_samples(partition, &samples)?, samples)
            };
            if stamped {
                samples.iter_mut().for_each(|sample| sample.timestamp = now_ms);
            } else {
                self.encoded.push((as_sent(partition, offset)?, samples.clone()));
            }
            known.extend((offset..).zip(samples));
            if number % 40 == 0 {
                partition.sync()?;
            }
        }
        partition.sync()?;
        Ok(known)
    }
}

pub(crate) fn append_samples(partition: &Partition, samples: &[Sample]) -> Outcome<u64> {
    let headers: Vec<Vec<Header<'_>>> = samples
        .iter()
        .map(|sample| {
            sample.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect()
        })
        .collect();
    let records: Vec<_> = samples
        .iter()
        .zip(&headers)
        .map(|(sample, headers)| Record {
            timestamp: Some(sample.timestamp),
            key: sample.key.as_deref(),
            value: sample.value.as_deref(),
            headers,
        })
        .collect();
    Ok(partition.append_batch(&records, Ack::Appended)?)
}

/// The batch at an offset with the base offset that a producer gives it.
fn as_sent(partition: &Partition, offset: u64) -> Outcome<Vec<u8>> {
    let mut batch = partition.read_up_to(ReadUpTo::Appended, offset, 1)?.bytes().to_vec();
    batch[..8].fill(0);
    Ok(batch)
}
