//! Secrets for Python: a value that shows itself to nobody, and the keeper of a client's.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use serde::Deserialize;

use super::calls::of_exception;
use super::errors::raised;
use super::json;
use super::leaving::{attached, called};
use super::run::SIGNALS_EVERY;
use crate::error::{Code, Error, Result};
use crate::secrets::environment::Environment;
use crate::secrets::files::Files;
use crate::secrets::provider::unavailable;
use crate::secrets::vault::{Auth, Options, Vault};
use crate::secrets::{self, Found, Given, Provider, SecretValue, Secrets};

/// Equal values have equal hashes, which say nothing about them outside of this process.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

#[pyclass(name = "Secret", module = "rlm_hypervisor._core", frozen)]
pub struct PySecret {
    name: String,
    pub value: SecretValue,
}

#[pymethods]
impl PySecret {
    #[new]
    #[pyo3(signature = (value, name="secret"))]
    fn new(py: Python<'_>, value: &Bound<'_, PyAny>, name: &str) -> PyResult<Self> {
        let value = text(value, name)?.map_err(|error| raised(py, error))?;
        secrets::redact::add(&value);
        Ok(Self { name: name.to_owned(), value })
    }

    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    fn reveal(&self) -> &str {
        self.value.reveal()
    }

    fn __repr__(&self) -> String {
        secrets::redact::owned(format!("Secret('{}')", self.name))
    }

    fn __str__(&self) -> &'static str {
        secrets::redact::MARK
    }

    fn __format__<'py>(&self, py: Python<'py>, spec: &str) -> PyResult<Bound<'py, PyAny>> {
        PyString::new(py, secrets::redact::MARK).call_method1("__format__", (spec,))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.value == other.value
    }

    fn __hash__(&self) -> u64 {
        HASHES.hash_one(&self.value)
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Secret cannot be pickled. Name it in `options.secrets`, and read `current_task().secrets` in the operation",
        ))
    }
}

