//! What was sent is what is read: order, batches, partitions, receipts.

use std::time::Duration;

use headwater_log::producer::{ProducerOptions, SendError};
use headwater_log::{Ack, Clock, Log, Partition, ReadUpTo, Record, Topic, TopicOptions};

use crate::bed::{Bed, check_all, payload, read_all, small};

/// A producer that nobody drives but the test.
fn driven() -> ProducerOptions {
    ProducerOptions::default().thread(false).batch_bytes(1024).buffer_bytes_max(64 << 10)
}

fn topic(log: &Log, partitions: u32) -> Topic {
    log.create_topic("t", small().partitions(partitions)).unwrap()
}

fn batches(partition: &Partition) -> Vec<u32> {
    let (mut counts, mut from) = (Vec::new(), partition.start_offset());
    loop {
        let fetched = partition.read_up_to(ReadUpTo::Appended, from, 1 << 20).unwrap();
        if fetched.is_empty() {
            return counts;
        }
        counts.extend(fetched.batches().map(|batch| batch.unwrap().record_count()));
        from = fetched.next_offset();
    }
}

#[test]
fn a_receipt_tells_where_the_record_is() {
    for ack in [Ack::Appended, Ack::Durable] {
        for thread in [false, true] {
            let bed = Bed::new(0);
            let log = bed.open();
            let topic = topic(&log, 1);
            let partition = topic.partition(0).unwrap();
            let producer = log.producer(driven().thread(thread).ack(ack)).unwrap();
            let sender = producer.sender(&topic);
            let receipts: Vec<_> =
                (0..100).map(|offset| sender.send(&Record::new(&payload(offset))).unwrap()).collect();
            for (offset, receipt) in (0..).zip(&receipts) {
                let at = receipt.wait().unwrap();
                assert_eq!((at.position.partition, at.position.offset), (0, offset));
                assert_eq!(at.timestamp, bed.clock.now_ms());
                assert!(ack == Ack::Appended || partition.durable_end() > offset);
            }
            partition.sync().unwrap();
            assert_eq!(check_all(&partition), 100);
            let counts = batches(&partition);
            assert!(counts.len() < 20, "{counts:?}");
            producer.close().unwrap();
            assert!(matches!(sender.send(&Record::new("x")), Err(SendError::Closed)));
            log.close().unwrap();
        }
    }
}
