//! What is known of the topics is kept in the log: the first who comes back after a restart skips too, and nothing that may lie there makes him miss a message.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_log::{Ack, Compression, Header, Log, LogOptions, Partition, Record, TopicOptions};
use headwater_store::{Store, StoreOptions};
use headwater_testkit::sim_disk::SimDisk;

use crate::bed::{Bed, got, messages, options};
use crate::scans::{foreign, missed, statistics};

pub(crate) const SUMMARIES: &str = "__headwater_summaries";

/// Where the fields of a kept range are: topic id, partition, begin, end, count of ends, ends.
const TOPIC_ID: usize = 1;
const PARTITION: usize = 17;
const END: usize = 29;
const ENDS: usize = 41;
/// Behind the ends of four partitions.
const BITS: usize = ENDS + 4 * 8;

fn small_pieces() -> StoreOptions {
    options().catch_up_bytes(8 << 10)
}

pub(crate) fn open_log(disk: &SimDisk) -> Log {
    Log::open(Path::new("/data"), LogOptions::default().storage(Arc::new(disk.clone()))).unwrap()
}

fn summaries(bed: &Bed) -> Partition {
    bed.log.topic(SUMMARIES).unwrap().partition(0).unwrap()
}

fn values(partition: &Partition) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let mut next = partition.start_offset();
    while next < partition.durable_end() {
        let fetched = partition.read(next, 1 << 20).unwrap();
        values.extend(fetched.views().map(|record| record.unwrap().value.unwrap().to_vec()));
        next = fetched.next_offset();
    }
    values
}

/// Ten thousand foreign messages and ten of `mine/alarm`, which these have missed; closed.
fn kept(clients: &[&str]) -> SimDisk {
    let bed = Bed::with(small_pieces());
    let clients: Vec<_> = clients.iter().map(|name| (*name, "mine/#")).collect();
    missed(&bed, &clients);
    bed.close()
}

fn reopen(disk: &SimDisk) -> Bed {
    Bed::on(disk.clone(), small_pieces(), 1_000_000)
}

fn lost(bed: &Bed) -> u64 {
    bed.store.statistics().summaries_lost
}

#[test]
fn the_first_who_comes_after_a_restart_skips_what_was_known_before_it() {
    let bed = reopen(&kept(&["first", "second", "third"]));
    assert_eq!(bed.lasting("first").drain().len(), 10);
    let (scanned, skipped) = statistics(&bed);
    assert!(scanned < 1_500 && skipped > 8_500, "{scanned} {skipped}");
    // The last piece of each partition was not whole: it was read now, and is the only one that is written.
    let records = summaries(&bed).appended_end();
    let bed = reopen(&bed.close());
    assert!(bed.lasting("second").drain().len() == 10 && summaries(&bed).appended_end() == records);
    let (scanned, skipped) = statistics(&bed);
    assert!(scanned < 900 && skipped > 9_100, "{scanned} {skipped}");
    assert_eq!(lost(&bed), 0);
    // A loss of power takes what upkeep has not made durable, and no message.
    let bed = bed.crash(1);
    assert_eq!(bed.lasting("third").drain().len(), 10);
}

#[test]
fn what_was_learnt_by_reading_is_kept_too_and_once() {
    let bed = Bed::with(small_pieces().summaries_bytes_max(0));
    missed(&bed, &[("all", "#"), ("first", "mine/#")]);
    let bed = reopen(&bed.close());
    // Who skips nothing learns as well.
    assert_eq!(bed.lasting("all").drain().len(), 10_010);
    assert_eq!(statistics(&bed), (10_010, 0));
    let records = summaries(&bed).appended_end();
    assert!(records > 50, "{records}");
    for name in ["first", "all"] {
        let bed = reopen(&bed.disk.snapshot());
        eprintln!("DEBUG before");
        let found = bed.lasting(name).drain().len();
        let (scanned, skipped) = statistics(&bed);
        assert_eq!((name == "first", summaries(&bed).appended_end()), (found == 10, records));
        assert!(name == "all" || (scanned < 900 && skipped > 9_100), "{scanned} {skipped}");
    }
}

