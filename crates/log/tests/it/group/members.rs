//! Who has what, and what members are told.

use std::time::Duration;

use headwater_log::{Assignor, CommitError, ConsumerEvent, OffsetReset, Subscription};

use super::bed::*;
use crate::bed::Bed;

#[test]
fn one_member_reads_everything_once_and_partitions_have_their_turns() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 3, 20);
    let mut member = log.consumer_with(GROUP, ["t"], earliest().max_partition_fetch_bytes(300)).unwrap();
    let mut seen = vec![Vec::new(); 3];
    let mut turns = Vec::new();
    while let Some(polled) = records(&mut member) {
        let number = polled.partition().partition;
        turns.push(number);
        seen[number as usize].extend(offsets(&polled));
        member.commit(&polled).unwrap();
    }
    assert_eq!(seen, vec![(0..20).collect::<Vec<_>>(); 3]);
    assert_eq!(turns[..6], [0, 1, 2, 0, 1, 2]);
    let described = log.describe_group(GROUP).unwrap();
    assert_eq!((described.lag(), described.partitions.len(), described.members.len()), (0, 3, 1));
}

#[test]
fn offsets_survive_a_restart() {
    let bed = Bed::new(0);
    {
        let log = log(&bed, "t", 1, 5);
        let mut member = join(&log, "t");
        let polled = records(&mut member).unwrap();
        member.commit_offset(polled.partition(), 3).unwrap();
        drop(member);
        log.close().unwrap();
    }
    let log = bed.open();
    assert_eq!(log.recovery().offsets.groups, 1);
    assert_eq!(log.groups().unwrap(), [GROUP]);
    let described = log.describe_group(GROUP).unwrap();
    assert_eq!((described.lag(), described.members.len(), described.generation), (2, 0, 0));
    // The reset policy is none: there is something committed.
    let mut member = log.consumer(GROUP, ["t"]).unwrap();
    assert_eq!(offsets(&records(&mut member).unwrap()), [3, 4]);
}

#[test]
fn a_member_that_comes_gets_its_share_when_the_other_has_polled_twice() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 4, 1);
    let mut first = join(&log, "t");
    let all: Vec<_> = (0..4).map(|number| at("t", number)).collect();
    assert_eq!(event(&mut first), Some(ConsumerEvent::Assigned(all.clone())));
    let mut second = join(&log, "t");
    assert_eq!(event(&mut second), None, "all of it is the first one's");
    // It keeps them until it polls again, and may commit.
    assert_eq!(event(&mut first), Some(ConsumerEvent::Revoked(all[2..].to_vec())));
    assert_eq!(event(&mut second), None);
    first.commit_offset(&all[3], 1).unwrap();
    assert!(matches!(event(&mut first), Some(ConsumerEvent::Records(_))));
    assert!(matches!(first.commit_offset(&all[3], 1), Err(CommitError::NotAssigned(_))));
    assert_eq!(event(&mut second), Some(ConsumerEvent::Assigned(all[2..].to_vec())));
    let polled = records(&mut second).unwrap();
    assert_eq!((polled.partition(), offsets(&polled)), (&all[2], vec![0]), "that of 3 is done");
    assert_eq!(records(&mut second), None);
    assert_eq!(assigned(&first), ["t-0", "t-1"]);
    second.close();
    assert_eq!(settle(&mut first), [ConsumerEvent::Assigned(all[2..].to_vec())]);
}

