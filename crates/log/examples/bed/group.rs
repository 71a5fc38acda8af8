//! Members of consumer groups and a producer beside the appenders, and what has to hold of them after a kill.
//!
//! ```text
//!   producer   0 1 2 3 .. of this run, to each partition     a line behind each receipt:  produced PARTITION OFFSET ID
//!   members    poll -> commit durably                        a line behind each commit:   committed GROUP PARTITION OFFSET
//!
//!   check      start ........ committed .......... durable end
//!              |  every id once, none left out  |
//!                            |  what a member that comes now is given, offset by offset
//! ```
//!
//! What was checked, and all groups are done with, is deleted; `seen PARTITION OFFSET ID` keeps the last record of that.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use headwater_log::producer::{ProducerOptions, Receipt};
use headwater_log::{Consumer, ConsumerOptions, Log, OffsetReset, Record, Topic, TopicPartition};

use crate::{Outcome, say, topic_options, value};

const TOPIC: &str = "g";
const PARTITIONS: u32 = 3;
/// One commits what it was given last, the other everything at once.
const GROUPS: [&str; 2] = ["one", "all"];
const MEMBERS: u64 = 2;
/// The producer has at most so many receipts open.
const RECEIPTS_MAX: usize = 60;
/// A member gets at most so many bytes, so that there are many commits.
const POLL_BYTES: usize = 2048;
const POLL: Duration = Duration::from_millis(5);
/// A member that is given nothing for so long before the end is stuck.
const STUCK: Duration = Duration::from_secs(10);

/// What runs beside the appenders.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Producer,
    Member(&'static str),
}

pub(crate) fn parts() -> impl Iterator<Item = Part> {
    let members = GROUPS.into_iter().flat_map(|group| (0..MEMBERS).map(move |_| Part::Member(group)));
    std::iter::once(Part::Producer).chain(members)
}

fn topic(log: &Log) -> Outcome<Topic> {
    Ok(log.open_or_create_topic(TOPIC, topic_options().partitions(PARTITIONS))?)
}

/// Works as long as `more` says so.
pub(crate) fn work(log: &Log, part: Part, run: u64, more: impl Fn() -> bool) -> Outcome<()> {
    let topic = topic(log)?;
    match part {
        Part::Producer => produce(log, &topic, run, more),
        Part::Member(group) => consume(log, group, more),
    }
}

fn produce(log: &Log, topic: &Topic, run: u64, more: impl Fn() -> bool) -> Outcome<()> {
    let producer = log.producer(ProducerOptions::default().linger_ms(1).batch_bytes(1024))?;
    let sender = producer.sender(topic);
    let mut open: VecDeque<(u64, Receipt)> = VecDeque::new();
    let first = |open: &mut VecDeque<(u64, Receipt)>| -> Outcome<()> {
        let Some((id, receipt)) = open.pop_front() else { return Ok(()) };
        let position = receipt.wait()?.position;
        say(&format!("produced {} {} {id}", position.partition, position.offset));
        Ok(())
    };
    for id in run << 32.. {
        if !more() {
            break;
        }
        let value = value(id);
        for partition in 0..PARTITIONS {
            open.push_back((id, sender.send_to(partition, &Record::new(&value))?));
        }
        while open.len() > RECEIPTS_MAX {
            first(&mut open)?;
        }
    }
    while !open.is_empty() {
        first(&mut open)?;
    }
    Ok(producer.close()?)
}

fn member(log: &Log, group: &str) -> Outcome<Consumer> {
    let options = ConsumerOptions::default()
        .auto_offset_reset(OffsetReset::Earliest)
        .max_partition_fetch_bytes(POLL_BYTES);
    Ok(log.consumer_with(group, [TOPIC], options)?)
}

