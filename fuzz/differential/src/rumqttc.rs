//! What `rumqttc` says: its `mqttbytes` of 3.1.1 and of 5.0, which are two codecs.
//!
//! It names reason codes and keeps their numbers to itself, so the number is what it writes for the name.

use bytes::BytesMut;
use headwater_codec::{PacketType, PropertyId as P};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

use crate::facts::Facts;

/// The packet of 3.1.1, if it is taken.
pub fn read_v4(wire: &[u8]) -> Option<v4::Packet> {
    v4::Packet::read(&mut BytesMut::from(wire), usize::MAX).ok()
}

/// The packet of 5.0, if it is taken.
pub fn read_v5(wire: &[u8]) -> Option<v5::Packet> {
    v5::Packet::read(&mut BytesMut::from(wire), None).ok()
}

/// What a packet of 3.1.1 says.
pub fn facts_v4(packet: &v4::Packet) -> Facts<'_> {
    use PacketType as T;
    match packet {
        v4::Packet::Connect(connect) => {
            let mut facts = Facts::of(T::Connect);
            facts
                .number("level", if connect.protocol == rumqttc::mqttbytes::Protocol::V4 { 4_u8 } else { 5 });
            facts.number("clean start", connect.clean_session);
            facts.number("keep alive", connect.keep_alive);
            facts.bytes("client identifier", &connect.client_id);
            if let Some(login) = &connect.login {
                facts.bytes("user name", &login.username);
                facts.bytes("password", &login.password);
            }
            if let Some(will) = &connect.last_will {
                facts.number("will QoS", will.qos as u8);
                facts.number("will retain", will.retain);
                facts.bytes("will topic", &will.topic);
                facts.bytes("will payload", &will.message);
            }
            facts
        }
        v4::Packet::ConnAck(ack) => {
            let mut facts = Facts::of(T::ConnAck);
            facts.number("session present", ack.session_present);
            facts.number("reason", ack.code as u8);
            facts
        }
        v4::Packet::Publish(publish) => {
            let mut facts = Facts::of(T::Publish);
            facts.number("QoS", publish.qos as u8);
            facts.number("DUP", publish.dup);
            facts.number("retain", publish.retain);
            facts.bytes("topic", &publish.topic);
            if publish.pkid != 0 {
                facts.number("packet identifier", publish.pkid);
            }
            facts.bytes("payload", &publish.payload);
            facts
        }
        v4::Packet::PubAck(ack) => acknowledged(T::PubAck, ack.pkid, 0),
        v4::Packet::PubRec(ack) => acknowledged(T::PubRec, ack.pkid, 0),
        v4::Packet::PubRel(ack) => acknowledged(T::PubRel, ack.pkid, 0),
        v4::Packet::PubComp(ack) => acknowledged(T::PubComp, ack.pkid, 0),
        v4::Packet::Subscribe(subscribe) => {
            let mut facts = identified(T::Subscribe, subscribe.pkid);
            for filter in &subscribe.filters {
                facts.subscription(&filter.path, filter.qos as u8, (false, false, 0));
            }
            facts
        }
        v4::Packet::SubAck(ack) => {
            let mut facts = identified(T::SubAck, ack.pkid);
            for code in &ack.return_codes {
                facts.number(
                    "reason",
                    match code {
                        v4::SubscribeReasonCode::Success(qos) => *qos as u8,
                        v4::SubscribeReasonCode::Failure => 0x80,
                    },
                );
            }
            facts
        }
        v4::Packet::Unsubscribe(unsubscribe) => {
            let mut facts = identified(T::Unsubscribe, unsubscribe.pkid);
            unsubscribe.topics.iter().for_each(|filter| facts.bytes("filter", filter));
            facts
        }
        v4::Packet::UnsubAck(ack) => identified(T::UnsubAck, ack.pkid),
        v4::Packet::PingReq => Facts::of(T::PingReq),
        v4::Packet::PingResp => Facts::of(T::PingResp),
        v4::Packet::Disconnect => {
            let mut facts = Facts::of(T::Disconnect);
            facts.number("reason", 0_u8);
            facts
        }
    }
}

