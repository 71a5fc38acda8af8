//! The session's table of bad input in the promises, row by row; and what else a peer may do wrong.

use headwater_codec::{
    ConnAck, Connect, Delivery, Disconnect, Packet, Properties, Property, PubAck, PubComp, PubRec, PubRel,
    Publish, QoS, ReasonCode, SubAck, Subscribe, SubscribeFilter, SubscriptionId, UnsubAck, Unsubscribe,
    Version,
};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{InFlight, Millis, ProtocolError, Stage, State, Transmit, client};
use headwater_topic::{TopicFilter, TopicName};

use crate::client as client_tests;
use crate::server::{at_least_once, control, encoded, id, open, publish};

fn exactly_once(number: u16) -> Delivery {
    Delivery::ExactlyOnce { packet_id: id(number), dup: false }
}

/// The error, and what the client is told.
fn refused(session: &mut Session<u32>, packet: Packet<'_>) -> (ProtocolError, Vec<u8>) {
    let error = session.handle(packet, Millis(1)).unwrap_err();
    assert!(session.is_closed());
    (error, control(session))
}

/// DISCONNECT of 5.0 with this reason.
fn farewell(reason: ReasonCode) -> Vec<u8> {
    encoded(&[Packet::Disconnect(Disconnect::new(reason))], Version::V5)
}

#[test]
fn anything_before_connect_closes_without_an_answer() {
    for packet in [
        Packet::PingReq,
        publish(Delivery::AtMostOnce),
        Packet::PubRel(PubRel::with_reason(id(1), ReasonCode::SUCCESS)),
    ] {
        let mut session = Session::new(Config::default(), Millis(0));
        let packet_type = packet.packet_type();
        let (error, said) = refused(&mut session, packet);
        assert_eq!(error, ProtocolError::NotConnected { packet: packet_type });
        assert_eq!(said, []);
        assert_eq!(session.into_state(), None);
    }
}

#[test]
fn a_packet_between_connect_and_connack_is_not_taken() {
    let mut session = Session::new(Config::default(), Millis(0));
    session.handle(Packet::Connect(Connect::new(Version::V5, "client")), Millis(0)).unwrap();
    let (error, _) = refused(&mut session, publish(Delivery::AtMostOnce));
    assert!(matches!(error, ProtocolError::NotConnected { .. }));
}

#[test]
fn a_second_connect_is_a_protocol_error() {
    let mut session = open(Version::V5, Config::default(), None);
    let (error, said) = refused(&mut session, Packet::Connect(Connect::new(Version::V5, "client")));
    assert_eq!((error, said), (ProtocolError::SecondConnect, farewell(ReasonCode::PROTOCOL_ERROR)));
}

#[test]
fn before_5_0_a_broken_protocol_is_answered_by_closing() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    let (error, said) = refused(&mut session, Packet::Connect(Connect::new(Version::V3_1_1, "client")));
    assert_eq!((error, said), (ProtocolError::SecondConnect, Vec::new()));
}

#[test]
fn a_packet_of_the_wrong_direction_is_a_protocol_error() {
    let reasons = [ReasonCode::SUCCESS];
    let suback = SubAck { packet_id: id(1), properties: Properties::EMPTY, reasons: reasons[..].into() };
    for packet in [Packet::PingResp, Packet::SubAck(suback)] {
        let mut session = open(Version::V5, Config::default(), None);
        let packet_type = packet.packet_type();
        let (error, said) = refused(&mut session, packet);
        assert_eq!(error, ProtocolError::WrongDirection { packet: packet_type });
        assert_eq!(said, farewell(ReasonCode::PROTOCOL_ERROR));
    }
}

/// Something of each kind under way.
fn under_way() -> State<u32> {
    let outgoing = vec![
        InFlight { packet_id: id(7), stage: Stage::PubRec, sent: true, message: 1 },
        InFlight { packet_id: id(3), stage: Stage::PubComp, sent: true, message: 2 },
        InFlight { packet_id: id(5), stage: Stage::PubAck, sent: true, message: 3 },
    ];
    let mut session = open(Version::V5, Config::default(), Some(State::new(outgoing, Vec::new())));
    session.handle(publish(exactly_once(9)), Millis(1)).unwrap();
    session.into_state().unwrap()
}

