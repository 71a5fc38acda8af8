//! What bounds the QoS 2 identifiers that a session holds between PUBLISH and PUBREL: over all connections, in both roles.

use headwater_codec::{
    ConnAck, Connect, Packet, Properties, Property, PubAck, PubComp, PubRec, PubRel, ReasonCode, Version,
};
use headwater_session::server::{Accept, Config, Event, Session};
use headwater_session::{Incoming, Millis, ProtocolError, State, client};

use crate::server::{at_least_once, control, encoded, exactly_once, id, publish, receipt};

fn config(receive_maximum: u16, held_max: u16) -> Config {
    Config {
        receive_maximum: receive_maximum.try_into().unwrap(),
        held_max: held_max.try_into().unwrap(),
        ..Config::default()
    }
}

fn connected(version: Version, config: Config, state: Option<State<u32>>) -> Session<u32> {
    let mut session = Session::new(config, Millis(0));
    let mut connect = Connect::new(version, "client");
    connect.clean_start = false;
    session.handle(Packet::Connect(connect), Millis(0)).unwrap();
    session.accept(state, &Accept::default(), Millis(0)).unwrap();
    control(&mut session);
    session
}

fn pubrel(number: u16) -> Packet<'static> {
    Packet::PubRel(PubRel::with_reason(id(number), ReasonCode::SUCCESS))
}

/// PUBREC with a reason, as bytes.
fn pubrec(number: u16, reason: ReasonCode) -> Vec<u8> {
    encoded(&[Packet::PubRec(PubRec::with_reason(id(number), reason))], Version::V5)
}

