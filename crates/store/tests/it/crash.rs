//! Power failures at any moment: what was acknowledged reaches who subscribed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_codec::PacketId;
use headwater_session::{InFlight, Stage, State};
use headwater_store::{Delivery, Placement, Route, StoreOptions};

use crate::bed::{Bed, Client, Got, options};

const RUNS: u64 = 200;
const STEPS: usize = 120;

#[test]
fn every_message_that_was_acknowledged_reaches_a_session_that_lasts() {
    let mut crashes = 0;
    for seed in 0..RUNS {
        let named = Seed(seed);
        crashes += run(seed);
        drop(named);
    }
    assert!(crashes > RUNS, "more than one a run on average, not {crashes}");
}

/// Each has two of the six MQTT topics.
pub(crate) fn in_three_topics(options: StoreOptions) -> StoreOptions {
    let rule = |filter, topic| Route::new(filter).unwrap().topic(topic).unwrap();
    let keyed = |filter| rule(filter, "beta").key("{1}").unwrap().header("level", "{2}").unwrap();
    options.route(rule("t/0", "alpha")).route(rule("t/1", "alpha")).route(keyed("t/2")).route(keyed("t/3"))
}

/// Names the seed when a run fails: the assertions inside do not know it.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}

/// What was published, and what of it came.
#[derive(Default)]
struct Book {
    next: u32,
    /// Published since the last crash: acknowledged if it is durable when asked.
    open: Vec<(String, u32, Placement)>,
    acknowledged: BTreeSet<(String, u32)>,
    received: Vec<(String, u32)>,
    /// The retained message of each topic, as last acknowledged, and what was published after it.
    retained: BTreeMap<String, Vec<u32>>,
}

impl Book {
    fn settle(&mut self, bed: &Bed) {
        for (topic, number, placement) in std::mem::take(&mut self.open) {
            if !bed.store.is_durable(&placement) {
                self.open.push((topic, number, placement));
                continue;
            }
            if let Some(candidates) = self.retained.get_mut(&topic)
                && let Some(index) = candidates.iter().position(|candidate| *candidate == number)
            {
                candidates.drain(..index);
            }
            self.acknowledged.insert((topic, number));
        }
    }

    fn receive(&mut self, got: Vec<Got>) {
        let live = got.into_iter().filter(|got| !got.3);
        self.received.extend(live.map(|(topic, payload, _, _)| (topic, payload.parse::<u32>().unwrap())));
    }
}

fn run(seed: u64) -> u64 {
    let mut rng = fastrand::Rng::with_seed(seed);
    let small = options().inbox_max(rng.usize(1..6)).inbox_bytes_max(rng.usize(1..2_000));
    let small = small.catch_up_bytes(rng.usize(1..2_000));
    // Every other run with messages in several log topics.
    let mut bed = Bed::with(if seed.is_multiple_of(2) { small } else { in_three_topics(small) });
    let mut book = Book::default();
    let mut client = bed.lasting("c");
    client.subscribe("t/#", 1);
    let _ = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    bed.run();
    let mut client = Some(client);
    let mut crashes = 0;
    for _ in 0..STEPS {
        match rng.u32(0..100) {
            0..50 => publish(&bed, &mut book, &mut rng),
            50..65 => bed.run(),
            65..80 => {
                for _ in 0..rng.usize(0..5) {
                    if let Some(delivery) = client.as_mut().and_then(Client::next) {
                        book.receive(vec![crate::bed::seen(&delivery)]);
                    }
                }
            }
            80..82 => {
                // On other terms than those under which messages wait.
                if let Some(client) = &mut client {
                    client.subscribe("t/#", rng.u8(1..3));
                }
            }
            82..88 => {
                if let Some(client) = &client {
                    let _ = client.attached.save(&State::default(), client.expiry_secs).unwrap();
                }
            }
            88..96 => match client.take() {
                Some(here) => _ = here.leave(),
                None => client = Some(bed.lasting("c")),
            },
            _ => {
                book.settle(&bed);
                drop(client.take());
                bed = bed.crash(rng.u64(..));
                // What was not acknowledged is lost or not; the publisher does not know, and sends nothing again here.
                book.open.clear();
                crashes += 1;
            }
        }
    }
    bed.run();
    book.settle(&bed);
    let mut client = client.unwrap_or_else(|| bed.lasting("c"));
    book.receive(client.drain());
    check(&bed, &book);
    crashes
}

fn publish(bed: &Bed, book: &mut Book, rng: &mut fastrand::Rng) {
    let topic = format!("t/{}", rng.u32(0..6));
    let retain = rng.u32(0..4) == 0;
    let number = book.next;
    book.next += 1;
    let placement = bed.publish_from("p", &topic, &number.to_string(), 1, retain).unwrap();
    if retain {
        book.retained.entry(topic.clone()).or_default().push(number);
    }
    book.open.push((topic, number, placement));
}

