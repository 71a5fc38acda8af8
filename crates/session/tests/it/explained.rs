//! Reason strings and user properties: where they are said, and where they are left out.

use headwater_codec::{
    Connect, Packet, Properties, Property, QoS, ReasonCode, Subscribe, SubscribeFilter, Unsubscribe, Version,
};
use headwater_session::server::{Accept, Config, Event, Request, Session};
use headwater_session::{Explained, Millis, client};
use headwater_topic::TopicFilter;

use crate::server::{at_least_once, control, exactly_once, id, receipt};

const TEXT: &str = "the reason in words";
const PAIRS: &[(&str, &str)] = &[("limit", "1000"), ("limit", "per client")];

/// What a packet says: reason string and user properties.
fn words(bytes: &[u8]) -> (Option<String>, usize) {
    let packet = Packet::decode(bytes, Version::V5).unwrap();
    let properties = match packet {
        Packet::ConnAck(packet) => packet.properties,
        Packet::PubAck(packet) => packet.properties,
        Packet::PubRec(packet) => packet.properties,
        Packet::SubAck(packet) => packet.properties,
        Packet::UnsubAck(packet) => packet.properties,
        Packet::Disconnect(packet) => packet.properties,
        other => panic!("{other:?}"),
    };
    (properties.reason_string().map(str::to_owned), properties.user_properties().count())
}

