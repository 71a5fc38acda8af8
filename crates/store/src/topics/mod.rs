//! The log topics that messages are in, and the numbers of their partitions.
//!
//! ```text
//!   lane     0    1    2    3   |  4    5   |  6    7
//!            mqtt-0  ..  mqtt-3 | telemetry | events      in the order in which a rule first named them
//! ```
//!
//! Sessions and groups have a position for each lane, so the numbers must not change. They are kept in `__headwater_topics`, durably before
//! the first message goes to a topic; one that is there stays, and is dispatched, whether or not a rule still names it. A session that was
//! saved before a topic was there begins where the store began to use that.

mod registered;

use std::collections::BTreeMap;

use headwater_log::{Ack, CleanupPolicy, Fold, Log, Partition, Record, RecordView, Topic, TopicError};
use headwater_topic::TopicName;

pub(crate) use self::registered::Registered;
use crate::error::OpenError;
use crate::options::StoreOptions;
use crate::route::{Routed, Rules};
use crate::store::{MESSAGES_TOPIC, only_partition, read_back, single};

/// The log topic of the numbers.
pub(crate) const TOPIC: &str = "__headwater_topics";

/// One log topic that messages are in.
#[derive(Debug)]
struct Home {
    topic: Topic,
    /// The lane of its first partition; the others follow.
    first_lane: u32,
    /// How many there were when the store was opened.
    partitions: u32,
}

/// The log topics that messages are in: `mqtt` first, then in the order of their lanes.
#[derive(Debug)]
pub(crate) struct Topics {
    homes: Box<[Home]>,
    rules: Rules,
}

/// Where the store began to use each lane, and how many lanes there have been.
#[derive(Debug)]
pub(crate) struct Beginnings {
    starts: Vec<u64>,
    counts: Vec<usize>,
}

impl Beginnings {
    /// Gives positions from before a topic was there one for each lane; `false` if there never were so many lanes.
    pub(crate) fn complete(&self, positions: &mut Vec<u64>) -> bool {
        let are_known = self.counts.contains(&positions.len());
        if are_known {
            positions.extend(self.starts.iter().skip(positions.len()));
        }
        are_known
    }

    /// Where the store began to use a lane.
    pub(crate) fn of(&self, lane: u32) -> u64 {
        usize::try_from(lane).ok().and_then(|index| self.starts.get(index)).copied().unwrap_or(0)
    }

    /// How many lanes there are.
    pub(crate) fn lanes(&self) -> usize {
        self.starts.len()
    }
}

impl Topics {
    /// Opens or creates what the rules name and what they named before.
    pub(crate) fn open(log: &Log, options: &StoreOptions) -> Result<(Self, Beginnings), OpenError> {
        let named = options.routes.iter().map(|route| route.topic_name());
        let mut new: Vec<&str> = named.filter(|name| *name != MESSAGES_TOPIC).collect();
        let registry = if new.is_empty() && log.topic(TOPIC).is_none() {
            None
        } else {
            Some(single(log, TOPIC, options.state)?)
        };
        let known = registry.as_ref().map(|topic| read_back(topic, TOPIC, Known::default()));
        let known = known.transpose()?.unwrap_or_default().in_order()?;
        new.retain(|name| !known.iter().any(|(known, _)| **known == **name));

        let messages = open_messages(log, options, known.first().map(|(_, first)| first.first_lane))?;
        let mut opening = Opening::default();
        let mut to_write: Vec<(&str, Registered)> = Vec::new();
        opening.add(messages, None)?;
        for (name, registered) in known {
            let partitions = registered.partitions();
            let topic = open_as_messages(log, options, &name, Some(partitions))?;
            // If it was deleted, its starts are behind its end: sessions that get them are cut, as after a loss of power.
            opening.add(topic, Some(&registered))?;
        }
        for name in new {
            if opening.homes.iter().any(|home| home.topic.name() == name) {
                continue;
            }
            let is_there = log.topic(name).is_some();
            let partitions = opening.homes.first().map(|messages| messages.partitions);
            let topic = open_as_messages(log, options, name, partitions.filter(|_| !is_there))?;
            // What is there is somebody else's: were it to become durable later, it would be dispatched.
            topic.partitions().try_for_each(|one| one.sync().map(|_| ()))?;
            let starts = topic.partitions().map(|one| one.appended_end()).collect();
            let registered = Registered { first_lane: opening.next_lane()?, starts };
            opening.add(topic, Some(&registered))?;
            to_write.push((name, registered));
        }
        if let Some(registry) = registry.filter(|_| !to_write.is_empty()) {
            let partition = only_partition(&registry)?;
            for (name, registered) in &to_write {
                partition.append(&Record::new(&registered.encode()).key(*name), Ack::Appended)?;
            }
            partition.sync()?;
        }
        let Opening { homes, starts, counts, .. } = opening;
        let index = |name: &str| homes.iter().position(|home| home.topic.name() == name);
        let rules = Rules::new(&options.routes, index);
        Ok((Self { homes: homes.into(), rules }, Beginnings { starts, counts }))
    }