#[test]
fn without_room_in_memory_there_is_no_topic_and_one_that_is_there_is_not_read() {
    let bed = Bed::with(small_pieces().summaries_bytes_max(0));
    missed(&bed, &[("first", "mine/#")]);
    assert!(bed.log.topic(SUMMARIES).is_none());
    let bed = Bed { options: small_pieces().summaries_bytes_max(0), ..reopen(&kept(&["first"])) }.reopen();
    assert_eq!(bed.lasting("first").drain().len(), 10);
    assert_eq!(statistics(&bed), (10_010, 0));
}

#[test]
fn who_is_up_to_date_or_behind_by_what_came_since_reads_nothing_of_it() {
    // So many topics are in each range that none is known.
    let many_topics = |bed: &Bed| {
        for number in 0..4_000 {
            let levels = (0..12).map(|level| (number * 7 + level).to_string());
            bed.publish(&levels.collect::<Vec<_>>().join("/"), "x", 1);
        }
        bed.run();
    };
    let options = options().catch_up_bytes(1 << 17);
    let bed = Bed::with(options.clone());
    let mut client = bed.lasting("c");
    client.subscribe("mine/#", 1);
    foreign(&bed, 0..10_000);
    client.drain();
    client.leave();
    assert!(summaries(&bed).appended_end() > 1);
    let disk = bed.close();
    let path = segment(&disk, SUMMARIES);
    assert!(disk.damage(&path, |bytes| bytes[80] ^= 1), "whoever reads it finds it");
    let bed = Bed::on(disk, options, 1_000_000);
    many_topics(&bed);
    bed.publish("mine/alarm", "1", 1);
    bed.run();
    assert_eq!(bed.lasting("c").drain(), [got("mine/alarm", "1", 1, false)]);
    assert_eq!(lost(&bed), 0);
}

/// Writes a message as the store does.
fn append_message(partition: &Partition, topic: &str) {
    let headers = [Header::new("mqtt.qos", "1"), Header::new("mqtt.client-id", "other")];
    partition.append(&Record::new("anew").key(topic).headers(&headers), Ack::Appended).unwrap();
}

fn u64_at(value: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(value[at..at + 8].try_into().unwrap())
}

#[test]
fn whatever_a_loss_of_power_leaves_no_range_tells_of_records_that_it_has_taken() {
    let mut ranges = 0;
    let check = |moment: &SimDisk, ranges: &mut usize| {
        for seed in 0..4 {
            let log = open_log(&moment.crash(seed));
            let Some(topic) = log.topic(SUMMARIES) else { continue };
            for value in values(&topic.partition(0).unwrap()) {
                let number = u32::from_be_bytes(value[PARTITION..PARTITION + 4].try_into().unwrap());
                let partition = log.topic("mqtt").unwrap().partition(number).unwrap();
                let end = u64_at(&value, END);
                assert!(end <= partition.durable_end(), "{end} of {number}, {}", partition.durable_end());
                *ranges += 1;
            }
        }
    };
    let publish = |bed: &Bed, count: u32| {
        (0..count).for_each(|number| _ = bed.publish(&format!("dev/{}/temp", number % 50), "21.5", 1));
    };
    // What the dispatcher passes, and then, where nothing was kept, what is learnt by reading. The ranges are made durable at once.
    let bed = Bed::with(small_pieces().summaries_bytes_max(0));
    let mut client = bed.lasting("first");
    client.subscribe("mine/#", 1);
    client.leave();
    publish(&bed, 2_000);
    bed.run();
    let bed = reopen(&bed.close());
    bed.disk.keep_moments();
    for _ in 0..4 {
        publish(&bed, 300);
        bed.run();
        publish(&bed, 30);
        summaries(&bed).sync().unwrap();
        check(&bed.disk, &mut ranges);
    }
    let passed = std::mem::take(&mut ranges);
    assert_eq!(bed.lasting("first").drain(), []);
    summaries(&bed).sync().unwrap();
    bed.disk.take_moments().iter().for_each(|moment| check(moment, &mut ranges));
    assert!(passed > 50 && ranges > 50, "{passed} {ranges}");
}

