//! Every short history of members that come, go, poll, commit, hang and change their minds, against a naive model.
//!
//! ```text
//!   join 0 -+- poll 0 -+- join 1 ..          after each step: the committed offsets are the model's, and of each
//!           +- join 1  +- commit 0 ..        partition a commit is taken from the one who has it, and nobody else
//!           +- leave 0 +- time passes ..
//! ```
//!
//! The model knows who has what from what members are told, and who is put out from when they polled. All histories run in one
//! log, each in a group of its own.

use std::collections::BTreeMap;

use headwater_log::{
    Ack, Assignor, CommitError, Consumer, ConsumerEvent, ConsumerOptions, ConsumerRecords, Log, TopicOptions,
    TopicPartition,
};

use super::bed::*;
use crate::bed::{Bed, payload};

const RECORDS: u64 = 4;
const MEMBERS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Join(usize),
    Leave(usize),
    Poll(usize),
    Commit(usize),
    /// The member subscribes to one topic only, or to both again.
    Subscribe(usize),
    /// So much time that who does not poll is late.
    Pass,
}

/// A partition that a member has, as far as the model knows.
#[derive(Debug, Clone, Copy)]
struct Held {
    by: usize,
    /// How often somebody got it before.
    turn: u64,
    /// What the member gets next; `None` before its first record.
    next: Option<u64>,
    /// It is given up by the next poll.
    revoked: bool,
}

struct Slot {
    member: Consumer,
    polled_at: u64,
    is_out: bool,
    both: bool,
    /// What it polled last, and the turn of the partition then.
    polled: Option<(ConsumerRecords, u64)>,
}

struct World<'a> {
    log: &'a Log,
    bed: &'a Bed,
    group: String,
    options: ConsumerOptions,
    slots: [Option<Slot>; MEMBERS],
    held: BTreeMap<TopicPartition, Held>,
    committed: BTreeMap<TopicPartition, u64>,
    generations: BTreeMap<(TopicPartition, u64), u64>,
    turns: u64,
    now: u64,
    history: Vec<Op>,
    /// How often somebody was told something.
    told: u64,
}

impl<'a> World<'a> {
    fn new(log: &'a Log, bed: &'a Bed, assignor: Assignor, group: String) -> Self {
        // One record a poll.
        let options = earliest().assignor(assignor).max_partition_fetch_bytes(1);
        let partitions = [at("a", 0), at("a", 1), at("b", 0)];
        let offsets = partitions.clone().map(|partition| (partition, 0));
        log.reset_group_offsets(&group, &offsets).unwrap();
        Self {
            log,
            bed,
            group,
            options,
            slots: [const { None }; MEMBERS],
            held: BTreeMap::new(),
            committed: offsets.into(),
            generations: BTreeMap::new(),
            turns: 0,
            now: 0,
            history: Vec::new(),
            told: 0,
        }
    }

    fn can(&self, op: Op, members: usize) -> bool {
        match op {
            // Members are alike: they come in order.
            Op::Join(slot) => {
                self.slots[slot].is_none()
                    && (0..slot).all(|before| {
                        self.slots[before].is_some() || self.history.contains(&Op::Join(before))
                    })
                    && slot < members
            }
            Op::Leave(slot) | Op::Poll(slot) => self.slots[slot].is_some(),
            Op::Subscribe(slot) => slot == 0 && self.slots[slot].is_some(),
            Op::Commit(slot) => self.slots[slot].as_ref().is_some_and(|slot| slot.polled.is_some()),
            Op::Pass => {
                self.slots.iter().flatten().any(|slot| !slot.is_out) && self.history.last() != Some(&Op::Pass)
            }
        }
    }

    fn step(&mut self, op: Op) {
        self.history.push(op);
        match op {
            Op::Join(slot) => {
                let member = self.log.consumer_with(&self.group, ["a", "b"], self.options).unwrap();
                self.slots[slot] =
                    Some(Slot { member, polled_at: self.now, is_out: false, both: true, polled: None });
            }
            Op::Leave(slot) => {
                self.slots[slot] = None;
                self.held.retain(|_, held| held.by != slot);
            }
            Op::Poll(slot) => self.poll(slot),
            Op::Commit(slot) => self.commit(slot),
            Op::Subscribe(slot) => {
                let slot = self.slots[slot].as_mut().unwrap();
                slot.both = !slot.both;
                let topics = if slot.both { vec!["a", "b"] } else { vec!["a"] };
                slot.member.subscribe(topics).unwrap();
            }
            Op::Pass => {
                self.now += INTERVAL_MS.unsigned_abs() + 1;
                self.bed.clock.advance_ms(INTERVAL_MS + 1);
            }
        }
    }

