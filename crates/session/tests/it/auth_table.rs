//! A table of what an authentication (5.0, section 4.12) allows: it knows where an exchange stands and whose turn it is, and nothing else.

use headwater_codec::{Packet, PacketType, ReasonCode as Reason};
use headwater_session::{Misuse, ProtocolError};

use crate::auth::METHOD;
use crate::server::id;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stands {
    /// CONNECT is there, CONNACK is not.
    Asked(Turn),
    Open(Turn),
    Closed,
}

/// Whose step is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    Nobody,
    Ours,
    Theirs,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Letter {
    Packet(Packet<'static>),
    /// The caller's.
    Call(Call),
    /// Every deadline has passed.
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Server.
    Challenge,
    Authenticated,
    Accept,
    AcceptAuthenticated,
    Refuse,
    /// Client.
    Authenticate,
    Reauthenticate,
    /// Both.
    Disconnect,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// No event, or none about authentication, and no error.
    Fine,
    /// The caller is told of the peer's step.
    Auth,
    Error(ProtocolError),
    Misuse(Misuse),
}

/// What leaves: the packet, its reason, its method.
pub(crate) type Leaves = Option<(PacketType, Reason, bool)>;

pub(crate) fn names_method(packet: &Packet<'_>) -> Option<&'static str> {
    let properties = match packet {
        Packet::Auth(auth) => &auth.properties,
        Packet::ConnAck(connack) => &connack.properties,
        _ => return None,
    };
    [METHOD, "dice"].into_iter().find(|method| properties.authentication_method() == Some(method))
}

/// What an AUTH with this reason leads to, if the method is right.
fn step(turn: Turn, is_open: bool, is_server: bool, reason: Reason) -> Result<Turn, ProtocolError> {
    match (reason, turn) {
        // [MQTT-4.12.0-2] [MQTT-4.12.0-3]
        (Reason::CONTINUE_AUTHENTICATION, Turn::Theirs) => Ok(Turn::Ours),
        (Reason::CONTINUE_AUTHENTICATION, _) => Err(ProtocolError::AuthOutOfTurn { reason }),
        // [MQTT-4.12.1-1]
        (Reason::RE_AUTHENTICATE, Turn::Nobody) if is_server => Ok(Turn::Ours),
        (Reason::RE_AUTHENTICATE, _) if is_server => Err(ProtocolError::AuthOutOfTurn { reason }),
        (Reason::SUCCESS, Turn::Ours | Turn::Theirs) if !is_server && is_open => Ok(Turn::Nobody),
        (Reason::SUCCESS, _) if !is_server => Err(ProtocolError::AuthOutOfTurn { reason }),
        // 5.0, section 3.15.2.1: who may say what.
        _ => Err(ProtocolError::WrongAuthReason { reason }),
    }
}

/// What a packet of the peer leads to where an exchange can be: after CONNECT.
fn peer(stands: Stands, method: bool, is_server: bool, packet: &Packet<'_>) -> (Stands, Outcome, Leaves) {
    let packet_type = packet.packet_type();
    let (turn, is_open) = match stands {
        Stands::Closed => return (Stands::Closed, Outcome::Fine, None),
        Stands::Asked(turn) => (turn, false),
        Stands::Open(turn) => (turn, true),
    };
    let at = |turn| if is_open { Stands::Open(turn) } else { Stands::Asked(turn) };
    let fail = |error: ProtocolError| {
        let said = if is_server && !is_open { PacketType::ConnAck } else { PacketType::Disconnect };
        // [MQTT-3.1.2-30]: before CONNACK a client says it only in an exchange.
        let says = is_server || is_open || method;
        let leaves = says.then_some((said, error.reason_code(), false));
        (Stands::Closed, Outcome::Error(error), leaves)
    };
    let not_yet = ProtocolError::NotConnected { packet: packet_type };
    let wrong_direction = ProtocolError::WrongDirection { packet: packet_type };
    // A server reads nothing while its caller has to answer.
    if is_server && !is_open && turn != Turn::Theirs {
        return fail(not_yet);
    }
    match packet {
        // [MQTT-4.12.0-6] [MQTT-4.12.0-7]
        Packet::Auth(_) if !method => fail(ProtocolError::UnexpectedAuth),
        // [MQTT-4.12.0-5]
        Packet::Auth(_) if names_method(packet) != Some(METHOD) => {
            fail(ProtocolError::WrongAuthMethod { packet: packet_type })
        }
        Packet::Auth(auth) => match step(turn, is_open, is_server, auth.reason) {
            Ok(turn) => (at(turn), Outcome::Auth, None),
            Err(error) => fail(error),
        },
        Packet::Connect(_) if is_server => fail(ProtocolError::SecondConnect),
        Packet::Disconnect(_) if is_server || is_open => (Stands::Closed, Outcome::Fine, None),
        Packet::ConnAck(connack) if !is_server && !is_open => {
            if connack.reason.is_error() {
                (Stands::Closed, Outcome::Fine, None)
            } else if names_method(packet) != method.then_some(METHOD) {
                fail(ProtocolError::WrongAuthMethod { packet: packet_type })
            } else {
                (Stands::Open(Turn::Nobody), Outcome::Fine, None)
            }
        }
        // [MQTT-3.1.2-30] [MQTT-3.2.0-1]
        _ if !is_open => fail(not_yet),
        // What follows has nothing to do with authentication, and goes on whatever it does.
        Packet::Publish(_) | Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubComp(_) => {
            (stands, Outcome::Fine, None)
        }
        Packet::PubRel(_) => {
            let pubcomp = (PacketType::PubComp, Reason::PACKET_IDENTIFIER_NOT_FOUND, false);
            (stands, Outcome::Fine, Some(pubcomp))
        }
        Packet::Subscribe(_) | Packet::Unsubscribe(_) if is_server => (stands, Outcome::Fine, None),
        Packet::PingReq if is_server => {
            (stands, Outcome::Fine, Some((PacketType::PingResp, Reason::SUCCESS, false)))
        }
        Packet::PingResp if !is_server => (stands, Outcome::Fine, None),
        Packet::SubAck(_) | Packet::UnsubAck(_) if !is_server => {
            fail(ProtocolError::UnexpectedResponse { packet: packet_type, packet_id: id(1) })
        }
        _ => fail(wrong_direction),
    }
}

fn call(stands: Stands, method: bool, call: Call) -> (Stands, Outcome, Leaves) {
    let misuse = |misuse| (stands, Outcome::Misuse(misuse), None);
    let says = |reason| Some((PacketType::Auth, reason, true));
    let connack = |reason, method| Some((PacketType::ConnAck, reason, method));
    let disconnect = Some((PacketType::Disconnect, Reason::NOT_AUTHORIZED, false));
    match (call, stands) {
        // A client may take its leave in an exchange [MQTT-3.1.2-30]; a server sends no DISCONNECT before CONNACK [MQTT-3.14.0-1].
        (Call::Disconnect, Stands::Open(_)) => (Stands::Closed, Outcome::Fine, disconnect),
        (Call::Disconnect, _) => (Stands::Closed, Outcome::Fine, None),
        (_, Stands::Closed) => misuse(Misuse::WrongPhase),
        // [MQTT-4.12.0-1] [MQTT-4.12.0-4]
        (Call::Refuse, Stands::Asked(_)) => {
            (Stands::Closed, Outcome::Fine, connack(Reason::BAD_AUTHENTICATION_METHOD, false))
        }
        (Call::Refuse, Stands::Open(_)) => misuse(Misuse::WrongPhase),
        (Call::Accept | Call::AcceptAuthenticated, Stands::Asked(Turn::Theirs) | Stands::Open(_)) => {
            misuse(Misuse::WrongPhase)
        }
        (Call::Accept, Stands::Asked(_)) if method => misuse(Misuse::Authentication),
        (Call::AcceptAuthenticated, Stands::Asked(_)) if !method => misuse(Misuse::NoAuthenticationMethod),
        (Call::Accept | Call::AcceptAuthenticated, Stands::Asked(_)) => {
            (Stands::Open(Turn::Nobody), Outcome::Fine, connack(Reason::SUCCESS, method))
        }
        // [MQTT-4.12.0-6] [MQTT-4.12.0-7]
        _ if !method => misuse(Misuse::NoAuthenticationMethod),
        // [MQTT-4.12.0-2] [MQTT-4.12.0-3]
        (Call::Challenge | Call::Authenticate, Stands::Asked(Turn::Ours)) => {
            (Stands::Asked(Turn::Theirs), Outcome::Fine, says(Reason::CONTINUE_AUTHENTICATION))
        }
        (Call::Challenge | Call::Authenticate, Stands::Open(Turn::Ours)) => {
            (Stands::Open(Turn::Theirs), Outcome::Fine, says(Reason::CONTINUE_AUTHENTICATION))
        }
        (Call::Authenticated, Stands::Open(Turn::Ours)) => {
            (Stands::Open(Turn::Nobody), Outcome::Fine, says(Reason::SUCCESS))
        }
        // [MQTT-4.12.1-1]
        (Call::Reauthenticate, Stands::Open(Turn::Nobody)) => {
            (Stands::Open(Turn::Theirs), Outcome::Fine, says(Reason::RE_AUTHENTICATE))
        }
        _ => misuse(Misuse::WrongPhase),
    }
}

pub(crate) fn server_says(stands: Stands, method: bool, letter: &Letter) -> (Stands, Outcome, Leaves) {
    let late = |error: ProtocolError, packet| {
        (Stands::Closed, Outcome::Error(error), Some((packet, error.reason_code(), false)))
    };
    match (letter, stands) {
        (Letter::Packet(packet), _) => peer(stands, method, true, packet),
        (Letter::Call(one), _) => call(stands, method, *one),
        (Letter::Late, Stands::Asked(Turn::Theirs)) => late(ProtocolError::AuthTimeout, PacketType::ConnAck),
        (Letter::Late, Stands::Asked(_)) => late(ProtocolError::ConnectTimeout, PacketType::ConnAck),
        (Letter::Late, Stands::Open(Turn::Ours | Turn::Theirs)) => {
            late(ProtocolError::AuthTimeout, PacketType::Disconnect)
        }
        // There is no keep alive.
        (Letter::Late, Stands::Open(Turn::Nobody) | Stands::Closed) => (stands, Outcome::Fine, None),
    }
}

pub(crate) fn client_says(stands: Stands, method: bool, letter: &Letter) -> (Stands, Outcome, Leaves) {
    let late = |leaves| {
        let error = ProtocolError::AuthTimeout;
        let leaves: Leaves = leaves;
        (Stands::Closed, Outcome::Error(error), leaves)
    };
    let farewell = Some((PacketType::Disconnect, Reason::UNSPECIFIED_ERROR, false));
    match (letter, stands) {
        (Letter::Packet(packet), _) => peer(stands, method, false, packet),
        (Letter::Call(Call::Disconnect), Stands::Asked(_)) if method => {
            let disconnect = Some((PacketType::Disconnect, Reason::NOT_AUTHORIZED, false));
            (Stands::Closed, Outcome::Fine, disconnect)
        }
        (Letter::Call(one), _) => call(stands, method, *one),
        (Letter::Late, Stands::Asked(Turn::Ours)) => late(farewell),
        (Letter::Late, Stands::Asked(_)) => {
            (Stands::Closed, Outcome::Error(ProtocolError::ResponseTimeout), None)
        }
        (Letter::Late, Stands::Open(Turn::Ours | Turn::Theirs)) => late(farewell),
        (Letter::Late, Stands::Open(Turn::Nobody) | Stands::Closed) => (stands, Outcome::Fine, None),
    }
}
