//! What a server offers its clients.

use core::num::{NonZeroU16, NonZeroU32};

use headwater_codec::QoS;

/// What a server offers, announced in CONNACK to 5.0 clients.
///
/// More may be added: write `Config { window: 64, ..Config::default() }`.
///
/// PUBLISH, the will and SUBSCRIBE are held to it by the session. A client of before 5.0 could not be told about subscriptions: refuse its
/// filters by [`Session::filter_refusal`](super::Session::filter_refusal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many QoS 1 and 2 messages of the client may be unacknowledged at a time. Default 256.
    pub receive_maximum: NonZeroU16,
    /// How many QoS 2 identifiers may be held between PUBLISH and PUBREL, those of earlier connections included; each takes some 40 bytes.
    /// The receive maximum does not bound them: it begins anew with each connection (5.0, section 4.9), and before 5.0 it counts only what
    /// was not acknowledged. One more is refused by PUBREC with [`QUOTA_EXCEEDED`](headwater_codec::ReasonCode::QUOTA_EXCEEDED) in 5.0,
    /// and ends the connection before, for PUBREC cannot refuse there. In 5.0 never less than the receive maximum; several times that lets a
    /// client publish before it has released what an earlier connection left. Default 4,096.
    pub held_max: NonZeroU16,
    /// How many QoS 1 and 2 messages to the client may be in flight, and how many of any QoS may wait to be written. The client's
    /// receive maximum lowers it. Default 128.
    pub window: usize,
    /// How many topic aliases the client may set; each keeps its topic name, of at most 64 KiB. Default 0: none.
    pub topic_alias_maximum: u16,
    /// How many topic aliases messages to the client use at most; the client's maximum lowers it. Each keeps its topic name twice, of
    /// at most 64 KiB. Default 0: none.
    pub topic_aliases_out: u16,
    /// The largest packet that is accepted, announced to the client; the framing enforces it. Default 1 MiB.
    pub packet_size_max: NonZeroU32,
    /// The highest QoS that is accepted in PUBLISH and in the will. Default 2.
    pub maximum_qos: QoS,
    /// Whether retained messages are kept. Default true.
    pub retain_available: bool,
    /// Whether filters may have wildcards. Default true.
    pub wildcard_subscription_available: bool,
    /// Whether subscriptions may have identifiers. Default true.
    pub subscription_identifier_available: bool,
    /// Whether `$share` filters are served. Default false.
    pub shared_subscription_available: bool,
    /// The longest keep alive in seconds; a 5.0 client that asks for more, or for none, gets this. Default none: the client's holds.
    pub keep_alive_secs_max: Option<NonZeroU16>,
    /// The longest time that a session outlives its connection. A 5.0 client that asks for more is told; one of before 5.0, which asks
    /// for ever, cannot be. Default `u32::MAX`: for ever.
    pub session_expiry_secs_max: u32,
    /// How long a connection may take until its CONNECT is complete and answered, authentication included, and how long another
    /// authentication may take. Default 10,000 ms.
    pub connect_timeout_millis: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            receive_maximum: const { NonZeroU16::new(256).unwrap() },
            held_max: const { NonZeroU16::new(4_096).unwrap() },
            window: 128,
            topic_alias_maximum: 0,
            topic_aliases_out: 0,
            packet_size_max: const { NonZeroU32::new(1 << 20).unwrap() },
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            wildcard_subscription_available: true,
            subscription_identifier_available: true,
            shared_subscription_available: false,
            keep_alive_secs_max: None,
            session_expiry_secs_max: u32::MAX,
            connect_timeout_millis: 10_000,
        }
    }
}
