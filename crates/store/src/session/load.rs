//! Sessions in the log: reading all of them back, with the groups that they belong to, and writing one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use headwater_log::{Ack, AppendError, Fold, Partition, Record, RecordView, Topic};

use super::TOPIC;
use super::core::Core;
use super::cut::Ends;
use super::incoming::{self, Checkpoint};
use super::snapshot::Snapshot;
use crate::error::OpenError;
use crate::group::{self, GroupRecord, Groups};
use crate::lane::MessageLane;
use crate::offsets::Offsets;
use crate::placement::Placement;
use crate::store::{Shared, read_back};
use crate::topics::Beginnings;

/// Sessions by client identifier.
pub(crate) type Sessions = HashMap<Box<str>, Arc<Core>>;

/// What the records say, those of sessions and those of groups.
struct Saved<'a> {
    beginnings: &'a Beginnings,
    snapshots: HashMap<Box<str>, Snapshot>,
    groups: HashMap<Box<str>, GroupRecord>,
    checkpoint: Offsets,
}

/// What was read back.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) sessions: Sessions,
    pub(crate) groups: Groups,
    pub(crate) checkpoint: Offsets,
}

impl Saved<'_> {
    /// Gives the positions of a record from before some of the log topics those of their beginnings. A record with a number of
    /// partitions that the store never had is of another log.
    fn complete(&self, offset: u64, positions: &mut Vec<u64>) -> Result<(), OpenError> {
        if self.beginnings.complete(positions) {
            return Ok(());
        }
        let (found, partitions) = (positions.len(), self.beginnings.lanes());
        Err(OpenError::Partitions { offset, found, partitions })
    }
}

impl Fold for Saved<'_> {
    type Error = OpenError;

    fn fold(&mut self, _partition: u32, record: &RecordView<'_>) -> Result<(), OpenError> {
        let Some(key) = record.key else { return Ok(()) };
        let offset = record.offset;
        if let Some(text) = group::text_of(key) {
            let Some(value) = record.value else {
                self.groups.remove(text);
                return Ok(());
            };
            let mut group = GroupRecord::decode(value).map_err(|error| OpenError::Group { offset, error })?;
            self.complete(offset, &mut group.positions)?;
            self.groups.insert(text.into(), group);
        } else if key == incoming::KEY {
            let offsets = record.value.map(Checkpoint::decode).transpose();
            let offsets = offsets.map_err(|error| OpenError::Checkpoint { offset, error })?;
            self.checkpoint = offsets.unwrap_or_default();
        } else if let Ok(client_id) = std::str::from_utf8(key) {
            let Some(value) = record.value else {
                self.snapshots.remove(client_id);
                return Ok(());
            };
            let mut snapshot =
                Snapshot::decode(value).map_err(|error| OpenError::Session { offset, error })?;
            self.complete(offset, &mut snapshot.positions)?;
            self.snapshots.insert(client_id.into(), snapshot);
        }
        Ok(())
    }
}

/// Reads the sessions back: the last record of a client holds. One that was connected when the store was closed or crashed is away since
/// `now_ms`. What a power failure took is taken from them too, durably, before the log grows again.
pub(crate) fn load(
    topic: &Topic,
    log: &Partition,
    lanes: &[MessageLane],
    ends: &Ends<'_>,
    beginnings: &Beginnings,
    now_ms: i64,
) -> Result<Loaded, OpenError> {
    let saved = Saved {
        beginnings,
        snapshots: HashMap::new(),
        groups: HashMap::new(),
        checkpoint: Offsets::default(),
    };
    let Saved { mut snapshots, groups, mut checkpoint, .. } = read_back(topic, TOPIC, saved)?;
    let mut to_write: HashSet<Box<str>> = HashSet::new();
    for snapshot in snapshots.values_mut().filter(|snapshot| snapshot.disconnected_at.is_none()) {
        snapshot.end_by_crash(now_ms);
    }
    for (client_id, snapshot) in &mut snapshots {
        if snapshot.cut(ends) {
            to_write.insert(client_id.clone());
        }
    }
    // One of a log topic that was deleted and begins anew would pass what comes.
    let lowered = checkpoint.cut(ends.messages);
    if lowered {
        log.append(&Record::new(&Checkpoint::encode(&checkpoint)).key(incoming::KEY), Ack::Appended)?;
    }
    // They are written too: the next checkpoint passes what was found.
    to_write.extend(incoming::fold(&mut snapshots, lanes, beginnings, &checkpoint)?);
    snapshots.values_mut().for_each(|snapshot| snapshot.incoming_from = None);
    for client_id in &to_write {
        let Some(snapshot) = snapshots.get(client_id) else { continue };
        log.append(&Record::new(&snapshot.encode()).key(&**client_id), Ack::Appended)?;
    }
    let numbered = snapshots.into_iter().zip(0..);
    let sessions = numbered
        .map(|((client_id, saved), key)| {
            let core = Arc::new(Core::new(key, &client_id, Some(saved)));
            (client_id, core)
        })
        .collect();
    let (groups, groups_changed) = group::load(log, groups, &sessions, ends.messages)?;
    if !to_write.is_empty() || groups_changed || lowered {
        log.sync()?;
    }
    Ok(Loaded { sessions, groups, checkpoint })
}

impl Snapshot {
    /// It was connected until the process ended.
    fn end_by_crash(&mut self, now_ms: i64) {
        self.disconnected_at = Some(now_ms);
        if self.incoming_from.is_none() {
            // Written before version 5, when nothing was saved before an identifier was free again. One that is taken for one that waits for
            // PUBREL swallows the next message under it; a message may come twice instead.
            self.incoming.clear();
        }
        self.may_be_sent();
    }

    /// What was saved before it was sent may have been sent: DUP says so [MQTT-3.3.1-1]. What is shared and was not sent goes to others.
    pub(super) fn may_be_sent(&mut self) {
        for record in self.outgoing.iter_mut().filter(|record| record.share.is_none()) {
            record.sent = true;
        }
    }
}

impl Shared {
    /// Writes a session, unless it is what was saved before. One that does not outlive its connection is forgotten instead.
    pub(super) fn save(
        &self,
        client_id: &str,
        saved: Option<&Snapshot>,
        snapshot: &Snapshot,
    ) -> Result<Placement, AppendError> {
        if snapshot.expiry_secs == 0 {
            return if saved.is_some() { self.forget(client_id) } else { Ok(Placement::default()) };
        }
        if saved == Some(snapshot) {
            return Ok(Placement::default());
        }
        let value = snapshot.encode();
        let offset = self.session_log.append(&Record::new(&value).key(client_id), Ack::Appended)?;
        Ok(Placement { session: Some(offset), ..Placement::default() })
    }

    /// Writes that there is no such session any more.
    pub(super) fn forget(&self, client_id: &str) -> Result<Placement, AppendError> {
        let offset = self.session_log.append(&Record::tombstone(client_id), Ack::Appended)?;
        Ok(Placement { session: Some(offset), ..Placement::default() })
    }
}
