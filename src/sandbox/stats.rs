//! Counters of one organization.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::Serialize;

/// What was counted since the start or the last reset.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Requests to `/graphql/` and `/oauth/token/`, whatever their answer.
    pub http_requests: u64,
    /// Root fields of documents that were executed, each alias once.
    pub operations: BTreeMap<String, u64>,
    /// The most root fields in one document.
    pub max_operations_per_document: usize,
    /// Tokens given out.
    pub tokens_issued: u64,
    /// Bytes of request bodies.
    pub bytes_in: u64,
    /// Bytes of answer bodies.
    pub bytes_out: u64,
    /// Requests to `/graphql/` that are being answered now.
    pub in_flight: u64,
    /// The most of them at one time.
    pub max_in_flight: u64,
}

/// Counts.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Stats>);

impl Meter {
    /// The counters as they stand.
    pub fn read(&self) -> Stats {
        self.0.lock().clone()
    }

    /// Starts anew; requests that are under way stay counted as such.
    pub fn reset(&self) {
        let mut stats = self.0.lock();
        let in_flight = stats.in_flight;
        *stats = Stats {
            in_flight,
            max_in_flight: in_flight,
            ..Stats::default()
        };
    }

    /// Counts a request, and gives its number.
    pub fn request(&self, bytes: usize) -> u64 {
        let mut stats = self.0.lock();
        stats.http_requests += 1;
        stats.bytes_in += bytes as u64;
        stats.http_requests
    }

    /// Counts an answer.
    pub fn answer(&self, bytes: usize) {
        self.0.lock().bytes_out += bytes as u64;
    }

    /// Counts a token.
    pub fn token(&self) {
        self.0.lock().tokens_issued += 1;
    }

    /// Counts the root fields of a document that is executed.
    pub fn document(&self, operations: &[String]) {
        let mut stats = self.0.lock();
        stats.max_operations_per_document = stats.max_operations_per_document.max(operations.len());
        for operation in operations {
            *stats.operations.entry(operation.clone()).or_default() += 1;
        }
    }

    /// Counts a request as under way until the guard is dropped.
    pub fn under_way(&self) -> UnderWay<'_> {
        let mut stats = self.0.lock();
        stats.in_flight += 1;
        stats.max_in_flight = stats.max_in_flight.max(stats.in_flight);
        UnderWay(self)
    }
}

/// A request that is under way.
pub struct UnderWay<'a>(&'a Meter);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.0.lock().in_flight -= 1;
    }
}
