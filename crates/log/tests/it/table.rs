//! A table is the fold of the records, by a naive loop, whatever happens to the log: appends, rolls, deletion, closing, crashes.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::ops::Range;

use bytes::Bytes;
use headwater_log::{
    Ack, Fold, Log, OnDamage, Partition, Position, Record, RecordView, Table, TableError, Topic,
};
use headwater_testkit::sim_disk::{self, Fault};
use proptest::prelude::*;

use crate::bed::{Bed, START_MS, small};

const PARTITIONS: u32 = 2;

/// What was appended to one partition, by offset.
type Written = Vec<(Option<Vec<u8>>, Option<Vec<u8>>)>;

/// The last values, and how many records there were with and without a key: a state that shows a record that came twice.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) latest: HashMap<Bytes, Bytes>,
    pub(crate) folded: BTreeMap<u32, u64>,
}

impl Fold for Counted {
    type Error = Infallible;

    fn fold(&mut self, partition: u32, record: &RecordView<'_>) -> Result<(), Infallible> {
        *self.folded.entry(partition).or_default() += 1;
        self.latest.fold(partition, record)
    }
}

impl Counted {
    /// The naive loop, over what the model has.
    fn of(written: &[Written], folded: &[Vec<Range<u64>>]) -> Self {
        let mut state = Self::default();
        for (number, (written, folded)) in (0..).zip(written.iter().zip(folded)) {
            for (key, value) in folded.iter().cloned().flatten().map(|offset| &written[offset as usize]) {
                state.take(number, key.clone(), value.clone());
            }
        }
        state
    }

    /// The naive loop, over what the log has.
    pub(crate) fn of_log(partition: &Partition, until: u64) -> Self {
        let mut state = Self::default();
        let mut next = partition.start_offset();
        while next < until {
            let fetched = partition.read(next, 1).unwrap();
            for record in fetched.records().map(Result::unwrap).filter(|record| record.offset < until) {
                let bytes = |part: Option<Bytes>| part.map(|part| part.to_vec());
                state.take(partition.number(), bytes(record.key), bytes(record.value));
            }
            next = fetched.next_offset();
        }
        state
    }

    fn take(&mut self, partition: u32, key: Option<Vec<u8>>, value: Option<Vec<u8>>) {
        *self.folded.entry(partition).or_default() += 1;
        match (key, value) {
            (Some(key), Some(value)) => drop(self.latest.insert(key.into(), value.into())),
            (Some(key), None) => drop(self.latest.remove(key.as_slice())),
            (None, _) => {}
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    /// So many records as one batch, each of a key below the second number.
    Append(u8, u8, bool),
    Sync,
    /// Deletes records up to a part of what is durable.
    Delete(u8),
    Maintain,
    CatchUp,
    CatchUpSome(u16),
    WaitFor(u8),
    /// Closes and opens; the table goes on from what was saved of it.
    Reopen,
    /// The same with a new table.
    Rebuild,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..6_u8, 1..12_u8, any::<bool>()).prop_map(|(count, keys, durable)| Op::Append(count, keys, durable)),
        2 => Just(Op::Sync),
        1 => any::<u8>().prop_map(Op::Delete),
        1 => Just(Op::Maintain),
        3 => Just(Op::CatchUp),
        2 => any::<u16>().prop_map(Op::CatchUpSome),
        1 => any::<u8>().prop_map(Op::WaitFor),
        1 => Just(Op::Reopen),
        1 => Just(Op::Rebuild),
    ]
}

/// A log, a table of it, and what both have to show.
struct Run {
    bed: Bed,
    log: Option<Log>,
    topic: Topic,
    table: Table<Counted>,
    written: Vec<Written>,
    /// What the table has folded of each partition.
    folded: Vec<Vec<Range<u64>>>,
    random: fastrand::Rng,
}

