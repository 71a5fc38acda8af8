//! Groups as the log keeps them.

use headwater_log::{Ack, ReadUpTo, Record};
use headwater_store::group::GroupRecord;
use headwater_store::session::Snapshot;
use headwater_store::{OpenError, Store};

use crate::bed::{Bed, options};
use crate::worker::Worker;

fn key(filter: &str) -> Vec<u8> {
    [&[0xff], filter.as_bytes()].concat()
}

/// The last record of a group; `None` if there is none, or it says that the group has ended.
pub(crate) fn last_record(bed: &Bed, filter: &str) -> Option<GroupRecord> {
    let log = bed.log.topic("__headwater_sessions").unwrap();
    let partition = log.partitions().next().unwrap();
    let fetched = partition.read_up_to(ReadUpTo::Appended, 0, 1 << 20).unwrap();
    let of_group =
        fetched.views().map(Result::unwrap).filter(|record| record.key.is_some_and(|its| its == key(filter)));
    of_group.last().and_then(|record| record.value).map(|value| GroupRecord::decode(value).unwrap())
}

#[test]
fn the_bytes_in_the_document_are_those_that_are_written() {
    let document = include_str!("../../../../docs/mapping.md");
    let begin = document.find("ff 24 73").unwrap();
    let block = document[begin..].split("```").next().unwrap();
    let bytes: Vec<u8> = block.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let key = key("$share/g/t");
    let (first, value) = bytes.split_at(key.len());
    assert_eq!(first, key);
    let record = GroupRecord { positions: vec![7, 1], unfinished: vec![(0, 3)] };
    assert_eq!(value, record.encode());
}

#[test]
fn the_end_of_a_group_is_written_and_its_record_is_not_taken_for_a_session() {
    let bed = Bed::new();
    let mut a = Worker::lasting(&bed, "a", "$share/g/t");
    assert!(last_record(&bed, "$share/g/t").is_some());
    assert!(a.unsubscribe("$share/g/t"));
    assert!(last_record(&bed, "$share/g/t").is_some(), "as long as the log says that it has a member");
    a.save();
    assert!(last_record(&bed, "$share/g/t").is_none());
    let mut b = Worker::lasting(&bed, "b", "$share/g/t");
    b.client.expiry_secs = 0;
    b.leave();
    assert!(last_record(&bed, "$share/g/t").is_none());
    Worker::lasting(&bed, "c", "$share/g/t").leave();
    assert!(last_record(&bed, "$share/g/t").is_some());
    a.leave();
    let bed = bed.reopen();
    let statistics = bed.store.statistics();
    assert_eq!((statistics.sessions, statistics.groups), (2, 1));
}

#[test]
fn a_group_without_a_member_is_ended_when_the_log_is_opened() {
    let bed = Bed::new();
    let log = bed.log.topic("__headwater_sessions").unwrap();
    let value = GroupRecord { positions: vec![0; 4], unfinished: Vec::new() }.encode();
    log.append(&Record::new(&value).key(&key("$share/g/t")), Ack::Durable).unwrap();
    let bed = bed.reopen();
    assert_eq!(bed.store.statistics().groups, 0);
    assert_eq!(last_record(&bed, "$share/g/t"), None);
}

#[test]
fn a_group_of_a_later_version_or_another_log_is_refused_not_dropped() {
    let refusal = |value: &[u8]| {
        let bed = Bed::new();
        let log = bed.log.topic("__headwater_sessions").unwrap();
        log.append(&Record::new(value).key(&key("$share/g/t")), Ack::Durable).unwrap();
        Store::open(&bed.log, options(), 0).unwrap_err()
    };
    assert!(matches!(refusal(&[2]), OpenError::Group { offset: 0, .. }));
    let one = GroupRecord { positions: vec![0], unfinished: Vec::new() }.encode();
    assert!(matches!(refusal(&one), OpenError::Partitions { offset: 0, found: 1, partitions: 4 }));
}

#[test]
fn a_session_that_was_saved_as_version_2_is_opened() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", 1);
    let placement = client.leave();
    let log = bed.log.topic("__headwater_sessions").unwrap();
    let partition = log.partitions().next().unwrap();
    let fetched = partition.read_up_to(ReadUpTo::Appended, placement.session.unwrap(), 1).unwrap();
    let mut value = fetched.views().next().unwrap().unwrap().value.unwrap().to_vec();
    assert!(Snapshot::decode(&value).is_ok());
    // They differ in the version, in the number of shared filters, before those of exchanges under way and of incoming ones, and in what
    // says that there is no beginning of what is not in it.
    value[0] = 2;
    // The last identifier that was reserved: none.
    value.splice(15..15, [0, 0]);
    value.drain(value.len() - 13..value.len() - 9);
    value.pop();
    log.append(&Record::new(&value).key("c"), Ack::Durable).unwrap();
    bed.publish("t", "x", 1);
    let bed = bed.reopen();
    bed.run();
    assert_eq!(bed.lasting("c").drain().len(), 1);
}
