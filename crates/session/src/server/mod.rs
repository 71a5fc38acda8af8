//! The server's side of one network connection.
//!
//! ```text
//!             CONNECT            accept()
//!   [Fresh] -----------> [Asked] ---------> [Open] ---- DISCONNECT, error, time out ---> [Closed]
//!      |                    |  refuse()                                                     ^
//!      '-- anything else ---'---------------------------------------------------------------'
//! ```

mod accept;
mod auth;
mod config;
mod handle;
mod offer;
mod poll;
mod query;
mod say;

use headwater_codec::{
    Auth, Connect, Disconnect, PacketId, Publish, ReasonCode, Subscribe, Unsubscribe, Version,
};

pub use self::accept::Accept;
pub use self::config::Config;
use crate::alias::Topic;
use crate::auth::Authentication;
use crate::exchange::Exchange;
use crate::state::Receipt;
use crate::time::Millis;

/// The server's side of one connection: packets and time go in, events, packets and deadlines come out.
///
/// `T` is whatever the caller sends as a message: for a broker an `Arc` of the message, for a small program the message itself. The
/// session never looks into it.
///
/// Each packet that came goes to [`handle`](Self::handle), which gives at most one [`Event`]; then
/// [`poll_transmit`](Self::poll_transmit) gives what is to be written until it gives nothing more. When nothing comes until
/// [`next_deadline`](Self::next_deadline), call [`handle_timeout`](Self::handle_timeout). While [`wants_packet`](Self::wants_packet) says
/// no, the next packet waits.
///
/// Memory is bounded by [`Config::window`] messages out; in, by [`Config::receive_maximum`] receipts of a connection, with the words of those
/// acknowledged early, and [`Config::held_max`] identifiers of QoS 2 over all connections; by the authentication method, of at most 64 KiB;
/// and by the control packets that were not yet taken: a caller that cannot write should stop reading when
/// [`queued_bytes`](Self::queued_bytes) passes its limit.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Connect, Packet, Publish, QoS, Version};
/// use headwater_session::server::{Accept, Config, Event, Session};
/// use headwater_session::{Millis, Transmit};
/// use headwater_topic::TopicName;
///
/// let mut session: Session<&'static str> = Session::new(Config::default(), Millis(0));
/// let connect = Packet::Connect(Connect::new(Version::V3_1_1, "line-7"));
/// let Some(Event::Connect(_)) = session.handle(connect, Millis(1))? else { panic!("asks to be let in") };
/// session.accept(None, &Accept::default(), Millis(1))?;
/// session.publish("21.5", QoS::AtMostOnce)?;
///
/// let mut written = Vec::new();
/// while let Some(transmit) = session.poll_transmit() {
///     match transmit {
///         Transmit::Control(bytes) => written.extend_from_slice(bytes),
///         Transmit::Publish { message, delivery, .. } => {
///             let publish = Publish::new(TopicName::parse("temperature")?, message.as_bytes()).with_delivery(delivery);
///             publish.encode(Version::V3_1_1, &mut written)?;
///         }
///     }
/// }
/// assert_eq!(written, b"\x20\x02\0\0\x30\x11\0\x0btemperature21.5");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session<T> {
    config: Config,
    phase: Phase,
    exchange: Exchange<T>,
    client: Client,
    auth: Authentication,
    /// Whether the client was let in, so that there is a session to keep.
    accepted: bool,
    /// When something was last received, or reading began again.
    heard: Millis,
}

/// What CONNECT said that matters later.
#[derive(Debug, Clone, Copy)]
struct Client {
    clean_start: bool,
    keep_alive_secs: u16,
    /// What CONNECT asked for.
    asked_expiry_secs: u32,
    /// What holds.
    session_expiry_secs: u32,
    receive_maximum: u16,
    topic_alias_maximum: u16,
    empty_client_id: bool,
    /// Whether it wants to be told what to build response topics from.
    wants_response_information: bool,
    /// Whether it wants reasons explained.
    problem_information: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fresh { deadline: Millis },
    Asked { deadline: Millis },
    Open,
    Closed,
}

/// What the caller has to know, at most one a packet.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'p, T> {
    /// The client asks to be let in: answer with [`Session::accept`] or [`Session::refuse`].
    ///
    /// One whose properties have an authentication method asks for enhanced authentication (5.0, section 4.12), and may send data for it:
    /// answer with [`Session::challenge`], with [`Accept::authenticated`], or refuse it, by
    /// [`BAD_AUTHENTICATION_METHOD`](ReasonCode::BAD_AUTHENTICATION_METHOD) where the method is not known [MQTT-4.12.0-1]. CONNECT is not kept
    /// meanwhile: what is needed of it when the client is let in, the caller copies.
    Connect(Connect<'p>),
    /// The client's step in its authentication; its properties have the data.
    ///
    /// Before CONNACK it answers the last challenge: answer with [`Session::challenge`] again, or as its CONNECT. After it, with
    /// [`RE_AUTHENTICATE`](ReasonCode::RE_AUTHENTICATE), it begins another exchange: answer with [`Session::challenge`],
    /// [`Session::authenticated`] or [`Session::disconnect`]. Messages go on meanwhile.
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
    /// The client wants to subscribe.
    Subscribe {
        /// The packet, borrowed from the frame.
        subscribe: Subscribe<'p>,
        /// Answer with [`Session::answer`], a reason for each filter.
        request: Request,
    },
    /// The client no longer wants to be subscribed.
    Unsubscribe {
        /// The packet, borrowed from the frame.
        unsubscribe: Unsubscribe<'p>,
        /// Answer with [`Session::answer`], a reason for each filter.
        request: Request,
    },
    /// The exchange of a message that was published to the client is complete.
    Delivered {
        /// What was given to [`Session::publish`].
        message: T,
        /// How the client took it; an error means that it refused it.
        reason: ReasonCode,
    },
    /// The client takes its leave. Its will is dropped if the reason is [`SUCCESS`](ReasonCode::SUCCESS), and published otherwise
    /// [MQTT-3.1.2-8] [MQTT-3.14.4-3].
    Disconnect(Disconnect<'p>),
}

/// A SUBSCRIBE or UNSUBSCRIBE that waits for its answer; there is one answer to each.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the client waits for an answer"]
pub struct Request {
    packet_id: PacketId,
    filters: usize,
    subscribe: bool,
}

impl<T> Session<T> {
    /// A connection that was just made.
    #[must_use]
    pub fn new(config: Config, now: Millis) -> Self {
        let exchange = Exchange::new(Version::V5, config.window, config.receive_maximum.get());
        let client = Client {
            clean_start: true,
            keep_alive_secs: 0,
            asked_expiry_secs: 0,
            session_expiry_secs: 0,
            receive_maximum: u16::MAX,
            topic_alias_maximum: 0,
            empty_client_id: false,
            wants_response_information: false,
            problem_information: true,
        };
        let phase = Phase::Fresh { deadline: now.after(config.connect_timeout_millis) };
        Self { config, phase, exchange, client, auth: Authentication::default(), accepted: false, heard: now }
    }
}
