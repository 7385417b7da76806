//! Secrets in HashiCorp Vault or OpenBao: the key-value engine, version 2.
//!
//! A name is a path below the mount, and a field of what is there: `database/main#password`. Without a field it is
//! the one called `value`, or the only one.

mod http;
mod session;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};

use self::http::{Failed, Http};
use self::session::{Session, Step, next};
use super::provider::{Found, Provider, unavailable};
use super::redact;
use super::value::SecretValue;
use crate::error::{Code, Error, Result};

/// The field of a secret that has no other.
const FIELD: &str = "value";

/// How many names are listed, and how deep below the mount.
const MOST_NAMES: usize = 1_000;
const DEEPEST: usize = 8;

/// How the client says who it is.
#[derive(Debug, Clone)]
pub enum Auth {
    Token(SecretValue),
    AppRole {
        mount: String,
        role: String,
        secret: SecretValue,
    },
    /// With the token of the service account, which is a file in every pod.
    Kubernetes {
        mount: String,
        role: String,
        jwt: PathBuf,
    },
}

/// Where Vault is, and what is asked of it.
#[derive(Debug, Clone)]
pub struct Options {
    pub address: String,
    pub mount: String,
    /// What all names lie below.
    pub prefix: String,
    pub namespace: Option<String>,
    pub ca: Option<String>,
    pub allow_http: bool,
    pub auth: Auth,
}

pub struct Vault {
    http: Http,
    options: Options,
    session: Mutex<Option<Session>>,
    runtime: Mutex<Option<Runtime>>,
}

impl Vault {
    pub fn new(options: Options) -> Result<Self> {
        let http = Http::new(
            &options.address,
            options.namespace.clone(),
            options.ca.as_deref(),
            options.allow_http,
        )?;
        if let Auth::Token(secret) | Auth::AppRole { secret, .. } = &options.auth {
            redact::add(secret);
        }
        Ok(Self { http, options, session: Mutex::default(), runtime: Mutex::default() })
    }

