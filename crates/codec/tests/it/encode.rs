//! What is not written: each error of encoding, and nothing in the sink.

use headwater_codec::{
    Auth, ConnAck, Connect, Disconnect, EncodeError, Field, Packet, PacketId, PacketType, Properties,
    Property, PropertyId, PropertyPlace, PubAck, Publish, QoS, ReasonCode, Sink, SubAck, Subscribe,
    SubscribeFilter, SubscribeOptions, UnsubAck, Unsubscribe, Version, Will,
};
use headwater_topic::{TopicFilter, TopicName};

const ID: PacketId = PacketId::MIN;
const V3_1: Version = Version::V3_1;
const V3_1_1: Version = Version::V3_1_1;
const V5: Version = Version::V5;

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).expect("a name")
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).expect("a filter")
}

/// Asserts the error of a packet, by writing and by measuring, and that nothing was written.
#[track_caller]
fn refused<'a>(packet: impl Into<Packet<'a>>, version: Version, expected: EncodeError) {
    let packet = packet.into();
    let mut sink = vec![1, 2, 3];
    assert_eq!(packet.encode(version, &mut sink), Err(expected));
    assert_eq!(packet.encoded_len(version), Err(expected));
    assert_eq!(sink, [1, 2, 3]);
}

#[test]
fn a_string_above_65_535_bytes_is_neither_cut_nor_wrapped() {
    let long = "x".repeat(65_536);
    let fits = &long[1..];
    let too_long = |field| EncodeError::TooLong { field, bytes: 65_536 };
    for version in Version::ALL {
        let connect = Connect::new(version, &long);
        refused(connect, version, too_long(Field::ClientId));
        let user_name = Connect { user_name: Some(&long), ..Connect::new(version, "") };
        refused(user_name, version, too_long(Field::UserName));
        let password =
            Connect { user_name: Some(""), password: Some(long.as_bytes()), ..Connect::new(version, "") };
        refused(password, version, too_long(Field::Password));
        let will = Connect { will: Some(Will::new(name("a"), long.as_bytes())), ..Connect::new(version, "") };
        refused(will, version, too_long(Field::WillPayload));
        assert!(Connect::new(version, fits).encoded_len().is_ok());
    }
    for (property, id) in [
        (Property::ContentType(&long), PropertyId::ContentType),
        (Property::CorrelationData(long.as_bytes()), PropertyId::CorrelationData),
        (Property::UserProperty(&long, ""), PropertyId::UserProperty),
        (Property::UserProperty("", &long), PropertyId::UserProperty),
    ] {
        let list = [property];
        let publish = Publish::new(name("a"), b"").with_properties(Properties::new(&list));
        refused(publish, V5, too_long(Field::Property(id)));
    }
}

#[test]
fn a_string_with_nul_is_not_written() {
    let nul = |field| EncodeError::NullCharacter { field };
    refused(Connect::new(V3_1_1, "a\0b"), V3_1_1, nul(Field::ClientId));
    let connect = Connect { user_name: Some("\0"), ..Connect::new(V3_1_1, "") };
    refused(connect, V3_1_1, nul(Field::UserName));
    for property in
        [Property::ReasonString("\0"), Property::UserProperty("", "\0"), Property::UserProperty("\0", "")]
    {
        let list = [property];
        let ack = PubAck { properties: Properties::new(&list), ..PubAck::new(ID) };
        refused(ack, V5, nul(Field::Property(property.id())));
    }
}

#[test]
fn a_packet_above_268_435_455_bytes_is_not_written() {
    // One block of zeros, for a payload that is exactly as long as the protocol allows, and one byte longer.
    let zeros = vec![0; 268_435_456];
    let head = 3;
    let fits = Publish::new(name("a"), &zeros[..268_435_455 - head]);
    assert_eq!(fits.encoded_len(V3_1_1), Ok(268_435_460));
    let above = Publish::new(name("a"), &zeros[..268_435_456 - head]);
    let error = EncodeError::PacketTooLarge { size: 268_435_461, limit: 268_435_460 };
    refused(above, V3_1_1, error);
    let mut sink = Vec::new();
    assert_eq!(above.encode_head(V3_1_1, &mut sink), Err(error));
    assert!(sink.is_empty());
    assert_eq!(fits.encode_head(V3_1_1, &mut sink), Ok(()));
    assert_eq!(sink, [0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, b'a']);
}

#[test]
fn properties_that_are_too_long_for_their_own_length_are_not_written() {
    let long = "x".repeat(65_535);
    let list = vec![Property::UserProperty(&long, &long); 2100];
    let publish = Publish::new(name("a"), b"").with_properties(Properties::new(&list));
    let mut sink = Vec::new();
    assert!(matches!(publish.encode(V5, &mut sink), Err(EncodeError::PacketTooLarge { .. })));
    assert!(sink.is_empty());
}

