//! What was sent is what is read: order, batches, partitions, receipts, memory.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use headwater_log::producer::{Producer, ProducerError, ProducerOptions, Receipt, SendError, Sender};
use headwater_log::{
    Ack, Clock, Codec, Compression, Header, Log, Partition, ReadUpTo, Record, TimestampType, Topic,
    TopicOptions,
};

use crate::bed::{Bed, check_all, payload, small};

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A producer that nobody drives but the test, with batches of 1 KiB.
pub(crate) fn driven() -> ProducerOptions {
    ProducerOptions::default().thread(false).batch_bytes(1024).buffer_bytes_max(64 << 10)
}

pub(crate) struct Made {
    // In this order: the producer ends before its log.
    pub(crate) sender: Sender,
    pub(crate) producer: Producer,
    pub(crate) topic: Topic,
    pub(crate) log: Log,
    pub(crate) bed: Bed,
}

/// A producer for a new topic.
pub(crate) fn made(options: ProducerOptions, topic: TopicOptions) -> Made {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", topic).unwrap();
    let producer = log.producer(options).unwrap();
    Made { sender: producer.sender(&topic), producer, topic, log, bed }
}

impl Made {
    pub(crate) fn partition(&self, number: u32) -> Partition {
        self.topic.partition(number).unwrap()
    }

    fn ends(&self) -> Vec<u64> {
        self.topic.partitions().map(|partition| partition.appended_end()).collect()
    }

    pub(crate) fn advance_ms(&self, by_ms: i64) {
        self.bed.clock.advance_ms(by_ms);
    }
}

/// How many records, and bytes, each batch has.
pub(crate) fn batches(partition: &Partition) -> Vec<(u32, usize)> {
    let (mut found, mut from) = (Vec::new(), partition.start_offset());
    loop {
        let fetched = partition.read_up_to(ReadUpTo::Appended, from, 1 << 20).unwrap();
        if fetched.is_empty() {
            return found;
        }
        found.extend(
            fetched.batches().map(|batch| batch.map(|b| (b.record_count(), b.bytes().len())).unwrap()),
        );
        from = fetched.next_offset();
    }
}

fn offset(receipt: &Receipt) -> u64 {
    receipt.peek().unwrap().unwrap().position.offset
}

#[test]
fn a_receipt_tells_where_the_record_is() {
    for ack in [Ack::Appended, Ack::Durable] {
        for thread in [false, true] {
            let made = made(driven().thread(thread).ack(ack), small());
            let partition = made.partition(0);
            let receipts: Vec<_> =
                (0..100).map(|offset| made.sender.send(&Record::new(&payload(offset))).unwrap()).collect();
            for (offset, receipt) in (0..).zip(&receipts) {
                let at = receipt.wait().unwrap();
                assert_eq!((at.position.partition, at.position.offset), (0, offset));
                assert_eq!(at.timestamp, made.bed.clock.now_ms());
                assert!(ack == Ack::Appended || partition.durable_end() > offset);
                // Told once and for all.
                assert_eq!(receipt.wait().unwrap(), at);
            }
            partition.sync().unwrap();
            assert_eq!(check_all(&partition), 100);
            let batches = batches(&partition);
            assert!(batches.len() < 20 && batches.iter().all(|(_, bytes)| *bytes <= 1024), "{batches:?}");
            made.producer.close().unwrap();
            assert!(matches!(made.sender.send(&Record::new("x")), Err(SendError::Closed)));
            made.log.close().unwrap();
        }
    }
}

#[test]
fn everything_of_a_record_is_kept() {
    let made = made(driven().idempotent(false), small());
    let headers = [Header::new("a", "1"), Header { key: "a", value: None }];
    let records = [
        Record::new("v").key("k").headers(&headers).timestamp(7),
        Record::tombstone("k").timestamp(i64::MAX),
        Record { key: Some(b""), value: Some(b""), timestamp: Some(0), headers: &[] },
        Record::default(),
    ];
    for record in &records {
        drop(made.sender.send(record).unwrap());
    }
    made.producer.flush().unwrap();
    let partition = made.partition(0);
    let fetched = partition.read(0, 1 << 20).unwrap();
    assert_eq!(fetched.batches().count(), 1);
    let batch = fetched.batches().next().unwrap().unwrap();
    assert_eq!((batch.base_timestamp(), batch.max_timestamp()), (7, i64::MAX));
    let now = made.bed.clock.now_ms();
    for (view, record) in fetched.views().zip(&records) {
        let view = view.unwrap();
        assert_eq!((view.key, view.value), (record.key, record.value));
        assert_eq!(view.timestamp, record.timestamp.unwrap_or(now));
        assert!(view.headers.iter().eq(record.headers.iter().copied()));
    }
    // And they are the bytes that an append of the same batch makes.
    let other = made.log.create_topic("other", small()).unwrap().partition(0).unwrap();
    other.append_batch(&records, Ack::Durable).unwrap();
    assert_eq!(other.read(0, 1 << 20).unwrap().bytes(), fetched.bytes());
}

