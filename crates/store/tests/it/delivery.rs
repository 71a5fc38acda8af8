//! Publishers, lanes and a client that comes and goes, all at once: exactly once, in order of each topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::bed::{Bed, options};

const PUBLISHERS: usize = 3;
const MESSAGES: usize = 3_000;

#[test]
fn nothing_is_lost_doubled_or_out_of_order_between_catching_up_and_live() {
    // So small an inbox overflows all the time: the session goes from live to behind and back again and again.
    let bed = Arc::new(Bed::with(options().inbox_max(3).catch_up_bytes(500)));
    let mut client = bed.lasting("c");
    client.subscribe("t/#", 1);
    let _ = client.leave();
    let stop = Arc::new(AtomicBool::new(false));
    let published = Arc::new(AtomicUsize::new(0));
    let received = std::thread::scope(|scope| {
        for lane in bed.store.lanes() {
            let stop = Arc::clone(&stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    lane.run(Duration::from_millis(1)).unwrap();
                }
            });
        }
        for publisher in 0..PUBLISHERS {
            let (bed, published) = (Arc::clone(&bed), Arc::clone(&published));
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    bed.publish(&format!("t/{publisher}/{}", number % 4), &number.to_string(), 1);
                    published.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let reader = {
            let bed = Arc::clone(&bed);
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(11);
                let mut received = Vec::new();
                let deadline = std::time::Instant::now() + Duration::from_secs(60);
                while received.len() < PUBLISHERS * MESSAGES && std::time::Instant::now() < deadline {
                    let mut client = bed.lasting("c");
                    for _ in 0..rng.usize(0..400) {
                        match client.next() {
                            Some(delivery) => received.push(crate::bed::seen(&delivery)),
                            None => std::thread::yield_now(),
                        }
                    }
                    let _ = client.leave();
                }
                received
            })
        };
        let received = reader.join().unwrap();
        stop.store(true, Ordering::Relaxed);
        received
    });
    assert_eq!(published.load(Ordering::Relaxed), PUBLISHERS * MESSAGES);
    let mut by_topic: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (topic, payload, qos, retain) in received {
        assert_eq!((qos, retain), (1, false));
        by_topic.entry(topic).or_default().push(payload.parse().unwrap());
    }
    assert_eq!(by_topic.len(), PUBLISHERS * 4);
    for (topic, numbers) in by_topic {
        let first = numbers[0];
        let expected: Vec<usize> = (first..MESSAGES).step_by(4).collect();
        assert!(first < 4);
        assert_eq!(numbers, expected, "{topic}");
    }
    assert_eq!(bed.lasting("c").drain(), []);
}
