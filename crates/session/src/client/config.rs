//! What a client brings with it.

use headwater_codec::Version;

/// What does not change from connection to connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many QoS 1 and 2 messages may be in flight to the server, and how many of any QoS may wait to be written. The server's
    /// receive maximum lowers it. Default 128.
    pub window: usize,
    /// How long the server may take to answer CONNECT and PINGREQ. Default 10,000 ms.
    pub response_timeout_millis: u64,
    /// The version spoken until [`connect`](super::Session::connect) says otherwise. Default 5.0.
    pub version: Version,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: 128, response_timeout_millis: 10_000, version: Version::V5 }
    }
}
