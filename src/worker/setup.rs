//! What a worker does before its first call: modules are imported, and a function of the user's is called once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Failure, Function};
use super::shared::Blob;

/// The same for all workers of a pool.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Modules that a process imports if it has them.
    pub modules: Vec<String>,
    pub function: Option<Arc<Function>>,
    /// How long the function may take at least.
    pub patience: Duration,
}

impl Setup {
    /// Whether workers with either are the same to their calls: modules are only a matter of time.
    pub fn is_as(&self, other: &Self) -> bool {
        let id = |setup: &Self| setup.function.as_ref().map(|function| function.id.clone());
        id(self) == id(other)
    }

    /// What a worker is told, behind its page.
    pub fn message(&self, page: Blob) -> (Value, Vec<Blob>) {
        let name = self.function.as_ref().map(|function| &function.name);
        let head = json!({ "t": "start", "modules": self.modules, "setup": name });
        let blobs = [page].into_iter().chain(self.function.as_ref().map(|function| function.bytes.clone()));
        (head, blobs.collect())
    }
}

/// An exception of the function.
#[derive(Debug)]
pub struct Unready {
    /// The function's name.
    pub function: String,
    pub failure: Failure,
    pub blobs: Vec<Blob>,
}
