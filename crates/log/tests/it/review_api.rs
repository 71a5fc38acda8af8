//! What producers and groups owe in corners where several things come together.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use headwater_log::producer::{Receipt, SendError};
use headwater_log::{Consumer, OffsetReset, Record};

use crate::bed::{Bed, small};
use crate::group::bed::{
    GROUP, INTERVAL_MS, at, create, earliest, event, fill, join, log, offsets, records, settle,
};
use crate::producer::{Made, driven, made};

fn used_bytes(made: &Made) -> u64 {
    made.bed.disk.files().iter().map(|path| made.bed.disk.content(path).unwrap().len() as u64).sum()
}

/// Sends to partition 0 until its disk has no room for more.
fn fill_disk(made: &Made) -> Receipt {
    made.sender.send_to(0, &Record::new("first")).unwrap().wait().unwrap();
    made.bed.disk.set_space_bytes(Some(used_bytes(made)));
    loop {
        let receipt = made.sender.send_to(0, &Record::new(&[7; 900])).unwrap();
        if receipt.wait_timeout(Duration::from_millis(20)).is_none() {
            return receipt;
        }
    }
}

fn is_told_soon(receipt: &Receipt) -> bool {
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        if receipt.peek().is_some() {
            return true;
        }
        thread::yield_now();
    }
    false
}

/// A task that is gone but for its waker has another receipt of the same batch.
#[test]
fn a_waker_that_is_replaced_may_be_the_last_to_have_a_receipt() {
    struct Task(Mutex<Option<Receipt>>);
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    fn poll(receipt: &mut Receipt, waker: &Waker) {
        assert!(Pin::new(receipt).poll(&mut Context::from_waker(waker)).is_pending());
    }
    let (done, is_done) = mpsc::channel();
    let test = thread::spawn(move || {
        let made = made(driven(), small());
        let mut one = made.sender.send(&Record::new("a")).unwrap();
        let mut other = made.sender.send(&Record::new("b")).unwrap();
        poll(&mut other, Waker::noop());
        let task = Arc::new(Task(Mutex::new(None)));
        poll(&mut one, &Waker::from(Arc::clone(&task)));
        *task.0.lock().unwrap() = Some(other);
        drop(task);
        poll(&mut one, Waker::noop());
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(10)).expect("it does not wait for itself");
    test.join().unwrap();
}

/// Nobody but the one who waits for memory can try again what the disk has refused.
#[test]
fn without_a_thread_who_waits_for_memory_tries_again() {
    let options = driven().buffer_bytes_max(2048).max_block_ms(10_000).retry_backoff_ms(5);
    let made = made(options, small());
    let _held = fill_disk(&made);
    let full = loop {
        match made.sender.try_send_to(0, &Record::new(&[7; 900])) {
            Ok(receipt) => drop(receipt),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, SendError::BufferFull { .. }));
    thread::scope(|scope| {
        let sent = scope.spawn(|| made.sender.send_to(0, &Record::new("last")).map(drop));
        thread::sleep(Duration::from_millis(50));
        made.bed.disk.set_space_bytes(None);
        made.advance_ms(1000);
        assert_eq!(sent.join().unwrap(), Ok(()));
    });
    made.producer.flush().unwrap();
}

/// As long as somebody waits for memory no batch lingers, whatever was begun before it.
#[test]
fn no_batch_lingers_while_memory_is_short() {
    let options = driven().thread(true).linger_ms(3_600_000).buffer_bytes_max(4096).max_block_ms(8_000);
    let made = made(options, small().partitions(3));
    for number in 1..3 {
        made.sender.send_to(number, &Record::new("first")).unwrap().wait().unwrap();
    }
    // It is not tried again before the clock moves, and holds its memory.
    let _held = fill_disk(&made);
    made.bed.disk.set_space_bytes(None);
    let send = || made.sender.send_to(1, &Record::new("small")).unwrap();
    let before = send();
    assert!(before.peek().is_none());
    thread::scope(|scope| {
        let large = scope.spawn(|| made.sender.send_to(2, &Record::new(&[7; 3500])).map(drop));
        assert!(is_told_soon(&before));
        for number in 0..3 {
            assert!(is_told_soon(&send()), "{number}");
        }
        made.advance_ms(1000);
        assert_eq!(large.join().unwrap(), Ok(()));
    });
}

/// The only worker of a group is started anew before it has committed anything.
#[test]
fn latest_is_one_place_also_for_a_member_that_comes_when_all_have_gone() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    let latest =
        || log.consumer_with(GROUP, ["t"], earliest().auto_offset_reset(OffsetReset::Latest)).unwrap();
    let mut first = latest();
    assert_eq!(records(&mut first), None);
    first.close();
    fill(&log, "t", 0, 2);
    let mut second = latest();
    assert_eq!(offsets(&records(&mut second).unwrap()), [5, 6]);
    second.close();
    // Who asks for the earliest gets it, whatever another one has asked for.
    assert_eq!(offsets(&records(&mut join(&log, "t")).unwrap()), [0, 1, 2, 3, 4, 5, 6]);
    // Another topic of that name is begun at its own end.
    log.delete_topic("t").unwrap();
    create(&log, bed.topic, "t", 1, 1);
    let mut third = latest();
    assert_eq!(records(&mut third), None);
    assert_eq!(third.position(&at("t", 0)), Ok(Some(1)));
}

