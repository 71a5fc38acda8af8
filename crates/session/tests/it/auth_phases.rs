//! Every packet and every call in every phase of an authentication, in both roles: all sequences of them up to a length, against a table.

use std::collections::{BTreeMap, BTreeSet};

use headwater_codec::{
    ConnAck, Connect, Delivery, Disconnect, Filters, Packet, Properties, Property, PubAck, PubComp, PubRec,
    PubRel, QoS, ReasonCode as Reason, SubAck, Subscribe, SubscribeFilter, TopicFilters, UnsubAck,
    Unsubscribe, Version,
};
use headwater_session::{AuthData, Millis, Misuse, ProtocolError, client, server};
use headwater_topic::TopicFilter;

use crate::auth::{METHOD, NAMED, OTHER, auth};
use crate::auth_table::{
    Call, Leaves, Letter, Outcome, Stands, Turn, client_says, names_method, server_says,
};
use crate::server::{id, publish};

/// Sequences this long, behind CONNECT.
const LENGTH: usize = 5;
/// Later than any deadline.
const LATE: Millis = Millis(1_000_000);

fn packets() -> Vec<Packet<'static>> {
    let filter = TopicFilter::parse("a").unwrap();
    // Few, and for as long as the test runs.
    let filters: &'static [SubscribeFilter<'static>] =
        vec![SubscribeFilter::new(filter, QoS::AtMostOnce)].leak();
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
    let types: BTreeSet<u8> = letters
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
