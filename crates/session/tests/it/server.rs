//! The server's side, packet by packet.

use headwater_codec::{
    ConnAck, Connect, Delivery, Disconnect, Packet, PacketId, Properties, Property, PubAck, PubComp, PubRec,
    PubRel, Publish, QoS, ReasonCode, Version,
};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{InFlight, Millis, Misuse, ProtocolError, Receipt, Refused, Stage, State, Transmit};
use headwater_topic::TopicName;

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

/// A session whose client asks to be let in, with a keep alive of ten seconds.
pub(crate) fn asked(version: Version, config: Config) -> Session<u32> {
    let mut session = Session::new(config, Millis(0));
    let mut connect = Connect::new(version, "client");
    connect.keep_alive_secs = 10;
    connect.clean_start = false;
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session
}

/// A session that let its client in and has nothing to write.
pub(crate) fn open(version: Version, config: Config, resumed: Option<State<u32>>) -> Session<u32> {
    let mut session = asked(version, config);
    session.accept(resumed, &Accept::default(), Millis(0)).unwrap();
    control(&mut session);
    session
}

/// The control packets that are due.
pub(crate) fn control(session: &mut Session<u32>) -> Vec<u8> {
    match session.poll_transmit() {
        Some(Transmit::Control(bytes)) => bytes.to_vec(),
        Some(Transmit::Publish { .. }) | None => Vec::new(),
    }
}

pub(crate) fn publish(delivery: Delivery) -> Packet<'static> {
    Packet::Publish(Publish::new(TopicName::parse("a").unwrap(), b"x").with_delivery(delivery))
}

pub(crate) fn receipt(session: &mut Session<u32>, delivery: Delivery) -> Receipt {
    match session.handle(publish(delivery), Millis(1)).unwrap() {
        Some(Event::Publish { receipt: Some(receipt), .. }) => receipt,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn at_least_once(number: u16) -> Delivery {
    Delivery::AtLeastOnce { packet_id: id(number), dup: false }
}

pub(crate) fn exactly_once(number: u16) -> Delivery {
    Delivery::ExactlyOnce { packet_id: id(number), dup: false }
}

pub(crate) fn encoded(packets: &[Packet<'_>], version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    for packet in packets {
        packet.encode(version, &mut bytes).unwrap();
    }
    bytes
}

#[test]
fn acknowledgements_leave_in_the_order_of_the_messages() {
    let mut session = open(Version::V5, Config::default(), None);
    let first = receipt(&mut session, at_least_once(7));
    let second = receipt(&mut session, exactly_once(8));
    let third = receipt(&mut session, at_least_once(9));
    session.acknowledge(third, ReasonCode::SUCCESS).unwrap();
    session.acknowledge(second, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), [], "the first is not safe yet");
    session.acknowledge(first, ReasonCode::SUCCESS).unwrap();
    let expected = [
        Packet::PubAck(PubAck::with_reason(id(7), ReasonCode::SUCCESS)),
        Packet::PubRec(PubRec::with_reason(id(8), ReasonCode::SUCCESS)),
        Packet::PubAck(PubAck::with_reason(id(9), ReasonCode::SUCCESS)),
    ];
    assert_eq!(control(&mut session), encoded(&expected, Version::V5));
}

#[test]
fn a_stale_receipt_does_nothing() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    let stale = receipt(&mut session, at_least_once(1));
    let mut session = open(Version::V3_1_1, Config::default(), session.into_state());
    let fresh = receipt(&mut session, at_least_once(1));
    assert_ne!(stale, fresh);
    session.acknowledge(stale, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), []);
}

#[test]
fn a_receipt_of_qos_2_holds_over_a_reconnection() {
    let mut session = open(Version::V5, Config::default(), None);
    let receipt = receipt(&mut session, exactly_once(3));
    let mut session = open(Version::V5, Config::default(), session.into_state());
    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    assert_eq!(control(&mut session), [], "the client has not sent PUBLISH again yet");
    let again = Delivery::ExactlyOnce { packet_id: id(3), dup: true };
    assert_eq!(session.handle(publish(again), Millis(2)), Ok(None), "not delivered again");
    let expected = encoded(&[Packet::PubRec(PubRec::with_reason(id(3), ReasonCode::SUCCESS))], Version::V5);
    assert_eq!(control(&mut session), expected);
}

