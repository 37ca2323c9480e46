//! What somebody sends as a webhook: `SALT SIGNATURE`, and on the lines below the body.

#![no_main]

use fuzz::check_error;
use libfuzzer_sys::fuzz_target;
use pluvo_operator::pluvo::webhook::{Notice, WebhookKeys};

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, body) = input.split_at(end);
    let header = String::from_utf8_lossy(header);
    let (salt, signature) = header.split_once(' ').unwrap_or((&header, ""));
    let keys: WebhookKeys = ["planted@key".to_owned().into()].into_iter().collect();
    assert!(!keys.accept(salt, signature, body), "a signature was made up");
    if let Err(error) = Notice::parse(body) {
        check_error(&error);
    }
});
