//! libFuzzer's entrance to [`fuzz::answers`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::answers(input));