#[test]
fn a_second_connect_or_a_packet_of_the_wrong_direction_touches_no_state() {
    let filter = TopicFilter::parse("a").unwrap();
    let reasons = [ReasonCode::SUCCESS];
    for version in [Version::V3_1_1, Version::V5] {
        let mut again = Connect::new(version, "client");
        again.clean_start = true;
        let to_server = [
            Packet::Connect(again),
            Packet::ConnAck(ConnAck::accepted(false)),
            Packet::SubAck(SubAck::new(id(5), &reasons)),
            Packet::UnsubAck(UnsubAck::new(id(5), if version == Version::V5 { &reasons } else { &[] })),
            Packet::PingResp,
        ];
        for packet in to_server {
            let mut session = open(version, Config::default(), Some(under_way()));
            let (state, revision) = (session.state(), session.revision());
            let error = session.handle(packet, Millis(1)).unwrap_err();
            assert!(
                matches!(error, ProtocolError::SecondConnect | ProtocolError::WrongDirection { .. }),
                "{error}"
            );
            assert_eq!((session.revision(), session.into_state()), (revision, Some(state)));
        }

        let (filters, wanted) = ([filter], [SubscribeFilter::new(filter, QoS::AtMostOnce)]);
        let to_client = [
            Packet::Connect(again),
            Packet::Subscribe(Subscribe::new(id(5), &wanted)),
            Packet::Unsubscribe(Unsubscribe::new(id(5), &filters)),
            Packet::PingReq,
        ];
        for packet in to_client {
            let mut session = client::Session::resumed(client::Config::default(), under_way());
            let mut connect = Connect::new(version, "client");
            connect.clean_start = false;
            session.connect(&connect, Millis(0)).unwrap();
            session.handle(Packet::ConnAck(ConnAck::accepted(true)), Millis(0)).unwrap();
            let state = session.state();
            let error = session.handle(packet, Millis(1)).unwrap_err();
            assert!(matches!(error, ProtocolError::WrongDirection { .. }), "{error}");
            assert_eq!(session.state(), state);
        }
    }
}

#[test]
fn an_acknowledgement_for_an_unknown_identifier_leaves_the_quota_and_is_counted_and_capped() {
    let config = Config { window: 1, ..Config::default() };
    let mut session = open(Version::V5, config, None);
    session.publish(1, QoS::AtLeastOnce).unwrap();
    assert!(session.poll_transmit().is_some());
    for count in 1..=1_000 {
        assert_eq!(
            session.handle(Packet::PubAck(PubAck::with_reason(id(9), ReasonCode::SUCCESS)), Millis(1)),
            Ok(None)
        );
        assert_eq!(session.unknown_acknowledgements(), count);
        assert_eq!(session.room(QoS::AtLeastOnce), 0);
    }
    let (error, _) = refused(&mut session, Packet::PubComp(PubComp::with_reason(id(9), ReasonCode::SUCCESS)));
    assert_eq!(error, ProtocolError::UnknownAcknowledgements { count: 1_001 });
}

