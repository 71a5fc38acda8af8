//! What a client brings with it.

/// What does not change from connection to connection.
///
/// More may be added: write `Config { window: 64, ..Config::default() }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many QoS 1 and 2 messages may be in flight to the server, and how many of any QoS may wait to be written. The server's
    /// receive maximum lowers it. Default 128.
    pub window: usize,
    /// How many topic aliases messages to the server use at most; the server's maximum lowers it. Each keeps its topic name twice, of
    /// at most 64 KiB. Default 0: none.
    pub topic_aliases_out: u16,
    /// How long the server may take to answer CONNECT and PINGREQ. Default 10,000 ms.
    pub response_timeout_millis: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: 128, topic_aliases_out: 0, response_timeout_millis: 10_000 }
    }
}
