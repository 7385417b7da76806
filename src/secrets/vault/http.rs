//! Requests to Vault: bounded in time and size, repeated where the server is busy or not there for a moment.

use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, Method, StatusCode, redirect};
use serde_json::Value;
use url::Url;

use super::super::value::SecretValue;
use crate::error::{Code, Error, Result};

const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(10);
/// How long to wait before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];
const LARGEST: usize = 4 << 20;

pub struct Http {
    client: Client,
    base: Url,
    namespace: Option<String>,
}

/// Why a request has no answer that could be used.
pub struct Failed {
    /// None: no answer came.
    pub status: Option<StatusCode>,
    pub why: String,
}

impl Http {
    /// `ca`: the path of certificates that are trusted besides the system's.
    pub fn new(address: &str, namespace: Option<String>, ca: Option<&str>, allow_http: bool) -> Result<Self> {
        let wrong = |why: String, hint: &'static str| {
            Error::new(Code::InvalidTask, why).hint(hint).detail("path", "secrets")
        };
        let base = Url::parse(address)
            .ok()
            .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                wrong(
                    "the address of Vault is not one".into(),
                    "Write https://vault.example.com:8200, or set VAULT_ADDR",
                )
            })?;
        let loopback = match base.host() {
            Some(url::Host::Domain(domain)) => domain == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if base.scheme() == "http" && !loopback && !allow_http {
            return Err(wrong(
                "the address of Vault is plain http, and secrets would cross the network in clear".into(),
                "Use https, or say `allow_http=True`",
            ));
        }
        let mut builder = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            // A token goes where it was meant to go, and nowhere else.
            .redirect(redirect::Policy::none());
        if loopback {
            builder = builder.no_proxy();
        }
        if let Some(path) = ca {
            let pem = std::fs::read(path)
                .map_err(|error| wrong(format!("cannot read `{path}`: {error}"), "Check `ca_file`"))?;
            let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(wrong(format!("`{path}` holds no certificate in PEM form"), "Check `ca_file`"));
            }
            builder =
                certificates.into_iter().fold(builder, |builder, one| builder.add_root_certificate(one));
        }
        let client = builder.build().map_err(|error| {
            wrong(format!("cannot talk to Vault: {}", innermost(&error)), "Check `ca_file`")
        })?;
        Ok(Self { client, base, namespace })
    }

    /// The server without what could be secret in its address.
    pub fn place(&self) -> String {
        let mut base = self.base.clone();
        let _ = base.set_username("");
        let _ = base.set_password(None);
        base.set_query(None);
        base.as_str().trim_end_matches('/').to_owned()
    }

    /// One request; what is read is asked for again where that may help.
    pub async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: Option<&str>,
        token: Option<&SecretValue>,
        body: Option<&Value>,
    ) -> Result<Value, Failed> {
        let again = method == Method::GET;
        let mut pauses = PAUSES.iter();
        let began = Instant::now();
        loop {
            let failed = match self.once(method.clone(), path, query, token, body).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let passing = failed
                .status
                .is_none_or(|status| status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error());
            match pauses.next().filter(|_| again && passing && began.elapsed() < REQUEST) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(failed),
            }
        }
    }

    async fn once(
        &self,
        method: Method,
        path: &[&str],
        query: Option<&str>,
        token: Option<&SecretValue>,
        body: Option<&Value>,
    ) -> Result<Value, Failed> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path.iter().flat_map(|part| part.split('/')));
        }
        url.set_query(query);
        let mut request = self.client.request(method, url).header("X-Vault-Request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(token) = token {
            let mut value = reqwest::header::HeaderValue::from_str(token.reveal())
                .map_err(|_| Failed { status: None, why: "the token has characters that none has".into() })?;
            value.set_sensitive(true);
            request = request.header("X-Vault-Token", value);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let lost = |error: reqwest::Error| Failed { status: None, why: innermost(&error.without_url()) };
        let mut answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(Failed { status: Some(status), why: "its answer is too large".into() });
            }
            bytes.extend_from_slice(&chunk);
        }
        let read: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(read);
        }
        if status.is_redirection() {
            let why = "it sends requests elsewhere; name the server that answers them itself";
            return Err(Failed { status: Some(status), why: why.into() });
        }
        let said = read["errors"].as_array().and_then(|errors| errors.first()).and_then(Value::as_str);
        let said: String = said.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let said: String = super::super::redact::owned(said).chars().take(200).collect();
        let why = if said.is_empty() {
            format!("it answers {status}")
        } else {
            format!("it answers {status}: {said}")
        };
        Err(Failed { status: Some(status), why })
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}
