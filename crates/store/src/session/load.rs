//! Sessions in the log: reading all of them back, with the groups that they belong to, and writing one.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_log::{Ack, AppendError, Partition, Record};

use super::TOPIC;
use super::core::Core;
use super::cut::Ends;
use super::snapshot::Snapshot;
use crate::error::OpenError;
use crate::group::{self, GroupRecord, Groups};
use crate::placement::Placement;
use crate::store::Shared;

/// Sessions by client identifier.
pub(crate) type Sessions = HashMap<Box<str>, Arc<Core>>;

/// Reads the sessions back: the last record of a client holds. One that was connected when the store was closed or crashed is away since
/// `now_ms`. What a power failure took is taken from them too, durably, before the log grows again.
pub(crate) fn load(log: &Partition, ends: &Ends<'_>, now_ms: i64) -> Result<(Sessions, Groups), OpenError> {
    let partitions = ends.messages.len();
    let read_error = |error| OpenError::Read { topic: TOPIC, error };
    let mut snapshots: HashMap<Box<str>, Snapshot> = HashMap::new();
    let mut records: HashMap<Box<str>, GroupRecord> = HashMap::new();
    let mut next = log.start_offset();
    while next < log.durable_end() {
        let fetched = log.read(next, 1 << 20).map_err(read_error)?;
        next = fetched.next_offset();
        for record in fetched.views() {
            let record = record.map_err(read_error)?;
            let offset = record.offset;
            let fits = |positions: &[u64]| {
                let found = positions.len();
                let is_right = found == partitions;
                is_right.then_some(()).ok_or(OpenError::Partitions { offset, found, partitions })
            };
            let Some(key) = record.key else { continue };
            if let Some(text) = group::text_of(key) {
                let Some(value) = record.value else {
                    records.remove(text);
                    continue;
                };
                let record =
                    GroupRecord::decode(value).map_err(|error| OpenError::Group { offset, error })?;
                fits(&record.positions)?;
                records.insert(text.into(), record);
                continue;
            }
            let Ok(client_id) = std::str::from_utf8(key) else { continue };
            let Some(value) = record.value else {
                snapshots.remove(client_id);
                continue;
            };
            let mut snapshot =
                Snapshot::decode(value).map_err(|error| OpenError::Session { offset, error })?;
            fits(&snapshot.positions)?;
            if snapshot.disconnected_at.is_none() {
                snapshot.disconnected_at = Some(now_ms);
                // It was connected until a crash, and may have completed these since it was saved. An identifier that is taken for
                // one that waits for PUBREL swallows the next message under it; a message may come twice instead.
                snapshot.incoming.clear();
            }
            snapshots.insert(client_id.into(), snapshot);
        }
    }
    let mut changed = false;
    for (client_id, snapshot) in &mut snapshots {
        if snapshot.cut(ends) {
            changed = true;
            log.append(&Record::new(&snapshot.encode()).key(&**client_id), Ack::Appended)?;
        }
    }
    let numbered = snapshots.into_iter().zip(0..);
    let sessions = numbered
        .map(|((client_id, saved), key)| {
            let core = Arc::new(Core::new(key, &client_id, Some(saved)));
            (client_id, core)
        })
        .collect();
    let (groups, groups_changed) = group::load(log, records, &sessions, ends.messages)?;
    if changed || groups_changed {
        log.sync()?;
    }
    Ok((sessions, groups))
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
