//! The client's side, over any number of network connections.
//!
//! ```text
//!            connect()              CONNACK 0
//!   [Idle] -----------> [Asked] ------------------> [Open]
//!     ^                    |                           |
//!     |                    | CONNACK > 0, time out     | disconnect(), DISCONNECT, error, time out
//!     | connection_lost()  v                           v
//!     '---------------- [Closed] <---------------------'
//! ```

mod config;
mod handle;
mod poll;
mod request;

use alloc::vec::Vec;

use headwater_codec::{ConnAck, Disconnect, PacketId, Publish, ReasonCode, SubAck, UnsubAck};

pub use self::config::Config;
use crate::exchange::Exchange;
use crate::state::{Receipt, State};
use crate::time::Millis;

/// The client's side of a session: packets and time go in, events, packets and deadlines come out.
///
/// `T` is whatever the caller sends as a message; the session keeps a message of QoS 1 or 2 until the server has it, over
/// reconnections, and never looks into it.
///
/// For each network connection: [`connect`](Self::connect), then packets to [`handle`](Self::handle) as they come, and after each
/// call [`poll_transmit`](Self::poll_transmit) until it gives nothing more. When nothing comes until
/// [`next_deadline`](Self::next_deadline), [`handle_timeout`](Self::handle_timeout). When the connection breaks,
/// [`connection_lost`](Self::connection_lost), and again `connect` on the next one.
///
/// # Examples
///
/// ```
/// use headwater_codec::{ConnAck, Connect, Packet, QoS, ReasonCode, Version};
/// use headwater_session::client::{Config, Event, Session};
/// use headwater_session::{Millis, Transmit};
///
/// let mut session: Session<&'static str> = Session::new(Config::default());
/// let mut connect = Connect::new(Version::V3_1_1, "line-7");
/// connect.keep_alive_secs = 30;
/// session.connect(&connect, Millis(0))?;
/// let Some(Transmit::Control(bytes)) = session.poll_transmit(Millis(0)) else { panic!("CONNECT is due") };
/// assert_eq!(bytes, b"\x10\x12\0\x04MQTT\x04\x02\0\x1e\0\x06line-7");
///
/// let connack = Packet::ConnAck(ConnAck::accepted(false));
/// assert!(matches!(session.handle(connack, Millis(5))?, Some(Event::Connected { .. })));
/// session.publish("21.5", QoS::AtLeastOnce)?;
/// assert!(matches!(session.poll_transmit(Millis(6)), Some(Transmit::Publish { message: &"21.5", .. })));
/// assert_eq!(session.next_deadline(), Some(Millis(30_006)), "then a PINGREQ is due");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session<T> {
    config: Config,
    phase: Phase,
    exchange: Exchange<T>,
    clean_start: bool,
    keep_alive_secs: u16,
    receive_maximum: u16,
    session_expiry_secs: u32,
    packet_size_max: u32,
    /// When something was last written.
    spoke: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Asked {
        deadline: Millis,
    },
    Open {
        /// Until when PINGRESP must have come.
        ping: Option<Millis>,
    },
    Closed,
}

/// What the caller has to know, at most one a packet.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'p, T> {
    /// The server let us in.
    Connected {
        /// What it said; [`session_present`](ConnAck::session_present) tells whether it knows our subscriptions.
        connack: ConnAck<'p>,
        /// Messages whose exchange was under way in a session that the server no longer has: they may have arrived or not. Publish
        /// them again or let them go. Empty when the session is present.
        unfinished: Vec<T>,
    },
    /// The server turned us away.
    Refused(ConnAck<'p>),
    /// A message came.
    Publish {
        /// The packet, borrowed from the frame.
        publish: Publish<'p>,
        /// For QoS 1 and 2: acknowledge with [`Session::acknowledge`] when the message is safe.
        receipt: Option<Receipt>,
    },
    /// The answer to [`Session::subscribe`].
    Subscribed(SubAck<'p>),
    /// The answer to [`Session::unsubscribe`].
    Unsubscribed(UnsubAck<'p>),
    /// The exchange of a published message is complete.
    Delivered {
        /// What was given to [`Session::publish`].
        message: T,
        /// How the server took it; an error means that it refused it.
        reason: ReasonCode,
    },
    /// The server closes the connection (5.0).
    Disconnect(Disconnect<'p>),
}

impl<T> Session<T> {
    /// A session that has no connection yet and nothing under way.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::resumed(config, None)
    }

    /// A session that goes on where an earlier program stopped. The next CONNECT should not ask for a clean start.
    #[must_use]
    pub fn resumed(config: Config, state: Option<State<T>>) -> Self {
        let mut exchange = Exchange::new(config.version, config.window, u16::MAX);
        if let Some(state) = state {
            exchange.restore(state);
        }
        Self {
            config,
            phase: Phase::Idle,
            exchange,
            clean_start: true,
            keep_alive_secs: 0,
            receive_maximum: u16::MAX,
            session_expiry_secs: 0,
            packet_size_max: u32::MAX,
            spoke: Millis(0),
        }
    }

    /// Ends the session in this program and gives what a later one can go on from.
    #[must_use]
    pub fn into_state(mut self) -> State<T> {
        self.exchange.take_state()
    }

    /// Whether messages can be exchanged.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// Whether the connection is to be closed once everything is written.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// How many messages of QoS 1 and 2 to the server are not complete.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.exchange.outgoing.len()
    }

    /// The largest packet that the server takes; a larger message must not be sent to it [MQTT-3.2.2-15].
    #[must_use]
    pub fn peer_packet_size_max(&self) -> u32 {
        self.packet_size_max
    }

    /// Bytes of control packets that wait to be written; the caller bounds them by not reading more.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.exchange.queued_bytes()
    }

    /// Whether a request has this identifier; so that a caller can tell its own from others'.
    fn finish(&mut self, packet_id: PacketId) -> bool {
        self.exchange.outgoing.finish_request(packet_id)
    }
}