#[test]
fn with_log_append_time_the_receipt_has_the_time_of_the_append() {
    let made = made(driven(), small().timestamp_type(TimestampType::LogAppendTime));
    let receipt = made.sender.send(&Record::new("a").timestamp(5)).unwrap();
    made.advance_ms(1000);
    let at = receipt.wait().unwrap();
    assert_eq!(at.timestamp, made.bed.clock.now_ms());
    let fetched = made.partition(0).read(0, 1000).unwrap();
    assert_eq!(fetched.views().next().unwrap().unwrap().timestamp, at.timestamp);
}

/// Linger: a batch nobody waits for is appended when it is so old, not before, by the clock that nobody sets.
#[test]
fn a_batch_lingers_for_linger_ms() {
    let made = made(driven().linger_ms(20), small());
    assert_eq!(made.producer.poll(), None);
    let first = made.sender.send(&Record::new("a")).unwrap();
    assert_eq!(made.producer.poll(), Some(20));
    made.advance_ms(19);
    let second = made.sender.send(&Record::new("b")).unwrap();
    assert_eq!(made.producer.poll(), Some(1));
    assert!(first.peek().is_none() && second.peek().is_none());
    assert_eq!(made.ends(), [0]);
    // The wall clock may be set.
    made.bed.clock.set_ms(0);
    assert_eq!(made.producer.poll(), Some(1));
    made.advance_ms(1);
    assert_eq!(made.producer.poll(), None);
    assert_eq!((offset(&first), offset(&second)), (0, 1));
    assert_eq!(batches(&made.partition(0)).len(), 1);
    // A full one does not linger.
    let receipts: Vec<_> = (0..3).map(|_| made.sender.send(&Record::new(&[0; 500])).unwrap()).collect();
    assert_eq!(made.producer.poll(), Some(20));
    assert_eq!(offset(&receipts[0]), 2);
    assert!(receipts[2].peek().is_none());
}

/// The same by the producer's thread, which goes by the log's clock.
#[test]
fn the_thread_appends_what_is_due() {
    let made = made(ProducerOptions::default().linger_ms(1), small());
    let receipt = made.sender.send(&Record::new("a")).unwrap();
    let partition = made.partition(0);
    assert!(!partition.wait_readable(ReadUpTo::Appended, 0, Duration::from_millis(20)).unwrap());
    made.advance_ms(1);
    assert!(partition.wait_readable(ReadUpTo::Durable, 0, LONG).unwrap());
    assert_eq!(receipt.wait().unwrap().position.offset, 0);
}

#[test]
fn without_linger_the_thread_comes_at_once() {
    let made = made(ProducerOptions::default().linger_ms(0), small());
    for offset in 0..100 {
        drop(made.sender.send(&Record::new("a")).unwrap());
        assert!(made.partition(0).wait_readable(ReadUpTo::Durable, offset, LONG).unwrap());
    }
}

/// Whoever waits, by any way, does not wait for the linger: here it would be for ever.
#[test]
fn who_waits_ends_the_linger() {
    for thread in [false, true] {
        let made = made(driven().linger_ms(u64::MAX).thread(thread), small());
        let first = made.sender.send(&Record::new("a")).unwrap();
        let second = made.sender.send(&Record::new("b")).unwrap();
        assert!(first.peek().is_none());
        assert_eq!(second.wait().unwrap().position.offset, 1);
        assert_eq!(offset(&first), 0);
        let third = made.sender.send(&Record::new("c")).unwrap();
        assert_eq!(third.wait_timeout(LONG).unwrap().unwrap().position.offset, 2);
        let fourth = made.sender.send(&Record::new("d")).unwrap();
        made.producer.flush().unwrap();
        assert_eq!(offset(&fourth), 3);
        let mut fifth = pin!(made.sender.send(&Record::new("e")).unwrap());
        let polled = fifth.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if !thread {
            assert!(polled.is_pending());
            made.producer.poll();
        }
        assert!(made.partition(0).wait_readable(ReadUpTo::Durable, 4, LONG).unwrap());
        fifth.wait().unwrap();
        let polled = fifth.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(at)) if at.position.offset == 4));
    }
}

