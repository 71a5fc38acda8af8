//! What this project's codec says.

use headwater_codec::{
    ConnAck, Connect, Packet, Properties, Property, Publish, ReasonCode, RetainHandling, Version,
};

use crate::facts::Facts;

/// What a packet says.
pub fn facts<'a>(packet: &Packet<'a>, version: Version) -> Facts<'a> {
    let mut facts = Facts::of(packet.packet_type());
    if let Some(packet_id) = packet.packet_id() {
        facts.number("packet identifier", packet_id.get());
    }
    match packet {
        Packet::Connect(packet) => connect(&mut facts, packet),
        Packet::ConnAck(packet) => connack(&mut facts, packet, version),
        Packet::Publish(packet) => publish(&mut facts, packet),
        Packet::PubAck(packet) => acknowledged(&mut facts, packet.reason, packet.properties),
        Packet::PubRec(packet) => acknowledged(&mut facts, packet.reason, packet.properties),
        Packet::PubRel(packet) => acknowledged(&mut facts, packet.reason, packet.properties),
        Packet::PubComp(packet) => acknowledged(&mut facts, packet.reason, packet.properties),
        Packet::Subscribe(packet) => {
            for subscription in packet.filters.iter() {
                let options = subscription.options;
                let handling = match options.retain_handling {
                    RetainHandling::Send => 0,
                    RetainHandling::SendIfNew => 1,
                    RetainHandling::DoNotSend => 2,
                };
                let flags = (options.no_local, options.retain_as_published, handling);
                facts.subscription(subscription.filter.as_str(), options.qos.as_u8(), flags);
            }
            properties(&mut facts, packet.properties);
        }
        Packet::SubAck(packet) => {
            packet.reasons.iter().for_each(|reason| facts.number("reason", reason.0));
            properties(&mut facts, packet.properties);
        }
        Packet::Unsubscribe(packet) => {
            packet.filters.iter().for_each(|filter| facts.bytes("filter", filter.as_str()));
            properties(&mut facts, packet.properties);
        }
        Packet::UnsubAck(packet) => {
            packet.reasons.iter().for_each(|reason| facts.number("reason", reason.0));
            properties(&mut facts, packet.properties);
        }
        Packet::PingReq | Packet::PingResp => {}
        Packet::Disconnect(packet) => acknowledged(&mut facts, packet.reason, packet.properties),
        Packet::Auth(packet) => acknowledged(&mut facts, packet.reason, packet.properties),
    }
    facts
}

fn connect<'a>(facts: &mut Facts<'a>, connect: &Connect<'a>) {
    facts.number("level", connect.version.level());
    facts.number("clean start", connect.clean_start);
    facts.number("keep alive", connect.keep_alive_secs);
    facts.bytes("client identifier", connect.client_id);
    facts.maybe("user name", connect.user_name);
    facts.maybe("password", connect.password);
    properties(facts, connect.properties);
    if let Some(will) = connect.will {
        facts.number("will QoS", will.qos.as_u8());
        facts.number("will retain", will.retain);
        facts.bytes("will topic", will.topic.as_str());
        facts.bytes("will payload", will.payload);
        facts.will();
        properties(facts, will.properties);
    }
}

fn connack<'a>(facts: &mut Facts<'a>, connack: &ConnAck<'a>, version: Version) {
    facts.number("session present", connack.session_present);
    let code = match (version, connack.reason) {
        (Version::V5, reason) => reason.0,
        // 3.1.1, table 3.1.
        (_, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION) => 1,
        (_, ReasonCode::CLIENT_IDENTIFIER_NOT_VALID) => 2,
        (_, ReasonCode::SERVER_UNAVAILABLE) => 3,
        (_, ReasonCode::BAD_USER_NAME_OR_PASSWORD) => 4,
        (_, ReasonCode::NOT_AUTHORIZED) => 5,
        (_, other) => other.0,
    };
    facts.number("reason", code);
    properties(facts, connack.properties);
}

fn publish<'a>(facts: &mut Facts<'a>, publish: &Publish<'a>) {
    facts.number("QoS", publish.qos().as_u8());
    facts.number("DUP", publish.dup());
    facts.number("retain", publish.retain);
    facts.bytes("topic", publish.topic.map_or("", |topic| topic.as_str()));
    facts.bytes("payload", publish.payload);
    properties(facts, publish.properties);
}

fn acknowledged<'a>(facts: &mut Facts<'a>, reason: ReasonCode, list: Properties<'a>) {
    facts.number("reason", reason.0);
    properties(facts, list);
}

fn properties<'a>(facts: &mut Facts<'a>, properties: Properties<'a>) {
    use Property as P;
    for property in properties.iter() {
        let id = property.id();
        match property {
            P::PayloadFormatIndicator(value)
            | P::RequestProblemInformation(value)
            | P::RequestResponseInformation(value)
            | P::RetainAvailable(value)
            | P::WildcardSubscriptionAvailable(value)
            | P::SubscriptionIdentifierAvailable(value)
            | P::SharedSubscriptionAvailable(value) => facts.count(id, Some(value)),
            P::MessageExpiryInterval(value)
            | P::SessionExpiryInterval(value)
            | P::WillDelayInterval(value) => facts.count(id, Some(value)),
            P::ServerKeepAlive(value) | P::TopicAliasMaximum(value) => facts.count(id, Some(value)),
            P::ReceiveMaximum(value) | P::TopicAlias(value) => facts.count(id, Some(value.get())),
            P::MaximumPacketSize(value) => facts.count(id, Some(value.get())),
            P::SubscriptionIdentifier(value) => facts.count(id, Some(value.get())),
            P::MaximumQoS(value) => facts.count(id, Some(value.as_u8())),
            P::ContentType(value)
            | P::AssignedClientIdentifier(value)
            | P::AuthenticationMethod(value)
            | P::ResponseInformation(value)
            | P::ServerReference(value)
            | P::ReasonString(value) => facts.text(id, Some(value)),
            P::ResponseTopic(value) => facts.text(id, Some(value.as_str())),
            P::CorrelationData(value) | P::AuthenticationData(value) => facts.text(id, Some(value)),
            P::UserProperty(name, value) => facts.user(name, value),
        }
    }
}
