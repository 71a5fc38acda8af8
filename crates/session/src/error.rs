//! What can go wrong, by whose fault it is: the peer's ([`ProtocolError`]) or the caller's ([`Misuse`]).

use headwater_codec::{EncodeError, PacketId, PacketType, ReasonCode};

/// The peer broke the protocol; the network connection must be closed.
///
/// When a session returns one, it has already queued what the protocol wants to be said (5.0: CONNACK or DISCONNECT with
/// [`reason_code`](Self::reason_code); before, only what a CONNACK return code can say): write out what [`poll_transmit`] still gives,
/// then close.
///
/// [`poll_transmit`]: crate::server::Session::poll_transmit
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The first packet of a connection must be CONNECT [MQTT-3.1.0-1]; a client that named an authentication method sends only AUTH and
    /// DISCONNECT until CONNACK [MQTT-3.1.2-30], and only those come to one. Or the caller handed in a packet while
    /// [`wants_packet`](crate::server::Session::wants_packet) said no: what a client may send right behind CONNECT waits.
    #[error("{packet:?} before the connection was accepted; CONNECT comes first")]
    NotConnected {
        /// What came instead.
        packet: PacketType,
    },
    /// A second CONNECT [MQTT-3.1.0-2].
    #[error("a second CONNECT on one connection")]
    SecondConnect,
    /// A packet that only the other side may send.
    #[error("{packet:?} came from the wrong side")]
    WrongDirection {
        /// What came.
        packet: PacketType,
    },
    /// No CONNECT came in time, or the caller did not answer it.
    #[error("no connection in the time allowed")]
    ConnectTimeout,
    /// The peer was silent for longer than the keep alive allows [MQTT-3.1.2-22].
    #[error("silence beyond the keep alive")]
    KeepAliveTimeout,
    /// The server did not answer CONNECT or PINGREQ in time.
    #[error("no answer in the time allowed")]
    ResponseTimeout,
    /// A 3.1.1 client without a client identifier must ask for a clean session [MQTT-3.1.3-8]; a 3.1 client must have one.
    #[error("an empty client identifier needs a clean session, and is not allowed in 3.1")]
    EmptyClientId,
    /// The peer sent more PUBLISH packets of QoS 1 and 2 than it may have unacknowledged [MQTT-3.3.4-9].
    #[error("more than {receive_maximum} messages unacknowledged")]
    ReceiveMaximumExceeded {
        /// What was announced to the peer.
        receive_maximum: u16,
    },
    /// Before 5.0: one more QoS 2 message would make more of them wait for PUBREL than are held, those of earlier connections included, see
    /// [`Config::held_max`](crate::server::Config::held_max). In 5.0 it is refused by PUBREC.
    #[error("{held} messages of QoS 2 wait for PUBREL, and there is room for no more; send PUBREL first")]
    HeldMaximumExceeded {
        /// How many there are.
        held: usize,
    },
    /// A topic alias above the announced maximum.
    #[error("topic alias {alias}, {maximum} is the highest allowed")]
    TopicAliasInvalid {
        /// What came.
        alias: u16,
        /// What was announced.
        maximum: u16,
    },
    /// A topic alias that was not set on this connection.
    #[error("topic alias {alias} was not set on this connection")]
    TopicAliasUnknown {
        /// What came.
        alias: u16,
    },
    /// An acknowledgement that does not belong to the state of its packet identifier.
    #[error("{packet:?} for packet identifier {} does not fit its state", packet_id.get())]
    WrongAcknowledgement {
        /// What came.
        packet: PacketType,
        /// Which exchange it named.
        packet_id: PacketId,
    },
    /// Acknowledgements for identifiers that are not in use, again and again.
    #[error("{count} acknowledgements for packet identifiers that are not in use")]
    UnknownAcknowledgements {
        /// How many came.
        count: u32,
    },
    /// A client must not send subscription identifiers in PUBLISH [MQTT-3.3.4-6].
    #[error("a subscription identifier in a PUBLISH of a client")]
    SubscriptionIdentifierFromClient,
    /// A QoS above the announced maximum [MQTT-3.2.2-11].
    #[error("a QoS above the announced maximum")]
    QosNotSupported,
    /// A retained message although it was announced that there are none [MQTT-3.2.2-14].
    #[error("a retained message, which was announced not to be available")]
    RetainNotSupported,
    /// A filter with wildcards, which were announced not to be available (5.0, section 3.2.2.3.11).
    #[error("a filter with wildcards, which were announced not to be available")]
    WildcardSubscriptionsNotSupported,
    /// A subscription identifier, although announced not to be available (5.0, section 3.2.2.3.12).
    #[error("a subscription identifier, which was announced not to be available")]
    SubscriptionIdentifiersNotSupported,
    /// A shared subscription, although announced not to be available (5.0, section 3.2.2.3.13).
    #[error("a shared subscription, which was announced not to be available")]
    SharedSubscriptionsNotSupported,
    /// DISCONNECT tried to give a session an expiry interval that had none (5.0, section 3.14.2.2.2).
    #[error("DISCONNECT sets a session expiry interval that CONNECT set to zero")]
    SessionExpiryRaised,
    /// A server must not send a session expiry interval in DISCONNECT [MQTT-3.14.2-2].
    #[error("a session expiry interval in the DISCONNECT of a server")]
    SessionExpiryFromServer,
    /// AUTH without an authentication method in CONNECT [MQTT-4.12.0-6] [MQTT-4.12.0-7].
    #[error("AUTH without an authentication method in CONNECT")]
    UnexpectedAuth,
    /// AUTH, or the CONNACK that lets us in, does not name the authentication method of CONNECT [MQTT-4.12.0-5] [MQTT-4.12.1-1]; or CONNACK
    /// names one although CONNECT did not [MQTT-4.12.0-6].
    #[error("{packet:?} names another authentication method than CONNECT")]
    WrongAuthMethod {
        /// What came.
        packet: PacketType,
    },
    /// AUTH that answers nothing, or begins an exchange while one is under way (5.0, section 4.12).
    #[error("AUTH with {reason:?} out of turn")]
    AuthOutOfTurn {
        /// Which step it was.
        reason: ReasonCode,
    },
    /// AUTH with a reason that only the other side may give (5.0, section 3.15.2.1).
    #[error("AUTH with {reason:?} came from the wrong side")]
    WrongAuthReason {
        /// What it was.
        reason: ReasonCode,
    },
    /// An exchange of AUTH packets was not over in time: the peer did not answer a challenge, or the exchange is another one on an open
    /// connection, whoever had to answer there.
    #[error("authentication took longer than the time allowed")]
    AuthTimeout,
    /// CONNACK says that a session is present, but the client asked for a new one or has none [MQTT-3.2.2-4].
    #[error("CONNACK names a session that this client does not have")]
    SessionPresentUnexpected,
    /// SUBACK or UNSUBACK for a request that was not made, or for another number of filters [MQTT-3.8.4-6].
    #[error("{packet:?} for packet identifier {} does not answer what was asked", packet_id.get())]
    UnexpectedResponse {
        /// What came.
        packet: PacketType,
        /// Which request it named.
        packet_id: PacketId,
    },
}

