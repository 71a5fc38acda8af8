//! The topic that has what groups have committed.

use headwater_log::{
    Ack, CleanupPolicy, CommitError, ConsumerEvent, MoveReason, OffsetsError, Record, SubscribeError,
};
use headwater_testkit::sim_disk::{Fault, Op as DiskOp};

use super::bed::*;
use crate::bed::Bed;

const OFFSETS: &str = "__headwater_offsets";

fn commit(log: &headwater_log::Log, offset: u64) {
    let mut member = join(log, "t");
    settle(&mut member);
    member.commit_offset(&at("t", 0), offset).unwrap();
}

fn committed(log: &headwater_log::Log) -> Option<u64> {
    log.describe_group(GROUP).ok()?.partitions.first()?.committed
}

#[test]
fn records_that_are_none_are_passed_over_and_reported() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    commit(&log, 4);
    let topic = log.topic(OFFSETS).unwrap();
    let raw = topic.partition(0).unwrap().read(0, 1 << 20).unwrap();
    let record = raw.views().next().unwrap().unwrap();
    let (key, value) = (record.key.unwrap().to_vec(), record.value.unwrap().to_vec());
    // A record without a key comes from elsewhere: the log's own policy refuses it.
    log.alter_topic(OFFSETS, topic.options().cleanup_policy(CleanupPolicy::Delete)).unwrap();
    let mut bad = vec![Record::new("x"), Record::default(), Record::new("x").key("y")];
    let keys: Vec<_> = (0..key.len()).map(|len| &key[..len]).collect();
    let values: Vec<_> = (0..value.len()).map(|len| &value[..len]).collect();
    bad.extend(keys.iter().map(|key| Record::new(&value).key(key)));
    bad.extend(values.iter().map(|value| Record::new(value).key(&key)));
    for record in &bad {
        topic.append(record, Ack::Durable).unwrap();
    }
    log.close().unwrap();
    let log = bed.open();
    let found = &log.recovery().offsets;
    assert_eq!((found.groups, found.malformed), (1, bad.len() as u64));
    assert_eq!(found.first_malformed.unwrap().offset, 1);
    assert!(!log.recovery().is_clean());
    assert_eq!(committed(&log), Some(4));
}

/// Fault row: group offset ahead of the log. It falls to the end, durably, before anything is appended.
#[test]
fn a_group_offset_ahead_of_the_log_falls_to_its_end_and_is_reported() {
    let bed = Bed::new(0);
    let first = log(&bed, "t", 1, 2);
    commit(&first, 2);
    let topic = first.topic(OFFSETS).unwrap();
    let raw = topic.partition(0).unwrap().read(0, 1 << 20).unwrap();
    let record = raw.views().next().unwrap().unwrap();
    let mut value = record.value.unwrap().to_vec();
    value[9] = 5;
    topic.append(&Record::new(&value).key(record.key.unwrap()), Ack::Durable).unwrap();
    first.close().unwrap();
    let log = bed.open();
    let ahead = &log.recovery().offsets.ahead;
    assert_eq!(ahead.len(), 1);
    assert_eq!((ahead[0].group.as_str(), ahead[0].committed, ahead[0].end), (GROUP, 5, 2));
    assert_eq!(committed(&log), Some(2));
    fill(&log, "t", 0, 10);
    let mut member = join(&log, "t");
    event(&mut member);
    let (from, to, reason) = (5, 2, MoveReason::AheadOfLog);
    assert_eq!(event(&mut member), Some(ConsumerEvent::Moved { partition: at("t", 0), from, to, reason }));
    assert_eq!(offsets(&records(&mut member).unwrap()), (2..12).collect::<Vec<_>>());
    // After a loss of power too: the old offset would now be one of a record.
    for seed in 0..10 {
        let log = bed.on(bed.disk.crash(seed)).open();
        assert!(log.recovery().offsets.ahead.is_empty());
        assert_eq!(committed(&log), Some(2));
    }
}

