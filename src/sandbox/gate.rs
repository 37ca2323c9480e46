//! Where requests wait that a fault holds.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// Requests that are held, until all of them are released.
#[derive(Debug, Default)]
pub struct Gate {
    releases: watch::Sender<u64>,
    held: AtomicUsize,
}

impl Gate {
    /// Waits until the next release.
    pub async fn wait(&self) {
        let mut releases = self.releases.subscribe();
        self.held.fetch_add(1, Ordering::Relaxed);
        // It lives as long as its sender, so that this ends with a release alone.
        let _ = releases.changed().await;
        self.held.fetch_sub(1, Ordering::Relaxed);
    }

    /// Lets all go that are held now.
    pub fn release(&self) {
        self.releases.send_modify(|releases| *releases += 1);
    }

    /// How many are held.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}
