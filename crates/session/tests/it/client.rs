//! The client's side, packet by packet.

use headwater_codec::{
    ConnAck, Connect, Delivery, Disconnect, Packet, PacketId, PacketType, Properties, Property, Publish, QoS,
    ReasonCode, SubAck, SubscribeFilter, Version,
};
use headwater_session::client::{Config, Event, Session};
use headwater_session::{Millis, Misuse, ProtocolError, Refused, Transmit};
use headwater_topic::{TopicFilter, TopicName};

pub(crate) fn open(version: Version, connack: ConnAck<'_>) -> Session<u32> {
    let mut session = Session::new(Config::default());
    let mut connect = Connect::new(version, "client");
    connect.keep_alive_secs = 10;
    connect.clean_start = false;
    session.connect(&connect, Millis(0)).unwrap();
    control(&mut session, Millis(0));
    session.handle(Packet::ConnAck(connack), Millis(0)).unwrap();
    session
}

pub(crate) fn control(session: &mut Session<u32>, now: Millis) -> Vec<u8> {
    match session.poll_transmit(now) {
        Some(Transmit::Control(bytes)) => bytes.to_vec(),
        Some(Transmit::Publish { .. }) | None => Vec::new(),
    }
}

pub(crate) fn welcome() -> ConnAck<'static> {
    ConnAck::accepted(false)
}

#[test]
fn pings_when_it_has_been_silent_and_gives_up_without_an_answer() {
    let mut session = open(Version::V3_1_1, welcome());
    assert_eq!(session.next_deadline(), Some(Millis(10_000)));
    session.handle_timeout(Millis(10_000)).unwrap();
    assert_eq!(control(&mut session, Millis(10_000)), [0xC0, 0]);
    session.handle(Packet::PingResp, Millis(10_001)).unwrap();
    assert_eq!(session.next_deadline(), Some(Millis(20_000)));
    session.handle_timeout(Millis(20_000)).unwrap();
    control(&mut session, Millis(20_000));
    assert_eq!(session.handle_timeout(Millis(29_999)), Ok(()));
    assert_eq!(session.handle_timeout(Millis(30_000)), Err(ProtocolError::ResponseTimeout));
    assert!(session.is_closed());
}

#[test]
fn the_keep_alive_of_the_server_holds() {
    let properties = [Property::ServerKeepAlive(3)];
    let session = open(Version::V5, ConnAck { properties: Properties::from(&properties[..]), ..welcome() });
    assert_eq!(session.next_deadline(), Some(Millis(3_000)));
}

#[test]
fn a_refusal_ends_the_attempt() {
    let mut session = Session::<u32>::new(Config::default());
    session.connect(&Connect::new(Version::V3_1_1, "client"), Millis(0)).unwrap();
    let refusal = Packet::ConnAck(ConnAck::refused(ReasonCode::NOT_AUTHORIZED));
    assert!(matches!(session.handle(refusal, Millis(1)), Ok(Some(Event::Refused(_)))));
    assert!(session.is_closed());
    assert_eq!(session.connect(&Connect::new(Version::V3_1_1, "client"), Millis(2)), Err(Misuse::WrongPhase));
    session.connection_lost();
    session.connect(&Connect::new(Version::V3_1_1, "client"), Millis(2)).unwrap();
}

#[test]
fn a_server_that_does_not_answer_connect_is_given_up() {
    let mut session = Session::<u32>::new(Config::default());
    session.connect(&Connect::new(Version::V5, "client"), Millis(0)).unwrap();
    assert_eq!(session.handle_timeout(Millis(10_000)), Err(ProtocolError::ResponseTimeout));
}

#[test]
fn requests_and_messages_do_not_share_an_identifier() {
    let mut session = open(Version::V5, welcome());
    let filter = TopicFilter::parse("a/#").unwrap();
    let wanted = [SubscribeFilter::new(filter, QoS::AtLeastOnce)];
    let request = session.subscribe(&wanted, Properties::EMPTY).unwrap();
    session.publish(1, QoS::AtLeastOnce).unwrap();
    control(&mut session, Millis(1));
    let Some(Transmit::Publish { delivery, .. }) = session.poll_transmit(Millis(1)) else { panic!() };
    assert_ne!(delivery.packet_id(), Some(request));

    let reasons = [ReasonCode::GRANTED_QOS_1];
    let suback = |packet_id| SubAck { packet_id, properties: Properties::EMPTY, reasons: reasons[..].into() };
    let answer = session.handle(Packet::SubAck(suback(request)), Millis(2)).unwrap();
    assert!(matches!(answer, Some(Event::Subscribed(_))));
    let error = session.handle(Packet::SubAck(suback(request)), Millis(3)).unwrap_err();
    assert_eq!(error, ProtocolError::UnexpectedResponse { packet: PacketType::SubAck, packet_id: request });
}

