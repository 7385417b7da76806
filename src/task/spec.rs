//! The normalised task: what the rest of the core works with once a document has been found right.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskSpec {
    #[serde(rename = "type")]
    pub kind: TaskType,
    pub description: Option<String>,
    pub operation: OperationRef,
    pub input: Input,
    pub chunk_size: ChunkSize,
    pub combine: Combine,
    /// What the values of a `map_reduce` task are grouped by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// What a `map_reduce` task does with the values of one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<OperationRef>,
    /// What a worker of a `parallel_inference` task calls once, before its first chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<OperationRef>,
    /// How long an item of a `parallel_inference` task waits for those of other runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait_ms: Option<u64>,
    pub output: Option<Output>,
    pub options: Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskType {
    Parallel,
    Sequential,
    Recursive,
    MapReduce,
    BatchProcessing,
    ParallelInference,
}

/// The user's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OperationRef {
    Callable(Callable),
    /// The name of a registered operation.
    Named(String),
    Sql(Sql),
    /// Operations of a `sequential` task; each receives what the one before returned.
    Steps(Vec<OperationRef>),
}

/// A query over the source, which is the table `partition`, and over other tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sql {
    pub query: String,
    /// In the order of the document.
    pub tables: Vec<SqlTable>,
}

/// A table of a query, beside `partition`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlTable {
    pub name: String,
    /// Never empty.
    pub sources: Vec<SourceRef>,
    pub format: Option<String>,
    /// Options of its store: text, or `{"secret": name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_options: Option<Map<String, Value>>,
    /// In normal form, those that are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_options: Option<Value>,
}

/// A callable of the caller's language; `id` is the caller's handle of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callable {
    pub name: String,
    pub id: u64,
}

/// An object of the caller's language that is not plain data; `id` is the caller's handle of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    #[serde(rename = "type")]
    pub type_name: String,
    pub id: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Input {
    Source(SourceSpec),
    Items(Items),
    /// The user's own value, untouched, markers included.
    Value(Value),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceSpec {
    /// Never empty; one source and a list of one are the same.
    pub sources: Vec<SourceRef>,
    pub format: Option<String>,
    /// Options of its store: text, or `{"secret": name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_options: Option<Map<String, Value>>,
    /// In normal form, those that are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_options: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SourceRef {
    /// A path, glob, directory or URL, as the user wrote it.
    Url(String),
    /// An object with an Arrow capsule.
    Arrow(Foreign),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Items {
    List(Vec<Value>),
    /// An iterable of the caller's language: a generator, a set, an array.
    Object(Foreign),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AutoOr<u64>", into = "AutoOr<u64>")]
pub enum ChunkSize {
    Auto,
    Rows(u64),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Combine {
    Auto,
    Concat,
    List,
    Callable(Callable),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Key {
    Columns(Vec<String>),
    Callable(Callable),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Output {
    pub url: String,
    pub format: Option<String>,
    pub partition_by: Vec<String>,
    pub mode: OutputMode,
    pub compression: Option<String>,
    pub max_rows_per_file: Option<u64>,
    pub success_marker: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OutputMode {
    Error,
    Overwrite,
    Append,
    Ignore,
}

/// A `None` means that the client's setting, or no limit, holds; the table of options says which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    pub timeout_ms: Option<u64>,
    pub priority: Priority,
    pub retries: u32,
    pub on_error: OnError,
    pub max_failures: Option<u64>,
    pub backoff_ms: u64,
    pub max_backoff_ms: u64,
    pub retry_on: Option<Vec<String>>,
    pub do_not_retry: Vec<String>,
    pub chunk_timeout_ms: Option<u64>,
    pub soft_timeout_ms: Option<u64>,
    pub parallelism: Option<usize>,
    pub memory_limit: Option<u64>,
    pub max_depth: u32,
    pub cache: bool,
    pub idempotency_key: Option<String>,
    pub mode: Mode,
    pub tags: Tags,
    /// Names only; a secret's value never stands in a task.
    pub secrets: Vec<String>,
    pub progress: Option<Progress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Priority {
    Low,
    Normal,
    High,
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnError {
    Fail,
    Collect,
    Skip,
    #[serde(rename = "dead_letter")]
    DeadLetter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    Auto,
    Native,
    Python,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tags {
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AutoOr<bool>", into = "AutoOr<bool>")]
pub enum Progress {
    /// Shown in a terminal or a notebook once a run has taken a while.
    Auto,
    On,
    Off,
}

/// How "auto, or a value" is written: the word, or the bare value.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum AutoOr<T> {
    Given(T),
    Auto(AutoWord),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AutoWord {
    Auto,
}

impl From<AutoOr<u64>> for ChunkSize {
    fn from(written: AutoOr<u64>) -> Self {
        match written {
            AutoOr::Given(rows) => Self::Rows(rows),
            AutoOr::Auto(_) => Self::Auto,
        }
    }
}

impl From<ChunkSize> for AutoOr<u64> {
    fn from(size: ChunkSize) -> Self {
        match size {
            ChunkSize::Auto => Self::Auto(AutoWord::Auto),
            ChunkSize::Rows(rows) => Self::Given(rows),
        }
    }
}

impl From<AutoOr<bool>> for Progress {
    fn from(written: AutoOr<bool>) -> Self {
        match written {
            AutoOr::Given(true) => Self::On,
            AutoOr::Given(false) => Self::Off,
            AutoOr::Auto(_) => Self::Auto,
        }
    }
}

impl From<Progress> for AutoOr<bool> {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Auto => Self::Auto(AutoWord::Auto),
            Progress::On => Self::Given(true),
            Progress::Off => Self::Given(false),
        }
    }
}
