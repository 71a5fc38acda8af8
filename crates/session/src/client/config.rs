//! What a client brings with it.

/// What does not change from connection to connection.
///
/// More may be added: write `Config { window: 64, ..Config::default() }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many QoS 1 and 2 messages may be in flight to the server, and how many of any QoS may wait to be written. The server's
    /// receive maximum lowers it. Default 128.
    pub window: usize,
    /// How long the server may take to answer CONNECT and PINGREQ. Default 10,000 ms.
    pub response_timeout_millis: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: 128, response_timeout_millis: 10_000 }
    }
}
