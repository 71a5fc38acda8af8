//! Structured packets of every kind and revision for the laws.
//!
//! Packets borrow, so what they borrow from is leaked: a few megabytes in a test process, and every strategy gives a
//! plain `Packet<'static>`.

use std::num::{NonZeroU16, NonZeroU32};

use headwater_codec::{
    Auth, ConnAck, Connect, Delivery, Disconnect, Filters, Packet, PacketId, PacketType, Properties,
    Property, PropertyId, PropertyPlace, PubAck, PubComp, PubRec, PubRel, Publish, QoS, ReasonCode,
    ReasonCodes, RetainHandling, SubAck, Subscribe, SubscribeFilter, SubscribeOptions, SubscriptionId,
    TopicFilters, UnsubAck, Unsubscribe, Version, Will,
};
use headwater_topic::{TopicFilter, TopicName};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::Union;

pub(crate) fn version() -> impl Strategy<Value = Version> {
    select(Version::ALL.to_vec())
}

/// A string of MQTT: any characters but U+0000, now and then as long as the wire allows.
pub(crate) fn text() -> impl Strategy<Value = &'static str> {
    let character = any::<char>().prop_filter("no U+0000", |c| *c != '\0');
    prop_oneof![
        20 => vec(character, 0..12).prop_map(|characters| characters.into_iter().collect::<String>()),
        20 => "[a-z0-9/ -]{0,40}",
        1 => Just("x".repeat(65_535)),
    ]
    .prop_map(|text| &*text.leak())
}

pub(crate) fn bytes() -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), 0..24).prop_map(|bytes| &*bytes.leak())
}

pub(crate) fn topic() -> impl Strategy<Value = TopicName<'static>> {
    text().prop_filter_map("a name", |text| TopicName::parse(text).ok())
}

pub(crate) fn filter() -> impl Strategy<Value = TopicFilter<'static>> {
    let level = prop_oneof!["[a-z]{0,3}", Just("+".to_owned()), "[\u{80}-\u{7FF}]{1,2}"];
    let shared = prop_oneof![3 => Just(""), 1 => Just("$share/group/")];
    (shared, vec(level, 1..5), any::<bool>())
        .prop_map(|(shared, mut levels, hash)| {
            if hash {
                levels.push("#".to_owned());
            }
            &*format!("{shared}{}", levels.join("/")).leak()
        })
        .prop_filter_map("a filter", |text| TopicFilter::parse(text).ok())
}

pub(crate) fn packet_id() -> impl Strategy<Value = PacketId> {
    any::<NonZeroU16>().prop_map(PacketId::from)
}

pub(crate) fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