    /// The log topic `mqtt`.
    pub(crate) fn messages(&self) -> Option<&Topic> {
        self.homes.first().map(|home| &home.topic)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Topic> {
        self.homes.iter().map(|home| &home.topic)
    }

    /// All partitions, in the order of their lanes.
    pub(crate) fn partitions(&self) -> Vec<Partition> {
        let partitions = |home: &Home| {
            let count = usize::try_from(home.partitions).unwrap_or(usize::MAX);
            home.topic.partitions().take(count).collect::<Vec<_>>()
        };
        self.homes.iter().flat_map(partitions).collect()
    }

    /// Where a message goes, by the first rule that matches its topic; `None`: to `mqtt`, under its topic. O(rules); without rules no
    /// allocation.
    #[inline]
    pub(crate) fn route<'a>(&'a self, topic: TopicName<'a>, client_id: &'a str) -> Option<Routed<'a>> {
        self.rules.route(topic, client_id)
    }

    /// The lane of a key in a log topic, of which `mqtt` is the first; `None` if partitions were added to it since the store was opened, and the key belongs there.
    pub(crate) fn lane(&self, home: usize, key: &[u8]) -> Option<u32> {
        let home = self.homes.get(home)?;
        let number = home.topic.partition_for_key(key);
        (number < home.partitions).then(|| home.first_lane.saturating_add(number))
    }

    /// How a place is written for those who read the log: without a topic in `mqtt`, `topic-partition:offset` elsewhere.
    pub(crate) fn write_place(&self, (lane, offset): (u32, u64)) -> String {
        let after = self.homes.iter().skip(1);
        match after.rev().find(|home| home.first_lane <= lane) {
            Some(home) => format!("{}-{}:{offset}", home.topic.name(), lane - home.first_lane),
            None => format!("{lane}:{offset}"),
        }
    }

    /// And back.
    pub(crate) fn read_place(&self, text: &[u8]) -> Option<(u32, u64)> {
        let (partition, offset) = std::str::from_utf8(text).ok()?.split_once(':')?;
        let (home, number) = match partition.rsplit_once('-') {
            Some((name, number)) => (self.homes.iter().find(|home| home.topic.name() == name)?, number),
            None => (self.homes.first()?, partition),
        };
        let number = number.parse().ok().filter(|number| *number < home.partitions)?;
        Some((home.first_lane.checked_add(number)?, offset.parse().ok()?))
    }
}

/// The topics that are open already.
#[derive(Debug, Default)]
struct Opening {
    homes: Vec<Home>,
    starts: Vec<u64>,
    counts: Vec<usize>,
}

impl Opening {
    fn next_lane(&self) -> Result<u32, OpenError> {
        let next = self.homes.last().map_or(Some(0), |last| last.first_lane.checked_add(last.partitions));
        next.ok_or(OpenError::TooManyPartitions)
    }

    fn add(&mut self, topic: Topic, registered: Option<&Registered>) -> Result<(), OpenError> {
        let first_lane = self.next_lane()?;
        let partitions = topic.partition_count();
        first_lane.checked_add(partitions).ok_or(OpenError::TooManyPartitions)?;
        match registered {
            Some(registered) => self.starts.extend(&registered.starts),
            None => self.starts.extend((0..partitions).map(|_| 0)),
        }
        self.counts.push(self.starts.len());
        self.homes.push(Home { topic, first_lane, partitions });
        Ok(())
    }
}

