//! Sessions by client identifier. One whose client is away is the bytes that were saved of it, and a number.

use std::collections::HashMap;
use std::sync::Arc;

use super::core::{Core, State};
use super::incoming::Held;
use super::snapshot::Snapshot;

/// Sessions by client identifier.
pub(crate) type Sessions = HashMap<Box<str>, Session>;

/// A session.
#[derive(Debug)]
pub(crate) enum Session {
    /// Its client is connected, or about to let go of it.
    Here(Arc<Core>),
    /// Its client is not.
    Away(Away),
}

/// A session whose client is away. There are many of them, so it is kept as it is written: some twenty bytes a subscription beside the text of its filter,
/// and eight a partition.
#[derive(Debug)]
pub(crate) struct Away {
    /// The same as when the client was there: groups know the session by it.
    pub(super) key: u64,
    bytes: Box<[u8]>,
    pub(super) open: Option<Box<Open>>,
}

/// What is known besides of a session whose connection ended without its end being saved.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) held: Held,
    /// Where what was saved is in the log.
    pub(super) saved_at: Option<u64>,
}

impl Away {
    pub(super) fn new(key: u64, snapshot: &Snapshot) -> Self {
        Self { key, bytes: snapshot.encode().into(), open: None }
    }

    /// What becomes of a session that is let go; `None` if it does not outlive its connection.
    pub(super) fn leaving(key: u64, state: &mut State) -> Option<Self> {
        let saved = state.saved.take()?;
        let held = std::mem::take(&mut state.held);
        let is_open = saved.disconnected_at.is_none() || held.has_unsaved();
        let open = is_open.then(|| Box::new(Open { held, saved_at: state.saved_at }));
        Some(Self { open, ..Self::new(key, &saved) })
    }

    /// What was saved.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let snapshot = Snapshot::decode(&self.bytes);
        debug_assert!(snapshot.is_ok(), "what was encoded can be decoded: {snapshot:?}");
        snapshot.ok()
    }

    /// Lowers the offsets to where records of the client may be that no saved session tells of.
    pub(super) fn bound(&self, offsets: &mut [u64]) {
        if let Some(open) = &self.open {
            open.held.bound(offsets);
        }
    }

    /// Whether its time is over [MQTT-3.1.2-23].
    pub(super) fn is_expired(&self, now_ms: i64) -> bool {
        Snapshot::is_expired_as_bytes(&self.bytes, now_ms)
    }
}
