//! Webhooks ("Webhooks"): who wants to be told of what, and how that is delivered.
//!
//! A delivery has 30 seconds to be answered. Whatever is not 2xx is tried again with exponential backoff, 72 times at
//! most; 410 ends the subscription. The steps of the backoff are not documented, and begin where a subscription says.

mod body;
mod signature;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use url::Url;
use uuid::Uuid;

pub use body::{Announcement, Body, announced, bodies};
use signature::signature;

/// How often a delivery is tried, at most.
const ATTEMPTS: u32 = 72;
/// How long whoever is told has to answer.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// Deliveries of one subscription at a time.
const CONCURRENCY: usize = 16;

/// What somebody asks to be told.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// Where to.
    url: Url,
    /// What deliveries are signed with.
    key: String,
    /// The names of events; all where none is named.
    #[serde(default)]
    events: BTreeSet<String>,
    /// The pause before the second attempt; it doubles from then on.
    #[serde(default = "one_second")]
    first_pause_ms: u64,
}

fn one_second() -> u64 {
    1000
}

/// The subscriptions of an organization.
#[derive(Debug)]
pub struct Webhooks {
    http: reqwest::Client,
    subscriptions: Mutex<Vec<Arc<Subscription>>>,
    made: AtomicU64,
}

#[derive(Debug)]
struct Subscription {
    id: u64,
    wanted: Wanted,
    active: AtomicBool,
    counts: Counts,
    slots: Semaphore,
}

#[derive(Debug, Default)]
struct Counts {
    pending: AtomicU64,
    attempts: AtomicU64,
    delivered: AtomicU64,
    given_up: AtomicU64,
}

/// A subscription as it stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Report {
    pub id: u64,
    pub url: String,
    pub events: BTreeSet<String>,
    /// Whether it was not ended by a 410.
    pub active: bool,
    pub pending: u64,
    pub attempts: u64,
    pub delivered: u64,
    pub given_up: u64,
}

impl Default for Webhooks {
    fn default() -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIME_LIMIT)
            .build();
        Self {
            http: http.unwrap_or_default(),
            subscriptions: Mutex::default(),
            made: AtomicU64::default(),
        }
    }
}

impl Webhooks {
    /// Somebody wants to be told from now on.
    pub fn subscribe(&self, wanted: Wanted) -> Report {
        let subscription = Arc::new(Subscription {
            id: self.made.fetch_add(1, Relaxed) + 1,
            wanted,
            active: true.into(),
            counts: Counts::default(),
            slots: Semaphore::new(CONCURRENCY),
        });
        let report = subscription.report();
        self.subscriptions.lock().push(subscription);
        report
    }

    /// All subscriptions, also those that have ended.
    pub fn report(&self) -> Vec<Report> {
        self.subscriptions.lock().iter().map(|known| known.report()).collect()
    }

    /// Nobody is told of anything any more, not even of what was to be tried again.
    pub fn clear(&self) {
        for subscription in std::mem::take(&mut *self.subscriptions.lock()) {
            subscription.active.store(false, Relaxed);
        }
    }

    /// Whether nobody is to be told of anything.
    pub fn is_empty(&self) -> bool {
        self.subscriptions.lock().iter().all(|known| !known.is_active())
    }

    /// Tells whoever wants to know. Returns at once.
    pub fn deliver(&self, bodies: Vec<Body>) {
        let subscriptions = self.subscriptions.lock().clone();
        for Body { event, json } in bodies {
            let body: Arc<[u8]> = json.to_string().into_bytes().into();
            for subscription in subscriptions.iter().filter(|known| known.wants(&event)) {
                subscription.counts.pending.fetch_add(1, Relaxed);
                tokio::spawn(subscription.clone().tell(self.http.clone(), body.clone()));
            }
        }
    }
}

impl Subscription {
    fn is_active(&self) -> bool {
        self.active.load(Relaxed)
    }

    fn wants(&self, event: &str) -> bool {
        self.is_active() && (self.wanted.events.is_empty() || self.wanted.events.contains(event))
    }

    async fn tell(self: Arc<Self>, http: reqwest::Client, body: Arc<[u8]>) {
        let mut pause = Duration::from_millis(self.wanted.first_pause_ms);
        let mut told = false;
        for _ in 0..ATTEMPTS {
            told = self.attempt(&http, &body).await;
            if told || !self.is_active() {
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let counted = if told {
            &self.counts.delivered
        } else {
            &self.counts.given_up
        };
        counted.fetch_add(1, Relaxed);
        self.counts.pending.fetch_sub(1, Relaxed);
    }

    /// Whether it was taken.
    async fn attempt(&self, http: &reqwest::Client, body: &[u8]) -> bool {
        let Ok(_slot) = self.slots.acquire().await else {
            return false;
        };
        if !self.is_active() {
            return false;
        }
        self.counts.attempts.fetch_add(1, Relaxed);
        let salt = Uuid::new_v4().simple().to_string();
        let request = http
            .post(self.wanted.url.clone())
            .header("Content-Type", "application/json")
            .header("X-Signature", signature(&self.wanted.key, &salt, body))
            .header("X-Signature-Salt", salt)
            .body(body.to_vec());
        let status = request.send().await.map(|answer| answer.status());
        if status.as_ref().is_ok_and(|status| *status == reqwest::StatusCode::GONE) {
            self.active.store(false, Relaxed);
        }
        status.is_ok_and(|status| status.is_success())
    }

    fn report(&self) -> Report {
        let Counts {
            pending,
            attempts,
            delivered,
            given_up,
        } = &self.counts;
        Report {
            id: self.id,
            url: self.wanted.url.to_string(),
            events: self.wanted.events.clone(),
            active: self.is_active(),
            pending: pending.load(Relaxed),
            attempts: attempts.load(Relaxed),
            delivered: delivered.load(Relaxed),
            given_up: given_up.load(Relaxed),
        }
    }
}
