//! Rules of the specification that no other file is about, each with its clause: opening, QoS flows, quota.

use headwater_codec::{
    Auth, ConnAck, Connect, Delivery, Disconnect, Packet, Properties, Property, PubAck, PubComp, PubRec,
    PubRel, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter, Unsubscribe, Version, Will,
};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{Millis, Misuse, ProtocolError, Refused, State, Transmit, client};
use headwater_topic::{TopicFilter, TopicName};

use crate::client as client_tests;
use crate::server::{asked, at_least_once, control, encoded, exactly_once, id, open, publish, receipt};

const VERSIONS: [Version; 2] = [Version::V3_1_1, Version::V5];

fn connack(bytes: &[u8], version: Version) -> ConnAck<'_> {
    match Packet::decode(bytes, version).unwrap() {
        Packet::ConnAck(connack) => connack,
        other => panic!("{other:?}"),
    }
}

#[test]
fn connack_says_that_there_is_a_session_exactly_when_there_is() {
    // 3.1.1: [MQTT-3.2.2-1] to [MQTT-3.2.2-4]; 5.0: [MQTT-3.2.2-2], [MQTT-3.2.2-3], [MQTT-3.2.2-6]
    for version in VERSIONS {
        for (clean_start, resumed) in [(true, None), (false, None), (false, Some(State::<u32>::default()))] {
            let mut connect = Connect::new(version, "client");
            connect.clean_start = clean_start;
            let mut session = Session::new(Config::default(), Millis(0));
            session.handle(Packet::Connect(connect), Millis(0)).unwrap();
            if clean_start {
                let state = Some(State::default());
                let error = session.accept(state, &Accept::default(), Millis(0));
                assert_eq!(error, Err(Misuse::CleanStart));
            }
            let present = resumed.is_some();
            session.accept(resumed, &Accept::default(), Millis(0)).unwrap();
            let bytes = control(&mut session);
            let said = connack(&bytes, version);
            assert_eq!((said.session_present, said.reason), (present, ReasonCode::SUCCESS));
        }
        let mut session = asked(version, Config::default());
        session.refuse(ReasonCode::BANNED).unwrap();
        assert!(!connack(&control(&mut session), version).session_present);
        assert!(session.is_closed());
    }
}

#[test]
fn nothing_leaves_before_connack_and_there_is_one() {
    // 3.1.1: [MQTT-3.2.0-1]; 5.0: [MQTT-3.2.0-1], [MQTT-3.2.0-2], [MQTT-3.14.0-1]
    for version in VERSIONS {
        let mut session = asked(version, Config::default());
        assert_eq!(
            session.publish(1, QoS::AtMostOnce),
            Err(Refused { message: 1, misuse: Misuse::WrongPhase })
        );
        assert!(session.poll_transmit().is_none());
        session.accept(None, &Accept::default(), Millis(0)).unwrap();
        session.publish(2, QoS::AtMostOnce).unwrap();
        connack(&control(&mut session), version);
        assert!(matches!(session.poll_transmit(), Some(Transmit::Publish { message: 2, .. })));
        assert_eq!(session.accept(None, &Accept::default(), Millis(0)), Err(Misuse::WrongPhase));
        assert!(session.poll_transmit().is_none());

        let mut session = asked(version, Config::default());
        session.disconnect(ReasonCode::SERVER_SHUTTING_DOWN);
        assert!(session.poll_transmit().is_none(), "no DISCONNECT without CONNACK");
    }
}

#[test]
fn what_came_behind_a_connect_that_is_refused_is_not_taken() {
    // 3.1.1: [MQTT-3.1.4-5]; 5.0: [MQTT-3.1.4-6]
    for version in VERSIONS {
        let mut session = asked(version, Config::default());
        session.refuse(ReasonCode::NOT_AUTHORIZED).unwrap();
        control(&mut session);
        for packet in [publish(at_least_once(1)), publish(exactly_once(2)), Packet::PingReq] {
            assert_eq!(session.handle(packet, Millis(1)), Ok(None));
        }
        assert_eq!(control(&mut session), []);
        assert_eq!(session.into_state(), None);
    }
}