impl ProtocolError {
    /// What a 5.0 peer is told in DISCONNECT or CONNACK.
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        match self {
            Self::NotConnected { .. }
            | Self::SecondConnect
            | Self::WrongDirection { .. }
            | Self::ResponseTimeout
            | Self::TopicAliasUnknown { .. }
            | Self::WrongAcknowledgement { .. }
            | Self::UnknownAcknowledgements { .. }
            | Self::SubscriptionIdentifierFromClient
            | Self::SessionExpiryRaised
            | Self::SessionExpiryFromServer
            | Self::UnexpectedAuth
            | Self::WrongAuthMethod { .. }
            | Self::AuthOutOfTurn { .. }
            | Self::WrongAuthReason { .. }
            | Self::SessionPresentUnexpected
            | Self::UnexpectedResponse { .. } => ReasonCode::PROTOCOL_ERROR,
            // The client did its part: the answer is what took too long.
            Self::ConnectTimeout => ReasonCode::SERVER_UNAVAILABLE,
            // Nobody was found not to be authorized, and a client cannot say that either.
            Self::AuthTimeout => ReasonCode::UNSPECIFIED_ERROR,
            Self::KeepAliveTimeout => ReasonCode::KEEP_ALIVE_TIMEOUT,
            Self::EmptyClientId => ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
            Self::ReceiveMaximumExceeded { .. } => ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
            Self::HeldMaximumExceeded { .. } => ReasonCode::QUOTA_EXCEEDED,
            Self::TopicAliasInvalid { .. } => ReasonCode::TOPIC_ALIAS_INVALID,
            Self::QosNotSupported => ReasonCode::QOS_NOT_SUPPORTED,
            Self::WildcardSubscriptionsNotSupported => ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
            Self::SubscriptionIdentifiersNotSupported => ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
            Self::SharedSubscriptionsNotSupported => ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
            Self::RetainNotSupported => ReasonCode::RETAIN_NOT_SUPPORTED,
        }
    }
}

