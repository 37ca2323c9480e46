//! Values as they are compared: two values that Pluvo would not tell apart are equal here.

use std::fmt::Write;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// What stands in for personal data.
pub const REDACTED: &str = "<redacted>";

/// A text in NFC without outer white space.
#[must_use]
pub fn text(value: &str) -> String {
    value.trim().nfc().collect()
}

/// An e-mail address: a text in lower case.
#[must_use]
pub fn email(value: &str) -> String {
    text(value).to_lowercase()
}

/// A set of words, sorted. A comma within a word is marked, so that it does not read as two words.
#[must_use]
pub fn set<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let marked = |value: &str| text(value).replace('\\', r"\\").replace(',', r"\,");
    let mut values: Vec<_> = values.into_iter().map(marked).collect();
    values.sort();
    values.dedup();
    values.join(", ")
}

/// A point in time, in UTC. What is no point in time stays a text, so that it differs from every one.
#[must_use]
pub fn instant(value: &str) -> String {
    value
        .trim()
        .parse::<Timestamp>()
        .map_or_else(|_| text(value), |time| time.to_string())
}

/// The fingerprint of a value at a path of one object.
#[must_use]
pub fn fingerprint(uid: &str, path: &str, value: &str) -> String {
    let digest = Sha256::new()
        .chain_update(uid)
        .chain_update([0])
        .chain_update(path)
        .chain_update([0])
        .chain_update(value)
        .finalize();
    digest.iter().take(16).fold("v1:".to_owned(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Whether Pluvo made this ref itself: a canonical UUIDv4 (`pluvo-api.md`, 1.7).
#[must_use]
pub fn is_generated_ref(reference: &str) -> bool {
    uuid::Uuid::try_parse(reference).is_ok_and(|id| {
        id.get_version_num() == 4
            && id.get_variant() == uuid::Variant::RFC4122
            && id.hyphenated().to_string() == reference
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_for_pluvo_is_equal_here() {
        assert_eq!(email(" Jane@Example.COM"), email("jane@example.com"));
        assert_eq!(text("Zoe\u{308}"), text("Zo\u{eb} "));
        assert_eq!(instant("2026-09-01T00:00:00+02:00"), instant("2026-08-31T22:00:00Z"));
        assert_eq!(set(["b", "a", "b"]), set(["a", "b"]));
        assert_ne!(set(["a, b"]), set(["a", "b"]), "one option with a comma is not two");
        assert_ne!(set([r"a\", "b"]), set([r"a\, b"]));
        assert_ne!(instant("soon"), instant("2026-08-31T22:00:00Z"));
    }

    #[test]
    fn a_fingerprint_is_of_one_object_and_path() {
        let all = [
            fingerprint("u", "name", "x"),
            fingerprint("v", "name", "x"),
            fingerprint("u", "email", "x"),
            fingerprint("u", "name", "y"),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn only_a_canonical_uuid4_counts_as_generated() {
        assert!(is_generated_ref("0b0c6a5e-7a0c-4d52-9d44-1f0a3c0d9b11"));
        assert!(!is_generated_ref("0B0C6A5E-7A0C-4D52-9D44-1F0A3C0D9B11"));
        assert!(!is_generated_ref("20000000-0000-1000-8000-000000000001"));
        assert!(!is_generated_ref("EMP-12345"));
    }
}