fn asked(version: Version, properties: &[Property<'_>]) -> Session<u32> {
    let mut connect = Connect::new(version, "client");
    if version == Version::V5 {
        connect.properties = Properties::from(properties);
    }
    let mut session = Session::new(Config::default(), Millis(0));
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session
}

fn requests(session: &mut Session<u32>) -> [Request; 2] {
    let filter = TopicFilter::parse("a").unwrap();
    let filters = [SubscribeFilter::new(filter, QoS::AtMostOnce)];
    let subscribe = Packet::Subscribe(Subscribe::new(id(1), &filters));
    let Some(Event::Subscribe { request: first, .. }) = session.handle(subscribe, Millis(1)).unwrap() else {
        panic!()
    };
    let filters = [filter];
    let unsubscribe = Packet::Unsubscribe(Unsubscribe::new(id(2), &filters));
    let Some(Event::Unsubscribe { request: second, .. }) = session.handle(unsubscribe, Millis(1)).unwrap()
    else {
        panic!()
    };
    [first, second]
}

/// What CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK and DISCONNECT, and CONNACK of a refusal, say to a client of this kind.
fn said(version: Version, properties: &[Property<'_>]) -> Vec<Vec<u8>> {
    let explained = Explained::new(ReasonCode::NOT_AUTHORIZED).reason_string(TEXT).user_properties(PAIRS);
    let mut session = asked(version, properties);
    let accept = Accept::default().reason_string(Some(TEXT)).user_properties(PAIRS);
    session.accept(None, &accept, Millis(0)).unwrap();
    let mut all = vec![control(&mut session)];
    for delivery in [at_least_once(1), exactly_once(2)] {
        let receipt = receipt(&mut session, delivery);
        session.acknowledge(receipt, explained).unwrap();
        all.push(control(&mut session));
    }
    for request in requests(&mut session) {
        session.answer_explained(request, &[ReasonCode::NOT_AUTHORIZED], Some(TEXT), PAIRS).unwrap();
        all.push(control(&mut session));
    }
    session.disconnect(explained);
    all.push(control(&mut session));
    let mut session = asked(version, properties);
    session.refuse(explained).unwrap();
    all.push(control(&mut session));
    all
}

#[test]
fn every_answer_says_what_it_is_given() {
    for bytes in said(Version::V5, &[]) {
        assert_eq!(words(&bytes), (Some(TEXT.to_owned()), 2));
    }
}

#[test]
fn a_client_that_wants_no_problem_information_gets_it_in_connack_and_disconnect_only() {
    // [MQTT-3.1.2-29]
    let wants_none = [Property::RequestProblemInformation(false)];
    let strings: Vec<bool> =
        said(Version::V5, &wants_none).iter().map(|bytes| words(bytes).0.is_some()).collect();
    assert_eq!(strings, [true, false, false, false, false, true, true]);
}

#[test]
fn words_are_left_out_rather_than_make_a_packet_too_large() {
    // [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3]
    // [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.14.2-3] [MQTT-3.14.2-4]
    let full = said(Version::V5, &[]);
    for (index, packet) in full.iter().enumerate() {
        let mut seen = [false; 3];
        for limit in 1..=packet.len() + 1 {
            // CONNACK must fit, or there is no connection.
            let connack = full[0].len() - (3 + TEXT.len()) - 2 * 5 - "limitlimit1000per client".len();
            if index < 6 && limit < connack {
                continue;
            }
            let maximum = Property::MaximumPacketSize(u32::try_from(limit).unwrap().try_into().unwrap());
            if index == 6 && limit < 5 {
                continue;
            }
            let bytes = &match index {
                6 => {
                    let mut session = asked(Version::V5, &[maximum]);
                    let explained =
                        Explained::new(ReasonCode::NOT_AUTHORIZED).reason_string(TEXT).user_properties(PAIRS);
                    session.refuse(explained).unwrap();
                    control(&mut session)
                }
                _ => said(Version::V5, &[maximum]).swap_remove(index),
            };
            assert!(bytes.len() <= limit, "{} of {limit} bytes", bytes.len());
            let (string, pairs) = words(bytes);
            assert_eq!(pairs == 2, limit >= packet.len(), "all of them as soon as there is room");
            assert!(pairs == 0 || string.is_some(), "the reason string is worth more");
            seen[usize::from(string.is_some()) + usize::from(pairs > 0)] = true;
        }
        // Between CONNACK and their own size the smaller packets always have room for some.
        assert!(seen[1] && seen[2], "packet {index}: {seen:?}");
    }
}

#[test]
fn before_5_0_nothing_is_explained() {
    for (bytes, length) in said(Version::V3_1_1, &[]).iter().zip([4, 4, 4, 5, 4, 0, 4]) {
        assert_eq!(bytes.len(), length, "{bytes:02x?}");
    }
}

#[test]
fn response_information_is_told_to_who_asked_for_it() {
    for wants in [true, false] {
        let mut session = asked(Version::V5, &[Property::RequestResponseInformation(wants)]);
        session.accept(None, &Accept::default().response_information(Some("answers/")), Millis(0)).unwrap();
        let bytes = control(&mut session);
        let Packet::ConnAck(connack) = Packet::decode(&bytes, Version::V5).unwrap() else { panic!() };
        assert_eq!(connack.properties.response_information(), wants.then_some("answers/"));
    }
}

#[test]
fn a_client_explains_why_it_leaves() {
    let mut session = client::Session::<u32>::new(client::Config::default());
    session.connect(&Connect::new(Version::V5, "client"), Millis(0)).unwrap();
    session.poll_transmit(Millis(0));
    let connack = headwater_codec::ConnAck::accepted(false);
    session.handle(Packet::ConnAck(connack), Millis(0)).unwrap();
    session.disconnect(Explained::new(ReasonCode::DISCONNECT_WITH_WILL).reason_string(TEXT));
    let Some(headwater_session::Transmit::Control(bytes)) = session.poll_transmit(Millis(0)) else {
        panic!()
    };
    assert_eq!(words(bytes), (Some(TEXT.to_owned()), 0));
}

#[test]
fn an_acknowledgement_keeps_its_words_until_its_turn_comes() {
    let mut session = asked(Version::V5, &[]);
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    control(&mut session);
    let receipts = [at_least_once(1), at_least_once(2)].map(|delivery| receipt(&mut session, delivery));
    let text = String::from(TEXT);
    session
        .acknowledge(receipts[1], Explained::new(ReasonCode::QUOTA_EXCEEDED).reason_string(&text))
        .unwrap();
    drop(text);
    assert_eq!(control(&mut session), []);
    session.acknowledge(receipts[0], ReasonCode::SUCCESS).unwrap();
    let bytes = control(&mut session);
    let (first, second) = bytes.split_at(4);
    assert_eq!(words(first), (None, 0));
    assert_eq!(words(second), (Some(TEXT.to_owned()), 0));
}
