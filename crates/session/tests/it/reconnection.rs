//! What must hold from one connection of a session to the next.

use headwater_codec::{
    Connect, Delivery, Packet, Properties, Property, PubAck, PubComp, PubRec, PubRel, QoS, ReasonCode,
    Version,
};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{InFlight, Incoming, Millis, ProtocolError, Stage, State, Transmit, client};

use crate::client as client_tests;
use crate::server::{asked, at_least_once, control, exactly_once, id, open, publish, receipt};

fn again(number: u16) -> Delivery {
    Delivery::ExactlyOnce { packet_id: id(number), dup: true }
}

fn limited(receive_maximum: u16) -> Config {
    Config { receive_maximum: receive_maximum.try_into().unwrap(), ..Config::default() }
}

fn kept(number: u16, stage: Stage) -> InFlight<u32> {
    InFlight { packet_id: id(number), stage, sent: true, message: u32::from(number) }
}

/// A resumed session whose client takes so many messages at a time.
fn resumed(outgoing: Vec<InFlight<u32>>, receive_maximum: u16) -> Session<u32> {
    let mut session = Session::new(Config::default(), Millis(0));
    let properties = [Property::ReceiveMaximum(receive_maximum.try_into().unwrap())];
    let mut connect = Connect::new(Version::V5, "client");
    connect.clean_start = false;
    connect.properties = Properties::from(&properties[..]);
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session.accept(Some(State::new(outgoing, Vec::new())), &Accept::default(), Millis(0)).unwrap();
    control(&mut session);
    session
}

fn sent(session: &mut Session<u32>) -> Vec<(u32, Delivery)> {
    let mut all = Vec::new();
    while let Some(Transmit::Publish { message, delivery, .. }) = session.poll_transmit() {
        all.push((*message, delivery));
    }
    all
}

#[test]
fn the_order_of_sending_is_not_that_of_the_identifiers() {
    let order = [65_535, 1, 2];
    let outgoing = order.map(|number| kept(number, Stage::PubAck)).into();
    let mut session = resumed(outgoing, 10);
    let messages: Vec<u32> = sent(&mut session).into_iter().map(|(message, _)| message).collect();
    assert_eq!(messages, [65_535, 1, 2]);
    session.publish(7, QoS::AtLeastOnce).unwrap();
    let [(7, delivery)] = sent(&mut session)[..] else { panic!() };
    assert_eq!(delivery.packet_id(), Some(id(3)), "1 and 2 are in flight, 65,535 was the last");
    let in_order: Vec<u16> = session.state().outgoing.iter().map(|kept| kept.packet_id.get()).collect();
    assert_eq!(in_order, [65_535, 1, 2, 3]);
    let in_order: Vec<u16> =
        session.into_state().unwrap().outgoing.iter().map(|kept| kept.packet_id.get()).collect();
    assert_eq!(in_order, [65_535, 1, 2, 3]);
}

#[test]
fn pubrel_is_sent_again_in_the_order_of_pubrec() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    for message in 0..2 {
        session.publish(message, QoS::ExactlyOnce).unwrap();
    }
    sent(&mut session);
    for number in [2, 1] {
        session.handle(Packet::PubRec(PubRec::new(id(number))), Millis(0)).unwrap();
    }
    let expected = [0x62, 2, 0, 2, 0x62, 2, 0, 1];
    assert_eq!(control(&mut session), expected);
    let mut session = asked(Version::V3_1_1, Config::default());
    let state = State::new(vec![kept(2, Stage::PubComp), kept(1, Stage::PubComp)], Vec::new());
    session.accept(Some(state), &Accept::default(), Millis(0)).unwrap();
    assert_eq!(control(&mut session)[4..], expected);
}

#[test]
fn pubrec_keeps_the_order_of_the_messages_that_are_sent_again() {
    let mut session = open(Version::V5, Config::default(), None);
    let first = receipt(&mut session, exactly_once(1));
    let second = receipt(&mut session, exactly_once(2));
    session.acknowledge(second, ReasonCode::SUCCESS).unwrap();
    let mut session = open(Version::V5, Config::default(), session.into_state());
    assert_eq!(session.handle(publish(again(1)), Millis(1)), Ok(None));
    assert_eq!(session.handle(publish(again(2)), Millis(1)), Ok(None));
    assert_eq!(control(&mut session), [], "the first is not safe yet");
    session.acknowledge(first, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), [0x50, 2, 0, 1, 0x50, 2, 0, 2]);
}

