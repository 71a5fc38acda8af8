//! A producer on a disk that refuses, loses its power, or is taken away: every receipt is told, and told the truth.

use std::io::ErrorKind;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;
use std::{future::Future, pin::pin};

use headwater_log::producer::{ProduceError, Receipt, SendError};
use headwater_log::{Ack, AppendError, Partition, ReadUpTo, Record, SyncError};
use headwater_testkit::sim_disk::{Fault, Op, SimDisk};

use crate::bed::{Bed, TOPIC, read_all, small};
use crate::producer::{LONG, Made, driven, made, sequences};

/// The record with this number.
fn value(number: u32) -> Vec<u8> {
    let mut value = vec![3; 20 + (number as usize * 37) % 200];
    value[..4].copy_from_slice(&number.to_be_bytes());
    value
}

fn number(value: &[u8]) -> u32 {
    u32::from_be_bytes(value[..4].try_into().unwrap())
}

fn send(made: &Made, from: u32, count: u32) -> Vec<Receipt> {
    (from..from + count).map(|number| made.sender.send(&Record::new(&value(number))).unwrap()).collect()
}

/// The numbers of the records there are, in order; each is whole.
fn numbers(partition: &Partition, up_to: ReadUpTo) -> Vec<u32> {
    let number = |record: headwater_log::StoredRecord| {
        let found = record.value.unwrap();
        assert_eq!(found, value(number(&found)));
        number(&found)
    };
    read_all(partition, up_to).into_iter().map(number).collect()
}

/// Checks that each receipt is told, and that it says what is in the log; gives how many were acknowledged.
fn check_receipts(receipts: &[Receipt], there: &[u32]) -> usize {
    let mut acknowledged = 0;
    for (number, receipt) in (0..).zip(receipts) {
        match receipt.peek().unwrap() {
            Ok(at) => {
                assert_eq!(there[at.position.offset as usize], number);
                acknowledged += 1;
            }
            Err(ProduceError::Append(AppendError::NotDurable { .. })) => {}
            Err(ProduceError::TimedOut { error: AppendError::NotDurable { .. }, .. }) => {}
            Err(error) => assert!(!there.contains(&number), "{number} is there: {error}"),
        }
    }
    acknowledged
}

fn used_bytes(disk: &SimDisk) -> u64 {
    disk.files().iter().map(|path| disk.content(path).unwrap().len() as u64).sum()
}

/// A full disk holds the partition until there is space again: nothing is lost, the order is kept.
#[test]
fn a_full_disk_is_waited_for() {
    for ack in [Ack::Durable, Ack::Appended] {
        let made = made(driven().ack(ack), small());
        let mut receipts = send(&made, 0, 1);
        made.producer.flush().unwrap();
        made.bed.disk.set_space_bytes(Some(used_bytes(&made.bed.disk)));
        receipts.extend(send(&made, 1, 200));
        made.advance_ms(5);
        assert_eq!(made.producer.poll(), Some(100));
        let end = made.partition(0).appended_end();
        assert!(end < 201 && receipts[200].peek().is_none());
        made.advance_ms(99);
        assert_eq!(made.producer.poll(), Some(1));
        made.bed.disk.set_space_bytes(None);
        assert_eq!(made.producer.poll(), Some(1), "it is not tried before its time");
        made.advance_ms(1);
        made.producer.poll();
        assert_eq!(made.partition(0).appended_end(), 201);
        made.producer.close().unwrap();
        let there = numbers(&made.partition(0), ReadUpTo::Appended);
        assert!(there.iter().copied().eq(0..201));
        assert_eq!(check_receipts(&receipts, &there), 201);
    }
}

/// After `delivery_timeout_ms` a batch is given up, and the partition goes on with the next one.
#[test]
fn a_batch_is_given_up_after_delivery_timeout_ms() {
    let made = made(driven().delivery_timeout_ms(1000), small());
    let mut receipts = send(&made, 0, 1);
    made.producer.flush().unwrap();
    made.bed.disk.set_space_bytes(Some(used_bytes(&made.bed.disk)));
    receipts.extend(send(&made, 1, 60));
    made.advance_ms(5);
    made.producer.poll();
    let end = made.partition(0).appended_end() as usize;
    made.advance_ms(994);
    made.producer.poll();
    assert!(receipts[end].peek().is_none());
    made.advance_ms(100);
    made.producer.poll();
    match receipts[end].peek() {
        Some(Err(ProduceError::TimedOut { after_ms: 1099, error: AppendError::NoSpace(_) })) => {}
        other => unreachable!("{other:?}"),
    }
    made.bed.disk.set_space_bytes(None);
    receipts.extend(send(&made, 61, 60));
    // The failure is told, once, also to who kept no receipt.
    assert!(matches!(made.producer.flush(), Err(ProduceError::TimedOut { .. })));
    made.producer.flush().unwrap();
    let there = numbers(&made.partition(0), ReadUpTo::Durable);
    // And leaves no gap in the numbers.
    assert_eq!(sequences(&made.partition(0), made.producer.id().unwrap()), there.len() as u64);
    assert!(there.is_sorted() && there.ends_with(&(61..121).collect::<Vec<_>>()));
    assert!(check_receipts(&receipts, &there) > 60);
}

