//! The codec beside seven others.

pub mod answer;
pub mod case;
pub mod limit;
pub mod peer;
pub mod targets;

use case::Case;
use peer::{kit, mqttrs, ntex, ours, protocol_core, rmqtt, rumqttc, tiny};

use crate::options::Options;
use crate::report::Figures;
use crate::timing::{Contestant, medians};

/// What is done to the packets, in the order of [`Run`]'s fields.
pub const AREAS: [&str; 4] = ["decode", "encode", "vectored", "fan-out"];

/// All figures of a run, in nanoseconds per packet.
#[derive(Debug, Default)]
pub struct Run {
    /// From bytes to a packet.
    pub decode: Figures,
    /// From a packet to bytes in a buffer.
    pub encode: Figures,
    /// From a packet to bytes that the payload is not copied into.
    pub vectored: Figures,
    /// From one message to the heads for 1,000 receivers, per receiver.
    pub fan_out: Figures,
}

/// Compares all answers, then times all cases.
pub fn run(options: &Options, cases: &[Case]) -> Run {
    let mut run = Run::default();
    let [decode, encode, vectored_too, fan_out] = AREAS.map(|area| area.contains(&options.area));
    for case in cases {
        if decode {
            timed(options, case, decoders(case), &mut run.decode);
        }
        if encode && case.encode {
            timed(options, case, encoders(case), &mut run.encode);
        }
        if vectored_too && case.vectored {
            timed(options, case, vectored(case), &mut run.vectored);
        }
        if fan_out {
            timed(options, case, ours::fan_out(case), &mut run.fan_out);
        }
    }
    run
}

fn timed(options: &Options, case: &Case, mut all: Vec<Contestant>, figures: &mut Figures) {
    all.retain(|one| one.name.contains(&options.who));
    if all.is_empty() {
        return;
    }
    eprintln!("{}: {}", case.name, all.iter().map(|one| one.name).collect::<Vec<_>>().join(", "));
    let each = medians(&mut all, options.rounds(), options.slice());
    let per_packet = all.iter().zip(each).map(|(one, ns)| (one.name, ns / case.packets.len() as f64));
    figures.push((case.name.to_owned(), per_packet.collect()));
}

fn decoders(case: &Case) -> Vec<Contestant> {
    let all = [
        ours::decode,
        peer::limit::decode,
        mqttrs::decode,
        tiny::decode,
        rumqttc::decode,
        rmqtt::decode,
        ntex::decode,
        kit::decode,
    ];
    all.iter().flat_map(|decode| decode(case)).collect()
}

fn encoders(case: &Case) -> Vec<Contestant> {
    let all = [
        ours::encode,
        peer::limit::encode,
        mqttrs::encode,
        tiny::encode,
        rumqttc::encode,
        rmqtt::encode,
        kit::encode,
    ];
    let mut all: Vec<_> = all.iter().flat_map(|encode| encode(case)).collect();
    // It does not copy a large payload, so it stands with those who do not.
    if !case.vectored {
        all.extend(ntex::encode(case));
    }
    all
}

fn vectored(case: &Case) -> Vec<Contestant> {
    let all = [ours::vectored, peer::limit::vectored, protocol_core::vectored];
    all.iter().filter_map(|encode| encode(case)).chain(ntex::encode(case)).collect()
}