fn check(bed: &Bed, book: &Book) {
    let received: BTreeSet<(String, u32)> = book.received.iter().cloned().collect();
    let missing: Vec<_> = book.acknowledged.difference(&received).collect();
    assert!(missing.is_empty(), "acknowledged and not received: {missing:?}");

    let mut first_seen: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (topic, number) in &book.received {
        let numbers = first_seen.entry(topic).or_default();
        if !numbers.contains(number) {
            numbers.push(*number);
        }
    }
    for (topic, numbers) in first_seen {
        assert!(numbers.is_sorted(), "{topic} out of order: {numbers:?}");
    }

    let mut reader = bed.attach("reader", true, 0);
    reader.subscribe("t/#", 1);
    let kept: BTreeMap<String, u32> =
        reader.drain().into_iter().map(|(topic, payload, _, _)| (topic, payload.parse().unwrap())).collect();
    for (topic, candidates) in &book.retained {
        // The last one acknowledged, or one that came after it and may have survived.
        let acknowledged =
            candidates.first().is_some_and(|first| book.acknowledged.contains(&(topic.clone(), *first)));
        match kept.get(topic) {
            Some(number) => {
                assert!(candidates.contains(number), "{topic}: {number} is not one of {candidates:?}")
            }
            None => assert!(!acknowledged, "{topic}: the retained message {candidates:?} is gone"),
        }
    }
}

/// Makes what was appended to one log topic durable, and nothing else.
fn sync(bed: &Bed, name: &str) {
    let lanes = bed.store.lanes();
    lanes.iter().find(|lane| lane.name() == name).unwrap().run(Duration::ZERO).unwrap();
}

/// A subscription that was acknowledged while the messages before it were not durable, then a power failure.
fn subscribed_behind_what_was_lost(seed: u64) -> Bed {
    let bed = Bed::new();
    for number in 0..3 {
        bed.publish("t", &format!("old {number}"), 1);
    }
    bed.run();
    let mut client = bed.lasting("c");
    for number in 0..10 {
        bed.publish("t", &format!("tail {number}"), 1);
    }
    client.subscribe("t", 1);
    let placement = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    sync(&bed, "sessions");
    assert!(bed.store.is_durable(&placement), "SUBACK");
    drop(client);
    bed.crash(seed)
}

fn new_ones(got: Vec<Got>) -> Vec<String> {
    got.into_iter().map(|got| got.1).filter(|payload| payload.starts_with("new")).collect()
}

#[test]
fn a_subscription_does_not_wait_for_offsets_that_a_power_failure_gave_to_other_messages() {
    for seed in 0..50 {
        let bed = subscribed_behind_what_was_lost(seed);
        for number in 0..3 {
            bed.publish("t", &format!("new {number}"), 1);
        }
        bed.run();
        assert_eq!(new_ones(bed.lasting("c").drain()), ["new 0", "new 1", "new 2"], "seed {seed}");
    }
}

#[test]
fn that_a_subscription_begins_earlier_is_kept_over_the_next_stop() {
    for seed in 0..20 {
        let bed = subscribed_behind_what_was_lost(seed);
        for number in 0..20 {
            bed.publish("t", &format!("new {number}"), 1);
        }
        let bed = bed.reopen().crash(seed);
        assert_eq!(new_ones(bed.lasting("c").drain()).len(), 20, "seed {seed}");
    }
}

#[test]
fn a_retained_message_that_a_power_failure_took_is_not_taken_for_another_one() {
    let mut taken = 0;
    for seed in 0..60 {
        let stage = [Stage::PubAck, Stage::PubRec][usize::from(seed % 2 == 1)];
        let bed = Bed::new();
        bed.retain("t/1", "first", 2);
        let mut client = bed.lasting("c");
        client.subscribe("t/#", if stage == Stage::PubAck { 1 } else { 2 });
        let message = client.next().unwrap();
        let under_way = InFlight { packet_id: PacketId::MIN, stage, sent: true, message };
        let state = State::new(vec![under_way], Vec::new());
        let _ = client.attached.save(&state, client.expiry_secs).unwrap();
        sync(&bed, "sessions");
        drop(client);
        let bed = bed.crash(seed);
        let lost = bed.store.statistics().retained == 0;
        bed.retain("t/2", "other", 2);
        let bed = bed.reopen();
        let mut resumed: Vec<InFlight<Delivery>> = bed.lasting("c").resumed.unwrap().outgoing;
        if !lost {
            assert_eq!(resumed.pop().unwrap().message.message.payload, "first");
            continue;
        }
        taken += 1;
        match stage {
            Stage::PubAck => {
                assert!(resumed.is_empty(), "it is gone, and its publisher was not told otherwise")
            }
            // The client may hold the identifier: PUBREL frees it.
            _ => assert_eq!(resumed.pop().unwrap().stage, Stage::PubComp),
        }
        assert!(resumed.is_empty());
    }
    assert!(taken > 10, "{taken}");
}