/// Retention has passed what was committed: what one member has read from the end and not committed comes to the next one.
#[test]
fn latest_is_one_place_for_all_members_also_when_what_was_committed_is_gone() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 10);
    let zero = at("t", 0);
    let latest =
        || log.consumer_with(GROUP, ["t"], earliest().auto_offset_reset(OffsetReset::Latest)).unwrap();
    let mut first = latest();
    settle(&mut first);
    first.commit_offset(&zero, 2).unwrap();
    first.close();
    let delete = |before| {
        log.topic("t").unwrap().partition(0).unwrap().delete_records_before(before).unwrap();
    };
    delete(6);

    let mut first = latest();
    assert_eq!(records(&mut first), None);
    assert_eq!(first.position(&zero), Ok(Some(10)));
    fill(&log, "t", 0, 3);
    assert_eq!(offsets(&records(&mut first).unwrap()), [10, 11, 12]);
    first.close(); // It has not committed them.
    let mut second = latest();
    assert_eq!(offsets(&records(&mut second).unwrap()), [10, 11, 12]);
    second.close();
    // What is passed once more is from the end once more.
    delete(12);
    let mut third = latest();
    assert_eq!(records(&mut third), None);
    assert_eq!(third.position(&zero), Ok(Some(13)));
    third.commit_offset(&zero, 13).unwrap();
}

/// A member counts as one that polls as long as a future of it is there, and not only until the first of two is gone, or a poll.
#[test]
fn a_member_is_not_late_while_one_of_its_futures_is_there() {
    let disturb: [fn(&mut Consumer); 2] = [|member| drop(member.ready()), |member| drop(settle(member))];
    for disturb in disturb {
        let bed = Bed::new(0);
        let log = log(&bed, "t", 2, 0);
        let mut waits = join(&log, "t");
        settle(&mut waits);
        let number = waits.member();
        let ready = waits.ready();
        disturb(&mut waits);
        bed.clock.advance_ms(2 * INTERVAL_MS);
        let mut other = join(&log, "t");
        settle(&mut other);
        drop(ready);
        settle(&mut waits);
        assert_eq!(waits.member(), number, "it was not put out");
        // Without any it is late in the end.
        bed.clock.advance_ms(2 * INTERVAL_MS);
        settle(&mut other);
        assert!(event(&mut waits).is_some());
        assert_ne!(waits.member(), number);
    }
}