#[test]
fn what_is_kept_takes_at_most_an_eighth_of_what_it_is_about() {
    for catch_up_bytes in [1, 500, 1_500, 2_000, 4_000, 10_000] {
        let bed = Bed::with(options().catch_up_bytes(catch_up_bytes));
        for number in 0..1_000 {
            bed.publish(&format!("dev/{}/temp", number % 50), "21.5", 1);
            bed.run();
        }
        let bytes: u64 = bed.store.messages().partitions().map(|partition| partition.size_bytes()).sum();
        let kept = summaries(&bed).size_bytes();
        assert!(kept * 8 <= bytes, "{catch_up_bytes}: {kept} of {bytes}");
        assert_eq!(kept > 0, catch_up_bytes >= 2_000, "{catch_up_bytes}");
    }
}

#[test]
fn a_log_topic_that_was_made_anew_under_the_name_of_another_one_is_none_of_it() {
    let disk = kept(&["first", "second"]);
    let log = open_log(&disk);
    let ranges = values(&log.topic(SUMMARIES).unwrap().partition(0).unwrap()).len() as u64;
    log.delete_topic("mqtt").unwrap();
    let topic = log.create_topic("mqtt", messages()).unwrap();
    for partition in topic.partitions() {
        // As many as there were and more, and all of them for those who come.
        (0..11_000).for_each(|_| append_message(&partition, "mine/alarm"));
        partition.sync().unwrap();
    }
    log.close().unwrap();
    let bed = reopen(&disk);
    let all = bed.lasting("first").drain();
    assert_eq!(all.len(), 44_000);
    assert_eq!(lost(&bed), ranges);
    // Of the new one it is kept as of any.
    assert_eq!(bed.lasting("second").drain().len(), 44_000);
    assert!(summaries(&bed).appended_end() > ranges);
}

#[test]
fn a_log_topic_that_begins_anew_and_grows_is_none_of_it_after_another_restart() {
    let disk = kept(&["first"]);
    let log = open_log(&disk);
    log.delete_topic("mqtt").unwrap();
    log.close().unwrap();
    let bed = reopen(&disk);
    assert_eq!(summaries(&bed).appended_end(), 0, "it tells of more than there is");
    let topic = bed.store.messages();
    topic
        .partitions()
        .for_each(|partition| (0..11_000).for_each(|_| append_message(&partition, "mine/alarm")));
    bed.run();
    let bed = bed.reopen();
    assert_eq!(bed.lasting("first").drain().len(), 44_000);
}

/// The last segment of a topic's first partition.
pub(crate) fn segment(disk: &SimDisk, topic: &str) -> PathBuf {
    let dir = format!("/data/{topic}-0");
    let is_log = |path: &&PathBuf| path.starts_with(&dir) && path.extension().is_some_and(|end| end == "log");
    disk.files().iter().rfind(is_log).unwrap().clone()
}

/// All files as they were earlier, but for those of the summaries, which are as they are later: a copy that was made while it was written to.
pub(crate) fn graft(earlier: &SimDisk, later: &SimDisk) -> SimDisk {
    use headwater_log::storage::Storage;

    let disk = later.snapshot();
    let is_summary = |path: &PathBuf| path.starts_with(format!("/data/{SUMMARIES}-0"));
    for path in disk.files().iter().filter(|path| !is_summary(path) && earlier.content(path).is_none()) {
        disk.remove(path).unwrap();
    }
    for path in earlier.files().iter().filter(|path| !is_summary(path)) {
        let content = earlier.content(path).unwrap();
        if disk.content(path).is_none() {
            disk.create_new(path).unwrap();
        }
        disk.damage(path, |bytes| *bytes = content);
    }
    disk
}