#[test]
fn what_is_in_flight_is_sent_again_in_its_first_order_with_dup() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    for (message, qos) in
        [(10, QoS::AtLeastOnce), (11, QoS::ExactlyOnce), (12, QoS::AtLeastOnce), (13, QoS::ExactlyOnce)]
    {
        session.publish(message, qos).unwrap();
    }
    for _ in 0..3 {
        assert!(matches!(session.poll_transmit(), Some(Transmit::Publish { .. })));
    }
    session.handle(Packet::PubRec(PubRec::with_reason(id(2), ReasonCode::SUCCESS)), Millis(1)).unwrap();
    let state = session.into_state().unwrap();
    let stages: Vec<_> = state.outgoing.iter().map(|kept| (kept.message, kept.stage, kept.sent)).collect();
    let expected = [
        (10, Stage::PubAck, true),
        (12, Stage::PubAck, true),
        (13, Stage::PubRec, false),
        (11, Stage::PubComp, true),
    ];
    assert_eq!(stages, expected);

    let mut session = asked(Version::V3_1_1, Config::default());
    session.accept(Some(state), &Accept::default(), Millis(0)).unwrap();
    let connack =
        ConnAck { session_present: true, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY };
    let release = PubRel::with_reason(id(2), ReasonCode::SUCCESS);
    let expected = encoded(&[Packet::ConnAck(connack), Packet::PubRel(release)], Version::V3_1_1);
    assert_eq!(control(&mut session), expected, "PUBREL again, not PUBLISH");
    for (message, delivery) in [
        (10, Delivery::AtLeastOnce { packet_id: id(1), dup: true }),
        (12, Delivery::AtLeastOnce { packet_id: id(3), dup: true }),
        (13, Delivery::ExactlyOnce { packet_id: id(4), dup: false }),
    ] {
        let Some(Transmit::Publish { message: sent, delivery: as_sent, .. }) = session.poll_transmit() else {
            panic!()
        };
        assert_eq!((*sent, as_sent), (message, delivery));
    }
    assert!(session.poll_transmit().is_none());
}

#[test]
fn a_message_beyond_the_window_is_refused_and_identifiers_in_flight_are_never_given_again() {
    let config = Config { window: 2, ..Config::default() };
    let mut session = open(Version::V3_1_1, config, None);
    let mut given = Vec::new();
    for round in 0..70_000_u32 {
        session.publish(round, QoS::AtLeastOnce).unwrap();
        let Some(Transmit::Publish { delivery, .. }) = session.poll_transmit() else { panic!() };
        let packet_id = delivery.packet_id().unwrap();
        assert!(!given.contains(&packet_id));
        given.push(packet_id);
        if round > 0 {
            // One stays in flight for ever: the first.
            let done = given.pop().unwrap();
            session
                .handle(Packet::PubAck(PubAck::with_reason(done, ReasonCode::SUCCESS)), Millis(1))
                .unwrap();
        }
    }
    session.publish(0, QoS::ExactlyOnce).unwrap();
    assert_eq!(session.room(QoS::AtLeastOnce), 0);
    assert_eq!(session.publish(0, QoS::AtLeastOnce), Err(Refused { message: 0, misuse: Misuse::Full }));
    assert_eq!(given, [id(1)]);
}

#[test]
fn the_receive_maximum_of_the_client_holds_messages_back_on_resumption_too() {
    let outgoing = (1..=3)
        .map(|number| InFlight {
            packet_id: id(number),
            stage: Stage::PubAck,
            sent: true,
            message: u32::from(number),
        })
        .collect();
    let mut session = Session::new(Config::default(), Millis(0));
    let properties = [Property::ReceiveMaximum(2.try_into().unwrap())];
    let mut connect = Connect::new(Version::V5, "client");
    connect.clean_start = false;
    connect.properties = Properties::from(&properties[..]);
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session.accept(Some(State::new(outgoing, Vec::new())), &Accept::default(), Millis(0)).unwrap();
    control(&mut session);
    assert!(matches!(session.poll_transmit(), Some(Transmit::Publish { message: 1, .. })));
    assert!(matches!(session.poll_transmit(), Some(Transmit::Publish { message: 2, .. })));
    assert!(session.poll_transmit().is_none(), "two are unacknowledged");
    session.handle(Packet::PubAck(PubAck::with_reason(id(1), ReasonCode::SUCCESS)), Millis(1)).unwrap();
    assert!(matches!(session.poll_transmit(), Some(Transmit::Publish { message: 3, .. })));
}

#[test]
fn a_refusal_ends_a_qos_2_exchange() {
    let mut session = open(Version::V5, Config::default(), None);
    session.publish(5, QoS::ExactlyOnce).unwrap();
    assert!(session.poll_transmit().is_some());
    let refusal = Packet::PubRec(PubRec::with_reason(id(1), ReasonCode::QUOTA_EXCEEDED));
    let delivered = session.handle(refusal, Millis(1)).unwrap();
    assert_eq!(delivered, Some(Event::Delivered { message: 5, reason: ReasonCode::QUOTA_EXCEEDED }));
    assert_eq!(control(&mut session), [], "no PUBREL [MQTT-4.3.3-4]");
    assert_eq!(session.in_flight(), 0);
}