#[test]
fn a_key_chooses_the_partition_as_in_kafka() {
    let made = made(driven(), small().partitions(7));
    for number in 0..100_u32 {
        let key = number.to_be_bytes();
        let receipt = made.sender.send(&Record::new("v").key(&key)).unwrap();
        made.producer.flush().unwrap();
        let at = receipt.wait().unwrap().position;
        assert_eq!(at.partition, made.topic.partition_for_key(&key));
    }
}

/// KIP-480: records without a key stay together until their batch is closed, and go on to the next partition then.
#[test]
fn records_without_a_key_stick_to_a_partition_until_its_batch_is_closed() {
    let made = made(driven(), small().partitions(3));
    for round in 0..7 {
        let receipts: Vec<_> = (0..20).map(|_| made.sender.send(&Record::new("v")).unwrap()).collect();
        made.producer.flush().unwrap();
        for receipt in receipts {
            assert_eq!(receipt.wait().unwrap().position.partition, round % 3);
        }
    }
    // Batches of 1 KiB have two records of 400 bytes; then it is the next one's turn.
    let receipts: Vec<_> = (0..12).map(|_| made.sender.send(&Record::new(&[0; 400])).unwrap()).collect();
    made.producer.flush().unwrap();
    let partitions: Vec<_> =
        receipts.iter().map(|receipt| receipt.wait().unwrap().position.partition).collect();
    assert_eq!(partitions, [1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0]);
}

#[test]
fn the_caller_chooses_a_partition_also_one_that_was_added() {
    let made = made(driven(), small().partitions(2));
    let refused = made.sender.send_to(2, &Record::new("v")).unwrap_err();
    assert_eq!(refused, SendError::NoPartition { partition: 2, count: 2 });
    assert_eq!(refused.to_string(), "there is no partition 2: the topic has 2, from 0");
    let one = made.sender.send_to(1, &Record::new("v")).unwrap();
    for count in [4, 9] {
        made.log.alter_topic("t", small().partitions(count)).unwrap();
        let last = made.sender.send_to(count - 1, &Record::new("v")).unwrap();
        assert_eq!(last.wait().unwrap().position.partition, count - 1);
        assert!(made.sender.try_send_to(count, &Record::new("v")).is_err());
    }
    made.producer.flush().unwrap();
    assert_eq!(one.wait().unwrap().position.partition, 1);
    assert_eq!(made.ends(), [0, 1, 0, 1, 0, 0, 0, 0, 1]);
    // Another sender for the same topic has the same batches.
    let other = made.producer.sender(&made.topic);
    let receipts = [made.sender.send_to(7, &Record::new("a")), other.send_to(7, &Record::new("b"))];
    made.producer.flush().unwrap();
    assert_eq!(receipts.map(|receipt| offset(&receipt.unwrap())), [0, 1]);
    assert_eq!(batches(&made.partition(7)).len(), 1);
}

/// Back-pressure: the memory of batches is counted exactly, and never above the bound.
#[test]
fn what_is_gathered_is_bounded_exactly() {
    let made = made(driven().buffer_bytes_max(3 * 1024).linger_ms(20), small().partitions(8));
    let record = Record::new(&[0; 400]);
    for partition in 0..3 {
        assert_eq!(made.producer.buffered_bytes(), partition as usize * 1024);
        drop(made.sender.try_send_to(partition, &record).unwrap());
    }
    let full = SendError::BufferFull { bytes: 1024, max: 3 * 1024, waited: Duration::ZERO };
    assert_eq!(made.sender.try_send_to(3, &record).unwrap_err(), full);
    // A batch that is there takes what fits.
    drop(made.sender.try_send_to(1, &record).unwrap());
    assert_eq!(made.sender.try_send_to(1, &record).unwrap_err(), full);
    assert_eq!((made.producer.buffered_bytes(), made.ends()), (3 * 1024, vec![0; 8]));
    // What was full was closed by that, and makes room.
    made.producer.poll();
    assert_eq!((made.producer.buffered_bytes(), made.ends()), (2 * 1024, vec![0, 2, 0, 0, 0, 0, 0, 0]));
    drop(made.sender.try_send_to(3, &record).unwrap());
    // Who waits does the work where there is no thread: nothing has to linger then.
    let receipt = made.sender.send_to(4, &record).unwrap();
    assert_eq!(made.ends(), [1, 2, 1, 1, 0, 0, 0, 0]);
    assert_eq!(made.producer.buffered_bytes(), 1024);
    receipt.wait().unwrap();
    assert_eq!(made.producer.buffered_bytes(), 0);
    // A large record takes what it needs: 61 bytes of header, and 9 of its own.
    let large = vec![0; 2000];
    let receipt = made.sender.try_send(&Record::new(&large)).unwrap();
    assert_eq!(made.producer.buffered_bytes(), 2000 + 61 + 9);
    receipt.wait().unwrap();
    assert_eq!(made.producer.buffered_bytes(), 0);
}

