//! Reason codes and return codes: every byte in every packet that has one.

use headwater_codec::{
    ConnAck, EncodeError, Field, Packet, PacketId, PacketType, ReasonCode, Rule, SubAck, Version,
};

use crate::build::{frame, refused, right, wrong};

const CONNACK: &[u8] = &[
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
    0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
];
const PUBACK: &[u8] = &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const PUBREL: &[u8] = &[0x00, 0x92];
const SUBACK: &[u8] = &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
const UNSUBACK: &[u8] = &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];
/// Section 3.14.2.1, and 0x8C of table 2-6.
const DISCONNECT: &[u8] = &[
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
    0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
];
const AUTH: &[u8] = &[0x00, 0x18, 0x19];

#[test]
fn each_packet_of_5_0_takes_the_codes_of_its_section_and_no_others() {
    // Packet type, codes, and the frame around a code.
    type Around = fn(u8) -> Vec<u8>;
    let packets: [(PacketType, &[u8], Around); 9] = [
        (PacketType::ConnAck, CONNACK, |code| frame(0x20, &[0, code, 0])),
        (PacketType::PubAck, PUBACK, |code| frame(0x40, &[0, 1, code])),
        (PacketType::PubRec, PUBACK, |code| frame(0x50, &[0, 1, code, 0])),
        (PacketType::PubRel, PUBREL, |code| frame(0x62, &[0, 1, code])),
        (PacketType::PubComp, PUBREL, |code| frame(0x70, &[0, 1, code, 0])),
        (PacketType::SubAck, SUBACK, |code| frame(0x90, &[0, 1, 0, 0, code])),
        (PacketType::UnsubAck, UNSUBACK, |code| frame(0xB0, &[0, 1, 0, 0, code])),
        (PacketType::Disconnect, DISCONNECT, |code| frame(0xE0, &[code])),
        (PacketType::Auth, AUTH, |code| frame(0xF0, &[code, 4, 0x15, 0, 1, b'm'])),
    ];
    for (packet, codes, around) in packets {
        for code in 0..=u8::MAX {
            let frame = around(code);
            assert_eq!(ReasonCode(code).allowed_in(packet), codes.contains(&code), "{packet} {code:#04x}");
            if codes.contains(&code) {
                assert_eq!(right(&frame, Version::V5).packet_type(), packet);
            } else {
                let error = wrong(&frame, Version::V5);
                assert_eq!((error.rule, error.field), (Rule::ReasonCode { code }, Field::ReasonCode));
                assert_eq!(error.reason_code(), ReasonCode::PROTOCOL_ERROR);
                assert_eq!(frame[error.position], code);
            }
        }
    }
}

#[test]
fn return_codes_of_connack_are_mapped_both_ways() {
    let table = [(0, 0x00), (1, 0x84), (2, 0x85), (3, 0x88), (4, 0x86), (5, 0x87)];
    for version in [Version::V3_1, Version::V3_1_1] {
        for (code, reason) in table {
            let bytes = [0x20, 2, 0, code];
            let packet = Packet::ConnAck(ConnAck::refused(ReasonCode(reason)));
            assert_eq!(right(&bytes, version), packet);
            let mut sink = Vec::new();
            assert_eq!((packet.encode(version, &mut sink), &sink[..]), (Ok(()), &bytes[..]));
        }
        for code in 6..=u8::MAX {
            refused(&[0x20, 2, 0, code], version, Rule::ReasonCode { code }, Field::ReasonCode, 3, 0x82);
        }
    }
}

#[test]
fn another_reason_code_of_connack_is_written_as_the_nearest_return_code() {
    let table: [(u8, &[u8]); 2] = [
        (3, &[0x80, 0x83, 0x89, 0x97, 0x9C, 0x9D, 0x9F]),
        (5, &[0x81, 0x82, 0x8A, 0x8C, 0x90, 0x95, 0x99, 0x9A, 0x9B]),
    ];
    for (return_code, reasons) in table {
        for reason in reasons {
            let mut sink = Vec::new();
            let packet = ConnAck::refused(ReasonCode(*reason));
            assert_eq!(packet.encode(Version::V3_1_1, &mut sink), Ok(()));
            assert_eq!(sink, [0x20, 2, 0, return_code], "{reason:#04x}");
        }
    }
    for code in (0..=u8::MAX).filter(|code| !CONNACK.contains(code)) {
        let reason = ReasonCode(code);
        for version in Version::ALL {
            let error = ConnAck::refused(reason).encode(version, &mut Vec::new());
            let packet = PacketType::ConnAck;
            assert_eq!(error, Err(EncodeError::ReasonNotAllowed { reason, packet }));
        }
    }
}

#[test]
fn return_codes_of_suback_are_three_grants_and_one_failure() {
    for version in [Version::V3_1, Version::V3_1_1] {
        for code in 0..=u8::MAX {
            let frame = [0x90, 4, 0, 1, 2, code];
            if matches!(code, 0..=2 | 0x80) {
                let Packet::SubAck(packet) = right(&frame, version) else { panic!("a SUBACK") };
                assert!(packet.reasons.iter().eq([ReasonCode::GRANTED_QOS_2, ReasonCode(code)]));
            } else {
                refused(&frame, version, Rule::ReasonCode { code }, Field::ReasonCode, 5, 0x82);
            }
        }
    }
}

#[test]
fn any_error_of_suback_is_written_as_the_one_failure_before_5_0() {
    for code in SUBACK {
        let mut sink = Vec::new();
        let reasons = [ReasonCode(*code)];
        assert_eq!(SubAck::new(PacketId::MIN, &reasons).encode(Version::V3_1_1, &mut sink), Ok(()));
        assert_eq!(sink, [0x90, 3, 0, 1, if *code < 0x80 { *code } else { 0x80 }]);
    }
}

#[test]
fn a_packet_is_not_written_with_a_code_its_section_lacks() {
    for code in (0..=u8::MAX).map(ReasonCode) {
        let id = PacketId::MIN;
        let reasons = [code];
        let packets: [Packet<'_>; 8] = [
            headwater_codec::PubAck::with_reason(id, code).into(),
            headwater_codec::PubRec::with_reason(id, code).into(),
            headwater_codec::PubRel::with_reason(id, code).into(),
            headwater_codec::PubComp::with_reason(id, code).into(),
            SubAck::new(id, &reasons).into(),
            headwater_codec::UnsubAck::new(id, &reasons).into(),
            headwater_codec::Disconnect::new(code).into(),
            ConnAck::refused(code).into(),
        ];
        for packet in packets {
            let kind = packet.packet_type();
            let written = packet.encoded_len(Version::V5);
            let refused = Err(EncodeError::ReasonNotAllowed { reason: code, packet: kind });
            assert_eq!(written.is_ok(), code.allowed_in(kind), "{kind} {code}");
            assert!(written.is_ok() || written == refused);
        }
    }
}

#[test]
fn an_auth_is_not_written_with_a_code_its_section_lacks() {
    // [MQTT-3.15.2-1]
    let list = [headwater_codec::Property::AuthenticationMethod("m")];
    for reason in (0..=u8::MAX).map(ReasonCode) {
        let auth = headwater_codec::Auth::new(reason, headwater_codec::Properties::new(&list));
        let packet = PacketType::Auth;
        let expected = if AUTH.contains(&reason.0) {
            Ok(8)
        } else {
            Err(EncodeError::ReasonNotAllowed { reason, packet })
        };
        assert_eq!(auth.encoded_len(Version::V5), expected);
    }
}
