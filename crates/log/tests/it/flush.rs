//! When what was only appended becomes durable.

use headwater_log::{Ack, AppendError, Clock, Log, Partition, TopicOptions};
use headwater_testkit::sim_disk::{Fault, Op};

use crate::bed::{Bed, append, check_all, small};

fn begun(options: TopicOptions) -> (Bed, Log, Partition) {
    let bed = Bed::new(0);
    let log = bed.open();
    let partition = log.create_topic("t", options).unwrap().partition(0).unwrap();
    append(&partition, Ack::Durable);
    (bed, log, partition)
}

fn maintain_after(bed: &Bed, log: &Log, after_ms: i64) {
    bed.clock.advance_ms(after_ms);
    log.maintain(bed.clock.now_ms()).unwrap();
}

#[test]
fn upkeep_syncs_everything_by_default() {
    let (bed, log, partition) = begun(small());
    append(&partition, Ack::Appended);
    assert_eq!(partition.durable_end(), 1);
    maintain_after(&bed, &log, 0);
    assert_eq!(partition.durable_end(), 2);
}

#[test]
fn upkeep_syncs_what_it_has_seen_for_flush_ms() {
    let (bed, log, partition) = begun(small().flush_ms(Some(5000)));
    append(&partition, Ack::Appended);
    maintain_after(&bed, &log, 1000);
    append(&partition, Ack::Appended);
    maintain_after(&bed, &log, 4999);
    assert_eq!(partition.durable_end(), 1, "the first was seen 4999 ms ago");
    maintain_after(&bed, &log, 1);
    assert_eq!(partition.durable_end(), 3);
    // What somebody else made durable does not count, and what came after it has its own time.
    append(&partition, Ack::Appended);
    maintain_after(&bed, &log, 0);
    append(&partition, Ack::Durable);
    append(&partition, Ack::Appended);
    maintain_after(&bed, &log, 6000);
    assert_eq!((partition.durable_end(), partition.appended_end()), (5, 6));
    // A clock that is set back delays by no more than flush_ms.
    maintain_after(&bed, &log, -1_000_000);
    maintain_after(&bed, &log, 5000);
    assert_eq!(partition.durable_end(), 6);
}

#[test]
fn without_flush_options_only_the_program_syncs() {
    let (bed, log, partition) = begun(small().flush_ms(None).segment_age_ms(1 << 40));
    append(&partition, Ack::Appended);
    let before = bed.disk.count(Op::SyncData);
    for _ in 0..5 {
        maintain_after(&bed, &log, 10_000);
    }
    assert_eq!((partition.durable_end(), bed.disk.count(Op::SyncData)), (1, before));
    // What is lost with the power is what nobody asked to keep.
    let after = bed.on(bed.disk.crash(1));
    let (_log, kept) = after.open_partition();
    assert!((1..=2).contains(&check_all(&kept)));
    partition.sync().unwrap();
    append(&partition, Ack::Appended);
    // A roll for the age makes durable what it rolls.
    log.alter_topic("t", small().flush_ms(None).segment_age_ms(1)).unwrap();
    maintain_after(&bed, &log, 10);
    assert_eq!(partition.durable_end(), 3);
    append(&partition, Ack::Appended);
    log.close().unwrap();
    assert_eq!(bed.open_partition().1.durable_end(), 4);
}

#[test]
fn an_append_syncs_after_flush_bytes() {
    let (bed, log, partition) = begun(small().flush_ms(None).flush_bytes(Some(2000)));
    let (mut at_risk, mut synced) = (0, 0);
    for _ in 0..200 {
        let before = partition.size_bytes();
        append(&partition, Ack::Appended);
        at_risk += partition.size_bytes() - before;
        if partition.durable_end() == partition.appended_end() {
            assert!(at_risk >= 2000, "{at_risk}");
            (at_risk, synced) = (0, synced + 1);
        }
        assert!(at_risk < 2000, "{at_risk}");
    }
    assert!(synced >= 10, "{synced}");
    for seed in 0..10 {
        let after = bed.on(bed.disk.crash(seed));
        let (_log, kept) = after.open_partition();
        assert!(check_all(&kept) >= partition.durable_end());
    }
    drop(log);
}

/// The append asked for less, and has that; the next one is told.
#[test]
fn a_sync_for_flush_bytes_that_fails_poisons_and_the_next_append_is_told() {
    let (bed, _log, partition) = begun(small().flush_ms(None).flush_bytes(Some(1)));
    bed.disk.inject(Fault::on(Op::SyncData));
    assert_eq!(append(&partition, Ack::Appended), 1);
    assert_eq!((partition.appended_end(), partition.durable_end()), (2, 1));
    let error = partition.append(&headwater_log::Record::new("x"), Ack::Appended).unwrap_err();
    assert!(matches!(error, AppendError::Refused(_)), "{error}");
}

/// A recovery point speaks only of segments that are sealed, also where upkeep syncs nothing.
#[test]
fn upkeep_that_does_not_sync_says_nothing_of_what_is_not_durable() {
    let (bed, log, partition) = begun(small().flush_ms(None));
    while partition.segments().len() < 3 {
        append(&partition, Ack::Appended);
    }
    maintain_after(&bed, &log, 1);
    assert!(partition.durable_end() < partition.segments()[2].base_offset);
    for seed in 0..20 {
        let after = bed.on(bed.disk.crash(seed));
        let (_log, kept) = after.open_partition();
        assert!(check_all(&kept) >= 1);
    }
}
