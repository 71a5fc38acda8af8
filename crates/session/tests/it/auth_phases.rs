//! Every packet and every call in every phase of an authentication, in both roles: all sequences of them up to a length, against a table.
//!
//! The table knows where an exchange stands and whose turn it is, and nothing else; what it says is section 4.12 of 5.0.

use std::collections::BTreeMap;

use headwater_codec::{
    ConnAck, Connect, Delivery, Disconnect, Filters, Packet, PacketType, Properties, Property, PubAck,
    PubComp, PubRec, PubRel, ReasonCode, SubAck, Subscribe, SubscribeFilter, TopicFilters, UnsubAck,
    Unsubscribe, Version,
};
use headwater_session::{AuthData, Millis, Misuse, ProtocolError, client, server};
use headwater_topic::TopicFilter;

use crate::auth::{METHOD, NAMED, OTHER, auth};
use crate::server::{id, publish};

use ReasonCode as Reason;

/// Sequences this long, behind CONNECT.
const LENGTH: usize = 5;
/// Later than any deadline.
const LATE: Millis = Millis(1_000_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stands {
    /// CONNECT is there, CONNACK is not.
    Asked(Turn),
    Open(Turn),
    Closed,
}

/// Whose step is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Nobody,
    Ours,
    Theirs,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Letter {
    Packet(Packet<'static>),
    /// The caller's.
    Call(Call),
    /// Every deadline has passed.
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
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
enum Outcome {
    /// No event, or none about authentication, and no error.
    Fine,
    /// The caller is told of the peer's step.
    Auth,
    Error(ProtocolError),
    Misuse(Misuse),
}

/// What leaves: the packet, its reason, its method.
type Leaves = Option<(PacketType, ReasonCode, bool)>;

fn packets() -> Vec<Packet<'static>> {
    let filter = TopicFilter::parse("a").unwrap();
    // Few, and for as long as the test runs.
    let filters: &'static [SubscribeFilter<'static>] =
        vec![SubscribeFilter::new(filter, headwater_codec::QoS::AtMostOnce)].leak();
    let names: &'static [TopicFilter<'static>] = vec![filter].leak();
    let properties = Properties::EMPTY;
    let with = |properties: &'static [Property<'static>]| ConnAck {
        properties: Properties::from(properties),
        ..ConnAck::accepted(false)
    };
    vec![
        Packet::Connect(Connect::new(Version::V5, "client")),
        Packet::ConnAck(with(NAMED)),
        Packet::ConnAck(with(OTHER)),
        Packet::ConnAck(with(&[])),
        Packet::ConnAck(ConnAck::refused(Reason::NOT_AUTHORIZED)),
        publish(Delivery::AtMostOnce),
        Packet::PubAck(PubAck::new(id(9))),
        Packet::PubRec(PubRec::with_reason(id(9), Reason::QUOTA_EXCEEDED)),
        Packet::PubRel(PubRel::with_reason(id(9), Reason::SUCCESS)),
        Packet::PubComp(PubComp::with_reason(id(9), Reason::SUCCESS)),
        Packet::Subscribe(Subscribe { packet_id: id(1), properties, filters: Filters::from(filters) }),
        Packet::SubAck(SubAck::new(id(1), &[Reason::SUCCESS])),
        Packet::Unsubscribe(Unsubscribe { packet_id: id(1), properties, filters: TopicFilters::from(names) }),
        Packet::UnsubAck(UnsubAck::new(id(1), &[Reason::SUCCESS])),
        Packet::PingReq,
        Packet::PingResp,
        Packet::Disconnect(Disconnect::new(Reason::SUCCESS)),
        auth(Reason::CONTINUE_AUTHENTICATION, NAMED),
        auth(Reason::RE_AUTHENTICATE, NAMED),
        auth(Reason::SUCCESS, NAMED),
        auth(Reason::SUCCESS, &[]),
        auth(Reason::CONTINUE_AUTHENTICATION, OTHER),
        auth(Reason::RE_AUTHENTICATE, OTHER),
    ]
}

