//! Decode, encode, decode.

use headwater_codec::{DecodeOptions, Filters, Packet, Properties, PropertyId, PropertyPlace, Version};

use super::{places, sinks, version};

/// Any bytes as one packet of the revision that the first byte chooses: what decodes is encoded into every sink, and comes
/// back as it was. In another revision it is written or refused as a whole.
///
/// # Panics
///
/// When one of this does not hold.
pub fn round_trip(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else { return };
    let version = version(*first);
    let Ok(packet) = Packet::decode(bytes, version) else { return };
    let again = sinks::encode(&packet, version).expect("what was decoded can be encoded");
    assert!(again.len() <= bytes.len() + 1, "{} bytes have become {}", bytes.len(), again.len());
    let second = Packet::decode(&again, version);
    assert_eq!(second, Ok(packet));
    // A second time changes nothing: what is written has one form.
    assert_eq!(second.map(|packet| sinks::encode(&packet, version)), Ok(Ok(again)));
    views(&packet);

    for other in Version::ALL {
        if let Ok(wire) = sinks::encode(&packet, other) {
            let read = Packet::decode(&wire, other).expect("what was encoded can be decoded");
            assert_eq!((read.packet_type(), read.packet_id()), (packet.packet_type(), packet.packet_id()));
        }
    }
}

/// Lists and properties say the same in each of their ways.
fn views(packet: &Packet<'_>) {
    match packet {
        Packet::Subscribe(packet) => {
            let list: Vec<_> = packet.filters.iter().collect();
            assert_eq!((list.len(), list.is_empty()), (packet.filters.len(), packet.filters.is_empty()));
            assert_eq!(Filters::new(&list), packet.filters);
        }
        Packet::Unsubscribe(packet) => assert_eq!(packet.filters.iter().count(), packet.filters.len()),
        Packet::SubAck(packet) => assert_eq!(packet.reasons.iter().count(), packet.reasons.len()),
        Packet::UnsubAck(packet) => assert_eq!(packet.reasons.iter().count(), packet.reasons.len()),
        _ => {}
    }
    for (place, list) in places::properties(packet) {
        properties(list, place);
    }
}

fn properties(properties: Properties<'_>, place: PropertyPlace) {
    let list: Vec<_> = properties.iter().collect();
    assert_eq!(Properties::new(&list), properties);
    assert_eq!(list.is_empty(), properties.is_empty());
    for id in PropertyId::ALL {
        assert_eq!(list.iter().any(|property| property.id() == *id), properties.contains(*id), "{id}");
    }
    assert_eq!(
        properties.user_properties().count() + properties.subscription_identifiers().count(),
        list.iter()
            .filter(|property| {
                matches!(property.id(), PropertyId::UserProperty | PropertyId::SubscriptionIdentifier)
            })
            .count()
    );
    if let Some(wire) = properties.as_wire() {
        assert_eq!(Properties::decode(wire, place, DecodeOptions::default()), Ok(properties));
    }
}
