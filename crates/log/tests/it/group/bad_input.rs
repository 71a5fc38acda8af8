//! What groups refuse, each with an error that says what and how to mend it.

use headwater_log::{
    Ack, Assignor, CommitError, ConsumerEvent, GroupError, MoveReason, OffsetReset, PollError, Record,
    SeekError, SubscribeError, Subscription,
};
use std::time::Duration;

use super::bed::*;
use crate::bed::{Bed, small};

fn poll(member: &mut headwater_log::Consumer) -> Result<Option<headwater_log::ConsumerRecords>, PollError> {
    member.poll(Duration::ZERO)
}

#[test]
fn who_cannot_join_is_told_why() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 1);
    let named = |name: &str| log.consumer(name, ["t"]).unwrap_err().to_string();
    assert_eq!(named(""), "a group name has 1 to 32767 bytes, this one has 0");
    assert!(named(&"g".repeat(32_768)).ends_with("32768"));
    assert!(log.consumer(&"g".repeat(32_767), ["t"]).is_ok());
    assert!(matches!(log.consumer(GROUP, Vec::<&str>::new()), Err(SubscribeError::Nothing { .. })));
    let missing = log.consumer(GROUP, ["t", "u"]).unwrap_err();
    assert!(matches!(&missing, SubscribeError::TopicNotFound { topic, .. } if &**topic == "u"), "{missing}");
    assert!(matches!(
        log.consumer_with(GROUP, ["t"], earliest().max_poll_interval_ms(0)),
        Err(SubscribeError::Options(_))
    ));
    let _member = join(&log, "t");
    let other = log.consumer_with(GROUP, ["t"], earliest().assignor(Assignor::Range)).unwrap_err();
    assert!(matches!(other, SubscribeError::Assignor { wanted: Assignor::Range, .. }), "{other}");
    // Another group may.
    assert!(log.consumer_with("h", ["t"], earliest().assignor(Assignor::Range)).is_ok());
}

#[test]
fn without_a_reset_policy_a_beginning_has_to_be_named() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 2, 3);
    let mut member = log.consumer(GROUP, ["t"]).unwrap();
    let error = poll(&mut member).unwrap_err();
    assert_eq!(
        error.to_string(),
        "group g has no committed offset for t-0; seek, or set auto_offset_reset to Earliest or Latest"
    );
    // The other one can go on, and both have their turns.
    member.seek(&at("t", 1), 1).unwrap();
    assert_eq!(offsets(&poll(&mut member).unwrap().unwrap()), [1, 2]);
    assert!(matches!(poll(&mut member), Err(PollError::NoOffset { .. })));
    member.seek(&at("t", 0), 2).unwrap();
    assert_eq!(offsets(&poll(&mut member).unwrap().unwrap()), [2]);
    assert_eq!(poll(&mut member).unwrap(), None);
}

#[test]
fn a_commit_for_a_partition_that_is_not_owned_is_refused() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 2, 3);
    let (mut first, mut second) = (join(&log, "t"), join(&log, "t"));
    for _ in 0..3 {
        settle(&mut first);
        settle(&mut second);
    }
    let of_second = second.assignment().next().unwrap().clone();
    let error = first.commit_offset(&of_second, 1).unwrap_err();
    assert!(matches!(&error, CommitError::NotAssigned(not) if not.partition == of_second), "{error}");
    assert!(matches!(first.commit_offset(&at("t", 9), 0), Err(CommitError::NotAssigned(_))));
    assert!(matches!(first.commit_offset(&at("u", 0), 0), Err(CommitError::NotAssigned(_))));
    assert!(first.seek(&of_second, 0).is_err() && first.pause(&of_second).is_err());
    assert!(first.resume(&of_second).is_err() && first.position(&of_second).is_err());
    assert_eq!(log.describe_group(GROUP).unwrap().partitions[1].committed, None);
}

#[test]
fn a_commit_beyond_the_end_is_refused() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 3);
    let mut member = join(&log, "t");
    settle(&mut member);
    let zero = at("t", 0);
    // Appended, but not durable: nobody has read it.
    log.topic("t").unwrap().append(&Record::new("x"), Ack::Appended).unwrap();
    let error = member.commit_offset(&zero, 4).unwrap_err();
    assert_eq!(error.to_string(), "offset 4 of t-0 is beyond its durable end 3");
    assert!(matches!(member.commit_offset(&zero, u64::MAX), Err(CommitError::BeyondEnd { .. })));
    assert!(matches!(member.reset_offset(&zero, 5), Err(CommitError::BeyondEnd { .. })));
    assert!(matches!(member.seek(&zero, 4), Err(SeekError::OffsetOutOfRange { end: 3, .. })));
    member.commit_offset(&zero, 3).unwrap();
}

/// P12: it never moves back unasked.
#[test]
fn a_commit_that_moves_back_is_refused_unless_asked() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    let mut member = join(&log, "t");
    settle(&mut member);
    let zero = at("t", 0);
    member.commit_offset(&zero, 4).unwrap();
    let error = member.commit_offset(&zero, 3).unwrap_err();
    assert!(matches!(error, CommitError::MovesBack { offset: 3, committed: 4, .. }), "{error}");
    member.commit_offset(&zero, 4).unwrap();
    assert_eq!(member.committed(&zero), Some(4));
    member.reset_offset(&zero, 1).unwrap();
    assert_eq!(member.committed(&zero), Some(1));
    drop(member);
    log.reset_group_offsets(GROUP, &[(zero.clone(), 0)]).unwrap();
    drop(log);
    let log = bed.open();
    assert_eq!(log.describe_group(GROUP).unwrap().partitions[0].committed, Some(0));
}