/// One property of a kind.
fn property(id: PropertyId) -> BoxedStrategy<Property<'static>> {
    use Property as P;
    let boolean = any::<bool>();
    let short = any::<u16>();
    let long = any::<u32>();
    match id {
        PropertyId::PayloadFormatIndicator => boolean.prop_map(P::PayloadFormatIndicator).boxed(),
        PropertyId::MessageExpiryInterval => long.prop_map(P::MessageExpiryInterval).boxed(),
        PropertyId::ContentType => text().prop_map(P::ContentType).boxed(),
        PropertyId::ResponseTopic => topic().prop_map(P::ResponseTopic).boxed(),
        PropertyId::CorrelationData => bytes().prop_map(P::CorrelationData).boxed(),
        PropertyId::SubscriptionIdentifier => (1..=SubscriptionId::MAX)
            .prop_filter_map("in range", |id| SubscriptionId::new(id >> (id % 28)))
            .prop_map(P::SubscriptionIdentifier)
            .boxed(),
        PropertyId::SessionExpiryInterval => long.prop_map(P::SessionExpiryInterval).boxed(),
        PropertyId::AssignedClientIdentifier => text().prop_map(P::AssignedClientIdentifier).boxed(),
        PropertyId::ServerKeepAlive => short.prop_map(P::ServerKeepAlive).boxed(),
        PropertyId::AuthenticationMethod => text().prop_map(P::AuthenticationMethod).boxed(),
        PropertyId::AuthenticationData => bytes().prop_map(P::AuthenticationData).boxed(),
        PropertyId::RequestProblemInformation => boolean.prop_map(P::RequestProblemInformation).boxed(),
        PropertyId::WillDelayInterval => long.prop_map(P::WillDelayInterval).boxed(),
        PropertyId::RequestResponseInformation => boolean.prop_map(P::RequestResponseInformation).boxed(),
        PropertyId::ResponseInformation => text().prop_map(P::ResponseInformation).boxed(),
        PropertyId::ServerReference => text().prop_map(P::ServerReference).boxed(),
        PropertyId::ReasonString => text().prop_map(P::ReasonString).boxed(),
        PropertyId::ReceiveMaximum => any::<NonZeroU16>().prop_map(P::ReceiveMaximum).boxed(),
        PropertyId::TopicAliasMaximum => short.prop_map(P::TopicAliasMaximum).boxed(),
        PropertyId::TopicAlias => any::<NonZeroU16>().prop_map(P::TopicAlias).boxed(),
        PropertyId::MaximumQoS => {
            select(vec![QoS::AtMostOnce, QoS::AtLeastOnce]).prop_map(P::MaximumQoS).boxed()
        }
        PropertyId::RetainAvailable => boolean.prop_map(P::RetainAvailable).boxed(),
        PropertyId::UserProperty => {
            (text(), text()).prop_map(|(name, value)| P::UserProperty(name, value)).boxed()
        }
        PropertyId::MaximumPacketSize => any::<NonZeroU32>().prop_map(P::MaximumPacketSize).boxed(),
        PropertyId::WildcardSubscriptionAvailable => {
            boolean.prop_map(P::WildcardSubscriptionAvailable).boxed()
        }
        PropertyId::SubscriptionIdentifierAvailable => {
            boolean.prop_map(P::SubscriptionIdentifierAvailable).boxed()
        }
        PropertyId::SharedSubscriptionAvailable => boolean.prop_map(P::SharedSubscriptionAvailable).boxed(),
    }
}

/// Properties that may stand in a place, in any order, repeated where they may be.
pub(crate) fn properties(version: Version, place: PropertyPlace) -> BoxedStrategy<Properties<'static>> {
    if version < Version::V5 {
        return Just(Properties::EMPTY).boxed();
    }
    let allowed: Vec<PropertyId> =
        PropertyId::ALL.iter().copied().filter(|id| id.allowed_in(place)).collect();
    let repeatable: Vec<PropertyId> = allowed.iter().copied().filter(|id| id.repeatable_in(place)).collect();
    let most = allowed.len();
    (subsequence(allowed, 0..=most), vec(select(repeatable), 0..3))
        .prop_flat_map(|(once, again)| once.into_iter().chain(again).map(property).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|list| Properties::new(list.leak()))
        .prop_filter("authentication data has its method", move |properties| {
            place != PropertyPlace::Connect
                || properties.authentication_data().is_none()
                || properties.authentication_method().is_some()
        })
        .boxed()
}

/// A reason code the packet may carry in this revision and comes back from it.
fn reason(version: Version, packet: PacketType) -> BoxedStrategy<ReasonCode> {
    let codes: &[ReasonCode] = match (version, packet) {
        (Version::V5, _) => ReasonCode::ALL,
        (_, PacketType::ConnAck) => &[
            ReasonCode::SUCCESS,
            ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
            ReasonCode::SERVER_UNAVAILABLE,
            ReasonCode::BAD_USER_NAME_OR_PASSWORD,
            ReasonCode::NOT_AUTHORIZED,
        ],
        (_, PacketType::SubAck) => &[
            ReasonCode::GRANTED_QOS_0,
            ReasonCode::GRANTED_QOS_1,
            ReasonCode::GRANTED_QOS_2,
            ReasonCode::UNSPECIFIED_ERROR,
        ],
        _ => &[ReasonCode::SUCCESS],
    };
    select(codes.iter().copied().filter(|code| code.allowed_in(packet)).collect::<Vec<_>>()).boxed()
}

