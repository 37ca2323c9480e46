//! libFuzzer's entrance to [`fuzz::seeded`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::seeded(input));
