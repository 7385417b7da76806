//! Every setting of a client: key, type, unit, default, environment variable and meaning, once.

mod memory;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::{Fallback, Grouping, SETTINGS, Setting, Settings, WorkerKind, describe};
