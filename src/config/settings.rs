//! The table of settings, and how a client's own are found: what is given, else the environment, else the default.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::memory;
use crate::error::{Code, Error, Result};
use crate::names::nearest;
use crate::task::{At, Kind, Mode, Preset, Progress};

/// What holds for all runs of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub threads: usize,
    pub memory_limit: u64,
    pub spill_dir: PathBuf,
    pub batch_rows: usize,
    pub progress: Progress,
    pub grouping: Grouping,
    pub io_threads: usize,
    pub workers: usize,
    pub worker_kind: WorkerKind,
    pub mode: Mode,
    pub secrets_ttl: u64,
    pub worker_max_tasks: Option<u64>,
    pub worker_max_growth: Option<u64>,
    pub worker_start_seconds: u64,
    pub worker_idle_seconds: u64,
    pub state_dir: PathBuf,
    pub state_days: u64,
    pub state_limit: u64,
}

/// Which operator groups rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// Ours where it can, else the engine's.
    Auto,
    /// Ours that spills, from the start.
    Spilling,
    /// The same, and joins of sorted tables.
    Merging,
    /// The engine's always: the oracle of the tests.
    Datafusion,
}

/// What runs user code in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerKind {
    Processes,
    /// Of the client's own process.
    Threads,
}

/// One row of the table of settings.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub key: &'static str,
    pub kind: Kind,
    /// What a number counts; empty where it is no number.
    pub unit: &'static str,
    pub default: Fallback,
    pub env: &'static str,
    pub meaning: &'static str,
}

/// The value of a setting that nobody gave.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    Fixed(Preset),
    /// Taken from the machine: in words, and how.
    Machine(&'static str, fn() -> Value),
}

use Fallback::{Fixed, Machine};

#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    Setting { key: "threads", kind: Kind::Int { min: 1, max: 1024 }, unit: "threads",
        default: Machine("the cores that the process may use, container quota included", cores), env: "RLM_THREADS",
        meaning: "threads that compute" },
    Setting { key: "memory_limit", kind: Kind::Bytes { min: 1_000_000 }, unit: "bytes",
        default: Machine("60 % of the physical memory, or of the container's limit where that is less", memory_share), env: "RLM_MEMORY_LIMIT",
        meaning: "memory that all runs of the client together may hold before they spill" },
    Setting { key: "spill_dir", kind: Kind::Name, unit: "",
        default: Machine("the system's directory for temporary files", temp_dir), env: "RLM_SPILL_DIR",
        meaning: "the directory for what does not fit in memory" },
    Setting { key: "batch_rows", kind: Kind::Int { min: 1, max: 1 << 24 }, unit: "rows",
        default: Fixed(Preset::Int(16_384)), env: "RLM_BATCH_ROWS",
        meaning: "rows decoded at once where chunkSize is \"auto\"" },
    Setting { key: "progress", kind: Kind::Or("auto", &Kind::Bool), unit: "",
        default: Fixed(Preset::Word("auto")), env: "RLM_PROGRESS",
        meaning: "whether runs show a progress bar; \"auto\" does for long runs in a terminal or notebook" },
    Setting { key: "grouping", kind: Kind::Choice(&["auto", "spilling", "merging", "datafusion"]), unit: "",
        default: Fixed(Preset::Word("auto")), env: "RLM_GROUPING",
        meaning: "the operators that group and join rows: the fastest that fit, groups of ours that spill, these with joins of sorted tables, or DataFusion's, which all spill, for comparison" },
    Setting { key: "io_threads", kind: Kind::Int { min: 1, max: 256 }, unit: "threads",
        default: Fixed(Preset::Int(2)), env: "RLM_IO_THREADS",
        meaning: "threads that wait for files and object stores" },
    Setting { key: "workers", kind: Kind::Int { min: 1, max: 1024 }, unit: "processes",
        default: Machine("the cores that the process may use, container quota included", cores), env: "RLM_WORKERS",
        meaning: "processes, or threads (`worker_kind`), that run user code in Python; started when they are needed" },
    Setting { key: "worker_kind", kind: Kind::Choice(&["processes", "threads"]), unit: "",
        default: Fixed(Preset::Word("processes")), env: "RLM_WORKER_KIND",
        meaning: "what runs user code in Python: processes, or threads of the client's own, which cannot be stopped in C code nor held to a limit of memory" },
    Setting { key: "mode", kind: Kind::Choice(&["auto", "native", "python"]), unit: "",
        default: Fixed(Preset::Word("auto")), env: "RLM_MODE",
        meaning: "how operations on sources run where the task says \"auto\": native where possible, native or not at all, or in Python" },
    Setting { key: "secrets_ttl", kind: Kind::Int { min: 0, max: 86_400 }, unit: "seconds",
        default: Fixed(Preset::Int(60)), env: "RLM_SECRETS_TTL",
        meaning: "how long the value of a secret is kept before its provider is asked again; those of the environment and of files are not kept" },
    Setting { key: "worker_max_tasks", kind: Kind::Int { min: 1, max: u64::MAX }, unit: "items",
        default: Fixed(Preset::Null), env: "RLM_WORKER_MAX_TASKS",
        meaning: "items, batches or chunks after which a worker is replaced by a new one, between two calls; None for never" },
    Setting { key: "worker_max_growth", kind: Kind::Bytes { min: 1_000_000 }, unit: "bytes",
        default: Fixed(Preset::Null), env: "RLM_WORKER_MAX_GROWTH",
        meaning: "a worker that holds so much more than after its first call is replaced, between two calls; None for half of its share of `memory_limit`" },
    Setting { key: "worker_start_seconds", kind: Kind::Int { min: 1, max: 86_400 }, unit: "seconds",
        default: Fixed(Preset::Int(60)), env: "RLM_WORKER_START_SECONDS",
        meaning: "how long a worker is started again, after growing waits, where something outside ends it before it is ready, or the system has no room for it" },
    Setting { key: "worker_idle_seconds", kind: Kind::Int { min: 1, max: 86_400 }, unit: "seconds",
        default: Fixed(Preset::Int(60)), env: "RLM_WORKER_IDLE_SECONDS",
        meaning: "how long a worker that nobody needs is kept; as many as `client.warm()` was asked for stay as long as the client" },
    Setting { key: "state_dir", kind: Kind::Name, unit: "",
        default: Machine("`rlm-hypervisor` in the user's directory for state (`$XDG_STATE_HOME`, else `~/.local/state`)", state_dir), env: "RLM_STATE_DIR",
        meaning: "the directory for what outlives the process: finished chunks of runs with an `idempotencyKey`, and dead letters" },
    Setting { key: "state_days", kind: Kind::Int { min: 1, max: 3_650 }, unit: "days",
        default: Fixed(Preset::Int(30)), env: "RLM_STATE_DAYS",
        meaning: "after how many days in which nobody used it a file in `state_dir` is removed" },
    Setting { key: "state_limit", kind: Kind::Bytes { min: 1_000_000 }, unit: "bytes",
        default: Fixed(Preset::Int(10_000_000_000)), env: "RLM_STATE_LIMIT",
        meaning: "what the files in `state_dir` may take together; beyond, those that were not used for longest are removed" },
];

