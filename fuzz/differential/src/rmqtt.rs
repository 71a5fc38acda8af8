//! What `rmqtt-codec` says.

use bytes::BytesMut;
use headwater_codec::{PacketType, PropertyId as P, PropertyPlace};
use rmqtt_codec::types::Publish;
use rmqtt_codec::{v3, v5};
use tokio_util::codec::Decoder;

use crate::facts::Facts;

/// The packet of 3.1 or 3.1.1, if it is taken.
pub fn read_v3(wire: &[u8]) -> Option<v3::Packet> {
    let mut buffer = BytesMut::from(wire);
    v3::Codec::default().decode(&mut buffer).ok().flatten().map(|(packet, _)| packet)
}

/// The packet of 5.0, if it is taken.
pub fn read_v5(wire: &[u8]) -> Option<v5::Packet> {
    let mut buffer = BytesMut::from(wire);
    v5::Codec::default().decode(&mut buffer).ok().flatten().map(|(packet, _)| packet)
}

/// What a packet of 3.1 or 3.1.1 says.
pub fn facts_v3(packet: &v3::Packet) -> Facts<'_> {
    use PacketType as T;
    match packet {
        v3::Packet::Connect(connect) => {
            let mut facts = Facts::of(T::Connect);
            facts.number("level", connect.protocol.level());
            facts.number("clean start", connect.clean_session);
            facts.number("keep alive", connect.keep_alive);
            facts.bytes("client identifier", &*connect.client_id);
            facts.maybe("user name", connect.username.as_deref());
            facts.maybe("password", connect.password.as_ref());
            if let Some(will) = &connect.last_will {
                facts.number("will QoS", will.qos.value());
                facts.number("will retain", will.retain);
                facts.bytes("will topic", &*will.topic);
                facts.bytes("will payload", &will.message);
            }
            facts
        }
        v3::Packet::ConnectAck(ack) => {
            let mut facts = Facts::of(T::ConnAck);
            facts.number("session present", ack.session_present);
            facts.number("reason", u8::from(ack.return_code));
            facts
        }
        v3::Packet::Publish(packet) => publish(packet),
        v3::Packet::PublishAck { packet_id } => acknowledged_v3(T::PubAck, packet_id.get()),
        v3::Packet::PublishReceived { packet_id } => acknowledged_v3(T::PubRec, packet_id.get()),
        v3::Packet::PublishRelease { packet_id } => acknowledged_v3(T::PubRel, packet_id.get()),
        v3::Packet::PublishComplete { packet_id } => acknowledged_v3(T::PubComp, packet_id.get()),
        v3::Packet::Subscribe { packet_id, topic_filters } => {
            let mut facts = identified(T::Subscribe, packet_id.get());
            for (filter, qos) in topic_filters {
                facts.subscription(&**filter, qos.value(), (false, false, 0));
            }
            facts
        }
        v3::Packet::SubscribeAck { packet_id, status } => {
            let mut facts = identified(T::SubAck, packet_id.get());
            for code in status {
                facts.number(
                    "reason",
                    match code {
                        v3::SubscribeReturnCode::Success(qos) => qos.value(),
                        v3::SubscribeReturnCode::Failure => 0x80,
                    },
                );
            }
            facts
        }
        v3::Packet::Unsubscribe { packet_id, topic_filters } => {
            let mut facts = identified(T::Unsubscribe, packet_id.get());
            topic_filters.iter().for_each(|filter| facts.bytes("filter", &**filter));
            facts
        }
        v3::Packet::UnsubscribeAck { packet_id } => identified(T::UnsubAck, packet_id.get()),
        v3::Packet::PingRequest => Facts::of(T::PingReq),
        v3::Packet::PingResponse => Facts::of(T::PingResp),
        v3::Packet::Disconnect => reasoned(T::Disconnect, 0),
    }
}

