//! The log: append, durable append, a producer, commits of a consumer group, sequential and random reads, LZ4 beside `lz4_flex` alone,
//! tables and how far they lag behind their writer, compaction of 1 GiB beside a read and a write of as much, each answer asserted
//! before it is timed.
//!
//! The files are in the system's temporary directory (`TMPDIR`). Appends go to a new topic every 256 MiB, outside
//! of the time that is measured, so that they need no more disk than that; compaction needs 3 GiB.

#![expect(clippy::expect_used, reason = "a bench that is set up wrongly should stop")]

mod bed;
mod compaction;

use std::convert::Infallible;
use std::hint::black_box;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater::log::producer::ProducerOptions;
use headwater::log::{
    Ack, Compression, Consumer, Fold, Partition, ReadUpTo, Record, RecordView, Table, TopicOptions,
};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use bed::{BYTES_PER_TOPIC, Bed};
use compaction::compaction;

const VALUE: [u8; 100] = [0x5A; 100];
const BATCH: usize = 1000;
const STORED: u64 = 200_000;
const KEYS: u64 = 10_000;
const LAGS: usize = 2_000;

fn appends(criterion: &mut Criterion) {
    let bed = Bed::new();
    let mut group = criterion.benchmark_group("log append");
    group.throughput(Throughput::Elements(1));
    let record = Record::new(&VALUE).timestamp(1_700_000_000_000);
    let one = |ack| {
        move |partition: &Partition| {
            black_box(partition.append(&record, ack).expect("to append"));
        }
    };
    let partition = bed.partition();
    one(Ack::Appended)(&partition);
    let fetched = partition.read_up_to(ReadUpTo::Appended, 0, 1 << 20).expect("to read");
    let view = fetched.views().next().expect("a record").expect("a whole record");
    assert_eq!(view.value, Some(VALUE.as_slice()));
    group.bench_function("100 B a call", |bencher| {
        bencher.iter_custom(|iterations| bed.time(iterations, 170, one(Ack::Appended)));
    });
    group.bench_function("100 B a call, durable, 1 thread", |bencher| {
        bencher.iter_custom(|iterations| bed.time(iterations, 170, one(Ack::Durable)));
    });
    let batch = [record; BATCH];
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("1000 x 100 B a call", |bencher| {
        bencher.iter_custom(|iterations| {
            bed.time(iterations, 110 * BATCH as u64, |partition| {
                black_box(partition.append_batch(&batch, Ack::Appended).expect("to append"));
            })
        });
    });
    group.finish();
}

fn produces(criterion: &mut Criterion) {
    let bed = Bed::new();
    let mut group = criterion.benchmark_group("log producer");
    group.throughput(Throughput::Elements(1));
    for (name, bytes) in [("100 B a send", 100), ("1 KiB a send", 1024)] {
        let value = vec![0x5A; bytes];
        let record = Record::new(&value).timestamp(1_700_000_000_000);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let (mut spent, mut left) = (Duration::ZERO, iterations);
                while left > 0 {
                    let round = left.min(BYTES_PER_TOPIC / (bytes as u64 + 10));
                    let partition = bed.partition();
                    let topic = bed.log.topic("bench").expect("a topic");
                    let options = ProducerOptions::default().ack(Ack::Appended);
                    let producer = bed.log.producer(options).expect("a producer");
                    let sender = producer.sender(&topic);
                    sender.send(&record).expect("to send").wait().expect("to append"); // opens the segment
                    let begun = Instant::now();
                    for _ in 0..round {
                        drop(black_box(sender.send(black_box(&record)).expect("to send")));
                    }
                    // With what is still gathered.
                    producer.flush().expect("to append");
                    spent += begun.elapsed();
                    assert_eq!(partition.appended_end(), round + 1);
                    left -= round;
                }
                spent
            });
        });
    }
    group.finish();
}

/// Commits of a group's offsets that wait for the disk, by one member and by eight at once, beside durable appends of as many threads.
fn commits(criterion: &mut Criterion) {
    const MEMBERS: u32 = 8;
    let bed = Bed::new();
    let topic = bed.log.create_topic("work", TopicOptions::default().partitions(MEMBERS)).expect("a topic");
    for partition in topic.partitions() {
        partition.append_batch(&[Record::new(&VALUE); 8], Ack::Durable).expect("to append");
    }
    let join = || bed.log.consumer("bench", ["work"]).expect("a member");
    let mut members: Vec<_> = (0..MEMBERS).map(|_| join()).collect();
    while members.iter().any(|member| member.assignment().count() != 1) {
        for member in &mut members {
            drop(member.poll_event(Duration::ZERO));
        }
    }
    let place = |member: &Consumer| member.assignment().next().expect("one partition").clone();
    let members: Vec<_> = members.into_iter().map(|member| (place(&member), member)).collect();
    for (place, member) in &members {
        member.reset_offset(place, 8).expect("to commit");
        assert_eq!(member.committed(place), Some(8));
    }
    let mut group = criterion.benchmark_group("log commit");
    group.throughput(Throughput::Elements(1));
    for members in [members.get(..1).unwrap_or_default(), &members] {
        let threads = members.len();
        group.bench_function(format!("a commit, {threads} at a time"), |bencher| {
            bencher.iter_custom(|iterations| {
                at_once(members, iterations, |(place, member), number| {
                    member.reset_offset(place, number % 8).expect("to commit");
                })
            });
        });
        let partition = bed.partition();
        group.bench_function(format!("an append of 100 B, {threads} at a time"), |bencher| {
            bencher.iter_custom(|iterations| {
                at_once(members, iterations, |_, _| {
                    black_box(partition.append(&Record::new(&VALUE), Ack::Durable).expect("to append"));
                })
            });
        });
    }
    group.finish();
}

