//! What a store may be told.

use headwater_log::TopicOptions;

/// How a store keeps messages.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The options of the log topic `mqtt`: partitions, retention, segment size.
    pub messages: TopicOptions,
    /// The options of the log topics of retained messages and of sessions. They have one partition and no retention, whatever is said
    /// here. A session may be as large as a segment, whatever `batch_bytes_max` says. Default: segments of 64 MiB.
    pub state: TopicOptions,
    /// How many messages may wait for one connected session. QoS 1 and 2 beyond it are read from the log later; QoS 0 is dropped and
    /// counted. Default 1,000.
    pub inbox_max: usize,
    /// How many bytes of messages may wait for one connected session; the same beyond it. A message that is larger is taken when no
    /// other waits. Default 4 MiB.
    pub inbox_bytes_max: usize,
    /// How many bytes of the log a session that catches up reads at a time. Default 256 KiB.
    pub catch_up_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            messages: TopicOptions::default(),
            state: TopicOptions::default().segment_bytes(64 << 20),
            inbox_max: 1_000,
            inbox_bytes_max: 4 << 20,
            catch_up_bytes: 256 * 1024,
        }
    }
}

impl StoreOptions {
    /// The same with these options for the log topic `mqtt`.
    #[must_use]
    pub fn messages(self, messages: TopicOptions) -> Self {
        Self { messages, ..self }
    }

    /// The same with these options for the log topics of retained messages and of sessions.
    #[must_use]
    pub fn state(self, state: TopicOptions) -> Self {
        Self { state, ..self }
    }

    /// The same with room for so many messages per connected session.
    #[must_use]
    pub fn inbox_max(self, inbox_max: usize) -> Self {
        Self { inbox_max, ..self }
    }

    /// The same with room for so many bytes of messages per connected session.
    #[must_use]
    pub fn inbox_bytes_max(self, inbox_bytes_max: usize) -> Self {
        Self { inbox_bytes_max, ..self }
    }

    /// The same with so many bytes read at a time by a session that catches up.
    #[must_use]
    pub fn catch_up_bytes(self, catch_up_bytes: usize) -> Self {
        Self { catch_up_bytes, ..self }
    }
}
