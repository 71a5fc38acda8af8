//! Packets of the peer, right and wrong, from two bytes.

use headwater_codec::{
    Auth, ConnAck, Delivery, Disconnect, Filters, Packet, PacketId, Properties, Property, PubAck, PubComp,
    PubRec, PubRel, Publish, ReasonCode, SubAck, Subscribe, SubscribeFilter, SubscribeOptions, TopicFilters,
    UnsubAck, Unsubscribe, Version,
};
use headwater_topic::{TopicFilter, TopicName};

use super::role::{METHOD, small, with_connect};

/// Low identifiers, so that they meet those in flight; the last one sometimes.
pub(super) fn id(byte: u8) -> PacketId {
    PacketId::new(if byte & 0x1f == 0x1f { u16::MAX } else { 1 + u16::from(byte & 7) })
        .unwrap_or(PacketId::MIN)
}

/// Makes a packet and hands it on. With an authentication method there are more of AUTH.
pub(super) fn with_packet<R>(
    kind: u8,
    value: u8,
    version: Version,
    method: bool,
    then: impl FnOnce(Packet<'_>) -> R,
) -> R {
    let packet_id = id(value);
    // Before 5.0 there are no reasons, and no packet that has one.
    let refused = version == Version::V5 && value & 0x80 != 0;
    let reason = if refused { ReasonCode::QUOTA_EXCEEDED } else { ReasonCode::SUCCESS };
    let not_found = if refused { ReasonCode::PACKET_IDENTIFIER_NOT_FOUND } else { ReasonCode::SUCCESS };
    let dup = value & 0x20 != 0;
    match kind % 18 {
        0 => then(Packet::PubAck(PubAck::with_reason(packet_id, reason))),
        1 => then(Packet::PubRec(PubRec::with_reason(packet_id, reason))),
        2 => then(Packet::PubRel(PubRel::with_reason(packet_id, not_found))),
        3 => then(Packet::PubComp(PubComp::with_reason(packet_id, not_found))),
        4 => then(message(Delivery::AtMostOnce, &[])),
        5 => then(message(Delivery::AtLeastOnce { packet_id, dup }, &[])),
        6 | 7 => then(message(Delivery::ExactlyOnce { packet_id, dup }, &[])),
        8 => {
            let alias = [Property::TopicAlias(small(value >> 6))];
            let properties: &[Property<'_>] = if version == Version::V5 { &alias } else { &[] };
            let mut packet = message(Delivery::AtLeastOnce { packet_id, dup }, properties);
            if let (Packet::Publish(publish), Version::V5, true) = (&mut packet, version, dup) {
                publish.topic = None;
            }
            then(packet)
        }
        13 | 15 | 16 if method => then(auth(value)),
        9 => with_connect(version, value, method, |connect| then(Packet::Connect(*connect))),
        10 | 11 => {
            let name = if value >> 5 == 7 { "other" } else { METHOD };
            let properties = [
                Property::AuthenticationMethod(name),
                Property::ReceiveMaximum(small(value >> 1)),
                Property::ServerKeepAlive(5),
            ];
            let properties = properties.get(usize::from(!method)..).unwrap_or(&properties);
            let mut connack = ConnAck::accepted(value & 1 != 0 && version != Version::V3_1);
            if version == Version::V5 {
                // One in four does not name the method, or has nothing to say.
                let count = usize::from(value >> 3 & 3);
                connack.properties = Properties::from(properties.get(..count).unwrap_or(properties));
            }
            then(Packet::ConnAck(connack))
        }
        12 => {
            let filter = TopicFilter::parse("a/#").expect("it is one");
            let filters = [SubscribeFilter { filter, options: SubscribeOptions::default() }; 4];
            let count = usize::from(small(value >> 6).get());
            let filters = Filters::from(filters.get(..count).unwrap_or(&filters));
            then(Packet::Subscribe(Subscribe { packet_id, properties: Properties::default(), filters }))
        }
        13 => {
            let filters = [TopicFilter::parse("a/#").expect("it is one")];
            let filters = TopicFilters::from(&filters[..]);
            then(Packet::Unsubscribe(Unsubscribe { packet_id, properties: Properties::default(), filters }))
        }
        14 => {
            let reasons: &[ReasonCode] = if dup { &[ReasonCode::SUCCESS; 2] } else { &[ReasonCode::SUCCESS] };
            then(Packet::SubAck(SubAck::new(packet_id, reasons)))
        }
        15 => {
            let reasons: &[ReasonCode] = if version == Version::V5 { &[ReasonCode::SUCCESS] } else { &[] };
            then(Packet::UnsubAck(UnsubAck::new(packet_id, reasons)))
        }
        16 => then(if value & 1 == 0 { Packet::PingReq } else { Packet::PingResp }),
        _ if value & 1 == 0 => then(Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS))),
        _ => then(auth(value)),
    }
}

fn auth(value: u8) -> Packet<'static> {
    let reason = match value >> 1 & 7 {
        0 | 1 => ReasonCode::RE_AUTHENTICATE,
        2 => ReasonCode::SUCCESS,
        _ => ReasonCode::CONTINUE_AUTHENTICATION,
    };
    let properties: &[Property<'_>] = match value >> 4 {
        15 => &[Property::AuthenticationMethod("other")],
        14 => &[Property::AuthenticationMethod(METHOD), Property::AuthenticationData(b"data")],
        _ => &[Property::AuthenticationMethod(METHOD)],
    };
    Packet::Auth(Auth::new(reason, Properties::from(properties)))
}

fn message<'a>(delivery: Delivery, properties: &'a [Property<'a>]) -> Packet<'a> {
    let topic = TopicName::parse("topic/of/walk").expect("it is one");
    Packet::Publish(
        Publish::new(topic, b"x").with_delivery(delivery).with_properties(Properties::from(properties)),
    )
}
