//! Packets and their bytes, put together by hand from the tables and figures of the specifications.

use std::num::{NonZeroU16, NonZeroU32};

use headwater_codec::{
    Auth, ConnAck, Connect, Delivery, Disconnect, Filters, Packet, PacketId, Properties, Property, PubAck,
    PubComp, PubRec, PubRel, Publish, QoS, ReasonCode, ReasonCodes, RetainHandling, SubAck, Subscribe,
    SubscribeFilter, SubscribeOptions, SubscriptionId, TopicFilters, UnsubAck, Unsubscribe, Version, Will,
};
use headwater_topic::{TopicFilter, TopicName};

use crate::build::right;
use crate::generate::encode;

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).expect("a name")
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).expect("a filter")
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

/// Asserts that a packet has these bytes, both ways.
#[track_caller]
fn is<'a>(version: Version, packet: impl Into<Packet<'a>>, parts: &[&[u8]]) {
    let (packet, bytes) = (packet.into(), parts.concat());
    assert_eq!(encode(version, &packet), bytes, "{packet:?}");
    assert_eq!(right(&bytes, version), packet);
}

#[test]
fn connect_of_each_revision() {
    let connect = |version| Connect { keep_alive_secs: 60, ..Connect::new(version, "zen") };
    is(Version::V3_1, connect(Version::V3_1), &[b"\x10\x11\x00\x06MQIsdp\x03\x02\x00\x3C\x00\x03zen"]);
    is(Version::V3_1_1, connect(Version::V3_1_1), &[b"\x10\x0F\x00\x04MQTT\x04\x02\x00\x3C\x00\x03zen"]);
    is(Version::V5, connect(Version::V5), &[b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x03zen"]);
}

#[test]
fn connect_with_will_user_name_and_password() {
    // Figure 3.5 of 3.1.1: all flags but will retain and the reserved one.
    let will = Will { qos: QoS::AtLeastOnce, ..Will::new(name("lwt"), b"gone") };
    let connect = Connect {
        clean_start: false,
        keep_alive_secs: 10,
        will: Some(will),
        user_name: Some("amy"),
        password: Some(b"\xFF\x00"),
        ..Connect::new(Version::V3_1_1, "")
    };
    is(
        Version::V3_1_1,
        connect,
        &[
            b"\x10\x20\x00\x04MQTT\x04\xCC\x00\x0A",
            b"\x00\x00",
            b"\x00\x03lwt\x00\x04gone",
            b"\x00\x03amy",
            b"\x00\x02\xFF\x00",
        ],
    );
}

#[test]
fn connect_with_all_its_properties() {
    let list = [
        Property::SessionExpiryInterval(0xFFFF_FFFF),
        Property::ReceiveMaximum(NonZeroU16::MAX),
        Property::MaximumPacketSize(NonZeroU32::MIN),
        Property::TopicAliasMaximum(10),
        Property::RequestResponseInformation(true),
        Property::RequestProblemInformation(false),
        Property::UserProperty("k", "v"),
        Property::AuthenticationMethod("m"),
        Property::AuthenticationData(b"\x00\xFF"),
    ];
    let will_list = [
        Property::WillDelayInterval(5),
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(256),
        Property::ContentType("t"),
        Property::ResponseTopic(name("r")),
        Property::CorrelationData(b"c"),
        Property::UserProperty("", ""),
    ];
    let will = Will {
        qos: QoS::ExactlyOnce,
        retain: true,
        properties: Properties::new(&will_list),
        ..Will::new(name("w"), b"")
    };
    let connect =
        Connect { properties: Properties::new(&list), will: Some(will), ..Connect::new(Version::V5, "c") };
    is(
        Version::V5,
        connect,
        &[
            b"\x10\x55\x00\x04MQTT\x05\x36\x00\x00",
            b"\x24\x11\xFF\xFF\xFF\xFF\x21\xFF\xFF\x27\x00\x00\x00\x01\x22\x00\x0A\x19\x01\x17\x00",
            b"\x26\x00\x01k\x00\x01v\x15\x00\x01m\x16\x00\x02\x00\xFF",
            b"\x00\x01c",
            b"\x1D\x18\x00\x00\x00\x05\x01\x01\x02\x00\x00\x01\x00\x03\x00\x01t\x08\x00\x01r\x09\x00\x01c",
            b"\x26\x00\x00\x00\x00",
            b"\x00\x01w\x00\x00",
        ],
    );
}

#[test]
fn connack_before_5_0() {
    is(Version::V3_1_1, ConnAck::accepted(false), &[&[0x20, 2, 0, 0]]);
    is(Version::V3_1_1, ConnAck::accepted(true), &[&[0x20, 2, 1, 0]]);
    is(Version::V3_1, ConnAck::refused(ReasonCode::SERVER_UNAVAILABLE), &[&[0x20, 2, 0, 3]]);
}

#[test]
fn connack_with_all_its_properties() {
    let list = [
        Property::SessionExpiryInterval(0),
        Property::ReceiveMaximum(NonZeroU16::MIN),
        Property::MaximumQoS(QoS::AtLeastOnce),
        Property::RetainAvailable(false),
        Property::MaximumPacketSize(NonZeroU32::MAX),
        Property::AssignedClientIdentifier("a"),
        Property::TopicAliasMaximum(0),
        Property::ReasonString("s"),
        Property::UserProperty("k", "v"),
        Property::WildcardSubscriptionAvailable(true),
        Property::SubscriptionIdentifierAvailable(false),
        Property::SharedSubscriptionAvailable(true),
        Property::ServerKeepAlive(30),
        Property::ResponseInformation("i"),
        Property::ServerReference("f"),
        Property::AuthenticationMethod("m"),
        Property::AuthenticationData(b""),
    ];
    is(
        Version::V5,
        ConnAck { properties: Properties::new(&list), ..ConnAck::refused(ReasonCode::USE_ANOTHER_SERVER) },
        &[
            b"\x20\x3E\x00\x9C\x3B",
            b"\x11\x00\x00\x00\x00\x21\x00\x01\x24\x01\x25\x00\x27\xFF\xFF\xFF\xFF\x12\x00\x01a\x22\x00\x00",
            b"\x1F\x00\x01s\x26\x00\x01k\x00\x01v\x28\x01\x29\x00\x2A\x01\x13\x00\x1E",
            b"\x1A\x00\x01i\x1C\x00\x01f\x15\x00\x01m\x16\x00\x00",
        ],
    );
    is(Version::V5, ConnAck::accepted(true), &[&[0x20, 3, 1, 0, 0]]);
}

#[test]
fn publish_of_each_quality() {
    // Figure 3.11 of 3.1.1: topic a/b, packet identifier 10.
    let publish = Publish::new(name("a/b"), b"\x00\xFF");
    let once = Delivery::AtLeastOnce { packet_id: id(10), dup: false };
    let twice = Delivery::ExactlyOnce { packet_id: id(0xABCD), dup: false };
    for version in [Version::V3_1, Version::V3_1_1] {
        is(version, publish, &[b"\x30\x07\x00\x03a/b\x00\xFF"]);
        is(version, publish.with_retain(true), &[b"\x31\x07\x00\x03a/b\x00\xFF"]);
        is(version, publish.with_delivery(once), &[b"\x32\x09\x00\x03a/b\x00\x0A\x00\xFF"]);
        is(version, publish.with_delivery(once.again()), &[b"\x3A\x09\x00\x03a/b\x00\x0A\x00\xFF"]);
        is(version, publish.with_delivery(twice), &[b"\x34\x09\x00\x03a/b\xAB\xCD\x00\xFF"]);
        let all = publish.with_delivery(twice.again()).with_retain(true);
        is(version, all, &[b"\x3D\x09\x00\x03a/b\xAB\xCD\x00\xFF"]);
    }
    is(Version::V5, publish, &[b"\x30\x08\x00\x03a/b\x00\x00\xFF"]);
    is(Version::V5, publish.with_delivery(once), &[b"\x32\x0A\x00\x03a/b\x00\x0A\x00\x00\xFF"]);
    is(Version::V3_1_1, Publish::new(name("a"), b""), &[b"\x30\x03\x00\x01a"]);
}

#[test]
fn publish_with_all_its_properties() {
    let list = [
        Property::PayloadFormatIndicator(false),
        Property::MessageExpiryInterval(1),
        Property::TopicAlias(NonZeroU16::MAX),
        Property::ResponseTopic(name("r/t")),
        Property::CorrelationData(b"\x00"),
        Property::UserProperty("a", "1"),
        Property::UserProperty("a", "2"),
        Property::SubscriptionIdentifier(SubscriptionId::new(1).expect("in range")),
        Property::SubscriptionIdentifier(SubscriptionId::new(268_435_455).expect("in range")),
        Property::ContentType("t"),
    ];
    let publish = Publish::new(name("a"), b"!").with_properties(Properties::new(&list));
    let properties: [&[u8]; 3] = [
        b"\x01\x00\x02\x00\x00\x00\x01\x23\xFF\xFF\x08\x00\x03r/t\x09\x00\x01\x00",
        b"\x26\x00\x01a\x00\x011\x26\x00\x01a\x00\x012",
        b"\x0B\x01\x0B\xFF\xFF\xFF\x7F\x03\x00\x01t",
    ];
    let [first, second, third] = properties;
    is(Version::V5, publish, &[b"\x30\x32\x00\x01a\x2D", first, second, third, b"!"]);
    // Without its name, the alias stands in.
    let unnamed = Publish { topic: None, ..publish };
    is(Version::V5, unnamed, &[b"\x30\x31\x00\x00\x2D", first, second, third, b"!"]);
    let both: Vec<_> = publish.properties.user_properties().collect();
    assert_eq!(both, [("a", "1"), ("a", "2")]);
    let causes: Vec<_> = publish.properties.subscription_identifiers().map(SubscriptionId::get).collect();
    assert_eq!(causes, [1, 268_435_455]);
}

#[test]
fn acknowledgements_of_publish() {
    for version in Version::ALL {
        is(version, PubAck::new(id(7)), &[&[0x40, 2, 0, 7]]);
        is(version, PubRec::new(id(7)), &[&[0x50, 2, 0, 7]]);
        is(version, PubRel::new(id(7)), &[&[0x62, 2, 0, 7]]);
        is(version, PubComp::new(id(7)), &[&[0x70, 2, 0, 7]]);
    }
    let list = [Property::ReasonString("no"), Property::UserProperty("k", "v")];
    let properties = Properties::new(&list);
    let tail = b"\x0C\x1F\x00\x02no\x26\x00\x01k\x00\x01v";
    let puback = PubAck { properties, ..PubAck::with_reason(id(7), ReasonCode::NOT_AUTHORIZED) };
    is(Version::V5, puback, &[b"\x40\x10\x00\x07\x87", tail]);
    is(Version::V5, PubRec { properties, ..PubRec::new(id(7)) }, &[b"\x50\x10\x00\x07\x00", tail]);
    let missing = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
    is(Version::V5, PubRel::with_reason(id(7), missing), &[&[0x62, 4, 0, 7, 0x92, 0]]);
    is(Version::V5, PubComp::with_reason(id(7), missing), &[&[0x70, 4, 0, 7, 0x92, 0]]);
}

#[test]
fn subscribe_and_its_acknowledgement() {
    // Figure 3.23 of 3.1.1: a/b with QoS 1, c/d with QoS 2.
    let plain = [
        SubscribeFilter::new(filter("a/b"), QoS::AtLeastOnce),
        SubscribeFilter::new(filter("c/d"), QoS::ExactlyOnce),
    ];
    let subscribe = Subscribe::new(id(10), &plain);
    is(Version::V3_1, subscribe, &[b"\x82\x0E\x00\x0A\x00\x03a/b\x01\x00\x03c/d\x02"]);
    is(Version::V3_1_1, subscribe, &[b"\x82\x0E\x00\x0A\x00\x03a/b\x01\x00\x03c/d\x02"]);

    let full = SubscribeOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    let once = SubscribeOptions { retain_handling: RetainHandling::SendIfNew, ..Default::default() };
    let filters = [
        SubscribeFilter { filter: filter("a/#"), options: full },
        SubscribeFilter { filter: filter("$share/g/+"), options: once },
    ];
    let list = [
        Property::SubscriptionIdentifier(SubscriptionId::new(128).expect("in range")),
        Property::UserProperty("k", "v"),
    ];
    let subscribe =
        Subscribe { packet_id: id(10), properties: Properties::new(&list), filters: Filters::new(&filters) };
    is(
        Version::V5,
        subscribe,
        &[
            b"\x82\x20\x00\x0A\x0A\x0B\x80\x01\x26\x00\x01k\x00\x01v",
            b"\x00\x03a/#\x2E\x00\x0A$share/g/+\x10",
        ],
    );

    let granted = [ReasonCode::GRANTED_QOS_0, ReasonCode::GRANTED_QOS_2, ReasonCode::UNSPECIFIED_ERROR];
    is(Version::V3_1_1, SubAck::new(id(10), &granted), &[&[0x90, 5, 0, 10, 0, 2, 0x80]]);
    let list = [Property::ReasonString("x")];
    let reasons = [ReasonCode::GRANTED_QOS_1, ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED];
    let suback =
        SubAck { packet_id: id(10), properties: Properties::new(&list), reasons: ReasonCodes::new(&reasons) };
    is(Version::V5, suback, &[b"\x90\x09\x00\x0A\x04\x1F\x00\x01x\x01\xA2"]);
}

#[test]
fn unsubscribe_and_its_acknowledgement() {
    // Figure 3.30 of 3.1.1.
    let filters = [filter("a/b"), filter("c/d")];
    let unsubscribe = Unsubscribe::new(id(10), &filters);
    is(Version::V3_1_1, unsubscribe, &[b"\xA2\x0C\x00\x0A\x00\x03a/b\x00\x03c/d"]);
    is(Version::V5, unsubscribe, &[b"\xA2\x0D\x00\x0A\x00\x00\x03a/b\x00\x03c/d"]);
    let list = [Property::UserProperty("k", "v")];
    let properties = Properties::new(&list);
    let one = Unsubscribe { packet_id: id(10), properties, filters: TopicFilters::new(&filters[1..]) };
    is(Version::V5, one, &[b"\xA2\x0F\x00\x0A\x07\x26\x00\x01k\x00\x01v\x00\x03c/d"]);

    is(Version::V3_1_1, UnsubAck::new(id(10), &[]), &[&[0xB0, 2, 0, 10]]);
    let reasons = [ReasonCode::SUCCESS, ReasonCode::NO_SUBSCRIPTION_EXISTED];
    is(Version::V5, UnsubAck::new(id(10), &reasons), &[&[0xB0, 5, 0, 10, 0, 0, 0x11]]);
}

#[test]
fn pings_and_goodbye() {
    for version in Version::ALL {
        is(version, Packet::PingReq, &[&[0xC0, 0]]);
        is(version, Packet::PingResp, &[&[0xD0, 0]]);
        is(version, Disconnect::NORMAL, &[&[0xE0, 0]]);
    }
    is(Version::V5, Disconnect::new(ReasonCode::SESSION_TAKEN_OVER), &[&[0xE0, 2, 0x8E, 0]]);
    let list = [
        Property::SessionExpiryInterval(0x01020304),
        Property::ReasonString("r"),
        Property::UserProperty("k", "v"),
        Property::ServerReference("s"),
    ];
    let disconnect = Disconnect { properties: Properties::new(&list), ..Disconnect::NORMAL };
    is(
        Version::V5,
        disconnect,
        &[b"\xE0\x16\x00\x14\x11\x01\x02\x03\x04\x1F\x00\x01r\x26\x00\x01k\x00\x01v\x1C\x00\x01s"],
    );
}

#[test]
fn a_step_of_authentication() {
    let list = [Property::AuthenticationMethod("SCRAM"), Property::AuthenticationData(b"\xDE\xAD")];
    let auth = Auth::new(ReasonCode::CONTINUE_AUTHENTICATION, Properties::new(&list));
    is(Version::V5, auth, &[b"\xF0\x0F\x18\x0D\x15\x00\x05SCRAM\x16\x00\x02\xDE\xAD"]);
    is(Version::V5, Auth::new(ReasonCode::SUCCESS, Properties::EMPTY), &[&[0xF0, 0]]);
}

#[test]
fn lists_and_properties_are_equal_by_content_and_not_by_form() {
    let list = [Property::ReasonString("x"), Property::UserProperty("k", "v")];
    let packet = Packet::from(PubAck { properties: Properties::new(&list), ..PubAck::new(id(1)) });
    let bytes = encode(Version::V5, &packet);
    let Packet::PubAck(read) = right(&bytes, Version::V5) else { panic!("a PUBACK") };
    assert!(read.properties.as_wire().is_some());
    assert_eq!(read.properties, Properties::new(&list));
    assert_ne!(read.properties, Properties::new(&list[..1]));
    let turned = [list[1], list[0]];
    assert_ne!(read.properties, Properties::new(&turned));
    assert_eq!(format!("{:?}", read.properties), format!("{list:?}"));

    let reasons = [ReasonCode::GRANTED_QOS_1, ReasonCode::GRANTED_QOS_2];
    let Packet::SubAck(read) = right(&[0x90, 4, 0, 1, 1, 2], Version::V3_1_1) else { panic!("a SUBACK") };
    assert_eq!(read.reasons, ReasonCodes::new(&reasons));
    assert_ne!(read.reasons, ReasonCodes::new(&reasons[1..]));
    assert_eq!((read.reasons.len(), ReasonCodes::EMPTY.len()), (2, 0));
}
