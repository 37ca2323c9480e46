//! How a delivery is signed ("Webhook security"): HMAC-SHA1 over the raw body, under a key that is made of the
//! subscription's key and a salt.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};

/// The value of `X-Signature`.
pub fn signature(key: &str, salt: &str, body: &[u8]) -> String {
    let digest = Sha1::digest([salt.as_bytes(), key.as_bytes()].concat());
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&digest) else {
        return String::new();
    };
    mac.update(body);
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("salt-1", "k9ZFBPp6pEDK7yrzrlmb9daLh9g")]
    #[case("salt-2", "6-gqSranlwB5NW454Ic9UMJHobQ")]
    #[case("salt-3", "ebBIlX54x4zVOFvvWyQUD-em9Lg")]
    fn it_is_as_documented(#[case] salt: &str, #[case] expected: &str) {
        let body = br#"{"event":"GROUP_UPDATED","id":"20000000-0000-4000-8000-000000000001","ref":"group-sales"}"#;
        assert_eq!(signature("webhook-key", salt, body), expected);
    }
}
