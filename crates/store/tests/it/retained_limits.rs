//! Retained messages at the edge of what fits.

use headwater_log::AppendError;
use headwater_store::PublishError;

use crate::bed::{Bed, options};

#[test]
fn a_retained_message_is_kept_in_both_topics_or_in_none() {
    let bed = Bed::new();
    let appended =
        || bed.store.messages().partitions().map(|partition| partition.appended_end()).sum::<u64>();
    let (mut kept, mut refused) = (0, 0);
    // Segments of 64 KiB: somewhere here a message is too large for one.
    for len in (65_536 - 300)..65_536 {
        let before = (appended(), bed.store.statistics().retained);
        match bed.publish_from("c", &format!("t/{len}"), &"x".repeat(len), 1, true) {
            Ok(placement) => {
                assert!(placement.retained.is_some());
                assert_eq!((appended(), bed.store.statistics().retained), (before.0 + 1, before.1 + 1));
                kept += 1;
            }
            Err(PublishError::Append(AppendError::BatchTooLarge { .. })) => {
                assert_eq!((appended(), bed.store.statistics().retained), before, "{len} bytes");
                refused += 1;
            }
            Err(error) => unreachable!("{error}"),
        }
    }
    assert!(kept > 50 && refused > 50, "{kept} {refused}");
}

/// Whether a retained message is taken.
fn is_taken(bed: &Bed, topic: &str, payload: &str) -> bool {
    let ends = || bed.store.messages().partitions().map(|partition| partition.appended_end()).sum::<u64>();
    let before = ends();
    match bed.publish_from("c", topic, payload, 1, true) {
        Ok(_) => true,
        Err(PublishError::RetainedFull { .. }) => {
            assert_eq!(ends(), before, "nothing was appended");
            false
        }
        Err(error) => unreachable!("{error}"),
    }
}

#[test]
fn no_more_retained_messages_are_taken_than_may_be() {
    let bed = Bed::with(options().retained_max(2));
    assert!(is_taken(&bed, "a", "1") && is_taken(&bed, "b", "1"));
    assert!(!is_taken(&bed, "c", "1"));
    assert!(is_taken(&bed, "b", "2"), "one for one");
    bed.publish("c", "not retained", 1);
    assert!(is_taken(&bed, "c", ""), "there is nothing to forget, and nothing to keep");
    assert!(is_taken(&bed, "a", "") && is_taken(&bed, "c", "1"));
    let statistics = bed.store.statistics();
    assert_eq!((statistics.retained, statistics.retained_refused), (2, 1));
    // What is there stays when the limit is lowered.
    let bed = Bed { options: bed.options.retained_max(1), ..bed }.reopen();
    assert_eq!(bed.store.statistics().retained, 2);
    assert!(!is_taken(&bed, "a", "1") && is_taken(&bed, "b", "3"));
}

#[test]
fn no_more_memory_is_taken_by_retained_messages_than_may_be() {
    let bed = Bed::with(options().retained_bytes_max(5_000));
    let kilobyte = "x".repeat(1_000);
    let taken = |bed: &Bed| (0..10).filter(|number| is_taken(bed, &format!("t/{number}"), &kilobyte)).count();
    assert_eq!(taken(&bed), 3);
    assert!(is_taken(&bed, "t/0", "small") && is_taken(&bed, "t/0", &kilobyte));
    assert!(!is_taken(&bed, "t/0", &"x".repeat(3_000)));
    for number in 0..3 {
        assert!(is_taken(&bed, &format!("t/{number}"), ""));
    }
    assert_eq!(taken(&bed), 3, "all that was taken came back");
    let bed = bed.reopen();
    assert!(!is_taken(&bed, "new", &kilobyte));
}