/// A value that Python gave, as the value of a secret.
fn text(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Result<SecretValue>> {
    if let Ok(secret) = value.cast::<PySecret>() {
        return Ok(Ok(secret.get().value.clone()));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(SecretValue::checked(name, bytes.as_bytes().to_vec()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(SecretValue::checked(name, text.extract::<String>()?.into_bytes()));
    }
    let kind = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("the value of a secret is text or bytes, not {kind}")))
}

/// Options of stores: text, a secret, or `{"secret": name}`.
pub fn settings_of(given: HashMap<String, Bound<'_, PyAny>>) -> PyResult<BTreeMap<String, Given>> {
    given.into_iter().map(|(name, value)| Ok((name, setting(&value)?))).collect()
}

fn setting(value: &Bound<'_, PyAny>) -> PyResult<Given> {
    if let Ok(secret) = value.cast::<PySecret>() {
        return Ok(Given::Plain(secret.get().value.clone()));
    }
    if let Ok(named) = value.cast::<PyDict>() {
        let name =
            named.get_item("secret")?.ok_or_else(|| PyTypeError::new_err("a secret without a name"))?;
        return Ok(Given::Named(name.extract()?));
    }
    Ok(Given::Plain(SecretValue::new(value.extract::<String>()?)))
}

/// A provider of the core, in Python's words; `rlm_hypervisor/secrets.py` writes them.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Asked {
    Environment { prefix: String },
    Files { directory: PathBuf },
    Vault(Box<AskedVault>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedVault {
    address: String,
    mount: String,
    prefix: String,
    namespace: Option<String>,
    ca_file: Option<String>,
    allow_http: bool,
    auth: String,
    auth_mount: String,
    role: String,
    jwt_file: PathBuf,
}

fn provider(asked: &Bound<'_, PyAny>) -> PyResult<Result<Box<dyn Provider>>> {
    let Ok(asked) = asked.cast::<PyDict>() else {
        return Ok(Custom::new(asked).map(|custom| Box::new(custom) as Box<dyn Provider>));
    };
    // Secrets are no plain data.
    let plain = asked.copy()?;
    let credential = match plain.get_item("credential")? {
        Some(secret) => {
            plain.del_item("credential")?;
            secret.cast::<PySecret>().ok().map(|secret| secret.get().value.clone())
        }
        None => None,
    };
    let asked = serde_json::from_value(json::from_python(plain.as_any())?);
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return Ok(Err(Error::internal(format!("a provider is not understood: {error}")))),
    };
    Ok(match asked {
        Asked::Environment { prefix } => Environment::new(prefix).map(|made| Box::new(made) as _),
        Asked::Files { directory } => Ok(Box::new(Files::new(directory))),
        Asked::Vault(asked) => vault(*asked, credential).map(|made| Box::new(made) as _),
    })
}

fn vault(asked: AskedVault, credential: Option<SecretValue>) -> Result<Vault> {
    let AskedVault { auth_mount: mount, role, jwt_file: jwt, .. } = asked;
    let auth = match (asked.auth.as_str(), credential) {
        ("token", Some(token)) => Auth::Token(token),
        ("approle", Some(secret)) => Auth::AppRole { mount, role, secret },
        ("kubernetes", None) => Auth::Kubernetes { mount, role, jwt },
        (other, _) => return Err(Error::internal(format!("the login `{other}` without what it needs"))),
    };
    Vault::new(Options {
        address: asked.address,
        mount: asked.mount,
        prefix: asked.prefix,
        namespace: asked.namespace,
        ca: asked.ca_file,
        allow_http: asked.allow_http,
        auth,
    })
}

/// An object of the user's, with `get(name)`, and perhaps `names()` and `set(name, value)`.
struct Custom {
    object: Py<PyAny>,
    described: String,
}

impl Custom {
    fn new(object: &Bound<'_, PyAny>) -> Result<Self> {
        let kind = object.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string());
        let callable = object.getattr("get").is_ok_and(|get| get.is_callable());
        if !callable || object.is_instance_of::<pyo3::types::PyType>() {
            return Err(Error::new(
                Code::InvalidTask,
                format!("a {kind} is no provider of secrets: it has no method `get(name)`"),
            )
            .hint("Give objects of `rlm_hypervisor.secrets`, or your own with `get(name)`")
            .detail("path", "secrets"));
        }
        let told = object.call_method0("describe").and_then(|told| told.extract::<String>());
        Ok(Self { object: object.clone().unbind(), described: told.unwrap_or(kind) })
    }

    /// Calls the object; what it raises is an error about this secret.
    fn call<T: Send>(
        &self,
        name: &str,
        work: impl FnOnce(Python<'_>, &Bound<'_, PyAny>) -> PyResult<Result<T>> + Send,
    ) -> Result<T> {
        let called = attached(|py| {
            work(py, self.object.bind(py)).unwrap_or_else(|error| {
                let error = of_exception(py, &error);
                let why = error.cause().map_or_else(
                    || error.to_string(),
                    |cause| format!("{}: {}", cause.type_name, cause.message),
                );
                Err(unavailable(name, &self.described, &why))
            })
        });
        called.unwrap_or_else(|| Err(unavailable(name, &self.described, "the interpreter is gone")))
    }
}

impl Provider for Custom {
    fn describe(&self) -> String {
        self.described.clone()
    }

    fn get(&self, name: &str) -> Result<Option<Found>> {
        self.call(name, |_, object| {
            let found = called(&object.getattr("get")?, (name,))?;
            if found.is_none() {
                return Ok(Ok(None));
            }
            Ok(text(&found, name)?.map(|value| Some(value.into())))
        })
    }

    fn names(&self) -> Result<Option<Vec<String>>> {
        self.call("*", |_, object| {
            let listed = match (object.getattr("names"), object.getattr("keys")) {
                (Ok(names), _) if names.is_callable() => called(&names, ())?,
                (_, Ok(keys)) if keys.is_callable() => called(&keys, ())?,
                _ => return Ok(Ok(None)),
            };
            if listed.is_none() {
                return Ok(Ok(None));
            }
            let names = listed.try_iter()?.map(|name| name?.extract::<String>());
            Ok(Ok(Some(names.collect::<PyResult<_>>()?)))
        })
    }