    /// Runs requests to their end, on the calling thread.
    fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut runtime = self.runtime.lock();
        let runtime = match &mut *runtime {
            Some(runtime) => runtime,
            empty => {
                let made = Builder::new_current_thread().enable_all().build();
                let made = made.map_err(|error| Error::internal(format!("no runtime for Vault: {error}")))?;
                empty.insert(made)
            }
        };
        runtime.block_on(work)
    }

    /// A request with a token that holds; a token that is not accepted any more is replaced once.
    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Value, Failed> {
        let token = self.token(false).await?;
        let answer = self.http.send(method.clone(), path, query, Some(&token), body).await;
        match answer {
            Err(failed) if failed.status == Some(StatusCode::FORBIDDEN) && self.can_log_in() => {
                let token = self.token(true).await?;
                self.http.send(method, path, query, Some(&token), body).await
            }
            answer => answer,
        }
    }

    fn can_log_in(&self) -> bool {
        !matches!(self.options.auth, Auth::Token(_))
    }

    async fn token(&self, anew: bool) -> Result<SecretValue, Failed> {
        let now = Instant::now();
        let held = self.session.lock().clone();
        let step = if anew { Step::LogIn } else { next(held.as_ref(), now) };
        let session = match (step, held) {
            (Step::Use, Some(session)) => return Ok(session.token),
            (Step::Renew, Some(session)) => {
                let path = ["auth", "token", "renew-self"];
                let answer =
                    self.http.send(Method::POST, &path, None, Some(&session.token), Some(&json!({}))).await;
                match answer {
                    Ok(answer) => of_login(&answer["auth"], now).unwrap_or(session),
                    // It may not be renewed any more; what is left of it is used before another one is asked for.
                    Err(_) => Session { renewable: false, ..self.log_in(now).await? },
                }
            }
            _ => self.log_in(now).await?,
        };
        redact::add(&session.token);
        *self.session.lock() = Some(session.clone());
        Ok(session.token)
    }

    async fn log_in(&self, now: Instant) -> Result<Session, Failed> {
        let (mount, body) = match &self.options.auth {
            Auth::Token(token) => return Ok(self.of_token(token, now).await),
            Auth::AppRole { mount, role, secret } => {
                (mount, json!({ "role_id": role, "secret_id": secret.reveal() }))
            }
            Auth::Kubernetes { mount, role, jwt } => {
                let read = std::fs::read_to_string(jwt).map_err(|error| Failed {
                    status: None,
                    why: format!(
                        "cannot read the token of the service account, `{}`: {error}",
                        jwt.display()
                    ),
                })?;
                let read = SecretValue::new(read.trim());
                redact::add(&read);
                (mount, json!({ "role": role, "jwt": read.reveal() }))
            }
        };
        let answer = self.http.send(Method::POST, &["auth", mount, "login"], None, None, Some(&body)).await?;
        of_login(&answer["auth"], now)
            .ok_or_else(|| Failed { status: None, why: "its answer to the login has no token".into() })
    }

    /// What Vault knows of a token that was given. It need not allow the question.
    async fn of_token(&self, token: &SecretValue, now: Instant) -> Session {
        let path = ["auth", "token", "lookup-self"];
        let answer = self.http.send(Method::GET, &path, None, Some(token), None).await.unwrap_or_default();
        let data = &answer["data"];
        Session {
            token: token.clone(),
            since: now,
            lease: seconds(&data["ttl"]),
            renewable: data["renewable"].as_bool().unwrap_or(false),
        }
    }

    fn place(&self) -> String {
        format!("Vault at {} (mount `{}`)", self.http.place(), self.options.mount)
    }

    /// The path of a name below the mount, and its field. None for what can be no path.
    fn split<'a>(&self, name: &'a str) -> Option<(String, Option<&'a str>)> {
        let (path, field) = match name.split_once('#') {
            Some((path, field)) => (path, Some(field)),
            None => (name, None),
        };
        let whole = format!("{}/{path}", self.options.prefix);
        let parts: Vec<&str> = whole.split('/').filter(|part| !part.is_empty()).collect();
        let known =
            !path.trim_matches('/').is_empty() && !parts.iter().any(|part| matches!(*part, "." | ".."));
        (known && field != Some("")).then(|| (parts.join("/"), field))
    }

    /// What is at a path, and its version.
    async fn read(&self, path: &str) -> Result<Option<(Map<String, Value>, u64)>, Failed> {
        let answer = match self.ask(Method::GET, &[&self.options.mount, "data", path], None, None).await {
            Ok(answer) => answer,
            Err(failed) if failed.status == Some(StatusCode::NOT_FOUND) => return Ok(None),
            Err(failed) => return Err(failed),
        };
        let version = answer["data"]["metadata"]["version"].as_u64().unwrap_or(0);
        match &answer["data"]["data"] {
            Value::Object(fields) => Ok(Some((fields.clone(), version))),
            Value::Null if !answer["data"]["metadata"].is_null() => Ok(None),
            _ => Err(Failed {
                status: None,
                why: "its answer has no `data.data`; the mount has to be a key-value engine of version 2"
                    .into(),
            }),
        }
    }

    async fn list(&self) -> Result<Vec<String>, Failed> {
        let root = self.options.prefix.trim_matches('/');
        let mut folders = vec![(String::new(), 0)];
        let mut names = Vec::new();
        while let Some((folder, depth)) = folders.pop() {
            let below =
                [root, &folder].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
            let mut path = vec![self.options.mount.as_str(), "metadata"];
            if !below.is_empty() {
                path.push(&below);
            }
            let answer = match self.ask(Method::GET, &path, Some("list=true"), None).await {
                Ok(answer) => answer,
                Err(failed) if failed.status == Some(StatusCode::NOT_FOUND) => continue,
                Err(failed) => return Err(failed),
            };
            for key in answer["data"]["keys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let whole = if folder.is_empty() { key.to_owned() } else { format!("{folder}/{key}") };
                match whole.strip_suffix('/') {
                    Some(inner) if depth < DEEPEST => folders.push((inner.to_owned(), depth + 1)),
                    Some(_) => {}
                    None => names.push(whole),
                }
            }
            if names.len() >= MOST_NAMES {
                break;
            }
        }
        names.truncate(MOST_NAMES);
        Ok(names)
    }

    fn failed(&self, name: &str, failed: &Failed) -> Error {
        let error = unavailable(name, &self.place(), &failed.why);
        match failed.status {
            Some(StatusCode::FORBIDDEN) => {
                error.hint("Check the token, and that its policy allows to read the path")
            }
            Some(StatusCode::SERVICE_UNAVAILABLE) => error.hint("It may be sealed"),
            Some(_) => error,
            None => error.hint("Check the address, the network and the certificate (`ca_file`)"),
        }
    }
}

/// A session from the `auth` of an answer.
fn of_login(auth: &Value, now: Instant) -> Option<Session> {
    let token = auth["client_token"].as_str()?;
    Some(Session {
        token: SecretValue::new(token),
        since: now,
        lease: seconds(&auth["lease_duration"]),
        renewable: auth["renewable"].as_bool().unwrap_or(false),
    })
}

/// A lease; 0 stands for one without end.
fn seconds(value: &Value) -> Option<Duration> {
    value.as_u64().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// The field that a name without one means.
fn chosen<'a>(fields: &'a Map<String, Value>, field: Option<&str>) -> Result<&'a Value, Vec<&'a str>> {
    let known = || fields.keys().map(String::as_str).collect::<Vec<_>>();
    match field {
        Some(field) => fields.get(field).ok_or_else(known),
        None if fields.len() == 1 => fields.values().next().ok_or_else(known),
        None => fields.get(FIELD).ok_or_else(known),
    }
}

