//! A store whose credentials are secrets by name: opened again as soon as one of them has another value.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use parking_lot::Mutex;
use url::Url;

use super::location::expired;
use super::store::{Stores, redacted};
use crate::error::Error;
use crate::secrets::{Given, SecretValue, Secrets};

type Values = Vec<(String, SecretValue)>;

/// Every request asks for the secrets, which costs nothing while they are kept; one that the store refuses is made
/// once more if they are others by then.
#[derive(Debug, Clone)]
pub struct Rotating(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: Url,
    options: Arc<BTreeMap<String, Given>>,
    /// Those that the options name.
    names: Vec<String>,
    secrets: Arc<Secrets>,
    open: Mutex<Option<Open>>,
}

#[derive(Debug, Clone)]
struct Open {
    values: Values,
    store: Arc<dyn ObjectStore>,
}

impl Rotating {
    /// Opens nothing yet.
    pub fn new(url: Url, options: Arc<BTreeMap<String, Given>>, secrets: Arc<Secrets>) -> Self {
        let named = options.values().filter_map(|given| match given {
            Given::Named(name) => Some(name.clone()),
            Given::Plain(_) => None,
        });
        let names = named.collect();
        Self(Arc::new(Inner { url, options, names, secrets, open: Mutex::default() }))
    }

    /// The store as the secrets are now.
    async fn now(&self) -> Result<Open> {
        let inner = &self.0;
        let kept = inner.names.iter().map(|name| Some((name.clone(), inner.secrets.fresh(name)?)));
        let values = match kept.collect::<Option<Values>>() {
            Some(values) => values,
            None => {
                // Providers may take their time.
                let asking = inner.clone();
                let asked = tokio::task::spawn_blocking(move || asking.secrets.all(&asking.names)).await;
                let asked = asked.unwrap_or_else(|_| Err(Error::internal("asking for a secret panicked")));
                asked.map_err(failed)?
            }
        };
        let mut open = inner.open.lock();
        if let Some(open) = open.as_ref().filter(|open| open.values == values) {
            return Ok(open.clone());
        }
        let store = inner.build(&values).map_err(failed)?;
        Ok(open.insert(Open { values, store }).clone())
    }

    /// Another store, where the one that refused a request had secrets that have changed since.
    async fn again(&self, used: &Open) -> Result<Option<Open>> {
        for name in &self.0.names {
            self.0.secrets.refresh(Some(name));
        }
        let open = self.now().await?;
        Ok((open.values != used.values).then_some(open))
    }

    /// Makes a request.
    async fn request<T, F>(&self, make: impl Fn(Arc<dyn ObjectStore>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let open = self.now().await?;
        match make(open.store.clone()).await {
            Err(error) if refused(&error) => match self.again(&open).await? {
                Some(open) => make(open.store).await,
                None => Err(error),
            },
            answer => answer,
        }
    }

    /// Makes a request that is answered piece by piece.
    fn listing<T: Send + 'static>(
        &self,
        make: impl Fn(&dyn ObjectStore) -> BoxStream<'static, Result<T>> + Send + 'static,
    ) -> BoxStream<'static, Result<T>> {
        let this = self.clone();
        let opened = async move {
            let open = this.now().await?;
            let mut first = make(&*open.store).peekable();
            if let Some(Err(error)) = Pin::new(&mut first).peek().await
                && refused(error)
                && let Some(open) = this.again(&open).await?
            {
                first = make(&*open.store).peekable();
            }
            Ok::<_, StoreError>(first)
        };
        stream::once(opened).try_flatten().boxed()
    }
}

impl Inner {
    fn build(&self, values: &[(String, SecretValue)]) -> crate::error::Result<Arc<dyn ObjectStore>> {
        let mut options = BTreeMap::new();
        for (key, given) in &*self.options {
            let value = match given {
                Given::Plain(value) => Some(value),
                Given::Named(name) => values.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            };
            let value = value.ok_or_else(|| Error::internal("a secret that was asked for is missing"))?;
            options.insert(key.clone(), value.reveal().to_owned());
        }
        Stores::build(&self.url, &options)
    }
}

fn failed(error: Error) -> StoreError {
    StoreError::Generic { store: "secrets", source: Box::new(error) }
}

/// Whether a store does not accept the credentials.
fn refused(error: &StoreError) -> bool {
    match error {
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => true,
        other => expired(other).is_some(),
    }
}

impl fmt::Display for Rotating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0.url))
    }
}

#[async_trait]
impl ObjectStore for Rotating {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.request(|store| {
            let (payload, opts) = (payload.clone(), opts.clone());
            async move { store.put_opts(location, payload, opts).await }
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.request(|store| {
            let opts = opts.clone();
            async move { store.put_multipart_opts(location, opts).await }
        })
        .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.request(|store| {
            let options = options.clone();
            async move { store.get_opts(location, options).await }
        })
        .await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.request(|store| async move { store.get_ranges(location, ranges).await }).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // What is to be deleted comes once, so this is not made again.
        let this = self.clone();
        let opened = async move { Ok::<_, StoreError>(this.now().await?.store.delete_stream(locations)) };
        stream::once(opened).try_flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned();
        self.listing(move |store| store.list(prefix.as_ref()))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (prefix, offset) = (prefix.cloned(), offset.clone());
        self.listing(move |store| store.list_with_offset(prefix.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.request(|store| async move { store.list_with_delimiter(prefix).await }).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.request(|store| {
            let options = options.clone();
            async move { store.copy_opts(from, to, options).await }
        })
        .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.request(|store| {
            let options = options.clone();
            async move { store.rename_opts(from, to, options).await }
        })
        .await
    }
}