#[test]
fn messages_wait_for_the_connection_and_leave_after_connack() {
    let mut session = Session::<u32>::new(Config::default());
    session.publish(1, QoS::AtLeastOnce).unwrap();
    assert_eq!(session.publish(2, QoS::AtMostOnce), Err(Refused { message: 2, misuse: Misuse::WrongPhase }));
    session.connect(&Connect::new(Version::V5, "client"), Millis(0)).unwrap();
    control(&mut session, Millis(0));
    assert!(session.poll_transmit(Millis(0)).is_none());
    let Ok(Some(Event::Connected { unfinished, .. })) = session.handle(Packet::ConnAck(welcome()), Millis(1))
    else {
        panic!()
    };
    assert_eq!(unfinished, [], "it was never sent");
    let Some(Transmit::Publish { delivery, .. }) = session.poll_transmit(Millis(1)) else { panic!() };
    assert_eq!(delivery, Delivery::AtLeastOnce { packet_id: PacketId::new(1).unwrap(), dup: false });
}

#[test]
fn a_server_that_forgot_the_session_is_told_and_the_caller_gets_its_messages_back() {
    let mut session = open(Version::V3_1_1, welcome());
    session.publish(1, QoS::AtLeastOnce).unwrap();
    assert!(session.poll_transmit(Millis(1)).is_some());
    session.connection_lost();
    let mut connect = Connect::new(Version::V3_1_1, "client");
    connect.clean_start = false;
    session.connect(&connect, Millis(2)).unwrap();
    let event = session.handle(Packet::ConnAck(welcome()), Millis(3)).unwrap();
    let Some(Event::Connected { unfinished, .. }) = event else { panic!() };
    assert_eq!(unfinished, [1]);
    assert_eq!(session.in_flight(), 0);
}

#[test]
fn a_session_that_was_not_asked_for_is_an_error() {
    let mut session = Session::<u32>::new(Config::default());
    session.connect(&Connect::new(Version::V5, "client"), Millis(0)).unwrap();
    let connack = ConnAck { session_present: true, ..welcome() };
    let error = session.handle(Packet::ConnAck(connack), Millis(1)).unwrap_err();
    assert_eq!(error, ProtocolError::SessionPresentUnexpected);
}

#[test]
fn a_packet_that_only_a_client_sends_is_an_error() {
    for packet in [Packet::PingReq, Packet::Connect(Connect::new(Version::V5, "client"))] {
        let mut session = open(Version::V5, welcome());
        let packet_type = packet.packet_type();
        let error = session.handle(packet, Millis(1)).unwrap_err();
        assert_eq!(error, ProtocolError::WrongDirection { packet: packet_type });
        let mut farewell = Vec::new();
        Disconnect::new(ReasonCode::PROTOCOL_ERROR).encode(Version::V5, &mut farewell).unwrap();
        assert_eq!(control(&mut session, Millis(1)), farewell);
    }
}

#[test]
fn an_alias_that_was_not_offered_is_an_error() {
    let properties = [Property::TopicAlias(1.try_into().unwrap())];
    let mut packet = Publish::new(TopicName::parse("a").unwrap(), b"");
    packet.properties = Properties::from(&properties[..]);
    let mut session = open(Version::V5, welcome());
    let error = session.handle(Packet::Publish(packet), Millis(1)).unwrap_err();
    assert_eq!(error, ProtocolError::TopicAliasInvalid { alias: 1, maximum: 0 });
}

#[test]
fn takes_leave_and_says_nothing_before_5_0_when_the_server_was_wrong() {
    let mut session = open(Version::V3_1_1, welcome());
    session.disconnect(ReasonCode::DISCONNECT_WITH_WILL);
    assert_eq!(control(&mut session, Millis(1)), [0xE0, 0]);
    let mut session = open(Version::V3_1_1, welcome());
    session.handle(Packet::PingReq, Millis(1)).unwrap_err();
    assert_eq!(control(&mut session, Millis(1)), [], "DISCONNECT would say that all is well");
}

#[test]
fn a_session_that_is_kept_has_a_client_identifier_before_5_0() {
    // 3.1.1: [MQTT-3.1.3-7]
    for (version, clean_start, right) in [
        (Version::V3_1, true, false),
        (Version::V3_1, false, false),
        (Version::V3_1_1, true, true),
        (Version::V3_1_1, false, false),
        (Version::V5, true, true),
        (Version::V5, false, true),
    ] {
        let mut session: Session<u32> = Session::new(Config::default());
        let nameless = Connect { clean_start, ..Connect::new(version, "") };
        let outcome = session.connect(&nameless, Millis(0));
        assert_eq!(
            outcome,
            if right { Ok(()) } else { Err(Misuse::ClientIdNeeded) },
            "{version} {clean_start}"
        );
        assert_eq!(session.poll_transmit(Millis(0)).is_some(), right);
    }
}