impl Provider for Vault {
    fn describe(&self) -> String {
        self.place()
    }

    fn get(&self, name: &str) -> Result<Option<Found>> {
        let Some((path, field)) = self.split(name) else { return Ok(None) };
        let read =
            self.wait(async { self.read(&path).await.map_err(|failed| self.failed(name, &failed)) })?;
        let Some((fields, _)) = read else { return Ok(None) };
        let value = chosen(&fields, field).map_err(|known| {
            let what = field.map_or("needs a field".to_owned(), |field| format!("has no field `{field}`"));
            Error::new(Code::InvalidTask, format!("the secret `{name}` {what}: {} has several", self.place()))
                .hint(format!("Write path#field; its fields: {}", known.join(", ")))
                .detail("secret", name)
        })?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => return Ok(None),
            other => other.to_string(),
        };
        Ok(Some(SecretValue::checked(name, text.into_bytes())?.into()))
    }

    fn hidden(&self) -> Option<String> {
        Some("VAULT_TOKEN".to_owned())
    }

    fn names(&self) -> Result<Option<Vec<String>>> {
        self.wait(async {
            match self.list().await {
                Ok(names) => Ok(Some(names)),
                // Reading is allowed more often than listing.
                Err(failed) if failed.status == Some(StatusCode::FORBIDDEN) => Ok(None),
                Err(failed) => Err(self.failed("*", &failed)),
            }
        })
    }

    fn set(&self, name: &str, value: &SecretValue) -> Result<bool> {
        let Some((path, field)) = self.split(name) else { return Ok(false) };
        let refused = |failed: &Failed| {
            Error::new(
                Code::OutputFailed,
                format!("cannot write the secret `{name}` to {}: {}", self.place(), failed.why),
            )
            .hint("Check that the token's policy allows to write the path")
            .detail("secret", name)
        };
        self.wait(async {
            let (mut fields, version) =
                self.read(&path).await.map_err(|failed| refused(&failed))?.unwrap_or_default();
            let field = field.unwrap_or(match fields.keys().next() {
                Some(only) if fields.len() == 1 => only,
                _ => FIELD,
            });
            let field = field.to_owned();
            fields.insert(field, value.reveal().into());
            // Somebody else's change in between is not overwritten. A deleted secret has a version nobody told of.
            let body = if version > 0 {
                json!({ "options": { "cas": version }, "data": fields })
            } else {
                json!({ "data": fields })
            };
            let path = [self.options.mount.as_str(), "data", &path];
            self.ask(Method::POST, &path, None, Some(&body)).await.map_err(|failed| refused(&failed))?;
            Ok(true)
        })
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        // Also where nothing may be waited for.
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(address: &str) -> Options {
        Options {
            address: address.to_owned(),
            mount: "secret".to_owned(),
            prefix: "team/".to_owned(),
            namespace: None,
            ca: None,
            allow_http: false,
            auth: Auth::Token(SecretValue::new("a-token-of-vault")),
        }
    }

    #[test]
    fn names_are_paths_and_fields() {
        let vault = Vault::new(options("http://127.0.0.1:1")).unwrap();
        assert_eq!(vault.split("db#password"), Some(("team/db".to_owned(), Some("password"))));
        assert_eq!(vault.split("a/b"), Some(("team/a/b".to_owned(), None)));
        for name in ["", "#x", "db#", "../other", "a/../../other#x"] {
            assert_eq!(vault.split(name), None, "{name}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for address in ["http://vault.example.com:8200", "ftp://127.0.0.1", "vault:8200", ""] {
            assert!(Vault::new(options(address)).is_err(), "{address}");
        }
        for address in ["https://vault.example.com", "http://localhost:8200", "http://[::1]:8200"] {
            assert!(Vault::new(options(address)).is_ok(), "{address}");
        }
        assert!(Vault::new(Options { allow_http: true, ..options("http://vault.example.com") }).is_ok());
    }

    #[test]
    fn a_server_that_is_not_there_is_named_and_its_token_is_not() {
        let vault = Vault::new(options("http://user:pass-word@127.0.0.1:1")).unwrap();
        let error = vault.get("db#password").unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:1") && error.contains("db#password"), "{error}");
        assert!(!error.contains("a-token-of-vault") && !error.contains("pass-word"), "{error}");
    }

    #[test]
    fn a_field_is_chosen_where_only_one_can_be_meant() {
        let fields = |value: Value| value.as_object().cloned().unwrap();
        let one = fields(json!({ "x": "1" }));
        assert_eq!(chosen(&one, None), Ok(&json!("1")));
        let two = fields(json!({ "x": "1", "value": "2" }));
        assert_eq!(chosen(&two, None), Ok(&json!("2")));
        assert_eq!(chosen(&two, Some("x")), Ok(&json!("1")));
        assert_eq!(chosen(&two, Some("y")), Err(vec!["value", "x"]));
    }
}