/// What a packet of 5.0 says.
pub fn facts_v5(packet: &v5::Packet) -> Facts<'_> {
    use PacketType as T;
    match packet {
        v5::Packet::Connect(packet) => connect(packet),
        v5::Packet::ConnectAck(packet) => connack(packet),
        v5::Packet::Publish(packet) => publish(packet),
        v5::Packet::PublishAck(packet) => acknowledged(T::PubAck, packet),
        v5::Packet::PublishReceived(packet) => acknowledged(T::PubRec, packet),
        v5::Packet::PublishRelease(packet) => released(T::PubRel, packet),
        v5::Packet::PublishComplete(packet) => released(T::PubComp, packet),
        v5::Packet::Subscribe(packet) => {
            let mut facts = identified(T::Subscribe, packet.packet_id.get());
            for (filter, options) in &packet.topic_filters {
                let handling = u8::from(options.retain_handling);
                let flags = (options.no_local, options.retain_as_published, handling);
                facts.subscription(&**filter, options.qos.value(), flags);
            }
            facts.count(P::SubscriptionIdentifier, packet.id.map(|id| id.get()));
            user(&mut facts, &packet.user_properties);
            facts
        }
        v5::Packet::SubscribeAck(packet) => {
            let mut facts = identified(T::SubAck, packet.packet_id.get());
            packet.status.iter().for_each(|code| facts.number("reason", u8::from(*code)));
            facts.text(P::ReasonString, packet.reason_string.as_deref());
            user(&mut facts, &packet.properties);
            facts
        }
        v5::Packet::Unsubscribe(packet) => {
            let mut facts = identified(T::Unsubscribe, packet.packet_id.get());
            packet.topic_filters.iter().for_each(|filter| facts.bytes("filter", &**filter));
            user(&mut facts, &packet.user_properties);
            facts
        }
        v5::Packet::UnsubscribeAck(packet) => {
            let mut facts = identified(T::UnsubAck, packet.packet_id.get());
            packet.status.iter().for_each(|code| facts.number("reason", u8::from(*code)));
            facts.text(P::ReasonString, packet.reason_string.as_deref());
            user(&mut facts, &packet.properties);
            facts
        }
        v5::Packet::PingRequest => Facts::of(T::PingReq),
        v5::Packet::PingResponse => Facts::of(T::PingResp),
        v5::Packet::Disconnect(packet) => {
            let mut facts = reasoned(T::Disconnect, packet.reason_code.into());
            facts.count(P::SessionExpiryInterval, packet.session_expiry_interval_secs);
            facts.text(P::ServerReference, packet.server_reference.as_deref());
            facts.text(P::ReasonString, packet.reason_string.as_deref());
            user(&mut facts, &packet.user_properties);
            facts
        }
        v5::Packet::Auth(packet) => {
            let mut facts = reasoned(T::Auth, packet.reason_code.into());
            facts.text(P::AuthenticationMethod, packet.auth_method.as_deref());
            facts.text(P::AuthenticationData, packet.auth_data.as_ref());
            facts.text(P::ReasonString, packet.reason_string.as_deref());
            user(&mut facts, &packet.user_properties);
            facts
        }
    }
}

fn connect(connect: &v5::Connect) -> Facts<'_> {
    let mut facts = Facts::of(PacketType::Connect);
    facts.number("level", 5_u8);
    facts.number("clean start", connect.clean_start);
    facts.number("keep alive", connect.keep_alive);
    facts.bytes("client identifier", &*connect.client_id);
    facts.maybe("user name", connect.username.as_deref());
    facts.maybe("password", connect.password.as_ref());
    facts.count(P::SessionExpiryInterval, Some(connect.session_expiry_interval_secs));
    facts.text(P::AuthenticationMethod, connect.auth_method.as_deref());
    facts.text(P::AuthenticationData, connect.auth_data.as_ref());
    facts.count(P::RequestProblemInformation, Some(connect.request_problem_info));
    facts.count(P::RequestResponseInformation, Some(connect.request_response_info));
    facts.count(P::ReceiveMaximum, connect.receive_max.map(|max| max.get()));
    facts.count(P::TopicAliasMaximum, Some(connect.topic_alias_max));
    facts.count(P::MaximumPacketSize, connect.max_packet_size.map(|max| max.get()));
    user(&mut facts, &connect.user_properties);
    if let Some(will) = &connect.last_will {
        facts.number("will QoS", will.qos.value());
        facts.number("will retain", will.retain);
        facts.bytes("will topic", &*will.topic);
        facts.bytes("will payload", &will.message);
        facts.will();
        facts.count(P::WillDelayInterval, will.will_delay_interval_sec);
        facts.text(P::CorrelationData, will.correlation_data.as_ref());
        facts.count(P::MessageExpiryInterval, will.message_expiry_interval.map(|secs| secs.get()));
        facts.text(P::ContentType, will.content_type.as_deref());
        facts.count(P::PayloadFormatIndicator, will.is_utf8_payload);
        facts.text(P::ResponseTopic, will.response_topic.as_deref());
        user(&mut facts, &will.user_properties);
    }
    facts.without_defaults(PropertyPlace::Connect)
}

