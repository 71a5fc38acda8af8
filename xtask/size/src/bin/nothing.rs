//! Does nothing: what any program has.

#![no_std]
#![no_main]

use core::hint::black_box;

use size_probe::{Input, program};

program!(nothing);

fn nothing(input: Input) -> bool {
    !black_box(input).payload.is_empty()
}