#[test]
fn what_a_revision_cannot_say_is_an_error_and_not_left_out() {
    let list = [Property::UserProperty("n", "v")];
    let properties = Properties::new(&list);
    let filters = [SubscribeFilter::new(filter("a"), QoS::AtMostOnce)];
    let plain = [filter("a")];
    let reasons = [ReasonCode::SUCCESS];
    let error = ReasonCode::QUOTA_EXCEEDED;
    for version in [V3_1, V3_1_1] {
        let not = |field| EncodeError::NotInVersion { field, version };
        let packets: [Packet<'_>; 9] = [
            Connect { properties, ..Connect::new(version, "") }.into(),
            ConnAck { properties, ..ConnAck::accepted(false) }.into(),
            Publish::new(name("a"), b"").with_properties(properties).into(),
            PubAck { properties, ..PubAck::new(ID) }.into(),
            Subscribe { properties, ..Subscribe::new(ID, &filters) }.into(),
            SubAck { properties, ..SubAck::new(ID, &reasons) }.into(),
            Unsubscribe { properties, ..Unsubscribe::new(ID, &plain) }.into(),
            UnsubAck { properties, ..UnsubAck::new(ID, &[]) }.into(),
            Disconnect { properties, ..Disconnect::NORMAL }.into(),
        ];
        for packet in packets {
            refused(packet, version, not(Field::Properties));
        }
        let will = Will { properties, ..Will::new(name("a"), b"") };
        refused(Connect { will: Some(will), ..Connect::new(version, "") }, version, not(Field::Properties));
        refused(PubAck::with_reason(ID, error), version, not(Field::ReasonCode));
        refused(
            PubAck::with_reason(ID, ReasonCode::NO_MATCHING_SUBSCRIBERS),
            version,
            not(Field::ReasonCode),
        );
        refused(UnsubAck::new(ID, &reasons), version, not(Field::ReasonCode));
        refused(Disconnect::new(error), version, not(Field::ReasonCode));
        refused(Auth::new(ReasonCode::SUCCESS, Properties::EMPTY), version, not(Field::PacketType));
        let options = SubscribeOptions { no_local: true, ..SubscribeOptions::new(QoS::AtMostOnce) };
        let filters = [SubscribeFilter { filter: filter("a"), options }];
        refused(Subscribe::new(ID, &filters), version, not(Field::SubscriptionOptions));
    }
    let version = V3_1;
    let not = EncodeError::NotInVersion { field: Field::AcknowledgeFlags, version };
    refused(ConnAck::accepted(true), version, not);
}

#[test]
fn a_property_is_written_only_where_it_may_stand() {
    let list = [Property::TopicAliasMaximum(1)];
    let properties = Properties::new(&list);
    let publish = Publish::new(name("a"), b"").with_properties(properties);
    let property = PropertyId::TopicAliasMaximum;
    refused(publish, V5, EncodeError::PropertyNotAllowed { property, place: PropertyPlace::Publish });
    let will = Will { properties, ..Will::new(name("a"), b"") };
    let connect = Connect { will: Some(will), ..Connect::new(V5, "") };
    refused(connect, V5, EncodeError::PropertyNotAllowed { property, place: PropertyPlace::Will });
}

#[test]
fn decoded_properties_are_checked_again_for_another_place() {
    let bytes = b"\x30\x09\x00\x01a\x05\x02\x00\x00\x00\x09";
    let Ok(Packet::Publish(publish)) = Packet::decode(bytes, V5) else { panic!("a PUBLISH") };
    let ack = PubAck { properties: publish.properties, ..PubAck::new(ID) };
    let (property, place) = (PropertyId::MessageExpiryInterval, PropertyPlace::PubAck);
    refused(ack, V5, EncodeError::PropertyNotAllowed { property, place });
    // A message may become a will with its properties.
    let will = Will { properties: publish.properties, ..Will::new(name("a"), b"") };
    let connect = Connect { will: Some(will), ..Connect::new(V5, "") };
    let mut sink = Vec::new();
    assert_eq!(connect.encode(&mut sink), Ok(()));
    assert_eq!(Packet::decode(&sink, V5), Ok(connect.into()));
}

#[test]
fn a_property_is_not_written_twice_unless_it_may() {
    let list = [Property::ContentType("a"), Property::ContentType("b")];
    let publish = Publish::new(name("a"), b"").with_properties(Properties::new(&list));
    refused(publish, V5, EncodeError::PropertyTwice { property: PropertyId::ContentType });
}

#[test]
fn maximum_qos_2_is_said_by_silence() {
    let list = [Property::MaximumQoS(QoS::ExactlyOnce)];
    let connack = ConnAck { properties: Properties::new(&list), ..ConnAck::accepted(false) };
    refused(connack, V5, EncodeError::PropertyOutOfRange { property: PropertyId::MaximumQoS });
}

