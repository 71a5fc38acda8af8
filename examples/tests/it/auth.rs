//! Enhanced authentication: the broker knows no method, and says so.

use headwater::codec::{
    Auth, ConnAck, Connect, Disconnect, Packet, Properties, Property, ReasonCode, Version,
};

use crate::program::Broker;
use crate::raw::Raw;

fn auth<'a>(reason: ReasonCode, properties: &'a [Property<'a>]) -> Packet<'a> {
    Packet::Auth(Auth::new(reason, Properties::from(properties)))
}

#[test]
fn a_client_that_asks_for_any_method_is_told_that_the_broker_has_none_and_its_session_stays() {
    // [MQTT-4.12.0-1]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    drop(Raw::connect(&broker, Version::V5, "c", 3_600));
    for method in ["SCRAM-SHA-256", "GS2-KRB5", ""] {
        let data = [Property::AuthenticationMethod(method), Property::AuthenticationData(b"n,,n=user")];
        // Clean start or not, with a password or without; what is sent behind CONNECT is not looked at.
        for (properties, clean_start) in [(&data[..1], true), (&data[..], false)] {
            let mut client = Raw::open(&broker, Version::V5);
            let mut connect = Connect::new(Version::V5, "c");
            connect.clean_start = clean_start;
            connect.password = (!clean_start).then_some(b"secret");
            connect.properties = Properties::from(properties);
            client.send(&Packet::Connect(connect));
            let frame = client.read().unwrap();
            let expected = ConnAck::refused(ReasonCode::BAD_AUTHENTICATION_METHOD);
            assert_eq!(frame.packet(Version::V5), Ok(Packet::ConnAck(expected)));
            assert!(client.read().is_none());
        }
    }
    let mut client = Raw::open(&broker, Version::V5);
    let mut connect = Connect::new(Version::V5, "c");
    connect.clean_start = false;
    client.send(&Packet::Connect(connect));
    let frame = client.read().unwrap();
    let Packet::ConnAck(connack) = frame.packet(Version::V5).unwrap() else { panic!("{frame:?}") };
    assert!(connack.session_present, "a client that is not let in starts nothing anew");
    assert_eq!(connack.properties.authentication_method(), None, "[MQTT-4.12.0-6]");
}

#[test]
fn an_auth_on_a_connection_without_a_method_is_a_protocol_error() {
    // [MQTT-4.12.0-7]
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), &[]);
    let named = [Property::AuthenticationMethod("SCRAM-SHA-256")];
    for packet in [
        auth(ReasonCode::RE_AUTHENTICATE, &named),
        auth(ReasonCode::CONTINUE_AUTHENTICATION, &named),
        auth(ReasonCode::SUCCESS, &[]),
    ] {
        let mut client = Raw::connect(&broker, Version::V5, "c", 0);
        client.send(&packet);
        let frame = client.read().unwrap();
        let expected = Packet::Disconnect(Disconnect::new(ReasonCode::PROTOCOL_ERROR));
        assert_eq!(frame.packet(Version::V5), Ok(expected), "{packet:?}");
        assert!(client.read().is_none());

        // Before CONNECT nothing is answered.
        let mut client = Raw::open(&broker, Version::V5);
        client.send(&packet);
        assert!(client.read().is_none());
    }
}
