//! The end of a connection: what is said, and that nothing follows it.

use headwater_codec::{Connect, Disconnect, Packet, Properties, Property, PubAck, QoS, ReasonCode, Version};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{Millis, Misuse, ProtocolError, client};

use crate::client as client_tests;
use crate::server::{asked, at_least_once, control, encoded, exactly_once, id, open, publish, receipt};

fn farewell(reason: ReasonCode) -> Vec<u8> {
    encoded(&[Packet::Disconnect(Disconnect::new(reason))], Version::V5)
}

#[test]
fn nothing_follows_disconnect_and_the_state_is_settled_all_the_same() {
    let mut session = open(Version::V5, Config::default(), None);
    let first = receipt(&mut session, at_least_once(1));
    let second = receipt(&mut session, exactly_once(2));
    session.publish(5, QoS::AtLeastOnce).unwrap();
    session.disconnect(ReasonCode::SERVER_SHUTTING_DOWN);
    session.acknowledge(first, ReasonCode::SUCCESS).unwrap();
    session.acknowledge(second, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), farewell(ReasonCode::SERVER_SHUTTING_DOWN));
    assert!(session.poll_transmit().is_none());
    let state = session.into_state().unwrap();
    assert_eq!((state.incoming.len(), state.incoming[0].receipt), (1, None));
}

#[test]
fn nothing_is_said_to_a_client_that_took_its_leave() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    let receipt = receipt(&mut session, at_least_once(1));
    session.handle(Packet::PingReq, Millis(1)).unwrap();
    let event = session.handle(Packet::Disconnect(Disconnect::NORMAL), Millis(1)).unwrap();
    assert!(matches!(event, Some(Event::Disconnect(_))));
    assert!(session.is_closed());
    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), []);
}

#[test]
fn a_client_says_nothing_after_disconnect() {
    let mut client = client_tests::open(Version::V5, client_tests::welcome());
    let event = client.handle(publish(at_least_once(1)), Millis(0)).unwrap();
    let Some(client::Event::Publish { receipt: Some(receipt), .. }) = event else { panic!() };
    client.disconnect(ReasonCode::SUCCESS);
    client.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    assert_eq!(client_tests::control(&mut client, Millis(0)), [0xE0, 0]);
    assert_eq!(client_tests::control(&mut client, Millis(0)), []);
}

#[test]
fn a_reason_that_disconnect_cannot_carry_is_said_as_a_protocol_error() {
    let mut session = open(Version::V5, Config::default(), None);
    // A second CONNECT, of a version that does not exist: the decoder's reason belongs to CONNACK.
    let error = Packet::decode(b"\x10\x07\0\x04MQTT\x09", Version::V5).unwrap_err();
    session.disconnect(error.reason_code());
    assert_eq!(control(&mut session), farewell(ReasonCode::PROTOCOL_ERROR));

    let mut session = open(Version::V5, Config::default(), None);
    session.disconnect(ReasonCode::DISCONNECT_WITH_WILL);
    assert_eq!(control(&mut session), farewell(ReasonCode::PROTOCOL_ERROR), "that one is the client's alone");

    let mut client = client_tests::open(Version::V5, client_tests::welcome());
    client.disconnect(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
    assert_eq!(client_tests::control(&mut client, Millis(0)), farewell(ReasonCode::PROTOCOL_ERROR));
}

#[test]
fn a_reason_that_puback_cannot_carry_is_refused_and_the_receipt_stays_good() {
    let mut session = open(Version::V5, Config::default(), None);
    let receipt = receipt(&mut session, at_least_once(1));
    let reason = ReasonCode::PACKET_TOO_LARGE;
    assert_eq!(session.acknowledge(receipt, reason), Err(Misuse::ReasonNotAllowed { reason }));
    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), encoded(&[Packet::PubAck(PubAck::new(id(1)))], Version::V5));
}