#[test]
fn connack_does_not_carry_what_was_not_asked_for() {
    // [MQTT-3.1.2-28], [MQTT-4.12.0-6]
    for wanted in [None, Some(false), Some(true)] {
        let properties: Vec<_> = wanted.map(Property::RequestResponseInformation).into_iter().collect();
        let mut connect = Connect::new(Version::V5, "client");
        connect.properties = Properties::from(&properties[..]);
        let mut session = Session::<u32>::new(Config::default(), Millis(0));
        session.handle(Packet::Connect(connect), Millis(0)).unwrap();
        session.accept(None, &Accept::default(), Millis(0)).unwrap();
        let bytes = control(&mut session);
        let said = connack(&bytes, Version::V5).properties;
        assert_eq!((said.response_information(), said.authentication_method()), (None, None));
    }
}

#[test]
fn an_auth_that_was_not_agreed_upon_is_a_protocol_error() {
    // [MQTT-4.12.0-7]
    let properties = [Property::AuthenticationMethod("SCRAM-SHA-256")];
    let auth = Auth::new(ReasonCode::RE_AUTHENTICATE, Properties::from(&properties[..]));
    let mut session = open(Version::V5, Config::default(), None);
    assert_eq!(session.handle(Packet::Auth(auth), Millis(1)), Err(ProtocolError::UnexpectedAuth));
    let farewell = Packet::Disconnect(Disconnect::new(ReasonCode::PROTOCOL_ERROR));
    assert_eq!(control(&mut session), encoded(&[farewell], Version::V5));
    let mut client = client_tests::open(Version::V5, client_tests::welcome());
    assert_eq!(client.handle(Packet::Auth(auth), Millis(1)), Err(ProtocolError::UnexpectedAuth));
}

#[test]
fn a_server_without_qos_1_and_2_says_so_refuses_wills_above_it_and_takes_any_subscribe() {
    // [MQTT-3.2.2-9], [MQTT-3.2.2-10], [MQTT-3.2.2-12]
    let config = Config { maximum_qos: QoS::AtMostOnce, ..Config::default() };
    let mut session = asked(Version::V5, config);
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    let bytes = control(&mut session);
    assert_eq!(connack(&bytes, Version::V5).properties.maximum_qos(), Some(QoS::AtMostOnce));
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let filters = [SubscribeFilter::new(TopicFilter::parse("a").unwrap(), qos)];
        let event = session.handle(Packet::Subscribe(Subscribe::new(id(1), &filters)), Millis(1)).unwrap();
        let Some(Event::Subscribe { request, .. }) = event else { panic!("{event:?}") };
        session.answer(request, &[ReasonCode::GRANTED_QOS_0]).unwrap();
        assert_eq!(control(&mut session), [0x90, 4, 0, 1, 0, 0]);
    }
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut connect = Connect::new(Version::V5, "client");
        connect.will = Some(Will { qos, ..Will::new(TopicName::parse("gone").unwrap(), b"") });
        let mut session = Session::<u32>::new(config, Millis(0));
        assert_eq!(session.handle(Packet::Connect(connect), Millis(0)), Err(ProtocolError::QosNotSupported));
        assert_eq!(control(&mut session), [0x20, 3, 0, ReasonCode::QOS_NOT_SUPPORTED.0, 0]);
        assert!(session.is_closed());
    }
}

#[test]
fn silence_ends_a_connection_of_3_1_1_without_a_word() {
    // [MQTT-3.1.2-24] of 3.1.1
    let mut session = open(Version::V3_1_1, Config::default(), None);
    assert_eq!(session.handle_timeout(Millis(14_999)), Ok(()));
    assert_eq!(session.handle_timeout(Millis(15_000)), Err(ProtocolError::KeepAliveTimeout));
    assert!(session.is_closed());
    assert_eq!(control(&mut session), []);
}

#[test]
fn each_qos_has_its_answer() {
    // [MQTT-3.3.4-1]
    for version in VERSIONS {
        let mut session = open(version, Config::default(), None);
        let event = session.handle(publish(Delivery::AtMostOnce), Millis(1)).unwrap();
        assert!(matches!(event, Some(Event::Publish { receipt: None, .. })));
        assert_eq!(control(&mut session), []);
        for (delivery, answer) in [(at_least_once(7), [0x40, 2, 0, 7]), (exactly_once(8), [0x50, 2, 0, 8])] {
            let receipt = receipt(&mut session, delivery);
            session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
            assert_eq!(control(&mut session), answer);
        }
    }
}

#[test]
fn behind_puback_the_identifier_names_a_new_message_whatever_dup_says() {
    // [MQTT-4.3.2-5]; 3.1.1: [MQTT-4.3.2-2]
    for version in VERSIONS {
        let mut session = open(version, Config::default(), None);
        for dup in [false, true, true, false] {
            let delivery = Delivery::AtLeastOnce { packet_id: id(1), dup };
            let receipt = receipt(&mut session, delivery);
            session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
            assert_eq!(control(&mut session), [0x40, 2, 0, 1]);
        }
    }
}