#[test]
fn a_message_of_an_earlier_connection_does_not_use_the_quota_of_this_one() {
    let mut session = open(Version::V5, limited(1), None);
    let first = receipt(&mut session, exactly_once(1));
    session.acknowledge(first, ReasonCode::SUCCESS).unwrap();
    let mut session = open(Version::V5, limited(1), session.into_state());
    // The client has PUBREC and owes PUBREL; nothing says that it must come first.
    receipt(&mut session, exactly_once(2));
    session.handle(Packet::PubRel(PubRel::new(id(1))), Millis(1)).unwrap();
    let error = session.handle(publish(exactly_once(3)), Millis(1)).unwrap_err();
    assert!(matches!(error, ProtocolError::ReceiveMaximumExceeded { .. }), "2 is under way");
}

#[test]
fn one_that_is_sent_again_uses_it() {
    let kept = [1, 2].map(|number| Incoming { packet_id: id(number), receipt: None }).into();
    let mut session = open(Version::V5, limited(2), Some(State::new(Vec::new(), kept)));
    for number in [1, 2] {
        assert_eq!(session.handle(publish(again(number)), Millis(1)), Ok(None));
    }
    assert_eq!(control(&mut session), [0x50, 2, 0, 1, 0x50, 2, 0, 2]);
    let error = session.handle(publish(at_least_once(3)), Millis(1)).unwrap_err();
    assert!(matches!(error, ProtocolError::ReceiveMaximumExceeded { .. }));
}

#[test]
fn before_5_0_pubrel_is_always_read() {
    let mut session = open(Version::V3_1_1, limited(2), None);
    for number in [1, 2] {
        let receipt = receipt(&mut session, exactly_once(number));
        session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
        assert!(session.wants_packet(), "what is released holds nobody back");
    }
    let session = open(Version::V3_1_1, limited(2), session.into_state());
    assert!(session.wants_packet());
}

#[test]
fn an_identifier_that_is_used_again_is_sent_once_and_the_quota_stays_whole() {
    let ack = |number| Packet::PubAck(PubAck::new(id(number)));
    let mut session = resumed([65_535, 1].map(|number| kept(number, Stage::PubAck)).into(), 2);
    assert!(session.poll_transmit().is_some());
    // The client has 1 from the connection before, and acknowledges it before it is sent again.
    session.handle(ack(1), Millis(0)).unwrap();
    session.publish(7, QoS::AtLeastOnce).unwrap();
    assert_eq!(sent(&mut session), [(7, at_least_once(1))]);
    session.handle(ack(65_535), Millis(0)).unwrap();
    assert_eq!(sent(&mut session), []);
    session.handle(ack(1), Millis(0)).unwrap();
    for message in 0..2 {
        session.publish(message, QoS::AtLeastOnce).unwrap();
    }
    assert_eq!(sent(&mut session).len(), 2, "nothing is in flight, two may be");
}

#[test]
fn a_kept_pubcomp_stage_needs_no_sent_flag() {
    let outgoing = vec![InFlight { packet_id: id(1), stage: Stage::PubComp, sent: false, message: 1 }];
    let mut session = open(Version::V5, Config::default(), Some(State::new(outgoing, Vec::new())));
    let delivered = session.handle(Packet::PubComp(PubComp::new(id(1))), Millis(0)).unwrap();
    assert_eq!(delivered, Some(Event::Delivered { message: 1, reason: ReasonCode::SUCCESS }));
}

#[test]
fn receipts_of_a_state_that_was_put_together_by_hand_are_not_given_out_again() {
    let mut session = open(Version::V5, Config::default(), None);
    let old = receipt(&mut session, exactly_once(1));
    let state = session.into_state().unwrap();
    let mut session = open(Version::V5, Config::default(), Some(State::new(state.outgoing, state.incoming)));
    assert_ne!(receipt(&mut session, at_least_once(7)), old);
    session.acknowledge(old, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), []);
}

#[test]
fn a_refusal_while_the_client_is_away_frees_the_identifier() {
    let mut session = open(Version::V5, Config::default(), None);
    let refused = receipt(&mut session, exactly_once(1));
    let safe = receipt(&mut session, exactly_once(2));
    let mut state = session.into_state().unwrap();
    state.acknowledge(refused, ReasonCode::QUOTA_EXCEEDED);
    state.acknowledge(safe, ReasonCode::SUCCESS);
    assert_eq!(state.incoming, [Incoming { packet_id: id(2), receipt: None }]);
    let mut session = open(Version::V5, Config::default(), Some(state));
    assert!(matches!(session.handle(publish(again(1)), Millis(1)), Ok(Some(Event::Publish { .. }))));
    assert_eq!(session.handle(publish(again(2)), Millis(1)), Ok(None));
}

