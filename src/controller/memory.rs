//! What is remembered of a resource between passes and is no part of its status: since when it waits, and how often its
//! passes failed in a row.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{clock::scaled, organization::hold::Hold};

/// The longest time between two attempts.
const MAX_BACKOFF: Duration = Duration::from_mins(1);

/// What is remembered of one resource.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Failed passes in a row.
    pub failures: u32,
    /// Since when the resource is in a state that was expected to pass by itself.
    pub fleeting_since: Option<Instant>,
    /// Subjects that could be added wait for those that are being created.
    pub hold: Option<Hold>,
    /// Since when something that is referred to does not exist.
    pub waiting_since: Option<Instant>,
    /// A request to reconcile: its value, and how many sweeps must have ended for it to be handled.
    pub requested: Option<(String, u64)>,
}

/// What is remembered, by uid.
#[derive(Debug, Default)]
pub struct Memories(Mutex<HashMap<String, Memory>>);

impl Memories {
    /// What is remembered of a resource.
    pub fn get(&self, uid: &str) -> Memory {
        self.0.lock().get(uid).cloned().unwrap_or_default()
    }

    /// Changes what is remembered.
    pub fn update<T>(&self, uid: &str, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(self.0.lock().entry(uid.to_owned()).or_default())
    }

    /// A resource is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }

    /// A pass failed. Returns when to try again: exponential backoff with full jitter.
    pub fn backoff(&self, uid: &str) -> Duration {
        let failures = self.update(uid, |memory| {
            memory.failures = memory.failures.saturating_add(1);
            memory.failures
        });
        let longest = Duration::from_millis(500)
            .saturating_mul(1 << failures.min(12))
            .min(MAX_BACKOFF);
        scaled(longest, 0.1 + 0.9 * fastrand::f64())
    }
}
