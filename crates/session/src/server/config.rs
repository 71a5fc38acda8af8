//! What a server offers its clients.

use core::num::{NonZeroU16, NonZeroU32};

use headwater_codec::QoS;

/// What a server offers, announced in CONNACK to 5.0 clients.
///
/// More may be added: write `Config { window: 64, ..Config::default() }`.
///
/// PUBLISH and the will are held to it by the session. SUBSCRIBE is the caller's to judge, who answers each filter: with
/// [`WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED`], [`SHARED_SUBSCRIPTIONS_NOT_SUPPORTED`] or
/// [`SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED`] where the announcement said so.
///
/// [`WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED`]: headwater_codec::ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
/// [`SHARED_SUBSCRIPTIONS_NOT_SUPPORTED`]: headwater_codec::ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
/// [`SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED`]: headwater_codec::ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How many QoS 1 and 2 messages of the client may be unacknowledged at a time. Default 256.
    pub receive_maximum: NonZeroU16,
    /// How many QoS 1 and 2 messages to the client may be in flight, and how many of any QoS may wait to be written. The client's
    /// receive maximum lowers it. Default 128.
    pub window: usize,
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
    /// How long a connection may take until its CONNECT is complete and answered. Default 10,000 ms.
    pub connect_timeout_millis: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            receive_maximum: const { NonZeroU16::new(256).unwrap() },
            window: 128,
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
