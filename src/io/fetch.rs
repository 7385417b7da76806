//! Bytes of an object: of the one that was listed, and all of them.
//!
//! A store may answer with less than it was asked for, and somebody may write an object anew while it is read: rows of
//! two contents would be one answer. Both are found here, whatever the store supports.

use std::error::Error as _;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::client::HttpError;
use object_store::path::Path as ObjectPath;
use object_store::{
    GetOptions, GetResult, OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, ObjectStore, ObjectStoreExt,
    coalesce_ranges,
};

use super::location::{FileRef, store_error};
use crate::error::{Code, Error, Result};

/// How often a listing that breaks off is begun again, and how long is waited before the first time.
const LISTINGS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(100);

/// The objects below a prefix. Pages that the store refuses for now are asked for again by the client of the store;
/// one that breaks off while it is read is not, so the listing is made again here.
pub async fn listed(store: &dyn ObjectStore, prefix: &ObjectPath) -> object_store::Result<Vec<ObjectMeta>> {
    let mut again = 0;
    loop {
        match store.list(Some(prefix)).try_collect().await {
            Err(error) if again < LISTINGS && broke_off(&error) => {
                tokio::time::sleep(PAUSE * 2_u32.pow(again)).await;
                again += 1;
            }
            answer => return answer,
        }
    }
}

/// Whether an answer ended before its end, which nobody has tried again.
fn broke_off(error: &object_store::Error) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let (mut http, mut tried) = (false, false);
    for cause in causes {
        http |= cause.is::<HttpError>();
        // Its type has no name outside of the library.
        tried |= cause.to_string().starts_with("Error performing ");
    }
    http && !tried
}

/// An object of a source, where it is.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    pub file: &'a FileRef,
    pub store: &'a dyn ObjectStore,
    pub path: &'a ObjectPath,
}

impl<'a> Object<'a> {
    /// All of it, piece by piece.
    pub async fn whole(self) -> Result<Whole<'a>> {
        let answer = self.store.get(self.path).await.map_err(|error| self.failed(&error))?;
        self.same(&answer)?;
        Ok(Whole { object: self, bytes: answer.into_stream(), came: 0 })
    }

    /// One stretch.
    pub async fn range(self, range: Range<u64>) -> Result<Bytes> {
        let wanted = range.end - range.start;
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        let answer = self.store.get_opts(self.path, options).await.map_err(|error| self.failed(&error))?;
        self.same(&answer)?;
        let bytes = answer.bytes().await.map_err(|error| self.failed(&error))?;
        self.complete(bytes.len() as u64, wanted)?;
        Ok(bytes)
    }

    /// Several stretches, neighbours in one request.
    pub async fn ranges(self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        coalesce_ranges(ranges, |range| self.range(range), OBJECT_STORE_COALESCE_DEFAULT).await
    }

    fn failed(self, error: &object_store::Error) -> Error {
        store_error(&self.file.name, error)
    }

    /// Whether an answer is of the content that was listed.
    fn same(self, answer: &GetResult) -> Result<()> {
        let known = self.file.tag.as_deref().map(bare);
        let found = answer.meta.e_tag.as_deref().map(bare);
        let other_tag = known.zip(found).is_some_and(|(known, found)| known != found);
        if other_tag || found.is_some() && known.is_some() && answer.meta.size != self.file.size {
            let name = &*self.file.name;
            return Err(Error::new(
                Code::SourceUnreadable,
                format!("`{name}` was written anew while it was read"),
            )
            .hint("Run it again when nobody writes there")
            .detail("file", name));
        }
        Ok(())
    }

    fn complete(self, came: u64, wanted: u64) -> Result<()> {
        if came == wanted {
            return Ok(());
        }
        let name = &*self.file.name;
        Err(Error::new(
            Code::SourceUnreadable,
            format!("cannot read `{name}`: the store sent {came} bytes of {wanted}"),
        )
        .hint("Something between here and the store cuts its answers; run it again, or check the proxy")
        .detail("file", name))
    }
}

/// The same content has the same tag, with quotes in some answers of a store and without in others.
fn bare(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

/// The bytes of an object as they come.
pub struct Whole<'a> {
    object: Object<'a>,
    bytes: BoxStream<'static, object_store::Result<Bytes>>,
    came: u64,
}

impl Whole<'_> {
    /// The next piece; none after the last one.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let next = self.bytes.try_next().await.map_err(|error| self.object.failed(&error))?;
        match &next {
            Some(bytes) => self.came += bytes.len() as u64,
            None => self.object.complete(self.came, self.object.file.size)?,
        }
        Ok(next)
    }
}
