//! `mqtt-protocol-core`: encodes a message to a list of `IoSlice`s, without a copy. It decodes from an `Arc` per packet, so it is not
//! entered there.

use std::hint::black_box;
use std::io::IoSlice;

use headwater_codec::Packet;
use mqtt_protocol_core::mqtt::packet::{Qos, v3_1_1, v5_0};

use super::ours;
use crate::codec::case::Case;
use crate::timing::Contestant;

pub const NAME: &str = "mqtt-protocol-core";

/// Encodes to slices.
pub fn vectored(case: &Case) -> Option<Contestant> {
    let [Packet::Publish(publish)] = case.packets else { return None };
    let (topic, payload) = (publish.topic?.as_str(), publish.payload);
    let id = publish.packet_id()?.get();
    Some(if case.is_v5() {
        let builder = v5_0::Publish::builder().topic_name(topic).ok()?;
        let packet = builder.qos(Qos::AtLeastOnce).packet_id(id).payload(payload).build().ok()?;
        check(case, &packet.to_buffers());
        Contestant::repeated(NAME, move || {
            black_box(black_box(&packet).to_buffers());
        })
    } else {
        let builder = v3_1_1::Publish::builder().topic_name(topic).ok()?;
        let packet = builder.qos(Qos::AtLeastOnce).packet_id(id).payload(payload).build().ok()?;
        check(case, &packet.to_buffers());
        Contestant::repeated(NAME, move || {
            black_box(black_box(&packet).to_buffers());
        })
    })
}

fn check(case: &Case, slices: &[IoSlice<'_>]) {
    let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
    ours::check_encoded(NAME, case, &bytes);
}
