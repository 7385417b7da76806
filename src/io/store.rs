//! Object stores by URL, from environment variables and the client's storage options.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use parking_lot::Mutex;
use url::Url;

use super::memory_store::{MemoryStore, SCHEME as MEMORY};
use super::profile::{self, Places};
use super::rotating::Rotating;
use crate::error::{Code, Error, Result};
use crate::secrets::{Given, Secrets, redact, urls};

/// Opens stores and keeps them: one per scheme and bucket, with its connections, for a client's life.
pub struct Stores {
    options: Arc<BTreeMap<String, Given>>,
    secrets: Arc<Secrets>,
    open: Mutex<BTreeMap<String, Arc<dyn ObjectStore>>>,
    memory: Arc<MemoryStore>,
}

impl Stores {
    pub fn new(options: BTreeMap<String, Given>, secrets: Arc<Secrets>) -> Self {
        let options: BTreeMap<_, _> =
            options.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect();
        for (key, value) in &options {
            if let Given::Plain(value) = value
                && urls::is_secret(key)
            {
                redact::add_credential(value);
            }
        }
        Self { options: options.into(), secrets, open: Mutex::new(BTreeMap::new()), memory: Arc::default() }
    }

    /// The same with these objects in memory.
    pub fn keeping(self, memory: Arc<MemoryStore>) -> Self {
        Self { memory, ..self }
    }

    /// The objects of `memory://`.
    pub fn memory(&self) -> &Arc<MemoryStore> {
        &self.memory
    }

    /// Stores with further options, which go before these.
    pub fn with(&self, options: BTreeMap<String, Given>) -> Self {
        let mut all = (*self.options).clone();
        all.extend(options.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value)));
        Self::new(all, self.secrets.clone()).keeping(self.memory.clone())
    }

    /// The store that holds a URL's objects. Makes no request.
    pub fn for_url(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if url.scheme() == MEMORY {
            return Ok(self.memory.clone());
        }
        let key = format!("{}://{}", url.scheme(), url.authority());
        let mut open = self.open.lock();
        if let Some(store) = open.get(&key) {
            return Ok(store.clone());
        }
        urls::add_credentials(url.as_str());
        let plain = |(key, value): (&String, &Given)| match value {
            Given::Plain(text) => Some((key.clone(), text.reveal().to_owned())),
            Given::Named(_) => None,
        };
        let store: Arc<dyn ObjectStore> = match self.options.iter().map(plain).collect::<Option<_>>() {
            Some(options) => Self::build(url, &options)?,
            None => Arc::new(Rotating::new(url.clone(), self.options.clone(), self.secrets.clone())),
        };
        open.insert(key, store.clone());
        Ok(store)
    }

    /// A store with these options, which go before the environment's.
    pub(super) fn build(url: &Url, options: &BTreeMap<String, String>) -> Result<Arc<dyn ObjectStore>> {
        let bucket = || {
            url.host_str().ok_or_else(|| {
                Error::new(Code::InvalidTask, format!("the source `{}` names no bucket", redacted(url)))
                    .hint("Write it as `s3://bucket/prefix`")
            })
        };
        match url.scheme() {
            "s3" | "s3a" => {
                let mut builder =
                    AmazonS3Builder::from_env().with_retry(patience()).with_bucket_name(bucket()?);
                let mut own = Vec::with_capacity(options.len());
                for (key, value) in options.iter().filter(|(key, _)| !profile::is_named_by(key)) {
                    let key: AmazonS3ConfigKey = key.parse().map_err(|_| unknown_option(key, "s3"))?;
                    builder = builder.with_config(key, value);
                    own.push(key);
                }
                let named = options.iter().find(|(key, _)| profile::is_named_by(key));
                builder = Places::from_env().fill(builder, named.map(|(_, name)| name.as_str()), &own)?;
                let endpoint = builder
                    .get_config_value(&AmazonS3ConfigKey::S3Endpoint)
                    .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Endpoint));
                if is_plain(endpoint) {
                    let allow = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
                    builder = builder.with_config(allow, "true");
                }
                Ok(Arc::new(builder.build().map_err(|error| cannot_open(url, &error))?))
            }
            "gs" | "gcs" => {
                let mut builder =
                    GoogleCloudStorageBuilder::from_env().with_retry(patience()).with_bucket_name(bucket()?);
                for (key, value) in options {
                    let key = key.parse().map_err(|_| unknown_option(key, "gs"))?;
                    builder = builder.with_config(key, value);
                }
                if is_plain(builder.get_config_value(&GoogleConfigKey::BaseUrl)) {
                    let allow = GoogleConfigKey::Client(ClientConfigKey::AllowHttp);
                    builder = builder.with_config(allow, "true");
                }
                Ok(Arc::new(builder.build().map_err(|error| cannot_open(url, &error))?))
            }
            "az" | "abfs" | "abfss" | "azure" => {
                let mut builder =
                    MicrosoftAzureBuilder::from_env().with_retry(patience()).with_url(url.as_str());
                for (key, value) in options {
                    let key = key.parse().map_err(|_| unknown_option(key, "az"))?;
                    builder = builder.with_config(key, value);
                }
                if is_plain(builder.get_config_value(&AzureConfigKey::Endpoint)) {
                    let allow = AzureConfigKey::Client(ClientConfigKey::AllowHttp);
                    builder = builder.with_config(allow, "true");
                }
                Ok(Arc::new(builder.build().map_err(|error| cannot_open(url, &error))?))
            }
            "http" | "https" => {
                let base = &url[..url::Position::BeforePath];
                let mut builder = HttpBuilder::new().with_retry(patience()).with_url(base);
                if url.scheme() == "http" {
                    builder = builder.with_config(ClientConfigKey::AllowHttp, "true");
                }
                for (key, value) in options {
                    let key = key.parse().map_err(|_| unknown_option(key, "http"))?;
                    builder = builder.with_config(key, value);
                }
                Ok(Arc::new(builder.build().map_err(|error| cannot_open(url, &error))?))
            }
            other => Err(Error::new(
                Code::InvalidTask,
                format!("the source `{}` has the scheme `{other}`, which is not known", redacted(url)),
            )
            .hint("Known are s3, gs, az, abfss, http, https, memory, file and plain paths")
            .detail("path", "input.source")),
        }
    }
}

