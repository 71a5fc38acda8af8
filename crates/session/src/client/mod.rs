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

mod auth;
mod config;
mod handle;
mod offer;
mod poll;
mod query;
mod say;

use alloc::vec::Vec;

use headwater_codec::{Auth, ConnAck, Disconnect, Publish, ReasonCode, SubAck, UnsubAck, Version};

pub use self::config::Config;
use self::offer::Offer;
use crate::alias::Topic;
use crate::auth::Authentication;
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
/// Memory is bounded by [`Config::window`] messages out; in, by the receive maximum of CONNECT, for receipts of a connection with the words of
/// those acknowledged early (before 5.0 the server is held back only by [`wants_packet`](Self::wants_packet), at 65,535), and by
/// [`Config::held_max`] identifiers of QoS 2 over all connections; by the authentication method, of at most 64 KiB; and by requests without an
/// answer and control packets that were not yet taken.
///
/// # Examples
///
/// ```
/// use headwater_codec::{ConnAck, Connect, Packet, QoS, Version};
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
    auth: Authentication,
    /// Whether there is a session that a server may know.
    exists: bool,
    /// Messages of a session that was given up, until the caller is told.
    unfinished: Vec<T>,
    keep_alive_secs: u16,
    receive_maximum: u16,
    /// What CONNECT asked for, or the server made of it.
    session_expiry_secs: u32,
    /// What the last server said that it takes.
    offer: Offer,
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
        /// Messages whose exchange was under way in a session that is given up, because the server no longer has it or a clean start
        /// was asked for: they may have arrived or not. Publish them again or let them go.
        unfinished: Vec<T>,
    },
    /// The server turned us away.
    Refused(ConnAck<'p>),
    /// The server's step in an authentication that CONNECT or [`Session::reauthenticate`] began; its properties have the data.
    ///
    /// With [`CONTINUE_AUTHENTICATION`](ReasonCode::CONTINUE_AUTHENTICATION) it waits for [`Session::authenticate`]; with
    /// [`SUCCESS`](ReasonCode::SUCCESS) it is content with what [`Session::reauthenticate`] began.
    Auth(Auth<'p>),
    /// A message came.
    Publish {
        /// The packet, borrowed from the frame. It has no topic of its own where a topic alias stands for it.
        publish: Publish<'p>,
        /// Its topic, whichever way it came.
        topic: Topic<'p>,
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
    ///
    /// A 5.0 server that claims to have a session for it is not believed [MQTT-3.2.2-4]. A program that lost its own state, and takes the
    /// server's session as it finds it, uses [`resumed`](Self::resumed) with an empty [`State`].
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            exchange: Exchange::new(Version::V5, config.window, u16::MAX),
            config,
            phase: Phase::Idle,
            auth: Authentication::default(),
            exists: false,
            unfinished: Vec::new(),
            keep_alive_secs: 0,
            receive_maximum: u16::MAX,
            session_expiry_secs: 0,
            offer: Offer::DEFAULT,
            spoke: Millis(0),
        }
    }

    /// A session that goes on where an earlier program stopped. The next CONNECT should not ask for a clean start.
    #[must_use]
    pub fn resumed(config: Config, state: State<T>) -> Self {
        let mut session = Self::new(config);
        session.exchange.restore(state);
        session.exists = true;
        session
    }

    /// Ends the session in this program and gives what a later one can go on from.
    #[must_use]
    pub fn into_state(mut self) -> State<T> {
        self.exchange.take_state()
    }
}