#[test]
fn a_publish_has_a_topic_name_or_an_alias() {
    let publish = Publish { topic: None, ..Publish::new(name("a"), b"") };
    for version in Version::ALL {
        refused(publish, version, EncodeError::NoTopic);
    }
    let list = [Property::TopicAlias(core::num::NonZeroU16::MIN)];
    let aliased = publish.with_properties(Properties::new(&list));
    assert!(aliased.encoded_len(V5).is_ok());
    refused(aliased, V3_1_1, EncodeError::NoTopic);
}

#[test]
fn subscribe_and_unsubscribe_have_a_filter() {
    for version in Version::ALL {
        let packet = PacketType::Subscribe;
        refused(Subscribe::new(ID, &[]), version, EncodeError::NoFilters { packet });
        let packet = PacketType::Unsubscribe;
        refused(Unsubscribe::new(ID, &[]), version, EncodeError::NoFilters { packet });
    }
}

#[test]
fn suback_and_unsuback_have_a_reason_code() {
    for version in Version::ALL {
        let packet = PacketType::SubAck;
        refused(SubAck::new(ID, &[]), version, EncodeError::NoReasonCodes { packet });
    }
    let packet = PacketType::UnsubAck;
    refused(UnsubAck::new(ID, &[]), V5, EncodeError::NoReasonCodes { packet });
    assert!(UnsubAck::new(ID, &[]).encoded_len(V3_1_1).is_ok());
}

#[test]
fn a_shared_subscription_has_no_no_local() {
    let options = SubscribeOptions { no_local: true, ..SubscribeOptions::default() };
    let filters = [SubscribeFilter { filter: filter("$share/g/a"), options }];
    refused(Subscribe::new(ID, &filters), V5, EncodeError::NoLocalShared);
}

#[test]
fn a_refusal_has_no_session() {
    let connack = ConnAck { session_present: true, ..ConnAck::refused(ReasonCode::BANNED) };
    for version in Version::ALL {
        refused(connack, version, EncodeError::SessionPresentInRefusal);
    }
}

#[test]
fn a_password_has_a_user_name_before_5_0() {
    for version in [V3_1, V3_1_1] {
        let connect = Connect { password: Some(b"p"), ..Connect::new(version, "") };
        refused(connect, version, EncodeError::PasswordWithoutUserName);
    }
    assert!(Connect { password: Some(b"p"), ..Connect::new(V5, "") }.encoded_len().is_ok());
}

#[test]
fn authentication_has_a_method() {
    let list = [Property::AuthenticationData(b"x")];
    let properties = Properties::new(&list);
    let connect = Connect { properties, ..Connect::new(V5, "") };
    refused(connect, V5, EncodeError::AuthenticationDataAlone);
    let reason = ReasonCode::CONTINUE_AUTHENTICATION;
    refused(Auth::new(reason, properties), V5, EncodeError::NoAuthenticationMethod);
    refused(Auth::new(reason, Properties::EMPTY), V5, EncodeError::NoAuthenticationMethod);
}

#[test]
fn an_error_says_what_is_wrong_and_how_to_mend_it() {
    let too_long = EncodeError::TooLong { field: Field::UserName, bytes: 70_000 };
    assert_eq!(too_long.to_string(), "user name has 70000 bytes; shorten it to 65535 or fewer");
    let not = EncodeError::NotInVersion { field: Field::ReasonCode, version: V3_1_1 };
    assert_eq!(not.to_string(), "MQTT 3.1.1 has no reason code here; leave it out or speak a later version");
    let place = EncodeError::PropertyNotAllowed {
        property: PropertyId::WillDelayInterval,
        place: PropertyPlace::Publish,
    };
    assert_eq!(place.to_string(), "will delay interval is not allowed in PUBLISH");
}

#[test]
fn a_property_that_stands_twice_in_a_will_is_not_written() {
    let twice = [Property::WillDelayInterval(1), Property::WillDelayInterval(2)];
    let topic = TopicName::parse("gone").expect("a name");
    let mut connect = Connect::new(Version::V5, "i");
    connect.will = Some(Will { properties: Properties::new(&twice), ..Will::new(topic, b"") });
    let refused = connect.encode(&mut Vec::new());
    assert_eq!(refused, Err(EncodeError::PropertyTwice { property: PropertyId::WillDelayInterval }));
}

/// A sink that lends other than what it is asked for.
struct Wrong {
    bytes: Vec<u8>,
    by: isize,
}

impl Sink for Wrong {
    fn room(&self) -> usize {
        usize::MAX
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn lend(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let end = self.bytes.len();
        self.bytes.resize(end + bytes.checked_add_signed(self.by)?, 0xAA);
        self.bytes.get_mut(end..)
    }
}

#[test]
fn a_sink_that_lends_the_wrong_length_is_an_error_and_not_half_a_packet() {
    let packet = Packet::from(PubAck::new(PacketId::MIN));
    for (by, right) in [(-1, false), (0, true), (1, false)] {
        let outcome = packet.encode(Version::V5, &mut Wrong { bytes: Vec::new(), by });
        assert_eq!(outcome.is_ok(), right, "{by}");
    }
}
