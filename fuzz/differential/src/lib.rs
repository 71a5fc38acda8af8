//! Any bytes to this project's codec and to two others: where both accept, they say the same.
//!
//! Who accepts what is not compared; `benches/peers` counts the malformed packets that each lets through.

mod deviation;
mod facts;
mod ours;
mod rmqtt;
mod rumqttc;

pub use deviation::{DEVIATIONS, Deviation};
pub use facts::{Facts, Key};

use headwater_codec::{Packet, PropertyPlace, Version};

/// Another codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// `rumqttc`, its `mqttbytes`.
    Rumqttc,
    /// `rmqtt-codec`.
    Rmqtt,
}

/// Any bytes as one packet of the revision that the first byte chooses. Gives the number of peers that accept it as well.
///
/// # Panics
///
/// When this project's codec and another both accept it and do not say the same, but for [`DEVIATIONS`].
pub fn differential(input: &[u8]) -> usize {
    let Some((first, wire)) = input.split_first() else { return 0 };
    let version = match first % 3 {
        0 => Version::V5,
        1 => Version::V3_1_1,
        _ => Version::V3_1,
    };
    let Ok(packet) = Packet::decode(wire, version) else { return 0 };
    let mut accepted = 0;
    for peer in [Peer::Rumqttc, Peer::Rmqtt] {
        let known: Vec<_> =
            DEVIATIONS.iter().filter(|known| known.peer == peer && (known.concerns)(&packet)).collect();
        let left_out = |key| known.iter().any(|known| (known.facts)(key));
        if let Some((ours, theirs)) = compared(peer, wire, version, left_out) {
            assert_eq!(ours, theirs, "{peer:?} reads {packet:?} differently");
            accepted += 1;
        }
    }
    accepted
}

/// What this project's codec and another say, if both accept a packet; without the facts that are to be left out, each as text.
pub fn compared(
    peer: Peer,
    wire: &[u8],
    version: Version,
    left_out: impl Fn(Key) -> bool,
) -> Option<(String, String)> {
    let packet = Packet::decode(wire, version).ok()?;
    // A CONNECT brings its own.
    let version = match packet {
        Packet::Connect(connect) => connect.version,
        _ => version,
    };
    let ours = ours::facts(&packet, version);
    let differ = |ours: Facts<'_>, theirs: Facts<'_>| {
        let (ours, theirs) = (ours.sorted(&left_out), theirs.sorted(&left_out));
        // Only what differs is worth a text.
        if ours == theirs {
            (String::new(), String::new())
        } else {
            (format!("{ours:#?}"), format!("{theirs:#?}"))
        }
    };
    Some(match (peer, version) {
        (Peer::Rumqttc, Version::V5) => differ(ours, rumqttc::facts_v5(&rumqttc::read_v5(wire)?)),
        (Peer::Rumqttc, _) => differ(ours, rumqttc::facts_v4(&rumqttc::read_v4(wire)?)),
        (Peer::Rmqtt, Version::V5) => {
            let place = match packet {
                Packet::Connect(_) => PropertyPlace::Connect,
                Packet::ConnAck(_) => PropertyPlace::ConnAck,
                _ => PropertyPlace::Publish,
            };
            differ(ours.without_defaults(place), rmqtt::facts_v5(&rmqtt::read_v5(wire)?))
        }
        (Peer::Rmqtt, _) => differ(ours, rmqtt::facts_v3(&rmqtt::read_v3(wire)?)),
    })
}