/// A client that comes back again and again, and never releases what it sent; gives how many are held after each connection.
fn hoard(version: Version, config: Config, connections: u16) -> Vec<usize> {
    let mut kept = None;
    let mut held = Vec::new();
    let mut number = 0;
    for _ in 0..connections {
        let mut session = connected(version, config, kept.take());
        for _ in 0..config.receive_maximum.get() {
            number += 1;
            match session.handle(publish(exactly_once(number)), Millis(1)) {
                Ok(Some(Event::Publish { receipt: Some(receipt), .. })) => {
                    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
                    assert_eq!(control(&mut session)[..1], [0x50]);
                }
                Ok(None) => assert_eq!(control(&mut session), pubrec(number, ReasonCode::QUOTA_EXCEEDED)),
                Err(error) => {
                    assert_eq!(error, ProtocolError::HeldMaximumExceeded { held: session.held() });
                    assert!(session.is_closed());
                    assert_eq!(control(&mut session), [], "before 5.0 nothing can be said");
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        held.push(session.held());
        let state = session.into_state().unwrap();
        assert_eq!(state.incoming.len(), *held.last().unwrap());
        kept = Some(state);
    }
    held
}

#[test]
fn a_client_that_never_releases_fills_what_is_held_and_no_more_in_any_version() {
    for version in [Version::V5, Version::V3_1_1, Version::V3_1] {
        assert_eq!(hoard(version, config(4, 10), 6), [4, 8, 10, 10, 10, 10], "{version:?}");
        assert_eq!(hoard(version, config(4, 8), 3), [4, 8, 8], "{version:?}");
        let most = hoard(version, Config::default(), 40).into_iter().max();
        assert_eq!(most, Some(4_096), "{version:?}: by default");
    }
}

#[test]
fn before_5_0_one_connection_is_bounded_too() {
    // Only what was not acknowledged holds the client back, so that its PUBREL can come.
    let mut session = connected(Version::V3_1_1, config(2, 5), None);
    for number in 1..=5 {
        let receipt = receipt(&mut session, exactly_once(number));
        session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
        assert!(session.wants_packet());
    }
    session.handle(pubrel(3), Millis(1)).unwrap();
    let receipt = receipt(&mut session, exactly_once(6));
    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    let error = session.handle(publish(exactly_once(7)), Millis(1));
    assert_eq!(error, Err(ProtocolError::HeldMaximumExceeded { held: 5 }));
    // It lost nothing: it comes back, releases first, and its message is taken.
    let mut session = connected(Version::V3_1_1, config(2, 5), session.into_state());
    session.handle(pubrel(1), Millis(1)).unwrap();
    assert!(matches!(session.handle(publish(exactly_once(7)), Millis(1)), Ok(Some(Event::Publish { .. }))));
}

#[test]
fn a_5_0_client_is_refused_nothing_of_its_receive_maximum_when_nothing_is_left_of_earlier_connections() {
    let mut session = connected(Version::V5, config(20, 1), None);
    for number in 1..=20 {
        receipt(&mut session, exactly_once(number));
    }
    let error = session.handle(publish(exactly_once(21)), Millis(1));
    assert_eq!(error, Err(ProtocolError::ReceiveMaximumExceeded { receive_maximum: 20 }));
}

#[test]
fn what_is_refused_counts_in_the_window_and_only_until_its_pubrec() {
    // Section 4.9: 0x93 is about this connection alone.
    let earlier = |number| Incoming { packet_id: id(number), receipt: None };
    let state = || Some(State::new(Vec::new(), (5_001..=5_004).map(earlier).collect()));
    let mut session = connected(Version::V5, config(2, 4), state());
    for number in 1..=1_000 {
        assert_eq!(session.handle(publish(exactly_once(number)), Millis(1)), Ok(None));
        assert_eq!(control(&mut session), pubrec(number, ReasonCode::QUOTA_EXCEEDED));
        assert_eq!(session.held(), 4);
    }
    // One behind a message that is not acknowledged waits for its turn [MQTT-4.6.0-3].
    let receipt = receipt(&mut session, at_least_once(1));
    assert_eq!(session.handle(publish(exactly_once(2)), Millis(1)), Ok(None));
    assert_eq!(control(&mut session), []);
    // Again, it is the same one, and it is too early to release it.
    assert_eq!(session.handle(publish(exactly_once(2)), Millis(1)), Ok(None));
    assert_eq!(control(&mut session), []);
    session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
    let puback = encoded(&[Packet::PubAck(PubAck::new(id(1)))], Version::V5);
    let both = [puback, pubrec(2, ReasonCode::QUOTA_EXCEEDED)].concat();
    assert_eq!(control(&mut session), both);

    let mut session = connected(Version::V5, config(2, 4), state());
    crate::server::receipt(&mut session, at_least_once(1));
    session.handle(publish(exactly_once(2)), Millis(1)).unwrap();
    let error = session.handle(publish(at_least_once(3)), Millis(1));
    assert_eq!(error, Err(ProtocolError::ReceiveMaximumExceeded { receive_maximum: 2 }));
}

#[test]
fn what_is_refused_is_no_part_of_the_state() {
    let earlier = Incoming { packet_id: id(101), receipt: None };
    let mut session = connected(Version::V5, config(3, 3), None);
    let mut held = Vec::new();
    for number in 1..=2 {
        let receipt = receipt(&mut session, exactly_once(number));
        session.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
        held.push(Incoming { packet_id: id(number), receipt: None });
    }
    held.push(earlier);
    drop(session);
    let mut session = connected(Version::V5, config(3, 3), Some(State::new(Vec::new(), held)));
    session.record_changes(10);
    // Behind one that is not acknowledged, so that it is there for a while.
    receipt(&mut session, at_least_once(9));
    let (state, revision) = (session.state(), session.revision());
    session.handle(publish(exactly_once(5)), Millis(1)).unwrap();
    assert_eq!(session.held(), 4);
    assert_eq!(session.poll_change(), Ok(None));
    assert_eq!(session.revision(), revision);
    assert_eq!(session.state().incoming, state.incoming);
    let state = session.into_state().unwrap();
    assert_eq!(state.incoming.len(), 3);
    // On the next connection the same identifier is a new message, and there is room for it by then.
    let mut session = connected(Version::V5, config(3, 3), Some(state));
    session.handle(pubrel(1), Millis(1)).unwrap();
    assert!(matches!(session.handle(publish(exactly_once(5)), Millis(1)), Ok(Some(Event::Publish { .. }))));
}

#[test]
fn what_is_held_from_an_earlier_connection_is_known_however_full_it_is() {
    // [MQTT-4.3.3-10]: that is what it is held for.
    for version in [Version::V5, Version::V3_1_1] {
        let held = (1..=3).map(|number| Incoming { packet_id: id(number), receipt: None }).collect();
        let mut session = connected(version, config(3, 3), Some(State::new(Vec::new(), held)));
        for number in 1..=3 {
            assert_eq!(session.handle(publish(exactly_once(number)), Millis(1)), Ok(None));
            let pubrec = Packet::PubRec(PubRec::with_reason(id(number), ReasonCode::SUCCESS));
            assert_eq!(control(&mut session), encoded(&[pubrec], version));
            session.handle(pubrel(number), Millis(1)).unwrap();
            let pubcomp = Packet::PubComp(PubComp::with_reason(id(number), ReasonCode::SUCCESS));
            assert_eq!(control(&mut session), encoded(&[pubcomp], version));
        }
        assert_eq!(session.held(), 0);
    }
}

#[test]
fn a_client_bounds_what_its_server_makes_it_hold() {
    for version in [Version::V5, Version::V3_1_1] {
        let config = client::Config { held_max: 5.try_into().unwrap(), ..client::Config::default() };
        let mut client = client::Session::<u32>::new(config);
        let mut number = 0;
        for connection in 1..=4 {
            let properties =
                [Property::ReceiveMaximum(3.try_into().unwrap()), Property::SessionExpiryInterval(100)];
            let mut connect = Connect::new(version, "client");
            connect.clean_start = false;
            if version == Version::V5 {
                connect.properties = Properties::from(&properties[..]);
            }
            client.connect(&connect, Millis(0)).unwrap();
            crate::client::control(&mut client, Millis(0));
            let connack = ConnAck::accepted(connection > 1);
            client.handle(Packet::ConnAck(connack), Millis(0)).unwrap();
            for _ in 0..3 {
                number += 1;
                match client.handle(publish(exactly_once(number)), Millis(0)) {
                    Ok(Some(client::Event::Publish { receipt: Some(receipt), .. })) => {
                        client.acknowledge(receipt, ReasonCode::SUCCESS).unwrap();
                        crate::client::control(&mut client, Millis(0));
                    }
                    Ok(None) => {
                        let refused = pubrec(number, ReasonCode::QUOTA_EXCEEDED);
                        assert_eq!(
                            (version, crate::client::control(&mut client, Millis(0))),
                            (Version::V5, refused)
                        );
                    }
                    Err(error) => {
                        assert_eq!(error, ProtocolError::HeldMaximumExceeded { held: 5 });
                        assert_eq!(version, Version::V3_1_1);
                        break;
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(client.held(), (3 * connection).min(5));
            client.connection_lost();
        }
    }
}
