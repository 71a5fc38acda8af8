//! Consumer groups that have committed something, also back, and some of which is gone again.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use headwater_log::{Clock, Consumer, ConsumerOptions, OffsetReset, SystemClock, TopicPartition};

use super::{Outcome, Told, open};

/// Commits offsets of a topic of two partitions, and says what counts in the end.
pub(crate) fn commit(directory: &str, topic: &str) -> Outcome<()> {
    // Now: a broker forgets the offsets of a group that has no members after a week.
    let log = open(directory, Arc::new(Told(AtomicI64::new(SystemClock.now_ms()))))?;
    let [first, second] = [0, 1].map(|number| TopicPartition::new(topic, number));
    let options = ConsumerOptions::default().auto_offset_reset(OffsetReset::Earliest);
    let mut reader = log.consumer_with("readers \u{2603}", [topic], options)?;
    let (mut read, mut before) = (0, 0);
    while let Some(records) = reader.poll(Duration::ZERO)? {
        reader.commit(&records)?;
        if *records.partition() == first {
            (before, read) = (read, records.next_offset());
        }
    }
    // What was committed before is committed once more.
    reader.reset_offset(&first, before)?;
    say_committed(&reader, "readers \u{2603}", &[first.clone(), second.clone()])?;
    if before == 0 || read <= before {
        return Err("too little was read to go back".into());
    }
    let end = reader.committed(&second).ok_or("nothing was committed")?;
    reader.close();
    log.reset_group_offsets("partly", &[(first.clone(), 7), (second.clone(), end)])?;
    log.delete_group_offsets("partly", std::slice::from_ref(&second))?;
    say("partly", &first, 7)?;
    log.reset_group_offsets("gone", &[(first, 3), (second, end)])?;
    log.delete_group("gone")?;
    Ok(log.close()?)
}

fn say_committed(reader: &Consumer, group: &str, partitions: &[TopicPartition]) -> Outcome<()> {
    for partition in partitions {
        say(group, partition, reader.committed(partition).ok_or("nothing was committed")?)?;
    }
    Ok(())
}

fn say(group: &str, partition: &TopicPartition, offset: u64) -> io::Result<()> {
    let TopicPartition { topic, partition: number, .. } = partition;
    writeln!(
        io::stdout(),
        r#"{{"group":"{group}","topic":"{topic}","partition":{number},"offset":{offset}}}"#
    )
}
