//! What a client brings with it.

use core::num::NonZeroU16;

/// What does not change from connection to connection.
///
/// More may be added: write `Config { window: 64, ..Config::default() }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many QoS 1 and 2 messages may be in flight to the server, and how many of any QoS may wait to be written. The server's
    /// receive maximum lowers it. Default 128.
    pub window: usize,
    /// How many QoS 2 identifiers of the server may be held between PUBLISH and PUBREL, those of earlier connections included, as
    /// [`server::Config::held_max`](crate::server::Config::held_max). In 5.0 never less than the receive maximum of CONNECT, which is 65,535
    /// where CONNECT names none. Default 4,096.
    pub held_max: NonZeroU16,
    /// How many topic aliases messages to the server use at most; the server's maximum lowers it. Each keeps its topic name twice, of
    /// at most 64 KiB. Default 0: none.
    pub topic_aliases_out: u16,
    /// How long the server may take to answer CONNECT, with its authentication, and PINGREQ, and how long another
    /// authentication may take. Default 10,000 ms.
    pub response_timeout_millis: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: 128,
            held_max: const { NonZeroU16::new(4_096).unwrap() },
            topic_aliases_out: 0,
            response_timeout_millis: 10_000,
        }
    }
}