fn will(version: Version) -> impl Strategy<Value = Will<'static>> {
    (qos(), any::<bool>(), topic(), bytes(), properties(version, PropertyPlace::Will)).prop_map(
        |(qos, retain, topic, payload, properties)| Will { qos, retain, topic, payload, properties },
    )
}

fn connect(version: Version) -> impl Strategy<Value = Packet<'static>> {
    (
        any::<bool>(),
        any::<u16>(),
        text(),
        properties(version, PropertyPlace::Connect),
        option::of(will(version)),
        option::of(text()),
        option::of(bytes()),
    )
        .prop_map(
            move |(clean_start, keep_alive_secs, client_id, properties, will, user_name, password)| {
                let password = password.filter(|_| version == Version::V5 || user_name.is_some());
                Connect {
                    version,
                    clean_start,
                    keep_alive_secs,
                    client_id,
                    properties,
                    will,
                    user_name,
                    password,
                }
                .into()
            },
        )
}

fn connack(version: Version) -> impl Strategy<Value = Packet<'static>> {
    let reason = reason(version, PacketType::ConnAck);
    (any::<bool>(), reason, properties(version, PropertyPlace::ConnAck)).prop_map(
        move |(present, reason, properties)| {
            let session_present = present && reason == ReasonCode::SUCCESS && version > Version::V3_1;
            ConnAck { session_present, reason, properties }.into()
        },
    )
}

pub(crate) fn delivery() -> impl Strategy<Value = Delivery> {
    (qos(), packet_id(), any::<bool>()).prop_map(|(qos, packet_id, dup)| match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce { packet_id, dup },
        QoS::ExactlyOnce => Delivery::ExactlyOnce { packet_id, dup },
    })
}

fn publish(version: Version) -> impl Strategy<Value = Packet<'static>> {
    let payload = prop_oneof![20 => bytes(), 1 => Just(&[0x5A; 70_000][..])];
    let properties = properties(version, PropertyPlace::Publish);
    (delivery(), any::<bool>(), topic(), any::<bool>(), properties, payload).prop_map(
        |(delivery, retain, topic, named, properties, payload)| {
            let topic = Some(topic).filter(|_| named || properties.topic_alias().is_none());
            Publish { delivery, retain, topic, properties, payload }.into()
        },
    )
}

/// A message with a topic and without a topic alias, as a server has it when it passes it on.
pub(crate) fn message(version: Version) -> impl Strategy<Value = Publish<'static>> {
    let properties = properties(version, PropertyPlace::Publish).prop_map(|properties| {
        let kept: Vec<_> =
            properties.iter().filter(|property| property.id() != PropertyId::TopicAlias).collect();
        Properties::new(kept.leak())
    });
    (topic(), properties, bytes())
        .prop_map(|(topic, properties, payload)| Publish::new(topic, payload).with_properties(properties))
}

/// A strategy for one of the four acknowledgements of PUBLISH.
macro_rules! ack {
    ($function:ident, $packet:ident) => {
        fn $function(version: Version) -> impl Strategy<Value = Packet<'static>> {
            let reason = reason(version, PacketType::$packet);
            (packet_id(), reason, properties(version, PropertyPlace::$packet))
                .prop_map(|(packet_id, reason, properties)| $packet { packet_id, reason, properties }.into())
        }
    };
}

ack!(puback, PubAck);
ack!(pubrec, PubRec);
ack!(pubrel, PubRel);
ack!(pubcomp, PubComp);