/// What a packet of 5.0 says.
pub fn facts_v5(packet: &v5::Packet) -> Facts<'_> {
    use PacketType as T;
    /// An acknowledgement: identifier, reason code, reason string and user properties.
    macro_rules! acknowledgement {
        ($kind:expr, $ack:expr) => {{
            let mut facts = acknowledged($kind, $ack.pkid, code_at(packet, 2));
            if let Some(properties) = &$ack.properties {
                facts.text(P::ReasonString, properties.reason_string.as_ref());
                user(&mut facts, &properties.user_properties);
            }
            facts
        }};
    }
    /// The answer to a list of filters: identifier, reason codes at the end, reason string and user properties.
    macro_rules! answer {
        ($kind:expr, $ack:expr, $count:expr) => {{
            let mut facts = identified($kind, $ack.pkid);
            let written = body(packet);
            let codes = written.len().saturating_sub($count);
            written[codes..].iter().for_each(|code| facts.number("reason", *code));
            if let Some(properties) = &$ack.properties {
                facts.text(P::ReasonString, properties.reason_string.as_ref());
                user(&mut facts, &properties.user_properties);
            }
            facts
        }};
    }
    match packet {
        v5::Packet::Connect(packet, will, login) => connect(packet, will.as_ref(), login.as_ref()),
        v5::Packet::ConnAck(ack) => {
            let mut facts = Facts::of(T::ConnAck);
            facts.number("session present", ack.session_present);
            facts.number("reason", code_at(packet, 1));
            if let Some(properties) = &ack.properties {
                connack_properties(&mut facts, properties);
            }
            facts
        }
        v5::Packet::Publish(packet) => publish(packet),
        v5::Packet::PubAck(ack) => acknowledgement!(T::PubAck, ack),
        v5::Packet::PubRec(ack) => acknowledgement!(T::PubRec, ack),
        v5::Packet::PubRel(ack) => acknowledgement!(T::PubRel, ack),
        v5::Packet::PubComp(ack) => acknowledgement!(T::PubComp, ack),
        v5::Packet::Subscribe(subscribe) => {
            let mut facts = identified(T::Subscribe, subscribe.pkid);
            for filter in &subscribe.filters {
                let handling = match filter.retain_forward_rule {
                    v5::RetainForwardRule::OnEverySubscribe => 0,
                    v5::RetainForwardRule::OnNewSubscribe => 1,
                    v5::RetainForwardRule::Never => 2,
                };
                let flags = (filter.nolocal, filter.preserve_retain, handling);
                facts.subscription(&filter.path, filter.qos as u8, flags);
            }
            if let Some(properties) = &subscribe.properties {
                facts.count(P::SubscriptionIdentifier, properties.id.map(small));
                user(&mut facts, &properties.user_properties);
            }
            facts
        }
        v5::Packet::SubAck(ack) => answer!(T::SubAck, ack, ack.return_codes.len()),
        v5::Packet::Unsubscribe(unsubscribe) => {
            let mut facts = identified(T::Unsubscribe, unsubscribe.pkid);
            unsubscribe.filters.iter().for_each(|filter| facts.bytes("filter", filter));
            if let Some(properties) = &unsubscribe.properties {
                user(&mut facts, &properties.user_properties);
            }
            facts
        }
        v5::Packet::UnsubAck(ack) => answer!(T::UnsubAck, ack, ack.reasons.len()),
        v5::Packet::PingReq(_) => Facts::of(T::PingReq),
        v5::Packet::PingResp(_) => Facts::of(T::PingResp),
        v5::Packet::Disconnect(disconnect) => {
            let mut facts = Facts::of(T::Disconnect);
            facts.number("reason", disconnect.reason_code as u8);
            if let Some(properties) = &disconnect.properties {
                facts.count(P::SessionExpiryInterval, properties.session_expiry_interval);
                facts.text(P::ReasonString, properties.reason_string.as_ref());
                facts.text(P::ServerReference, properties.server_reference.as_ref());
                user(&mut facts, &properties.user_properties);
            }
            facts
        }
        // It is never read: packet type 15 is unknown there.
        v5::Packet::Auth(_) => Facts::of(T::Auth),
    }
}

fn connect<'a>(
    connect: &'a v5::Connect,
    will: Option<&'a v5::LastWill>,
    login: Option<&'a v5::Login>,
) -> Facts<'a> {
    let mut facts = Facts::of(PacketType::Connect);
    facts.number("level", 5_u8);
    facts.number("clean start", connect.clean_start);
    facts.number("keep alive", connect.keep_alive);
    facts.bytes("client identifier", &connect.client_id);
    if let Some(login) = login {
        facts.bytes("user name", &login.username);
        facts.bytes("password", &login.password);
    }
    if let Some(properties) = &connect.properties {
        facts.count(P::SessionExpiryInterval, properties.session_expiry_interval);
        facts.count(P::ReceiveMaximum, properties.receive_maximum);
        facts.count(P::MaximumPacketSize, properties.max_packet_size);
        facts.count(P::TopicAliasMaximum, properties.topic_alias_max);
        facts.count(P::RequestResponseInformation, properties.request_response_info);
        facts.count(P::RequestProblemInformation, properties.request_problem_info);
        facts.text(P::AuthenticationMethod, properties.authentication_method.as_ref());
        facts.text(P::AuthenticationData, properties.authentication_data.as_ref());
        user(&mut facts, &properties.user_properties);
    }
    if let Some(will) = will {
        facts.number("will QoS", will.qos as u8);
        facts.number("will retain", will.retain);
        facts.bytes("will topic", &will.topic);
        facts.bytes("will payload", &will.message);
        facts.will();
        if let Some(properties) = &will.properties {
            facts.count(P::WillDelayInterval, properties.delay_interval);
            facts.count(P::PayloadFormatIndicator, properties.payload_format_indicator);
            facts.count(P::MessageExpiryInterval, properties.message_expiry_interval);
            facts.text(P::ContentType, properties.content_type.as_ref());
            facts.text(P::ResponseTopic, properties.response_topic.as_ref());
            facts.text(P::CorrelationData, properties.correlation_data.as_ref());
            user(&mut facts, &properties.user_properties);
        }
    }
    facts
}

