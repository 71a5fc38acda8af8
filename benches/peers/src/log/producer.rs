//! A producer: records come one by one, and are appended by many at a time.
//!
//! Ours gathers them itself: one `send` a record. The peers have nothing that gathers; a program does it for them here, a thousand records
//! a call, which is the best that they can get. LIMIT has its thousand records gathered already.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::Instant;

use headwater_log::producer::ProducerOptions;
use headwater_log::{Ack, Log, LogOptions, Record, TopicOptions};

use super::Run;
use super::append::{MANY, heat, written};
use super::bed::{Content, Heat, SIZES, in_turn, size_name};
use super::peer::commitlog::Commitlog;
use super::peer::kafko::Kafko;
use super::peer::ours::{NAME, Ours};
use super::peer::{Peer, limit};
use crate::options::Options;

/// So many bytes of records are sent in a round.
const BYTES: usize = 96 << 20;

/// The name of a case.
pub fn case(bytes: usize) -> String {
    format!("producer, one record of {} a send", size_name(bytes))
}

/// Compares, then times.
pub(super) fn run(options: &Options, run: &mut Run) -> io::Result<()> {
    let total = if options.quick { 1 << 20 } else { BYTES };
    for bytes in SIZES.into_iter().take(2) {
        let case = case(bytes);
        if case.contains(&options.only) {
            eprintln!("{case}");
            let count = (total / (bytes + 64)).next_multiple_of(MANY);
            let ours: Heat<'_> = (NAME, Box::new(move |dir: &Path| sent(dir, bytes, count)));
            let limit: Heat<'_> =
                (limit::WRITE, Box::new(move |dir: &Path| written(dir, bytes, MANY, count)));
            let heats =
                vec![ours, heat::<Commitlog>(bytes, MANY, count), heat::<Kafko>(bytes, MANY, count), limit];
            run.producer.push((case, in_turn(options, heats)?));
        }
    }
    Ok(())
}

/// Sends so many records, and waits until all are appended; then the answer is compared.
fn sent(dir: &Path, bytes: usize, count: usize) -> f64 {
    let log = Log::open(dir, LogOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    let topic = log.create_topic("bench", TopicOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    let producer = log.producer(ProducerOptions::default().ack(Ack::Appended));
    let producer = producer.unwrap_or_else(|error| panic!("{error}"));
    let sender = producer.sender(&topic);
    let mut content = Content::new(bytes);
    let mut send = |number| {
        let record = Record::new(content.record(number)).timestamp(1_700_000_000_000);
        sender.send(black_box(&record)).unwrap_or_else(|error| panic!("{error}"))
    };
    // The first one makes files.
    send(0).wait().unwrap_or_else(|error| panic!("{error}"));
    let begun = Instant::now();
    for number in 1..=count as u64 {
        drop(send(number));
    }
    producer.flush().unwrap_or_else(|error| panic!("{error}"));
    let ns = begun.elapsed().as_nanos() as f64 / count as f64;
    producer.close().unwrap_or_else(|error| panic!("{error}"));
    log.close().unwrap_or_else(|error| panic!("{error}"));
    Ours::open(dir).check(bytes, count as u64 + 1);
    ns
}
