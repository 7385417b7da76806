//! What all runs of a client have come to together.

use serde_json::{Value, json};

use super::calls::Latency;
use super::run::{Run, State};
use crate::engine::control::{Accounting, Planning};

#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// By state, in the order of `State`.
    runs: [u64; 5],
    chunks: Accounting,
    /// Runs by whether some part of their plan was made for them, or all of it kept.
    planned: Planning,
    latency: Latency,
}

impl Totals {
    /// Takes in what a run has come to by now.
    pub fn add(&mut self, run: &Run) {
        self.runs[run.state() as usize] += 1;
        match run.control.planning() {
            Planning { made: 0, kept: 0 } => {}
            Planning { made: 0, .. } => self.planned.kept += 1,
            _ => self.planned.made += 1,
        }
        let found = run.control.accounting();
        let Accounting { accepted, pending, succeeded, failed, dead_lettered, cancelled, skipped, restored } =
            &mut self.chunks;
        for (sum, more) in [
            (accepted, found.accepted),
            (pending, found.pending),
            (succeeded, found.succeeded),
            (failed, found.failed),
            (dead_lettered, found.dead_lettered),
            (cancelled, found.cancelled),
            (skipped, found.skipped),
            (restored, found.restored),
        ] {
            *sum += more;
        }
        self.latency.merge(&run.latency.lock());
    }

    pub fn to_json(&self) -> Value {
        let count = |state: State| self.runs[state as usize];
        let chunks = serde_json::to_value(self.chunks).unwrap_or_default();
        json!({
            "runs": {
                "queued": count(State::Queued), "running": count(State::Running),
                "succeeded": count(State::Succeeded), "failed": count(State::Failed),
                "cancelled": count(State::Cancelled),
            },
            "chunks": chunks,
            "plans": self.planned,
            "latency": self.latency.to_json(),
        })
    }
}
