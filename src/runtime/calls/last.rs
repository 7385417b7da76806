//! The last calls of a run, on the results of all others; and when there is no need of one.

use serde_json::json;

use super::feed::Parcel;
use super::ledger::Slice;
use super::values::Segment;
use super::work::{CallRun, State};
use crate::error::{Code, Error};
use crate::worker::{Blob, Part};

/// Bytes of results that go to one call at most, where it may be called on some of them.
const MOST: usize = 64 << 20;

impl CallRun {
    /// Gives out calls over the results that are there: the last ones, or those that come before.
    pub(super) fn call_last(&self, state: &mut State) {
        let first = state.ledger.counts().accepted;
        let (segments, failures) = state.ledger.outcome();
        if !state.then {
            state.gone = failures;
            state.ledger.fail_on_error();
        }
        state.then = true;
        let parcels = match self.spec.fan {
            Some(fan) if segments.len() > fan => some_at_a_time(&segments, fan),
            fan => {
                state.last = true;
                last_parcels(&segments, self.spec.parts, fan.is_some())
            }
        };
        for (first, parcel) in (first..).zip(parcels) {
            state.ledger.offer(Parcel { first, ..parcel });
        }
    }
}

/// The payloads of calls on some of the results each, in their order.
fn some_at_a_time(segments: &[Segment], fan: usize) -> Vec<Parcel> {
    let mut parcels = Vec::new();
    let mut from = 0;
    while from < segments.len() {
        let mut bytes = 0;
        let fits = segments[from..].iter().take(fan).take_while(|segment| {
            bytes += segment.blobs.iter().map(Blob::len).sum::<usize>();
            bytes <= MOST
        });
        // Two at least, or there would be no end.
        let mut to = (from + fits.count().max(2)).min(segments.len());
        // What was run again lies in the middle of others, and stays with them.
        let end = |to: usize| segments[from..to].iter().map(|segment| segment.first + segment.count).max();
        while to < segments.len() && end(to).is_some_and(|end| segments[to].first < end) {
            to += 1;
        }
        let some = &segments[from..to];
        let label = Some(format!("results {from} to {} of {}", to - 1, segments.len()));
        let more = json!({ "parts": parts_of(some), "final": false });
        parcels.push(Parcel { more, label, ..Parcel::of(0, 1, blobs_of(some)) });
        from = to;
    }
    parcels
}

/// What a worker has to know of results: which items they are of, where some were run again out of their order.
fn parts_of(segments: &[Segment]) -> Vec<serde_json::Value> {
    let in_order = segments.iter().all(|segment| segment.failed.is_empty());
    let told = |segment: &Segment| {
        let Segment { first, count, failed, .. } = segment;
        match in_order {
            true => json!({ "blobs": segment.blobs.len() }),
            false => {
                json!({ "blobs": segment.blobs.len(), "first": first, "count": count, "failed": failed })
            }
        }
    };
    segments.iter().map(told).collect()
}

fn blobs_of(segments: &[Segment]) -> Vec<Blob> {
    segments.iter().flat_map(|segment| segment.blobs.clone()).collect()
}

/// The payloads of the last calls: all results together, or each part of them.
fn last_parcels(segments: &[Segment], parts: Option<usize>, treewise: bool) -> Vec<Parcel> {
    let Some(parts) = parts else {
        let more = match treewise {
            true => json!({ "parts": parts_of(segments), "final": true }),
            false => json!({ "parts": parts_of(segments) }),
        };
        let label = Some("all results".to_owned());
        return vec![Parcel { more, label, ..Parcel::of(0, 1, blobs_of(segments)) }];
    };
    let parcel = |part: usize| {
        let payload = segments.iter().filter_map(|segment| segment.blobs.get(part).cloned()).collect();
        let label = Some(format!("part {part} of {parts}"));
        Parcel { more: json!({ "part": part }), label, ..Parcel::of(0, 1, payload) }
    };
    (0..parts).map(parcel).collect()
}

/// Why the result for a chunk cannot be put beside those of the others, of which there are so many.
pub fn unaligned(name: &str, chunks: u64, slice: &Slice, part: &Part) -> Option<Error> {
    if chunks == 1 && slice.piece.is_none() {
        return None;
    }
    let what = part.more.get("value")?.as_str()?;
    let label = slice.parcel.label.as_deref().unwrap_or_default();
    let which = match slice.piece {
        None => format!("{label}, one of {chunks} chunks, and how the chunks' results"),
        Some(_) => {
            format!("part of {label}, which needs too much memory as a whole, and how the parts' results")
        }
    };
    let message = format!("`{name}` returned {what} for {which} become one answer is not known");
    let hint = "Return the chunk's own rows or some of them, with their index; or say how with `combine`: \"concat\" for one after the other, \"list\" for a list, or a function of the list of results";
    Some(
        Error::new(Code::CombineRequired, message)
            .hint(hint)
            .detail("chunks", chunks)
            .detail("returned", what),
    )
}
