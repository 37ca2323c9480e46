//! What tokens and documents share: the limiter, the counters, and the answers that concern neither.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::clock::SaturatingAdd;

use super::{
    error::Error,
    limiter::Limiter,
    transport::{Body, Reply, Request, Transport},
};

/// The pause after an answer 429 without `Retry-After`.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// What a client has sent and received so far.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    token_requests: AtomicU64,
    pub(super) mutations: AtomicU64,
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
}

/// The [`Counters`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// All requests, those for tokens and repetitions included.
    pub requests: u64,
    /// Those to the token endpoint.
    pub token_requests: u64,
    /// Root fields of the mutations that Pluvo answered.
    pub mutations: u64,
    /// Of the bodies sent.
    pub bytes_out: u64,
    /// Of the bodies received, unpacked.
    pub bytes_in: u64,
}

impl Counters {
    /// Reads them.
    #[must_use]
    pub fn read(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Relaxed),
            token_requests: self.token_requests.load(Relaxed),
            mutations: self.mutations.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
        }
    }
}

/// The way to one organization.
pub(super) struct Channel {
    transport: Arc<dyn Transport>,
    pub limiter: Limiter,
    pub counters: Arc<Counters>,
}

impl Channel {
    pub fn new(transport: Arc<dyn Transport>, limiter: Limiter) -> Self {
        Self {
            transport,
            limiter,
            counters: Arc::default(),
        }
    }

    /// Sends a request for which the limiter was asked. Returns answers of the statuses below 500 other than 429 and
    /// 3xx; their meaning depends on what was asked.
    pub async fn send(&self, request: Request) -> Result<Reply, Error> {
        self.counters.requests.fetch_add(1, Relaxed);
        if matches!(request.body, Body::Form(_)) {
            self.counters.token_requests.fetch_add(1, Relaxed);
        }
        self.counters.bytes_out.fetch_add(request.len() as u64, Relaxed);
        let reply = self.transport.send(request).await?;
        self.counters.bytes_in.fetch_add(reply.body.len() as u64, Relaxed);
        let retry_after = reply.retry_after;
        match reply.status {
            429 => {
                let pause = retry_after.unwrap_or(SHORTEST_PAUSE);
                self.limiter.pause_until(Instant::now().saturating_add(pause));
                Err(Error::Throttled { retry_after })
            }
            status @ (300..=399 | 500..) => Err(Error::Http { status, retry_after }),
            _ => Ok(reply),
        }
    }
}