/// How long a thread for each of these takes for so many calls together.
fn at_once<T: Sync>(each: &[T], calls: u64, call: impl Fn(&T, u64) + Sync) -> Duration {
    let calls = calls.div_ceil(each.len() as u64);
    let begun = Instant::now();
    thread::scope(|scope| {
        for one in each {
            let call = &call;
            scope.spawn(move || (0..calls).for_each(|number| call(one, number)));
        }
    });
    begun.elapsed()
}

fn reads(criterion: &mut Criterion) {
    let bed = Bed::new();
    let partition = bed.partition();
    for number in 0..STORED {
        let mut value = VALUE;
        value[..8].copy_from_slice(&number.to_le_bytes());
        partition.append(&Record::new(&value), Ack::Appended).expect("to append");
    }
    assert_eq!(partition.sync().expect("to sync"), STORED);

    let scan = || {
        let (mut from, mut sum) = (0, 0_u64);
        while from < STORED {
            let fetched = partition.read(from, 1 << 20).expect("to read");
            for view in fetched.views() {
                let value = view.expect("a whole record").value.unwrap_or_default();
                sum += value.first_chunk().map_or(0, |number| u64::from_le_bytes(*number));
            }
            from = fetched.next_offset();
        }
        sum
    };
    assert_eq!(scan(), STORED * (STORED - 1) / 2);
    let mut group = criterion.benchmark_group("log read");
    group.throughput(Throughput::Elements(STORED));
    group.bench_function("sequential, 100 B", |bencher| bencher.iter(|| black_box(scan())));

    let mut offset = 0;
    let mut one = || {
        // A full cycle over all offsets in an order that no cache foresees.
        offset = (offset + 123_457) % STORED;
        let fetched = partition.read(offset, 1).expect("to read");
        let view = fetched.views().next().expect("a record").expect("a whole record");
        (view.offset, view.value.and_then(|value| value.first_chunk().copied()))
    };
    for _ in 0..1000 {
        let (offset, value) = one();
        assert_eq!(value, Some(offset.to_le_bytes()));
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("random, 100 B", |bencher| bencher.iter(|| black_box(one())));
    group.finish();
}

/// A batch of LZ4, written and read by the log, which checks it as well, and its records by `lz4_flex` alone: one frame of
/// independent blocks of 64 KiB either way.
fn lz4(criterion: &mut Criterion) {
    const HEADER_BYTES: usize = 61;
    let readings: Vec<String> = (0..4000_u32)
        .map(|number| {
            let (celsius, bar) = (number.wrapping_mul(2_654_435_761) >> 22, number.wrapping_mul(40_503) % 977);
            format!(
                "{{\"device\":\"factory-3/line-{}/boiler-{}\",\"sequence\":{number},\"celsius\":{}.{},\"bar\":{bar},\
                 \"state\":\"heating\",\"alarm\":null,\"firmware\":\"2.14.0-rc3\",\"site\":\"52.5200N 13.4050E\"}}",
                number % 7,
                number % 31,
                celsius / 10,
                celsius % 10
            )
        })
        .collect();
    let records: Vec<_> =
        readings.iter().map(|reading| Record::new(reading).timestamp(1_700_000_000_000)).collect();
    let bed = Bed::new();
    let plain = bed.partition();
    plain.append_batch(&records, Ack::Durable).expect("to append");
    let plain = plain.read(0, 1).expect("to read").bytes().to_vec();
    let (_, bytes) = plain.split_at(HEADER_BYTES);

    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let compress = || {
        let mut encoder = FrameEncoder::with_frame_info(info.clone(), Vec::new());
        encoder.write_all(bytes).expect("memory takes everything");
        encoder.finish().expect("memory takes everything")
    };
    let decompress = |stream: &[u8]| {
        let mut bytes = Vec::new();
        FrameDecoder::new(stream).read_to_end(&mut bytes).expect("a frame");
        bytes
    };
    let options = TopicOptions::default().compression(Some(Compression::Lz4));
    let partition = bed.partition_of(options);
    partition.append_record_batch(&plain, Ack::Durable).expect("to append");
    let stored = partition.read(0, 1).expect("to read").bytes().to_vec();
    let (_, stream) = stored.split_at(HEADER_BYTES);
    assert!(decompress(stream) == bytes && decompress(&compress()) == bytes);
    let first = || {
        let fetched = partition.read(0, 1).expect("to read");
        let first = fetched.views().next().map(|view| view.expect("a whole record").value.map(<[u8]>::len));
        first.flatten()
    };
    assert_eq!(first(), readings.first().map(String::len));

    let mut group = criterion.benchmark_group("log lz4");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("compress, lz4_flex alone", |bencher| bencher.iter(|| black_box(compress())));
    group.bench_function("decompress, lz4_flex alone", |bencher| {
        bencher.iter(|| black_box(decompress(stream)))
    });
    group.bench_function("decompress, a read of the log", |bencher| bencher.iter(|| black_box(first())));
    group.bench_function("compress, an append to the log", |bencher| {
        bencher.iter_custom(|iterations| {
            bed.time_of(options, iterations, stored.len() as u64, |partition| {
                black_box(partition.append_record_batch(&plain, Ack::Appended).expect("to append"));
            })
        });
    });
    group.finish();
}

/// The sum of the first eight bytes of all values.
#[derive(Default)]
struct Sum(u64);

impl Fold for Sum {
    type Error = Infallible;

    fn fold(&mut self, _partition: u32, record: &RecordView<'_>) -> Result<(), Infallible> {
        self.0 += record.value.and_then(<[u8]>::first_chunk).map_or(0, |number| u64::from_le_bytes(*number));
        Ok(())
    }
}

fn tables(criterion: &mut Criterion) {
    let bed = Bed::new();
    let partition = bed.partition();
    for number in 0..STORED {
        let mut value = VALUE;
        value[..8].copy_from_slice(&number.to_le_bytes());
        let key = (number % KEYS).to_le_bytes();
        partition.append(&Record::new(&value).key(&key), Ack::Appended).expect("to append");
    }
    assert_eq!(partition.sync().expect("to sync"), STORED);
    let topic = bed.log.topic("bench").expect("the topic");

    let scan = || {
        let (mut from, mut sum) = (0, Sum::default());
        while from < STORED {
            let fetched = partition.read(from, 1 << 20).expect("to read");
            for view in fetched.views() {
                let Ok(()) = sum.fold(0, &view.expect("a whole record"));
            }
            from = fetched.next_offset();
        }
        sum.0
    };
    let fold = || {
        let mut table = Table::new(&topic, Sum::default());
        assert_eq!(table.catch_up().expect("to fold"), STORED);
        table.into_state().0
    };
    let latest = || {
        let mut table = Table::latest(&topic);
        assert_eq!(table.catch_up().expect("to fold"), STORED);
        table.into_state()
    };
    assert_eq!(scan(), STORED * (STORED - 1) / 2);
    assert_eq!(fold(), scan());
    let state = latest();
    assert_eq!(state.len() as u64, KEYS);
    let last = state.get(7_u64.to_le_bytes().as_slice()).and_then(|value| value.first_chunk().copied());
    assert_eq!(last, Some((STORED - KEYS + 7).to_le_bytes()));

    let mut group = criterion.benchmark_group("log table");
    group.throughput(Throughput::Elements(STORED));
    group.bench_function("the same by a plain loop over views", |bencher| {
        bencher.iter(|| black_box(scan()));
    });
    group.bench_function("fold, 100 B", |bencher| bencher.iter(|| black_box(fold())));
    group.bench_function("last value of 10,000 keys, 100 B", |bencher| bencher.iter(|| black_box(latest())));
    group.finish();
    lag(&bed);
}

/// When each record was folded.
#[derive(Default)]
struct Folded(Vec<Instant>);

impl Fold for Folded {
    type Error = Infallible;

    fn fold(&mut self, _partition: u32, _record: &RecordView<'_>) -> Result<(), Infallible> {
        self.0.push(Instant::now());
        Ok(())
    }
}

/// Prints how long after a durable append has returned a table that another thread follows has the record.
fn lag(bed: &Bed) {
    let partition = bed.partition();
    let topic = bed.log.topic("bench").expect("the topic");
    let follower = thread::spawn(move || {
        let mut table = Table::new(&topic, Folded::default());
        while table.state().0.len() < LAGS {
            table.follow(Duration::from_secs(60)).expect("to follow");
        }
        table.into_state().0
    });
    let append = |_| {
        let begun = Instant::now();
        partition.append(&Record::new(&VALUE), Ack::Durable).expect("to append");
        (begun, Instant::now())
    };
    let appended: Vec<_> = (0..LAGS).map(append).collect();
    let folded = follower.join().expect("a table");
    assert_eq!(folded.len(), appended.len());
    let pairs = || appended.iter().zip(&folded);
    print(
        "behind the return of the append",
        pairs().map(|((_, end), at)| at.saturating_duration_since(*end)),
    );
    print("behind its call", pairs().map(|((begun, _), at)| at.saturating_duration_since(*begun)));
    print("the append alone", appended.iter().map(|(begun, end)| *end - *begun));
}

fn print(what: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    let at = |per_mille: usize| times.get(times.len() * per_mille / 1000).copied().unwrap_or_default();
    println!(
        "table, {what}: p50 {:?}, p99 {:?}, p99.9 {:?}, {} records",
        at(500),
        at(990),
        at(999),
        times.len()
    );
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = appends, produces, commits, reads, lz4, tables, compaction
}
criterion_main!(benches);