#[test]
fn behind_a_refusing_pubrec_the_identifier_names_a_new_message() {
    // [MQTT-4.3.3-9]
    let mut session = open(Version::V5, Config::default(), None);
    for _ in 0..3 {
        let receipt = receipt(&mut session, exactly_once(1));
        session.acknowledge(receipt, ReasonCode::QUOTA_EXCEEDED).unwrap();
        let pubrec = PubRec::with_reason(id(1), ReasonCode::QUOTA_EXCEEDED);
        assert_eq!(control(&mut session), encoded(&[Packet::PubRec(pubrec)], Version::V5));
    }
}

#[test]
fn what_was_refused_is_not_sent_again() {
    // [MQTT-4.4.0-2]
    let mut session = open(Version::V5, Config::default(), None);
    session.publish(1, QoS::AtLeastOnce).unwrap();
    session.publish(2, QoS::ExactlyOnce).unwrap();
    while session.poll_transmit().is_some() {}
    let refusal = ReasonCode::NOT_AUTHORIZED;
    session.handle(Packet::PubAck(PubAck::with_reason(id(1), refusal)), Millis(1)).unwrap();
    session.handle(Packet::PubRec(PubRec::with_reason(id(2), refusal)), Millis(1)).unwrap();
    let state = session.into_state();
    assert!(state.as_ref().is_some_and(State::is_empty));
    let mut session = open(Version::V5, Config::default(), state);
    assert!(session.poll_transmit().is_none());
}

#[test]
fn a_used_up_quota_holds_back_messages_only() {
    // [MQTT-3.3.4-9], [MQTT-3.3.4-10], [MQTT-4.9.0-1] to [MQTT-4.9.0-3]
    let properties = [Property::ReceiveMaximum(1.try_into().unwrap())];
    let mut connect = Connect::new(Version::V5, "client");
    connect.properties = Properties::from(&properties[..]);
    let mut session = Session::<u32>::new(Config::default(), Millis(0));
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    control(&mut session);
    session.publish(1, QoS::ExactlyOnce).unwrap();
    assert!(session.poll_transmit().is_some());
    assert_eq!(session.publish(2, QoS::AtLeastOnce), Err(Refused { message: 2, misuse: Misuse::Full }));

    session.handle(Packet::PingReq, Millis(1)).unwrap();
    assert_eq!(control(&mut session), [0xD0, 0]);
    let received = receipt(&mut session, at_least_once(9));
    session.acknowledge(received, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), [0x40, 2, 0, 9]);
    session.handle(Packet::PubRec(PubRec::new(id(1))), Millis(1)).unwrap();
    assert_eq!(control(&mut session), [0x62, 2, 0, 1]);
    assert_eq!(session.room(QoS::AtLeastOnce), 0, "PUBREC does not give the quota back");
    session.handle(Packet::PubComp(PubComp::new(id(1))), Millis(1)).unwrap();
    assert!(session.publish(2, QoS::AtLeastOnce).is_ok(), "PUBCOMP does");
}

#[test]
fn a_used_up_quota_of_a_client_holds_back_messages_only() {
    // [MQTT-3.3.4-7], [MQTT-3.3.4-8]
    let properties = [Property::ReceiveMaximum(1.try_into().unwrap())];
    let connack = ConnAck { properties: Properties::from(&properties[..]), ..client_tests::welcome() };
    let mut client = client_tests::open(Version::V5, connack);
    client.publish(1, QoS::ExactlyOnce).unwrap();
    assert!(client.poll_transmit(Millis(0)).is_some());
    assert_eq!(client.publish(2, QoS::AtLeastOnce), Err(Refused { message: 2, misuse: Misuse::Full }));
    let filters = [SubscribeFilter::new(TopicFilter::parse("a").unwrap(), QoS::AtMostOnce)];
    let request = client.subscribe(&filters, Properties::EMPTY).unwrap();
    let expected = Subscribe::new(request, &filters);
    let sent = client_tests::control(&mut client, Millis(0));
    assert_eq!(sent, encoded(&[Packet::Subscribe(expected)], Version::V5));
    client.handle_timeout(Millis(10_000)).unwrap();
    assert_eq!(client_tests::control(&mut client, Millis(10_000)), [0xC0, 0]);
}

