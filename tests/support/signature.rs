//! Signs webhooks, as Pluvo's documentation says.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};

use super::Result;

/// The value of `X-Signature`.
pub fn signature(key: &str, salt: &str, body: &[u8]) -> Result<String> {
    let key = Sha1::digest(format!("{salt}{key}"));
    let mac = Hmac::<Sha1>::new_from_slice(&key)?;
    Ok(URL_SAFE_NO_PAD.encode(mac.chain_update(body).finalize().into_bytes()))
}