#[test]
fn pubrel_for_an_unknown_identifier_is_answered_by_pubcomp() {
    let pubrel = || Packet::PubRel(PubRel::with_reason(id(5), ReasonCode::SUCCESS));
    let mut session = open(Version::V5, Config::default(), None);
    assert_eq!(session.handle(pubrel(), Millis(1)), Ok(None));
    let pubcomp = PubComp::with_reason(id(5), ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
    assert_eq!(control(&mut session), encoded(&[Packet::PubComp(pubcomp)], Version::V5));
    let mut session = open(Version::V3_1_1, Config::default(), None);
    assert_eq!(session.handle(pubrel(), Millis(1)), Ok(None));
    assert_eq!(control(&mut session), [0x70, 2, 0, 5]);
}

#[test]
fn pubrec_for_an_unknown_identifier_is_answered_by_pubrel() {
    let mut session = open(Version::V5, Config::default(), None);
    assert_eq!(
        session.handle(Packet::PubRec(PubRec::with_reason(id(5), ReasonCode::SUCCESS)), Millis(1)),
        Ok(None)
    );
    let pubrel = PubRel::with_reason(id(5), ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
    assert_eq!(control(&mut session), encoded(&[Packet::PubRel(pubrel)], Version::V5));
}

#[test]
fn the_wrong_acknowledgement_for_the_state_is_a_protocol_error() {
    let acks: [fn() -> Packet<'static>; 2] = [
        || Packet::PubAck(PubAck::with_reason(id(1), ReasonCode::SUCCESS)),
        || Packet::PubComp(PubComp::with_reason(id(1), ReasonCode::SUCCESS)),
    ];
    for wrong in acks {
        let mut session = open(Version::V5, Config::default(), None);
        session.publish(1, QoS::ExactlyOnce).unwrap();
        assert!(session.poll_transmit().is_some());
        let packet = wrong().packet_type();
        let (error, said) = refused(&mut session, wrong());
        assert_eq!(error, ProtocolError::WrongAcknowledgement { packet, packet_id: id(1) });
        assert_eq!(said, farewell(ReasonCode::PROTOCOL_ERROR));
    }
    let mut session = open(Version::V5, Config::default(), None);
    session.publish(1, QoS::AtLeastOnce).unwrap();
    assert!(session.poll_transmit().is_some());
    let (error, _) = refused(&mut session, Packet::PubRec(PubRec::with_reason(id(1), ReasonCode::SUCCESS)));
    assert!(matches!(error, ProtocolError::WrongAcknowledgement { .. }));
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_a_protocol_error() {
    let mut session = open(Version::V5, Config::default(), None);
    session.publish(1, QoS::AtLeastOnce).unwrap();
    let (error, _) = refused(&mut session, Packet::PubAck(PubAck::with_reason(id(1), ReasonCode::SUCCESS)));
    assert!(matches!(error, ProtocolError::WrongAcknowledgement { .. }));
}

#[test]
fn pubrel_before_pubrec_is_a_protocol_error() {
    let mut session = open(Version::V5, Config::default(), None);
    session.handle(publish(exactly_once(4)), Millis(1)).unwrap();
    let (error, _) = refused(&mut session, Packet::PubRel(PubRel::with_reason(id(4), ReasonCode::SUCCESS)));
    assert!(matches!(error, ProtocolError::WrongAcknowledgement { .. }));
}

#[test]
fn a_qos_2_duplicate_before_pubrel_is_acknowledged_again_and_never_delivered_again() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    let Ok(Some(Event::Publish { receipt: Some(receipt), .. })) =
        session.handle(publish(exactly_once(4)), Millis(1))
    else {
        panic!()
    };
    assert_eq!(session.handle(publish(exactly_once(4)), Millis(1)), Ok(None));
    assert_eq!(control(&mut session), [], "not safe yet");
    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), [0x50, 2, 0, 4], "once: the duplicate came before");
    for _ in 0..5 {
        assert_eq!(session.handle(publish(exactly_once(4)), Millis(1)), Ok(None));
        assert_eq!(control(&mut session), [0x50, 2, 0, 4]);
    }
    session.handle(Packet::PubRel(PubRel::with_reason(id(4), ReasonCode::SUCCESS)), Millis(1)).unwrap();
    assert_eq!(control(&mut session), [0x70, 2, 0, 4]);
    let next = session.handle(publish(exactly_once(4)), Millis(1)).unwrap();
    assert!(matches!(next, Some(Event::Publish { .. })), "the identifier is free again");
}

#[test]
fn more_unacknowledged_than_the_receive_maximum_is_an_error() {
    let config = Config { receive_maximum: 2.try_into().unwrap(), ..Config::default() };
    let mut session = open(Version::V5, config, None);
    for number in 1..=2 {
        session.handle(publish(exactly_once(number)), Millis(1)).unwrap();
    }
    session.handle(publish(Delivery::AtMostOnce), Millis(1)).unwrap();
    let (error, said) = refused(&mut session, publish(exactly_once(3)));
    assert_eq!(error, ProtocolError::ReceiveMaximumExceeded { receive_maximum: 2 });
    assert_eq!(said, farewell(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED));
}

