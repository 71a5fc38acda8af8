//! Fan-out: whatever is stamped after whatever, each receiver gets the packet that would have been encoded for it alone.

use headwater_codec::{
    DecodeOptions, Delivery, EncodeError, FanOut, Packet, PacketId, Properties, Property, PropertyId,
    PropertyPlace, Publish, Receiver, SubscriptionId, TopicName, Version,
};
use proptest::prelude::*;

use crate::generate;

/// A receiver, and the sizes its identifiers have on the wire.
fn receiver(version: Version) -> impl Strategy<Value = Receiver<'static>> {
    let id = prop_oneof![1_u32..128, 128_u32..16_384, Just(SubscriptionId::MAX)];
    let most = if version == Version::V5 { 3 } else { 1 };
    (generate::delivery(), any::<bool>(), proptest::collection::vec(id, 0..most)).prop_map(
        |(delivery, retain, ids)| {
            let ids: Vec<_> = ids.into_iter().filter_map(SubscriptionId::new).collect();
            Receiver::new(delivery).with_retain(retain).with_subscription_ids(Vec::leak(ids))
        },
    )
}

/// The packet for one receiver, put together as anybody would.
fn alone(message: &Publish<'_>, receiver: &Receiver<'_>, version: Version) -> Vec<u8> {
    let ids = receiver.subscription_ids.iter().map(|id| Property::SubscriptionIdentifier(*id));
    let properties: Vec<_> = ids.chain(message.properties.iter()).collect();
    let packet = Publish {
        delivery: receiver.delivery,
        retain: receiver.retain,
        properties: Properties::new(&properties),
        ..*message
    };
    generate::encode(version, &packet.into())
}

fn messages() -> impl Strategy<Value = (Version, Publish<'static>, Vec<Receiver<'static>>)> {
    generate::version().prop_flat_map(|version| {
        let receivers = proptest::collection::vec(receiver(version), 1..12);
        (Just(version), generate::message(version), receivers)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn each_receiver_gets_the_packet_it_would_have_got_alone((version, message, receivers) in messages()) {
        // As built, and as it came from a publisher.
        let wire = generate::encode(version, &message.into());
        let Ok(Packet::Publish(decoded)) = Packet::decode(&wire, version) else { panic!("it was encoded") };
        for message in [message, decoded] {
            let mut buffer = vec![0; 1 << 18];
            let mut fan_out = FanOut::new(message, version, &mut buffer).expect("a topic and no alias");
            for receiver in &receivers {
                let mut packet = fan_out.stamp(receiver).expect("it has room").to_vec();
                packet.extend_from_slice(fan_out.payload());
                prop_assert_eq!(packet, alone(&message, receiver, version));
            }
        }
    }
}

fn message() -> Publish<'static> {
    Publish::new(TopicName::parse("plant/7").expect("a name"), b"21.5")
}

fn at_least_once(packet_id: u16) -> Receiver<'static> {
    let packet_id = PacketId::new(packet_id).expect("not 0");
    Receiver::new(Delivery::AtLeastOnce { packet_id, dup: false })
}

#[test]
fn a_receiver_that_takes_less_is_refused_and_the_next_is_served() {
    let mut buffer = [0; 64];
    let mut fan_out = FanOut::new(message(), Version::V3_1_1, &mut buffer).expect("a topic and no alias");
    // Two bytes of fixed header, nine of topic name, two of packet identifier and four of payload.
    let small = at_least_once(2).with_packet_size_max(16);
    for _ in 0..2 {
        assert!(fan_out.stamp(&at_least_once(1)).is_ok());
        assert_eq!(fan_out.stamp(&small), Err(EncodeError::PacketTooLarge { size: 17, limit: 16 }));
    }
    assert_eq!(fan_out.stamp(&small.with_packet_size_max(17)).map(<[u8]>::len), Ok(13));
}

#[test]
fn a_buffer_that_is_too_small_is_told_what_it_needs() {
    let mut buffer = [0; 12];
    let mut fan_out = FanOut::new(message(), Version::V3_1_1, &mut buffer).expect("a topic and no alias");
    assert!(fan_out.stamp(&Receiver::new(Delivery::AtMostOnce)).is_ok());
    assert_eq!(fan_out.stamp(&at_least_once(1)), Err(EncodeError::NoRoom { needed: 13, room: 12 }));
}

#[test]
fn what_belongs_to_one_connection_is_no_message_for_many() {
    let alias = [Property::TopicAlias(std::num::NonZeroU16::MIN)];
    let with_alias = message().with_properties(Properties::new(&alias));
    let refused = FanOut::new(with_alias, Version::V5, &mut []).map(|_| ());
    let (property, place) = (PropertyId::TopicAlias, PropertyPlace::Publish);
    assert_eq!(refused, Err(EncodeError::PropertyNotAllowed { property, place }));
    let nameless = Publish { topic: None, ..with_alias };
    assert_eq!(FanOut::new(nameless, Version::V5, &mut []).map(|_| ()), Err(EncodeError::NoTopic));
}

#[test]
fn what_only_a_will_may_carry_does_not_get_into_a_message() {
    // The will delay interval, which the bytes of a will's properties have and those of a PUBLISH must not.
    let will = Properties::decode(&[0x18, 0, 0, 0, 9], PropertyPlace::Will, DecodeOptions::default());
    let message = message().with_properties(will.expect("a will's"));
    let ids = [SubscriptionId::new(1).expect("not 0")];
    let mut buffer = [0; 64];
    let mut fan_out = FanOut::new(message, Version::V5, &mut buffer).expect("a topic and no alias");
    let (property, place) = (PropertyId::WillDelayInterval, PropertyPlace::Publish);
    for receiver in [at_least_once(1), at_least_once(1).with_subscription_ids(&ids)] {
        assert_eq!(fan_out.stamp(&receiver), Err(EncodeError::PropertyNotAllowed { property, place }));
    }
}

#[test]
fn before_5_0_there_are_no_subscription_identifiers() {
    let ids = [SubscriptionId::new(1).expect("not 0")];
    let mut buffer = [0; 64];
    let mut fan_out = FanOut::new(message(), Version::V3_1_1, &mut buffer).expect("a topic and no alias");
    for _ in 0..2 {
        let receiver = at_least_once(1).with_subscription_ids(&ids);
        assert!(matches!(fan_out.stamp(&receiver), Err(EncodeError::NotInVersion { .. })));
        assert!(fan_out.stamp(&at_least_once(1)).is_ok());
    }
}
