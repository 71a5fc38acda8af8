//! Encodes CONNECT and PUBLISH, and decodes PUBACK by `Packet::decode`; speaks 3.1.1 and knows it when it is compiled.

#![no_std]
#![no_main]

use headwater_codec::Version;
use size_probe::{Input, decode, encode, program};

program!(run);

fn run(input: Input) -> bool {
    encode(Version::V3_1_1, input) && decode(Version::V3_1_1, input.short_answer)
}