    fn poll(&mut self, by: usize) {
        self.held.retain(|_, held| held.by != by || !held.revoked);
        // Who has not polled for too long is put out by this poll, but not by its own.
        for (slot, other) in self.slots.iter_mut().enumerate() {
            let Some(other) = other.as_mut().filter(|_| slot != by) else { continue };
            if self.now - other.polled_at > INTERVAL_MS.unsigned_abs() {
                other.is_out = true;
                self.held.retain(|_, held| held.by != slot);
            }
        }
        let slot = self.slots[by].as_mut().unwrap();
        (slot.polled_at, slot.is_out) = (self.now, false);
        let event = event(&mut slot.member);
        self.told += u64::from(event.is_some());
        match event {
            None => {}
            Some(ConsumerEvent::Assigned(partitions)) => {
                for partition in partitions {
                    self.turns += 1;
                    let held = Held { by, turn: self.turns, next: None, revoked: false };
                    let before = self.held.insert(partition, held);
                    assert!(before.is_none(), "two have it after {:?}", self.history);
                }
            }
            Some(ConsumerEvent::Revoked(partitions)) => {
                for partition in partitions {
                    let held = self.held.get_mut(&partition).unwrap();
                    assert!(held.by == by && !held.revoked, "after {:?}", self.history);
                    held.revoked = true;
                }
            }
            Some(ConsumerEvent::Lost(partitions)) => {
                for partition in partitions {
                    assert!(
                        self.held.get(&partition).is_none_or(|held| held.by != by),
                        "after {:?}",
                        self.history
                    );
                }
            }
            Some(ConsumerEvent::Records(records)) => self.take(by, records),
            Some(other) => unreachable!("{other:?} after {:?}", self.history),
        }
    }

    fn take(&mut self, by: usize, records: ConsumerRecords) {
        let history = &self.history;
        let partition = records.partition().clone();
        let held = self.held.get_mut(&partition).unwrap();
        assert!(held.by == by && !held.revoked, "after {history:?}");
        // At least once: what follows on what was committed, or on what it got before; never what was committed.
        let wanted = held.next.unwrap_or(self.committed[&partition]);
        let record = records.views().next().unwrap().unwrap();
        assert_eq!(record.offset, wanted, "after {history:?}");
        assert_eq!(record.value, Some(payload(wanted).as_slice()));
        assert!(wanted >= self.committed[&partition]);
        held.next = Some(records.next_offset());
        // No generation has two owners of a partition.
        let known = self.generations.entry((partition, records.generation())).or_insert(held.turn);
        assert_eq!(*known, held.turn, "after {history:?}");
        let turn = held.turn;
        self.slots[by].as_mut().unwrap().polled = Some((records, turn));
    }

    fn commit(&mut self, by: usize) {
        let slot = self.slots[by].as_ref().unwrap();
        let (records, turn) = slot.polled.as_ref().unwrap();
        let partition = records.partition();
        let outcome = slot.member.commit_with(records, Ack::Appended);
        let has = self.held.get(partition).is_some_and(|held| held.by == by && held.turn == *turn);
        match outcome {
            Ok(()) => {
                assert!(has && !slot.is_out, "after {:?}", self.history);
                let committed = self.committed.get_mut(partition).unwrap();
                assert!(records.next_offset() >= *committed);
                *committed = records.next_offset();
            }
            Err(CommitError::Fenced { since, generation, .. }) => {
                assert!((!has || slot.is_out) && since <= generation, "after {:?}", self.history);
            }
            Err(error) => unreachable!("{error} after {:?}", self.history),
        }
    }

    /// Compares what is committed, and who may commit.
    fn check(&self) {
        for (partition, committed) in &self.committed {
            if let Some(slot) = self.slots.iter().flatten().next() {
                assert_eq!(slot.member.committed(partition), Some(*committed), "after {:?}", self.history);
            }
            for (by, slot) in self.slots.iter().enumerate() {
                let Some(slot) = slot else { continue };
                let taken = slot.member.commit_offset(partition, *committed).is_ok();
                // What it has but was not told yet is not its own for the model.
                let has = self.held.get(partition).is_some_and(|held| held.by == by) && !slot.is_out;
                assert!(taken || !has, "{by} has {partition} after {:?}", self.history);
                if taken && !has {
                    let nobody = !self.held.contains_key(partition);
                    assert!(nobody, "{by} and another one have {partition} after {:?}", self.history);
                }
            }
        }
    }