fn connack(ack: &v5::ConnectAck) -> Facts<'_> {
    let mut facts = Facts::of(PacketType::ConnAck);
    facts.number("session present", ack.session_present);
    facts.number("reason", u8::from(ack.reason_code));
    facts.count(P::SessionExpiryInterval, ack.session_expiry_interval_secs);
    facts.count(P::ReceiveMaximum, Some(ack.receive_max.get()));
    facts.count(P::MaximumQoS, Some(ack.max_qos.value()));
    facts.count(P::MaximumPacketSize, ack.max_packet_size);
    facts.text(P::AssignedClientIdentifier, ack.assigned_client_id.as_deref());
    facts.count(P::TopicAliasMaximum, Some(ack.topic_alias_max));
    facts.count(P::RetainAvailable, Some(ack.retain_available));
    facts.count(P::WildcardSubscriptionAvailable, Some(ack.wildcard_subscription_available));
    facts.count(P::SubscriptionIdentifierAvailable, Some(ack.subscription_identifiers_available));
    facts.count(P::SharedSubscriptionAvailable, Some(ack.shared_subscription_available));
    facts.count(P::ServerKeepAlive, ack.server_keepalive_sec);
    facts.text(P::ResponseInformation, ack.response_info.as_deref());
    facts.text(P::ServerReference, ack.server_reference.as_deref());
    facts.text(P::AuthenticationMethod, ack.auth_method.as_deref());
    facts.text(P::AuthenticationData, ack.auth_data.as_ref());
    facts.text(P::ReasonString, ack.reason_string.as_deref());
    user(&mut facts, &ack.user_properties);
    facts.without_defaults(PropertyPlace::ConnAck)
}

fn publish(publish: &Publish) -> Facts<'_> {
    let mut facts = Facts::of(PacketType::Publish);
    facts.number("QoS", publish.qos.value());
    facts.number("DUP", publish.dup);
    facts.number("retain", publish.retain);
    facts.bytes("topic", &*publish.topic);
    if let Some(packet_id) = publish.packet_id {
        facts.number("packet identifier", packet_id.get());
    }
    facts.bytes("payload", &publish.payload);
    if let Some(properties) = &publish.properties {
        facts.count(P::TopicAlias, properties.topic_alias.map(|alias| alias.get()));
        facts.text(P::CorrelationData, properties.correlation_data.as_ref());
        facts.count(P::MessageExpiryInterval, properties.message_expiry_interval.map(|secs| secs.get()));
        facts.text(P::ContentType, properties.content_type.as_deref());
        facts.count(P::PayloadFormatIndicator, Some(properties.is_utf8_payload));
        facts.text(P::ResponseTopic, properties.response_topic.as_deref());
        for id in &properties.subscription_ids {
            facts.count(P::SubscriptionIdentifier, Some(id.get()));
        }
        user(&mut facts, &properties.user_properties);
    }
    facts.without_defaults(PropertyPlace::Publish)
}

fn acknowledged(kind: PacketType, ack: &v5::PublishAck) -> Facts<'_> {
    let mut facts = reasoned(kind, ack.reason_code.into());
    facts.number("packet identifier", ack.packet_id.get());
    facts.text(P::ReasonString, ack.reason_string.as_deref());
    user(&mut facts, &ack.properties);
    facts
}

fn released(kind: PacketType, ack: &v5::PublishAck2) -> Facts<'_> {
    let mut facts = reasoned(kind, ack.reason_code.into());
    facts.number("packet identifier", ack.packet_id.get());
    facts.text(P::ReasonString, ack.reason_string.as_deref());
    user(&mut facts, &ack.properties);
    facts
}

fn acknowledged_v3<'a>(kind: PacketType, packet_id: u16) -> Facts<'a> {
    let mut facts = reasoned(kind, 0);
    facts.number("packet identifier", packet_id);
    facts
}

fn identified<'a>(kind: PacketType, packet_id: u16) -> Facts<'a> {
    let mut facts = Facts::of(kind);
    facts.number("packet identifier", packet_id);
    facts
}

fn reasoned<'a>(kind: PacketType, reason: u8) -> Facts<'a> {
    let mut facts = Facts::of(kind);
    facts.number("reason", reason);
    facts
}

fn user<'a>(facts: &mut Facts<'a>, list: &'a [v5::UserProperty]) {
    list.iter().for_each(|(name, value)| facts.user(name, value));
}