/// Fault row: group offset torn. The one before it is in force.
#[test]
fn a_torn_group_offset_is_the_one_before() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    commit(&log, 2);
    let whole = log.topic(OFFSETS).unwrap().partition(0).unwrap().size_bytes();
    let mut member = join(&log, "t");
    let polled = records(&mut member).unwrap();
    member.commit_with(&polled, Ack::Appended).unwrap();
    let both = log.topic(OFFSETS).unwrap().partition(0).unwrap().size_bytes();
    assert!(both > whole);
    let killed = bed.disk.kill();
    drop((member, log));
    let path = std::path::Path::new("/data/__headwater_offsets-0/00000000000000000000.log");
    for cut in whole..=both {
        let bed = bed.on(killed.snapshot());
        assert!(bed.disk.damage(path, |bytes| bytes[cut as usize..].fill(0)));
        // The last bytes of the batch are zeros: of the time of the commit, and the count of headers.
        let wanted = if cut >= both - 2 { 5 } else { 2 };
        assert_eq!(committed(&bed.open()), Some(wanted), "cut at {cut}");
    }
}

#[test]
fn damage_of_the_offsets_stops_groups_and_nothing_else() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    commit(&log, 2);
    log.close().unwrap();
    let path = std::path::Path::new("/data/__headwater_offsets-0/00000000000000000000.log");
    assert!(bed.disk.damage(path, |bytes| bytes[70] ^= 1));
    let bed = bed.on(bed.disk.snapshot());
    let log = bed.open();
    assert!(log.recovery().offsets.unreadable);
    let error = log.consumer(GROUP, ["t"]).unwrap_err();
    assert!(matches!(error, SubscribeError::Offsets(OffsetsError::Unreadable(_))), "{error}");
    assert!(log.groups().is_err() && log.describe_group(GROUP).is_err());
    fill(&log, "t", 0, 1);
}

/// A topic that is created anew does not inherit, also when a crash has come between its deletion and what groups forget.
#[test]
fn a_topic_made_anew_inherits_no_offsets() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    commit(&log, 4);
    bed.disk.keep_moments();
    log.delete_topic("t").unwrap();
    let moments = bed.disk.take_moments();
    let (mut images, mut with, mut kept) = (0, 0, 0);
    for moment in moments {
        for seed in 0..40 {
            images += 1;
            let bed = bed.on(moment.crash(seed));
            let log = bed.open();
            if log.topic("t").is_some() {
                with += 1;
                assert_eq!(committed(&log), Some(4));
                continue;
            }
            let stands = log.topic(OFFSETS).unwrap().partition(0).unwrap().appended_end() == 1;
            kept += u64::from(stands);
            create(&log, bed.topic, "t", 1, 5);
            let mut member = join(&log, "t");
            assert_eq!(offsets(&records(&mut member).unwrap()), [0, 1, 2, 3, 4], "it begins at the start");
        }
    }
    eprintln!("{images} crash images of a deletion: the topic is in {with}, its offset without it in {kept}");
    assert!(with > 0 && kept > 0);
}

#[test]
fn groups_are_seen_beside_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let log = headwater_log::Log::open(dir.path(), headwater_log::LogOptions::default()).unwrap();
    let read = || {
        let beside =
            headwater_log::Log::open_read_only(dir.path(), headwater_log::ReadOnlyOptions::default());
        beside.unwrap().groups().unwrap()
    };
    assert!(read().is_empty());
    create(&log, headwater_log::TopicOptions::default(), "t", 2, 5);
    create(&log, headwater_log::TopicOptions::default(), "u", 1, 5);
    let mut member = log.consumer_with(GROUP, ["t", "u"], earliest()).unwrap();
    settle(&mut member);
    member.commit_offset(&at("t", 0), 3).unwrap();
    member.commit_offset(&at("u", 0), 1).unwrap();
    log.delete_topic("u").unwrap();
    let (beside, ours) = (read(), log.describe_group(GROUP).unwrap());
    assert_eq!((beside.len(), beside[0].name.as_str(), beside[0].lag()), (1, GROUP, 2));
    assert_eq!(beside[0].partitions[0].partition, at("t", 0));
    assert_eq!(beside[0].partitions[0].committed_ms, ours.partitions[0].committed_ms);
    assert_eq!((beside[0].members.len(), ours.members.len()), (0, 1));
}

