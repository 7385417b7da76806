//! The last calls of a run, on the results of all others; and when there is no need of one.

use serde_json::json;

use super::feed::Parcel;
use super::ledger::Slice;
use super::values::Segment;
use crate::error::{Code, Error};
use crate::worker::Part;

/// The payloads of the last calls: all results together, or each part of them.
pub fn last_parcels(segments: &[Segment], parts: Option<usize>) -> Vec<Parcel> {
    let Some(parts) = parts else {
        let told = segments.iter().map(|segment| json!({ "blobs": segment.blobs.len() }));
        let more = json!({ "parts": told.collect::<Vec<_>>() });
        let payload = segments.iter().flat_map(|segment| segment.blobs.clone()).collect();
        return vec![Parcel { more, label: Some("all results".to_owned()), ..Parcel::of(0, 1, payload) }];
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