#[test]
fn a_member_that_does_not_poll_is_put_out_fenced_and_may_come_back() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 2, 3);
    let (mut slow, mut other) = (join(&log, "t"), join(&log, "t"));
    settle(&mut slow);
    settle(&mut other);
    let polled = records(&mut slow).or_else(|| records(&mut slow));
    let polled = polled.unwrap_or_else(|| {
        slow.seek(&at("t", 0), 0).unwrap();
        records(&mut slow).unwrap()
    });
    let generation = slow.generation();
    bed.clock.advance_ms(INTERVAL_MS);
    settle(&mut other);
    slow.commit_offset(polled.partition(), 1).unwrap(); // not late yet
    bed.clock.advance_ms(1);
    slow.commit_offset(polled.partition(), 2).unwrap(); // late, but nobody has put it out
    settle(&mut other);
    assert_eq!(assigned(&other), ["t-0", "t-1"]);
    let Err(CommitError::Fenced { group, since, generation: now }) = slow.commit(&polled) else {
        unreachable!()
    };
    assert_eq!((&*group, since), (GROUP, generation));
    assert!(now > since);
    assert!(matches!(slow.commit_all(), Err(CommitError::Fenced { .. })));
    assert_eq!(slow.committed(polled.partition()), Some(2));
    // It is told what it has lost, and gets its share again.
    let told = settle(&mut slow);
    assert!(matches!(&told[..], [ConsumerEvent::Lost(lost)] if lost.len() == 1), "{told:?}");
    assert!(matches!(slow.commit(&polled), Err(CommitError::Fenced { .. })));
    settle(&mut other);
    settle(&mut other);
    assert!(matches!(settle(&mut slow)[..], [ConsumerEvent::Assigned(_)]));
    assert_eq!((slow.member(), assigned(&slow).len(), assigned(&other).len()), (3, 1, 1));
}

/// Records that were polled before a partition went away and came back were given to others meanwhile.
#[test]
fn records_of_an_earlier_ownership_are_fenced() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    let mut first = join(&log, "t");
    settle(&mut first);
    first.seek(&at("t", 0), 0).unwrap();
    let old = records(&mut first).unwrap();
    bed.clock.advance_ms(INTERVAL_MS + 1);
    let mut second = join(&log, "t");
    assert!(records(&mut second).is_some(), "again, as nothing was committed");
    second.close();
    settle(&mut first);
    assert_eq!(assigned(&first), ["t-0"]);
    assert!(matches!(first.commit(&old), Err(CommitError::Fenced { .. })));
    assert_eq!(first.committed(&at("t", 0)), None);
}

#[test]
fn patterns_take_topics_and_partitions_that_come_later() {
    let bed = Bed::new(0);
    let log = log(&bed, "site-1", 1, 1);
    let mut member = log.consumer_with(GROUP, Subscription::glob("site-*"), earliest()).unwrap();
    settle(&mut member);
    assert_eq!(assigned(&member), ["site-1-0"]);
    create(&log, bed.topic, "site-2", 1, 1);
    create(&log, bed.topic, "other", 1, 1);
    assert_eq!(settle(&mut member), [ConsumerEvent::Assigned(vec![at("site-2", 0)])]);
    log.alter_topic("site-1", bed.topic.partitions(3)).unwrap();
    assert_eq!(settle(&mut member), [ConsumerEvent::Assigned(vec![at("site-1", 1), at("site-1", 2)])]);
    // By name besides.
    member.subscribe(["other"]).unwrap();
    let told = settle(&mut member);
    assert!(
        matches!(&told[..], [ConsumerEvent::Assigned(_), ConsumerEvent::Revoked(gone)] if gone.len() == 4),
        "{told:?}"
    );
    assert_eq!(assigned(&member), ["other-0"]);
}

#[test]
fn a_paused_partition_gives_nothing_and_a_seek_goes_anywhere() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 2, 3);
    let mut member = join(&log, "t");
    settle(&mut member);
    let (zero, one) = (at("t", 0), at("t", 1));
    member.seek(&zero, 0).unwrap();
    member.pause(&zero).unwrap();
    assert_eq!(records(&mut member).unwrap().partition(), &one);
    assert_eq!(records(&mut member), None);
    member.resume(&zero).unwrap();
    assert_eq!(offsets(&records(&mut member).unwrap()), [0, 1, 2]);
    member.seek(&zero, 2).unwrap();
    assert_eq!(offsets(&records(&mut member).unwrap()), [2]);
    assert_eq!(member.position(&zero), Ok(Some(3)));
    // In one batch, both.
    member.commit_all().unwrap();
    assert_eq!((member.committed(&zero), member.committed(&one)), (Some(3), Some(3)));
    // After a seek back, the position is no commit.
    member.seek(&zero, 0).unwrap();
    member.commit_all().unwrap();
    assert_eq!(member.committed(&zero), Some(3));
}