fn consume(log: &Log, group: &str, more: impl Fn() -> bool) -> Outcome<()> {
    let mut member = member(log, group)?;
    while more() {
        let Some(records) = member.poll(POLL)? else { continue };
        let committed = if group == "one" {
            member.commit(&records)?;
            vec![(records.partition().partition, Some(records.next_offset()))]
        } else {
            member.commit_all()?;
            let of = |at: &TopicPartition| Ok((at.partition, member.position(at)?));
            member.assignment().map(of).collect::<Outcome<Vec<_>>>()?
        };
        for (partition, offset) in committed {
            if let Some(offset) = offset {
                say(&format!("committed {group} {partition} {offset}"));
            }
        }
    }
    Ok(())
}

/// What was acknowledged of the group's topic.
#[derive(Default)]
pub(crate) struct Acknowledged {
    /// By partition and offset.
    produced: BTreeMap<(u32, u64), u64>,
    /// By group and partition.
    committed: BTreeMap<(String, u32), u64>,
    /// The record before the start of each partition, if it was ever checked.
    seen: BTreeMap<u32, (u64, u64)>,
}

impl Acknowledged {
    /// Takes up a line; tells whether it is one of these.
    pub(crate) fn take(&mut self, words: &[&str]) -> Outcome<bool> {
        match words {
            ["produced", partition, offset, id] => {
                let (at, id) = ((partition.parse()?, offset.parse()?), id.parse()?);
                if let Some(other) = self.produced.insert(at, id).filter(|other| *other != id) {
                    return Err(format!("{TOPIC}: offset {at:?} was given to {other} and to {id}").into());
                }
            }
            ["committed", group, partition, offset] => {
                let offset: u64 = offset.parse()?;
                let last = self.committed.entry(((*group).to_owned(), partition.parse()?)).or_default();
                *last = offset.max(*last);
            }
            ["seen", partition, offset, id] => {
                self.seen.insert(partition.parse()?, (offset.parse()?, id.parse()?));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Compares the log with it, and says what still counts.
    pub(crate) fn check(mut self, log: &Log) -> Outcome<String> {
        let Some(topic) = log.topic(TOPIC) else {
            let is_empty = self.produced.is_empty() && self.committed.is_empty() && self.seen.is_empty();
            return if is_empty {
                Ok("no groups".to_owned())
            } else {
                Err("the topic of the groups is gone".into())
            };
        };
        let mut found = BTreeMap::new();
        for partition in 0..PARTITIONS {
            self.check_partition(&topic, partition, &mut found)?;
        }
        let (produced, commits) = (self.produced.len(), self.committed.len());
        let mut done: BTreeMap<u32, u64> = BTreeMap::new();
        let mut given = 0;
        for group in GROUPS {
            let from = self.committed_of(log, &topic, group)?;
            given += check_polls(log, &topic, group, &from, &found)?;
            for (partition, offset) in from {
                let least = done.entry(partition).or_insert(offset);
                *least = offset.min(*least);
            }
        }
        for (number, before) in done {
            let partition = topic.partition(number).ok_or("a partition is gone")?;
            let start = partition.delete_records_before(before)?;
            self.produced.retain(|(of, offset), _| *of != number || *offset >= start);
            if let Some((offset, id)) =
                start.checked_sub(1).and_then(|last| Some((last, found.get(&(number, last))?)))
            {
                self.seen.insert(number, (offset, *id));
            }
        }
        self.produced.iter().for_each(|((of, offset), id)| say(&format!("produced {of} {offset} {id}")));
        self.committed
            .iter()
            .for_each(|((group, of), offset)| say(&format!("committed {group} {of} {offset}")));
        self.seen.iter().for_each(|(of, (offset, id))| say(&format!("seen {of} {offset} {id}")));
        Ok(format!(
            "{produced} produced records all there once, {commits} offsets committed, {given} records given on from them"
        ))
    }

    /// Every record follows the one before it, so that none is there twice or left out, and what was acknowledged is there.
    fn check_partition(
        &self,
        topic: &Topic,
        number: u32,
        found: &mut BTreeMap<(u32, u64), u64>,
    ) -> Outcome<()> {
        let partition = topic.partition(number).ok_or("a partition is gone")?;
        let (start, end) = (partition.start_offset(), partition.durable_end());
        let mut last = self.seen.get(&number).copied();
        if start != last.map_or(0, |(offset, _)| offset + 1) {
            return Err(format!("{TOPIC}-{number} starts at {start}, behind {last:?}").into());
        }
        let mut next = start;
        while next < end {
            for record in &partition.read(next, 1 << 20)? {
                let record = record?;
                let content = record.value.as_deref().unwrap_or_default();
                let id = content.first_chunk().map(|id| u64::from_be_bytes(*id)).unwrap_or_default();
                let is_next = match last {
                    Some((_, before)) if id >> 32 == before >> 32 => id == before + 1,
                    // A run begins with 0.
                    _ => id > last.map_or(0, |(_, before)| before) && id & 0xffff_ffff == 0,
                };
                if record.offset != next || content != value(id) || !is_next {
                    return Err(
                        format!("{TOPIC}-{number}: record {id:#x} at {next}, behind {last:x?}").into()
                    );
                }
                found.insert((number, next), id);
                last = Some((next, id));
                next += 1;
            }
        }
        let of_it = self.produced.range((number, start)..=(number, u64::MAX));
        match of_it.into_iter().find(|(at, id)| found.get(at) != Some(id)) {
            Some((at, id)) => {
                Err(format!("record {id:#x} was acknowledged at {at:?}; there is {:x?}", found.get(at))
                    .into())
            }
            None => Ok(()),
        }
    }

    /// Where the group goes on in each partition: at least where it was told to have committed, at most at the durable end.
    fn committed_of(&self, log: &Log, topic: &Topic, group: &str) -> Outcome<BTreeMap<u32, u64>> {
        let described = if log.groups()?.iter().any(|name| name == group) {
            log.describe_group(group)?.partitions
        } else {
            Vec::new()
        };
        let mut from = BTreeMap::new();
        for number in 0..PARTITIONS {
            let partition = topic.partition(number).ok_or("a partition is gone")?;
            let (start, end) = (partition.start_offset(), partition.durable_end());
            let of = described
                .iter()
                .find(|one| &*one.partition.topic == TOPIC && one.partition.partition == number);
            let committed = of.and_then(|one| one.committed);
            let least = self.committed.get(&(group.to_owned(), number)).copied();
            if committed < least || committed.is_some_and(|committed| committed > end) {
                return Err(format!(
                    "group {group} has committed {committed:?} of {TOPIC}-{number}, which ends at {end}; it was told {least:?}"
                )
                .into());
            }
            from.insert(number, committed.unwrap_or(start));
        }
        Ok(from)
    }
}

/// A member that comes now is given every record from where its group is, to the end; counts them.
fn check_polls(
    log: &Log,
    topic: &Topic,
    group: &str,
    from: &BTreeMap<u32, u64>,
    found: &BTreeMap<(u32, u64), u64>,
) -> Outcome<u64> {
    let mut member = member(log, group)?;
    let mut next = from.clone();
    let is_short =
        |(number, next): (&u32, &u64)| topic.partition(*number).is_some_and(|one| *next < one.durable_end());
    let mut given = 0;
    let mut since = Instant::now();
    while next.iter().any(is_short) {
        let Some(records) = member.poll(POLL)? else {
            if since.elapsed() > STUCK {
                return Err(format!("group {group} is given nothing behind {next:?}").into());
            }
            continue;
        };
        since = Instant::now();
        let number = records.partition().partition;
        let next = next.get_mut(&number).ok_or("a partition that was not there")?;
        for record in &records {
            let record = record?;
            let id = record
                .value
                .as_deref()
                .and_then(|value| value.first_chunk())
                .map(|id| u64::from_be_bytes(*id));
            if record.offset != *next || id.as_ref() != found.get(&(number, *next)) {
                return Err(format!(
                    "group {group} is given {id:x?} at {} of {TOPIC}-{number} instead of {next}",
                    record.offset
                )
                .into());
            }
            *next += 1;
            given += 1;
        }
    }
    Ok(given)
}
