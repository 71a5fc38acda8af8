//! Ten publishers at every QoS and three subscribers whose sessions last, over a broker that is killed with -9 at random moments.
//!
//! The clients are sessions of `headwater::session::client` over blocking sockets: they outlive each connection, and know what was
//! acknowledged. Only the broker loses its memory.
//!
//! ```text
//!   load, killed N - 1 times -> drain: all that was published is acknowledged -> killed once more -> a last message on every line
//! ```
//!
//! A line is what has an order: one publisher, one topic, one QoS. When the last message of a line is there, nothing of it is still to come.
//! `cargo x kill-broker` runs it with the optimised broker and 50 kills.

mod client;
mod laws;
mod message;
mod publisher;
mod stage;
mod subscriber;

use std::thread;
use std::time::{Duration, Instant};

use headwater::codec::{QoS, Version};

use self::client::Client;
use self::laws::Found;
use self::message::PUBLISHERS;
use self::publisher::Publisher;
use self::stage::{Stage, Stages};
use self::subscriber::Subscriber;
use crate::program::{Broker, replay};

/// Unless `KILLS` says otherwise.
const KILLS: usize = 10;
/// From when it listens, or from its start, to the kill.
const SERVES_MS: std::ops::Range<u64> = 5..800;
const STARTS_MS: std::ops::Range<u64> = 0..40;
/// One kill in so many comes while the broker starts.
const STARTING_ONE_IN: usize = 5;
/// What takes longer hangs.
const BASE_LIMIT: Duration = Duration::from_secs(90);
const KILL_LIMIT: Duration = Duration::from_secs(3);
/// A segment is as small as it may be, and live messages leave memory early: recovery has several files, and subscribers read the log.
const OPTIONS: &[&str] = &[
    "--packet-bytes-max",
    "4KiB",
    "--segment-bytes",
    "1MiB",
    "--inbox-max",
    "200",
    "--sys-interval",
    "never",
];

#[test]
fn what_was_acknowledged_outlives_kills_under_load_and_qos_2_comes_once() {
    let kills = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let begin = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), OPTIONS);
    let stages = &Stages::new(broker.address, BASE_LIMIT + KILL_LIMIT * u32::try_from(kills).unwrap());
    let mut publishers: Vec<Publisher<'_>> =
        (0..PUBLISHERS).map(|number| Publisher::new(stages, number)).collect();
    let mut subscribers = [
        Subscriber::new(stages, "of QoS 1", QoS::AtLeastOnce, false),
        Subscriber::new(stages, "of QoS 2", QoS::ExactlyOnce, false),
        Subscriber::new(stages, "of QoS 2 that comes and goes", QoS::ExactlyOnce, true),
    ];
    let mut starting = 0;
    thread::scope(|scope| {
        for (subscriber, version) in subscribers.iter_mut().zip([Version::V5, Version::V3_1_1, Version::V5]) {
            scope.spawn(move || Client::new(stages, subscriber.name, version).run(subscriber));
        }
        stages.wait("subscriptions", || stages.ready() == 3);
        for (number, publisher) in publishers.iter_mut().enumerate() {
            let version = if number % 2 == 0 { Version::V3_1_1 } else { Version::V5 };
            let client = Client::new(stages, &format!("publisher {number}"), version);
            scope.spawn(move || client.run(publisher));
        }
        stages.wait("publishers", || stages.ready() == 3 + PUBLISHERS);
        starting = kill_again_and_again(&mut broker, stages, kills - 1);
        stages.enter(Stage::Drain);
        stages.wait("all that was published to be acknowledged", || stages.idle() == PUBLISHERS);
        restart(&mut broker, stages, None);
        stages.enter(Stage::Last);
    });
    let mut found = Found::default();
    for subscriber in &subscribers {
        found.subscriber(subscriber, &publishers);
    }
    found.log(&replay(folder.path(), &["--filter", "kill/#"]), &publishers);
    let published = |qos| publishers.iter().map(|publisher| publisher.count(qos)).sum::<usize>();
    println!(
        "{kills} kills ({starting} of them while it started; {} messages of publishers were in flight) in {:.0} s: {} messages of QoS 0 \
         written, {} of QoS 1 and {} of QoS 2 acknowledged; {found}",
        publishers.iter().map(|publisher| publisher.in_flight).sum::<usize>(),
        begin.elapsed().as_secs_f64(),
        published(QoS::AtMostOnce),
        published(QoS::AtLeastOnce),
        published(QoS::ExactlyOnce),
    );
    found.check();
}

/// Gives how many of the kills came while it started.
fn kill_again_and_again(broker: &mut Broker, stages: &Stages, kills: usize) -> usize {
    let starting = kills / STARTING_ONE_IN;
    for kill in 0..kills - starting {
        thread::sleep(Duration::from_millis(fastrand::u64(SERVES_MS)));
        let again = (kill < starting).then(|| Duration::from_millis(fastrand::u64(STARTS_MS)));
        restart(broker, stages, again);
    }
    starting
}

/// Kills the broker and starts it again, at the second attempt if the first is killed so long after its start.
fn restart(broker: &mut Broker, stages: &Stages, again: Option<Duration>) {
    stages.set_up(false);
    broker.kill();
    if let Some(after) = again {
        broker.start_and_kill(after);
    }
    broker.restart();
    stages.set_up(true);
}