fn connack_properties<'a>(facts: &mut Facts<'a>, properties: &'a v5::ConnAckProperties) {
    facts.count(P::SessionExpiryInterval, properties.session_expiry_interval);
    facts.count(P::ReceiveMaximum, properties.receive_max);
    facts.count(P::MaximumQoS, properties.max_qos);
    facts.count(P::RetainAvailable, properties.retain_available);
    facts.count(P::MaximumPacketSize, properties.max_packet_size);
    facts.text(P::AssignedClientIdentifier, properties.assigned_client_identifier.as_ref());
    facts.count(P::TopicAliasMaximum, properties.topic_alias_max);
    facts.text(P::ReasonString, properties.reason_string.as_ref());
    facts.count(P::WildcardSubscriptionAvailable, properties.wildcard_subscription_available);
    facts.count(P::SubscriptionIdentifierAvailable, properties.subscription_identifiers_available);
    facts.count(P::SharedSubscriptionAvailable, properties.shared_subscription_available);
    facts.count(P::ServerKeepAlive, properties.server_keep_alive);
    facts.text(P::ResponseInformation, properties.response_information.as_ref());
    facts.text(P::ServerReference, properties.server_reference.as_ref());
    facts.text(P::AuthenticationMethod, properties.authentication_method.as_ref());
    facts.text(P::AuthenticationData, properties.authentication_data.as_ref());
    user(facts, &properties.user_properties);
}

fn publish(publish: &v5::Publish) -> Facts<'_> {
    let mut facts = Facts::of(PacketType::Publish);
    facts.number("QoS", publish.qos as u8);
    facts.number("DUP", publish.dup);
    facts.number("retain", publish.retain);
    facts.bytes("topic", &publish.topic);
    if publish.pkid != 0 {
        facts.number("packet identifier", publish.pkid);
    }
    facts.bytes("payload", &publish.payload);
    if let Some(properties) = &publish.properties {
        facts.count(P::PayloadFormatIndicator, properties.payload_format_indicator);
        facts.count(P::MessageExpiryInterval, properties.message_expiry_interval);
        facts.count(P::TopicAlias, properties.topic_alias);
        facts.text(P::ResponseTopic, properties.response_topic.as_ref());
        facts.text(P::CorrelationData, properties.correlation_data.as_ref());
        facts.text(P::ContentType, properties.content_type.as_ref());
        for id in &properties.subscription_identifiers {
            facts.count(P::SubscriptionIdentifier, Some(small(*id)));
        }
        user(&mut facts, &properties.user_properties);
    }
    facts
}

fn identified<'a>(kind: PacketType, packet_id: u16) -> Facts<'a> {
    let mut facts = Facts::of(kind);
    facts.number("packet identifier", packet_id);
    facts
}

fn acknowledged<'a>(kind: PacketType, packet_id: u16, reason: u8) -> Facts<'a> {
    let mut facts = identified(kind, packet_id);
    facts.number("reason", reason);
    facts
}

/// A variable byte integer, which fits.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What stands behind the fixed header when the packet is written.
fn body(packet: &v5::Packet) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    match packet.write(&mut buffer, None) {
        Ok(_) => {
            let header = 2 + buffer.iter().skip(1).take_while(|byte| **byte >= 0x80).count();
            buffer.get(header..).unwrap_or_default().to_vec()
        }
        Err(error) => panic!("{packet:?} was read and cannot be written: {error:?}"),
    }
}

/// The reason code that stands there when the packet is written; success, if nothing does.
fn code_at(packet: &v5::Packet, position: usize) -> u8 {
    body(packet).get(position).copied().unwrap_or(0)
}

fn user<'a>(facts: &mut Facts<'a>, list: &'a [(String, String)]) {
    list.iter().for_each(|(name, value)| facts.user(name, value));
}
