//! What groups have committed: a map in memory, and the topic that it is read from once, when the log is opened.
//!
//! ```text
//!   commit --> key, value --> __headwater_offsets-0 --> fdatasync, one for all who wait
//!          '-> map: group, partition -> offset, and where in the topic it stands
//!   open   --> every record, in order --> map --> offsets that are ahead of their partition fall to its end, durably
//! ```
//!
//! The map and the topic change under one lock, so the last record of a key is what the map has. An offset that is ahead
//! has to be put right before anything is appended: later nobody could tell it from a right one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Root, TopicPartition};
use crate::error::{AppendError, OffsetsError, ReadError, SyncError, TopicError};
use crate::fetched::Fetched;
use crate::format::metadata::TopicId;
use crate::format::offset_commit::{Key, Value};
use crate::options::{Ack, CleanupPolicy, ReadUpTo, TimestampType, TopicOptions};
use crate::partition::Core;
use crate::record::Record;
use crate::report::{AheadOffset, MalformedOffset, OffsetsRecovery};
use crate::sync::Mutex;
use crate::topic::Topic;

/// The topic that has the offsets of groups, in its partition 0.
pub(crate) const TOPIC: &str = "__headwater_offsets";
/// Names of topics that begin so are the log's, and the store's, own: Kafka's `exclude.internal.topics`.
pub(crate) const INTERNAL_PREFIX: &str = "__headwater_";

/// How many bytes are read at once when the log is opened.
const READ_BYTES: usize = 1 << 20;
/// How many records are appended at once where there may be many.
const CHANGES_MAX: usize = 1000;
/// Kafka's `offsets.topic.segment.bytes`: small, so that there is something to compact.
const SEGMENT_BYTES_MAX: u64 = 100 * 1024 * 1024;

/// An offset that a group has committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) value: Value,
    /// The offset of its record.
    at: u64,
    /// What was committed, when that was ahead of the partition.
    pub(crate) was: Option<u64>,
}

impl Committed {
    /// Whether it was committed of this topic, and not of another one that had its name. Where one has no identity, the
    /// name decides.
    pub(crate) fn is_of(&self, topic_id: Option<TopicId>) -> bool {
        self.value.topic_id.is_none() || topic_id.is_none() || self.value.topic_id == topic_id
    }
}

type ByGroup = BTreeMap<Arc<str>, BTreeMap<TopicPartition, Committed>>;

/// The topic read from its start: what stands of each key.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    groups: ByGroup,
    malformed: u64,
    first_malformed: Option<MalformedOffset>,
}

impl Replay {
    /// Takes records, which follow those that were taken before.
    pub(crate) fn take(&mut self, fetched: &Fetched) -> Result<(), ReadError> {
        for record in fetched.views() {
            let record = record?;
            if let Err(field) = self.apply(record.offset, record.key, record.value) {
                self.malformed += 1;
                self.first_malformed.get_or_insert(MalformedOffset { offset: record.offset, field });
            }
        }
        Ok(())
    }

    fn apply(&mut self, at: u64, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), &'static str> {
        let key = Key::decode(key.ok_or("key")?)?;
        let partition = TopicPartition::new(key.topic, key.partition);
        match value.map(Value::decode).transpose()? {
            Some(value) => {
                let committed = Committed { value, at, was: None };
                self.groups.entry(key.group.into()).or_default().insert(partition, committed);
            }
            None => {
                if let Some(offsets) = self.groups.get_mut(key.group) {
                    offsets.remove(&partition);
                    if offsets.is_empty() {
                        self.groups.remove(key.group);
                    }
                }
            }
        }
        Ok(())
    }

    /// What each group has committed.
    pub(crate) fn into_groups(self) -> ByGroup {
        self.groups
    }
}

/// The committed offsets of all groups.
#[derive(Debug)]
pub(crate) struct Offsets {
    /// The options of the topic, when it has to be created.
    options: TopicOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Partition 0 of the topic; `None` while there is no such topic.
    core: Option<Arc<Core>>,
    groups: ByGroup,
    unreadable: Option<ReadError>,
    /// Offsets that were ahead of their partition, and for which no record could be appended yet.
    unwritten: Vec<(Arc<str>, TopicPartition, Value)>,
}

/// The options of the topic, whatever those of others are: nothing in it expires, compaction keeps the last commit of each group
/// and partition, and who commits says what is synced.
pub(crate) fn options(defaults: TopicOptions) -> TopicOptions {
    TopicOptions {
        cleanup_policy: CleanupPolicy::Compact,
        retention_ms: None,
        retention_bytes: None,
        flush_bytes: None,
        timestamp_type: TimestampType::CreateTime,
        segment_bytes: defaults.segment_bytes.min(SEGMENT_BYTES_MAX),
        ..defaults
    }
}