#[test]
fn a_copy_whose_messages_are_older_than_what_is_kept_believes_nothing_of_it_now_or_later() {
    for room in [1 << 20, 0] {
        let bed = Bed::with(small_pieces());
        missed(&bed, &[("first", "mine/#")]);
        let earlier = bed.close();
        let bed = reopen(&earlier.snapshot());
        foreign(&bed, 0..10_000);
        let grafted = graft(&earlier, &bed.close());
        // It is found out also by one that keeps nothing itself.
        let bed = Bed::on(grafted, small_pieces().summaries_bytes_max(room), 1_000_000);
        // Other records come to the same offsets.
        (0..20_000).for_each(|number| _ = bed.publish(&format!("mine/{number}"), "anew", 1));
        bed.run();
        let bed = reopen(&bed.close());
        assert_eq!(bed.lasting("first").drain().len(), 10 + 20_000, "{room}");
    }
}

#[test]
fn a_piece_with_a_record_that_cannot_be_read_is_not_kept() {
    let compressed = messages().compression(Some(Compression::Lz4));
    let with = |room| small_pieces().messages(compressed).summaries_bytes_max(room);
    let bed = Bed::with(with(0));
    for client_id in ["first", "second"] {
        let mut client = bed.lasting(client_id);
        client.subscribe("mine/#", 1);
        client.leave();
    }
    for number in 0..10 {
        foreign(&bed, 0..200);
        bed.publish(&format!("mine/{number}"), &"0".repeat(6_000), 1);
    }
    bed.run();
    let disk = bed.close();
    let limited = LogOptions::default().decompressed_bytes_max(4_096).storage(Arc::new(disk.clone()));
    let log = Log::open(Path::new("/data"), limited).unwrap();
    let store = Store::open(&log, with(1 << 20), 1).unwrap();
    let bed = Bed { disk: disk.clone(), log, store, options: with(1 << 20), now_ms: 1 };
    assert_eq!(bed.lasting("first").drain(), [], "they are too large");
    assert!(summaries(&bed).appended_end() > 0);
    bed.close();
    let bed = Bed::on(disk, with(1 << 20), 1);
    assert_eq!(bed.lasting("second").drain().len(), 10);
}

/// What is kept becomes these records, each of which would hide all messages; then the one that was the last.
fn forged(change: impl Fn(&mut Vec<u8>)) -> (SimDisk, u64) {
    let disk = kept(&["first"]);
    let log = open_log(&disk);
    let mut values = values(&log.topic(SUMMARIES).unwrap().partition(0).unwrap());
    let last = values.pop().unwrap();
    log.delete_topic(SUMMARIES).unwrap();
    let topic = log.create_topic(SUMMARIES, TopicOptions::default()).unwrap();
    for value in &mut values {
        value[BITS..].fill(0);
        change(value);
        topic.append(&Record::new(value), Ack::Appended).unwrap();
    }
    topic.append(&Record::new(&last), Ack::Appended).unwrap();
    log.close().unwrap();
    (disk, values.len() as u64)
}

type Change = fn(&mut Vec<u8>);

/// What such a record says would be believed.
#[test]
fn who_is_told_that_there_is_nothing_finds_nothing() {
    let bed = reopen(&forged(|_| ()).0);
    assert!(bed.lasting("first").drain().len() < 10);
    assert_eq!(lost(&bed), 0);
}

#[test]
fn a_record_of_another_version_topic_partition_or_end_or_with_bits_that_are_none_is_counted_and_not_used() {
    let changes: [(&str, Change); 9] = [
        ("version", |value| value[0] = 2),
        ("version", |value| value[0] = 0),
        ("topic id", |value| value[TOPIC_ID + 7] ^= 1),
        ("partition", |value| value[PARTITION + 3] += 4),
        ("end", |value| value[END..END + 8].copy_from_slice(&100_000_u64.to_be_bytes())),
        ("end", |value| value[END..END + 8].fill(0)),
        ("ends", |value| value[ENDS - 1] = 255),
        ("bits", |value| value.truncate(BITS)),
        ("bits", |value| value.truncate(BITS - 1)),
    ];
    for (name, change) in changes {
        let (disk, count) = forged(change);
        let bed = reopen(&disk);
        assert_eq!(bed.lasting("first").drain().len(), 10, "{name}");
        assert_eq!(lost(&bed), count, "{name}");
    }
}

