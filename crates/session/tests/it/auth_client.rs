//! Enhanced authentication (5.0, section 4.12), clause by clause: the client's side.

use headwater_codec::{
    Auth, ConnAck, Connect, Disconnect, Packet, PacketType, Properties, Property, QoS, ReasonCode, Version,
};
use headwater_session::client::{Config, Event, Session};
use headwater_session::{AuthData, Millis, Misuse, ProtocolError, Transmit};

use crate::auth::{METHOD, NAMED, OTHER, PAIRS, TEXT, auth, said};
pub(crate) use crate::client::control;
use crate::server::{encoded, exactly_once, publish};

/// A client that has queued a CONNECT with the method, and these properties.
pub(crate) fn asked(more: &[Property<'_>]) -> Session<u32> {
    let mut session = Session::new(Config::default());
    connect(&mut session, more);
    session
}

fn connect(session: &mut Session<u32>, more: &[Property<'_>]) {
    let properties: Vec<Property<'_>> = NAMED.iter().chain(more).copied().collect();
    let mut connect = Connect::new(Version::V5, "client");
    connect.keep_alive_secs = 30;
    connect.clean_start = false;
    connect.properties = Properties::from(&properties[..]);
    session.connect(&connect, Millis(0)).unwrap();
}

/// A CONNACK that lets in, with the method and these properties.
fn welcome(session: &mut Session<u32>, more: &[Property<'_>]) {
    let properties: Vec<Property<'_>> = NAMED.iter().chain(more).copied().collect();
    let connack = ConnAck { properties: Properties::from(&properties[..]), ..ConnAck::accepted(false) };
    session.handle(Packet::ConnAck(connack), Millis(0)).unwrap();
}

fn open(more: &[Property<'_>]) -> Session<u32> {
    let mut session = asked(&[]);
    control(&mut session, Millis(0));
    welcome(&mut session, more);
    session
}

fn challenge() -> Packet<'static> {
    auth(ReasonCode::CONTINUE_AUTHENTICATION, NAMED)
}

fn farewell(reason: ReasonCode) -> Vec<u8> {
    encoded(&[Packet::Disconnect(Disconnect::new(reason))], Version::V5)
}

#[test]
fn a_client_answers_a_challenge_with_0x18_and_the_method_of_connect() {
    // [MQTT-4.12.0-3] [MQTT-4.12.0-5]
    let mut session = asked(&[]);
    control(&mut session, Millis(0));
    let event = session.handle(challenge(), Millis(0)).unwrap();
    assert!(matches!(event, Some(Event::Auth(Auth { reason: ReasonCode::CONTINUE_AUTHENTICATION, .. }))));
    session.authenticate(AuthData::new(b"ace").reason_string(TEXT).user_properties(PAIRS)).unwrap();
    let expected = (
        ReasonCode::CONTINUE_AUTHENTICATION,
        Some(METHOD.into()),
        Some(b"ace".to_vec()),
        Some(TEXT.into()),
        PAIRS.len(),
    );
    assert_eq!(said(&control(&mut session, Millis(0))), expected);
    assert_eq!(session.authenticate(b"ace"), Err(Misuse::WrongPhase), "once");
}

#[test]
fn a_client_sends_nothing_but_auth_and_disconnect_before_connack() {
    // [MQTT-3.1.2-30]: whatever the caller does and however long it takes.
    let mut session = asked(&[]);
    let bytes = control(&mut session, Millis(0));
    assert!(matches!(Packet::decode(&bytes, Version::V5), Ok(Packet::Connect(_))));
    session.publish(1, QoS::AtLeastOnce).unwrap();
    session.publish(2, QoS::ExactlyOnce).unwrap();
    for _ in 0..3 {
        assert!(session.poll_transmit(Millis(9_000)).is_none());
        assert!(session.publish(3, QoS::AtMostOnce).is_err());
        assert_eq!(session.unsubscribe(&[], Properties::EMPTY), Err(Misuse::WrongPhase));
        assert_eq!(session.reauthenticate(b"ace", Millis(0)), Err(Misuse::WrongPhase));
        assert_eq!(session.handle_timeout(Millis(9_999)), Ok(()), "no ping");
        session.handle(challenge(), Millis(0)).unwrap();
        session.authenticate(b"ace").unwrap();
        said(&control(&mut session, Millis(9_999)));
    }
    welcome(&mut session, &[]);
    assert!(matches!(session.poll_transmit(Millis(0)), Some(Transmit::Publish { message: 1, .. })));

    for challenged in [false, true] {
        let mut session = asked(&[]);
        control(&mut session, Millis(0));
        if challenged {
            session.handle(challenge(), Millis(0)).unwrap();
        }
        session.disconnect(ReasonCode::UNSPECIFIED_ERROR);
        assert_eq!(control(&mut session, Millis(0)), farewell(ReasonCode::UNSPECIFIED_ERROR));
        assert!(session.is_closed());
        assert_eq!(session.authenticate(b"ace"), Err(Misuse::WrongPhase));
    }
}

#[test]
fn a_server_that_names_another_method_or_none_is_not_believed() {
    // [MQTT-4.12.0-5]
    for (reason, properties) in [
        (ReasonCode::CONTINUE_AUTHENTICATION, OTHER),
        (ReasonCode::SUCCESS, &[]),
        (ReasonCode::SUCCESS, OTHER),
    ] {
        for is_open in [false, true] {
            let mut session = if is_open { open(&[]) } else { asked(&[]) };
            if is_open {
                session.reauthenticate(b"ace", Millis(0)).unwrap();
            }
            control(&mut session, Millis(0));
            let error = ProtocolError::WrongAuthMethod { packet: PacketType::Auth };
            assert_eq!(session.handle(auth(reason, properties), Millis(0)), Err(error));
            assert_eq!(control(&mut session, Millis(0)), farewell(ReasonCode::PROTOCOL_ERROR));
            assert!(session.is_closed());
        }
    }
    for properties in [&[][..], OTHER] {
        let mut session = asked(&[]);
        control(&mut session, Millis(0));
        let connack = ConnAck { properties: Properties::from(properties), ..ConnAck::accepted(false) };
        let error = ProtocolError::WrongAuthMethod { packet: PacketType::ConnAck };
        assert_eq!(session.handle(Packet::ConnAck(connack), Millis(0)), Err(error));
        assert_eq!(control(&mut session, Millis(0)), farewell(ReasonCode::PROTOCOL_ERROR));
        assert!(!session.is_open() && session.is_closed());
    }
    // One that does not let us in need not name it.
    let mut session = asked(&[]);
    let refused = Packet::ConnAck(ConnAck::refused(ReasonCode::BAD_AUTHENTICATION_METHOD));
    assert!(matches!(session.handle(refused, Millis(0)), Ok(Some(Event::Refused(_)))));
}

#[test]
fn a_client_without_a_method_takes_none_from_the_server_and_sends_no_auth() {
    // [MQTT-4.12.0-6] [MQTT-4.12.0-7]
    let without = || {
        let mut session = Session::<u32>::new(Config::default());
        session.connect(&Connect::new(Version::V5, "client"), Millis(0)).unwrap();
        control(&mut session, Millis(0));
        session
    };
    let mut session = without();
    assert_eq!(session.authenticate(b"ace"), Err(Misuse::NoAuthenticationMethod));
    assert_eq!(session.handle(challenge(), Millis(0)), Err(ProtocolError::UnexpectedAuth));
    let mut session = without();
    let connack = ConnAck { properties: Properties::from(NAMED), ..ConnAck::accepted(false) };
    let error = ProtocolError::WrongAuthMethod { packet: PacketType::ConnAck };
    assert_eq!(session.handle(Packet::ConnAck(connack), Millis(0)), Err(error));
    let mut session = without();
    session.handle(Packet::ConnAck(ConnAck::accepted(false)), Millis(0)).unwrap();
    assert_eq!(session.authenticate(b"ace"), Err(Misuse::NoAuthenticationMethod));
    assert_eq!(session.reauthenticate(b"ace", Millis(0)), Err(Misuse::NoAuthenticationMethod));
    assert_eq!(control(&mut session, Millis(0)), []);
    assert_eq!(session.handle(challenge(), Millis(0)), Err(ProtocolError::UnexpectedAuth));
    assert_eq!(control(&mut session, Millis(0)), farewell(ReasonCode::PROTOCOL_ERROR));
}

#[test]
fn before_5_0_there_is_no_method() {
    let mut connect = Connect::new(Version::V3_1_1, "client");
    connect.properties = Properties::from(NAMED);
    let mut session = Session::<u32>::new(Config::default());
    assert!(matches!(session.connect(&connect, Millis(0)), Err(Misuse::Encode(_))));
    assert!(session.poll_transmit(Millis(0)).is_none());
    session.connect(&Connect::new(Version::V3_1_1, "client"), Millis(0)).unwrap();
    assert_eq!(session.authenticate(b"ace"), Err(Misuse::NoAuthenticationMethod));
}

#[test]
fn a_client_authenticates_again_with_the_method_of_connect() {
    // [MQTT-4.12.1-1]
    let mut session = open(&[]);
    session.reauthenticate(b"ace", Millis(0)).unwrap();
    let expected = (ReasonCode::RE_AUTHENTICATE, Some(METHOD.into()), Some(b"ace".to_vec()), None, 0);
    assert_eq!(said(&control(&mut session, Millis(0))), expected);
    assert_eq!(session.reauthenticate(b"ace", Millis(0)), Err(Misuse::WrongPhase), "one at a time");
    assert_eq!(session.authenticate(b"ace"), Err(Misuse::WrongPhase), "the server asks first");
    // Messages go on.
    session.publish(1, QoS::AtMostOnce).unwrap();
    assert!(matches!(session.poll_transmit(Millis(0)), Some(Transmit::Publish { message: 1, .. })));
    assert!(matches!(session.handle(publish(exactly_once(1)), Millis(0)), Ok(Some(Event::Publish { .. }))));

    session.handle(challenge(), Millis(0)).unwrap();
    session.authenticate(b"king").unwrap();
    let expected =
        (ReasonCode::CONTINUE_AUTHENTICATION, Some(METHOD.into()), Some(b"king".to_vec()), None, 0);
    assert_eq!(said(&control(&mut session, Millis(0))), expected);
    let event = session.handle(auth(ReasonCode::SUCCESS, NAMED), Millis(0)).unwrap();
    assert!(matches!(event, Some(Event::Auth(Auth { reason: ReasonCode::SUCCESS, .. }))));
    session.reauthenticate(AuthData::EMPTY, Millis(0)).unwrap();
}

#[test]
fn a_client_that_is_not_content_with_the_server_leaves() {
    // [MQTT-4.12.1-2]
    let mut session = open(&[]);
    session.reauthenticate(b"ace", Millis(0)).unwrap();
    control(&mut session, Millis(0));
    session.handle(challenge(), Millis(0)).unwrap();
    session.disconnect(ReasonCode::UNSPECIFIED_ERROR);
    assert_eq!(control(&mut session, Millis(0)), farewell(ReasonCode::UNSPECIFIED_ERROR));
    assert!(session.is_closed());
    assert_eq!(session.authenticate(b"ace"), Err(Misuse::WrongPhase));
}

#[test]
fn an_auth_is_never_larger_than_the_server_takes_and_its_words_go_first() {
    // [MQTT-3.2.2-15] [MQTT-3.15.2-2] [MQTT-3.15.2-3]
    let words = AuthData::new(b"ace").reason_string(TEXT).user_properties(PAIRS);
    let mut session = open(&[]);
    session.reauthenticate(words, Millis(0)).unwrap();
    let whole = control(&mut session, Millis(0)).len();
    let mut seen = [0; 4];
    for limit in 1..=whole + 1 {
        let maximum = Property::MaximumPacketSize(u32::try_from(limit).unwrap().try_into().unwrap());
        let mut session = open(&[maximum]);
        let sent = session.reauthenticate(words, Millis(0));
        let bytes = control(&mut session, Millis(0));
        assert!(bytes.len() <= limit);
        if sent.is_err() {
            assert!(matches!(sent, Err(Misuse::Encode(_))));
            assert_eq!(bytes, []);
            seen[3] += 1;
            continue;
        }
        let (_, _, data, string, pairs) = said(&bytes);
        assert_eq!(data.as_deref(), Some(&b"ace"[..]), "the data is not left out");
        assert_eq!(pairs == 2, limit >= whole, "all of them as soon as there is room");
        seen[usize::from(string.is_some()) + usize::from(pairs > 0)] += 1;
    }
    assert!(seen.iter().all(|times| *times > 0), "{seen:?}");
}

#[test]
fn an_authentication_has_the_time_that_connect_has() {
    let mut session = asked(&[]);
    for now in (0..9_000).step_by(1_000).map(Millis) {
        session.handle(challenge(), now).unwrap();
        assert_eq!(session.next_deadline(), Some(Millis(10_000)));
        session.authenticate(b"ace").unwrap();
        assert_eq!(session.next_deadline(), Some(Millis(10_000)));
    }
    control(&mut session, Millis(0));
    assert_eq!(session.handle_timeout(Millis(10_000)), Err(ProtocolError::ResponseTimeout));
    assert!(session.is_closed());

    // The caller's turn: it is not the server that was late, and it is told that we leave.
    let mut session = asked(&[]);
    control(&mut session, Millis(0));
    session.handle(challenge(), Millis(0)).unwrap();
    assert_eq!(session.handle_timeout(Millis(10_000)), Err(ProtocolError::AuthTimeout));
    assert_eq!(control(&mut session, Millis(0)), farewell(ReasonCode::UNSPECIFIED_ERROR));
    assert_eq!((session.is_closed(), session.next_deadline()), (true, None));
    assert_eq!(session.handle_timeout(Millis(20_000)), Ok(()), "once");
}

#[test]
fn another_authentication_has_as_long_and_pings_go_on_meanwhile() {
    for challenged in [false, true] {
        let mut session = open(&[Property::ServerKeepAlive(6)]);
        control(&mut session, Millis(0));
        session.reauthenticate(b"ace", Millis(5_000)).unwrap();
        control(&mut session, Millis(5_000));
        if challenged {
            session.handle(challenge(), Millis(6_000)).unwrap();
        }
        assert_eq!(session.next_deadline(), Some(Millis(11_000)), "a ping is due");
        session.handle_timeout(Millis(11_000)).unwrap();
        assert_eq!(control(&mut session, Millis(11_000)), [0xC0, 0]);
        session.handle(Packet::PingResp, Millis(11_000)).unwrap();
        assert_eq!(session.next_deadline(), Some(Millis(15_000)));
        assert_eq!(session.handle_timeout(Millis(15_000)), Err(ProtocolError::AuthTimeout));
        assert_eq!(control(&mut session, Millis(15_000)), farewell(ReasonCode::UNSPECIFIED_ERROR));
        assert!(session.is_closed());
    }
}

#[test]
fn nothing_of_an_authentication_outlives_its_connection() {
    let mut session = open(&[]);
    session.publish(1, QoS::ExactlyOnce).unwrap();
    session.handle(publish(exactly_once(3)), Millis(0)).unwrap();
    while session.poll_transmit(Millis(0)).is_some() {}
    session.record_changes(10);
    let (state, revision) = (session.state(), session.revision());
    session.reauthenticate(b"ace", Millis(0)).unwrap();
    session.handle(challenge(), Millis(0)).unwrap();
    assert_eq!(session.poll_change(), Ok(None));
    assert_eq!(session.revision(), revision);
    assert_eq!(session.state(), state);
    session.connection_lost();
    assert_eq!(session.next_deadline(), None);
    assert_eq!(session.handle_timeout(Millis(1_000_000)), Ok(()));
    assert_eq!(session.authenticate(b"ace"), Err(Misuse::WrongPhase));

    // The next one names no method.
    session.connect(&Connect::new(Version::V5, "client"), Millis(0)).unwrap();
    control(&mut session, Millis(0));
    session.handle(Packet::ConnAck(ConnAck::accepted(false)), Millis(0)).unwrap();
    assert_eq!(session.reauthenticate(b"ace", Millis(0)), Err(Misuse::NoAuthenticationMethod));
    session.connection_lost();
    connect(&mut session, &[]);
    control(&mut session, Millis(0));
    welcome(&mut session, &[]);
    session.reauthenticate(b"ace", Millis(0)).unwrap();
}
