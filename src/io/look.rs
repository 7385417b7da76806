//! One object, asked for by its name: how large it is; and of Parquet its end in the same answer, where the footer is.

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{Error as StoreError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::location::{answered, root_cause, store_error};
use crate::error::Result;

/// So many bytes are asked for of a file's end. Most footers are no longer.
pub const TAIL: u64 = 64 << 10;

/// An object that is there, and its end if that came with it.
pub struct Found {
    pub meta: ObjectMeta,
    pub tail: Option<Bytes>,
}

/// What a store says of an object that is called `name`; nothing where there is none.
pub async fn look(
    store: &dyn ObjectStore,
    path: &ObjectPath,
    name: &str,
    with_tail: bool,
) -> Result<Option<Found>> {
    if with_tail {
        match tail(store, path).await {
            Err(error) if no_tails(&error) => {}
            answer => return found(answer, name),
        }
    }
    found(store.head(path).await.map(|meta| Found { meta, tail: None }), name)
}

fn found(answer: object_store::Result<Found>, name: &str) -> Result<Option<Found>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(store_error(name, &error)),
    }
}

async fn tail(store: &dyn ObjectStore, path: &ObjectPath) -> object_store::Result<Found> {
    let options = GetOptions { range: Some(GetRange::Suffix(TAIL)), ..GetOptions::default() };
    let answer = store.get_opts(path, options).await?;
    let (meta, wanted) = (answer.meta.clone(), answer.range.end - answer.range.start);
    let bytes = answer.bytes().await?;
    // An answer that was cut is none: the range is asked for again, where that is found and said.
    let tail = (bytes.len() as u64 == wanted).then_some(bytes);
    Ok(Found { meta, tail })
}

/// Whether a store has no answer to a request for an end, which says nothing of the object: Azure knows none, of an
/// empty object there is none, and some servers send all of it.
fn no_tails(error: &StoreError) -> bool {
    let other_answer = |error: &StoreError| {
        let why = root_cause(error);
        [
            "Received non-partial response",
            "Content-Range",
            "Requested ",
            "Failed to parse value for CONTENT_RANGE",
        ]
        .iter()
        .any(|begin| why.starts_with(begin))
    };
    match error {
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => true,
        StoreError::Generic { .. } => answered(error, 416) || other_answer(error),
        _ => false,
    }
}
