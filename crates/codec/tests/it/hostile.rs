//! Laws over bytes that nobody checked: no panic, errors with a place, and what is read can be written.

use headwater_codec::frame::{Header, first};
use headwater_codec::{Limits, Packet, Status, Version};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::build::frame;
use crate::generate::{any_packet, encode, version};

/// Reads bytes that may be anything, and holds the answer to what is promised.
fn judge(bytes: &[u8], version: Version) -> Result<(), TestCaseError> {
    match Packet::decode(bytes, version) {
        Ok(packet) => {
            // The revision a CONNECT names is the one it is written in.
            let again = encode(version, &packet);
            prop_assert_eq!(Packet::decode(&again, version), Ok(packet));
            // Only short forms of 5.0, a repeated packet or missing strings of 3.1 are written otherwise.
            prop_assert!(again.len() <= bytes.len() + 1);
            let text = format!("{packet:?}");
            prop_assert!(!text.is_empty());
        }
        Err(error) => {
            prop_assert!(error.position <= bytes.len(), "{error} in {} bytes", bytes.len());
            prop_assert!(error.reason_code().is_error());
            prop_assert!(!error.to_string().is_empty());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..80), version in version()) {
        judge(&bytes, version)?;
    }

    #[test]
    fn any_body_is_read_or_refused(head in any::<u8>(), body in vec(any::<u8>(), 0..80), version in version()) {
        judge(&frame(head, &body), version)?;
    }

    #[test]
    fn any_body_of_small_numbers_is_read_or_refused(
        kind in 1_u8..16,
        body in vec(prop_oneof![0_u8..6, 0_u8..0x2B, Just(b'/'), Just(b'#')], 0..60),
        version in version(),
    ) {
        // Right flags, and numbers of the size of lengths and identifiers: these get further.
        let flags = if matches!(kind, 6 | 8 | 10) { 2 } else { 0 };
        judge(&frame(kind << 4 | flags, &body), version)?;
    }

    #[test]
    fn a_mutated_packet_is_read_or_refused(
        (version, packet) in any_packet(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(version, &packet);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        judge(&bytes, version)?;
    }

    #[test]
    fn a_packet_with_bytes_put_in_or_taken_out_is_read_or_refused(
        (version, packet) in any_packet(),
        place in any::<prop::sample::Index>(),
        out in 0_usize..4,
        put in vec(any::<u8>(), 0..4),
    ) {
        let bytes = encode(version, &packet);
        let Ok(Status::Complete(header)) = Header::decode(&bytes, &Limits::PROTOCOL) else {
            return Err(TestCaseError::fail("was written"));
        };
        let mut body = bytes[header.header_len()..].to_vec();
        let from = place.index(body.len() + 1);
        let to = (from + out).min(body.len());
        body.splice(from..to, put);
        // The remaining length is put right, so that the fields are what disagrees.
        judge(&frame(bytes[0], &body), version)?;
    }

    #[test]
    fn a_header_is_decided_by_five_bytes(bytes in vec(any::<u8>(), 0..12)) {
        let limits = Limits::default();
        let whole = Header::decode(&bytes, &limits);
        prop_assert_eq!(whole, Header::decode(&bytes[..bytes.len().min(5)], &limits));
        if let Ok(Status::Partial { needed }) = whole {
            prop_assert!(bytes.len() < 5 && needed >= 1);
        }
        if let Ok(Status::Complete(packet)) = first(&bytes, &limits) {
            prop_assert_eq!(packet, &bytes[..packet.len()]);
        }
    }
}