#[test]
fn a_topic_deleted_under_a_reader_is_an_error_and_the_others_go_on() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    create(&log, bed.topic, "u", 1, 2);
    let mut member = log.consumer_with(GROUP, ["t", "u"], earliest()).unwrap();
    let polled = poll(&mut member).unwrap().unwrap();
    member.commit(&polled).unwrap();
    log.delete_topic("t").unwrap();
    assert!(matches!(member.commit_offset(&at("t", 0), 5), Err(CommitError::TopicDeleted { .. })));
    assert_eq!(event(&mut member), Some(ConsumerEvent::Lost(vec![at("t", 0)])));
    assert!(matches!(poll(&mut member), Err(PollError::TopicDeleted { topic, .. }) if &*topic == "t"));
    assert_eq!(poll(&mut member).unwrap().unwrap().partition(), &at("u", 0));
    assert!(matches!(member.commit(&polled), Err(CommitError::Fenced { .. })));
    // What was read before is there, as long as somebody holds it.
    assert_eq!(offsets(&polled).len(), 5);
    // A new topic of the name begins anew.
    create(&log, bed.topic, "t", 1, 1);
    assert_eq!(offsets(&poll(&mut member).unwrap().unwrap()), [0]);
    assert_eq!(member.committed(&at("t", 0)), None);
}

#[test]
fn what_retention_has_passed_is_told() {
    let bed = Bed { topic: small(), ..Bed::new(0) };
    let log = log(&bed, "t", 1, 10);
    let mut member = join(&log, "t");
    settle(&mut member);
    let zero = at("t", 0);
    member.commit_offset(&zero, 2).unwrap();
    drop(member);
    log.topic("t").unwrap().partition(0).unwrap().delete_records_before(6).unwrap();
    let mut member = log.consumer(GROUP, ["t"]).unwrap();
    assert!(matches!(
        poll(&mut member),
        Err(PollError::OffsetOutOfRange { offset: 2, start: 6, end: 10, .. })
    ));
    assert!(poll(&mut member).is_err(), "until somebody says where to go on");
    drop(member);
    for (reset, to) in [(OffsetReset::Earliest, 6), (OffsetReset::Latest, 10)] {
        let mut member = log.consumer_with(GROUP, ["t"], earliest().auto_offset_reset(reset)).unwrap();
        event(&mut member);
        let moved =
            ConsumerEvent::Moved { partition: zero.clone(), from: 2, to, reason: MoveReason::Deleted };
        assert_eq!(event(&mut member), Some(moved));
        assert_eq!(member.position(&zero), Ok(Some(to)));
    }
    // While somebody reads it, too.
    let mut member = join(&log, "t");
    settle(&mut member);
    member.seek(&zero, 7).unwrap();
    log.topic("t").unwrap().partition(0).unwrap().delete_records_before(9).unwrap();
    assert!(matches!(event(&mut member), Some(ConsumerEvent::Moved { from: 7, to: 9, .. })));
}

#[test]
fn a_group_is_changed_from_outside_only_while_it_has_no_members() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 2, 5);
    assert!(matches!(log.describe_group(GROUP), Err(GroupError::NotFound { .. })));
    assert!(matches!(log.delete_group(GROUP), Err(GroupError::NotFound { .. })));
    let mut member = join(&log, "t");
    settle(&mut member);
    (0..2).for_each(|number| member.commit_offset(&at("t", number), 3).unwrap());
    assert!(matches!(log.delete_group(GROUP), Err(GroupError::NotEmpty { members: 1, .. })));
    assert!(log.reset_group_offsets(GROUP, &[(at("t", 0), 0)]).is_err());
    drop(member);
    assert!(matches!(
        log.reset_group_offsets(GROUP, &[(at("t", 0), 0), (at("t", 1), 6)]),
        Err(GroupError::OffsetOutOfRange { .. })
    ));
    assert!(matches!(
        log.reset_group_offsets(GROUP, &[(at("t", 2), 0)]),
        Err(GroupError::NoPartition { .. })
    ));
    log.delete_group_offsets(GROUP, &[at("t", 1)]).unwrap();
    assert_eq!(log.describe_group(GROUP).unwrap().partitions.len(), 1);
    log.delete_group(GROUP).unwrap();
    assert!(log.groups().unwrap().is_empty());
    drop(log);
    assert!(bed.open().groups().unwrap().is_empty());
}

#[test]
fn after_the_log_is_closed_everything_is_refused() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    let mut member = join(&log, "t");
    let polled = poll(&mut member).unwrap().unwrap();
    log.close().unwrap();
    assert!(matches!(poll(&mut member), Err(PollError::Closed)));
    assert!(matches!(member.commit(&polled), Err(CommitError::Append(_))));
    assert!(matches!(member.subscribe(Subscription::glob("*")), Err(SubscribeError::Closed)));
}
