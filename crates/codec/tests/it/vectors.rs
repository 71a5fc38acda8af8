//! The packets of another broker's own table, judged by the specification: `vectors.txt`.
//!
//! Where this codec judges a row differently, the clause that decides is listed here.

use headwater_codec::{Limits, Packet, PacketType, Version};

use crate::build::frame;
use crate::generate::encode;

/// The table: verdict, revision and bytes of each row.
const TABLE: &str = include_str!("vectors.txt");

/// Rows that are right there and wrong here.
const REFUSED_HERE: [(usize, &str); 12] = [
    (35, "3.1.1, table 3.1: return codes 6 to 255 are reserved"),
    (36, "3.1.1, [MQTT-3.2.2-4]: no session present in a refusal"),
    (37, "3.1.1, [MQTT-3.2.2-4]"),
    (38, "3.1.1, [MQTT-3.2.2-4]"),
    (39, "3.1.1, [MQTT-3.2.2-4]"),
    (42, "3.1.1, [MQTT-3.2.2-4]"),
    (43, "5.0, section 2.1.4: the remaining length is not that of the packet"),
    (44, "5.0, section 2.1.4"),
    (63, "[MQTT-3.3.1-2]: no DUP with QoS 0"),
    (68, "3.1.1, section 2.2.3: the remaining length is not that of the packet"),
    (117, "5.0, [MQTT-3.9.3-2]: 0x82 is no reason code of SUBACK"),
    (141, "5.0, section 2.1.4"),
];

/// Rows that are wrong there, and right here once their remaining length is put right.
const READ_HERE: [(usize, &str); 4] = [
    (70, "a limit of the receiver: right where it is larger, and refused where it is not"),
    (71, "who may publish to $SYS is the server's to decide"),
    (82, "5.0, section 3.5.2.1: a PUBREC may end behind its packet identifier"),
    (143, "5.0, section 3.14.2.1: a DISCONNECT may be empty"),
];

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().map(|digit| digit.to_digit(16).expect("a hex digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn another_brokers_table_is_judged_by_the_specification() {
    let rows: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(rows.len(), 146);
    for (number, row) in (1..).zip(rows) {
        let [verdict, version, hex] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("row {number}") };
        let bytes = from_hex(hex);
        let version = match version {
            "3.1" => Version::V3_1,
            "3.1.1" => Version::V3_1_1,
            "5.0" => Version::V5,
            other => panic!("row {number}: {other}"),
        };
        if verdict == "reject" {
            // As it stands, and with the right remaining length, which is 0 in many rows.
            let put_right = frame(bytes[0], &bytes[2..]);
            let read_here = READ_HERE.iter().any(|(listed, _)| *listed == number);
            assert_eq!(Packet::decode(&put_right, version).is_ok(), read_here, "row {number}: {row}");
            if put_right != bytes {
                assert!(Packet::decode(&bytes, version).is_err(), "row {number}: {row}");
            }
        } else {
            let refused_here = REFUSED_HERE.iter().any(|(listed, _)| *listed == number);
            match Packet::decode(&bytes, version) {
                Ok(packet) => {
                    assert!(!refused_here, "row {number}: {row}");
                    assert_eq!(encode(version, &packet), bytes, "row {number}: {row}");
                }
                Err(error) => assert!(refused_here, "row {number}: {error}: {row}"),
            }
        }
    }
}

#[test]
fn a_publish_above_the_receivers_limit_is_refused_as_line_70_wants() {
    let bytes = b"\x30\x0A\x00\x03a/bhello";
    let limits = Limits::default().with(PacketType::Publish, 4);
    assert!(headwater_codec::frame::first(bytes, &limits).is_err());
    assert!(Packet::decode(bytes, Version::V3_1_1).is_ok());
}
