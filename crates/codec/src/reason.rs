//! Reason codes: how a packet says what became of a request.

use core::fmt;

use crate::packet_type::PacketType;

/// What became of a request, in one byte (5.0, section 2.4).
///
/// Below 0x80 it went well, from 0x80 on it failed. The set is open, so this is a number with constants; a packet
/// accepts only the codes its section lists, see [`ReasonCode::allowed_in`]. The return codes of 3.1 and 3.1.1 are
/// mapped onto these by [`ConnAck`](crate::ConnAck) and [`SubAck`](crate::SubAck).
///
/// # Examples
///
/// ```
/// use headwater_codec::{PacketType, ReasonCode};
///
/// let reason = ReasonCode::QUOTA_EXCEEDED;
/// assert!(reason.is_error());
/// assert!(reason.allowed_in(PacketType::PubAck) && !reason.allowed_in(PacketType::PubRel));
/// assert_eq!(reason.to_string(), "quota exceeded (0x97)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonCode(pub u8);

/// Lists every code once: constant, number, name, and the packets whose sections list it (table 2-6 of 5.0).
macro_rules! reason_codes {
    ($($(#[doc = $doc:literal])+ $constant:ident = $code:literal $name:literal in $($packet:ident)+;)+) => {
        impl ReasonCode {
            $($(#[doc = $doc])+ pub const $constant: Self = Self($code);)+

            /// Every code the specification knows, in order.
            pub const ALL: &'static [Self] = &[$(Self::$constant),+];

            /// The name of the code in lower case; `None` if the specification has no such code.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)+
                    _ => None,
                }
            }

            /// The packets that may carry the code, one bit each.
            #[inline]
            const fn packets(self) -> u16 {
                match self.0 {
                    $($code => 0 $(| PacketType::$packet.bit())+,)+
                    _ => 0,
                }
            }
        }
    };
}

reason_codes! {
    /// It went well. Also [`ReasonCode::NORMAL_DISCONNECTION`] and [`ReasonCode::GRANTED_QOS_0`].
    SUCCESS = 0x00 "success" in ConnAck PubAck PubRec PubRel PubComp SubAck UnsubAck Disconnect Auth;
    /// Subscribed, at most QoS 1 will be sent.
    GRANTED_QOS_1 = 0x01 "granted QoS 1" in SubAck;
    /// Subscribed, any QoS may be sent.
    GRANTED_QOS_2 = 0x02 "granted QoS 2" in SubAck;
    /// The client goes and wants its will published all the same.
    DISCONNECT_WITH_WILL = 0x04 "disconnect with will message" in Disconnect;
    /// The message is accepted, but nobody subscribed to it.
    NO_MATCHING_SUBSCRIBERS = 0x10 "no matching subscribers" in PubAck PubRec;
    /// Nothing was subscribed under this filter.
    NO_SUBSCRIPTION_EXISTED = 0x11 "no subscription existed" in UnsubAck;
    /// Enhanced authentication goes on with another step.
    CONTINUE_AUTHENTICATION = 0x18 "continue authentication" in Auth;
    /// The client starts to authenticate again.
    RE_AUTHENTICATE = 0x19 "re-authenticate" in Auth;
    /// Something failed that has no code of its own, or the sender does not tell.
    UNSPECIFIED_ERROR = 0x80 "unspecified error" in ConnAck PubAck PubRec SubAck UnsubAck Disconnect;
    /// The bytes of a packet could not be read.
    MALFORMED_PACKET = 0x81 "malformed packet" in ConnAck Disconnect;
    /// A packet came out of order or says what the protocol forbids.
    PROTOCOL_ERROR = 0x82 "protocol error" in ConnAck Disconnect;
    /// The packet is valid, but this implementation does not accept it.
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83 "implementation specific error"
        in ConnAck PubAck PubRec SubAck UnsubAck Disconnect;
    /// The server does not speak this revision.
    UNSUPPORTED_PROTOCOL_VERSION = 0x84 "unsupported protocol version" in ConnAck;
    /// The client identifier is a valid string that the server does not allow.
    CLIENT_IDENTIFIER_NOT_VALID = 0x85 "client identifier not valid" in ConnAck;
    /// User name or password were not accepted.
    BAD_USER_NAME_OR_PASSWORD = 0x86 "bad user name or password" in ConnAck;
    /// The sender may not do this.
    NOT_AUTHORIZED = 0x87 "not authorized" in ConnAck PubAck PubRec SubAck UnsubAck Disconnect;
    /// The server is not available.
    SERVER_UNAVAILABLE = 0x88 "server unavailable" in ConnAck;
    /// The server is busy; try again later.
    SERVER_BUSY = 0x89 "server busy" in ConnAck Disconnect;
    /// An administrator banned the client.
    BANNED = 0x8A "banned" in ConnAck;
    /// The server is shutting down.
    SERVER_SHUTTING_DOWN = 0x8B "server shutting down" in Disconnect;
    /// The authentication method is not supported, or is not the one in use. Table 2-6 allows it in DISCONNECT; the
    /// list in section 3.14.2.1 leaves it out, so both readings are accepted.
    BAD_AUTHENTICATION_METHOD = 0x8C "bad authentication method" in ConnAck Disconnect;
    /// Nothing came for one and a half times the keep alive.
    KEEP_ALIVE_TIMEOUT = 0x8D "keep alive timeout" in Disconnect;
    /// Another connection uses the same client identifier.
    SESSION_TAKEN_OVER = 0x8E "session taken over" in Disconnect;
    /// The topic filter is well formed, but not accepted here.
    TOPIC_FILTER_INVALID = 0x8F "topic filter invalid" in SubAck UnsubAck Disconnect;
    /// The topic name is well formed, but not accepted here.
    TOPIC_NAME_INVALID = 0x90 "topic name invalid" in ConnAck PubAck PubRec Disconnect;
    /// The packet identifier is in use already.
    PACKET_IDENTIFIER_IN_USE = 0x91 "packet identifier in use" in PubAck PubRec SubAck UnsubAck;
    /// The packet identifier is not known.
    PACKET_IDENTIFIER_NOT_FOUND = 0x92 "packet identifier not found" in PubRel PubComp;
    /// More messages are unacknowledged than the receiver allowed.
    RECEIVE_MAXIMUM_EXCEEDED = 0x93 "receive maximum exceeded" in Disconnect;
    /// A topic alias is 0 or above the maximum.
    TOPIC_ALIAS_INVALID = 0x94 "topic alias invalid" in Disconnect;
    /// The packet is larger than the receiver takes.
    PACKET_TOO_LARGE = 0x95 "packet too large" in ConnAck Disconnect;
    /// Messages come too fast.
    MESSAGE_RATE_TOO_HIGH = 0x96 "message rate too high" in Disconnect;
    /// A limit of the implementation or the administrator is reached.
    QUOTA_EXCEEDED = 0x97 "quota exceeded" in ConnAck PubAck PubRec SubAck Disconnect;
    /// An administrator closed the connection.
    ADMINISTRATIVE_ACTION = 0x98 "administrative action" in Disconnect;
    /// The payload is not what its format indicator says.
    PAYLOAD_FORMAT_INVALID = 0x99 "payload format invalid" in ConnAck PubAck PubRec Disconnect;
    /// The server keeps no retained messages.
    RETAIN_NOT_SUPPORTED = 0x9A "retain not supported" in ConnAck Disconnect;
    /// The QoS is above the server's maximum.
    QOS_NOT_SUPPORTED = 0x9B "QoS not supported" in ConnAck Disconnect;
    /// Use another server for now.
    USE_ANOTHER_SERVER = 0x9C "use another server" in ConnAck Disconnect;
    /// The server moved for good.
    SERVER_MOVED = 0x9D "server moved" in ConnAck Disconnect;
    /// The server has no shared subscriptions.
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E "shared subscriptions not supported" in SubAck Disconnect;
    /// Connections come too fast.
    CONNECTION_RATE_EXCEEDED = 0x9F "connection rate exceeded" in ConnAck Disconnect;
    /// The connection lasted as long as it may.
    MAXIMUM_CONNECT_TIME = 0xA0 "maximum connect time" in Disconnect;
    /// The server has no subscription identifiers.
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1 "subscription identifiers not supported" in SubAck Disconnect;
    /// The server has no wildcard subscriptions.
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2 "wildcard subscriptions not supported" in SubAck Disconnect;
}

impl ReasonCode {
    /// The name of 0x00 in DISCONNECT: goodbye, drop the will.
    pub const NORMAL_DISCONNECTION: Self = Self::SUCCESS;
    /// The name of 0x00 in SUBACK: subscribed, at most QoS 0 will be sent.
    pub const GRANTED_QOS_0: Self = Self::SUCCESS;

    /// True from 0x80 on: the request failed.
    #[inline]
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// True if the section of this packet lists the code (5.0).
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::{PacketType, ReasonCode};
    ///
    /// let in_pubrel = ReasonCode::ALL.iter().filter(|code| code.allowed_in(PacketType::PubRel));
    /// assert!(in_pubrel.eq(&[ReasonCode::SUCCESS, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND]));
    /// assert_eq!(ReasonCode(0x42).name(), None);
    /// ```
    #[inline]
    pub const fn allowed_in(self, packet: PacketType) -> bool {
        self.packets() & packet.bit() != 0
    }
}

impl From<crate::qos::QoS> for ReasonCode {
    /// The code by which SUBACK grants this quality of service.
    fn from(granted: crate::qos::QoS) -> Self {
        Self(granted.as_u8())
    }
}

/// Prints name and number, such as `quota exceeded (0x97)`.
impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:#04X})", self.0),
            None => write!(f, "reason code {:#04X}", self.0),
        }
    }
}