#[test]
fn the_revision_rises_with_every_change_that_must_be_kept() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    let mut last = session.revision();
    let mut rises = |session: &Session<u32>| {
        let rose = session.revision() > last;
        last = session.revision();
        rose
    };
    session.handle(Packet::PingReq, Millis(0)).unwrap();
    session.publish(1, QoS::AtMostOnce).unwrap();
    let one = receipt(&mut session, at_least_once(1));
    session.acknowledge(one, ReasonCode::SUCCESS).unwrap();
    assert!(!rises(&session), "what is sent again as a new message is not kept");
    let receipt = receipt(&mut session, exactly_once(1));
    assert!(rises(&session));
    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    assert!(rises(&session));
    session.handle(Packet::PubRel(PubRel::new(id(1))), Millis(0)).unwrap();
    assert!(rises(&session));
    session.publish(2, QoS::ExactlyOnce).unwrap();
    assert!(rises(&session));
    control(&mut session);
    sent(&mut session);
    session.handle(Packet::PubRec(PubRec::new(id(1))), Millis(0)).unwrap();
    assert!(rises(&session));
    session.handle(Packet::PubComp(PubComp::new(id(1))), Millis(0)).unwrap();
    assert!(rises(&session));
}

#[test]
fn a_clean_start_forgets_the_qos_2_identifiers_of_a_client_even_if_connack_is_lost() {
    let mut client = client_tests::open(Version::V5, client_tests::welcome());
    let event = client.handle(publish(exactly_once(1)), Millis(0)).unwrap();
    let Some(client::Event::Publish { receipt: Some(receipt), .. }) = event else { panic!() };
    client.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    client.publish(5, QoS::AtLeastOnce).unwrap();
    while client.poll_transmit(Millis(0)).is_some() {}
    client.connection_lost();
    // The server begins a new session; its CONNACK is lost.
    let properties = [Property::SessionExpiryInterval(100)];
    let mut connect = Connect::new(Version::V5, "client");
    connect.properties = Properties::from(&properties[..]);
    client.connect(&connect, Millis(0)).unwrap();
    client.connection_lost();
    // That session is resumed; its first message has identifier 1 again.
    connect.clean_start = false;
    client.connect(&connect, Millis(0)).unwrap();
    let connack = headwater_codec::ConnAck::accepted(true);
    let Some(client::Event::Connected { unfinished, .. }) =
        client.handle(Packet::ConnAck(connack), Millis(0)).unwrap()
    else {
        panic!()
    };
    assert_eq!(unfinished, [5], "given up with the clean start");
    let event = client.handle(publish(exactly_once(1)), Millis(0)).unwrap();
    assert!(matches!(event, Some(client::Event::Publish { .. })), "{event:?}");
}

#[test]
fn qos_0_messages_that_waited_are_gone_with_the_connection() {
    let mut client = client_tests::open(Version::V5, client_tests::welcome());
    while client.publish(1, QoS::AtMostOnce).is_ok() {}
    assert_eq!(client.room(QoS::AtLeastOnce), 0);
    client.connection_lost();
    assert!(client.publish(2, QoS::AtLeastOnce).is_ok());
}

#[test]
fn a_server_whose_connack_came_too_late_may_have_a_session() {
    let connack = || Packet::ConnAck(headwater_codec::ConnAck::accepted(true));
    let properties = [Property::SessionExpiryInterval(100)];
    let mut connect = Connect::new(Version::V5, "client");
    connect.properties = Properties::from(&properties[..]);
    connect.clean_start = false;
    for given_up in [
        |client: &mut client::Session<u32>| _ = client.handle_timeout(Millis(10_000)).unwrap_err(),
        |client: &mut client::Session<u32>| client.disconnect(ReasonCode::SUCCESS),
    ] {
        let mut client = client::Session::<u32>::new(client::Config::default());
        client.connect(&connect, Millis(0)).unwrap();
        given_up(&mut client);
        client.connection_lost();
        client.connect(&connect, Millis(20_000)).unwrap();
        let event = client.handle(connack(), Millis(20_000)).unwrap();
        assert!(matches!(event, Some(client::Event::Connected { .. })), "{event:?}");
    }
    // What is not believed once is not believed the next time either.
    let mut client = client::Session::<u32>::new(client::Config::default());
    for _ in 0..2 {
        client.connect(&connect, Millis(0)).unwrap();
        assert_eq!(client.handle(connack(), Millis(0)), Err(ProtocolError::SessionPresentUnexpected));
        client.connection_lost();
    }
}
