//! Sizes, counts and times that are held to.

use std::rc::Rc;

use headwater_codec::{
    ConnAck, Connect, Delivery, Packet, PacketType, Properties, Property, PubAck, QoS, ReasonCode, SubAck,
    Subscribe, SubscribeFilter, UnsubAck, Unsubscribe, Version,
};
use headwater_session::server::{Accept, Config, Event, Request, Session};
use headwater_session::{InFlight, Millis, Misuse, ProtocolError, Refused, Stage, State, Transmit, client};
use headwater_topic::TopicFilter;

use crate::client as client_tests;
use crate::server::{asked, at_least_once, control, id, open, publish, receipt};

/// A session whose client takes packets of so many bytes.
fn small(packet_size_max: u32, resumed: Option<State<u32>>) -> Result<Session<u32>, Misuse> {
    let mut session = Session::new(Config::default(), Millis(0));
    let properties = [Property::MaximumPacketSize(packet_size_max.try_into().unwrap())];
    let mut connect = Connect::new(Version::V5, "client");
    connect.clean_start = resumed.is_none();
    connect.properties = Properties::from(&properties[..]);
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session.accept(resumed, &Accept::default(), Millis(0))?;
    control(&mut session);
    Ok(session)
}

fn subscribe(session: &mut Session<u32>, filters: usize) -> Request {
    let filter = SubscribeFilter::new(TopicFilter::parse("a").unwrap(), QoS::AtMostOnce);
    let filters = vec![filter; filters];
    match session.handle(Packet::Subscribe(Subscribe::new(id(1), &filters)), Millis(1)).unwrap() {
        Some(Event::Subscribe { request, .. }) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_packet_is_larger_than_the_client_takes() {
    assert!(matches!(small(10, None), Err(Misuse::Encode(_))), "not even CONNACK");
    let mut session = small(30, None).unwrap();
    assert_eq!(session.peer_packet_size_max(), 30);
    let request = subscribe(&mut session, 100);
    assert!(matches!(session.answer(request, &[ReasonCode::SUCCESS; 100]), Err(Misuse::Encode(_))));
    assert_eq!(control(&mut session), []);
    let request = subscribe(&mut session, 10);
    session.answer(request, &[ReasonCode::SUCCESS; 10]).unwrap();
    assert_eq!(control(&mut session).len(), 15);
}

#[test]
fn no_request_is_larger_than_the_server_takes() {
    let properties = [Property::MaximumPacketSize(30.try_into().unwrap())];
    let connack = ConnAck { properties: Properties::from(&properties[..]), ..client_tests::welcome() };
    let mut client = client_tests::open(Version::V5, connack);
    let long = "a".repeat(100);
    let filters = [SubscribeFilter::new(TopicFilter::parse(&long).unwrap(), QoS::AtMostOnce)];
    assert!(matches!(client.subscribe(&filters, Properties::EMPTY), Err(Misuse::Encode(_))));
    let short = [TopicFilter::parse("a").unwrap()];
    assert!(client.unsubscribe(&short, Properties::EMPTY).is_ok(), "and the identifier is free");
}

#[test]
fn a_message_in_flight_that_cannot_be_sent_can_be_given_up() {
    let outgoing = vec![InFlight { packet_id: id(5), stage: Stage::PubAck, sent: true, message: 5 }];
    let mut session = small(30, Some(State::new(outgoing, Vec::new()))).unwrap();
    let Some(Transmit::Publish { delivery, .. }) = session.poll_transmit() else { panic!() };
    let revision = session.revision();
    assert_eq!(session.discard(delivery.packet_id().unwrap()), Some(5));
    assert_eq!((session.in_flight(), session.discard(id(5))), (0, None));
    assert!(session.revision() > revision);
}

#[test]
fn an_answer_has_as_many_reasons_as_the_request_has_filters() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    let request = subscribe(&mut session, 2);
    let error = session.answer(request, &[ReasonCode::SUCCESS]);
    assert_eq!(error, Err(Misuse::ReasonCount { filters: 2, reasons: 1 }));
    let request = subscribe(&mut session, 2);
    session.answer(request, &[ReasonCode::GRANTED_QOS_1, ReasonCode::QUOTA_EXCEEDED]).unwrap();
    assert_eq!(control(&mut session), [0x90, 4, 0, 1, 1, 0x80]);

    for (version, said) in [(Version::V3_1_1, &[0xB0, 2, 0, 9][..]), (Version::V5, &[0xB0, 4, 0, 9, 0, 0x11])]
    {
        let mut session = open(version, Config::default(), None);
        let filters = [TopicFilter::parse("a").unwrap()];
        let packet = Packet::Unsubscribe(Unsubscribe::new(id(9), &filters));
        let Ok(Some(Event::Unsubscribe { request, .. })) = session.handle(packet, Millis(1)) else {
            panic!()
        };
        session.answer(request, &[ReasonCode::NO_SUBSCRIPTION_EXISTED]).unwrap();
        assert_eq!(control(&mut session), said);
    }
    let request = subscribe(&mut session, 1);
    session.disconnect(ReasonCode::SUCCESS);
    assert_eq!(session.answer(request, &[ReasonCode::SUCCESS]), Err(Misuse::WrongPhase));
}

#[test]
fn a_client_holds_answers_against_what_it_asked() {
    let filters = [SubscribeFilter::new(TopicFilter::parse("a").unwrap(), QoS::AtMostOnce)];
    let reasons = [ReasonCode::SUCCESS; 3];
    let mut client = client_tests::open(Version::V5, client_tests::welcome());
    let packet_id = client.subscribe(&filters, Properties::EMPTY).unwrap();
    let error = client.handle(Packet::SubAck(SubAck::new(packet_id, &reasons)), Millis(0)).unwrap_err();
    assert_eq!(error, ProtocolError::UnexpectedResponse { packet: PacketType::SubAck, packet_id });

    let mut client = client_tests::open(Version::V3_1_1, client_tests::welcome());
    let packet_id = client.subscribe(&filters, Properties::EMPTY).unwrap();
    let error = client.handle(Packet::UnsubAck(UnsubAck::new(packet_id, &[])), Millis(0)).unwrap_err();
    assert_eq!(error, ProtocolError::UnexpectedResponse { packet: PacketType::UnsubAck, packet_id });

    let mut client = client_tests::open(Version::V3_1_1, client_tests::welcome());
    let packet_id = client.unsubscribe(&[TopicFilter::parse("a").unwrap()], Properties::EMPTY).unwrap();
    let event = client.handle(Packet::UnsubAck(UnsubAck::new(packet_id, &[])), Millis(0)).unwrap();
    assert!(matches!(event, Some(client::Event::Unsubscribed(_))), "before 5.0 it has no reasons to count");
}

#[test]
fn a_client_does_not_exceed_the_highest_qos_of_the_server() {
    let properties = [Property::MaximumQoS(QoS::AtMostOnce)];
    let connack = ConnAck { properties: Properties::from(&properties[..]), ..client_tests::welcome() };
    let mut client = client_tests::open(Version::V5, connack);
    let refused = Refused { message: 1, misuse: Misuse::QosNotSupported };
    assert_eq!(client.publish(1, QoS::AtLeastOnce), Err(refused));
    assert_eq!(client.publish(1, QoS::AtMostOnce), Ok(None));
}

#[test]
fn a_client_observes_the_receive_maximum_of_the_server() {
    let properties = [Property::ReceiveMaximum(1.try_into().unwrap())];
    let connack = ConnAck { properties: Properties::from(&properties[..]), ..client_tests::welcome() };
    let mut client = client_tests::open(Version::V5, connack);
    client.publish(1, QoS::ExactlyOnce).unwrap();
    assert_eq!(client.publish(2, QoS::AtLeastOnce), Err(Refused { message: 2, misuse: Misuse::Full }));
    assert_eq!((client.room(QoS::AtLeastOnce), client.in_flight()), (0, 1));
}

#[test]
fn room_counts_the_identifiers_of_requests() {
    let mut client =
        client::Session::<u32>::new(client::Config { window: 70_000, ..client::Config::default() });
    client.connect(&Connect::new(Version::V3_1_1, "client"), Millis(0)).unwrap();
    client.handle(Packet::ConnAck(client_tests::welcome()), Millis(0)).unwrap();
    let filters = [SubscribeFilter::new(TopicFilter::parse("a").unwrap(), QoS::AtMostOnce)];
    for _ in 0..65_534 {
        client.subscribe(&filters, Properties::EMPTY).unwrap();
    }
    assert_eq!(client.room(QoS::AtLeastOnce), 1);
    client.publish(1, QoS::AtLeastOnce).unwrap();
    assert_eq!(client.publish(2, QoS::AtLeastOnce), Err(Refused { message: 2, misuse: Misuse::Full }));
    assert_eq!(client.subscribe(&filters, Properties::EMPTY), Err(Misuse::Full));
}

#[test]
fn keep_alive_does_not_count_while_the_server_does_not_read() {
    let config = Config { receive_maximum: 1.try_into().unwrap(), ..Config::default() };
    let mut session = open(Version::V3_1_1, config, None);
    let receipt = receipt(&mut session, at_least_once(1));
    assert_eq!((session.wants_packet(), session.next_deadline()), (false, None));
    assert_eq!(session.handle_timeout(Millis(1_000_000)), Ok(()));
    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    session.read_again(Millis(1_000_000));
    assert_eq!(session.next_deadline(), Some(Millis(1_015_000)));
}

#[test]
fn a_client_keeps_its_keep_alive_while_it_waits_for_pingresp() {
    let mut client = client::Session::<u32>::new(client::Config::default());
    let mut connect = Connect::new(Version::V3_1_1, "client");
    connect.keep_alive_secs = 4;
    client.connect(&connect, Millis(0)).unwrap();
    client_tests::control(&mut client, Millis(0));
    client.handle(Packet::ConnAck(client_tests::welcome()), Millis(0)).unwrap();
    for now in [4_000, 8_000, 12_000].map(Millis) {
        assert_eq!(client.next_deadline(), Some(now));
        client.handle_timeout(now).unwrap();
        assert_eq!(client_tests::control(&mut client, now), [0xC0, 0]);
    }
    // Ten seconds after the first PINGREQ.
    assert_eq!(client.next_deadline(), Some(Millis(14_000)));
    assert_eq!(client.handle_timeout(Millis(14_000)), Err(ProtocolError::ResponseTimeout));
}

#[test]
fn a_message_of_qos_0_is_let_go_once_it_is_written() {
    let mut session: Session<Rc<()>> = Session::new(Config::default(), Millis(0));
    session.handle(Packet::Connect(Connect::new(Version::V5, "client")), Millis(0)).unwrap();
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    let message = Rc::new(());
    session.publish(Rc::clone(&message), QoS::AtMostOnce).unwrap();
    while session.poll_transmit().is_some() {}
    assert_eq!(Rc::strong_count(&message), 1);
}

#[test]
fn as_many_messages_wait_as_the_window_says() {
    let mut session = open(Version::V5, Config { window: 3, ..Config::default() }, None);
    for message in 0..3 {
        assert_eq!(session.publish(message, QoS::AtMostOnce), Ok(None));
    }
    assert_eq!((session.room(QoS::AtMostOnce), session.room(QoS::AtLeastOnce)), (0, 0));
    let mut order = Vec::new();
    while let Some(Transmit::Publish { message, delivery, .. }) = session.poll_transmit() {
        assert_eq!(delivery, Delivery::AtMostOnce);
        order.push(*message);
    }
    assert_eq!(order, [0, 1, 2]);
    assert_eq!(session.publish(9, QoS::AtLeastOnce), Ok(Some(id(1))), "the identifier that it will have");
    assert_eq!(
        session.handle(publish(Delivery::AtMostOnce), Millis(1)).map(|event| event.is_some()),
        Ok(true)
    );
    assert!(session.handle(Packet::PubAck(PubAck::new(id(1))), Millis(1)).is_err(), "it was not sent yet");
    assert!(asked(Version::V5, Config::default()).next_deadline().is_some());
}

/// Sends as many as go; gives their identifiers.
fn fill(session: &mut Session<u32>) -> Vec<u16> {
    let mut all = Vec::new();
    while session.room(QoS::ExactlyOnce) > 0 {
        all.push(session.publish(0, QoS::ExactlyOnce).unwrap().unwrap().get());
    }
    assert!(session.publish(0, QoS::AtLeastOnce).is_err(), "room and publish agree");
    all
}

#[test]
fn no_identifier_is_given_out_beyond_those_that_were_reserved() {
    let mut session = open(Version::V5, Config::default(), None);
    session.reserve_packet_ids(id(3));
    assert_eq!(session.room(QoS::AtLeastOnce), 3);
    assert_eq!(fill(&mut session), [1, 2, 3]);
    assert_eq!((session.packet_ids_left(), session.last_packet_id()), (0, Some(id(3))));
    assert!(session.room(QoS::AtMostOnce) > 0, "QoS 0 has no identifier");
    session.reserve_packet_ids(id(5));
    assert_eq!(fill(&mut session), [4, 5]);
}

#[test]
fn new_identifiers_go_on_behind_the_last_one_that_was_given_out_and_pass_over_those_in_flight() {
    let in_flight = |number| InFlight { packet_id: id(number), stage: Stage::PubRec, sent: true, message: 0 };
    let mut state = State::new([65_534, 2].map(in_flight).into(), Vec::new());
    state.last_packet_id = Some(id(65_533));
    let mut session = open(Version::V3_1_1, Config::default(), Some(state.clone()));
    session.reserve_packet_ids(id(4));
    assert_eq!(session.room(QoS::ExactlyOnce), 4, "six, two of which are in flight");
    assert_eq!(fill(&mut session), [65_535, 1, 3, 4]);
    let mut after = session.into_state().unwrap();
    after.outgoing.clear();
    assert_eq!(after.last_packet_id, Some(id(4)));
    let mut session = open(Version::V3_1_1, Config::default(), Some(after));
    assert_eq!(session.publish(1, QoS::AtLeastOnce).unwrap(), Some(id(5)), "although nothing is in flight");
}

#[test]
fn a_window_larger_than_what_was_reserved_takes_all_of_it() {
    let mut session = open(Version::V5, Config { window: 60_000, ..Config::default() }, None);
    for (through, count) in [(40_000, 40_000), (50_000, 10_000)] {
        session.reserve_packet_ids(id(through));
        assert_eq!(fill(&mut session).len(), count);
    }
}

#[test]
fn identifiers_that_are_avoided_are_never_given_out_however_often_they_come_around() {
    let avoided =
        vec![(id(1_000), id(40_000)), (id(65_000), id(65_535)), (id(1), id(3)), (id(39_000), id(41_000))];
    let is_avoided =
        |number: u16| avoided.iter().any(|(first, last)| (first.get()..=last.get()).contains(&number));
    let mut state = State::new(Vec::new(), Vec::new());
    state.last_packet_id = Some(id(900));
    state.avoided_packet_ids.clone_from(&avoided);
    let mut session = open(Version::V5, Config { window: 7, ..Config::default() }, Some(state));
    let mut used = Vec::new();
    for _ in 0..100 {
        let through = session.state().packet_id_ahead(1_000).unwrap();
        session.reserve_packet_ids(through);
        assert_eq!(session.packet_ids_left(), 1_000);
        while session.room(QoS::AtLeastOnce) > 0 {
            let packet_id = session.publish(0, QoS::AtLeastOnce).unwrap().unwrap();
            session.discard(packet_id).unwrap();
            while session.poll_transmit().is_some() {}
            used.push(packet_id.get());
        }
        assert_eq!(session.last_packet_id(), Some(through));
    }
    assert_eq!(used.len(), 100_000);
    assert_eq!(used.iter().find(|number| is_avoided(**number)), None);
    assert_eq!(session.into_state().unwrap().avoided_packet_ids, avoided);
}

/// What a message in flight has: both roles, by one set of calls.
trait Sender {
    fn send(&mut self, message: u32) -> Result<u16, Refused<u32>>;
    fn written(&mut self) -> usize;
    fn acknowledged(&mut self, number: u16);
    fn room(&self) -> usize;
}

impl Sender for Session<u32> {
    fn send(&mut self, message: u32) -> Result<u16, Refused<u32>> {
        self.publish(message, QoS::AtLeastOnce).map(|packet_id| packet_id.unwrap().get())
    }
    fn written(&mut self) -> usize {
        std::iter::from_fn(|| self.poll_transmit().map(drop)).count()
    }
    fn acknowledged(&mut self, number: u16) {
        self.handle(Packet::PubAck(PubAck::new(id(number))), Millis(1)).unwrap();
    }
    fn room(&self) -> usize {
        self.room(QoS::ExactlyOnce)
    }
}

impl Sender for client::Session<u32> {
    fn send(&mut self, message: u32) -> Result<u16, Refused<u32>> {
        self.publish(message, QoS::AtLeastOnce).map(|packet_id| packet_id.unwrap().get())
    }
    fn written(&mut self) -> usize {
        std::iter::from_fn(|| self.poll_transmit(Millis(1)).map(drop)).count()
    }
    fn acknowledged(&mut self, number: u16) {
        self.handle(Packet::PubAck(PubAck::new(id(number))), Millis(1)).unwrap();
    }
    fn room(&self) -> usize {
        self.room(QoS::ExactlyOnce)
    }
}

/// All identifiers are given out, each once; a message more comes back at once, as often as it is tried; and the identifier that becomes
/// free, wherever it is, is the next one.
fn exhaust(session: &mut impl Sender) {
    let mut seen = vec![false; 1 << 16];
    for message in 0..65_535 {
        let number = usize::from(session.send(message).unwrap());
        assert!(number != 0 && !std::mem::replace(&mut seen[number], true), "{number} is in flight once");
    }
    session.written();
    for free in [40_000, 1, 65_535, 2, 40_000] {
        for _ in 0..100_000 {
            assert_eq!(session.send(7), Err(Refused { message: 7, misuse: Misuse::Full }));
        }
        assert_eq!((session.room(), session.written()), (0, 0));
        session.acknowledged(free);
        assert_eq!((session.room(), session.send(8)), (1, Ok(free)));
        assert_eq!(session.written(), 1);
    }
}

#[test]
fn with_all_identifiers_in_flight_a_message_comes_back_at_once_and_none_is_used_twice() {
    let window = 70_000;
    exhaust(&mut open(Version::V3_1_1, Config { window, ..Config::default() }, None));
    exhaust(&mut open(Version::V5, Config { window, ..Config::default() }, None));
    for version in [Version::V3_1_1, Version::V5] {
        let mut client = client::Session::<u32>::new(client::Config { window, ..client::Config::default() });
        client.connect(&Connect::new(version, "client"), Millis(0)).unwrap();
        client.handle(Packet::ConnAck(client_tests::welcome()), Millis(0)).unwrap();
        exhaust(&mut client);
    }
}
