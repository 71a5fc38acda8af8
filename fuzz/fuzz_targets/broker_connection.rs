#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| headwater_trial::broker_connection(input));