fn names_method(packet: &Packet<'_>) -> Option<&'static str> {
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

fn server_says(stands: Stands, method: bool, letter: &Letter) -> (Stands, Outcome, Leaves) {
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

fn client_says(stands: Stands, method: bool, letter: &Letter) -> (Stands, Outcome, Leaves) {
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

/// A session of either role.
enum Side {
    Server(server::Session<u32>),
    Client(client::Session<u32>),
}

impl Side {
    fn new(is_server: bool, method: bool) -> Self {
        let mut connect = Connect::new(Version::V5, "client");
        connect.properties = Properties::from(if method { NAMED } else { &[] });
        if is_server {
            let mut session = server::Session::new(server::Config::default(), Millis(0));
            session.handle(Packet::Connect(connect), Millis(0)).unwrap();
            return Self::Server(session);
        }
        let mut session = client::Session::new(client::Config::default());
        session.connect(&connect, Millis(0)).unwrap();
        let mut side = Self::Client(session);
        side.leaves();
        side
    }

    fn make(&mut self, letter: &Letter) -> Outcome {
        let said = |outcome: Result<bool, ProtocolError>| match outcome {
            Ok(true) => Outcome::Auth,
            Ok(false) => Outcome::Fine,
            Err(error) => Outcome::Error(error),
        };
        let called = |outcome: Result<(), Misuse>| outcome.map_or_else(Outcome::Misuse, |()| Outcome::Fine);
        match (self, letter) {
            (Self::Server(session), Letter::Packet(packet)) => said(
                session.handle(*packet, Millis(0)).map(|event| matches!(event, Some(server::Event::Auth(_)))),
            ),
            (Self::Client(session), Letter::Packet(packet)) => said(
                session.handle(*packet, Millis(0)).map(|event| matches!(event, Some(client::Event::Auth(_)))),
            ),
            (Self::Server(session), Letter::Late) => said(session.handle_timeout(LATE).map(|()| false)),
            (Self::Client(session), Letter::Late) => said(session.handle_timeout(LATE).map(|()| false)),
            (Self::Server(session), Letter::Call(call)) => {
                let accept = server::Accept::default();
                called(match call {
                    Call::Challenge => session.challenge(b"data"),
                    Call::Authenticated => session.authenticated(AuthData::EMPTY),
                    Call::Accept => session.accept(None, &accept, Millis(0)),
                    Call::AcceptAuthenticated => session.accept(None, &accept.authenticated(None), Millis(0)),
                    Call::Refuse => session.refuse(Reason::BAD_AUTHENTICATION_METHOD),
                    Call::Disconnect => {
                        session.disconnect(Reason::NOT_AUTHORIZED);
                        Ok(())
                    }
                    Call::Authenticate | Call::Reauthenticate => unreachable!("a client's"),
                })
            }
            (Self::Client(session), Letter::Call(call)) => called(match call {
                Call::Authenticate => session.authenticate(b"data"),
                Call::Reauthenticate => session.reauthenticate(b"data", Millis(0)),
                Call::Disconnect => {
                    session.disconnect(Reason::NOT_AUTHORIZED);
                    Ok(())
                }
                _ => unreachable!("a server's"),
            }),
        }
    }

    /// What is written; the packet, if it is one.
    fn leaves(&mut self) -> Leaves {
        let bytes = match self {
            Self::Server(session) => crate::server::control(session),
            Self::Client(session) => crate::client::control(session, Millis(0)),
        };
        if bytes.is_empty() {
            return None;
        }
        let packet = Packet::decode(&bytes, Version::V5).unwrap();
        let reason = match &packet {
            Packet::ConnAck(packet) => packet.reason,
            Packet::PubComp(packet) => packet.reason,
            Packet::Disconnect(packet) => packet.reason,
            Packet::Auth(packet) => packet.reason,
            _ => Reason::SUCCESS,
        };
        Some((packet.packet_type(), reason, names_method(&packet) == Some(METHOD)))
    }

    fn check(&self, stands: Stands) {
        let (is_open, is_closed, deadline, wants) = match self {
            Self::Server(session) => (
                session.is_open(),
                session.is_closed(),
                session.next_deadline(),
                Some(session.wants_packet()),
            ),
            Self::Client(session) => (session.is_open(), session.is_closed(), session.next_deadline(), None),
        };
        assert_eq!(is_open, matches!(stands, Stands::Open(_)));
        assert_eq!(is_closed, stands == Stands::Closed);
        // An exchange that is under way has an end.
        let has_end = matches!(stands, Stands::Asked(_) | Stands::Open(Turn::Ours | Turn::Theirs));
        assert_eq!(deadline, has_end.then_some(Millis(10_000)));
        let held_back = matches!(stands, Stands::Asked(Turn::Nobody | Turn::Ours));
        assert!(wants.is_none_or(|wants| wants != held_back));
    }
}

/// Goes through all sequences that go on from this one; each begins anew, for a session cannot be copied.
fn walk(
    is_server: bool,
    method: bool,
    letters: &[Letter],
    path: &mut Vec<usize>,
    stands: Stands,
    seen: &mut BTreeMap<Stands, usize>,
) {
    *seen.entry(stands).or_default() += 1;
    // One more step behind the end shows that nothing follows it.
    let ended = path.len() > 1 && stands == Stands::Closed;
    for (index, letter) in letters.iter().enumerate() {
        let mut side = Side::new(is_server, method);
        for before in path.iter() {
            side.make(&letters[*before]);
            side.leaves();
        }
        side.check(stands);
        let (next, outcome, leaves) =
            if is_server { server_says(stands, method, letter) } else { client_says(stands, method, letter) };
        let story = || -> Vec<&Letter> { path.iter().map(|before| &letters[*before]).collect() };
        let found = (side.make(letter), side.leaves());
        assert_eq!(found, (outcome, leaves), "{letter:?} behind {:?}, method {method}", story());
        side.check(next);
        if path.len() + 1 < LENGTH && !ended && stands != Stands::Closed {
            path.push(index);
            walk(is_server, method, letters, path, next, seen);
            path.pop();
        }
    }
}

fn run(is_server: bool, calls: &[Call]) {
    let mut letters: Vec<Letter> = packets().into_iter().map(Letter::Packet).collect();
    letters.extend(calls.iter().copied().map(Letter::Call));
    letters.push(Letter::Late);
    let types: std::collections::BTreeSet<u8> = letters
        .iter()
        .filter_map(
            |letter| if let Letter::Packet(packet) = letter { Some(packet.packet_type()) } else { None },
        )
        .map(|packet_type| packet_type.as_u8())
        .collect();
    assert_eq!(types.len(), 15, "every packet there is");
    for method in [false, true] {
        let first = match (is_server, method) {
            (_, false) => Turn::Nobody,
            (true, true) => Turn::Ours,
            (false, true) => Turn::Theirs,
        };
        let mut seen = BTreeMap::new();
        walk(is_server, method, &letters, &mut Vec::new(), Stands::Asked(first), &mut seen);
        println!("server {is_server}, method {method}: {seen:?}");
        // Closed, Asked and Open: with a method each turn there is in each of them.
        assert_eq!(seen.len(), if method { 6 } else { 3 }, "{seen:?}");
    }
}

#[test]
fn a_server_answers_every_packet_and_every_call_in_every_phase_as_the_table_says() {
    let calls = [
        Call::Challenge,
        Call::Authenticated,
        Call::Accept,
        Call::AcceptAuthenticated,
        Call::Refuse,
        Call::Disconnect,
    ];
    run(true, &calls);
}

#[test]
fn a_client_answers_every_packet_and_every_call_in_every_phase_as_the_table_says() {
    run(false, &[Call::Authenticate, Call::Reauthenticate, Call::Disconnect]);
}
