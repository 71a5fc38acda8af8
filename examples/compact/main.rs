//! What survives a compaction, and why: a topic of state is filled, printed, compacted, printed again, until a tombstone has had its time.

use headwater::log::{Ack, CleanupPolicy, Log, LogOptions, Partition, Record, TopicOptions};

/// So long tombstones stay.
const DELETE_RETENTION_MS: u64 = 60_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("headwater-compact-{}", std::process::id()));
    let log = Log::open(&folder, LogOptions::default())?;
    let state = TopicOptions::default()
        .cleanup_policy(CleanupPolicy::Compact)
        .delete_retention_ms(DELETE_RETENTION_MS)
        .segment_bytes(4096);
    let doors = log.create_topic("doors", state)?.partition(0).ok_or("no partition")?;

    for (door, is) in
        [("front", "open"), ("back", "open"), ("front", "shut"), ("back", "shut"), ("front", "open")]
    {
        doors.append(&Record::new(is).key(door), Ack::Appended)?;
    }
    doors.append(&Record::tombstone("back"), Ack::Appended)?; // it was bricked up
    doors.append(&Record::new("shut").key("side"), Ack::Appended)?;
    // The segment that takes appends is never compacted; a large record begins another one.
    doors.append(&Record::new(vec![b'.'; 4000].as_slice()).key("the rest"), Ack::Durable)?;
    show("appended", &doors)?;

    let now_ms = 0;
    let report = doors.compact(now_ms, &mut |_| {})?;
    show("compacted: the last record of each key, and a tombstone for those who began before", &doors)?;
    println!("{} went, {} stayed, one of them a tombstone\n", report.records_superseded, report.records_kept);
    assert_eq!((report.records_superseded, report.tombstones_kept), (4, 1));

    let later_ms = now_ms + i64::try_from(DELETE_RETENTION_MS)?;
    let report = doors.compact(later_ms, &mut |_| {})?;
    show("compacted a minute later: the tombstone has had its time", &doors)?;
    assert_eq!(report.tombstones_removed, 1);

    log.close()?;
    Ok(std::fs::remove_dir_all(folder)?)
}

fn show(what: &str, partition: &Partition) -> Result<(), Box<dyn std::error::Error>> {
    println!("{what}");
    let mut next = partition.start_offset();
    while next < partition.durable_end() {
        let fetched = partition.read(next, 64 * 1024)?;
        for record in fetched.views() {
            let record = record?;
            let key = String::from_utf8_lossy(record.key.unwrap_or_default());
            match record.value.map(String::from_utf8_lossy) {
                None => println!("  offset {}  {key}: gone", record.offset),
                Some(value) if value.len() > 10 => println!("  offset {}  {key}: ..", record.offset),
                Some(value) => println!("  offset {}  {key}: {value}", record.offset),
            }
        }
        next = fetched.next_offset();
    }
    println!();
    Ok(())
}
