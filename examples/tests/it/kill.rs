//! A publisher that goes on while the broker is killed: what was acknowledged is in the log, and reaches who subscribed.

use std::collections::BTreeSet;

use headwater::codec::{QoS, Version};

use crate::program::{Broker, replay};
use crate::raw::Raw;

const MESSAGES: usize = 600;
const KILL_EVERY: usize = 150;

#[test]
fn what_was_acknowledged_survives_kill_9_and_reaches_who_subscribed() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), &[]);
    Raw::connect(&broker, Version::V5, "subscriber", 3_600).subscribe("t/#", QoS::AtLeastOnce);
    let mut publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
    for number in 0..MESSAGES {
        let acknowledged = publisher.publish(&format!("t/{}", number % 5), number.to_string().as_bytes());
        assert!(!acknowledged.is_error());
        if number % KILL_EVERY == KILL_EVERY - 1 {
            broker.kill();
            broker.restart();
            publisher = Raw::connect(&broker, Version::V5, "publisher", 0);
        }
    }
    let all: BTreeSet<usize> = (0..MESSAGES).collect();
    let records = replay(folder.path(), &[]);
    let mut logged: Vec<Vec<usize>> = vec![Vec::new(); 5];
    for record in &records {
        let number: usize = record["value"].as_str().unwrap().parse().unwrap();
        logged[number % 5].push(number);
    }
    assert_eq!(logged.iter().flatten().copied().collect::<BTreeSet<_>>(), all);
    assert!(logged.iter().all(|numbers| numbers.is_sorted()), "in order of each topic");

    let mut subscriber = Raw::connect(&broker, Version::V5, "subscriber", 3_600);
    let received: BTreeSet<usize> =
        (0..MESSAGES).map(|_| String::from_utf8(subscriber.receive()).unwrap().parse().unwrap()).collect();
    assert_eq!(received, all);
}