#[test]
fn where_the_last_record_is_of_another_version_all_of_it_begins_anew() {
    let disk = kept(&["first"]);
    let log = open_log(&disk);
    let topic = log.topic(SUMMARIES).unwrap();
    let mut last = values(&topic.partition(0).unwrap()).pop().unwrap();
    last[0] = 2;
    topic.append(&Record::new(&last), Ack::Durable).unwrap();
    log.close().unwrap();
    let bed = reopen(&disk);
    assert_eq!(summaries(&bed).appended_end(), 0);
    assert_eq!(bed.lasting("first").drain().len(), 10);
    assert!(summaries(&bed).appended_end() > 0);
}

#[test]
fn damage_of_what_is_kept_costs_time_and_no_message() {
    let disk = kept(&["first"]);
    let path = segment(&disk, SUMMARIES);
    let length = disk.content(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    let mut found = 0;
    for at in (0..=length).step_by(997) {
        let damaged = disk.snapshot();
        assert!(damaged.damage(&path, |bytes| bytes[at] ^= 0x10));
        let bed = reopen(&damaged);
        assert_eq!(bed.lasting("first").drain().len(), 10, "a bit of byte {at}");
        // What is not damaged is used: a flipped bit costs a range or a few, that of a length as many as are behind it.
        let (scanned, _) = statistics(&bed);
        assert!(scanned < 3_000, "a bit of byte {at}: {scanned} were read");
        found += u64::from(lost(&bed) > 0 || summaries(&bed).start_offset() == 0);
    }
    assert!(found > 10, "{found}");
    // A topic that was taken away is none.
    let log = open_log(&disk);
    log.delete_topic(SUMMARIES).unwrap();
    log.close().unwrap();
    let bed = reopen(&disk);
    assert_eq!(bed.lasting("first").drain().len(), 10);
    assert_eq!((statistics(&bed), lost(&bed)), ((10_010, 0), 0));
}

#[test]
fn a_topic_that_takes_nothing_more_stops_nobody() {
    let bed = Bed::with(small_pieces());
    bed.log.delete_topic(SUMMARIES).unwrap();
    missed(&bed, &[("first", "mine/#")]);
    assert!(lost(&bed) > 50);
    assert_eq!(bed.lasting("first").drain().len(), 10);
    // Nor one that is gone before it is read, or that is somebody else's.
    let bed = reopen(&kept(&["first"]));
    bed.log.delete_topic(SUMMARIES).unwrap();
    assert_eq!(bed.lasting("first").drain().len(), 10);
    let disk = SimDisk::new(1);
    let log = open_log(&disk);
    log.create_topic(SUMMARIES, TopicOptions::default().partitions(2)).unwrap();
    log.close().unwrap();
    let bed = reopen(&disk);
    missed(&bed, &[("first", "mine/#")]);
    assert_eq!((bed.lasting("first").drain().len(), lost(&bed)), (10, 0));
}

#[test]
fn retention_keeps_about_as_many_bytes_as_the_ranges_may_have_in_memory() {
    let room = 32 << 10;
    let bed = Bed::with(small_pieces().summaries_bytes_max(room));
    let mut client = bed.lasting("first");
    client.subscribe("mine/#", 1);
    client.leave();
    for _ in 0..12 {
        foreign(&bed, 0..5_000);
        bed.log.maintain(bed.now_ms).unwrap();
    }
    bed.publish("mine/alarm", "1", 1);
    bed.run();
    let size = summaries(&bed).size_bytes();
    assert!(summaries(&bed).start_offset() > 0);
    assert!(size < 2 * (room as u64 + (64 << 10)), "{size}");
    let bed = bed.reopen();
    assert_eq!(bed.lasting("first").drain().len(), 1);
    assert!(statistics(&bed).1 > 0);
}
