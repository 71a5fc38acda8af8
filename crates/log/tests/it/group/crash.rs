//! P12: what a loss of power leaves of what a group has committed.
//!
//! ```text
//!   committed durably: 3    committed: 5    7         power lost
//!   ----------------------------------------------------|
//!   after that one of 3, 5, 7 is committed, and there are that many records
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use headwater_log::{Ack, Clock, Consumer, Log, LogOptions, Record, TopicPartition};
use headwater_testkit::manual_clock::ManualClock;
use headwater_testkit::sim_disk::{Bounds, SimDisk};

use super::bed::{GROUP, at, earliest, settle};
use crate::bed::{START_MS, payload, small};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    /// A record, and whether it is waited until it is durable.
    Append(bool),
    /// Of everything that can be read, and whether it is waited until it is durable.
    Commit(bool),
    /// Of one record less than was committed, because it is asked for.
    Back,
    /// The clock goes on, and upkeep is done: segments are rolled.
    Maintain,
    /// The log is closed and opened.
    Reopen,
}

const ALPHABET: [Op; 7] = [
    Op::Append(true),
    Op::Append(false),
    Op::Commit(true),
    Op::Commit(false),
    Op::Back,
    Op::Maintain,
    Op::Reopen,
];

/// What may be committed after a loss of power: `None` is nothing.
type Possible = Vec<Option<u64>>;

struct Run {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    log: Option<Log>,
    member: Option<Consumer>,
    /// What may be committed, what is in force last.
    possible: Possible,
    /// What was committed for a moment, in the step that was taken last.
    passed: Possible,
    durable_end: u64,
    history: Vec<Op>,
}

fn open(disk: &SimDisk, clock: &Arc<ManualClock>) -> Log {
    let options = LogOptions::default()
        .storage(Arc::new(disk.clone()))
        .clock(Arc::clone(clock) as Arc<_>)
        .topic_defaults(small());
    Log::open("/data", options).unwrap()
}

fn partition() -> TopicPartition {
    at("t", 0)
}

impl Run {
    fn new(disk: SimDisk) -> Self {
        let clock = Arc::new(ManualClock::new(START_MS));
        let mut run = Self {
            disk,
            clock,
            log: None,
            member: None,
            possible: vec![None],
            passed: Vec::new(),
            durable_end: 0,
            history: Vec::new(),
        };
        run.open();
        run
    }

    fn open(&mut self) {
        let log = open(&self.disk, &self.clock);
        log.open_or_create_topic("t", small()).unwrap();
        let mut member = log.consumer_with(GROUP, ["t"], earliest()).unwrap();
        settle(&mut member);
        self.durable_end = log.topic("t").unwrap().partition(0).unwrap().durable_end();
        let committed = member.committed(&partition());
        // What it has got meanwhile it gets again.
        member.seek(&partition(), committed.unwrap_or(0)).unwrap();
        self.possible = vec![committed];
        (self.log, self.member) = (Some(log), Some(member));
    }

    fn step(&mut self, op: Op) {
        self.history.push(op);
        self.passed.clear();
        let partition = partition();
        let log = self.log.as_ref().unwrap();
        let records = log.topic("t").unwrap().partition(0).unwrap();
        let member = self.member.as_mut().unwrap();
        let now = self.possible.last().copied().flatten();
        match op {
            Op::Append(durable) => {
                let value = payload(records.appended_end());
                let ack = if durable { Ack::Durable } else { Ack::Appended };
                records.append(&Record::new(&value), ack).unwrap();
            }
            Op::Commit(durable) => {
                while let Some(polled) = member.poll(std::time::Duration::ZERO).unwrap() {
                    let ack = if durable { Ack::Durable } else { Ack::Appended };
                    member.commit_with(&polled, ack).unwrap();
                    self.possible.push(Some(polled.next_offset()));
                    self.passed.push(Some(polled.next_offset()));
                }
                if durable {
                    member.commit_all().unwrap();
                    let last = self.possible.last().copied().flatten();
                    self.possible = vec![last.or(member.position(&partition).unwrap())];
                }
            }
            Op::Back => {
                let to = now.unwrap_or(0).saturating_sub(1);
                member.reset_offset(&partition, to).unwrap();
                member.seek(&partition, to).unwrap();
                self.possible = vec![Some(to)];
            }
            Op::Maintain => {
                self.clock.advance_ms(8 * 24 * 3600 * 1000);
                log.maintain(self.clock.now_ms()).unwrap();
                self.possible = vec![now];
            }
            Op::Reopen => {
                self.member = None;
                self.log.take().unwrap().close().unwrap();
                self.open();
                assert_eq!(self.possible, [now], "after {:?}", self.history);
            }
        }
        let log = self.log.as_ref().unwrap();
        self.durable_end = log.topic("t").unwrap().partition(0).unwrap().durable_end();
        let now = self.possible.last().copied().flatten();
        assert_eq!(self.member.as_ref().unwrap().committed(&partition), now, "after {:?}", self.history);
    }

