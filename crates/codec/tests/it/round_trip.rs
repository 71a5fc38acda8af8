//! Laws: what is written is read back, and what is read is written back.

use bytes::BytesMut;
use headwater_codec::sink::{BufSink, Limited};
use headwater_codec::{EncodeError, Packet, Rule, SliceSink, Version};
use proptest::prelude::*;

use crate::generate::{any_packet, encode};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_packet_comes_back_equal((version, packet) in any_packet()) {
        let bytes = encode(version, &packet);
        prop_assert_eq!(Packet::decode(&bytes, version), Ok(packet));
        prop_assert_eq!(packet.encoded_len(version), Ok(bytes.len()));
    }

    #[test]
    fn a_decoded_packet_is_written_as_the_same_bytes((version, packet) in any_packet()) {
        let bytes = encode(version, &packet);
        let decoded = Packet::decode(&bytes, version).expect("was written");
        prop_assert_eq!(encode(version, &decoded), bytes);
    }

    #[test]
    fn every_sink_gets_the_same_bytes((version, packet) in any_packet()) {
        let bytes = encode(version, &packet);
        // Behind what is there already: nothing is written at an absolute place.
        let mut growing = BytesMut::from(&b"before"[..]);
        prop_assert_eq!(packet.encode(version, &mut growing), Ok(()));
        prop_assert_eq!(&growing[6..], &bytes[..]);
        // With room to spare, and behind bytes that are there.
        let mut roomy = BytesMut::with_capacity(bytes.len() + 200);
        prop_assert_eq!(packet.encode(version, &mut roomy), Ok(()));
        prop_assert_eq!(&roomy[..], &bytes[..]);
        let mut roomy = Vec::with_capacity(2 * bytes.len() + 200);
        for _ in 0..2 {
            prop_assert_eq!(packet.encode(version, &mut roomy), Ok(()));
        }
        prop_assert_eq!(&roomy, &[&bytes[..], &bytes[..]].concat());
        let mut wrapped = BufSink(Vec::new());
        prop_assert_eq!(packet.encode(version, &mut wrapped), Ok(()));
        prop_assert_eq!(&wrapped.0, &bytes);
        let mut slice = vec![0xEE; bytes.len()];
        let mut sink = SliceSink::new(&mut slice);
        prop_assert_eq!(packet.encode(version, &mut sink), Ok(()));
        prop_assert_eq!(sink.written(), &bytes[..]);
    }

    #[test]
    fn head_and_payload_are_the_packet((version, packet) in any_packet()) {
        let Packet::Publish(publish) = packet else { return Ok(()) };
        let mut head = Vec::new();
        prop_assert_eq!(publish.encode_head(version, &mut head), Ok(()));
        head.extend_from_slice(publish.payload);
        prop_assert_eq!(head, encode(version, &packet));
    }

    #[test]
    fn a_sink_with_too_little_room_is_left_as_it_was((version, packet) in any_packet(), short in 1_usize..9) {
        let needed = packet.encoded_len(version).expect("can be written");
        let room = needed.saturating_sub(short);
        let mut slice = vec![0xEE; room];
        let mut sink = SliceSink::new(&mut slice);
        let refused = packet.encode(version, &mut sink);
        prop_assert_eq!(refused, Err(EncodeError::NoRoom { needed, room }));
        prop_assert!(sink.written().is_empty() && slice.iter().all(|byte| *byte == 0xEE));
    }

    #[test]
    fn a_packet_above_the_receivers_limit_is_not_written((version, packet) in any_packet(), short in 1_usize..9) {
        let size = packet.encoded_len(version).expect("can be written");
        let limit = size.saturating_sub(short);
        let mut bytes = vec![1, 2, 3];
        let refused = packet.encode(version, &mut Limited::new(&mut bytes, limit));
        prop_assert_eq!(refused, Err(EncodeError::PacketTooLarge { size, limit }));
        prop_assert_eq!(&bytes, &[1, 2, 3]);
        prop_assert_eq!(packet.encode(version, &mut Limited::new(&mut bytes, size)), Ok(()));
    }

    #[test]
    fn every_proper_prefix_is_too_short((version, packet) in any_packet(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(version, &packet);
        let length = cut.index(bytes.len());
        let error = Packet::decode(&bytes[..length], version).expect_err("not all is there");
        prop_assert_eq!((error.rule, error.position), (Rule::Truncated, length));
    }

    #[test]
    fn a_packet_read_as_another_revision_is_read_or_refused((version, packet) in any_packet(), other in 0_usize..3) {
        let bytes = encode(version, &packet);
        let other = Version::ALL[other];
        if let Ok(read) = Packet::decode(&bytes, other) {
            let other = if let Packet::Connect(connect) = read { connect.version } else { other };
            let again = encode(other, &read);
            prop_assert_eq!(Packet::decode(&again, other), Ok(read));
        }
    }
}
