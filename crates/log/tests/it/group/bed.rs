//! A log with topics whose records say where they are, and members that read it.

use std::time::Duration;

use headwater_log::{
    Ack, Consumer, ConsumerEvent, ConsumerOptions, ConsumerRecords, Log, OffsetReset, Record, TopicOptions,
    TopicPartition,
};

use crate::bed::{Bed, payload};

pub(crate) const GROUP: &str = "g";
pub(crate) const INTERVAL_MS: i64 = 1000;

pub(crate) fn earliest() -> ConsumerOptions {
    ConsumerOptions::default()
        .auto_offset_reset(OffsetReset::Earliest)
        .max_poll_interval_ms(INTERVAL_MS.unsigned_abs())
}

pub(crate) fn at(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// A log with one topic of so many partitions, each with so many records.
pub(crate) fn log(bed: &Bed, topic: &str, partitions: u32, records: u64) -> Log {
    let log = bed.open();
    create(&log, bed.topic, topic, partitions, records);
    log
}

pub(crate) fn create(log: &Log, options: TopicOptions, topic: &str, partitions: u32, records: u64) {
    let topic = log.open_or_create_topic(topic, options.partitions(partitions)).unwrap();
    for number in 0..partitions {
        fill(log, topic.name(), number, records);
    }
}

/// Appends records, and makes them durable.
pub(crate) fn fill(log: &Log, topic: &str, partition: u32, records: u64) {
    let partition = log.topic(topic).unwrap().partition(partition).unwrap();
    for _ in 0..records {
        let value = payload(partition.appended_end());
        partition.append(&Record::new(&value), Ack::Appended).unwrap();
    }
    partition.sync().unwrap();
}

pub(crate) fn join(log: &Log, topic: &str) -> Consumer {
    log.consumer_with(GROUP, [topic], earliest()).unwrap()
}

/// What a member has to tell now; it does not wait.
pub(crate) fn event(member: &mut Consumer) -> Option<ConsumerEvent> {
    member.poll_event(Duration::ZERO).unwrap()
}

/// Polls until the member is told of no more changes, and gives what it was told; records that come are put aside.
pub(crate) fn settle(member: &mut Consumer) -> Vec<ConsumerEvent> {
    let mut told = Vec::new();
    loop {
        match event(member) {
            None | Some(ConsumerEvent::Records(_)) => return told,
            Some(other) => told.push(other),
        }
    }
}

/// Records now, or nothing.
pub(crate) fn records(member: &mut Consumer) -> Option<ConsumerRecords> {
    member.poll(Duration::ZERO).unwrap()
}

/// The offsets of the records, each of which is checked.
pub(crate) fn offsets(records: &ConsumerRecords) -> Vec<u64> {
    let offset = |record: Result<headwater_log::RecordView<'_>, _>| {
        let record = record.unwrap();
        assert_eq!(record.value, Some(payload(record.offset).as_slice()));
        record.offset
    };
    records.views().map(offset).collect()
}

pub(crate) fn assigned(member: &Consumer) -> Vec<String> {
    member.assignment().map(ToString::to_string).collect()
}