/// The thread holds a partition of a full disk, serves the others, and tells who sends too much.
#[test]
fn with_a_full_disk_send_blocks_for_max_block_ms() {
    let options = driven().thread(true).buffer_bytes_max(4 * 1024).max_block_ms(30).retry_backoff_ms(1);
    let made = made(options, small());
    made.sender.send(&Record::new(&value(0))).unwrap().wait().unwrap();
    made.bed.disk.set_space_bytes(Some(used_bytes(&made.bed.disk)));
    let mut receipts = Vec::new();
    let refused = loop {
        match made.sender.send(&Record::new(&value(1 + receipts.len() as u32))) {
            Ok(receipt) => receipts.push(receipt),
            Err(error) => break error,
        }
    };
    let full = SendError::BufferFull { bytes: 1024, max: 4096, waited: Duration::from_millis(30) };
    assert_eq!(refused, full);
    assert_eq!(
        refused.to_string(),
        "no room for 1024 bytes among the 4096 of buffer_bytes_max after 30ms: records come faster than the log takes them; \
         wait for receipts, or raise it"
    );
    assert!(made.producer.buffered_bytes() <= 4096);
    made.bed.disk.set_space_bytes(None);
    for _ in 0..200 {
        // The clock of the log says when it is tried again.
        made.advance_ms(1);
        if receipts.last().unwrap().wait_timeout(Duration::from_millis(5)).is_some() {
            break;
        }
    }
    for (number, receipt) in (1..).zip(&receipts) {
        assert_eq!(receipt.wait().unwrap().position.offset, number);
    }
}

/// A sync that fails is final: who waits for durability is told that the record is appended and not durable, who comes later that
/// it is not.
#[test]
fn a_failed_sync_tells_every_receipt() {
    for thread in [false, true] {
        let made = made(driven().thread(thread), small());
        let mut receipts = send(&made, 0, 5);
        made.producer.flush().unwrap();
        made.bed.disk.inject(Fault::on(Op::SyncData).path_end(".log"));
        receipts.extend(send(&made, 5, 50));
        match made.producer.flush() {
            Err(ProduceError::Append(AppendError::NotDurable { offset: 5, error: SyncError::Failed(_) })) => {
            }
            other => unreachable!("{other:?}"),
        }
        receipts.extend(send(&made, 55, 5));
        match receipts[59].wait() {
            Err(ProduceError::Append(AppendError::Refused(SyncError::Failed(_)))) => {}
            other => unreachable!("{other:?}"),
        }
        assert!(made.producer.close().is_err());
        let there = numbers(&made.topic.partition(0).unwrap(), ReadUpTo::Appended);
        assert_eq!(check_receipts(&receipts, &there), 5);
    }
}

/// Something around a sync is refused, which is no failed sync: it is done again, and nothing is appended again.
#[test]
fn what_a_sync_needs_is_tried_again() {
    let made = made(driven(), small());
    send(&made, 0, 1).remove(0).wait().unwrap();
    // A roll leaves a segment to be sealed, for which files are opened.
    let receipts = send(&made, 1, 100);
    made.bed.disk.inject(Fault::on(Op::Open).kind(ErrorKind::Other).for_good());
    made.advance_ms(5);
    made.producer.poll();
    assert!(receipts[99].peek().is_none());
    made.bed.disk.clear_faults();
    made.advance_ms(100);
    made.producer.poll();
    made.producer.close().unwrap();
    assert!(numbers(&made.partition(0), ReadUpTo::Durable).into_iter().eq(0..101));
    for (number, receipt) in (1..).zip(receipts) {
        assert_eq!(receipt.wait().unwrap().position.offset, number);
    }
}

