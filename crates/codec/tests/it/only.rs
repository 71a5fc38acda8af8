//! Packets of one kind: what each packet's own `decode` says is what `Packet::decode` says.

use headwater_codec::{
    Auth, ConnAck, Connect, Disconnect, Packet, PacketType, PubAck, PubComp, PubRec, PubRel, Publish, Rule,
    SubAck, Subscribe, UnsubAck, Unsubscribe, Version,
};
use proptest::prelude::*;

use crate::generate::{any_packet, encode};

/// Every packet's own `decode`, as a packet of any kind; PINGREQ and PINGRESP have none.
fn each(
    frame: &[u8],
    version: Version,
) -> Vec<(PacketType, Result<Packet<'_>, headwater_codec::DecodeError>)> {
    macro_rules! each {
        ($($packet:ident)+) => {
            vec![
                (PacketType::Connect, Connect::decode(frame).map(Packet::from)),
                $((PacketType::$packet, $packet::decode(frame, version).map(Packet::from)),)+
            ]
        };
    }
    each! { ConnAck Publish PubAck PubRec PubRel PubComp Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_packets_own_decode_agrees_and_the_others_refuse_it(
        (version, packet) in any_packet(),
        damage in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut frame = encode(version, &packet);
        if let Some((place, byte)) = damage {
            let place = place.index(frame.len());
            frame[place] = byte;
        }
        let whole = Packet::decode(&frame, version);
        for (kind, alone) in each(&frame, version) {
            if frame[0] >> 4 == kind.as_u8() {
                prop_assert_eq!(alone, whole, "{}", kind);
            } else {
                let rule = alone.map_err(|error| error.rule);
                let packet_type = frame[0] >> 4;
                let other = if packet_type == 0 {
                    Rule::PacketTypeReserved { packet_type }
                } else {
                    Rule::OtherPacketType { packet_type }
                };
                prop_assert_eq!(rule, Err(other), "{}", kind);
            }
        }
    }
}