impl Run {
    fn new(seed: u64) -> Self {
        let bed = Bed::new(seed);
        let log = bed.open();
        let topic = log.create_topic("t", small().partitions(PARTITIONS)).unwrap();
        let table = Table::new(&topic, Counted::default());
        let (written, folded) = (vec![Vec::new(); 2], vec![vec![0..0]; 2]);
        Self { bed, log: Some(log), topic, table, written, folded, random: fastrand::Rng::with_seed(seed) }
    }

    fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    fn step(&mut self, op: &Op) {
        let number = self.random.u32(..PARTITIONS);
        let partition = self.topic.partition(number).unwrap();
        match op {
            Op::Append(count, keys, durable) => self.append(&partition, *count, *keys, *durable),
            Op::Sync => self.log().sync().unwrap(),
            Op::Delete(part) => {
                let until = partition.durable_end() * u64::from(*part) / 255;
                partition.delete_records_before(until).unwrap();
            }
            Op::Maintain => drop(self.log().maintain(START_MS).unwrap()),
            Op::CatchUp => {
                while self.took(|table| table.catch_up().map(drop)).is_err() {}
                assert_eq!(self.table.total_lag(), 0);
            }
            Op::CatchUpSome(bytes) => {
                let _ = self.took(|table| table.catch_up_some((*bytes).into()).map(drop));
            }
            Op::WaitFor(part) => {
                let offset = partition.appended_end() * u64::from(*part) / 256;
                let position = Position { partition: number, offset };
                let is_durable = offset < partition.durable_end();
                let waited = |table: &mut Table<_>| {
                    let included = table.wait_for(position, std::time::Duration::ZERO)?;
                    // What was deleted and skipped is behind the position too.
                    assert!(included == is_durable || table.position(number).unwrap() > offset);
                    Ok(())
                };
                let _ = self.took(waited);
            }
            Op::Reopen => {
                self.begin();
                let saved: Vec<_> = self.table.positions().collect();
                let state = self.table.state().clone();
                self.reopen(state);
                saved.into_iter().for_each(|position| self.table.seek(position).unwrap());
            }
            Op::Rebuild => {
                self.reopen(Counted::default());
                for (folded, partition) in self.folded.iter_mut().zip(self.topic.partitions()) {
                    let start = partition.start_offset();
                    folded.clear();
                    folded.push(start..start);
                }
            }
        }
        self.check();
    }

    /// Until it was read a partition begins at the log start of the time.
    fn begin(&mut self) {
        for (folded, partition) in self.folded.iter_mut().zip(self.topic.partitions()) {
            let start = partition.start_offset();
            let is_there = self.table.position(partition.number()) == Some(start);
            if let [only] = &mut folded[..]
                && only.is_empty()
                && is_there
            {
                *only = start..start;
            }
        }
    }

    /// Lets the table do something; where records were deleted that it had not folded, it says so, and goes on.
    fn took(
        &mut self,
        work: impl FnOnce(&mut Table<Counted>) -> Result<(), TableError<Infallible>>,
    ) -> Result<(), ()> {
        self.begin();
        let outcome = work(&mut self.table);
        let skipped = self.note(&outcome);
        self.check_ranges(skipped);
        outcome.map_err(drop)
    }

    /// Writes down how far the table has come, before it skips.
    fn note(&mut self, outcome: &Result<(), TableError<Infallible>>) -> Option<Position> {
        for position in self.table.positions() {
            let last = self.folded[position.partition as usize].last_mut().unwrap();
            last.end = last.end.max(position.offset);
        }
        let Err(error) = outcome else { return None };
        let TableError::Truncated { partition, offset, start, .. } = error else { unreachable!("{error}") };
        let durable = self.topic.partition(*partition).unwrap();
        assert!(offset < start && *start == durable.start_offset());
        assert_eq!(self.table.position(*partition), Some(*offset));
        let to = self.table.skip().unwrap();
        assert_eq!((to.partition, to.offset), (*partition, *start));
        Some(to)
    }