    /// All who are there poll until nothing is left: then each partition has one of them, as even as can be, and what was not
    /// committed has come.
    fn finish(mut self) {
        if self.slots.iter().all(Option::is_none) {
            self.step(Op::Join(0));
        }
        let there: Vec<usize> = (0..MEMBERS).filter(|slot| self.slots[*slot].is_some()).collect();
        // Until a round tells nobody anything.
        loop {
            let before = self.told;
            for slot in &there {
                for _ in 0..4 {
                    self.step(Op::Poll(*slot));
                    if self.can(Op::Commit(*slot), MEMBERS) {
                        self.step(Op::Commit(*slot));
                    }
                }
            }
            if self.told == before {
                break;
            }
        }
        self.check();
        let both: Vec<_> = self.slots.iter().flatten().filter(|slot| slot.both).collect();
        let reads_b = !both.is_empty();
        for (partition, committed) in &self.committed {
            if *partition.topic == *"a" || reads_b {
                assert_eq!(*committed, RECORDS, "{partition} after {:?}", self.history);
                assert!(self.held.contains_key(partition));
            }
        }
        if both.len() == there.len() && self.options.assignor != Assignor::Range {
            let counts = there.iter().map(|slot| self.held.values().filter(|held| held.by == *slot).count());
            let counts: Vec<_> = counts.collect();
            assert!(
                counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1,
                "after {:?}",
                self.history
            );
        }
    }
}

/// Goes through all histories of so many more operations.
struct Search<'a> {
    log: &'a Log,
    bed: &'a Bed,
    assignor: Assignor,
    members: usize,
    beginning: &'a [Op],
    histories: u64,
}

impl Search<'_> {
    fn replay(&self, history: &[Op]) -> World<'_> {
        let group =
            format!("{:?}-{}-{}-{}", self.assignor, self.members, self.beginning.len(), self.histories);
        let mut world = World::new(self.log, self.bed, self.assignor, group);
        self.beginning.iter().chain(history).for_each(|op| world.step(*op));
        // What the steps before the last one left was checked when they were the last.
        world.check();
        world
    }

    fn visit(&mut self, history: &mut Vec<Op>, left: usize) {
        self.histories += 1;
        let ops: Vec<Op> = {
            let world = self.replay(history);
            let slots = 0..self.members;
            let all = slots.flat_map(|slot| {
                [Op::Join(slot), Op::Leave(slot), Op::Poll(slot), Op::Commit(slot), Op::Subscribe(slot)]
            });
            let ops = all.chain([Op::Pass]).filter(|op| world.can(*op, self.members)).collect();
            if left == 0 {
                world.finish();
                return;
            }
            ops
        };
        for op in ops {
            history.push(op);
            self.visit(history, left - 1);
            history.pop();
        }
    }
}

fn search(assignor: Assignor, members: usize, beginning: &[Op], operations: usize) -> u64 {
    let topic = TopicOptions::default().segment_bytes(64 * 1024).allocate_ahead_bytes_max(4096);
    let bed = Bed { topic, ..Bed::new(0) };
    let log = bed.open();
    for (topic, partitions) in [("a", 2), ("b", 1)] {
        create(&log, bed.topic, topic, partitions, RECORDS);
    }
    let mut search = Search { log: &log, bed: &bed, assignor, members, beginning, histories: 0 };
    search.visit(&mut Vec::new(), operations);
    let histories = search.histories;
    eprintln!(
        "{histories} histories of up to {operations} operations of {members} members behind {beginning:?}, {assignor:?}"
    );
    histories
}

/// P12, and the laws of ownership.
#[test]
fn every_history_of_up_to_six_operations_keeps_the_laws_of_a_group() {
    let histories = search(Assignor::CooperativeSticky, 2, &[], 6);
    assert!(histories > 3000, "{histories}");
}

#[test]
fn every_history_behind_two_settled_members_keeps_the_laws_of_a_group() {
    use Op::{Commit, Join, Poll};
    // Both have something, and have got a record of it.
    let settled = [Join(0), Join(1), Poll(0), Poll(1), Poll(0), Poll(1), Commit(0)];
    for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky] {
        let histories = search(assignor, 3, &settled, 4);
        assert!(histories > 1000, "{histories}");
    }
}