impl fmt::Debug for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReasonCode({:#04X})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_an_error_from_0x80_on() {
        for code in 0..=u8::MAX {
            assert_eq!(ReasonCode(code).is_error(), code >= 0x80);
        }
    }

    #[test]
    fn each_packet_has_as_many_codes_as_its_section_lists() {
        // Counted in the tables of 5.0, sections 3.2.2.2 to 3.15.2.1; DISCONNECT has 0x8C more, from table 2-6.
        let counts = [
            (PacketType::Connect, 0),
            (PacketType::ConnAck, 22),
            (PacketType::Publish, 0),
            (PacketType::PubAck, 9),
            (PacketType::PubRec, 9),
            (PacketType::PubRel, 2),
            (PacketType::PubComp, 2),
            (PacketType::Subscribe, 0),
            (PacketType::SubAck, 12),
            (PacketType::Unsubscribe, 0),
            (PacketType::UnsubAck, 7),
            (PacketType::PingReq, 0),
            (PacketType::PingResp, 0),
            (PacketType::Disconnect, 29 + 1),
            (PacketType::Auth, 3),
        ];
        for (packet, count) in counts {
            let allowed = (0..=u8::MAX).filter(|code| ReasonCode(*code).allowed_in(packet)).count();
            assert_eq!(allowed, count, "{packet}");
        }
    }

    #[test]
    fn every_known_code_has_a_name_and_a_packet() {
        for code in (0..=u8::MAX).map(ReasonCode) {
            assert_eq!(code.name().is_some(), ReasonCode::ALL.contains(&code));
            assert_eq!(code.name().is_some(), PacketType::ALL.iter().any(|packet| code.allowed_in(*packet)));
        }
    }
}
