//! Packets, each of which breaks one rule; and right ones, so that refusing everything is no merit.

use headwater_codec::Version;

/// A packet and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Malformed {
    /// The rule it breaks.
    pub rule: &'static str,
    /// The revision it breaks it in.
    pub version: Version,
    /// The whole packet.
    pub bytes: Vec<u8>,
}

/// A first byte and a body, and a word on them.
type Row = (&'static str, u8, &'static [u8]);

/// Bodies that are wrong in 3.1.1.
const V4: &[Row] = &[
    ("packet type 0", 0x00, b""),
    ("packet type 15", 0xF0, b""),
    ("reserved flags, CONNECT", 0x11, b"\x00\x04MQTT\x04\x02\x00\x0A\x00\x01c"),
    ("reserved flags, PUBACK", 0x41, b"\x00\x01"),
    ("reserved flags, PUBREL", 0x60, b"\x00\x01"),
    ("reserved flags, SUBSCRIBE", 0x80, b"\x00\x01\x00\x01a\x00"),
    ("reserved flags, UNSUBSCRIBE", 0xA0, b"\x00\x01\x00\x01a"),
    ("reserved flags, PINGREQ", 0xC1, b""),
    ("protocol name", 0x10, b"\x00\x04AMQP\x04\x02\x00\x0A\x00\x01c"),
    ("protocol level 7", 0x10, b"\x00\x04MQTT\x07\x02\x00\x0A\x00\x01c"),
    ("reserved connect flag", 0x10, b"\x00\x04MQTT\x04\x03\x00\x0A\x00\x01c"),
    ("will QoS without a will", 0x10, b"\x00\x04MQTT\x04\x0A\x00\x0A\x00\x01c"),
    ("will retain without a will", 0x10, b"\x00\x04MQTT\x04\x22\x00\x0A\x00\x01c"),
    ("will QoS 3", 0x10, b"\x00\x04MQTT\x04\x1E\x00\x0A\x00\x01c\x00\x01t\x00\x01p"),
    ("password without user name", 0x10, b"\x00\x04MQTT\x04\x42\x00\x0A\x00\x01c\x00\x01p"),
    ("will topic with a wildcard", 0x10, b"\x00\x04MQTT\x04\x06\x00\x0A\x00\x01c\x00\x01#\x00\x01p"),
    ("client identifier not UTF-8", 0x10, b"\x00\x04MQTT\x04\x02\x00\x0A\x00\x01\xFF"),
    ("client identifier with U+0000", 0x10, b"\x00\x04MQTT\x04\x02\x00\x0A\x00\x01\x00"),
    ("bytes behind CONNECT's fields", 0x10, b"\x00\x04MQTT\x04\x02\x00\x0A\x00\x01c!"),
    ("CONNECT cut in its client identifier", 0x10, b"\x00\x04MQTT\x04\x02\x00\x0A\x00\x05c"),
    ("reserved acknowledge flags", 0x20, b"\x02\x00"),
    ("session present in a refusal", 0x20, b"\x01\x05"),
    ("bytes behind CONNACK's fields", 0x20, b"\x00\x00\x00"),
    ("PUBLISH with QoS 3", 0x36, b"\x00\x01a\x00\x01x"),
    ("DUP with QoS 0", 0x38, b"\x00\x01ax"),
    ("PUBLISH with packet identifier 0", 0x32, b"\x00\x01a\x00\x00x"),
    ("empty topic name", 0x30, b"\x00\x00x"),
    ("topic name with +", 0x30, b"\x00\x03a/+x"),
    ("topic name with #", 0x30, b"\x00\x03a/#x"),
    ("topic name not UTF-8", 0x30, b"\x00\x02a\xFFx"),
    ("topic name with a surrogate", 0x30, b"\x00\x04a\xED\xA0\x80x"),
    ("topic name with U+0000", 0x30, b"\x00\x02a\x00x"),
    ("PUBLISH cut in its topic name", 0x30, b"\x00\x05a"),
    ("PUBLISH cut in its packet identifier", 0x32, b"\x00\x01a\x00"),
    ("PUBACK with packet identifier 0", 0x40, b"\x00\x00"),
    ("PUBREL with packet identifier 0", 0x62, b"\x00\x00"),
    ("PUBACK cut in its packet identifier", 0x40, b"\x00"),
    ("bytes behind PUBACK's fields", 0x40, b"\x00\x01\x00"),
    ("SUBSCRIBE with packet identifier 0", 0x82, b"\x00\x00\x00\x01a\x00"),
    ("SUBSCRIBE without a filter", 0x82, b"\x00\x01"),
    ("SUBSCRIBE with QoS 3", 0x82, b"\x00\x01\x00\x01a\x03"),
    ("reserved bits of the options", 0x82, b"\x00\x01\x00\x01a\x80"),
    ("empty filter", 0x82, b"\x00\x01\x00\x00\x00"),
    ("filter with # not at its end", 0x82, b"\x00\x01\x00\x05a/#/b\x00"),
    ("filter with # beside text", 0x82, b"\x00\x01\x00\x02a#\x00"),
    ("filter with + beside text", 0x82, b"\x00\x01\x00\x02a+\x00"),
    ("filter not UTF-8", 0x82, b"\x00\x01\x00\x02a\xFF\x00"),
    ("filter with U+0000", 0x82, b"\x00\x01\x00\x02a\x00\x00"),
    ("SUBSCRIBE cut in its filter", 0x82, b"\x00\x01\x00\x05a\x00"),
    ("SUBSCRIBE without options", 0x82, b"\x00\x01\x00\x01a"),
    ("SUBACK without a code", 0x90, b"\x00\x01"),
    ("SUBACK with code 3", 0x90, b"\x00\x01\x03"),
    ("UNSUBSCRIBE without a filter", 0xA2, b"\x00\x01"),
    ("bytes behind UNSUBACK's fields", 0xB0, b"\x00\x01\x00"),
    ("PINGREQ with a body", 0xC0, b"\x00"),
    ("DISCONNECT with a body", 0xE0, b"\x00"),
];

