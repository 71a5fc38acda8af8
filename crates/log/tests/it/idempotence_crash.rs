//! The window of producers over crashes: what was acknowledged is there once, what was lost can be sent again.
//!
//! ```text
//!   history   send, retry, roll, sync, close, delete ..         a moment before each sync, and its images
//!   image     opened, with the state of a prefix of the batches:
//!             the last five of each producer that are there     -> sent again: their offsets, nothing appended
//!             a batch of before, a gap                          -> refused
//!             those that were lost, in order                    -> appended, once
//! ```

use headwater_log::{Ack, AppendError, Log, Partition, ProducerNumbers};
use headwater_testkit::sim_disk::{Bounds, SimDisk};

use crate::bed::{Bed, partition, small};
use crate::idempotence::send;

const PRODUCERS: usize = 3;
const WINDOW: usize = 5;

/// A batch that was appended.
#[derive(Debug, Clone, Copy)]
struct Batch {
    numbers: ProducerNumbers,
    count: usize,
    offset: u64,
}

impl Batch {
    fn end(&self) -> u64 {
        self.offset + self.count as u64
    }
}

struct Run {
    bed: Bed,
    log: Log,
    partition: Partition,
    /// All batches of the log, in order.
    batches: Vec<Batch>,
    /// The numbers of the next batch of each producer.
    next: Vec<ProducerNumbers>,
    durable: u64,
    random: fastrand::Rng,
}

fn open(bed: &Bed) -> (Log, Partition) {
    // Upkeep rolls segments that are a second old, and nobody expires.
    let topic = small().segment_age_ms(1000);
    let options = bed.options().topic_defaults(topic).producer_id_expiration_ms(1 << 60);
    let log = Log::open("/data", options).unwrap();
    let partition = partition(&log, topic);
    (log, partition)
}

impl Run {
    fn new(seed: u64) -> Self {
        let bed = Bed::new(seed);
        let (log, partition) = open(&bed);
        let next = (0..PRODUCERS as i64).map(|id| {
            // One of them begins where numbers end.
            ProducerNumbers::new(id + 7, 0, if id == 2 { i32::MAX - 3 } else { 0 })
        });
        let (next, random) = (next.collect(), fastrand::Rng::with_seed(seed));
        Self { bed, log, partition, batches: Vec::new(), next, durable: 0, random }
    }

    /// Does one thing; gives the disks as they were before each sync in it.
    fn step(&mut self) -> Vec<SimDisk> {
        self.bed.disk.keep_moments();
        let ack = if self.random.u8(..3) == 0 { Ack::Durable } else { Ack::Appended };
        match self.random.u8(..24) {
            0 => {
                self.bed.clock.advance_ms(1500);
                let now_ms = headwater_log::Clock::now_ms(&*self.bed.clock);
                self.log.maintain(now_ms).unwrap();
            }
            1 => {
                self.partition.sync().unwrap();
            }
            2 => {
                let disk = self.bed.disk.clone();
                self.partition.sync().unwrap();
                // A log is closed when the last of its handles is dropped, or by hand: the old one first.
                let dead = std::mem::replace(&mut self.log, scratch());
                dead.close().unwrap();
                let bed = self.bed.on(disk);
                (self.log, self.partition) = open(&bed);
            }
            3 => {
                let before = self.random.u64(self.partition.start_offset()..=self.partition.durable_end());
                self.partition.delete_records_before(before).unwrap();
            }
            4..8 if !self.batches.is_empty() => {
                let at = self.random.usize(self.batches.len().saturating_sub(12)..self.batches.len());
                self.retry(self.batches[at], ack);
            }
            8 => {
                let producer = self.random.usize(..PRODUCERS);
                let ProducerNumbers { id, epoch, .. } = self.next[producer];
                self.next[producer] = ProducerNumbers::new(id, epoch + 1, 0);
                self.send(producer, ack);
            }
            _ => {
                let producer = self.random.usize(..PRODUCERS);
                self.send(producer, ack);
            }
        }
        self.durable = self.partition.durable_end();
        self.bed.disk.take_moments()
    }

    fn send(&mut self, producer: usize, ack: Ack) {
        let (numbers, count) = (self.next[producer], self.random.usize(1..4));
        let end = self.partition.appended_end();
        assert_eq!(send(&self.partition, numbers, count, ack).unwrap(), (end, false));
        self.batches.push(Batch { numbers, count, offset: end });
        self.next[producer] = numbers.behind(count as u32);
    }

    fn retry(&mut self, batch: Batch, ack: Ack) {
        check_again(&self.partition, &self.batches, batch, ack);
    }

