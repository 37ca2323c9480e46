//! libFuzzer's entrance to [`fuzz::webhooks`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::webhooks(input));
