#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| headwater_testkit::fuzz::session_walk(input));