    fn set(&self, name: &str, value: &SecretValue) -> Result<bool> {
        self.call(name, |_, object| {
            let Ok(set) = object.getattr("set") else { return Ok(Ok(false)) };
            let done = called(&set, (name, value.reveal()))?;
            // Nothing returned means that it is kept.
            Ok(Ok(done.is_none() || done.is_truthy()?))
        })
        .map_err(|error| {
            let message = format!("cannot write the secret `{name}` to {}", self.described);
            Error::new(
                Code::OutputFailed,
                format!(
                    "{message}: {}",
                    error.details().get("why").and_then(serde_json::Value::as_str).unwrap_or_default()
                ),
            )
            .detail("secret", name)
            .detail("provider", self.described.as_str())
        })
    }
}

#[pyclass(name = "Secrets", module = "rlm_hypervisor._core", frozen)]
pub struct PySecrets {
    pub secrets: Arc<Secrets>,
}

#[pymethods]
impl PySecrets {
    #[new]
    fn new(py: Python<'_>, providers: Vec<Bound<'_, PyAny>>, keep_seconds: u64) -> PyResult<Self> {
        let mut made = Vec::new();
        for asked in &providers {
            made.push(provider(asked)?.map_err(|error| raised(py, error))?);
        }
        Ok(Self { secrets: Arc::new(Secrets::new(made, Duration::from_secs(keep_seconds))) })
    }

    fn get(&self, py: Python<'_>, name: &str) -> PyResult<PySecret> {
        let value = match self.secrets.fresh(name) {
            Some(value) => value,
            None => {
                let (secrets, name) = (self.secrets.clone(), name.to_owned());
                interruptible(py, move || secrets.get(&name))?
            }
        };
        Ok(PySecret { name: name.to_owned(), value })
    }

    fn set(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = text(value, name)?.map_err(|error| raised(py, error))?;
        let (secrets, name) = (self.secrets.clone(), name.to_owned());
        interruptible(py, move || secrets.set(&name, value))
    }

    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let secrets = self.secrets.clone();
        interruptible(py, move || secrets.names())
    }

    #[pyo3(signature = (name=None))]
    fn refresh(&self, py: Python<'_>, name: Option<&str>) {
        py.detach(|| self.secrets.refresh(name));
    }

    fn described(&self) -> String {
        secrets::redact::owned(self.secrets.described())
    }
}

/// The name of threads that ask providers.
const ASKING: &str = "rlm-secrets";

/// What asks providers, which may hang: in a thread of its own, so that Ctrl-C ends the wait for it. A provider that
/// asks for another secret is in such a thread already, and the one that may ask.
pub fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> PyResult<T> {
    if std::thread::current().name() == Some(ASKING) {
        return py.detach(work).map_err(|error| raised(py, error));
    }
    let (tell, mut told) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(ASKING.to_owned());
    let started = thread.spawn(move || {
        // Whoever waited may be gone.
        let _ = tell.send(work());
    });
    started.map_err(|error| {
        let message = format!("cannot start a thread that asks for secrets: {error}");
        raised(py, Error::new(Code::OutOfMemory, message).hint("Raise the limit of threads"))
    })?;
    loop {
        let told = &mut told;
        match py.detach(move || told.recv_timeout(SIGNALS_EVERY)) {
            Ok(found) => return found.map_err(|error| raised(py, error)),
            Err(mpsc::RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(raised(py, Error::internal("a provider of secrets panicked")));
            }
        }
    }
}

/// Whether there is any value to take out of texts.
#[pyfunction]
pub fn redacts() -> bool {
    secrets::redact::active()
}

/// The text without values of secrets. One that has halves of characters, which UTF-8 has not, stays as it is if
/// there is no value in it; else they are escaped.
#[pyfunction]
pub fn redact<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    if !secrets::redact::active() {
        return Ok(text.clone());
    }
    let whole: String = match text.extract() {
        Ok(whole) => whole,
        Err(_) => {
            let bytes = text.call_method1("encode", ("utf-8", "backslashreplace"))?;
            String::from_utf8_lossy(bytes.cast::<PyBytes>()?.as_bytes()).into_owned()
        }
    };
    match secrets::redact::text(&whole) {
        std::borrow::Cow::Borrowed(_) => Ok(text.clone()),
        std::borrow::Cow::Owned(clean) if clean == whole => Ok(text.clone()),
        std::borrow::Cow::Owned(clean) => Ok(PyString::new(text.py(), &clean)),
    }
}
