//! Whatever is found in the log topic of the summaries, who comes back gets what a look at each record of the log says: over stops, kills, losses of
//! power, upkeep, log topics that are made anew, and copies that do not fit together.

use std::path::Path;

use headwater_log::{Ack, Header, Record};
use headwater_store::{Route, StoreOptions};
use headwater_testkit::sim_disk::SimDisk;
use headwater_topic::{TopicFilter, TopicName};
use proptest::prelude::*;

use crate::bed::{Bed, messages, options};
use crate::kept::{SUMMARIES, graft, open_log};

const TOPICS: [&str; 8] = ["a", "b", "a/b", "a/b/c", "/", "$SYS/a", "b/c", "beta/1"];
const FILTERS: [&str; 8] = ["#", "a/#", "+/b", "a", "b/#", "+/+/c", "/#", "beta/+"];
/// As many come at most.
const SESSIONS: usize = 16;

#[derive(Debug, Clone)]
enum Step {
    /// So many, to one topic.
    Publish(&'static str, usize),
    /// What was published becomes durable and is dispatched.
    Run,
    /// One comes who has had nothing yet, and takes all.
    Come,
    Maintain,
    Reopen,
    /// Without room for what is known.
    ReopenWithoutRoom,
    Kill,
    PowerFails(u64),
    /// `mqtt` is made anew, with so many messages.
    Anew(&'static str, usize),
    /// All but the summaries is as it was at the last stop.
    CopyBack,
}

fn step() -> impl Strategy<Value = Step> {
    let topic = || proptest::sample::select(&TOPICS[..]);
    prop_oneof![
        12 => (topic(), 1..60_usize).prop_map(|(topic, count)| Step::Publish(topic, count)),
        6 => Just(Step::Run),
        4 => Just(Step::Come),
        1 => Just(Step::Maintain),
        2 => Just(Step::Reopen),
        1 => Just(Step::ReopenWithoutRoom),
        1 => Just(Step::Kill),
        2 => any::<u64>().prop_map(Step::PowerFails),
        1 => (topic(), 0..300_usize).prop_map(|(topic, count)| Step::Anew(topic, count)),
        1 => Just(Step::CopyBack),
    ]
}

fn filter(session: usize) -> &'static str {
    FILTERS[session % FILTERS.len()]
}

/// Topics and payloads of all records that match, those of each partition in order.
fn in_the_log(bed: &Bed, filter: &str) -> Vec<(String, String)> {
    let filter = TopicFilter::parse(filter).unwrap();
    let mut all = Vec::new();
    for partition in bed.store.topics().flat_map(|topic| topic.partitions().collect::<Vec<_>>()) {
        let mut next = partition.start_offset();
        while next < partition.durable_end() {
            let fetched = partition.read(next, 1 << 20).unwrap();
            for record in fetched.records() {
                let record = record.unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let topic = text(&record.key.unwrap());
                if filter.matches(TopicName::parse(&topic).unwrap()) {
                    all.push((topic, text(&record.value.unwrap())));
                }
            }
            next = fetched.next_offset();
        }
    }
    all.sort();
    all
}

fn come(bed: &Bed, session: usize) {
    bed.run();
    let mut client = bed.lasting(&session.to_string());
    let got = client.drain().into_iter().map(|(topic, payload, ..)| (topic, payload));
    let mut got: Vec<_> = got.collect();
    got.sort();
    let wanted = in_the_log(bed, filter(session));
    assert_eq!(got.len(), wanted.len(), "{} of {}", session, filter(session));
    assert_eq!(got, wanted);
    client.leave();
}

fn anew(disk: &SimDisk, topic: &str, count: usize) {
    let log = open_log(disk);
    log.delete_topic("mqtt").unwrap();
    let made = log.create_topic("mqtt", messages()).unwrap();
    let headers = [Header::new("mqtt.qos", "1"), Header::new("mqtt.client-id", "other")];
    for number in 0..count {
        let value = format!("anew {number}");
        made.append(&Record::new(&value).key(topic).headers(&headers), Ack::Appended).unwrap();
    }
    log.close().unwrap();
}

/// Of the topic of the summaries.
fn identity(disk: &SimDisk) -> Option<Vec<u8>> {
    disk.content(Path::new(&format!("/data/{SUMMARIES}-0/partition.metadata")))
}

fn walk(steps: &[Step], options: &StoreOptions) {
    let mut bed = Bed::with(options.clone());
    for session in 0..SESSIONS {
        let mut client = bed.lasting(&session.to_string());
        client.subscribe(filter(session), 1);
        client.leave();
    }
    bed.run();
    let (mut number, mut sessions) = (0_u32, 0..SESSIONS);
    let mut stopped: Option<SimDisk> = None;
    for step in steps {
        match step {
            Step::Publish(topic, count) => {
                for _ in 0..*count {
                    bed.publish(topic, &number.to_string(), 1);
                    number += 1;
                }
            }
            Step::Run => bed.run(),
            Step::Come => sessions.next().into_iter().for_each(|session| come(&bed, session)),
            Step::Maintain => _ = bed.log.maintain(bed.now_ms).unwrap(),
            Step::Reopen => {
                let disk = bed.close();
                stopped = Some(disk.snapshot());
                bed = Bed::on(disk, options.clone(), 1_000_000);
            }
            Step::ReopenWithoutRoom => {
                bed = Bed::on(bed.close(), options.clone().summaries_bytes_max(0), 1_000_000);
            }
            Step::Kill => {
                let disk = bed.disk.kill();
                drop(bed);
                bed = Bed::on(disk, options.clone(), 1_000_000);
            }
            Step::PowerFails(seed) => bed = Bed { options: options.clone(), ..bed }.crash(*seed),
            Step::Anew(topic, count) => {
                let disk = bed.close();
                anew(&disk, topic, *count);
                bed = Bed::on(disk, options.clone(), 1_000_000);
            }
            Step::CopyBack => {
                let disk = bed.close();
                // The log itself refuses one that has lost the topic that was there.
                let stopped = stopped.as_ref().filter(|stopped| identity(stopped) == identity(&disk));
                let disk = stopped.map_or_else(|| disk.clone(), |stopped| graft(stopped, &disk));
                bed = Bed::on(disk, options.clone(), 1_000_000);
            }
        }
    }
    // Some more, so that what was wrong shows.
    for session in sessions.rev().take(FILTERS.len()) {
        come(&bed, session);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_was_kept_who_comes_back_gets_what_is_in_the_log(
        steps in proptest::collection::vec(step(), 1..40),
        catch_up_bytes in 1_500..8_000_usize,
        room in 1_000..60_000_usize,
        routed in any::<bool>(),
    ) {
        let options = options().catch_up_bytes(catch_up_bytes).summaries_bytes_max(room);
        let route = Route::new("beta/#").unwrap().topic("beta").unwrap();
        walk(&steps, &if routed { options.route(route) } else { options });
    }
}