/// With a thread, the batches of other partitions are appended for who waits for memory, however long they would linger.
#[test]
fn who_waits_for_memory_gets_it_from_batches_that_linger() {
    let options = driven().thread(true).buffer_bytes_max(1024).linger_ms(u64::MAX);
    let made = made(options, small().partitions(5));
    for round in 0..50 {
        drop(made.sender.send_to(round % 5, &Record::new("v")).unwrap());
    }
    made.producer.flush().unwrap();
    assert_eq!(made.ends(), [10; 5]);
}

#[test]
fn a_record_that_is_too_large_is_refused_when_it_is_sent() {
    let made = made(driven(), small().batch_bytes_max(2048));
    let fits = vec![0; 2048 - 61 - 9];
    let at = made.sender.send(&Record::new(&fits)).unwrap().wait().unwrap();
    assert_eq!((at.position.offset, batches(&made.partition(0))), (0, vec![(1, 2048)]));
    let larger = vec![0; fits.len() + 1];
    let refused = made.sender.send(&Record::new(&larger)).unwrap_err();
    assert_eq!(refused, SendError::RecordTooLarge { bytes: 2049, max: 2048 });
    // The producer's buffer may be the lesser bound.
    let producer = made.log.producer(driven().buffer_bytes_max(1500)).unwrap();
    let refused = producer.sender(&made.topic).try_send(&Record::new(&fits)).unwrap_err();
    assert_eq!(refused, SendError::RecordTooLarge { bytes: 2048, max: 1500 });
    let refused = made.sender.send(&Record::new("v").timestamp(-1)).unwrap_err();
    assert_eq!(refused, SendError::NegativeTimestamp { timestamp: -1 });
    assert_eq!(made.ends(), [1]);
}

/// A topic whose batches are smaller than the producer's gets batches of its own size.
#[test]
fn batches_are_within_the_limit_of_the_topic() {
    let made = made(driven(), small().batch_bytes_max(300));
    for _ in 0..50 {
        drop(made.sender.send(&Record::new(&[0; 90])).unwrap());
    }
    made.producer.flush().unwrap();
    let batches = batches(&made.partition(0));
    assert_eq!(batches, vec![(2, 259); 25]);
}

#[test]
fn options_that_cannot_be_are_refused() {
    let log = Bed::new(0).open();
    for (options, text) in [
        (driven().batch_bytes(127), "option batch_bytes is 127, it has to be from 128 to 2147483647"),
        (
            driven().buffer_bytes_max(1023),
            "option buffer_bytes_max is 1023, it has to be from 1024 to 18446744073709551615",
        ),
        (
            driven().retry_backoff_ms(0),
            "option retry_backoff_ms is 0, it has to be from 1 to 18446744073709551615",
        ),
    ] {
        match log.producer(options) {
            Err(error @ ProducerError::Options(_)) => assert_eq!(error.to_string(), text),
            other => unreachable!("{other:?}"),
        }
    }
}

/// A producer that has ended is gone, with its memory; receipts that are kept still tell.
#[test]
fn nothing_is_left_of_a_producer_that_has_ended() {
    for thread in [false, true] {
        let Made { sender, producer, log, bed, .. } = made(driven().thread(thread), small().partitions(3));
        drop((sender, producer));
        let owners = Arc::strong_count(&bed.clock);
        for close in [false, true] {
            let producer = log.producer(driven().thread(thread)).unwrap();
            let sender = producer.sender(&log.topic("t").unwrap());
            let receipts = (0..3).map(|partition| sender.send_to(partition, &Record::new("v")).unwrap());
            let receipts: Vec<_> = receipts.collect();
            assert!(Arc::strong_count(&bed.clock) > owners);
            if close {
                producer.close().unwrap();
            }
            drop((sender, producer));
            assert!(receipts.iter().all(|receipt| receipt.wait().is_ok()));
            assert_eq!(Arc::strong_count(&bed.clock), owners);
        }
    }
}

