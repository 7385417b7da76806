//! How long items of runs waited for a worker and ran in it, and how many went together.

use std::time::Duration;

use serde_json::{Value, json};

use super::histogram::Histogram;

/// Times are in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    waiting: Histogram,
    running: Histogram,
    batches: Histogram,
    /// Threads that did not end when they were to.
    pub abandoned: u64,
}

impl Latency {
    /// So many items went to a worker together, after so long.
    pub fn began(&mut self, items: u64, waited: Duration) {
        self.batches.record(items, 1);
        self.waited(items, waited);
    }

    /// Of some of the items that went together.
    pub fn waited(&mut self, items: u64, waited: Duration) {
        self.waiting.record(nanos(waited), items);
    }

    /// So many items came back, each of which took so long.
    pub fn ran(&mut self, items: u64, took: Duration) {
        self.running.record(nanos(took), items);
    }

    /// So many items went together that have waited for different times.
    pub fn together(&mut self, items: u64) {
        self.batches.record(items, 1);
    }

    pub fn merge(&mut self, other: &Self) {
        self.waiting.merge(&other.waiting);
        self.running.merge(&other.running);
        self.batches.merge(&other.batches);
        self.abandoned += other.abandoned;
    }

    /// For people and programs: times in milliseconds.
    pub fn to_json(&self) -> Value {
        let of = |histogram: &Histogram, unit: f64| {
            let at = |permille| histogram.permille(permille) as f64 / unit;
            json!({
                "count": histogram.count(), "mean": histogram.mean() / unit, "p50": at(500), "p90": at(900),
                "p99": at(990), "max": histogram.most() as f64 / unit,
            })
        };
        json!({
            "waiting_ms": of(&self.waiting, 1e6),
            "running_ms": of(&self.running, 1e6),
            "items_per_call": of(&self.batches, 1.0),
            "abandoned_threads": self.abandoned,
        })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_and_running_are_apart_and_add_up() {
        let mut one = Latency::default();
        one.began(4, Duration::from_millis(3));
        one.ran(3, Duration::from_millis(1));
        let mut other = Latency::default();
        other.together(2);
        other.waited(1, Duration::from_millis(9));
        one.merge(&other);
        let found = one.to_json();
        assert_eq!(found["waiting_ms"]["count"], 5);
        assert_eq!(found["waiting_ms"]["max"], 9.0);
        assert_eq!(found["running_ms"]["count"], 3);
        assert_eq!(found["running_ms"]["p50"], 1.0);
        assert_eq!(found["items_per_call"]["mean"], 3.0);
    }
}