impl Settings {
    /// The settings in force, as plain data.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The settings of a client; an override of `null` counts as not given, an empty variable as not set.
    pub fn resolve(overrides: &Map<String, Value>, env: impl Fn(&str) -> Option<String>) -> Result<Settings> {
        if let Some(key) = overrides.keys().find(|key| !SETTINGS.iter().any(|setting| setting.key == **key)) {
            return Err(unknown(key));
        }
        let mut resolved = Map::new();
        for setting in SETTINGS {
            let value = match overrides.get(setting.key).filter(|value| !value.is_null()) {
                Some(given) => setting.check(given, setting.key)?,
                None => match env(setting.env).filter(|text| !text.trim().is_empty()) {
                    Some(text) => setting.check(&setting.kind.from_text(&text), setting.env)?,
                    None => setting.default.value(),
                },
            };
            resolved.insert(setting.key.to_owned(), value);
        }
        let settings: Settings = serde_json::from_value(resolved.into())
            .map_err(|error| Error::internal(format!("checked settings do not fit their type: {error}")))?;
        if settings.worker_kind == WorkerKind::Threads && settings.worker_max_growth.is_some() {
            let message =
                "worker_max_growth is for processes: what a thread holds cannot be told from what others do";
            return Err(Error::new(Code::InvalidTask, message)
                .hint("Leave it out, or leave `worker_kind` at \"processes\"")
                .detail("path", "worker_max_growth"));
        }
        Ok(settings)
    }
}

impl Setting {
    fn check(&self, value: &Value, path: &str) -> Result<Value> {
        self.kind.check(&At::new(value, path)).map_err(|error| match error.advice() {
            Some(_) => error,
            None => error.hint(format!("`{}` is: {}", self.key, self.meaning)),
        })
    }
}

impl Fallback {
    pub fn value(&self) -> Value {
        match self {
            Fixed(preset) => preset.value().unwrap_or_default(),
            Machine(_, read) => read(),
        }
    }
}

fn unknown(key: &str) -> Error {
    let allowed: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
    let message = format!("{key} is not a setting of a client");
    let error = Error::new(Code::InvalidTask, message)
        .detail("path", key)
        .detail("given", key)
        .detail("allowed", allowed.clone());
    let list = format!("Settings: {}", allowed.join(", "));
    match nearest(key, allowed) {
        Some(nearest) => error.detail("nearest", nearest).hint(format!("Did you mean \"{nearest}\"? {list}")),
        None => error.hint(list),
    }
}

fn cores() -> Value {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).into()
}

fn memory_share() -> Value {
    (memory::available() / 10 * 6).into()
}

fn state_dir() -> Value {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local").join("state")));
    home.unwrap_or_else(std::env::temp_dir).join("rlm-hypervisor").to_string_lossy().into()
}

fn temp_dir() -> Value {
    std::env::temp_dir().to_string_lossy().into()
}

/// The table as data, for the documentation, the stubs and the guard against drift.
pub fn describe() -> Value {
    let rows = SETTINGS.iter().map(|setting| {
        let (default, from) = match setting.default {
            Fixed(preset) => (preset.value(), None),
            Machine(words, _) => (None, Some(words)),
        };
        json!({
            "key": setting.key, "kind": setting.kind.wanted(), "choices": setting.kind.choices(),
            "unit": setting.unit, "default": default, "defaultFrom": from,
            "env": setting.env, "meaning": setting.meaning,
        })
    });
    rows.collect()
}
