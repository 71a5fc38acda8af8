//! Members on threads of their own, beside the dispatcher.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_codec::{QoS, SubscribeOptions};
use headwater_store::Attach;
use headwater_topic::TopicFilter;

use crate::bed::{Bed, messages, options};
use crate::worker::Worker;

const MESSAGES: usize = 6_000;
const FILTER: &str = "$share/g/t/#";

#[test]
fn a_group_that_goes_live_while_a_message_is_dispatched_does_not_miss_it() {
    // In one of the two the other group is given the message after this one was passed over.
    for other_first in [true, false] {
        goes_live_beside_another(other_first);
    }
}

fn goes_live_beside_another(other_first: bool) {
    let bed = Bed::with(options().messages(messages().partitions(1)));
    let (ask, asked) = channel::<()>();
    let (answer, answered) = channel::<()>();
    let answered = Mutex::new(answered);
    // When the other one is given the message, this one reads; it cannot end as long as the dispatcher is at it.
    let wake = Arc::new(move || {
        let _ = ask.send(());
        let _ = answered.lock().unwrap().recv_timeout(Duration::from_millis(100));
    });
    let other = || {
        let attach = Attach { client_id: "other", clean_start: true, expiry_secs: 0, wake, now_ms: 0 };
        let (mut attached, ..) = bed.store.attach(&attach).unwrap();
        let filter = TopicFilter::parse("$share/other/t").unwrap();
        attached.subscribe(filter, SubscribeOptions::new(QoS::AtLeastOnce), None);
        attached
    };
    let own = || Worker::lasting(&bed, "a", "$share/g/t").leave();
    let other = if other_first {
        let other = other();
        let _ = own();
        other
    } else {
        let _ = own();
        other()
    };
    // It has nothing to read, and does not know.
    let mut a = Worker::back(&bed, "a");
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        while asked.recv().is_ok() {
            got.extend(a.work());
            let _ = answer.send(());
        }
        got.extend(a.work());
        got
    });
    bed.publish("t", "x", 1);
    bed.run();
    drop(other);
    assert_eq!(reader.join().unwrap(), ["x"], "the other one first: {other_first}");
}

#[test]
fn members_that_come_and_go_on_threads_get_each_message_once() {
    let bed = Arc::new(Bed::with(options().shared_inbox_max(7).catch_up_bytes(3_000)));
    Worker::lasting(&bed, "anchor", FILTER).leave();
    let stop = Arc::new(AtomicBool::new(false));
    let got: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let finished = Arc::new(AtomicUsize::new(0));
    let mut threads = Vec::new();
    for lane in bed.store.lanes() {
        let stop = Arc::clone(&stop);
        threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                lane.run(Duration::from_millis(1)).unwrap();
            }
        }));
    }
    for number in 0..4_u64 {
        let (bed, stop, got, finished) =
            (Arc::clone(&bed), Arc::clone(&stop), Arc::clone(&got), Arc::clone(&finished));
        threads.push(std::thread::spawn(move || {
            let mut rng = fastrand::Rng::with_seed(number);
            while !stop.load(Ordering::Relaxed) {
                let name = format!("w{number}");
                let mut worker = if number % 2 == 0 {
                    Worker::lasting(&bed, &name, FILTER)
                } else {
                    Worker::passing(&bed, &name, FILTER)
                };
                for _ in 0..rng.usize(1..200) {
                    if worker.take().is_none() {
                        std::thread::yield_now();
                    }
                    if !worker.under_way.is_empty() && rng.u32(0..3) > 0 {
                        let payload = worker.finish(0);
                        *got.lock().unwrap().entry(payload).or_default() += 1;
                        finished.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // What is left was never sent: it goes to the others.
                worker.under_way.iter_mut().for_each(|one| one.sent = false);
                worker.leave();
            }
        }));
    }
    for number in 0..MESSAGES {
        bed.publish(&format!("t/{}", number % 9), &number.to_string(), 1 + u8::from(number % 2 == 0));
        if number % 50 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    for _ in 0..600 {
        if finished.load(Ordering::Relaxed) >= MESSAGES {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    let mut anchor = Worker::back(&bed, "anchor");
    assert_eq!(anchor.work(), [""; 0], "nothing is left");
    let got = got.lock().unwrap();
    assert_eq!(got.len(), MESSAGES);
    assert!(got.values().all(|count| *count == 1));
}