#[test]
fn a_server_that_has_more_unacknowledged_than_its_client_takes_is_told_so() {
    let mut session = client::Session::<u32>::new(client::Config::default());
    let properties = [Property::ReceiveMaximum(2.try_into().unwrap())];
    let mut connect = Connect::new(Version::V5, "client");
    connect.properties = Properties::from(&properties[..]);
    session.connect(&connect, Millis(0)).unwrap();
    client_tests::control(&mut session, Millis(0));
    session.handle(Packet::ConnAck(client_tests::welcome()), Millis(0)).unwrap();
    session.handle(publish(at_least_once(1)), Millis(1)).unwrap();
    session.handle(publish(exactly_once(2)), Millis(1)).unwrap();
    session.handle(publish(Delivery::AtMostOnce), Millis(1)).unwrap();
    let error = session.handle(publish(at_least_once(3)), Millis(1)).unwrap_err();
    assert_eq!(error, ProtocolError::ReceiveMaximumExceeded { receive_maximum: 2 });
    let said = farewell(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
    assert!(matches!(session.poll_transmit(Millis(1)), Some(Transmit::Control(bytes)) if bytes == said));
}

#[test]
fn a_topic_alias_is_refused_where_none_was_offered() {
    let properties = [Property::TopicAlias(1.try_into().unwrap())];
    let mut packet = Publish::new(TopicName::parse("a").unwrap(), b"");
    packet.properties = Properties::from(&properties[..]);
    let mut session = open(Version::V5, Config::default(), None);
    let (error, said) = refused(&mut session, Packet::Publish(packet));
    assert_eq!(error, ProtocolError::TopicAliasInvalid { alias: 1, maximum: 0 });
    assert_eq!(said, farewell(ReasonCode::TOPIC_ALIAS_INVALID));
}

#[test]
fn silence_beyond_one_and_a_half_keep_alives_is_an_error() {
    let mut session = open(Version::V5, Config::default(), None);
    assert_eq!(session.next_deadline(), Some(Millis(15_000)));
    assert_eq!(session.handle_timeout(Millis(14_999)), Ok(()));
    session.handle(Packet::PingReq, Millis(14_999)).unwrap();
    assert_eq!(control(&mut session), [0xD0, 0]);
    assert_eq!(session.handle_timeout(Millis(15_000)), Ok(()));
    assert_eq!(session.next_deadline(), Some(Millis(29_999)));
    assert_eq!(session.handle_timeout(Millis(29_999)), Err(ProtocolError::KeepAliveTimeout));
    assert_eq!(control(&mut session), farewell(ReasonCode::KEEP_ALIVE_TIMEOUT));
}

#[test]
fn a_connection_that_says_nothing_is_given_up() {
    let mut session = Session::<u32>::new(Config::default(), Millis(5));
    assert_eq!(session.next_deadline(), Some(Millis(10_005)));
    assert_eq!(session.handle_timeout(Millis(10_005)), Err(ProtocolError::ConnectTimeout));
    assert_eq!(control(&mut session), []);
}

#[test]
fn a_session_expiry_of_zero_cannot_be_raised_by_disconnect() {
    let mut session = open(Version::V5, Config::default(), None);
    let properties = [Property::SessionExpiryInterval(1)];
    let disconnect =
        Disconnect { reason: ReasonCode::SUCCESS, properties: Properties::from(&properties[..]) };
    let (error, said) = refused(&mut session, Packet::Disconnect(disconnect));
    assert_eq!((error, said), (ProtocolError::SessionExpiryRaised, farewell(ReasonCode::PROTOCOL_ERROR)));
}

#[test]
fn an_empty_client_identifier_needs_a_clean_session_before_5_0() {
    let mut session = Session::<u32>::new(Config::default(), Millis(0));
    let mut connect = Connect::new(Version::V3_1_1, "");
    connect.clean_start = false;
    let (error, said) = refused(&mut session, Packet::Connect(connect));
    assert_eq!((error, said), (ProtocolError::EmptyClientId, vec![0x20, 2, 0, 2]));
    let mut session = Session::<u32>::new(Config::default(), Millis(0));
    let (error, said) = refused(&mut session, Packet::Connect(Connect::new(Version::V3_1, "")));
    assert_eq!((error, said), (ProtocolError::EmptyClientId, vec![0x20, 2, 0, 2]));
}

#[test]
fn a_client_must_not_send_subscription_identifiers() {
    let properties = [Property::SubscriptionIdentifier(SubscriptionId::new(1).unwrap())];
    let mut packet = Publish::new(TopicName::parse("a").unwrap(), b"");
    packet.properties = Properties::from(&properties[..]);
    let mut session = open(Version::V5, Config::default(), None);
    let (error, _) = refused(&mut session, Packet::Publish(packet));
    assert_eq!(error, ProtocolError::SubscriptionIdentifierFromClient);
}

#[test]
fn what_was_announced_not_to_be_there_is_refused_in_publish_and_in_the_will() {
    let config = Config { maximum_qos: QoS::AtLeastOnce, retain_available: false, ..Config::default() };
    let mut session = open(Version::V5, config, None);
    let (error, said) = refused(&mut session, publish(exactly_once(1)));
    assert_eq!((error, said), (ProtocolError::QosNotSupported, farewell(ReasonCode::QOS_NOT_SUPPORTED)));

    let mut session = Session::<u32>::new(config, Millis(0));
    let will = headwater_codec::Will {
        qos: QoS::AtMostOnce,
        retain: true,
        topic: TopicName::parse("gone").unwrap(),
        payload: b"",
        properties: Properties::EMPTY,
    };
    let mut connect = Connect::new(Version::V5, "client");
    connect.will = Some(will);
    let (error, said) = refused(&mut session, Packet::Connect(connect));
    assert_eq!(error, ProtocolError::RetainNotSupported);
    assert_eq!(said, [0x20, 3, 0, ReasonCode::RETAIN_NOT_SUPPORTED.0, 0]);
}

#[test]
fn nothing_is_taken_after_the_end() {
    let mut session = open(Version::V5, Config::default(), None);
    session.disconnect(ReasonCode::SERVER_SHUTTING_DOWN);
    assert_eq!(session.handle(publish(exactly_once(1)), Millis(1)), Ok(None));
    assert_eq!(control(&mut session), farewell(ReasonCode::SERVER_SHUTTING_DOWN));
    assert!(session.accept(None, &Accept::default(), Millis(1)).is_err());
}