#[test]
fn a_topic_that_is_deleted_and_a_log_that_is_closed_tell_every_receipt() {
    for thread in [false, true] {
        for close in [false, true] {
            let Made { sender, producer, topic, log, bed } =
                made(driven().thread(thread).linger_ms(u64::MAX), small().partitions(2));
            let before: Vec<_> =
                (0..2).map(|partition| sender.send_to(partition, &Record::new("a")).unwrap()).collect();
            producer.flush().unwrap();
            let after: Vec<_> =
                (0..2).map(|partition| sender.send_to(partition, &Record::new("b")).unwrap()).collect();
            let log = if close {
                log.close().unwrap();
                None
            } else {
                log.delete_topic(TOPIC).unwrap();
                Some(log)
            };
            let closed = |outcome| {
                matches!(outcome, Err(ProduceError::Append(AppendError::Refused(SyncError::Closed))))
            };
            assert!(closed(after[0].wait().map(drop)));
            assert!(closed(producer.flush()));
            assert!(after.iter().all(|receipt| closed(receipt.peek().unwrap().map(drop))));
            assert!(before.iter().all(|receipt| receipt.peek().unwrap().is_ok()));
            if let Some(log) = log {
                // A topic of the same name is another one.
                let again = log.create_topic(TOPIC, small()).unwrap();
                let receipt = producer.sender(&again).send(&Record::new("c")).unwrap();
                assert_eq!(receipt.wait().unwrap().position.offset, 0);
                assert!(closed(sender.send(&Record::new("d")).unwrap().wait().map(drop)));
            }
            drop((topic, bed));
        }
    }
}

/// Dropping the last handle appends what is there, and waits for nothing.
#[test]
fn dropping_a_producer_appends_what_was_gathered() {
    for thread in [false, true] {
        let Made { sender, producer, topic, log, bed } =
            made(driven().thread(thread).linger_ms(u64::MAX), small());
        let receipts: Vec<_> =
            (0..50).map(|number| sender.send(&Record::new(&value(number))).unwrap()).collect();
        drop(producer);
        // A sender keeps it.
        assert!(thread || receipts[49].peek().is_none());
        drop(sender);
        let partition = topic.partition(0).unwrap();
        let there = numbers(&partition, ReadUpTo::Durable);
        assert_eq!(check_receipts(&receipts, &there), 50);

        // On a full disk it does not wait for space.
        let producer = log.producer(driven().thread(thread)).unwrap();
        bed.disk.set_space_bytes(Some(used_bytes(&bed.disk)));
        let sender = producer.sender(&topic);
        let more: Vec<_> = (50..250).map(|number| sender.try_send(&Record::new(&value(number)))).collect();
        drop((sender, producer));
        let there = numbers(&partition, ReadUpTo::Appended);
        let receipts: Vec<_> = receipts.into_iter().chain(more.into_iter().map_while(Result::ok)).collect();
        let acknowledged = check_receipts(&receipts, &there);
        assert!((50..receipts.len()).contains(&acknowledged), "{acknowledged} of {}", receipts.len());
        bed.disk.set_space_bytes(None);
    }
}

/// A waker that panics ends the thread: nobody waits for ever.
#[test]
fn a_panic_on_the_thread_abandons_what_is_left() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any("a waker that panics");
        }
    }
    let made = made(driven().thread(true).linger_ms(u64::MAX), small().partitions(2));
    let mut first = Box::pin(made.sender.send_to(0, &Record::new("a")).unwrap());
    let second = made.sender.send_to(1, &Record::new("b")).unwrap();
    // Its sync waits until the waker is there.
    let gate = made.partition(0);
    let waker = Waker::from(Arc::new(Panics));
    let polled = first.as_mut().poll(&mut Context::from_waker(&waker));
    if polled.is_ready() {
        return; // The thread was faster: there was nobody to wake.
    }
    assert!(gate.wait_readable(ReadUpTo::Durable, 0, LONG).unwrap());
    first.wait().unwrap();
    assert!(matches!(second.wait(), Err(ProduceError::Abandoned)));
    while !matches!(made.sender.send_to(1, &Record::new("c")).map(drop), Err(SendError::Closed)) {
        thread::yield_now();
    }
    assert!(matches!(made.producer.close(), Err(ProduceError::Abandoned)), "what was lost is told once");
    assert!(made.producer.close().is_ok());
}

/// A future is woken by the thread, and a waker that sends on it does no harm.
#[test]
fn a_waker_may_send() {
    struct Sends(headwater_log::producer::Sender, thread::Thread);
    impl Wake for Sends {
        fn wake(self: Arc<Self>) {
            drop(self.0.send(&Record::new("from a waker")).unwrap());
            self.1.unpark();
        }
    }
    let made = made(driven().thread(true), small());
    let waker = Waker::from(Arc::new(Sends(made.sender.clone(), thread::current())));
    let mut receipt = pin!(made.sender.send(&Record::new("a")).unwrap());
    while receipt.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
    drop(waker);
    made.producer.flush().unwrap();
    assert!((1..3).contains(&made.partition(0).durable_end()));
}