/// Opens `mqtt`, which has `registered` partitions if others come behind it.
fn open_messages(log: &Log, options: &StoreOptions, registered: Option<u32>) -> Result<Topic, OpenError> {
    if let (Some(found), Some(wanted)) = (registered, options.messages.partitions)
        && found != wanted
    {
        let topic = MESSAGES_TOPIC.to_owned();
        return Err(TopicError::PartitionCount { topic, found, wanted }.into());
    }
    open_as_messages(log, options, MESSAGES_TOPIC, registered.or(options.messages.partitions))
}

/// Opens a topic with the options of `mqtt`, but for the number of partitions.
fn open_as_messages(
    log: &Log,
    options: &StoreOptions,
    name: &str,
    partitions: Option<u32>,
) -> Result<Topic, OpenError> {
    // Never compacted: what has one key is one message after the other, and each counts.
    let mut messages = options.messages.cleanup_policy(CleanupPolicy::Delete);
    messages.partitions = partitions;
    Ok(log.open_or_create_topic(name, messages)?)
}

/// The topics that the log knows.
#[derive(Debug, Default)]
struct Known {
    by_name: BTreeMap<Box<str>, (u64, Registered)>,
}

impl Known {
    /// In the order of their lanes, which follow each other.
    fn in_order(self) -> Result<Vec<(Box<str>, Registered)>, OpenError> {
        let mut all: Vec<_> = self.by_name.into_iter().collect();
        all.sort_by_key(|(_, (_, registered))| registered.first_lane);
        let mut next = None;
        for (_, (offset, registered)) in &all {
            if next.is_some_and(|next| next != registered.first_lane) {
                return Err(OpenError::Registered { offset: *offset, error: Registered::NOT_NEXT });
            }
            next = registered.first_lane.checked_add(registered.partitions());
        }
        Ok(all.into_iter().map(|(name, (_, registered))| (name, registered)).collect())
    }
}

impl Fold for Known {
    type Error = OpenError;

    fn fold(&mut self, _partition: u32, record: &RecordView<'_>) -> Result<(), OpenError> {
        let name = record.key.and_then(|key| std::str::from_utf8(key).ok());
        let (Some(name), Some(value)) = (name, record.value) else { return Ok(()) };
        let offset = record.offset;
        let registered =
            Registered::decode(value).map_err(|error| OpenError::Registered { offset, error })?;
        self.by_name.insert(name.into(), (offset, registered));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use headwater_log::{LogOptions, TopicOptions};

    use super::*;
    use crate::route::Route;

    #[test]
    fn a_place_is_read_as_it_was_written_whatever_the_topics_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), LogOptions::default()).unwrap();
        let messages = TopicOptions::default().partitions(2).segment_bytes(1 << 16);
        let names = ["3", "a-1", "a", "a-1-1"];
        let route = |name: &&str| Route::new("x").unwrap().topic(name).unwrap();
        let options =
            names.iter().map(route).fold(StoreOptions::default().messages(messages), StoreOptions::route);
        let (topics, beginnings) = Topics::open(&log, &options).unwrap();
        assert_eq!((topics.partitions().len(), beginnings.lanes()), (10, 10));
        let written: Vec<String> = (0..10).map(|lane| topics.write_place((lane, 7))).collect();
        assert_eq!(written[..6], ["0:7", "1:7", "3-0:7", "3-1:7", "a-1-0:7", "a-1-1:7"]);
        assert_eq!(written[6..], ["a-0:7", "a-1:7", "a-1-1-0:7", "a-1-1-1:7"]);
        for (lane, text) in (0..10).zip(&written) {
            assert_eq!(topics.read_place(text.as_bytes()), Some((lane, 7)), "{text}");
        }
        for text in ["2:7", "3-2:7", "b-0:7", "a-:7", "-1:7", "1", "1:", ":7", "1:x", "\u{ff}"] {
            assert_eq!(topics.read_place(text.as_bytes()), None, "{text}");
        }
    }
}
