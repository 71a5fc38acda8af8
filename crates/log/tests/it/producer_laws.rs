//! What was sent is what is read, for any program: by proptest, and by many threads on a real disk.

use std::collections::BTreeMap;
use std::thread;

use headwater_log::producer::{ProducerOptions, Receipt};
use headwater_log::{Ack, Log, LogOptions, ReadUpTo, Record, TopicOptions};
use proptest::prelude::*;

use crate::bed::small;
use crate::producer::{batches, driven, made};

#[derive(Debug, Clone)]
enum Step {
    Send {
        key: Option<u8>,
        to: Option<u32>,
        bytes: usize,
        timestamp: Option<i64>,
    },
    Advance(i64),
    Poll,
    Flush,
    /// Of those that there are, one.
    Wait(usize),
    Forget(usize),
}

/// Key, value and timestamp.
type Sent = (Option<[u8; 1]>, Vec<u8>, Option<i64>);

fn step() -> impl Strategy<Value = Step> {
    let key = proptest::option::of(0..6_u8);
    let to = proptest::option::weighted(0.2, 0..3_u32);
    let bytes = prop_oneof![8 => 0..300_usize, 1 => 300..3000_usize];
    let timestamp = proptest::option::of(0..i64::MAX);
    let send = (key, to, bytes, timestamp).prop_map(|(key, to, bytes, timestamp)| Step::Send {
        key,
        to,
        bytes,
        timestamp,
    });
    prop_oneof![
        20 => send,
        2 => (0..10_i64).prop_map(Step::Advance),
        2 => Just(Step::Poll),
        1 => Just(Step::Flush),
        1 => any::<usize>().prop_map(Step::Wait),
        1 => any::<usize>().prop_map(Step::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_sent_is_what_is_read(
        steps in proptest::collection::vec(step(), 1..120),
        batch_bytes in 128..2000_usize,
        durable in any::<bool>(),
    ) {
        let ack = if durable { Ack::Durable } else { Ack::Appended };
        let options = driven().batch_bytes(batch_bytes).buffer_bytes_max(6000).ack(ack);
        let made = made(options, small().partitions(3));
        // What was sent, and the receipts that are kept.
        let mut sent: Vec<Sent> = Vec::new();
        let mut kept: BTreeMap<usize, Receipt> = BTreeMap::new();
        for step in &steps {
            match *step {
                Step::Send { key, to, bytes, timestamp } => {
                    let number = sent.len();
                    let mut value = vec![7; bytes.max(4)];
                    value[..4].copy_from_slice(&(number as u32).to_be_bytes());
                    let key = key.map(|key| [key]);
                    let record = Record {
                        key: key.as_ref().map(<[u8; 1]>::as_slice),
                        value: Some(&value),
                        timestamp,
                        headers: &[],
                    };
                    let receipt = match to {
                        Some(to) => made.sender.send_to(to, &record),
                        None => made.sender.send(&record),
                    };
                    kept.insert(number, receipt.unwrap());
                    sent.push((key, value, timestamp));
                }
                Step::Advance(by_ms) => made.advance_ms(by_ms),
                Step::Poll => _ = made.producer.poll(),
                Step::Flush => made.producer.flush().unwrap(),
                Step::Wait(one) if !kept.is_empty() => {
                    let receipt = kept.values().nth(one % kept.len()).unwrap();
                    receipt.wait().unwrap();
                }
                Step::Forget(one) if !kept.is_empty() => {
                    let number = *kept.keys().nth(one % kept.len()).unwrap();
                    kept.remove(&number);
                }
                Step::Wait(_) | Step::Forget(_) => {}
            }
            prop_assert!(made.producer.buffered_bytes() <= 6000);
        }
        made.producer.close().unwrap();
        made.log.sync().unwrap();

        let mut seen = vec![false; sent.len()];
        for partition in made.topic.partitions() {
            for (count, bytes) in batches(&partition) {
                prop_assert!(count == 1 || bytes <= batch_bytes);
            }
            let mut last = None;
            for record in crate::bed::read_all(&partition, ReadUpTo::Durable) {
                let number = u32::from_be_bytes(record.value.as_deref().unwrap()[..4].try_into().unwrap());
                // In the order in which they were sent, none twice.
                prop_assert!(last.is_none_or(|last| last < number));
                last = Some(number);
                let number = number as usize;
                seen[number] = true;
                let (key, value, timestamp) = &sent[number];
                prop_assert_eq!(record.key.as_deref(), key.as_ref().map(<[u8; 1]>::as_slice));
                prop_assert_eq!(record.value.as_deref(), Some(value.as_slice()));
                prop_assert!(timestamp.is_none_or(|timestamp| timestamp == record.timestamp));
                if let Some(receipt) = kept.get(&number) {
                    let at = receipt.peek().unwrap().unwrap();
                    prop_assert_eq!((at.position.partition, at.position.offset), (partition.number(), record.offset));
                    prop_assert_eq!(at.timestamp, record.timestamp);
                }
            }
        }
        prop_assert!(seen.iter().all(|seen| *seen));
    }
}

/// Eight threads, with keys, without, and waiting for some: each thread's records of a key are in its order, each receipt is right,
/// none is lost or there twice.
#[test]
fn many_threads_send_through_one_producer() {
    const EACH: u32 = 3000;
    for ack in [Ack::Appended, Ack::Durable] {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), LogOptions::default()).unwrap();
        let topic = log.create_topic("t", TopicOptions::default().partitions(4)).unwrap();
        // So little memory that threads wait for it.
        let options = ProducerOptions::default().batch_bytes(4096).buffer_bytes_max(5 * 4096).ack(ack);
        let producer = log.producer(options).unwrap();
        thread::scope(|scope| {
            for thread in 0..8_u8 {
                let (producer, topic) = (producer.clone(), topic.clone());
                scope.spawn(move || {
                    let sender = producer.sender(&topic);
                    let mut receipts = Vec::new();
                    for number in 0..EACH {
                        let mut value = [thread; 60];
                        value[..4].copy_from_slice(&number.to_be_bytes());
                        let key = [thread];
                        let record = Record::new(&value);
                        let record = if thread % 2 == 0 { record.key(&key) } else { record };
                        let receipt = sender.send(&record).unwrap();
                        if number % 1000 == 0 {
                            receipt.wait().unwrap();
                        }
                        receipts.push((value, receipt));
                    }
                    for (value, receipt) in receipts {
                        let at = receipt.wait().unwrap().position;
                        let partition = topic.partition(at.partition).unwrap();
                        let fetched = partition.read_up_to(ReadUpTo::Appended, at.offset, 1).unwrap();
                        assert_eq!(fetched.views().next().unwrap().unwrap().value, Some(value.as_slice()));
                    }
                });
            }
        });
        producer.close().unwrap();
        log.sync().unwrap();
        let mut seen = [0; 8];
        let mut batch_count = 0;
        for partition in topic.partitions() {
            let mut next = [0; 8];
            for record in crate::bed::read_all(&partition, ReadUpTo::Durable) {
                let value = record.value.unwrap();
                let (number, thread) =
                    (u32::from_be_bytes(value[..4].try_into().unwrap()), usize::from(value[4]));
                assert!(number >= next[thread] && (thread % 2 == 1 || number == next[thread]));
                next[thread] = number + 1;
                seen[thread] += 1;
            }
            batch_count += batches(&partition).len();
        }
        assert_eq!(seen, [EACH; 8]);
        eprintln!("{} records of 8 threads in {batch_count} batches, {ack:?}", 8 * EACH);
    }
}
