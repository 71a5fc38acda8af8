//! Members that come and go in any order: who has a message is a matter of one at a time.

use std::collections::{BTreeMap, BTreeSet};

use headwater_codec::QoS;

use crate::bed::{Bed, options};
use crate::worker::Worker;

const RUNS: u64 = 150;
const STEPS: usize = 250;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const FILTER: &str = "$share/g/t/#";

/// Who has a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The group: it waits in the log or in an inbox.
    Group,
    /// The session of this name; it may have been sent.
    Session(usize),
    Finished,
    /// It was sent with QoS 2, and the session has ended.
    Gone,
}

#[derive(Debug)]
struct Message {
    topic: u32,
    qos: u8,
    place: Place,
    /// It may have been with somebody before: then it comes when it comes.
    returned: bool,
}

/// What has to be, by the number of the message.
struct Model {
    messages: BTreeMap<u32, Message>,
    next: u32,
    /// The last message of each topic that a session was given in the order of the log.
    last: BTreeMap<(usize, u32), u32>,
}

impl Model {
    fn publish(&mut self, bed: &Bed, rng: &mut fastrand::Rng) {
        let (topic, qos) = (rng.u32(0..4), rng.u8(1..3));
        bed.publish(&format!("t/{topic}"), &self.next.to_string(), qos);
        let message = Message { topic, qos, place: Place::Group, returned: false };
        self.messages.insert(self.next, message);
        self.next += 1;
    }

    fn taken(&mut self, name: usize, payload: &str) {
        let number = payload.parse().unwrap();
        let message = self.messages.get_mut(&number).unwrap();
        assert_eq!(message.place, Place::Group, "{number} comes to {name}");
        message.place = Place::Session(name);
        if !message.returned {
            let last = self.last.insert((name, message.topic), number);
            assert!(last.is_none_or(|last| last < number), "{name}: {number} after {last:?}");
        }
    }

    fn finished(&mut self, name: usize, payload: &str) {
        let message = self.messages.get_mut(&payload.parse().unwrap()).unwrap();
        assert_eq!(message.place, Place::Session(name));
        message.place = Place::Finished;
    }

    /// Gives back what was not sent.
    fn unsent(&mut self, payload: &str) {
        let message = self.messages.get_mut(&payload.parse().unwrap()).unwrap();
        (message.place, message.returned) = (Place::Group, true);
    }

    /// A member goes, and with it its inbox.
    fn parted(&mut self) {
        for message in self.messages.values_mut().filter(|message| message.place == Place::Group) {
            message.returned = true;
        }
    }

    fn ended(&mut self, name: usize) {
        for message in self.messages.values_mut().filter(|message| message.place == Place::Session(name)) {
            if message.qos == 2 {
                message.place = Place::Gone;
            } else {
                (message.place, message.returned) = (Place::Group, true);
            }
        }
    }
}

fn payload(worker: &Worker, index: usize) -> String {
    String::from_utf8(worker.under_way[index].message.message.payload.to_vec()).unwrap()
}

/// Goes; of what is under way, the last ones were never sent.
fn leave(mut worker: Worker, name: usize, model: &mut Model, rng: &mut fastrand::Rng) {
    model.parted();
    let unsent = rng.usize(0..=worker.under_way.len());
    for index in 0..worker.under_way.len() {
        // What came back with the session was sent.
        let is_new = payload(&worker, index);
        if index >= unsent && worker.under_way[index].packet_id.get() > worker.resumed_through {
            worker.under_way[index].sent = false;
            model.unsent(&is_new);
        }
    }
    if worker.client.expiry_secs == 0 {
        model.ended(name);
    }
    worker.leave();
}

#[test]
fn each_message_is_with_one_member_at_a_time_and_none_is_lost() {
    let (mut taken, mut returned) = (0, 0);
    for seed in 0..RUNS {
        let named = Seed(seed);
        let (messages, back) = run(seed);
        (taken, returned) = (taken + messages, returned + back);
        drop(named);
    }
    eprintln!("{taken} messages, {returned} of them went to another member");
    assert!(taken > 10_000 && returned > 500, "{taken} {returned}");
}