fn subscribe(version: Version) -> impl Strategy<Value = Packet<'static>> {
    let handling = select(vec![RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
    let item = (filter(), qos(), any::<bool>(), any::<bool>(), handling).prop_map(
        move |(filter, qos, no_local, retain_as_published, retain_handling)| {
            let no_local = no_local && filter.shared().is_none();
            let full = SubscribeOptions { qos, no_local, retain_as_published, retain_handling };
            let options = if version == Version::V5 { full } else { SubscribeOptions::new(qos) };
            SubscribeFilter { filter, options }
        },
    );
    (packet_id(), properties(version, PropertyPlace::Subscribe), vec(item, 1..9)).prop_map(
        |(packet_id, properties, filters)| {
            Subscribe { packet_id, properties, filters: Filters::new(filters.leak()) }.into()
        },
    )
}

fn suback(version: Version) -> impl Strategy<Value = Packet<'static>> {
    let reasons = vec(reason(version, PacketType::SubAck), 1..9);
    (packet_id(), properties(version, PropertyPlace::SubAck), reasons).prop_map(
        |(packet_id, properties, reasons)| {
            SubAck { packet_id, properties, reasons: ReasonCodes::new(reasons.leak()) }.into()
        },
    )
}

fn unsubscribe(version: Version) -> impl Strategy<Value = Packet<'static>> {
    (packet_id(), properties(version, PropertyPlace::Unsubscribe), vec(filter(), 1..9)).prop_map(
        |(packet_id, properties, filters)| {
            Unsubscribe { packet_id, properties, filters: TopicFilters::new(filters.leak()) }.into()
        },
    )
}

fn unsuback(version: Version) -> impl Strategy<Value = Packet<'static>> {
    let reasons = vec(reason(version, PacketType::UnsubAck), 1..9);
    (packet_id(), properties(version, PropertyPlace::UnsubAck), reasons).prop_map(
        move |(packet_id, properties, mut reasons)| {
            if version < Version::V5 {
                reasons.clear();
            }
            UnsubAck { packet_id, properties, reasons: ReasonCodes::new(reasons.leak()) }.into()
        },
    )
}

fn disconnect(version: Version) -> impl Strategy<Value = Packet<'static>> {
    (reason(version, PacketType::Disconnect), properties(version, PropertyPlace::Disconnect))
        .prop_map(|(reason, properties)| Disconnect { reason, properties }.into())
}

fn auth() -> impl Strategy<Value = Packet<'static>> {
    (reason(Version::V5, PacketType::Auth), properties(Version::V5, PropertyPlace::Auth))
        .prop_map(|(reason, properties)| Auth { reason, properties })
        .prop_filter("has a method, or is empty", |auth| {
            auth.properties.authentication_method().is_some()
                || (auth.reason == ReasonCode::SUCCESS && auth.properties.is_empty())
        })
        .prop_map(Packet::from)
}

/// Any packet of a revision.
pub(crate) fn packet(version: Version) -> BoxedStrategy<Packet<'static>> {
    let mut kinds = vec![
        connect(version).boxed(),
        connack(version).boxed(),
        publish(version).boxed(),
        puback(version).boxed(),
        pubrec(version).boxed(),
        pubrel(version).boxed(),
        pubcomp(version).boxed(),
        subscribe(version).boxed(),
        suback(version).boxed(),
        unsubscribe(version).boxed(),
        unsuback(version).boxed(),
        disconnect(version).boxed(),
        Just(Packet::PingReq).boxed(),
        Just(Packet::PingResp).boxed(),
    ];
    if version == Version::V5 {
        kinds.push(auth().boxed());
    }
    Union::new(kinds).boxed()
}

/// Any packet of any revision.
pub(crate) fn any_packet() -> impl Strategy<Value = (Version, Packet<'static>)> {
    version().prop_flat_map(|version| packet(version).prop_map(move |packet| (version, packet)))
}

/// The bytes of a packet that has to be right.
pub(crate) fn encode(version: Version, packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = packet.encode(version, &mut bytes) {
        panic!("{version}: {packet:?}: {error}");
    }
    bytes
}
