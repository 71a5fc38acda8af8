//! Encodes CONNECT and PUBLISH, and decodes nothing.

#![no_std]
#![no_main]

use size_probe::{Input, encode, program};

program!(run);

fn run(input: Input) -> bool {
    encode(input.version, input)
}