/// Every operation of the disk may fail, once or from then on: every receipt is told the truth, and after a crash what was
/// acknowledged is there, in order, and nothing twice.
#[test]
fn every_operation_may_fail_under_a_producer() {
    let run = |bed: &Bed, nth: Option<(u64, ErrorKind, bool)>| {
        let log = bed.open();
        let topic = log.create_topic(TOPIC, small()).unwrap();
        let producer = log.producer(driven().delivery_timeout_ms(500)).unwrap();
        let sender = producer.sender(&topic);
        if let Some((nth, kind, for_good)) = nth {
            let fault = Fault::on_any().skip(nth).kind(kind);
            bed.disk.inject(if for_good { fault.for_good() } else { fault });
        }
        let before = bed.disk.count_all();
        let mut receipts = Vec::new();
        for number in 0..80 {
            match sender.try_send(&Record::new(&value(number))) {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => unreachable!("{error}"),
            }
            if number % 10 == 0 {
                bed.clock.advance_ms(60);
                producer.poll();
            }
        }
        for _ in 0..8 {
            bed.clock.advance_ms(100);
            producer.poll();
        }
        drop((sender, producer));
        let operations = bed.disk.count_all() - before;
        (log, topic.partition(0).unwrap(), receipts, operations)
    };
    let (.., receipts, operations) = run(&Bed::new(0), None);
    assert!(receipts.iter().all(|receipt| receipt.peek().unwrap().is_ok()));
    let (mut images, mut refused, mut healed) = (0, 0, 0);
    for nth in 0..operations {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            for for_good in [false, true] {
                let bed = Bed::new(nth);
                let (_log, partition, receipts, _) = run(&bed, Some((nth, kind, for_good)));
                bed.disk.clear_faults();
                let there = numbers(&partition, ReadUpTo::Appended);
                assert!(there.is_sorted_by(|a, b| a < b), "nothing twice: {there:?}");
                let acknowledged = check_receipts(&receipts, &there);
                refused += usize::from(acknowledged < 80);
                healed += usize::from(acknowledged == 80);
                for disk in [bed.disk.snapshot(), bed.disk.crash(nth), bed.disk.crash(nth + 1000)] {
                    let (_log, partition) = bed.on(disk).open_partition();
                    let left = numbers(&partition, ReadUpTo::Durable);
                    assert!(there.starts_with(&left), "{left:?} of {there:?}");
                    for receipt in &receipts {
                        let told = receipt.peek().unwrap();
                        assert!(told.is_err_and(|_| true) || told_offset(receipt) < left.len() as u64);
                    }
                    images += 1;
                }
            }
        }
    }
    eprintln!(
        "{operations} operations failed four ways: {refused} with refusals, {healed} healed; {images} images"
    );
    assert!(refused > 0 && healed > 0);
}

fn told_offset(receipt: &Receipt) -> u64 {
    receipt.peek().unwrap().unwrap().position.offset
}

/// A loss of power at every step and inside of every sync: what a receipt had said to be durable is there, what is there is in order,
/// and nothing is there twice.
#[test]
fn what_a_receipt_said_to_be_durable_survives() {
    let mut images = 0;
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let made = made(driven(), small());
        made.bed.disk.keep_moments();
        let _ = made.bed.disk.take_moments();
        let mut receipts: Vec<Receipt> = Vec::new();
        for _ in 0..60 {
            let known = acknowledged_end(&receipts);
            match random.u8(..10) {
                0..6 => receipts.extend(send(&made, receipts.len() as u32, random.u32(1..5))),
                6 => made.advance_ms(random.i64(1..6)),
                7 => _ = made.producer.poll(),
                8 => made.producer.flush().unwrap(),
                _ => receipts.last().into_iter().for_each(|last| _ = last.wait().unwrap()),
            }
            let mut disks = made.bed.disk.take_moments();
            disks.pop();
            let mut disks: Vec<_> = disks.into_iter().map(|disk| (known, disk)).collect();
            disks.push((acknowledged_end(&receipts), made.bed.disk.clone()));
            for (known, disk) in disks {
                let crashed = made.bed.on(disk.crash(random.u64(..)));
                let (_log, partition) = crashed.open_partition();
                let left = numbers(&partition, ReadUpTo::Durable);
                assert!(left.iter().copied().eq(0..left.len() as u32));
                assert!(left.len() as u64 >= known, "{} of {known}", left.len());
                images += 1;
            }
        }
        made.producer.close().unwrap();
        assert_eq!(acknowledged_end(&receipts), receipts.len() as u64);
    }
    eprintln!("{images} crash images of a producer");
}

/// Behind the last record that a receipt said to be durable.
fn acknowledged_end(receipts: &[Receipt]) -> u64 {
    let told = receipts.iter().filter_map(Receipt::peek);
    told.map(|told| told.unwrap().position.offset + 1).max().unwrap_or(0)
}
