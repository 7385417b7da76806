//! `memory://`: objects that live as long as their client, and count as memory that it holds.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use crate::error::{Code, Error};

/// What the addresses of these objects begin with.
pub const SCHEME: &str = "memory";

/// The memory that objects are kept in.
pub trait Keeps: fmt::Debug + Send + Sync {
    /// Whether so many bytes more may be kept; then they are.
    fn keep(&self, bytes: usize) -> bool;

    fn let_go(&self, bytes: usize);
}

/// Memory that knows how much of it is kept.
#[cfg(test)]
#[derive(Debug, Default)]
pub struct Counted(std::sync::atomic::AtomicUsize);

#[cfg(test)]
impl Counted {
    pub fn kept(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Keeps for Counted {
    fn keep(&self, bytes: usize) -> bool {
        self.0.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        true
    }

    fn let_go(&self, bytes: usize) {
        self.0.fetch_sub(bytes, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Memory without a bound.
#[derive(Debug)]
struct Unbounded;

impl Keeps for Unbounded {
    fn keep(&self, _: usize) -> bool {
        true
    }

    fn let_go(&self, _: usize) {}
}

/// The objects of one client.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    objects: Arc<InMemory>,
    memory: Arc<dyn Keeps>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Arc::new(Unbounded))
    }
}

impl MemoryStore {
    pub fn new(memory: Arc<dyn Keeps>) -> Self {
        Self { objects: Arc::default(), memory }
    }

    fn hold(&self, path: &Path, bytes: usize) -> Result<Held> {
        Held::new(&self.memory, path, bytes)
    }

    /// The bytes of an object.
    pub fn get(&self, path: &Path) -> Option<Bytes> {
        let found = async { self.objects.get(path).await.ok()?.bytes().await.ok() };
        found.now_or_never().flatten()
    }

    pub fn put(&self, path: &Path, bytes: Bytes) -> crate::error::Result<()> {
        let put = ObjectStoreExt::put(self, path, bytes.into()).now_or_never();
        let put = put.unwrap_or_else(|| Err(failed(Error::internal("memory that has to be waited for"))));
        put.map(drop).map_err(|error| match Error::within(&error) {
            Some(ours) => ours.clone(),
            None => Error::internal(format!("an object in memory: {error}")),
        })
    }

    /// Whether there was such an object.
    pub fn remove(&self, path: &Path) -> bool {
        let there = self.get(path).is_some();
        let _ = self.objects.delete(path).now_or_never();
        there
    }

    /// All objects in the order of their names.
    pub fn names(&self) -> Vec<Path> {
        let found = ObjectStore::list(&*self.objects, None).try_collect::<Vec<_>>().now_or_never();
        let found = found.and_then(Result::ok).unwrap_or_default();
        found.into_iter().map(|object| object.location).collect()
    }

    /// Removes all objects.
    pub fn clear(&self) {
        self.names().iter().for_each(|path| {
            self.remove(path);
        });
    }
}

/// Bytes that count as held.
#[derive(Debug)]
struct Held {
    memory: Arc<dyn Keeps>,
    bytes: usize,
}

impl Held {
    fn new(memory: &Arc<dyn Keeps>, path: &Path, bytes: usize) -> Result<Self> {
        if memory.keep(bytes) {
            return Ok(Self { memory: memory.clone(), bytes });
        }
        let error = Error::new(
            Code::OutOfMemory,
            format!("no memory is left in the client for {bytes} bytes of `{SCHEME}://{path}`"),
        )
        .hint(
            "Remove objects (`del client.memory[key]`), raise `memory_limit`, or write to a disk or a store",
        )
        .detail("file", format!("{SCHEME}://{path}"));
        Err(failed(error))
    }

    fn join(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.let_go(self.bytes);
    }
}

/// Bytes that are held until the last who reads them lets go.
struct Owned {
    bytes: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn owned(bytes: Vec<u8>, held: Held) -> PutPayload {
    Bytes::from_owner(Owned { bytes, _held: held }).into()
}

fn failed(error: Error) -> StoreError {
    StoreError::Generic { store: SCHEME, source: Box::new(error) }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}://")
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let held = self.hold(location, payload.content_length())?;
        let mut bytes = Vec::with_capacity(payload.content_length());
        payload.iter().for_each(|part| bytes.extend_from_slice(part));
        self.objects.put_opts(location, owned(bytes, held), opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let options = PutOptions { attributes: opts.attributes, ..PutOptions::default() };
        let (store, location) = (self.clone(), location.clone());
        Ok(Box::new(Upload { store, location, options, parts: Vec::new(), held: None }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.objects.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        ObjectStore::list(&*self.objects, prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        // Both are the same bytes.
        self.objects.copy_opts(from, to, options).await
    }
}

/// An object in parts, which is seen when all of them are there.
#[derive(Debug)]
struct Upload {
    store: MemoryStore,
    location: Path,
    options: PutOptions,
    parts: Vec<PutPayload>,
    held: Option<Held>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let held = match self.store.hold(&self.location, data.content_length()) {
            Ok(held) => held,
            Err(error) => return Box::pin(futures::future::ready(Err(error))),
        };
        match &mut self.held {
            Some(all) => all.join(held),
            None => self.held = Some(held),
        }
        self.parts.push(data);
        Box::pin(futures::future::ready(Ok(())))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let held = match self.held.take() {
            Some(held) => held,
            None => self.store.hold(&self.location, 0)?,
        };
        let mut bytes = Vec::with_capacity(held.bytes);
        // Each goes as it is copied.
        for part in self.parts.drain(..) {
            part.iter().for_each(|part| bytes.extend_from_slice(part));
        }
        let options = std::mem::take(&mut self.options);
        self.store.objects.put_opts(&self.location, owned(bytes, held), options).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.clear();
        self.held = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Hundred(AtomicUsize);

    impl Keeps for Hundred {
        fn keep(&self, bytes: usize) -> bool {
            self.0
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |had| {
                    Some(had + bytes).filter(|n| *n <= 100)
                })
                .is_ok()
        }

        fn let_go(&self, bytes: usize) {
            self.0.fetch_sub(bytes, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn bytes_count_until_nobody_has_them() {
        let memory = Arc::new(Hundred(AtomicUsize::new(0)));
        let held = || memory.0.load(Ordering::SeqCst);
        let store = MemoryStore::new(memory.clone());
        let (one, two) = (Path::from("a/one"), Path::from("a/two"));
        store.put(&one, vec![1; 60].into()).unwrap();
        let error = store.put(&two, vec![2; 41].into()).unwrap_err();
        assert_eq!((error.code(), held()), (Code::OutOfMemory, 60));
        assert!(error.sentence().contains("memory://a/two"), "{error}");
        store.put(&two, vec![2; 40].into()).unwrap();
        let reading = store.get(&one).unwrap();
        assert!(store.remove(&one) && !store.remove(&one));
        assert_eq!(held(), 100);
        drop(reading);
        assert_eq!((held(), store.names()), (40, vec![two]));
        store.clear();
        assert_eq!(held(), 0);
    }

    #[tokio::test]
    async fn parts_are_seen_when_they_are_complete() {
        let memory = Arc::new(Hundred(AtomicUsize::new(0)));
        let store = MemoryStore::new(memory.clone());
        let path = Path::from("x");
        let begin = || store.put_multipart_opts(&path, PutMultipartOptions::default());
        let mut upload = begin().await.unwrap();
        upload.put_part(vec![1; 30].into()).await.unwrap();
        upload.put_part(vec![2; 30].into()).await.unwrap();
        assert!(upload.put_part(vec![3; 41].into()).await.is_err());
        assert!(store.get(&path).is_none());
        upload.complete().await.unwrap();
        assert_eq!(store.get(&path).unwrap()[..], [[1; 30], [2; 30]].concat()[..]);
        let mut given_up = begin().await.unwrap();
        given_up.put_part(vec![0; 10].into()).await.unwrap();
        assert_eq!(memory.0.load(Ordering::SeqCst), 70);
        given_up.abort().await.unwrap();
        let mut dropped = begin().await.unwrap();
        dropped.put_part(vec![0; 10].into()).await.unwrap();
        drop(dropped);
        store.put(&path, vec![9; 5].into()).unwrap();
        assert_eq!(memory.0.load(Ordering::SeqCst), 5);
    }
}