#[test]
fn offsets_do_not_expire_with_the_options_of_others() {
    let bed =
        Bed { topic: crate::bed::small().retention_ms(Some(1)).retention_bytes(Some(1)), ..Bed::new(0) };
    let log = log(&bed, "t", 1, 5);
    for offset in 1..=5 {
        commit(&log, offset);
    }
    log.close().unwrap();
    let log = bed.open();
    for _ in 0..5 {
        bed.clock.advance_ms(30 * 24 * 3600 * 1000);
        log.confirm_clock(headwater_log::Clock::now_ms(&*bed.clock));
        log.maintain(headwater_log::Clock::now_ms(&*bed.clock)).unwrap();
    }
    assert_eq!(log.topic(OFFSETS).unwrap().partition(0).unwrap().start_offset(), 0);
    drop(log);
    assert_eq!(bed.open().recovery().offsets.groups, 1);
}

/// P8, of commits: what a sync has failed of takes no more, until the log is opened anew.
#[test]
fn a_commit_whose_sync_fails_is_an_error_and_so_are_those_behind_it() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    let mut member = join(&log, "t");
    settle(&mut member);
    let zero = at("t", 0);
    bed.disk.inject(Fault::on(DiskOp::SyncData).path_end(".log"));
    let error = member.commit_offset(&zero, 1).unwrap_err();
    assert!(matches!(error, CommitError::NotDurable(_)), "{error}");
    assert!(matches!(member.commit_offset(&zero, 2), Err(CommitError::Append(_))));
    let bed = bed.on(bed.disk.kill());
    drop((member, log));
    let log = bed.open();
    assert!(committed(&log).is_none_or(|committed| committed == 1));
    commit(&log, 2);
    assert_eq!(committed(&log), Some(2));
}

/// A disk that is full fails the commit and nothing else.
#[test]
fn a_commit_on_a_full_disk_fails_and_works_again_later() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    let mut member = join(&log, "t");
    settle(&mut member);
    let zero = at("t", 0);
    let (mut refused, mut in_force) = (0, None);
    for round in 1..400_u64 {
        bed.disk.set_space_bytes((round / 40 % 2 == 1).then_some(0));
        match member.reset_offset(&zero, round % 5) {
            Ok(()) => in_force = Some(round % 5),
            Err(CommitError::Append(error)) => {
                assert!(round / 40 % 2 == 1, "{error}");
                refused += 1;
                assert_eq!(member.committed(&zero), in_force, "the one before is in force");
            }
            Err(error) => unreachable!("{error}"),
        }
        assert_eq!(member.committed(&zero), in_force);
    }
    assert!(refused > 0, "where a segment begins");
}

/// Commits that were only appended, of any member, are made durable by the sync of one that waits.
#[test]
fn the_commits_of_many_members_share_one_sync() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 4, 5);
    let mut members: Vec<_> = (0..4).map(|_| join(&log, "t")).collect();
    for _ in 0..4 {
        members.iter_mut().for_each(|member| drop(settle(member)));
    }
    let commit = |member: &headwater_log::Consumer, ack| {
        let partition = member.assignment().next().unwrap().clone();
        let before = bed.disk.count(DiskOp::SyncData);
        match ack {
            Ack::Durable => member.commit_offset(&partition, 3).unwrap(),
            Ack::Appended => {
                let mut member = log.consumer_with("other", ["t"], earliest()).unwrap();
                let records = member.poll(std::time::Duration::ZERO).unwrap().unwrap();
                member.commit_with(&records, ack).unwrap();
            }
        }
        bed.disk.count(DiskOp::SyncData) - before
    };
    let one = commit(&members[0], Ack::Durable);
    assert_eq!((0..3).map(|_| commit(&members[1], Ack::Appended)).sum::<u64>(), 0, "no sync of their own");
    let again = commit(&members[1], Ack::Durable);
    assert!(again <= one, "{again} syncs, {one} for one commit");
    let log = bed.on(bed.disk.crash(3)).open();
    assert_eq!(log.groups().unwrap(), [GROUP, "other"]);
}