    /// Opens a disk as a loss of power left it: one of what was possible is committed, and not more than there is.
    fn check(&self, image: SimDisk, possible: &[Option<u64>], durable_end: u64) -> Option<u64> {
        let log = open(&image, &self.clock);
        let history = &self.history;
        assert!(log.recovery().offsets.is_clean(), "{:?} after {history:?}", log.recovery().offsets);
        let end = log.topic("t").map_or(0, |topic| topic.partition(0).unwrap().durable_end());
        assert!(end >= durable_end);
        let described = log.describe_group(GROUP).ok();
        let committed = described.and_then(|group| group.partitions.first().and_then(|of| of.committed));
        assert!(possible.contains(&committed), "{committed:?} is none of {possible:?} after {history:?}");
        assert!(
            committed.is_none_or(|committed| committed <= end),
            "{committed:?} of {end} after {history:?}"
        );
        image.halt();
        committed
    }
}

/// So many images of each moment in a history of 1, 2, .. operations, and so many more that are torn.
const IMAGES: [(usize, usize); 5] = [(400, 40), (100, 10), (16, 4), (4, 1), (2, 0)];

struct Search {
    beginning: SimDisk,
    seen: HashSet<(u64, Vec<Option<u64>>)>,
    images: u64,
    histories: u64,
}

impl Search {
    fn step(&mut self, run: &mut Run, op: Op) {
        let before = (run.possible.clone(), run.durable_end);
        run.disk.keep_moments();
        run.step(op);
        let moments = run.disk.take_moments();
        let last = moments.len() - 1;
        self.histories += 1;
        let (images, torn) = IMAGES[run.history.len() - 1];
        for (at, moment) in moments.into_iter().enumerate() {
            // In the middle of it, what was possible before still is; at its end what it has acknowledged has to be.
            let possible: Possible = if at == last {
                run.possible.clone()
            } else {
                before.0.iter().chain(&run.passed).chain(&run.possible).copied().collect()
            };
            let durable_end = if at == last { run.durable_end } else { before.1 };
            moment.crash_images(Bounds { images, torn, seed: self.histories }, |image| {
                self.images += 1;
                if self.seen.insert((image.fingerprint(), possible.clone())) {
                    run.check(image, &possible, durable_end);
                }
            });
        }
    }

    fn visit(&mut self, history: &mut Vec<Op>) {
        for op in ALPHABET {
            // Twice the same of these is once.
            if history.last() == Some(&op) && matches!(op, Op::Maintain | Op::Reopen) {
                continue;
            }
            let mut run = Run::new(self.beginning.snapshot());
            history.iter().for_each(|op| run.step(*op));
            self.step(&mut run, op);
            run.disk.halt();
            history.push(op);
            if history.len() < IMAGES.len() {
                self.visit(history);
            }
            history.pop();
        }
    }
}

/// P12: a committed group offset is one that was committed, not before the last that was acknowledged, and <= log end.
#[test]
fn a_committed_offset_survives_every_crash_of_every_short_history() {
    let Run { disk, log, member, .. } = Run::new(SimDisk::new(7));
    drop((member, log));
    let mut search = Search { beginning: disk.crash(0), seen: HashSet::new(), images: 0, histories: 0 };
    search.visit(&mut Vec::new());
    let different = search.seen.len();
    eprintln!(
        "{} crash images of {} histories with commits, {different} different",
        search.images, search.histories
    );
    assert!(different > 10_000, "{different}");
}

/// Long histories that go on behind their crashes.
#[test]
fn committed_offsets_survive_crash_after_crash() {
    let mut images = 0;
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut run = Run::new(SimDisk::new(seed));
        for _ in 0..40 {
            let op = match random.u8(..16) {
                0 => Op::Back,
                1 => Op::Maintain,
                2 => Op::Reopen,
                3..6 => Op::Commit(false),
                6..9 => Op::Commit(true),
                9..12 => Op::Append(false),
                _ => Op::Append(true),
            };
            run.step(op);
            for _ in 0..4 {
                run.check(run.disk.crash(random.u64(..)), &run.possible, run.durable_end);
                images += 1;
            }
            if random.u8(..10) == 0 {
                let after = run.disk.crash(random.u64(..));
                let committed = run.check(after.snapshot(), &run.possible, run.durable_end);
                run.disk.halt();
                (run.member, run.log) = (None, None);
                run.disk = after;
                run.open();
                assert_eq!(run.possible, [committed], "the same when it is opened again");
            }
        }
    }
    eprintln!("{images} crash images of long histories with commits");
}