    fn check_ranges(&mut self, skipped: Option<Position>) {
        if let Some(to) = skipped {
            self.folded[to.partition as usize].push(to.offset..to.offset);
        }
        for (folded, partition) in self.folded.iter().zip(self.topic.partitions()) {
            assert!(folded.last().unwrap().end <= partition.durable_end(), "nothing that is not durable");
        }
    }

    fn check(&self) {
        let expected = Counted::of(&self.written, &self.folded);
        assert_eq!(self.table.state().latest, expected.latest);
        assert_eq!(self.table.state().folded, expected.folded);
    }

    fn append(&mut self, partition: &Partition, count: u8, keys: u8, durable: bool) {
        let written = &mut self.written[partition.number() as usize];
        let from = written.len();
        for _ in 0..count {
            // Keys are of one partition, as the partitioner sees to it.
            let key = (self.random.u8(..10) > 0)
                .then(|| format!("{}-{}", partition.number(), self.random.u8(..keys)).into_bytes());
            let length = self.random.usize(..200);
            let value = (self.random.u8(..4) > 0).then(|| vec![self.random.u8(..); length]);
            written.push((key, value));
        }
        let record = |(key, value): &'_ (Option<Vec<u8>>, Option<Vec<u8>>)| (key.clone(), value.clone());
        let parts: Vec<_> = written[from..].iter().map(record).collect();
        let records: Vec<_> = parts
            .iter()
            .map(|(key, value)| Record { key: key.as_deref(), value: value.as_deref(), ..Record::default() })
            .collect();
        let ack = if durable { Ack::Durable } else { Ack::Appended };
        assert_eq!(partition.append_batch(&records, ack).unwrap(), from as u64);
    }

