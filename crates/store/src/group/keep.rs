//! A group in the log.
//!
//! It is written before a session that has become a member, and its end is written after the session that was the last one: both lie in
//! one partition, of which a crash leaves a prefix, so that a member is never without its group.

use headwater_log::{Ack, AppendError, Record};

use super::{Group, GroupRecord, State};
use crate::lock::lock;
use crate::store::Shared;

/// Before every filter in the keys of groups: no text, and so no client identifier, has this byte.
const KEY_PREFIX: u8 = 0xff;

/// After so many messages a group is saved, if no member was saved before.
const CHANGES_MAX: usize = 1_024;

/// What was saved.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// The positions of the record in the log; `None` if there is none.
    positions: Option<Vec<u64>>,
}

impl Saving {
    pub(super) fn kept(positions: Vec<u64>) -> Self {
        Self { positions: Some(positions) }
    }
}

/// Why a group is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A member whose session outlives its connection is saved.
    Member,
    /// A member has gone, or a session has ended.
    Change,
    /// A message was finished.
    Message,
}

impl State {
    fn record(&self, dispatched: &[u64]) -> GroupRecord {
        let cursors = self.cursors.iter().zip(dispatched);
        let positions: Vec<u64> = cursors.map(|(cursor, end)| cursor.position(*end)).collect();
        let held = self.held.iter().map(|(_, partition, offset)| (*partition, *offset));
        let returned = (0..)
            .zip(&self.cursors)
            .flat_map(|(partition, cursor)| cursor.returned().map(move |offset| (partition, offset)));
        let mut unfinished: Vec<(u32, u64)> = held.chain(returned).collect();
        // The members of a session that was saved later than the group hold what the group has not examined.
        unfinished.retain(|(partition, offset)| {
            let position = usize::try_from(*partition).ok().and_then(|index| positions.get(index));
            position.is_some_and(|position| offset < position)
        });
        unfinished.sort_unstable();
        unfinished.dedup();
        GroupRecord { positions, unfinished }
    }

    /// Whether it is worth it: what is written is not more than what happened.
    fn is_due(&self, occasion: Occasion) -> bool {
        match occasion {
            Occasion::Change => self.here.is_empty() || self.changes >= self.unfinished(),
            Occasion::Member => self.changes > 0 && self.changes >= self.unfinished(),
            Occasion::Message => self.changes >= CHANGES_MAX && self.changes >= self.unfinished(),
        }
    }
}

impl Shared {
    /// Saves a group if there is reason to. One that no lasting session belongs to is not kept: a crash ends all its members.
    pub(crate) fn save_group(&self, group: &Group, occasion: Occasion) -> Result<(), AppendError> {
        let mut saving = lock(&group.saving);
        let is_new = saving.positions.is_none();
        if is_new && occasion != Occasion::Member {
            return Ok(());
        }
        let dispatched = self.dispatched();
        let (record, changes) = {
            let mut state = lock(&group.state);
            if state.ended || !(is_new || state.is_due(occasion)) {
                return Ok(());
            }
            let changes = std::mem::take(&mut state.changes);
            (state.record(&dispatched), changes)
        };
        if changes == 0 && saving.positions.as_ref() == Some(&record.positions) {
            return Ok(());
        }
        let appended = self.append_group(&key(group.text.as_str()), &record);
        if let Err(error) = appended {
            lock(&group.state).changes += changes;
            return Err(error);
        }
        saving.positions = Some(record.positions);
        Ok(())
    }

    fn append_group(&self, key: &[u8], record: &GroupRecord) -> Result<(), AppendError> {
        self.session_log.append(&Record::new(&record.encode()).key(key), Ack::Appended).map(|_| ())
    }

    /// Writes that a group has ended, if it was kept and nobody has made it anew.
    pub(crate) fn forget_group(&self, group: &Group) -> Result<(), AppendError> {
        let groups = lock(&self.groups.by_text);
        let mut saving = lock(&group.saving);
        if saving.positions.is_none() || groups.contains_key(group.text.as_str()) {
            return Ok(());
        }
        self.session_log.append(&Record::tombstone(&key(group.text.as_str())), Ack::Appended)?;
        saving.positions = None;
        Ok(())
    }
}

/// The filter of a group in the key of a record, if it is one of a group.
pub(crate) fn text_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.strip_prefix(&[KEY_PREFIX])?).ok()
}

pub(super) fn key(text: &str) -> Vec<u8> {
    [&[KEY_PREFIX], text.as_bytes()].concat()
}