#[test]
fn latest_is_one_place_for_all_members() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 1, 5);
    let latest = earliest().auto_offset_reset(OffsetReset::Latest);
    let mut first = log.consumer_with(GROUP, ["t"], latest).unwrap();
    assert_eq!(records(&mut first), None);
    fill(&log, "t", 0, 2);
    // The first one goes before it has read them.
    let mut second = log.consumer_with(GROUP, ["t"], latest).unwrap();
    first.close();
    assert_eq!(offsets(&records(&mut second).unwrap()), [5, 6]);
}

#[test]
fn every_assignor_hands_over_one_by_one() {
    for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky] {
        let bed = Bed::new(0);
        let log = log(&bed, "t", 5, 1);
        let options = earliest().assignor(assignor);
        let mut members: Vec<_> = (0..3).map(|_| log.consumer_with(GROUP, ["t"], options).unwrap()).collect();
        for _ in 0..4 {
            members.iter_mut().for_each(|member| drop(settle(member)));
        }
        let mut all: Vec<_> = members.iter().flat_map(assigned).collect();
        let counts: Vec<_> = members.iter().map(|member| assigned(member).len()).collect();
        all.sort();
        assert_eq!(all, ["t-0", "t-1", "t-2", "t-3", "t-4"], "{assignor:?}");
        assert_eq!((counts.iter().min(), counts.iter().max()), (Some(&1), Some(&2)), "{assignor:?}");
    }
}

#[test]
fn a_poll_that_waits_is_woken_by_records_by_the_group_and_by_the_end() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 2, 0);
    let forever = Duration::from_secs(60);
    std::thread::scope(|scope| {
        let mut member = join(&log, "t");
        let waits = scope.spawn(move || {
            let first = member.poll(forever).unwrap().map(|polled| polled.partition().clone());
            (first, member)
        });
        fill(&log, "t", 1, 1);
        let (first, mut member) = waits.join().unwrap();
        assert_eq!(first, Some(at("t", 1)));
        // Another one joins: the one who waits gives it what it has to.
        let waits = scope.spawn(move || {
            let told = loop {
                match member.poll_event(forever).unwrap() {
                    Some(ConsumerEvent::Revoked(gone)) => break gone,
                    other => assert!(other.is_some()),
                }
            };
            (told, member.poll(forever), member)
        });
        let mut second = join(&log, "t");
        let told = loop {
            match second.poll_event(forever).unwrap() {
                Some(ConsumerEvent::Assigned(got)) => break got,
                other => assert!(other.is_some()),
            }
        };
        log.close().unwrap();
        let (revoked, closed, _member) = waits.join().unwrap();
        assert_eq!(revoked, told);
        assert!(closed.is_err());
    });
}

/// Members that wait are not late, however long that takes; one that hangs is, and those who wait see to it.
#[test]
fn who_waits_is_not_late() {
    let bed = Bed::new(0);
    let log = log(&bed, "t", 2, 0);
    let options = earliest().max_poll_interval_ms(20);
    let mut hangs = log.consumer_with(GROUP, ["t"], options).unwrap();
    settle(&mut hangs);
    let mut waits = log.consumer_with(GROUP, ["t"], options).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut told = Vec::new();
            while told.len() < 2 {
                match waits.poll_event(Duration::from_secs(60)).unwrap() {
                    Some(ConsumerEvent::Assigned(got)) => told.extend(got),
                    other => assert!(other.is_some()),
                }
            }
            told.len()
        });
        // The one who hangs was put out once the clock says so.
        bed.clock.advance_ms(21);
        assert_eq!(waiting.join().unwrap(), 2);
    });
    assert!(matches!(hangs.commit_offset(&at("t", 0), 0), Err(CommitError::Fenced { .. })));
}

/// The future of a member wakes for records, without a runtime.
#[test]
fn a_future_of_a_member_is_woken() {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};

    #[derive(Default)]
    struct Counter(AtomicUsize);
    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    let bed = Bed::new(0);
    let log = log(&bed, "t", 2, 0);
    let mut member = join(&log, "t");
    assert_eq!(records(&mut member), None);
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    {
        let mut ready = pin!(member.ready());
        assert!(ready.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        bed.clock.advance_ms(10 * INTERVAL_MS);
        fill(&log, "t", 1, 1);
        assert!(counter.0.load(Ordering::SeqCst) >= 1);
        assert!(ready.poll(&mut Context::from_waker(&waker)).is_ready());
    }
    assert_eq!(offsets(&records(&mut member).unwrap()), [0]);
}
