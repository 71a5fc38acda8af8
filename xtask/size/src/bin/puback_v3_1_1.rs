//! Encodes CONNECT and PUBLISH, and decodes PUBACK by its own `decode`; speaks 3.1.1 and knows it when it is compiled.

#![no_std]
#![no_main]

use headwater_codec::{PubAck, Version};
use size_probe::{Input, encode, program};

program!(run);

fn run(input: Input) -> bool {
    encode(Version::V3_1_1, input)
        && PubAck::decode(input.short_answer, Version::V3_1_1).is_ok_and(|puback| puback.packet_id.get() == 7)
}
