//! Sessions by client identifier. One whose client is away is the bytes that were saved of it, and a number.

use std::collections::HashMap;

use super::snapshot::Snapshot;

/// Sessions by client identifier.
pub(crate) type Sessions = HashMap<Box<str>, Session>;

/// A session.
#[derive(Debug)]
pub(crate) enum Session {
    /// Its client is connected, or about to let go of it.
    Here,
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
}

impl Away {
    pub(super) fn new(key: u64, snapshot: &Snapshot) -> Self {
        Self { key, bytes: snapshot.encode().into() }
    }

    /// What was saved.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let snapshot = Snapshot::decode(&self.bytes);
        debug_assert!(snapshot.is_ok(), "what was encoded can be decoded: {snapshot:?}");
        snapshot.ok()
    }

    /// Whether its time is over [MQTT-3.1.2-23].
    pub(super) fn is_expired(&self, now_ms: i64) -> bool {
        Snapshot::is_expired_as_bytes(&self.bytes, now_ms)
    }
}
