//! What somebody sends as a webhook.

use pluvo_operator::pluvo::webhook::{Notice, WebhookKeys};

use crate::client::check_error;

/// `SALT SIGNATURE`, and on the lines below the body: nobody can make up a signature, and no body ends in a panic.
pub fn webhooks(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, body) = input.split_at(end);
    let header = String::from_utf8_lossy(header);
    let (salt, signature) = header.split_once(' ').unwrap_or((&header, ""));
    let keys: WebhookKeys = ["planted@key".to_owned().into()].into_iter().collect();
    assert!(!keys.accept(salt, signature, body), "a signature was made up");
    if let Err(error) = Notice::parse(body) {
        check_error(&error);
    }
}
