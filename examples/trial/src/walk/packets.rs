//! Packets of a client that may know the rules and need not keep them, from two bytes.

use std::num::{NonZeroU16, NonZeroU32};

use headwater::codec::{
    Auth, ConnAck, Connect, Delivery, Disconnect, Packet, PacketId, Properties, Property, PubAck, PubComp,
    PubRec, PubRel, Publish, QoS, ReasonCode, RetainHandling, SubAck, Subscribe, SubscribeFilter,
    SubscriptionId, Unsubscribe, Version, Will,
};
use headwater::topic::{TopicFilter, TopicName};

/// A packet as bytes.
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    /// For a PUBLISH of QoS 1, its identifier, and its number if it has to reach whoever is subscribed.
    pub(super) at_least_once: Option<(PacketId, Option<u32>)>,
}

/// What is published to; all but the last two can be.
const TOPICS: [&str; 8] = ["walk", "walk/a", "walk/a/b", "walk/b", "", "kept", "$SYS/walk", "other"];
const FILTERS: [&str; 8] =
    ["walk/#", "walk/+", "#", "$share/g/walk/#", "kept", "$SYS/#", "$share/h/+", "+/+/b"];
const REASONS: [ReasonCode; 4] = [
    ReasonCode::SUCCESS,
    ReasonCode::UNSPECIFIED_ERROR,
    ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
    ReasonCode::QUOTA_EXCEEDED,
];

/// The payload of a message, so that it is known again.
fn payload(number: u32, long: bool) -> Vec<u8> {
    let mut payload = b"walk".to_vec();
    payload.extend(number.to_be_bytes());
    if long {
        payload.resize(800, b'.');
    }
    payload
}

/// The number in a payload of [`packet`].
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    let bytes = payload.strip_prefix(b"walk")?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

fn at<T: Copy>(list: &[T], index: u8) -> T {
    list.iter().copied().cycle().nth(usize::from(index)).expect("something is in each list")
}

/// Low identifiers, so that they meet those in flight.
fn id(byte: u8) -> PacketId {
    PacketId::new(1 + u16::from(byte & 7)).unwrap_or(PacketId::MIN)
}

fn encoded(packet: &Packet<'_>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A packet that there is not in this version is sent as one of 5.0.
    if packet.encode(version, &mut bytes).is_err() {
        bytes.clear();
        packet.encode(Version::V5, &mut bytes).expect("it is right in 5.0");
    }
    bytes
}

pub(super) fn packet(one: u8, two: u8, version: Version, number: u32) -> Made {
    let is_5 = version == Version::V5;
    let (packet_id, packet_2_id) = (id(two), id(two >> 3));
    let reason = if is_5 { at(&REASONS, two >> 6) } else { ReasonCode::SUCCESS };
    let found = match reason {
        ReasonCode::PACKET_IDENTIFIER_NOT_FOUND => reason,
        _ => ReasonCode::SUCCESS,
    };
    let refused = match reason {
        ReasonCode::PACKET_IDENTIFIER_NOT_FOUND => ReasonCode::SUCCESS,
        _ => reason,
    };
    let mut at_least_once = None;
    let bytes = match one % 20 {
        0..=5 => {
            let dup = one & 0x80 != 0;
            let delivery = match one % 3 {
                0 => Delivery::AtMostOnce,
                1 => Delivery::AtLeastOnce { packet_id, dup },
                _ => Delivery::ExactlyOnce { packet_id, dup },
            };
            let topic = at(&TOPICS, two >> 3);
            let list = [
                Property::TopicAlias(NonZeroU16::MIN.saturating_add(u16::from(two >> 6))),
                Property::MessageExpiryInterval(u32::from(two & 1)),
                Property::UserProperty("mqtt.qos", "x"),
            ];
            // An alias, an expiry and more; or all of them; mostly nothing.
            let some = match one % 20 {
                3 if is_5 => list.get(..1),
                4 if is_5 => list.get(1..),
                5 if is_5 => Some(&list[..]),
                _ => None,
            };
            let list = some.unwrap_or_default();
            let payload = payload(number, one & 0x40 != 0);
            let mut publish = Publish::new(TopicName::parse("unused").expect("a name"), &payload)
                .with_delivery(delivery)
                .with_retain(one & 0x20 != 0)
                .with_properties(Properties::from(list));
            publish.topic = TopicName::parse(topic).ok();
            if !is_5 && publish.topic.is_none() {
                publish.topic = TopicName::parse("walk").ok();
            }
            if let Delivery::AtLeastOnce { packet_id, .. } = delivery {
                let reaches = topic.starts_with("walk") && list.is_empty();
                at_least_once = Some((packet_id, reaches.then_some(number)));
            }
            publish_bytes(&publish, version)
        }
        6 => encoded(&Packet::PubAck(PubAck::with_reason(packet_id, refused)), version),
        7 => encoded(&Packet::PubRec(PubRec::with_reason(packet_id, refused)), version),
        8 => encoded(&Packet::PubRel(PubRel::with_reason(packet_id, found)), version),
        9 => encoded(&Packet::PubComp(PubComp::with_reason(packet_id, found)), version),
        10..=12 => subscribe(one, two, version),
        13 => {
            let filters = [at(&FILTERS, two), at(&FILTERS, two >> 3)];
            let filters = filters.map(|text| TopicFilter::parse(text).expect("a filter"));
            encoded(&Packet::Unsubscribe(Unsubscribe::new(packet_2_id, &filters)), version)
        }
        14 => encoded(&Packet::PingReq, version),
        15 => connect(two, version, |connect| encoded(&Packet::Connect(*connect), version)),
        16 => {
            let reasons =
                [ReasonCode::SUCCESS, ReasonCode::DISCONNECT_WITH_WILL, ReasonCode::UNSPECIFIED_ERROR];
            let expiry = [Property::SessionExpiryInterval(u32::from(two >> 4) * 600)];
            let mut disconnect = Disconnect::new(if is_5 { at(&reasons, two) } else { ReasonCode::SUCCESS });
            if is_5 && two & 4 != 0 {
                disconnect.properties = Properties::from(&expiry[..]);
            }
            encoded(&Packet::Disconnect(disconnect), version)
        }
        17 => {
            let method = [Property::AuthenticationMethod("walk")];
            let auth = Auth::new(ReasonCode::RE_AUTHENTICATE, Properties::from(&method[..]));
            encoded(&Packet::Auth(auth), version)
        }
        18 => match two & 3 {
            0 => encoded(&Packet::ConnAck(ConnAck::accepted(false)), version),
            1 => encoded(&Packet::SubAck(SubAck::new(packet_id, &[ReasonCode::SUCCESS])), version),
            _ => encoded(&Packet::PingResp, version),
        },
        // More than a packet may have, from its header alone.
        _ => vec![0x30 | (two & 0xF), 0x81 + (two >> 4), 0x08],
    };
    Made { bytes, at_least_once }
}