#[test]
fn before_5_0_a_refused_qos_2_message_stays_a_duplicate_until_pubrel() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    let receipt = receipt(&mut session, exactly_once(1));
    session.acknowledge(receipt, ReasonCode::QUOTA_EXCEEDED).unwrap();
    assert_eq!(control(&mut session), [0x50, 2, 0, 1], "the client reads it as success");
    assert_eq!(session.handle(publish(exactly_once(1)), Millis(1)), Ok(None));
}

#[test]
fn a_session_whose_client_was_never_let_in_has_no_state() {
    assert_eq!(asked(Version::V5, Config::default()).into_state(), None);
    let mut session = asked(Version::V5, Config::default());
    session.refuse(ReasonCode::NOT_AUTHORIZED).unwrap();
    assert_eq!(session.into_state(), None);
    let mut session = open(Version::V5, Config::default(), None);
    session.disconnect(ReasonCode::SUCCESS);
    assert!(session.into_state().is_some());
}

#[test]
fn an_expiry_in_disconnect_is_held_against_what_connect_asked_for_not_what_the_server_made_of_it() {
    let config = Config { session_expiry_secs_max: 0, ..Config::default() };
    let mut session = Session::<u32>::new(config, Millis(0));
    let properties = [Property::SessionExpiryInterval(100)];
    let mut connect = Connect::new(Version::V5, "client");
    connect.properties = Properties::from(&properties[..]);
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    let properties = [Property::SessionExpiryInterval(50)];
    let disconnect =
        Disconnect { reason: ReasonCode::SUCCESS, properties: Properties::from(&properties[..]) };
    assert!(session.handle(Packet::Disconnect(disconnect), Millis(1)).is_ok());
    assert_eq!(session.session_expiry_secs(), 0);
}

#[test]
fn the_server_says_goodbye_and_must_not_speak_of_expiry() {
    let mut client = client_tests::open(Version::V5, client_tests::welcome());
    let goodbye = Disconnect::new(ReasonCode::SERVER_SHUTTING_DOWN);
    let event = client.handle(Packet::Disconnect(goodbye), Millis(1)).unwrap();
    assert_eq!(event, Some(client::Event::Disconnect(goodbye)));
    assert!(client.is_closed());

    let mut client = client_tests::open(Version::V5, client_tests::welcome());
    let properties = [Property::SessionExpiryInterval(50)];
    let disconnect =
        Disconnect { reason: ReasonCode::SUCCESS, properties: Properties::from(&properties[..]) };
    let error = client.handle(Packet::Disconnect(disconnect), Millis(1)).unwrap_err();
    assert_eq!(error, ProtocolError::SessionExpiryFromServer);

    let mut client = client_tests::open(Version::V3_1_1, client_tests::welcome());
    let error = client.handle(Packet::Disconnect(Disconnect::NORMAL), Millis(1)).unwrap_err();
    assert!(matches!(error, ProtocolError::WrongDirection { .. }), "only from 5.0 on");
}

#[test]
fn a_refusing_pubrec_is_complete_and_one_after_a_good_one_is_wrong() {
    use headwater_codec::PubRec;
    let mut session = open(Version::V5, Config::default(), None);
    session.publish(1, QoS::ExactlyOnce).unwrap();
    assert!(session.poll_transmit().is_some());
    session.handle(Packet::PubRec(PubRec::new(id(1))), Millis(0)).unwrap();
    let refusal = PubRec::with_reason(id(1), ReasonCode::QUOTA_EXCEEDED);
    let error = session.handle(Packet::PubRec(refusal), Millis(0)).unwrap_err();
    assert!(matches!(error, ProtocolError::WrongAcknowledgement { .. }));

    let mut session = open(Version::V5, Config::default(), None);
    assert_eq!(session.handle(Packet::PubRec(refusal), Millis(0)), Ok(None), "of an unknown identifier");
    assert_eq!(control(&mut session), [], "nobody waits for PUBREL");
}
