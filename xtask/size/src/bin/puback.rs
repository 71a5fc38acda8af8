//! Encodes CONNECT and PUBLISH, and decodes PUBACK by its own `decode`, which knows no other packet.

#![no_std]
#![no_main]

use headwater_codec::PubAck;
use size_probe::{Input, encode, program};

program!(run);

fn run(input: Input) -> bool {
    encode(input.version, input)
        && PubAck::decode(input.answer, input.version)
            .is_ok_and(|puback| puback.packet_id.get() == 7 && !puback.reason.is_error())
}