/// Bodies that are wrong in 5.0.
const V5: &[Row] = &[
    ("packet type 0", 0x00, b""),
    ("reserved flags, PUBREL", 0x60, b"\x00\x01"),
    ("reserved flags, SUBSCRIBE", 0x80, b"\x00\x01\x00\x00\x01a\x00"),
    ("reserved flags, DISCONNECT", 0xE1, b""),
    ("reserved connect flag", 0x10, b"\x00\x04MQTT\x05\x03\x00\x0A\x00\x00\x01c"),
    ("will QoS without a will", 0x10, b"\x00\x04MQTT\x05\x0A\x00\x0A\x00\x00\x01c"),
    ("will QoS 3", 0x10, b"\x00\x04MQTT\x05\x1E\x00\x0A\x00\x00\x01c\x00\x00\x01t\x00\x01p"),
    ("client identifier with U+0000", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x00\x00\x01\x00"),
    ("authentication data without a method", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x04\x16\x00\x01x\x00\x01c"),
    ("receive maximum 0", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x03\x21\x00\x00\x00\x01c"),
    ("maximum packet size 0", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x05\x27\x00\x00\x00\x00\x00\x01c"),
    ("request problem information 2", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x02\x17\x02\x00\x01c"),
    ("receive maximum twice", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x06\x21\x00\x01\x21\x00\x01\x00\x01c"),
    ("content type in CONNECT", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x04\x03\x00\x01x\x00\x01c"),
    ("unknown property in CONNECT", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x02\x7E\x00\x00\x01c"),
    ("properties of CONNECT past its end", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x40\x00\x01c"),
    ("reserved acknowledge flags", 0x20, b"\x02\x00\x00"),
    ("session present in a refusal", 0x20, b"\x01\x87\x00"),
    ("unknown reason code in CONNACK", 0x20, b"\x00\x01\x00"),
    ("maximum QoS 2 as a property", 0x20, b"\x00\x00\x02\x24\x02"),
    ("PUBLISH with QoS 3", 0x36, b"\x00\x01a\x00\x01\x00x"),
    ("DUP with QoS 0", 0x38, b"\x00\x01a\x00x"),
    ("PUBLISH with packet identifier 0", 0x32, b"\x00\x01a\x00\x00\x00x"),
    ("empty topic name without an alias", 0x30, b"\x00\x00\x00x"),
    ("topic name with a wildcard", 0x30, b"\x00\x03a/#\x00x"),
    ("topic name not UTF-8", 0x30, b"\x00\x02a\xFF\x00x"),
    ("topic name with U+0000", 0x30, b"\x00\x02a\x00\x00x"),
    ("topic alias 0", 0x30, b"\x00\x01a\x03\x23\x00\x00x"),
    ("payload format indicator 2", 0x30, b"\x00\x01a\x02\x01\x02x"),
    ("subscription identifier 0 in PUBLISH", 0x30, b"\x00\x01a\x02\x0B\x00x"),
    ("message expiry interval twice", 0x30, b"\x00\x01a\x0A\x02\x00\x00\x00\x01\x02\x00\x00\x00\x01x"),
    ("session expiry interval in PUBLISH", 0x30, b"\x00\x01a\x05\x11\x00\x00\x00\x01x"),
    ("response topic with a wildcard", 0x30, b"\x00\x01a\x04\x08\x00\x01#x"),
    ("content type not UTF-8", 0x30, b"\x00\x01a\x04\x03\x00\x01\xFFx"),
    ("user property with U+0000", 0x30, b"\x00\x01a\x07\x26\x00\x01n\x00\x01\x00x"),
    ("property past the end of the properties", 0x30, b"\x00\x01a\x03\x02\x00\x00\x00\x01x"),
    ("property length not minimal", 0x30, b"\x00\x01a\x80\x00x"),
    ("PUBLISH without a property length", 0x30, b"\x00\x01a"),
    ("PUBACK with packet identifier 0", 0x40, b"\x00\x00\x00\x00"),
    ("unknown reason code in PUBACK", 0x40, b"\x00\x01\x01\x00"),
    ("bytes behind PUBACK's fields", 0x40, b"\x00\x01\x00\x00!"),
    ("unknown reason code in PUBREL", 0x62, b"\x00\x01\x10\x00"),
    ("SUBSCRIBE with packet identifier 0", 0x82, b"\x00\x00\x00\x00\x01a\x00"),
    ("SUBSCRIBE without a filter", 0x82, b"\x00\x01\x00"),
    ("subscription identifier 0 in SUBSCRIBE", 0x82, b"\x00\x01\x02\x0B\x00\x00\x01a\x00"),
    ("subscription identifier twice", 0x82, b"\x00\x01\x04\x0B\x01\x0B\x02\x00\x01a\x00"),
    ("maximum QoS 3", 0x82, b"\x00\x01\x00\x00\x01a\x03"),
    ("retain handling 3", 0x82, b"\x00\x01\x00\x00\x01a\x30"),
    ("reserved bits of the options", 0x82, b"\x00\x01\x00\x00\x01a\x40"),
    ("no local on a shared subscription", 0x82, b"\x00\x01\x00\x00\x0A$share/g/a\x04"),
    ("shared filter without a group", 0x82, b"\x00\x01\x00\x00\x09$share//a\x00"),
    ("filter with # beside text", 0x82, b"\x00\x01\x00\x00\x02a#\x00"),
    ("empty filter", 0x82, b"\x00\x01\x00\x00\x00\x00"),
    ("SUBACK without a reason code", 0x90, b"\x00\x01\x00"),
    ("unknown reason code in SUBACK", 0x90, b"\x00\x01\x00\x03"),
    ("UNSUBSCRIBE without a filter", 0xA2, b"\x00\x01\x00"),
    ("UNSUBACK without a reason code", 0xB0, b"\x00\x01\x00"),
    ("PINGREQ with a body", 0xC0, b"\x00"),
    ("unknown reason code in DISCONNECT", 0xE0, b"\x01\x00"),
    ("bytes behind DISCONNECT's fields", 0xE0, b"\x00\x00!"),
    ("AUTH without a method", 0xF0, b"\x18\x00"),
    ("unknown reason code in AUTH", 0xF0, b"\x01\x04\x15\x00\x01m"),
];

/// Whole packets that are wrong in every revision.
const RAW: &[(&str, &[u8])] = &[
    ("remaining length of five bytes", &[0x30, 0x83, 0x80, 0x80, 0x80, 0x00, 0, 1, b'a', 0]),
    ("remaining length not minimal", &[0x40, 0x82, 0x00, 0, 1]),
];

/// Right packets of 3.1.1.
const RIGHT_V4: &[Row] = &[
    ("CONNECT", 0x10, b"\x00\x04MQTT\x04\x02\x00\x0A\x00\x01c"),
    ("CONNACK", 0x20, b"\x01\x00"),
    ("PUBLISH", 0x3D, b"\x00\x01a\x00\x01x"),
    ("PUBLISH without a payload", 0x31, b"\x00\x01a"),
    ("PUBACK", 0x40, b"\x00\x01"),
    ("PUBREC", 0x50, b"\x00\x01"),
    ("PUBREL", 0x62, b"\x00\x01"),
    ("PUBCOMP", 0x70, b"\x00\x01"),
    ("SUBSCRIBE", 0x82, b"\x00\x01\x00\x05+/a/#\x02"),
    ("SUBACK", 0x90, b"\x00\x01\x80"),
    ("UNSUBSCRIBE", 0xA2, b"\x00\x01\x00\x01#"),
    ("UNSUBACK", 0xB0, b"\x00\x01"),
    ("PINGREQ", 0xC0, b""),
    ("PINGRESP", 0xD0, b""),
    ("DISCONNECT", 0xE0, b""),
];

/// Right packets of 5.0.
const RIGHT_V5: &[Row] = &[
    ("CONNECT", 0x10, b"\x00\x04MQTT\x05\x02\x00\x0A\x00\x00\x01c"),
    ("CONNECT with a password alone", 0x10, b"\x00\x04MQTT\x05\x42\x00\x0A\x00\x00\x01c\x00\x01p"),
    ("CONNACK", 0x20, b"\x00\x00\x03\x21\x00\x01"),
    ("PUBLISH", 0x3D, b"\x00\x01a\x00\x01\x00x"),
    ("PUBLISH by its alias", 0x30, b"\x00\x00\x03\x23\x00\x05x"),
    ("PUBLISH with two identifiers", 0x30, b"\x00\x01a\x04\x0B\x01\x0B\x02x"),
    ("PUBACK", 0x40, b"\x00\x01"),
    ("PUBACK with a reason", 0x40, b"\x00\x01\x10"),
    ("PUBREC", 0x50, b"\x00\x01"),
    ("PUBREL", 0x62, b"\x00\x01\x92\x00"),
    ("PUBCOMP", 0x70, b"\x00\x01"),
    ("SUBSCRIBE", 0x82, b"\x00\x01\x02\x0B\x01\x00\x05+/a/#\x2D"),
    ("SUBACK", 0x90, b"\x00\x01\x00\x02"),
    ("UNSUBSCRIBE", 0xA2, b"\x00\x01\x00\x00\x01#"),
    ("UNSUBACK", 0xB0, b"\x00\x01\x00\x11"),
    ("PINGREQ", 0xC0, b""),
    ("PINGRESP", 0xD0, b""),
    ("DISCONNECT", 0xE0, b""),
    ("DISCONNECT with a reason", 0xE0, b"\x04\x00"),
    ("AUTH", 0xF0, b"\x18\x04\x15\x00\x01m"),
];

/// All that are wrong in this revision.
pub fn malformed(version: Version) -> Vec<Malformed> {
    let rows = if version == Version::V5 { V5 } else { V4 };
    let raw = RAW.iter().map(|(rule, bytes)| Malformed { rule, version, bytes: bytes.to_vec() });
    framed(rows, version).chain(raw).collect()
}

/// Right packets of this revision.
pub fn right(version: Version) -> Vec<Malformed> {
    framed(if version == Version::V5 { RIGHT_V5 } else { RIGHT_V4 }, version).collect()
}

fn framed(rows: &'static [Row], version: Version) -> impl Iterator<Item = Malformed> {
    rows.iter().map(move |(rule, first, body)| {
        // Every body is shorter than 128 bytes, so its length is one byte.
        let bytes = [&[*first, body.len() as u8], *body].concat();
        Malformed { rule, version, bytes }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_codec::Packet;

    #[test]
    fn we_refuse_each_that_is_wrong_and_read_each_that_is_right() {
        for version in [Version::V3_1_1, Version::V5] {
            for packet in malformed(version) {
                assert!(Packet::decode(&packet.bytes, version).is_err(), "{packet:?}");
            }
            for packet in right(version) {
                assert!(Packet::decode(&packet.bytes, version).is_ok(), "{packet:?}");
            }
        }
    }

    #[test]
    fn a_length_is_one_byte() {
        for row in [V4, V5, RIGHT_V4, RIGHT_V5].concat() {
            assert!(row.2.len() < 128, "{}", row.0);
        }
    }
}