/// The caller asked for something that the session's state does not allow; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The call belongs to another phase of the connection.
    #[error("not possible in this phase of the connection")]
    WrongPhase,
    /// A session was handed over to be resumed although the client asked for a clean start.
    #[error("a session cannot be resumed: the client asked for a clean start")]
    CleanStart,
    /// As many messages are in flight or waiting as the session may hold: try again after the next acknowledgement.
    #[error("as many messages are in flight as may be")]
    Full,
    /// The peer does not take this QoS.
    #[error("the peer does not take this QoS")]
    QosNotSupported,
    /// The server keeps no retained messages [MQTT-3.2.2-14].
    #[error("the server keeps no retained messages")]
    RetainNotAvailable,
    /// A topic alias above the server's maximum [MQTT-3.2.2-17] [MQTT-3.2.2-18]; those of [`Aliases`](crate::Aliases) never are.
    #[error("topic alias {alias}, the server takes {maximum} at most")]
    TopicAliasInvalid {
        /// What was given.
        alias: u16,
        /// What the server said.
        maximum: u16,
    },
    /// A client must not send subscription identifiers in PUBLISH [MQTT-3.3.4-6].
    #[error("a client sends no subscription identifier in PUBLISH")]
    SubscriptionIdentifier,
    /// The server takes no filter with wildcards (5.0, section 3.2.2.3.11).
    #[error("the server takes no filters with wildcards")]
    WildcardSubscriptionsNotAvailable,
    /// The server takes no subscription identifiers (5.0, section 3.2.2.3.12).
    #[error("the server takes no subscription identifiers")]
    SubscriptionIdentifiersNotAvailable,
    /// The server takes no shared subscriptions (5.0, section 3.2.2.3.13).
    #[error("the server takes no shared subscriptions")]
    SharedSubscriptionsNotAvailable,
    /// The packet that would say it cannot carry this reason.
    #[error("reason {reason:?} cannot be said here")]
    ReasonNotAllowed {
        /// What was given.
        reason: ReasonCode,
    },
    /// A request is answered by one reason for each of its filters [MQTT-3.8.4-6].
    #[error("{reasons} reasons for {filters} filters")]
    ReasonCount {
        /// How many filters were asked for.
        filters: usize,
        /// How many reasons were given.
        reasons: usize,
    },
    /// A 5.0 client without an identifier must be told the one that it was assigned [MQTT-3.2.2-16]; and one before 5.0 must bring its
    /// own for a session that is kept (3.1.1: [MQTT-3.1.3-7]).
    #[error("the client has no identifier: assign one (5.0), or set one or ask for a clean session (before)")]
    ClientIdNeeded,
    /// The client asks for enhanced authentication: carry it out and say so with
    /// [`Accept::authenticated`](crate::server::Accept::authenticated), or refuse it with
    /// [`BAD_AUTHENTICATION_METHOD`](ReasonCode::BAD_AUTHENTICATION_METHOD).
    #[error("the client asks for enhanced authentication: say that it is authenticated, or refuse it")]
    Authentication,
    /// A step of enhanced authentication, but CONNECT named no method [MQTT-4.12.0-6] [MQTT-4.12.0-7].
    #[error("CONNECT named no authentication method")]
    NoAuthenticationMethod,
    /// The packet cannot be encoded, or is larger than the peer takes.
    #[error("the packet cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
}

/// A message was not taken; it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message was not taken: {misuse}")]
pub struct Refused<T> {
    /// The message.
    pub message: T,
    /// Why.
    pub misuse: Misuse,
}