#[test]
fn a_client_that_is_refused_gets_the_reason_and_nothing_else() {
    let mut session = asked(Version::V3_1_1, Config::default());
    session.refuse(ReasonCode::NOT_AUTHORIZED).unwrap();
    assert_eq!(control(&mut session), [0x20, 2, 0, 5]);
    assert!(session.is_closed());
    assert_eq!(session.publish(1, QoS::AtMostOnce), Err(Refused { message: 1, misuse: Misuse::WrongPhase }));
}

#[test]
fn disconnect_shortens_or_sets_the_expiry_of_the_session() {
    let mut session = Session::<u32>::new(Config::default(), Millis(0));
    let properties = [Property::SessionExpiryInterval(100)];
    let mut connect = Connect::new(Version::V5, "client");
    connect.properties = Properties::from(&properties[..]);
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session.accept(None, &Accept::default(), Millis(0)).unwrap();
    assert_eq!(session.session_expiry_secs(), 100);
    let properties = [Property::SessionExpiryInterval(7)];
    let disconnect =
        Disconnect { reason: ReasonCode::SUCCESS, properties: Properties::from(&properties[..]) };
    assert!(matches!(
        session.handle(Packet::Disconnect(disconnect), Millis(1)),
        Ok(Some(Event::Disconnect(_)))
    ));
    assert_eq!(session.session_expiry_secs(), 7);
}

#[test]
fn what_is_announced_is_only_what_differs_from_the_defaults_of_the_protocol() {
    let config =
        Config { keep_alive_secs_max: 5.try_into().ok(), session_expiry_secs_max: 60, ..Config::default() };
    let mut session = Session::<u32>::new(config, Millis(0));
    let properties = [Property::SessionExpiryInterval(61)];
    let mut connect = Connect::new(Version::V5, "");
    connect.keep_alive_secs = 6;
    connect.properties = Properties::from(&properties[..]);
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session.accept(None, &Accept::default().assigned_client_id(Some("made-up")), Millis(0)).unwrap();
    let bytes = control(&mut session);
    let Packet::ConnAck(connack) = Packet::decode(&bytes, Version::V5).unwrap() else { panic!() };
    let announced = connack.properties;
    assert_eq!(announced.session_expiry_interval(), Some(60));
    assert_eq!(announced.server_keep_alive(), Some(5));
    assert_eq!(announced.assigned_client_identifier(), Some("made-up"));
    assert_eq!(announced.receive_maximum(), 256.try_into().ok());
    assert_eq!(announced.shared_subscription_available(), Some(false));
    assert_eq!((announced.retain_available(), announced.maximum_qos()), (None, None));
    assert_eq!(session.session_expiry_secs(), 60);
    assert_eq!(session.next_deadline(), Some(Millis(7_500)));
}

#[test]
fn pubcomp_ends_what_pubrec_began() {
    let mut session = open(Version::V3_1_1, Config::default(), None);
    session.publish(5, QoS::ExactlyOnce).unwrap();
    assert!(session.poll_transmit().is_some());
    for _ in 0..2 {
        // A second PUBREC, from an impatient client, is answered too.
        session.handle(Packet::PubRec(PubRec::with_reason(id(1), ReasonCode::SUCCESS)), Millis(1)).unwrap();
        assert_eq!(control(&mut session), [0x62, 2, 0, 1]);
    }
    let complete =
        session.handle(Packet::PubComp(PubComp::with_reason(id(1), ReasonCode::SUCCESS)), Millis(1)).unwrap();
    assert_eq!(complete, Some(Event::Delivered { message: 5, reason: ReasonCode::SUCCESS }));
}

#[test]
fn before_5_0_a_full_client_is_held_back_by_not_reading() {
    let config = Config { receive_maximum: 1.try_into().unwrap(), ..Config::default() };
    let mut session = open(Version::V3_1_1, config, None);
    let receipt = receipt(&mut session, at_least_once(1));
    assert!(!session.wants_packet());
    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    assert!(session.wants_packet());
    assert_eq!(ProtocolError::SecondConnect.reason_code(), ReasonCode::PROTOCOL_ERROR);
}

#[test]
fn a_3_1_client_is_not_told_about_its_session() {
    let mut session = asked(Version::V3_1, Config::default());
    session.accept(Some(State::default()), &Accept::default(), Millis(0)).unwrap();
    assert_eq!(control(&mut session), [0x20, 2, 0, 0]);
}
