//! Retained messages at the edge of what fits.

use headwater_log::AppendError;
use headwater_store::PublishError;

use crate::bed::Bed;

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
