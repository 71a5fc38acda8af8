//! The properties of any packet.

use headwater_codec::{Packet, PacketType, Properties, PropertyPlace};

/// Where the properties of a packet stand; those of a packet without any may stand nowhere.
pub(super) fn place(packet: PacketType) -> PropertyPlace {
    use PropertyPlace as P;
    match packet {
        PacketType::Connect | PacketType::PingReq | PacketType::PingResp => P::Connect,
        PacketType::ConnAck => P::ConnAck,
        PacketType::Publish => P::Publish,
        PacketType::PubAck => P::PubAck,
        PacketType::PubRec => P::PubRec,
        PacketType::PubRel => P::PubRel,
        PacketType::PubComp => P::PubComp,
        PacketType::Subscribe => P::Subscribe,
        PacketType::SubAck => P::SubAck,
        PacketType::Unsubscribe => P::Unsubscribe,
        PacketType::UnsubAck => P::UnsubAck,
        PacketType::Disconnect => P::Disconnect,
        PacketType::Auth => P::Auth,
    }
}

/// The properties of a packet, and of its will.
pub(super) fn properties<'a>(packet: &Packet<'a>) -> impl Iterator<Item = (PropertyPlace, Properties<'a>)> {
    let (of_packet, of_will) = match packet {
        Packet::Connect(packet) => (Some(packet.properties), packet.will.map(|will| will.properties)),
        Packet::ConnAck(packet) => (Some(packet.properties), None),
        Packet::Publish(packet) => (Some(packet.properties), None),
        Packet::PubAck(packet) => (Some(packet.properties), None),
        Packet::PubRec(packet) => (Some(packet.properties), None),
        Packet::PubRel(packet) => (Some(packet.properties), None),
        Packet::PubComp(packet) => (Some(packet.properties), None),
        Packet::Subscribe(packet) => (Some(packet.properties), None),
        Packet::SubAck(packet) => (Some(packet.properties), None),
        Packet::Unsubscribe(packet) => (Some(packet.properties), None),
        Packet::UnsubAck(packet) => (Some(packet.properties), None),
        Packet::Disconnect(packet) => (Some(packet.properties), None),
        Packet::Auth(packet) => (Some(packet.properties), None),
        Packet::PingReq | Packet::PingResp => (None, None),
    };
    let of_packet = of_packet.map(|properties| (place(packet.packet_type()), properties));
    let of_will = of_will.map(|properties| (PropertyPlace::Will, properties));
    of_packet.into_iter().chain(of_will)
}