/// KIP-98: each partition's batches are numbered without a gap, with an id that no other producer has, also one after a restart.
#[test]
fn batches_are_numbered_by_partition() {
    let made = made(driven(), small().partitions(2));
    let id = made.producer.id().unwrap();
    for round in 0..20 {
        drop(made.sender.send_to(round % 2, &Record::new(&[0; 300])).unwrap());
        drop(made.sender.send_to(0, &Record::new("v")).unwrap());
    }
    made.producer.close().unwrap();
    for partition in made.topic.partitions() {
        assert_eq!(sequences(&partition, id), partition.durable_end());
    }
    let other = made.log.producer(driven().thread(true)).unwrap();
    assert!(other.id() > Some(id));
    other.sender(&made.topic).send_to(1, &Record::new("v")).unwrap().wait().unwrap();
    let (last, producer) = (made.partition(1).durable_end() - 1, other.id().unwrap());
    let fetched = made.partition(1).read(last, 1).unwrap();
    let numbers = fetched.batches().next().unwrap().unwrap().producer().unwrap();
    assert_eq!((numbers.id, numbers.epoch, numbers.base_sequence), (producer, 0, 0));
    drop(other);
    made.log.close().unwrap();
    let log = made.bed.open();
    assert!(log.producer(driven()).unwrap().id() > Some(producer));
    // Who does not want numbers has none.
    let plain = log.producer(driven().idempotent(false)).unwrap();
    let topic = log.topic("t").unwrap();
    let at = plain.sender(&topic).send_to(0, &Record::new("v")).unwrap().wait().unwrap().position;
    let fetched = topic.partition(0).unwrap().read(at.offset, 1).unwrap();
    assert_eq!((plain.id(), fetched.batches().next().unwrap().unwrap().producer()), (None, None));
}

/// Checks that the batches of a partition are numbered one behind the other; gives the next number.
pub(crate) fn sequences(partition: &Partition, id: i64) -> u64 {
    let (mut next, mut from) = (0, partition.start_offset());
    loop {
        let fetched = partition.read_up_to(ReadUpTo::Appended, from, 1 << 20).unwrap();
        if fetched.is_empty() {
            return next;
        }
        for batch in fetched.batches() {
            let batch = batch.unwrap();
            let numbers = batch.producer().unwrap();
            assert_eq!((numbers.id, numbers.epoch, numbers.base_sequence as u64), (id, 0, next));
            next += u64::from(batch.record_count());
        }
        from = fetched.next_offset();
    }
}

/// The topic's compression counts before the producer's; what would not become smaller stays as it is.
#[cfg(all(feature = "lz4", feature = "gzip"))]
#[test]
fn batches_are_compressed_if_that_makes_them_smaller() {
    for (topic, codec) in
        [(None, Codec::LZ4), (Some(Compression::GZIP), Codec::GZIP), (Some(Compression::None), Codec::NONE)]
    {
        let made = made(driven().compression(Compression::Lz4), small().compression(topic));
        let mut random = fastrand::Rng::with_seed(0);
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(100).collect();
        let receipts: Vec<_> =
            (0..9).map(|_| made.sender.send(&Record::new(&[7; 90]).timestamp(5)).unwrap()).collect();
        made.producer.flush().unwrap();
        let last = made.sender.send(&Record::new(&noise)).unwrap();
        made.producer.close().unwrap();
        let fetched = made.partition(0).read(0, 1 << 20).unwrap();
        let batches: Vec<_> = fetched.batches().map(|batch| batch.unwrap()).collect();
        assert_eq!(batches.iter().map(|batch| batch.codec()).collect::<Vec<_>>(), [codec, Codec::NONE]);
        assert!((batches[0].bytes().len() < 400) == (codec != Codec::NONE));
        assert_eq!((batches[0].record_count(), batches[0].max_timestamp()), (9, 5));
        assert_eq!((offset(&receipts[8]), offset(&last)), (8, 9));
    }
}
