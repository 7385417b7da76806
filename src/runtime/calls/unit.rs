//! A call as it goes to a worker.

use std::time::{Duration, Instant};

use serde_json::json;

use super::granted;
use super::ledger::Slice;
use super::work::{CallRun, CallSpec};
use crate::worker::{Call, Head, Pool, Unit};

/// The kind of the calls that put results together.
const THEN: &str = "then";

impl CallSpec {
    /// Whether an item's own clock may end it, or tell it something.
    pub fn is_timed(&self) -> bool {
        self.item_timeout.is_some() || self.soft_timeout.is_some()
    }
}

impl CallRun {
    pub(super) fn unit(
        &self,
        pool: &Pool,
        id: u64,
        slice: &Slice,
        then: bool,
        secrets: granted::Values,
    ) -> Unit {
        let (function, kind) = match &self.spec.then {
            Some(last) if then => (last, THEN),
            _ => (&self.spec.function, self.spec.kind),
        };
        let deadline = self.run.control.deadline.get();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let head = Head {
            t: "call",
            call: pool.number(),
            function: function.id.clone(),
            kind,
            run: self.run.id.as_str().into(),
            from: slice.from,
            to: slice.to,
            first: slice.parcel.first,
            attempt: slice.attempt,
            careful: slice.crashes > 0 && slice.len() > 1,
            left_ms: left.map(milliseconds),
            item_ms: self.spec.item_timeout.filter(|_| !then).map(milliseconds),
            soft_ms: self.spec.soft_timeout.filter(|_| !then).map(milliseconds),
            more: match (slice.piece, slice.parcel.more.clone()) {
                (None, more) => more,
                (Some(piece), serde_json::Value::Object(mut more)) => {
                    more.insert("piece".to_owned(), json!([piece.from, piece.to]));
                    more.into()
                }
                (Some(piece), _) => json!({ "piece": [piece.from, piece.to] }),
            },
        };
        let function = function.clone();
        Unit { id, call: Call { function, head, payload: slice.parcel.payload.clone(), secrets } }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