    /// What a crash has left: at least what was durable before, and the state of just what is there.
    fn check(&self, image: SimDisk, durable: u64) {
        let bed = self.bed.on(image);
        let (log, partition) = open(&bed);
        let end = partition.durable_end();
        assert!(end >= durable, "{end} of {durable}");
        let left = self.batches.partition_point(|batch| batch.end() <= end);
        let (kept, lost) = self.batches.split_at(left);
        assert!(kept.last().map_or(0, Batch::end) == end, "a part of a batch");
        for batch in kept.iter().rev().take(2 * PRODUCERS * WINDOW) {
            check_again(&partition, kept, *batch, Ack::Durable);
        }
        assert_eq!(partition.appended_end(), end, "nothing was appended twice");
        // Who leaves one of the lost out is told.
        for next in &self.next {
            let is_of = |batch: &&Batch| batch.numbers.id == next.id;
            let mut of_producer = lost.iter().filter(is_of);
            if let (Some(first), Some(second)) = (of_producer.next(), of_producer.next())
                && first.numbers.epoch == second.numbers.epoch
                && kept.iter().any(|batch| is_of(&batch))
            {
                let gap = send(&partition, second.numbers, second.count, Ack::Durable);
                assert!(matches!(gap, Err(AppendError::OutOfOrderSequence { .. })), "{second:?}: {gap:?}");
            }
        }
        // What was lost is sent again, and is there once.
        for batch in lost {
            let offset = partition.appended_end();
            assert_eq!(
                send(&partition, batch.numbers, batch.count, Ack::Appended).unwrap(),
                (offset, false),
                "{batch:?}"
            );
            assert_eq!(offset, batch.offset, "the same batches in the same order");
            assert_eq!(send(&partition, batch.numbers, batch.count, Ack::Appended).unwrap(), (offset, true));
        }
        assert_eq!(partition.appended_end(), self.batches.last().map_or(0, Batch::end));
        image_is_done(&bed, log);
    }
}

fn image_is_done(bed: &Bed, log: Log) {
    bed.disk.halt();
    drop(log);
}

/// A log that stands in while another one is closed.
fn scratch() -> Log {
    Log::open("/data", Bed::new(0).options()).unwrap()
}

/// Sends a batch again after these.
fn check_again(partition: &Partition, batches: &[Batch], batch: Batch, ack: Ack) {
    let of_producer: Vec<_> = batches.iter().filter(|other| other.numbers.id == batch.numbers.id).collect();
    let epoch = of_producer.last().unwrap().numbers.epoch;
    let again = send(partition, batch.numbers, batch.count, ack);
    if batch.numbers.epoch < epoch {
        assert!(matches!(again, Err(AppendError::InvalidProducerEpoch { .. })), "{batch:?}: {again:?}");
        return;
    }
    let window = of_producer.iter().rev().take_while(|other| other.numbers.epoch == epoch).take(WINDOW);
    if window.into_iter().any(|other| other.offset == batch.offset) {
        assert_eq!(again.unwrap(), (batch.offset, true), "{batch:?}");
        if ack == Ack::Durable {
            assert!(partition.durable_end() >= batch.end(), "a duplicate is as durable as it was asked for");
        }
    } else {
        assert!(matches!(again, Err(AppendError::OutOfOrderSequence { .. })), "{batch:?}: {again:?}");
    }
}

#[test]
fn acknowledged_batches_are_there_once_after_any_crash() {
    let mut images = 0;
    for seed in 0..12 {
        let mut run = Run::new(seed);
        for step in 0..60 {
            let durable = run.durable;
            let moments = run.step();
            let last = moments.len() - 1;
            for (at, moment) in moments.into_iter().enumerate() {
                let durable = if at == last { run.durable } else { durable };
                let bounds = Bounds { images: 16, torn: 2, seed: seed << 32 | step << 8 | at as u64 };
                moment.crash_images(bounds, |image| {
                    images += 1;
                    run.check(image, durable);
                });
            }
        }
    }
    eprintln!("{images} crash images of idempotent producers");
    assert!(images > 10_000, "{images}");
}

/// The power goes again and again, in the recovery too; the producers go on each time.
#[test]
fn producers_go_on_over_crashes_of_the_recovery() {
    let mut images = 0;
    for seed in 0..40 {
        let mut run = Run::new(seed);
        for _ in 0..50 {
            run.step();
        }
        let mut disk = run.bed.disk.crash(seed);
        for _ in 0..4 {
            disk.keep_moments();
            let (log, partition) = open(&run.bed.on(disk.clone()));
            let end = partition.durable_end();
            let moments = disk.take_moments();
            disk.halt();
            drop((log, partition));
            let last = moments.len() - 1;
            for (at, moment) in moments.iter().enumerate() {
                let bounds = Bounds { images: 6, torn: 1, seed };
                moment.crash_images(bounds, |image| {
                    images += 1;
                    run.check(image, if at == last { end } else { run.durable });
                });
            }
            disk = moments[run.random.usize(..moments.len())].crash(run.random.u64(..));
        }
    }
    eprintln!("{images} crash images of recoveries with producers");
    assert!(images > 500, "{images}");
}