/// A message that the server sends to a client, which takes it.
fn given(client: &mut client::Session<u32>, delivery: Delivery) -> headwater_session::Receipt {
    match client.handle(publish(delivery), Millis(0)).unwrap() {
        Some(client::Event::Publish { receipt: Some(receipt), .. }) => receipt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_acknowledges_in_order_also_what_it_never_subscribed_to() {
    // [MQTT-4.5.0-2], [MQTT-4.6.0-2], [MQTT-4.6.0-3], [MQTT-4.3.3-8], [MQTT-4.3.2-4]
    for version in VERSIONS {
        let mut client = client_tests::open(version, client_tests::welcome());
        let first = given(&mut client, exactly_once(5));
        let second = given(&mut client, at_least_once(3));
        let third = given(&mut client, exactly_once(4));
        for early in [third, second] {
            client.acknowledge(early, ReasonCode::SUCCESS).unwrap();
            assert_eq!(client_tests::control(&mut client, Millis(0)), []);
        }
        client.acknowledge(first, ReasonCode::SUCCESS).unwrap();
        let expected = [0x50, 2, 0, 5, 0x40, 2, 0, 3, 0x50, 2, 0, 4];
        assert_eq!(client_tests::control(&mut client, Millis(0)), expected);
    }
}

#[test]
fn a_client_sends_again_in_order_with_dup_and_its_first_identifiers() {
    // [MQTT-3.3.1-1], [MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-4.6.0-4], [MQTT-4.3.3-6]; 3.1.1: [MQTT-2.3.1-3]
    for version in VERSIONS {
        let mut client = client_tests::open(version, client_tests::welcome());
        for (message, qos) in [
            (1, QoS::ExactlyOnce),
            (2, QoS::AtLeastOnce),
            (3, QoS::ExactlyOnce),
            (4, QoS::ExactlyOnce),
            (5, QoS::AtLeastOnce),
        ] {
            assert_eq!(client.publish(message, qos), Ok(Some(id(u16::try_from(message).unwrap()))));
        }
        while client.poll_transmit(Millis(0)).is_some() {}
        for number in [4, 1] {
            client.handle(Packet::PubRec(PubRec::new(id(number))), Millis(0)).unwrap();
        }
        let releases = [0x62, 2, 0, 4, 0x62, 2, 0, 1];
        assert_eq!(client_tests::control(&mut client, Millis(0)), releases);
        client.connection_lost();

        let properties = [Property::SessionExpiryInterval(100)];
        let mut connect = Connect::new(version, "client");
        connect.clean_start = false;
        if version == Version::V5 {
            connect.properties = Properties::from(&properties[..]);
        }
        client = client::Session::resumed(client::Config::default(), client.into_state());
        client.connect(&connect, Millis(1)).unwrap();
        client_tests::control(&mut client, Millis(1));
        client.handle(Packet::ConnAck(ConnAck::accepted(true)), Millis(1)).unwrap();
        assert_eq!(client_tests::control(&mut client, Millis(1)), releases);
        let mut again = Vec::new();
        while let Some(Transmit::Publish { message, delivery, .. }) = client.poll_transmit(Millis(1)) {
            assert!(delivery.dup());
            again.push((*message, delivery.packet_id().unwrap()));
        }
        assert_eq!(again, [(2, id(2)), (3, id(3)), (5, id(5))]);
    }
}

#[test]
fn pubrel_is_answered_and_behind_pubcomp_the_identifier_names_a_new_message() {
    // [MQTT-4.3.3-11], [MQTT-4.3.3-12]
    for version in VERSIONS {
        let mut client = client_tests::open(version, client_tests::welcome());
        for _ in 0..2 {
            let receipt = given(&mut client, exactly_once(4));
            client.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
            assert_eq!(client_tests::control(&mut client, Millis(0)), [0x50, 2, 0, 4]);
            client.handle(Packet::PubRel(PubRel::new(id(4))), Millis(0)).unwrap();
            assert_eq!(client_tests::control(&mut client, Millis(0)), [0x70, 2, 0, 4]);
        }
    }
}

#[test]
fn no_answer_carries_a_reason_string_or_a_user_property_that_it_was_not_given() {
    // [MQTT-3.1.2-29], and what sections 3.4.2.2 to 3.11.2.1 say of the size of such answers
    for wanted in [false, true] {
        let properties = [Property::RequestProblemInformation(wanted)];
        let mut connect = Connect::new(Version::V5, "client");
        connect.properties = Properties::from(&properties[..]);
        let mut session = Session::<u32>::new(Config::default(), Millis(0));
        session.handle(Packet::Connect(connect), Millis(0)).unwrap();
        session.accept(None, &Accept::default(), Millis(0)).unwrap();
        let bytes = control(&mut session);
        let said = connack(&bytes, Version::V5).properties;
        assert_eq!((said.reason_string(), said.user_properties().next()), (None, None));

        let refusal = ReasonCode::QUOTA_EXCEEDED;
        let (first, second) =
            (receipt(&mut session, at_least_once(1)), receipt(&mut session, exactly_once(2)));
        session.acknowledge(first, refusal).unwrap();
        session.acknowledge(second, refusal).unwrap();
        let filters = [SubscribeFilter::new(TopicFilter::parse("a").unwrap(), QoS::AtMostOnce)];
        let event = session.handle(Packet::Subscribe(Subscribe::new(id(3), &filters)), Millis(1)).unwrap();
        let Some(Event::Subscribe { request, .. }) = event else { panic!("{event:?}") };
        session.answer(request, &[refusal]).unwrap();
        let filters = [TopicFilter::parse("a").unwrap()];
        let event =
            session.handle(Packet::Unsubscribe(Unsubscribe::new(id(4), &filters)), Millis(1)).unwrap();
        let Some(Event::Unsubscribe { request, .. }) = event else { panic!("{event:?}") };
        session.answer(request, &[ReasonCode::NOT_AUTHORIZED]).unwrap();
        session.handle(Packet::PubRel(PubRel::new(id(9))), Millis(1)).unwrap();
        session.handle(Packet::PubRec(PubRec::new(id(9))), Millis(1)).unwrap();
        session.disconnect(ReasonCode::NOT_AUTHORIZED);
        let expected: [&[u8]; 7] = [
            &[0x40, 4, 0, 1, 0x97, 0],
            &[0x50, 4, 0, 2, 0x97, 0],
            &[0x90, 4, 0, 3, 0, 0x97],
            &[0xB0, 4, 0, 4, 0, 0x87],
            &[0x70, 4, 0, 9, 0x92, 0],
            &[0x62, 4, 0, 9, 0x92, 0],
            &[0xE0, 2, 0x87, 0],
        ];
        assert_eq!(control(&mut session), expected.concat());
    }
}

#[test]
fn a_retained_message_is_refused_where_none_are_kept() {
    // [MQTT-3.2.2-14]
    let config = Config { retain_available: false, ..Config::default() };
    let mut session = open(Version::V5, config, None);
    let packet = Publish::new(TopicName::parse("a").unwrap(), b"x").with_retain(true);
    assert_eq!(session.handle(Packet::Publish(packet), Millis(1)), Err(ProtocolError::RetainNotSupported));
}

#[test]
fn a_client_gives_up_the_session_that_its_server_no_longer_has() {
    // [MQTT-3.2.2-5]
    for version in VERSIONS {
        let mut client = client_tests::open(version, client_tests::welcome());
        let first = given(&mut client, exactly_once(1));
        client.acknowledge(first, ReasonCode::SUCCESS).unwrap();
        client.publish(7, QoS::ExactlyOnce).unwrap();
        while client.poll_transmit(Millis(0)).is_some() {}
        client.connection_lost();
        let mut connect = Connect::new(version, "client");
        connect.clean_start = false;
        client.connect(&connect, Millis(1)).unwrap();
        client_tests::control(&mut client, Millis(1));
        let event = client.handle(Packet::ConnAck(ConnAck::accepted(false)), Millis(1)).unwrap();
        let Some(client::Event::Connected { unfinished, .. }) = event else { panic!("{event:?}") };
        assert_eq!(unfinished, [7]);
        assert!(client.poll_transmit(Millis(1)).is_none());
        given(&mut client, exactly_once(1));
    }
}

#[test]
fn who_has_sent_disconnect_closes() {
    // 3.1.1: [MQTT-3.14.4-1]; 5.0: [MQTT-3.14.4-2], [MQTT-4.13.2-1]
    for version in VERSIONS {
        for reason in [ReasonCode::SUCCESS, ReasonCode::UNSPECIFIED_ERROR] {
            let mut client = client_tests::open(version, client_tests::welcome());
            client.disconnect(reason);
            assert!(client.is_closed());
            assert_eq!(client_tests::control(&mut client, Millis(0))[0], 0xE0);
            let mut server = open(version, Config::default(), None);
            server.disconnect(reason);
            assert!(server.is_closed());
        }
    }
}