/// A user who names a plain http endpoint has said that plain http is fine.
fn is_plain(endpoint: Option<String>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"))
}

/// Enough for a store that is busy; one that is not there is named within seconds, not minutes.
fn patience() -> RetryConfig {
    RetryConfig { max_retries: 5, retry_timeout: Duration::from_secs(30), ..RetryConfig::default() }
}

/// What comes before the keys of a store in addresses, without the slash between.
pub fn base(url: &Url) -> String {
    // There are no buckets in memory: all of the address is the key.
    match url.scheme() {
        MEMORY => format!("{MEMORY}:/"),
        _ => without_credentials(url)[..url::Position::BeforePath].to_owned(),
    }
}

/// A URL without what could be a secret in it: user, password, query.
pub fn redacted(url: &Url) -> String {
    if url.scheme() == MEMORY {
        return format!("{}{}", base(url), url.path());
    }
    let mut url = without_credentials(url);
    if url.query().is_some() {
        url.set_query(None);
        return format!("{url}?…");
    }
    url.to_string()
}

/// A URL without user and password. In Azure's addresses what stands there is the container.
pub fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    if !url.scheme().starts_with("abfs") {
        let _ = url.set_username("");
    }
    let _ = url.set_password(None);
    url
}

fn unknown_option(key: &str, scheme: &str) -> Error {
    Error::new(Code::InvalidTask, format!("storage_options has `{key}`, which {scheme} stores do not know"))
        .hint("Use the names of the object_store crate, e.g. aws_access_key_id, aws_region, aws_endpoint_url")
        .detail("path", format!("storage_options.{key}"))
}

fn cannot_open(url: &Url, error: &object_store::Error) -> Error {
    Error::new(Code::SourceUnreadable, format!("cannot use the store of `{}`: {error}", redacted(url)))
        .hint("Check the credentials and the endpoint in the environment or in storage_options")
}
