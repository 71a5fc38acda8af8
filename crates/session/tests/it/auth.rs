//! Enhanced authentication (5.0, section 4.12), clause by clause: the server's side, and both sides together.

use headwater_codec::{
    Auth, Connect, Disconnect, Packet, PacketType, Properties, Property, QoS, ReasonCode, Version,
};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{AuthData, Millis, Misuse, ProtocolError, Transmit, client};

use crate::auth_client;
use crate::server::{at_least_once, control, encoded, exactly_once, publish, receipt};

pub(crate) const METHOD: &str = "cards";
pub(crate) const NAMED: &[Property<'_>] = &[Property::AuthenticationMethod(METHOD)];
pub(crate) const OTHER: &[Property<'_>] = &[Property::AuthenticationMethod("dice")];
const WITH_DATA: &[Property<'_>] =
    &[Property::AuthenticationMethod(METHOD), Property::AuthenticationData(b"ace")];
pub(crate) const TEXT: &str = "one more card";
pub(crate) const PAIRS: &[(&str, &str)] = &[("suit", "hearts"), ("suit", "spades")];

pub(crate) fn auth(reason: ReasonCode, properties: &'static [Property<'static>]) -> Packet<'static> {
    Packet::Auth(Auth::new(reason, Properties::from(properties)))
}

/// A session whose client names the method, and these properties.
pub(crate) fn asked(config: Config, more: &[Property<'_>]) -> Session<u32> {
    let mut session = Session::new(config, Millis(0));
    let properties: Vec<Property<'_>> = NAMED.iter().chain(more).copied().collect();
    let mut connect = Connect::new(Version::V5, "client");
    connect.keep_alive_secs = 10;
    connect.properties = Properties::from(&properties[..]);
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session
}

/// A session that let such a client in.
pub(crate) fn open(config: Config, more: &[Property<'_>]) -> Session<u32> {
    let mut session = asked(config, more);
    session.accept(None, &Accept::default().authenticated(None), Millis(0)).unwrap();
    control(&mut session);
    session
}

/// The reason of an AUTH, and its properties: method, data, reason string, how many user properties.
pub(crate) type Said = (ReasonCode, Option<String>, Option<Vec<u8>>, Option<String>, usize);

pub(crate) fn said(bytes: &[u8]) -> Said {
    let Packet::Auth(Auth { reason, properties }) = Packet::decode(bytes, Version::V5).unwrap() else {
        panic!("{bytes:?}")
    };
    (
        reason,
        properties.authentication_method().map(str::to_owned),
        properties.authentication_data().map(<[u8]>::to_vec),
        properties.reason_string().map(str::to_owned),
        properties.user_properties().count(),
    )
}

#[test]
fn a_server_asks_for_more_by_auth_with_the_method_of_connect() {
    // [MQTT-4.12.0-2] [MQTT-4.12.0-5]
    let mut session = asked(Config::default(), &[]);
    session.challenge(b"deal").unwrap();
    let expected = [Property::AuthenticationMethod(METHOD), Property::AuthenticationData(b"deal")];
    let expected = Auth::new(ReasonCode::CONTINUE_AUTHENTICATION, Properties::from(&expected[..]));
    assert_eq!(control(&mut session), encoded(&[Packet::Auth(expected)], Version::V5));

    // Also without data, and with words.
    let mut session = asked(Config::default(), &[]);
    session.challenge(AuthData::EMPTY.reason_string(TEXT).user_properties(PAIRS)).unwrap();
    let expected =
        (ReasonCode::CONTINUE_AUTHENTICATION, Some(METHOD.into()), None, Some(TEXT.into()), PAIRS.len());
    assert_eq!(said(&control(&mut session)), expected);
}

#[test]
fn a_server_takes_an_answer_with_0x18_and_the_method_of_connect_and_no_other() {
    // [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1]
    let challenged = || {
        let mut session = asked(Config::default(), &[]);
        session.challenge(b"deal").unwrap();
        control(&mut session);
        assert!(session.wants_packet());
        session
    };
    let mut session = challenged();
    let answer = session.handle(auth(ReasonCode::CONTINUE_AUTHENTICATION, WITH_DATA), Millis(1)).unwrap();
    let Some(Event::Auth(answer)) = answer else { panic!("{answer:?}") };
    assert_eq!(answer.properties.authentication_data(), Some(&b"ace"[..]));
    assert!(!session.wants_packet(), "it is the caller's turn");

    use ProtocolError::{AuthOutOfTurn, WrongAuthMethod, WrongAuthReason};
    let wrong_method = WrongAuthMethod { packet: PacketType::Auth };
    for (packet, error) in [
        (auth(ReasonCode::CONTINUE_AUTHENTICATION, OTHER), wrong_method),
        // The empty body that section 3.15.2.1 knows.
        (auth(ReasonCode::SUCCESS, &[]), wrong_method),
        (auth(ReasonCode::SUCCESS, NAMED), WrongAuthReason { reason: ReasonCode::SUCCESS }),
        (auth(ReasonCode::RE_AUTHENTICATE, NAMED), AuthOutOfTurn { reason: ReasonCode::RE_AUTHENTICATE }),
    ] {
        let mut session = challenged();
        assert_eq!(session.handle(packet, Millis(1)), Err(error), "{packet:?}");
        assert_eq!(control(&mut session), [0x20, 3, 0, ReasonCode::PROTOCOL_ERROR.0, 0]);
        assert!(session.is_closed());
    }
}

#[test]
fn a_connack_that_lets_in_names_the_method_and_brings_the_last_data() {
    // [MQTT-4.12.0-5]
    for data in [None, Some(&b"king"[..])] {
        let mut session = asked(Config::default(), &[]);
        let accept = Accept::default().authenticated(data);
        assert_eq!(session.check_accept(&accept), Ok(()));
        session.accept(None, &accept, Millis(0)).unwrap();
        let bytes = control(&mut session);
        let Packet::ConnAck(connack) = Packet::decode(&bytes, Version::V5).unwrap() else { panic!() };
        assert_eq!(connack.reason, ReasonCode::SUCCESS);
        assert_eq!(connack.properties.authentication_method(), Some(METHOD));
        assert_eq!(connack.properties.authentication_data(), data);
    }
}

#[test]
fn a_server_refuses_at_any_point_and_that_is_the_end() {
    // [MQTT-4.12.0-1] [MQTT-4.12.0-4]
    for reason in [ReasonCode::NOT_AUTHORIZED, ReasonCode::BAD_AUTHENTICATION_METHOD] {
        for challenges in 0..6 {
            let mut session = asked(Config::default(), &[]);
            for step in 0..challenges {
                if step % 2 == 0 {
                    session.challenge(b"deal").unwrap();
                } else {
                    session.handle(auth(ReasonCode::CONTINUE_AUTHENTICATION, WITH_DATA), Millis(1)).unwrap();
                }
            }
            control(&mut session);
            session.refuse(reason).unwrap();
            assert_eq!(control(&mut session), [0x20, 3, 0, reason.0, 0]);
            assert!(session.is_closed());
            assert_eq!(session.challenge(b"deal"), Err(Misuse::WrongPhase));
            let late = auth(ReasonCode::CONTINUE_AUTHENTICATION, WITH_DATA);
            assert_eq!(session.handle(late, Millis(1)), Ok(None));
            assert_eq!(control(&mut session), []);
            assert_eq!(session.into_state(), None);
        }
    }
}

#[test]
fn without_a_method_there_is_no_auth_and_no_method_from_the_server() {
    // [MQTT-4.12.0-6]
    for version in [Version::V5, Version::V3_1_1, Version::V3_1] {
        let mut session = crate::server::asked(version, Config::default());
        assert_eq!(session.challenge(b"deal"), Err(Misuse::NoAuthenticationMethod));
        let accept = Accept::default().authenticated(Some(b"king"));
        assert_eq!(session.check_accept(&accept), Err(Misuse::NoAuthenticationMethod));
        assert_eq!(session.accept(None, &accept, Millis(0)), Err(Misuse::NoAuthenticationMethod));
        // Data without the word is not sent either.
        let mut accept = Accept::default();
        accept.authentication_data = Some(b"king");
        session.accept(None, &accept, Millis(0)).unwrap();
        let bytes = control(&mut session);
        let Packet::ConnAck(connack) = Packet::decode(&bytes, version).unwrap() else { panic!() };
        assert_eq!(connack.properties.authentication_method(), None);
        assert_eq!(connack.properties.authentication_data(), None);
        assert_eq!(session.challenge(b"deal"), Err(Misuse::NoAuthenticationMethod));
        assert_eq!(session.authenticated(b"king"), Err(Misuse::NoAuthenticationMethod));
        assert_eq!(control(&mut session), []);
    }
}

#[test]
fn a_client_authenticates_again_with_the_same_method_only() {
    // [MQTT-4.12.1-1]
    let mut session = open(Config::default(), &[]);
    let event = session.handle(auth(ReasonCode::RE_AUTHENTICATE, WITH_DATA), Millis(1)).unwrap();
    assert!(matches!(event, Some(Event::Auth(auth)) if auth.reason == ReasonCode::RE_AUTHENTICATE));
    session.authenticated(AuthData::new(b"king").reason_string(TEXT)).unwrap();
    let expected = (ReasonCode::SUCCESS, Some(METHOD.into()), Some(b"king".to_vec()), Some(TEXT.into()), 0);
    assert_eq!(said(&control(&mut session)), expected);
    assert!(session.is_open());

    let wrong = auth(ReasonCode::RE_AUTHENTICATE, OTHER);
    let error = ProtocolError::WrongAuthMethod { packet: PacketType::Auth };
    assert_eq!(session.handle(wrong, Millis(1)), Err(error));
    let farewell = Packet::Disconnect(Disconnect::new(ReasonCode::PROTOCOL_ERROR));
    assert_eq!(control(&mut session), encoded(&[farewell], Version::V5));
    assert!(session.is_closed());
}

#[test]
fn another_authentication_that_fails_ends_the_connection() {
    // [MQTT-4.12.1-2]
    for challenged in [false, true] {
        let mut session = open(Config::default(), &[]);
        session.handle(auth(ReasonCode::RE_AUTHENTICATE, WITH_DATA), Millis(1)).unwrap();
        if challenged {
            session.challenge(b"deal").unwrap();
            control(&mut session);
            session.handle(auth(ReasonCode::CONTINUE_AUTHENTICATION, WITH_DATA), Millis(1)).unwrap();
        }
        session.disconnect(ReasonCode::NOT_AUTHORIZED);
        let farewell = Packet::Disconnect(Disconnect::new(ReasonCode::NOT_AUTHORIZED));
        assert_eq!(control(&mut session), encoded(&[farewell], Version::V5));
        assert!(session.is_closed());
        assert_eq!(session.authenticated(b"king"), Err(Misuse::WrongPhase));
        assert!(session.into_state().is_some(), "the session outlives it as it does any end");
    }
}

#[test]
fn messages_go_on_while_a_client_authenticates_again() {
    // Section 4.12.1: by the authentication that was there before.
    let mut session = open(Config::default(), &[]);
    session.handle(auth(ReasonCode::RE_AUTHENTICATE, WITH_DATA), Millis(1)).unwrap();
    for challenged in [false, true] {
        if challenged {
            session.challenge(b"deal").unwrap();
            said(&control(&mut session));
        }
        let receipt = receipt(&mut session, at_least_once(7));
        session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
        assert_eq!(control(&mut session), [0x40, 2, 0, 7]);
        session.publish(1, QoS::AtMostOnce).unwrap();
        assert!(matches!(session.poll_transmit(), Some(Transmit::Publish { message: 1, .. })));
        session.handle(Packet::PingReq, Millis(2)).unwrap();
        assert_eq!(control(&mut session), [0xD0, 0]);
    }
}

#[test]
fn an_auth_is_never_larger_than_the_client_takes_and_its_words_go_first() {
    // [MQTT-3.1.2-24] [MQTT-3.15.2-2] [MQTT-3.15.2-3]
    let words = AuthData::new(b"deal").reason_string(TEXT).user_properties(PAIRS);
    let mut session = asked(Config::default(), &[]);
    session.challenge(words).unwrap();
    let whole = control(&mut session).len();
    let mut session = asked(Config::default(), &[]);
    session.challenge(b"deal").unwrap();
    let bare = control(&mut session).len();
    let mut seen = [0; 3];
    for limit in 1..=whole + 1 {
        let maximum = Property::MaximumPacketSize(u32::try_from(limit).unwrap().try_into().unwrap());
        let mut session = asked(Config::default(), &[maximum]);
        let challenged = session.challenge(words);
        let bytes = control(&mut session);
        assert!(bytes.len() <= limit);
        assert_eq!(challenged.is_ok(), limit >= bare, "{limit}: the data is not left out");
        if challenged.is_err() {
            assert!(matches!(challenged, Err(Misuse::Encode(_))));
            assert_eq!(session.challenge(AuthData::EMPTY).is_ok(), limit >= bare - 7, "nothing has changed");
            continue;
        }
        let (_, _, data, string, pairs) = said(&bytes);
        assert_eq!(data.as_deref(), Some(&b"deal"[..]));
        assert_eq!(pairs == 2, limit >= whole, "all of them as soon as there is room");
        assert!(pairs == 0 || string.is_some(), "the reason string is worth more");
        seen[usize::from(string.is_some()) + usize::from(pairs > 0)] += 1;
    }
    assert!(seen.iter().all(|times| *times > 0), "{seen:?}");
}

#[test]
fn a_client_that_wants_no_problem_information_gets_no_words_in_auth() {
    // [MQTT-3.1.2-29]
    let mut session = asked(Config::default(), &[Property::RequestProblemInformation(false)]);
    session.challenge(AuthData::new(b"deal").reason_string(TEXT).user_properties(PAIRS)).unwrap();
    let (_, _, data, string, pairs) = said(&control(&mut session));
    assert_eq!((data.as_deref(), string, pairs), (Some(&b"deal"[..]), None, 0));
}

#[test]
fn data_that_cannot_be_encoded_changes_nothing() {
    let long = vec![0; 65_536];
    let mut session = asked(Config::default(), &[]);
    assert!(matches!(session.challenge(&long[..]), Err(Misuse::Encode(_))));
    let accept = Accept::default().authenticated(Some(&long));
    assert!(matches!(session.check_accept(&accept), Err(Misuse::Encode(_))));
    assert!(matches!(session.accept(None, &accept, Millis(0)), Err(Misuse::Encode(_))));
    assert_eq!(control(&mut session), []);
    session.challenge(&long[1..]).unwrap();
    assert_eq!(said(&control(&mut session)).2.map(|data| data.len()), Some(65_535));
}

#[test]
fn an_authentication_has_the_time_of_connect_however_many_steps_it_takes() {
    let mut session = asked(Config::default(), &[]);
    for now in (1_000..9_000).step_by(1_000).map(Millis) {
        session.challenge(b"deal").unwrap();
        assert_eq!(session.next_deadline(), Some(Millis(10_000)));
        assert_eq!(session.handle_timeout(now), Ok(()));
        session.handle(auth(ReasonCode::CONTINUE_AUTHENTICATION, WITH_DATA), now).unwrap();
        assert_eq!(session.next_deadline(), Some(Millis(10_000)));
    }
    control(&mut session);
    // The caller's turn: it is not the client that was late.
    assert_eq!(session.handle_timeout(Millis(10_000)), Err(ProtocolError::ConnectTimeout));
    assert_eq!(control(&mut session), [0x20, 3, 0, ReasonCode::SERVER_UNAVAILABLE.0, 0]);
    assert!(session.is_closed());

    let mut session = asked(Config::default(), &[]);
    session.challenge(b"deal").unwrap();
    control(&mut session);
    assert_eq!(session.handle_timeout(Millis(10_000)), Err(ProtocolError::AuthTimeout));
    assert_eq!(control(&mut session), [0x20, 3, 0, ReasonCode::UNSPECIFIED_ERROR.0, 0]);
    assert_eq!((session.is_closed(), session.next_deadline()), (true, None));
}

#[test]
fn another_authentication_has_a_time_of_its_own_and_keep_alive_goes_on_meanwhile() {
    let mut session = open(Config { connect_timeout_millis: 20_000, ..Config::default() }, &[]);
    assert_eq!(session.next_deadline(), Some(Millis(15_000)), "one and a half keep alives");
    session.handle(auth(ReasonCode::RE_AUTHENTICATE, WITH_DATA), Millis(14_000)).unwrap();
    session.challenge(b"deal").unwrap();
    assert_eq!(session.next_deadline(), Some(Millis(29_000)), "the client was heard");
    session.handle(Packet::PingReq, Millis(20_000)).unwrap();
    assert_eq!(session.next_deadline(), Some(Millis(34_000)), "the time of the authentication comes first");
    control(&mut session);
    assert_eq!(session.handle_timeout(Millis(33_999)), Ok(()));
    assert_eq!(session.handle_timeout(Millis(34_000)), Err(ProtocolError::AuthTimeout));
    let farewell = Packet::Disconnect(Disconnect::new(ReasonCode::UNSPECIFIED_ERROR));
    assert_eq!(control(&mut session), encoded(&[farewell], Version::V5));

    let mut session = open(Config { connect_timeout_millis: 20_000, ..Config::default() }, &[]);
    session.handle(auth(ReasonCode::RE_AUTHENTICATE, WITH_DATA), Millis(0)).unwrap();
    assert_eq!(session.handle_timeout(Millis(15_000)), Err(ProtocolError::KeepAliveTimeout));

    // One that is over has no time any more.
    let mut session = open(Config::default(), &[]);
    session.handle(auth(ReasonCode::RE_AUTHENTICATE, WITH_DATA), Millis(14_000)).unwrap();
    session.authenticated(AuthData::EMPTY).unwrap();
    assert_eq!(session.next_deadline(), Some(Millis(29_000)));
}

#[test]
fn an_authentication_leaves_the_state_of_the_session_alone() {
    let mut session = open(Config::default(), &[Property::SessionExpiryInterval(100)]);
    session.publish(1, QoS::ExactlyOnce).unwrap();
    session.handle(publish(exactly_once(3)), Millis(1)).unwrap();
    while session.poll_transmit().is_some() {}
    session.record_changes(10);
    let (state, revision) = (session.state(), session.revision());
    session.handle(auth(ReasonCode::RE_AUTHENTICATE, WITH_DATA), Millis(1)).unwrap();
    session.challenge(b"deal").unwrap();
    session.handle(auth(ReasonCode::CONTINUE_AUTHENTICATION, WITH_DATA), Millis(1)).unwrap();
    session.authenticated(AuthData::EMPTY).unwrap();
    control(&mut session);
    assert_eq!(session.poll_change(), Ok(None));
    assert_eq!(session.revision(), revision);
    assert_eq!(session.state(), state);
}

/// Takes whatever the client has to say to the server, and back, until nothing more is said; each packet arrives on its own.
fn talk(client: &mut client::Session<u32>, server: &mut Session<u32>, rounds: u8) -> Vec<String> {
    let mut story = Vec::new();
    let mut left = rounds;
    loop {
        let bytes = auth_client::control(client, Millis(0));
        let back = if bytes.is_empty() {
            control(server)
        } else {
            let event = server.handle(Packet::decode(&bytes, Version::V5).unwrap(), Millis(0)).unwrap();
            match event {
                Some(Event::Connect(_) | Event::Auth(_)) if left > 0 => {
                    left -= 1;
                    server.challenge(&[left]).unwrap();
                }
                Some(Event::Connect(_)) => {
                    server.accept(None, &Accept::default().authenticated(Some(b"king")), Millis(0)).unwrap();
                }
                Some(Event::Auth(_)) if server.is_open() => server.authenticated(b"king").unwrap(),
                Some(Event::Auth(_)) => {
                    server.accept(None, &Accept::default().authenticated(Some(b"king")), Millis(0)).unwrap();
                }
                other => panic!("{other:?}"),
            }
            control(server)
        };
        if back.is_empty() {
            return story;
        }
        match client.handle(Packet::decode(&back, Version::V5).unwrap(), Millis(0)).unwrap() {
            Some(client::Event::Auth(auth)) if auth.reason == ReasonCode::CONTINUE_AUTHENTICATION => {
                let data = auth.properties.authentication_data().unwrap().to_vec();
                client.authenticate(&data[..]).unwrap();
                story.push(format!("asked for {data:?}"));
            }
            Some(client::Event::Auth(auth)) => {
                assert_eq!(auth.reason, ReasonCode::SUCCESS);
                assert_eq!(auth.properties.authentication_data(), Some(&b"king"[..]));
                story.push("content".into());
            }
            Some(client::Event::Connected { connack, .. }) => {
                assert_eq!(connack.properties.authentication_data(), Some(&b"king"[..]));
                story.push("let in".into());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn both_sides_go_through_any_number_of_rounds_before_connack_and_again_behind_it() {
    for rounds in 0..6 {
        let mut client = auth_client::asked(&[]);
        let mut server = Session::<u32>::new(Config::default(), Millis(0));
        let story = talk(&mut client, &mut server, rounds);
        assert_eq!((story.len(), story.last().unwrap().as_str()), (usize::from(rounds) + 1, "let in"));
        for again in 0..3 {
            client.reauthenticate(b"ace", Millis(0)).unwrap();
            let story = talk(&mut client, &mut server, again);
            assert_eq!((story.len(), story.last().unwrap().as_str()), (usize::from(again) + 1, "content"));
        }
        assert!(client.is_open() && server.is_open());
    }
}
