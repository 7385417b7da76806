//! What a worker is asked to do, and what it answers: the heads of the messages.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::shared::Blob;
use crate::secrets::SecretValue;

/// User code, pickled; sent to each worker once.
#[derive(Debug)]
pub struct Function {
    /// A hash of the bytes.
    pub id: String,
    /// What the user calls it.
    pub name: String,
    pub bytes: Blob,
}

impl Function {
    pub fn new(name: String, bytes: &[u8]) -> std::io::Result<Self> {
        use std::hash::BuildHasher;
        let hash = foldhash::fast::FixedState::with_seed(0).hash_one(bytes);
        let id = format!("{hash:016x}-{}", bytes.len());
        Ok(Self { id, name, bytes: Blob::new(bytes)? })
    }
}

/// One call of a worker: a function on some of the items of a payload.
#[derive(Debug, Clone)]
pub struct Call {
    pub function: Arc<Function>,
    pub head: Head,
    pub payload: Vec<Blob>,
    /// What the operation may read, by name.
    pub secrets: Arc<Vec<(String, SecretValue)>>,
}

/// The head of a call, as the worker reads it.
#[derive(Debug, Clone, Serialize)]
pub struct Head {
    pub t: &'static str,
    /// Unique in the pool.
    pub call: u64,
    pub function: String,
    /// How the payload is to be read and the function called: a word that runtime and worker share.
    pub kind: &'static str,
    pub run: Arc<str>,
    /// The items of the payload that are wanted.
    pub from: u64,
    pub to: u64,
    /// The number of the payload's first item in the run.
    pub first: u64,
    /// From 1.
    pub attempt: u32,
    /// Whether each result goes back before the next item runs: what ended a worker is found that way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub careful: bool,
    /// Milliseconds until the run's deadline.
    pub left_ms: Option<u64>,
    /// Milliseconds that an item may take, and after which it is told so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_ms: Option<u64>,
    /// What else the kind needs.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub more: serde_json::Value,
}

/// What a worker says.
#[derive(Debug, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum Said {
    /// It is ready for calls.
    Ready,
    /// It is not, for its setup raised.
    Unready {
        failure: Failure,
    },
    Part(Part),
    /// A record of the user's logging.
    Log {
        level: String,
        name: String,
        text: String,
    },
    /// What a thread writes: a process has pipes for that.
    Wrote {
        stream: String,
        text: String,
    },
    /// A thread that was to end goes on: told by who ended it, never by a worker.
    #[serde(skip)]
    Abandoned,
    /// How far the call says it is.
    Progress {
        done: f64,
        note: Option<String>,
    },
}

/// Results of some items of a call.
#[derive(Debug, Deserialize)]
pub struct Part {
    pub call: u64,
    pub from: u64,
    pub to: u64,
    /// Whether the call is over.
    pub last: bool,
    /// Those of the items that failed, in order.
    #[serde(default)]
    pub failed: Vec<Failure>,
    /// Microseconds that it took the worker, as it says: without the way there and back.
    #[serde(default)]
    pub us: Option<u64>,
    /// What else the kind says of its results.
    #[serde(default)]
    pub more: serde_json::Value,
    /// The results of the items that did not fail come first; exceptions after them.
    #[serde(skip)]
    pub blobs: Vec<Blob>,
}

/// An exception of user code.
#[derive(Debug, Clone, Deserialize)]
pub struct Failure {
    /// Which item of the payload.
    pub item: u64,
    #[serde(rename = "type")]
    pub type_name: String,
    /// The names of its class and of those that it is made from, with and without their modules.
    #[serde(default)]
    pub classes: Vec<String>,
    pub message: String,
    pub traceback: String,
    /// Whether it may go better another time.
    pub retryable: bool,
    /// Whether what comes before the first call raised it, so that it is not the item's.
    #[serde(default)]
    pub setup: bool,
    /// The code, where it is one of our own errors.
    #[serde(default)]
    pub code: Option<crate::error::Code>,
    /// Which blob holds the pickled exception.
    #[serde(default)]
    pub blob: Option<usize>,
}

impl Failure {
    /// What it may be called where somebody says which failures are meant.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let code = self.code.map(crate::error::Code::name);
        self.classes.iter().map(String::as_str).chain([self.type_name.as_str()]).chain(code)
    }
}
