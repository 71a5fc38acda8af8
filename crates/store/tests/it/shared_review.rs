//! What a review of shared subscriptions found.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_codec::QoS;
use headwater_session::State;
use headwater_store::{Attach, AttachError, Next};

use crate::bed::{Bed, options};
use crate::worker::Worker;

/// The broker saves a session when its exchanges change, and QoS 0 changes none: the group has to see to itself.
#[test]
fn what_a_member_took_at_most_once_does_not_all_come_again_after_a_crash() {
    let bed = Bed::new();
    let mut worker = Worker::back(&bed, "a");
    worker.subscribe("$share/g/t", QoS::AtMostOnce);
    worker.save();
    let mut taken = 0;
    for number in 0..5_000 {
        bed.publish("t", &number.to_string(), 1);
        if number % 50 == 49 {
            bed.run();
            taken += worker.take_all().len();
        }
    }
    assert_eq!(taken, 5_000);
    bed.run();
    drop(worker);
    let bed = bed.crash(1);
    let again = Worker::back(&bed, "a").take_all().len();
    assert!(again <= 1_024, "{again} messages of QoS 0 came again");
}

/// A member of two groups: one is busy and keeps it filled, the other one has nobody else.
#[test]
fn a_busy_group_does_not_keep_its_member_from_another_group() {
    let bed = Bed::with(options().shared_inbox_max(8));
    let mut slow = Worker::passing(&bed, "slow", "$share/busy/b");
    let mut fast = Worker::passing(&bed, "fast", "$share/busy/b");
    // Fills the slow one, then comes something for the group that it alone belongs to.
    slow.subscribe("$share/lone/l", QoS::AtLeastOnce);
    let mut number = 0;
    let mut flood = |bed: &Bed| {
        for _ in 0..10 {
            bed.publish("b", &number.to_string(), 1);
            number += 1;
        }
        bed.run();
    };
    flood(&bed);
    flood(&bed);
    bed.publish("l", "lone", 1);
    bed.run();
    for turn in 0..2_000 {
        flood(&bed);
        fast.work();
        if slow.take().as_deref() == Some("lone") {
            eprintln!("after {turn} turns");
            return;
        }
        slow.finish_all();
    }
    panic!("2,000 messages of the busy group came first");
}

fn session_bytes(bed: &Bed) -> usize {
    let topic = bed.log.topic("__headwater_sessions").unwrap();
    let log = topic.partitions().next().unwrap();
    bed.run();
    let (mut next, mut bytes) = (log.start_offset(), 0);
    while next < log.durable_end() {
        let fetched = log.read(next, 1 << 20).unwrap();
        next = fetched.next_offset();
        bytes += fetched.views().map(|record| record.unwrap().value.map_or(0, <[u8]>::len)).sum::<usize>();
    }
    bytes
}

/// Many sessions that end at once, each with some messages under way.
#[test]
fn sessions_that_expire_together_do_not_each_write_all_of_the_group() {
    const SESSIONS: usize = 200;
    const EACH: usize = 20;
    let mut bed = Bed::with(options().state(
        headwater_log::TopicOptions::default().segment_bytes(1 << 24).allocate_ahead_bytes_max(1 << 16),
    ));
    let mut workers: Vec<_> =
        (0..SESSIONS).map(|name| Worker::lasting(&bed, &name.to_string(), "$share/g/t")).collect();
    let mut keeper = Worker::back(&bed, "keeper");
    for _ in 0..EACH {
        for number in 0..SESSIONS {
            bed.publish("t", &number.to_string(), 1);
        }
        bed.run();
        workers.iter_mut().for_each(|worker| _ = worker.take_all());
    }
    assert_eq!(workers.iter().map(|worker| worker.under_way.len()).sum::<usize>(), SESSIONS * EACH);
    // It stays a member, for ever.
    keeper.client.expiry_secs = u32::MAX;
    keeper.subscribe("$share/g/t", QoS::AtLeastOnce);
    keeper.save();
    keeper.leave();
    let before = session_bytes(&bed);
    let begin = Instant::now();
    workers.into_iter().for_each(|worker| _ = worker.leave());
    let left = session_bytes(&bed);
    bed.now_ms += 8 * 24 * 3_600_000;
    assert_eq!(bed.store.expire_sessions(bed.now_ms).unwrap(), SESSIONS);
    let expired = session_bytes(&bed);
    eprintln!("left: {} bytes, expired: {} bytes, {:?}", left - before, expired - left, begin.elapsed());
    assert!(
        expired - left < 10 * 12 * SESSIONS * EACH,
        "{} bytes for {} messages",
        expired - left,
        SESSIONS * EACH
    );
}

/// A client comes back while its last connection is still being ended, by another thread.
#[test]
fn a_session_that_comes_back_while_it_goes_keeps_its_subscriptions() {
    let bed = Bed::new();
    let mut client = bed.lasting("a");
    client.subscribe("$share/g/s", 1).subscribe("p", 1);
    client.attached.save(&State::default(), 1_000).unwrap();
    let mut attached = client.attached;
    let begin = Instant::now();
    for round in 0..10_000 {
        if begin.elapsed() > Duration::from_secs(10) {
            break;
        }
        let store = bed.store.clone();
        let going = std::thread::spawn(move || attached.detach(&State::default(), 1_000, 1_000_000).unwrap());
        let mut back = loop {
            let wake = Arc::new(|| {});
            let attach =
                Attach { client_id: "a", clean_start: false, expiry_secs: 1_000, wake, now_ms: 1_000_000 };
            match store.attach(&attach) {
                Ok((attached, _, _)) => break attached,
                // The lock is not a fair one: who asks again and again keeps others from it.
                Err(AttachError::InUse) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        going.join().unwrap();
        bed.publish("p", "p", 1);
        bed.publish("s", "s", 1);
        bed.run();
        let mut got = Vec::new();
        loop {
            match back.next(1_000_000).unwrap() {
                Next::Delivery(delivery) => {
                    back.finish(&delivery).unwrap();
                    got.push(delivery.message.topic.as_str().to_owned());
                }
                Next::Again => {}
                Next::Idle => break,
            }
        }
        got.sort();
        assert_eq!(got, ["p", "s"], "round {round}");
        attached = back;
    }
}
