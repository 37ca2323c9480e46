//! The deliveries that have come lately, so that one that is sent again is taken once.

use std::collections::{HashSet, VecDeque};

use sha2::{Digest, Sha256};

/// How many are remembered: a repetition that comes later costs one read.
const REMEMBERED: usize = 4096;

/// Fingerprints of genuine deliveries.
#[derive(Debug, Default)]
pub struct Recent {
    known: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Recent {
    /// Whether a delivery is new. Another one with the same body is signed with another salt.
    pub fn is_new(&mut self, path: &str, salt: &str, body: &[u8]) -> bool {
        let mut digest = Sha256::new();
        for part in [path.as_bytes(), salt.as_bytes(), body] {
            digest.update(part);
            digest.update([0]);
        }
        let print: [u8; 32] = digest.finalize().into();
        if !self.known.insert(print) {
            return false;
        }
        self.order.push_back(print);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_is_known_until_many_others_have_come() {
        let mut recent = Recent::default();
        assert!(recent.is_new("a", "salt", b"body"));
        assert!(!recent.is_new("a", "salt", b"body"));
        for other in [("b", "salt", "body"), ("a", "other", "body"), ("a", "salt", "other")] {
            assert!(recent.is_new(other.0, other.1, other.2.as_bytes()));
        }
        for number in 0..REMEMBERED {
            recent.is_new("a", &number.to_string(), b"");
        }
        assert!(recent.is_new("a", "salt", b"body"));
        assert_eq!((recent.known.len(), recent.order.len()), (REMEMBERED, REMEMBERED));
    }
}
