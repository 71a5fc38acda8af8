//! Encodes CONNECT and PUBLISH, and decodes nothing; speaks 3.1.1 and knows it when it is compiled.

#![no_std]
#![no_main]

use headwater_codec::Version;
use size_probe::{Input, encode, program};

program!(run);

fn run(input: Input) -> bool {
    encode(Version::V3_1_1, input)
}