fn publish_bytes(publish: &Publish<'_>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    if publish.encode(version, &mut bytes).is_err() {
        // Neither a topic nor an alias: the encoder does not write what is wrong.
        bytes = b"\x30\x03\0\0\0".to_vec();
    }
    bytes
}

fn subscribe(one: u8, two: u8, version: Version) -> Vec<u8> {
    let is_5 = version == Version::V5;
    let qos = at(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce], one >> 5);
    let filters = [two, two >> 3, two >> 5].map(|index| {
        let filter = TopicFilter::parse(at(&FILTERS, index)).expect("a filter");
        let mut wanted = SubscribeFilter::new(filter, qos);
        if is_5 {
            // The encoder does not write what a shared subscription must not have.
            wanted.options.no_local = two & 0x80 != 0 && filter.shared().is_none();
            wanted.options.retain_as_published = two & 0x40 != 0;
            let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend];
            wanted.options.retain_handling = at(&handling, one >> 6);
        }
        wanted
    });
    let list = [
        Property::SubscriptionIdentifier(SubscriptionId::new(1 + u32::from(two)).expect("not 0")),
        Property::UserProperty("headwater-from", if two & 1 == 0 { "earliest" } else { "-PT1H" }),
    ];
    let count = usize::from(one % 20 - 10);
    let filters = filters.get(..=count).unwrap_or(&filters);
    let mut subscribe = Subscribe::new(id(two), filters);
    if is_5 && one & 0x10 != 0 {
        subscribe.properties = Properties::from(list.get(..=usize::from(two & 1)).unwrap_or(&list));
    }
    encoded(&Packet::Subscribe(subscribe), version)
}

/// A CONNECT that is right.
pub(super) fn connect<R>(flags: u8, version: Version, then: impl FnOnce(&Connect<'_>) -> R) -> R {
    let is_5 = version == Version::V5;
    let client_id = ["walk", "", "other"].into_iter().nth(usize::from(flags & 3)).unwrap_or("walk");
    let mut connect = Connect::new(version, client_id);
    // 3.1 wants an identifier, and 3.1.1 one for a session that stays.
    connect.clean_start = flags & 4 != 0 || client_id.is_empty();
    connect.keep_alive_secs = u16::from(flags >> 3 & 1) * 5;
    let list = [
        Property::SessionExpiryInterval(u32::from(flags >> 4 & 1) * 1_000),
        Property::ReceiveMaximum(NonZeroU16::MIN.saturating_add(u16::from(flags >> 5 & 1))),
        Property::MaximumPacketSize(NonZeroU32::MIN.saturating_add(u32::from(flags) * 4)),
        Property::TopicAliasMaximum(u16::from(flags >> 5 & 3)),
    ];
    let delay = [Property::WillDelayInterval(u32::from(flags >> 6) * 10)];
    if is_5 {
        connect.properties =
            Properties::from(list.get(..if flags & 0x80 == 0 { 2 } else { 4 }).unwrap_or(&list));
    }
    if flags & 0x40 != 0 {
        let topic = TopicName::parse(if flags & 1 == 0 { "walk/will" } else { "$SYS/will" });
        let mut will = Will::new(topic.expect("a name"), b"gone");
        (will.qos, will.retain) = (QoS::AtLeastOnce, flags & 8 != 0);
        if is_5 {
            will.properties = Properties::from(&delay[..]);
        }
        connect.will = Some(will);
    }
    then(&connect)
}
