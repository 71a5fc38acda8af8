//! CONNECT and its answer.

use headwater_codec::{ConnAck, Connect, Packet, Properties, Property, QoS, ReasonCode, Version, Will};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{Millis, Misuse, ProtocolError, State, client};
use headwater_topic::TopicName;

use crate::server::{asked, control, open};

fn connack(bytes: &[u8]) -> ConnAck<'_> {
    match Packet::decode(bytes, Version::V5).unwrap() {
        Packet::ConnAck(connack) => connack,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_client_may_send_right_behind_connect_waits() {
    let mut session = asked(Version::V5, Config::default());
    assert!(!session.wants_packet());
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    assert!(session.wants_packet());
}

#[test]
fn accept_and_refuse_that_fail_change_nothing() {
    let config =
        Config { session_expiry_secs_max: 60, keep_alive_secs_max: 5.try_into().ok(), ..Config::default() };
    let mut session = Session::<u32>::new(config, Millis(0));
    let properties = [Property::SessionExpiryInterval(100)];
    let mut connect = Connect::new(Version::V5, "");
    connect.keep_alive_secs = 50;
    connect.properties = Properties::from(&properties[..]);
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();

    let long = "x".repeat(70_000);
    let too_long = Accept::default().assigned_client_id(Some(&long));
    assert!(matches!(session.check_accept(&too_long), Err(Misuse::Encode(_))));
    assert!(matches!(session.accept(None, &too_long, Millis(0)), Err(Misuse::Encode(_))));
    assert_eq!(session.check_accept(&Accept::default()), Err(Misuse::ClientIdNeeded));
    assert_eq!(session.accept(None, &Accept::default(), Millis(0)), Err(Misuse::ClientIdNeeded));
    let state = Some(State::default());
    assert_eq!(session.accept(state, &Accept::default(), Millis(0)), Err(Misuse::CleanStart));
    for reason in [ReasonCode::SUCCESS, ReasonCode::SESSION_TAKEN_OVER] {
        assert_eq!(session.refuse(reason), Err(Misuse::ReasonNotAllowed { reason }));
    }
    let made_up = Accept::default().assigned_client_id(Some("made-up"));
    assert_eq!(session.check_accept(&made_up), Ok(()));
    assert_eq!(control(&mut session), []);

    session.accept(None, &made_up, Millis(0)).unwrap();
    let bytes = control(&mut session);
    let said = connack(&bytes).properties;
    assert_eq!((said.session_expiry_interval(), said.server_keep_alive()), (Some(60), Some(5)));
    assert_eq!(session.accept(None, &Accept::default(), Millis(0)), Err(Misuse::WrongPhase));
    assert_eq!(session.refuse(ReasonCode::NOT_AUTHORIZED), Err(Misuse::WrongPhase));
}

#[test]
fn it_is_known_beforehand_whether_the_client_has_room_for_its_connack() {
    let sizes = 1..40_u32;
    let mut fits = Vec::new();
    for size in sizes.clone() {
        let mut session = Session::<u32>::new(Config::default(), Millis(0));
        let properties = [Property::MaximumPacketSize(size.try_into().unwrap())];
        let mut connect = Connect::new(Version::V5, "c");
        connect.properties = Properties::from(&properties[..]);
        session.handle(Packet::Connect(connect), Millis(0)).unwrap();
        let known = session.check_accept(&Accept::default());
        assert_eq!(control(&mut session), []);
        assert_eq!(session.accept(None, &Accept::default(), Millis(0)), known, "{size}");
        fits.push(known.is_ok());
    }
    assert!(fits.is_sorted() && fits.contains(&false) && fits.contains(&true), "{fits:?}");
}

#[test]
fn everything_that_is_not_offered_is_announced() {
    let config = Config {
        maximum_qos: QoS::AtLeastOnce,
        retain_available: false,
        wildcard_subscription_available: false,
        subscription_identifier_available: false,
        shared_subscription_available: true,
        packet_size_max: 1_234.try_into().unwrap(),
        receive_maximum: 7.try_into().unwrap(),
        ..Config::default()
    };
    let mut session = asked(Version::V5, config);
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    let bytes = control(&mut session);
    let said = connack(&bytes).properties;
    assert_eq!(said.maximum_qos(), Some(QoS::AtLeastOnce));
    assert_eq!(said.retain_available(), Some(false));
    assert_eq!(said.wildcard_subscription_available(), Some(false));
    assert_eq!(said.subscription_identifier_available(), Some(false));
    assert_eq!(said.shared_subscription_available(), None);
    assert_eq!(said.maximum_packet_size(), 1_234.try_into().ok());
    assert_eq!(said.receive_maximum(), 7.try_into().ok());
    assert_eq!((said.server_keep_alive(), said.session_expiry_interval()), (None, None));
}

#[test]
fn no_keep_alive_is_longer_than_any() {
    let config = Config { keep_alive_secs_max: 5.try_into().ok(), ..Config::default() };
    let mut session = Session::<u32>::new(config, Millis(0));
    session.handle(Packet::Connect(Connect::new(Version::V5, "client")), Millis(0)).unwrap();
    session.accept(None, &Accept::default(), Millis(1_000)).unwrap();
    assert_eq!(session.next_deadline(), Some(Millis(8_500)), "counted from CONNACK on");
    let mut session = Session::<u32>::new(Config::default(), Millis(0));
    session.handle(Packet::Connect(Connect::new(Version::V5, "client")), Millis(0)).unwrap();
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    assert_eq!(session.next_deadline(), None);
}

#[test]
fn the_longest_expiry_holds_from_connect_on_and_for_every_version() {
    let config = Config { session_expiry_secs_max: 60, ..Config::default() };
    assert_eq!(asked(Version::V3_1_1, config).session_expiry_secs(), 60);
    assert_eq!(asked(Version::V5, config).session_expiry_secs(), 0, "it asked for none");
    assert_eq!(open(Version::V3_1_1, Config::default(), None).session_expiry_secs(), u32::MAX);
    let mut session = Session::<u32>::new(config, Millis(0));
    session.handle(Packet::Connect(Connect::new(Version::V3_1_1, "clean")), Millis(0)).unwrap();
    assert_eq!(session.session_expiry_secs(), 0);
}

#[test]
fn a_client_that_wants_more_than_a_password_is_not_let_in_without_it() {
    // [MQTT-4.12.0-1]
    let properties = [Property::AuthenticationMethod("SCRAM-SHA-256")];
    let mut connect = Connect::new(Version::V5, "client");
    connect.properties = Properties::from(&properties[..]);
    let mut session = Session::<u32>::new(Config::default(), Millis(0));
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    assert_eq!(session.check_accept(&Accept::default()), Err(Misuse::Authentication));
    assert_eq!(session.accept(None, &Accept::default(), Millis(0)), Err(Misuse::Authentication));
    session.refuse(ReasonCode::BAD_AUTHENTICATION_METHOD).unwrap();
    assert_eq!(control(&mut session), [0x20, 3, 0, ReasonCode::BAD_AUTHENTICATION_METHOD.0, 0]);
    assert!(session.is_closed());
}

#[test]
fn a_caller_that_does_not_answer_in_time_is_not_the_clients_fault() {
    let mut session = asked(Version::V5, Config::default());
    assert_eq!(session.handle_timeout(Millis(10_000)), Err(ProtocolError::ConnectTimeout));
    let bytes = control(&mut session);
    assert_eq!(connack(&bytes).reason, ReasonCode::SERVER_UNAVAILABLE);
    let mut session = asked(Version::V3_1_1, Config::default());
    session.handle_timeout(Millis(10_000)).unwrap_err();
    assert_eq!(control(&mut session), [0x20, 2, 0, 3]);
}

#[test]
fn before_5_0_a_wrong_will_has_no_return_code() {
    let config = Config { retain_available: false, ..Config::default() };
    let mut will = Will::new(TopicName::parse("gone").unwrap(), b"");
    will.retain = true;
    let mut connect = Connect::new(Version::V3_1_1, "client");
    connect.will = Some(will);
    let mut session = Session::<u32>::new(config, Millis(0));
    assert_eq!(session.handle(Packet::Connect(connect), Millis(0)), Err(ProtocolError::RetainNotSupported));
    assert_eq!(control(&mut session), []);
}

#[test]
fn a_5_0_client_without_a_session_does_not_believe_that_there_is_one() {
    let mut connect = Connect::new(Version::V5, "client");
    connect.clean_start = false;
    let present = || Packet::ConnAck(ConnAck::accepted(true));
    let mut client = client::Session::<u32>::new(client::Config::default());
    client.connect(&connect, Millis(0)).unwrap();
    assert_eq!(client.handle(present(), Millis(0)), Err(ProtocolError::SessionPresentUnexpected));

    // One that says that it has a session, were it an empty one, does.
    let mut client = client::Session::<u32>::resumed(client::Config::default(), State::default());
    client.connect(&connect, Millis(0)).unwrap();
    assert!(matches!(client.handle(present(), Millis(0)), Ok(Some(client::Event::Connected { .. }))));
}

#[test]
fn a_client_in_use_is_not_connected_again() {
    let mut session = client::Session::<u32>::new(client::Config::default());
    session.connect(&Connect::new(Version::V5, "client"), Millis(0)).unwrap();
    assert_eq!(session.connect(&Connect::new(Version::V5, "client"), Millis(0)), Err(Misuse::WrongPhase));
    assert_eq!(session.version(), Version::V5);
    let event = session.handle(Packet::ConnAck(ConnAck::refused(ReasonCode::BANNED)), Millis(0)).unwrap();
    assert!(matches!(event, Some(client::Event::Refused(connack)) if connack.reason == ReasonCode::BANNED));
    assert!(matches!(
        asked(Version::V5, Config::default()).handle(Packet::PingReq, Millis(0)),
        Err(ProtocolError::NotConnected { .. })
    ));
    let _unused: Option<Event<'_, u32>> = None;
}