    fn reopen(&mut self, state: Counted) {
        self.log.take().unwrap().close().unwrap();
        self.log = Some(self.bed.open());
        self.topic = self.log().topic("t").unwrap();
        self.table = Table::new(&self.topic, state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_table_is_the_fold_of_what_it_has_passed(seed in any::<u64>(), ops in proptest::collection::vec(op(), 1..40)) {
        let mut run = Run::new(seed);
        ops.iter().for_each(|op| run.step(op));
        run.step(&Op::CatchUp);
    }
}

/// P1, P2: what a table shows is durable, so a crash takes nothing of it; and a new one shows what recovery has kept.
#[test]
fn after_a_crash_a_table_is_the_fold_of_what_was_kept_and_never_showed_more() {
    let mut images = 0;
    for seed in 0..40 {
        let mut run = Run::new(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..25 {
            run.step(&match random.u8(..10) {
                0..5 => Op::Append(random.u8(1..6), random.u8(1..12), random.u8(..4) == 0),
                5 => Op::Sync,
                6 => Op::Maintain,
                7 => Op::CatchUpSome(random.u16(..)),
                _ => Op::CatchUp,
            });
            let bed = run.bed.on(run.bed.disk.crash(random.u64(..)));
            let log = bed.open();
            let topic = log.topic("t").unwrap();
            let mut table = Table::new(&topic, Counted::default());
            table.catch_up().unwrap();
            let mut kept = Counted::default();
            let mut shown = Counted::default();
            for partition in topic.partitions() {
                let position = run.table.position(partition.number()).unwrap();
                assert!(position <= partition.durable_end(), "it showed what was not durable");
                merge(&mut kept, Counted::of_log(&partition, partition.durable_end()));
                merge(&mut shown, Counted::of_log(&partition, position));
            }
            assert_eq!(table.state(), &kept);
            assert_eq!(run.table.state(), &shown);
            // It goes on in the log that is there now.
            let mut again = Table::new(&topic, run.table.state().clone());
            run.table.positions().for_each(|position| again.seek(position).unwrap());
            again.catch_up().unwrap();
            assert_eq!(again.state(), &kept);
            images += 1;
        }
    }
    eprintln!("{images} crash images of logs with a table");
}

/// Keys are of one partition each.
fn merge(into: &mut Counted, from: Counted) {
    into.latest.extend(from.latest);
    into.folded.extend(from.folded);
}

/// What a writer has appended and cannot make durable, no table shows.
#[test]
fn a_table_shows_nothing_of_an_append_whose_sync_failed() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    partition.append(&Record::new("1").key("a"), Ack::Durable).unwrap();
    let topic = log.topic("t").unwrap();
    let mut table = Table::latest(&topic);
    bed.disk.inject(Fault::on(sim_disk::Op::SyncData).for_good());
    partition.append(&Record::new("2").key("a"), Ack::Durable).unwrap_err();
    assert_eq!((table.catch_up().unwrap(), table.total_lag()), (1, 0));
    assert_eq!(table.state()["a".as_bytes()], "1");
}

#[test]
fn offsets_that_are_missing_are_passed_over() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..200 {
        crate::bed::append(&partition, Ack::Durable);
    }
    log.close().unwrap();
    let segments = crate::quarantine::bases(&bed);
    assert!(segments.len() > 3);
    bed.disk.damage(&bed.file(segments[1], "log"), |bytes| bytes[300] ^= 1);
    let log = Log::open(crate::bed::ROOT, bed.options().on_damage(OnDamage::Quarantine)).unwrap();
    let missing: u64 = log.recovery().partitions[0].missing.iter().map(|gap| gap.end - gap.start).sum();
    assert!(missing > 0);
    let topic = log.topic("t").unwrap();
    let mut table = Table::new(&topic, Counted::default());
    assert_eq!(table.total_lag(), 200, "offsets, not records");
    assert_eq!(table.catch_up().unwrap(), 200 - missing);
    assert_eq!((table.position(0), table.total_lag()), (Some(200), 0));
    assert_eq!(table.state(), &Counted::of_log(&topic.partition(0).unwrap(), 200));
}

#[test]
fn a_long_log_is_folded_in_parts_and_partitions_take_turns() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(3)).unwrap();
    for number in 0..300_u32 {
        let partition = topic.partition(number % 3).unwrap();
        partition.append(&Record::new(&number.to_be_bytes()), Ack::Appended).unwrap();
    }
    log.sync().unwrap();
    let mut table = Table::new(&topic, Counted::default());
    let (mut steps, mut lag) = (0, table.total_lag());
    assert_eq!(lag, 300);
    while table.total_lag() > 0 {
        let records = table.catch_up_some(500).unwrap();
        assert!((1..20).contains(&records), "{records}");
        assert_eq!(table.total_lag(), lag - records);
        lag -= records;
        steps += 1;
        if steps == 3 {
            assert!((0..3).all(|number| table.position(number).unwrap() > 0), "each has had its turn");
        }
    }
    assert!(steps > 30);
    assert_eq!(table.catch_up_some(0).unwrap(), 0);
    assert_eq!(table.state().folded, [(0, 100), (1, 100), (2, 100)].into());
}

/// The memory of a table is its own: it keeps no segment mapped, and no file of a segment that was deleted.
#[test]
fn a_table_holds_no_part_of_the_log() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    let value = vec![7; 1000];
    for key in 0..20_u8 {
        partition.append(&Record::new(&value).key(&[key]), Ack::Durable).unwrap();
    }
    let mut table = Table::latest(&log.topic("t").unwrap());
    table.catch_up().unwrap();
    let fetched = partition.read(0, 1 << 20).unwrap();
    let memory = fetched.bytes().as_ptr_range();
    for (key, value) in table.state() {
        assert!(!memory.contains(&key.as_ptr()) && !memory.contains(&value.as_ptr()));
    }
    drop((fetched, partition, log));
    assert_eq!(table.into_state().len(), 20);
}
