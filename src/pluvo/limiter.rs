//! How much is asked of one organization at a time. Pluvo limits the requests per API client and names no numbers
//! (developers/getting-started), so the defaults are modest.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

use crate::clock::{self, SaturatingAdd};

use super::operation::Access;

/// The limits of one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests per second in the long run, token requests and repetitions included.
    pub requests_per_second: f64,
    /// How many may be made at once after a pause.
    pub burst: u32,
    /// Documents on the way at a time.
    pub in_flight: usize,
    /// How many of those may write.
    pub writing: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: 5.0,
            burst: 10,
            in_flight: 4,
            writing: 2,
        }
    }
}

/// A token bucket and two semaphores, all first come, first served. Follows tokio's clock.
#[derive(Debug)]
pub struct Limiter {
    in_flight: Arc<Semaphore>,
    writing: Arc<Semaphore>,
    // Held while waiting for a token: its queue is what makes the bucket fair.
    bucket: Mutex<Bucket>,
    // Apart from the bucket, because it must be settable while somebody waits there.
    paused_until: parking_lot::Mutex<Option<Instant>>,
}

/// The right to send one document: a place in flight, and a token of the bucket that is already paid.
#[derive(Debug)]
pub struct Slot {
    _in_flight: Option<OwnedSemaphorePermit>,
    _writing: Option<OwnedSemaphorePermit>,
}

impl Limiter {
    /// A full bucket. Limits below what lets anything through are raised to it.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            in_flight: Arc::new(Semaphore::new(limits.in_flight.max(1))),
            writing: Arc::new(Semaphore::new(limits.writing.max(1))),
            bucket: Mutex::new(Bucket::new(limits)),
            paused_until: parking_lot::Mutex::default(),
        }
    }

    /// Waits for a place in flight, then for a token of the bucket. Compose the document after this, not before, so
    /// that it holds what is wanted when it leaves.
    pub async fn acquire(&self, access: Access) -> Slot {
        // The semaphores are never closed, which is the only way in which this can fail.
        let writing = match access {
            Access::Read => None,
            Access::Write => self.writing.clone().acquire_owned().await.ok(),
        };
        let in_flight = self.in_flight.clone().acquire_owned().await.ok();
        self.take().await;
        Slot {
            _in_flight: in_flight,
            _writing: writing,
        }
    }

    /// Waits for a token of the bucket alone: for token requests and repetitions, whose sender holds a slot already.
    pub(super) async fn take(&self) {
        let mut bucket = self.bucket.lock().await;
        loop {
            let now = Instant::now();
            let paused = self.paused_until.lock().filter(|until| *until > now);
            let Some(wait_until) = paused.or_else(|| bucket.take(now)) else {
                return;
            };
            sleep_until(wait_until).await;
        }
    }

    /// Sends nothing before `until`, whoever asks: the server said so.
    pub fn pause_until(&self, until: Instant) {
        let mut paused = self.paused_until.lock();
        *paused = (*paused).max(Some(until));
    }
}

#[derive(Debug)]
struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    fn new(limits: Limits) -> Self {
        let burst = f64::from(limits.burst.max(1));
        Self {
            rate: limits.requests_per_second.max(0.01),
            burst,
            tokens: burst,
            filled_at: Instant::now(),
        }
    }

    /// Takes a token, or says when there will be one.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        self.tokens =
            (self.tokens + now.saturating_duration_since(self.filled_at).as_secs_f64() * self.rate).min(self.burst);
        self.filled_at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        // A millisecond is the resolution of the clock; less would be slept in a loop.
        let wait = clock::seconds((1.0 - self.tokens) / self.rate).max(Duration::from_millis(1));
        Some(now.saturating_add(wait))
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    fn limiter(requests_per_second: f64, burst: u32, in_flight: usize, writing: usize) -> Limiter {
        Limiter::new(Limits {
            requests_per_second,
            burst,
            in_flight,
            writing,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_the_rate() {
        let limiter = limiter(5.0, 10, 4, 2);
        let start = Instant::now();
        for _ in 0..10 {
            drop(limiter.acquire(Access::Read).await);
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..10 {
            limiter.take().await;
        }
        let elapsed = start.elapsed();
        assert!((2000..2020).contains(&elapsed.as_millis()), "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_hour_saves_up_no_more_than_a_burst() {
        let limiter = limiter(1.0, 3, 4, 2);
        tokio::time::sleep(Duration::from_hours(1)).await;
        let start = Instant::now();
        for _ in 0..4 {
            limiter.take().await;
        }
        assert!(start.elapsed() >= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn writers_leave_room_for_readers_and_slots_come_back() {
        let limiter = limiter(1000.0, 1000, 4, 2);
        let soon = Duration::from_secs(5);
        let writers = [
            limiter.acquire(Access::Write).await,
            limiter.acquire(Access::Write).await,
        ];
        assert!(
            tokio::time::timeout(soon, limiter.acquire(Access::Write))
                .await
                .is_err()
        );
        let readers = [limiter.acquire(Access::Read).await, limiter.acquire(Access::Read).await];
        assert!(tokio::time::timeout(soon, limiter.acquire(Access::Read)).await.is_err());
        limiter.take().await; // a token request passes although every slot is taken
        drop(writers);
        let _ = limiter.acquire(Access::Write).await;
        drop(readers);
    }

    #[tokio::test(start_paused = true)]
    async fn first_come_first_served() {
        let limiter = limiter(10.0, 1, 1, 1);
        let order = parking_lot::Mutex::new(Vec::new());
        join_all((0..20).map(|n| {
            let (limiter, order) = (&limiter, &order);
            async move {
                let _slot = limiter
                    .acquire(if n % 3 == 0 { Access::Write } else { Access::Read })
                    .await;
                order.lock().push(n);
            }
        }))
        .await;
        // A writer queues for the right to write before it queues with everybody else.
        let order = order.into_inner();
        for kind in [true, false] {
            let of_kind: Vec<_> = order.iter().copied().filter(|n| (n % 3 == 0) == kind).collect();
            assert!(of_kind.is_sorted(), "{order:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_all_also_for_those_who_wait_already() {
        let limiter = limiter(1.0, 1, 4, 2);
        let start = Instant::now();
        limiter.take().await;
        let (elapsed, ()) = tokio::join!(
            async {
                limiter.take().await;
                start.elapsed()
            },
            async {
                tokio::task::yield_now().await;
                limiter.pause_until(start + Duration::from_secs(30));
                limiter.pause_until(start + Duration::from_secs(10)); // a shorter one does not end it
            },
        );
        assert_eq!(elapsed, Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_waiting_takes_nothing() {
        let limiter = limiter(1.0, 1, 4, 2);
        let start = Instant::now();
        limiter.take().await;
        assert!(
            tokio::time::timeout(Duration::from_millis(500), limiter.take())
                .await
                .is_err()
        );
        limiter.take().await;
        assert!(start.elapsed() < Duration::from_millis(1010));
    }
}