impl Offsets {
    /// Reads what groups have committed, from a log that nobody appends to yet.
    pub(crate) fn load(
        topics: &BTreeMap<String, Topic>,
        defaults: TopicOptions,
        now_ms: i64,
    ) -> (Self, OffsetsRecovery) {
        let options = TopicOptions { partitions: Some(1), ..options(defaults) };
        let mut state = State { core: core(topics.get(TOPIC)), ..State::default() };
        let mut report = OffsetsRecovery::default();
        match state.core.as_deref().map(read) {
            None => {}
            Some(Err(error)) => {
                report.unreadable = true;
                state.unreadable = Some(error);
            }
            Some(Ok(replay)) => {
                report.malformed = replay.malformed;
                report.first_malformed = replay.first_malformed;
                report.groups = replay.groups.len();
                state.groups = replay.into_groups();
                report.ahead = state.fall_back(topics, now_ms);
                // Who needs the offsets tries again, and is told what is wrong.
                let _ = state.write_fallen();
            }
        }
        (Self { options, state: Mutex::new(state) }, report)
    }

    /// Makes the topic if it is not there, and whatever else has to be before a group can use it.
    pub(crate) fn make_ready(&self, root: &Root) -> Result<(), OffsetsError> {
        if self.state.lock().is_ready()? {
            return Ok(());
        }
        let topic = match root.create_topic(TOPIC, self.options) {
            Err(TopicError::Exists { .. }) => root.topic(TOPIC),
            created => Some(created.map_err(|error| OffsetsError::Topic(Arc::new(error)))?),
        };
        let mut state = self.state.lock();
        if state.core.is_none() {
            state.core = core(topic.as_ref());
        }
        state.write_fallen().map_err(OffsetsError::Clamp)
    }

    /// What a group has committed of a partition.
    pub(crate) fn committed(
        &self,
        group: &str,
        partition: &TopicPartition,
        topic_id: Option<TopicId>,
    ) -> Option<Committed> {
        let state = self.state.lock();
        let committed = state.groups.get(group)?.get(partition).copied();
        committed.filter(|committed| committed.is_of(topic_id))
    }

    /// All that a group has committed, also of topics that are gone.
    pub(crate) fn of_group(&self, group: &str) -> BTreeMap<TopicPartition, Committed> {
        self.state.lock().groups.get(group).cloned().unwrap_or_default()
    }

    /// The groups that have committed something.
    pub(crate) fn groups(&self) -> Result<Vec<Arc<str>>, OffsetsError> {
        let state = self.state.lock();
        state.check_readable()?;
        Ok(state.groups.keys().cloned().collect())
    }

    /// Commits, all in one batch; gives where the record is that has to be durable for that.
    pub(crate) fn commit(
        &self,
        group: &Arc<str>,
        values: &[(TopicPartition, Value)],
    ) -> Result<Appended, AppendError> {
        let mut state = self.state.lock();
        let core = state.core()?;
        let known = state.groups.get(group);
        let at_of = |(partition, value): &(TopicPartition, Value)| {
            let known = known.and_then(|known| known.get(partition))?;
            let same = known.value.offset == value.offset && known.value.topic_id == value.topic_id;
            same.then_some(known.at)
        };
        // What is committed already has to be durable all the same.
        let mut last = values.iter().filter_map(at_of).max();
        let new: Vec<_> = values.iter().filter(|value| at_of(value).is_none()).cloned().collect();
        if !new.is_empty() {
            last = Some(state.append(group, &new)?);
        }
        Ok(Appended { core, last })
    }

    /// Forgets what a group has committed of these partitions.
    pub(crate) fn forget(
        &self,
        group: &Arc<str>,
        partitions: impl Fn(&TopicPartition) -> bool,
    ) -> Result<Appended, AppendError> {
        let mut state = self.state.lock();
        let core = state.core()?;
        let known = state.groups.get(group).into_iter().flat_map(BTreeMap::keys);
        let gone: Vec<TopicPartition> = known.filter(|partition| partitions(partition)).cloned().collect();
        let last = state.bury(group, &gone)?;
        Ok(Appended { core, last })
    }

    /// Forgets a topic that was deleted. What cannot be forgotten now is of no topic that is there, as it has another
    /// identity.
    pub(crate) fn forget_topic(&self, topic: &str) {
        let mut state = self.state.lock();
        if topic == TOPIC {
            *state = State::default();
            return;
        }
        for group in state.groups.keys().cloned().collect::<Vec<_>>() {
            let known = state.groups.get(&group).into_iter().flat_map(BTreeMap::keys);
            let gone: Vec<_> = known.filter(|partition| *partition.topic == *topic).cloned().collect();
            let _ = state.bury(&group, &gone);
        }
    }
}

/// Records that were appended to the topic and wait to be durable.
#[derive(Debug)]
pub(crate) struct Appended {
    core: Arc<Core>,
    /// The last of them; `None` where there was nothing to append.
    last: Option<u64>,
}

impl Appended {
    /// Waits, if that is what was asked for.
    pub(crate) fn wait(self, ack: Ack) -> Result<(), SyncError> {
        match (ack, self.last) {
            (Ack::Durable, Some(last)) => self.core.wait_durable(last),
            _ => Ok(()),
        }
    }
}

