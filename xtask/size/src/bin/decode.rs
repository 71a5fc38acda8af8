//! Encodes CONNECT and PUBLISH, and decodes PUBACK by `Packet::decode`, which knows all packets.

#![no_std]
#![no_main]

use size_probe::{Input, decode, encode, program};

program!(run);

fn run(input: Input) -> bool {
    encode(input.version, input) && decode(input.version, input.answer)
}