/// Names the seed when a run fails.
pub(crate) struct Seed(pub(crate) u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}

fn run(seed: u64) -> (usize, u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let small = options().inbox_max(rng.usize(1..8)).inbox_bytes_max(rng.usize(1..2_000));
    let small = small.shared_inbox_max(rng.usize(1..5)).catch_up_bytes(rng.usize(1..2_000));
    let mut bed = Bed::with(small);
    let mut model = Model { messages: BTreeMap::new(), next: 0, last: BTreeMap::new() };
    // It is always a member, and away most of the time.
    Worker::lasting(&bed, "anchor", FILTER).leave();
    let mut workers: [Option<Worker>; 4] = Default::default();
    let mut lasting: BTreeSet<usize> = BTreeSet::new();
    let mut returned = 0;
    for _ in 0..STEPS {
        let name = rng.usize(0..NAMES.len());
        match (rng.u32(0..100), &mut workers[name]) {
            (0..35, _) => model.publish(&bed, &mut rng),
            (35..45, _) => bed.run(),
            (45..65, Some(worker)) => {
                if let Some(payload) = worker.take() {
                    model.taken(name, &payload);
                }
            }
            (65..80, Some(worker)) if !worker.under_way.is_empty() => {
                let index = rng.usize(0..worker.under_way.len());
                let payload = worker.finish(index);
                model.finished(name, &payload);
            }
            (80..84, Some(worker)) => _ = worker.save(),
            (84..87, Some(worker)) => {
                model.parted();
                worker.unsubscribe(FILTER);
            }
            (87..90, Some(worker)) => {
                worker.subscribe(FILTER, QoS::ExactlyOnce);
            }
            (90..94, slot) if slot.is_some() => {
                leave(slot.take().unwrap(), name, &mut model, &mut rng);
            }
            (94..99, slot @ None) => {
                let last = rng.bool();
                let clean = !last || rng.u32(0..3) == 0;
                if clean && lasting.contains(&name) {
                    model.ended(name);
                }
                model.last.retain(|(other, _), _| *other != name);
                let expiry_secs = if last { 3_600 } else { 0 };
                if last {
                    lasting.insert(name)
                } else {
                    lasting.remove(&name)
                };
                let mut worker = Worker::of(bed.attach(NAMES[name], clean, expiry_secs));
                for index in 0..worker.under_way.len() {
                    let number: u32 = payload(&worker, index).parse().unwrap();
                    assert_eq!(model.messages[&number].place, Place::Session(name));
                }
                worker.subscribe(FILTER, QoS::ExactlyOnce);
                *slot = Some(worker);
            }
            (99, _) => {
                for (name, slot) in workers.iter_mut().enumerate() {
                    if let Some(worker) = slot.take() {
                        leave(worker, name, &mut model, &mut rng);
                    }
                }
                returned += bed.store.statistics().returned;
                bed = bed.reopen();
            }
            _ => {}
        }
    }
    bed.run();
    finish_all(&bed, workers, &mut model);
    (model.messages.len(), returned + bed.store.statistics().returned)
}

/// All come and finish what there is: then nobody has anything.
fn finish_all(bed: &Bed, mut workers: [Option<Worker>; 4], model: &mut Model) {
    for (name, slot) in workers.iter_mut().enumerate() {
        let worker = slot.get_or_insert_with(|| Worker::back(bed, NAMES[name]));
        for payload in worker.finish_all() {
            model.finished(name, &payload);
        }
    }
    let mut anchor = Worker::back(bed, "anchor");
    assert!(anchor.under_way.is_empty());
    for _ in 0..model.messages.len() {
        for (name, worker) in workers.iter_mut().flatten().chain([&mut anchor]).enumerate() {
            for payload in worker.take_all() {
                model.taken(name, &payload);
                assert_eq!(worker.finish(0), payload);
                model.finished(name, &payload);
            }
        }
    }
    let over = [Place::Finished, Place::Gone];
    let left: Vec<_> = model.messages.iter().filter(|(_, message)| !over.contains(&message.place)).collect();
    assert!(left.is_empty(), "nobody got {left:?}");
}