impl State {
    fn check_readable(&self) -> Result<(), OffsetsError> {
        match &self.unreadable {
            Some(error) => Err(OffsetsError::Unreadable(error.clone())),
            None => Ok(()),
        }
    }

    fn is_ready(&self) -> Result<bool, OffsetsError> {
        self.check_readable()?;
        Ok(self.core.is_some() && self.unwritten.is_empty())
    }

    fn core(&self) -> Result<Arc<Core>, AppendError> {
        self.core.clone().ok_or(AppendError::Refused(SyncError::Closed))
    }

    /// Appends offsets of a group and takes note of them; gives the offset of the last record.
    fn append(&mut self, group: &Arc<str>, values: &[(TopicPartition, Value)]) -> Result<u64, AppendError> {
        let encoded: Vec<_> = values
            .iter()
            .filter_map(|(partition, value)| Some((key(group, partition)?, value.encode()?)))
            .collect();
        // Names were checked when the member joined, and offsets are those of records that are there.
        debug_assert_eq!(encoded.len(), values.len());
        let records: Vec<_> = encoded.iter().map(|(key, value)| Record::new(value).key(key)).collect();
        let first = self.core()?.append(&records, Ack::Appended)?;
        let known = self.groups.entry(Arc::clone(group)).or_default();
        for (at, (partition, value)) in (first..).zip(values) {
            known.insert(partition.clone(), Committed { value: *value, at, was: None });
        }
        Ok(first.saturating_add(values.len().saturating_sub(1) as u64))
    }

    /// Appends that offsets of a group are no more and forgets them; gives the offset of the last record, if there is one.
    fn bury(&mut self, group: &Arc<str>, partitions: &[TopicPartition]) -> Result<Option<u64>, AppendError> {
        let mut last = None;
        for partitions in partitions.chunks(CHANGES_MAX) {
            let keys: Vec<_> = partitions.iter().filter_map(|partition| key(group, partition)).collect();
            let records: Vec<_> = keys.iter().map(Record::tombstone).collect();
            let first = self.core()?.append(&records, Ack::Appended)?;
            last = Some(first.saturating_add(records.len().saturating_sub(1) as u64));
            if let Some(known) = self.groups.get_mut(group) {
                known.retain(|partition, _| !partitions.contains(partition));
                if known.is_empty() {
                    self.groups.remove(group);
                }
            }
        }
        Ok(last)
    }

    /// Lowers offsets that are ahead of their partition to its end.
    fn fall_back(&mut self, topics: &BTreeMap<String, Topic>, now_ms: i64) -> Vec<AheadOffset> {
        let mut ahead = Vec::new();
        for (group, offsets) in &mut self.groups {
            for (partition, committed) in offsets {
                let topic = topics.get(&*partition.topic);
                let Some(core) = topic.and_then(|topic| topic.core(partition.partition)) else { continue };
                let end = core.durable_end();
                if committed.value.offset <= end || !committed.is_of(topic.and_then(identity)) {
                    continue;
                }
                let was = committed.value.offset;
                ahead.push(AheadOffset {
                    group: group.to_string(),
                    partition: partition.clone(),
                    committed: was,
                    end,
                });
                committed.value = Value { offset: end, committed_ms: now_ms, ..committed.value };
                committed.was = Some(was);
                self.unwritten.push((Arc::clone(group), partition.clone(), committed.value));
            }
        }
        ahead
    }

    /// Makes durable what fell back.
    fn write_fallen(&mut self) -> Result<(), AppendError> {
        while let Some((group, partition, value)) = self.unwritten.last().cloned() {
            let was =
                self.groups.get(&group).and_then(|known| known.get(&partition)).and_then(|known| known.was);
            let at = self.append(&group, &[(partition.clone(), value)])?;
            if let Some(known) = self.groups.get_mut(&group).and_then(|known| known.get_mut(&partition)) {
                known.was = was;
            }
            if self.unwritten.len() == 1 {
                // The last one waits for all.
                self.core()?
                    .wait_durable(at)
                    .map_err(|error| AppendError::NotDurable { offset: at, error })?;
            }
            self.unwritten.pop();
        }
        Ok(())
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("groups", &self.groups.len()).finish_non_exhaustive()
    }
}

fn key(group: &str, partition: &TopicPartition) -> Option<Vec<u8>> {
    Key { group, topic: &partition.topic, partition: partition.partition }.encode()
}

fn core(topic: Option<&Topic>) -> Option<Arc<Core>> {
    topic?.core(0)
}

/// The identity of a topic; `None` where it has none, or its file cannot be read now: then the name decides.
pub(crate) fn identity(topic: &Topic) -> Option<TopicId> {
    topic.core(0)?.topic_id().ok()?
}

fn read(core: &Core) -> Result<Replay, ReadError> {
    let mut replay = Replay::default();
    let mut next = core.start_offset();
    while next < core.durable_end() {
        let fetched = core.read(ReadUpTo::Durable, next, READ_BYTES)?;
        replay.take(&fetched)?;
        if fetched.next_offset() <= next {
            break;
        }
        next = fetched.next_offset();
    }
    Ok(replay)
}
