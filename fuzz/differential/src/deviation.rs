//! Where a peer is known to read a right packet differently, each with the clause that decides against it.

use headwater_codec::{Packet, Version};

use crate::Peer;
use crate::facts::Key;

/// One known deviation.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// Who deviates.
    pub peer: Peer,
    /// What it does.
    pub what: &'static str,
    /// What decides against it.
    pub clause: &'static str,
    /// True for the packets that it concerns.
    pub concerns: fn(&Packet<'_>) -> bool,
    /// True for the facts that are not compared then.
    pub facts: fn(Key) -> bool,
    /// A packet that shows it, in this revision. A test fails when it does so no longer.
    pub shown_by: (&'static [u8], Version),
}

/// All that is known.
pub const DEVIATIONS: &[Deviation] = &[
    Deviation {
        peer: Peer::Rumqttc,
        what: "takes an empty user name or password for none, and none for an empty one",
        clause: "[MQTT-3.1.2-17], [MQTT-3.1.2-19]; a string may be empty, section 1.5.4",
        concerns: |packet| match packet {
            Packet::Connect(connect) => {
                connect.user_name.is_none_or(str::is_empty) || connect.password.is_none_or(<[u8]>::is_empty)
            }
            _ => false,
        },
        facts: |key| matches!(key, Key::Field("user name" | "password")),
        shown_by: (b"\x10\x0F\x00\x04MQTT\x04\x82\x00\x0A\x00\x01c\x00\x00", Version::V3_1_1),
    },
    Deviation {
        peer: Peer::Rumqttc,
        what: "counts a subscription identifier as a byte longer than it is, so behind two of them the last properties are \
               taken for payload",
        clause: "section 2.2.2.1: the property length is that of the properties",
        concerns: |packet| match packet {
            Packet::Publish(publish) => publish.properties.subscription_identifiers().count() > 1,
            _ => false,
        },
        facts: |key| matches!(key, Key::Property(_) | Key::Field("payload")),
        shown_by: (b"\x30\x0A\x00\x01t\x06\x0B\x01\x0B\x02\x01\x01", Version::V5),
    },
];
