//! The tables of the task document: every type, key and option once, with what it means and since when it runs.
//!
//! A new key is one line here and one field in `spec`; the checks, the errors, `supported` and the
//! documentation follow from these tables.

use serde_json::{Value, json};

use super::kind::Kind;
use super::section::find;
use super::spec::TaskType;
use super::value::At;
use crate::error::Result;
use crate::names;

/// One key of a dict of the document.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub key: &'static str,
    pub kind: Kind,
    pub default: Preset,
    /// The types of task that take the key; none means all.
    pub types: &'static [TaskType],
    pub runs: Runs,
    pub meaning: &'static str,
}

/// What holds when a key is not given.
#[derive(Debug, Clone, Copy)]
pub enum Preset {
    /// It has to be given.
    Required,
    /// Nothing; and `None` cannot be given in its place.
    Absent,
    /// Nothing; `None` says the same.
    Null,
    Word(&'static str),
    Int(u64),
    Bool(bool),
    EmptyList,
}

/// Since which version a part of the contract runs.
#[derive(Debug, Clone, Copy)]
pub enum Runs {
    Since(&'static str),
    /// Only these values do.
    Only(&'static str, &'static [&'static str]),
    /// Only the default does.
    NotYet,
}

/// One type of task.
#[derive(Debug, Clone, Copy)]
pub struct TypeRow {
    pub kind: TaskType,
    pub name: &'static str,
    /// Whether `input` is always a dict with the keys below; else it is one only if it has an `OPENING` key.
    pub structured: bool,
    pub runs: Runs,
    pub meaning: &'static str,
}

use Preset::{Absent, EmptyList, Null, Required, Word};
use Runs::{NotYet, Only, Since};
use TaskType::{BatchProcessing, MapReduce, Parallel, ParallelInference, Recursive, Sequential};

const ALL: &[TaskType] = &[];
const FORMATS: Kind = Kind::Choice(&["parquet", "csv", "json", "arrow", "avro"]);
/// Times beyond a year are slips of units.
const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;
const LEAST_MEMORY: u64 = 1_000_000;

#[rustfmt::skip]
pub const TYPES: &[TypeRow] = &[
    TypeRow { kind: Parallel, name: "parallel", structured: true, runs: Since("0.1"),
        meaning: "the operation on every partition or item, side by side" },
    TypeRow { kind: Sequential, name: "sequential", structured: false, runs: Since("0.1"),
        meaning: "the operation, or several steps, one after another" },
    TypeRow { kind: Recursive, name: "recursive", structured: false, runs: Since("0.1"),
        meaning: "an operation that may split its input into tasks of its own kind" },
    TypeRow { kind: MapReduce, name: "map_reduce", structured: true, runs: Since("0.1"),
        meaning: "a map over partitions or items, and a reduce over the values of each key" },
    TypeRow { kind: BatchProcessing, name: "batch_processing", structured: true, runs: Since("0.1"),
        meaning: "the operation on batches of items" },
    TypeRow { kind: ParallelInference, name: "parallel_inference", structured: true, runs: Since("0.1"),
        meaning: "a model, set up once per worker, over partitions or items" },
];

#[rustfmt::skip]
pub const TASK: &[Field] = &[
    field("type", Kind::Choice(TYPE_NAMES), Required, ALL, Since("0.1"), "what kind of task this is"),
    field("description", Kind::Text, Null, ALL, Since("0.1"), "text for people, and the last resort for finding the operation"),
    field("operation", Kind::Operation, Absent, ALL, Since("0.1"), "the code to run, where `input` does not hold it"),
    field("input", Kind::Input, Absent, ALL, Since("0.1"), "what the operation runs on"),
    field("output", Kind::Section { fields: OUTPUT, short: Some("url") }, Null, ALL, Since("0.1"), "where the answer is written to"),
    field("options", Kind::Section { fields: OPTIONS, short: None }, Null, ALL, Since("0.1"), "how the task is run"),
];

#[rustfmt::skip]
pub const INPUT: &[Field] = &[
    field("source", Kind::Source, Absent, ALL, Since("0.1"), "a table: files, an object store prefix, Arrow data, or a list of these"),
    field("items", Kind::Items, Absent, ALL, Since("0.1"), "a list of values; results come back in its order"),
    field("operation", Kind::Operation, Absent, ALL, Since("0.1"), "the code to run on each partition or item"),
    field("chunkSize", Kind::Or("auto", &Kind::Int { min: 1, max: u64::MAX }), Word("auto"), ALL, Since("0.1"),
        "rows per partition of a source; items in flight together, or per call of a batch_processing task"),
    field("combine", Kind::ChoiceOrCallable(&["auto", "concat", "list"]), Word("auto"), ALL, Since("0.1"), "how the chunks' results become the answer"),
    field("format", FORMATS, Null, ALL, Since("0.1"), "the format of the source's files, where their names do not tell"),
    field("storageOptions", Kind::StoreOptions, Null, ALL, Since("0.1"),
        "how the source's store is reached, before the client's `storage_options`; credentials as `{\"secret\": name}`"),
    field("readOptions", Kind::Reading, Null, ALL, Since("0.1"), "how files of text are read: separator, names, types of columns"),
    field("map", Kind::Operation, Absent, &[MapReduce], Since("0.1"), "what runs on each partition or item; the operation by its other name"),
    field("key", Kind::Key, Absent, &[MapReduce], Since("0.1"), "what the mapped values are grouped by"),
    field("reduce", Kind::Operation, Absent, &[MapReduce], Since("0.1"), "what is done with the values of one key"),
    field("steps", Kind::Operations, Absent, &[Sequential], Since("0.1"), "operations, each of which receives what the one before returned"),
    field("setup", Kind::Operation, Absent, &[ParallelInference], Since("0.1"), "what a worker calls once, before its first chunk, to load the model"),
    field("maxWaitMs", Kind::Int { min: 0, max: 60_000 }, Null, &[ParallelInference], Since("0.1"),
        "milliseconds that an item waits for those of other runs with the same operation, to fill a batch of `chunkSize`; None for batches of its own"),
];

/// Every format takes `columns`, and of the others some: see `Format::options`.
#[rustfmt::skip]
pub const READ: &[Field] = &[
    field("sep", Kind::Char { may_be_empty: false }, Null, ALL, Since("0.1"), "what separates values; None for what the file's name tells: a comma, or a tab"),
    field("header", Kind::Header, Absent, ALL, Since("0.1"), "whether the first line has the names of the columns; if it is not given, it has where `names` is not given"),
    field("names", Kind::Names, Null, ALL, Since("0.1"), "names of the columns, in their order; without these and a header they are \"0\", \"1\", ..."),
    field("skipRows", Kind::Int { min: 0, max: u64::MAX }, Null, ALL, Since("0.1"), "lines to leave out at the start of every file"),
    field("naValues", Kind::MissingValues, Null, ALL, Since("0.1"), "further texts that are missing values"),
    field("keepDefaultNa", Kind::Bool, Null, ALL, Since("0.1"), "whether the usual texts (an empty one, NA, NaN, null, ...) are missing values; None for True"),
    field("quote", Kind::Char { may_be_empty: true }, Null, ALL, Since("0.1"), "what values may be put in; None for \\\"; twice within a value it stands for itself"),
    field("escape", Kind::Char { may_be_empty: false }, Null, ALL, Since("0.1"), "what takes its meaning from the character behind it"),
    field("comment", Kind::Char { may_be_empty: false }, Null, ALL, Since("0.1"), "what begins a comment, which goes on to the end of the line"),
    field("dtype", Kind::Types, Null, ALL, Since("0.1"), "types of columns, which are then not looked for in their values"),
    field("dates", Kind::Dates, Null, ALL, Since("0.1"), "columns of dates and times: in ISO 8601, or in a format of `strftime`"),
    field("columns", Kind::Names, Null, ALL, Since("0.1"), "the columns that the source has, in this order, of files of any format; None for all"),
];

/// What pandas and Spark call the same.
pub const OTHER_NAMES: &[(&str, &str)] = &[
    ("delimiter", "sep"),
    ("separator", "sep"),
    ("quotechar", "quote"),
    ("escapechar", "escape"),
    ("skip_rows", "skipRows"),
    ("nullvalue", "naValues"),
    ("null_values", "naValues"),
    ("nan_value", "naValues"),
    ("parse_dates", "dates"),
    ("date_format", "dates"),
    ("timestamp_format", "dates"),
    ("schema", "dtype"),
    ("dtypes", "dtype"),
    ("schema_overrides", "dtype"),
    ("usecols", "columns"),
    ("select", "columns"),
    ("column_names", "names"),
];

#[rustfmt::skip]
pub const OUTPUT: &[Field] = &[
    field("url", Kind::Name, Required, ALL, Since("0.1"), "the file (its name ends as files of a format do: .parquet, .csv.gz) or directory to write to"),
    field("format", FORMATS, Null, ALL, Since("0.1"), "the format to write, where the URL does not tell; None for parquet"),
    field("partitionBy", Kind::NameOrNames, EmptyList, ALL, Since("0.1"), "columns that become directories, `day=2024-02-29/`, instead of standing in the files"),
    field("mode", Kind::Choice(&["error", "overwrite", "append", "ignore"]), Word("error"), ALL, Since("0.1"), "what happens to what is already there"),
    field("compression", Kind::Choice(&["zstd", "snappy", "gzip", "brotli", "lz4", "bzip2", "deflate", "xz", "none"]), Null, ALL, Since("0.1"),
        "how files are compressed; None for what the name says, else zstd of Parquet, deflate of Avro, none of others"),
    field("maxRowsPerFile", Kind::Int { min: 1, max: u64::MAX }, Null, ALL, Since("0.1"), "rows after which a further file of a directory is begun"),
    field("successMarker", Kind::Bool, Preset::Bool(false), ALL, Since("0.1"), "whether a directory gets an empty file `_SUCCESS`"),
];

#[rustfmt::skip]
pub const OPTIONS: &[Field] = &[
    field("timeoutMs", Kind::Int { min: 1, max: YEAR_MS }, Null, ALL, Since("0.1"), "milliseconds after which the whole run is stopped; None for no deadline"),
    field("priority", Kind::Choice(&["low", "normal", "high", "critical"]), Word("normal"), ALL, Since("0.1"), "which of the waiting runs goes first"),
    field("retries", Kind::Int { min: 0, max: 100 }, Preset::Int(0), ALL, Since("0.1"), "how often a chunk or item that failed for a passing reason is tried again"),
    field("onError", Kind::Choice(&["fail", "collect", "skip", "dead_letter"]), Word("fail"), ALL, Since("0.1"), "what a chunk or item that failed for good does to the run"),
    field("maxFailures", Kind::Int { min: 0, max: u64::MAX }, Null, ALL, Since("0.1"), "how many items may fail where the run goes on; one more ends it; None for any number"),
    field("backoffMs", Kind::Int { min: 0, max: 3_600_000 }, Preset::Int(100), ALL, Since("0.1"), "milliseconds before the second attempt, less up to half of it; doubled for each further one"),
    field("maxBackoffMs", Kind::Int { min: 0, max: 24 * 3_600_000 }, Preset::Int(60_000), ALL, Since("0.1"), "milliseconds that the wait before another attempt grows to at most"),
    field("retryOn", Kind::Names, Null, ALL, Since("0.1"), "names of exception classes, or codes of errors: only these are tried again; None for all that may pass"),
    field("doNotRetry", Kind::Names, EmptyList, ALL, Since("0.1"), "names of exception classes, or codes of errors, that are never tried again"),
    field("chunkTimeoutMs", Kind::Int { min: 1, max: YEAR_MS }, Null, ALL, Since("0.1"), "milliseconds after which a chunk or item is stopped, and fails; None for no limit"),
    field("softTimeoutMs", Kind::Int { min: 1, max: YEAR_MS }, Null, ALL, Since("0.1"), "milliseconds after which `SoftTimeout` is raised in the operation, once for each chunk or item; None for never"),
    field("parallelism", Kind::Int { min: 1, max: 1024 }, Null, ALL, Since("0.1"), "threads that work on the run, None for the client's `threads`; of user code, workers that do, None for `workers`"),
    field("memoryLimit", Kind::Bytes { min: LEAST_MEMORY }, Null, ALL, Since("0.1"), "bytes the run may hold; None for the client's `memory_limit`"),
    field("maxDepth", Kind::Int { min: 1, max: 1000 }, Preset::Int(16), ALL, Since("0.1"), "how deep a recursive task may split"),
    field("cache", Kind::Bool, Preset::Bool(false), ALL, Since("0.1"), "whether equal inputs of a recursive task run once"),
    field("idempotencyKey", Kind::Name, Null, ALL, Since("0.1"), "a key under which what the run has done is kept: the same task goes on where it was, or has its answer"),
    field("mode", Kind::Choice(&["auto", "native", "python"]), Word("auto"), ALL, Since("0.1"), "how the operation runs: as a native plan, in Python, or what is possible"),
    field("tags", Kind::Tags, EmptyList, ALL, Since("0.1"), "labels of the run, for people and for lists of runs"),
    field("secrets", Kind::Names, EmptyList, ALL, Since("0.1"), "names of the secrets that the operation may read in workers (`current_task().secrets`); never their values"),
    field("progress", Kind::Or("auto", &Kind::Bool), Null, ALL, Since("0.1"), "whether a progress bar is shown; None for the client's `progress`"),
];

/// The keys of an operation that is a query.
#[rustfmt::skip]
pub const SQL: &[Field] = &[
    field("sql", Kind::Name, Required, ALL, Since("0.1"), "a query (SELECT, WITH or VALUES); `input.source` is its table `partition`"),
    field("tables", Kind::Tables, Null, ALL, Since("0.1"), "further tables of the query: names, each with a source, or with a dict of the keys below"),
];

/// The keys of a table of a query, where more is said of it than its source.
#[rustfmt::skip]
pub const SQL_TABLE: &[Field] = &[
    field("source", Kind::Source, Required, ALL, Since("0.1"), "as `input.source` of a task"),
    field("format", FORMATS, Null, ALL, Since("0.1"), "the format of the files, where their names do not tell"),
    field("storageOptions", Kind::StoreOptions, Null, ALL, Since("0.1"),
        "how its store is reached, before the client's `storage_options`; credentials as `{\"secret\": name}`"),
    field("readOptions", Kind::Reading, Null, ALL, Since("0.1"), "how its files are read, as `input.readOptions` of a task"),
];

/// Keys of `input` of which at most one may be given.
pub const EXCLUSIVE: &[[&str; 2]] = &[["source", "items"], ["operation", "map"], ["operation", "steps"]];

/// Keys of `input` that mean nothing without one of some others.
pub const NEEDS: &[(&str, &[&str])] = &[
    ("format", &["source"]),
    ("storageOptions", &["source"]),
    ("readOptions", &["source"]),
    ("chunkSize", &["source", "items"]),
    ("combine", &["source", "items"]),
    ("maxWaitMs", &["items"]),
    ("map", &["reduce"]),
    ("key", &["reduce"]),
];

/// Keys that tell a structured `input` of a type that also takes the user's own value.
pub const OPENING: &[&str] = &["source", "items", "operation", "steps"];

/// Keys of `input` that name what runs, as `operation` at the top does.
pub const OPERATIVE: &[&str] = &["operation", "map", "steps"];

const TYPE_NAMES: &[&str] = &{
    let mut all = [""; TYPES.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = TYPES[at].name;
        at += 1;
    }
    all
};

const fn field(
    key: &'static str,
    kind: Kind,
    default: Preset,
    types: &'static [TaskType],
    runs: Runs,
    meaning: &'static str,
) -> Field {
    Field { key, kind, default, types, runs, meaning }
}

impl Field {
    pub fn required(&self) -> bool {
        matches!(self.default, Required)
    }

    pub fn taken_by(&self, kind: Option<TaskType>) -> bool {
        self.types.is_empty() || kind.is_none_or(|kind| self.types.contains(&kind))
    }

    pub fn types_text(&self) -> String {
        self.types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
    }

    /// The value in normal form, or why it is wrong.
    pub fn check(&self, at: &At<'_>) -> Result<Value> {
        if at.value.is_null() && matches!(self.default, Null) { Ok(Value::Null) } else { self.kind.check(at) }
    }

    fn describe(&self) -> Value {
        json!({
            "key": self.key,
            "snake": names::snake(self.key),
            "kind": self.kind.wanted(),
            "choices": self.kind.choices(),
            "required": self.required(),
            "default": self.default.value(),
            "types": TYPES.iter().filter(|row| self.taken_by(Some(row.kind))).map(|row| row.name).collect::<Vec<_>>(),
            "runs": self.runs.describe(),
            "meaning": self.meaning,
        })
    }
}

impl Preset {
    pub fn value(&self) -> Option<Value> {
        match *self {
            Required | Absent => None,
            Null => Some(Value::Null),
            Word(word) => Some(word.into()),
            Preset::Int(number) => Some(number.into()),
            Preset::Bool(flag) => Some(flag.into()),
            EmptyList => Some(json!([])),
        }
    }
}

impl Runs {
    fn describe(&self) -> Value {
        match *self {
            Since(version) => json!({ "today": true, "since": version, "values": "all" }),
            Only(version, values) => json!({ "today": true, "since": version, "values": values }),
            NotYet => json!({ "today": false, "since": null, "values": "default" }),
        }
    }
}

impl TaskType {
    pub fn row(self) -> &'static TypeRow {
        &TYPES[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn of(name: &str) -> Option<TaskType> {
        TYPES.iter().find(|row| row.name == name).map(|row| row.kind)
    }
}

/// Where a key that stands in the wrong dict belongs.
pub fn home_of(key: &str) -> Option<&'static str> {
    let homes = [
        ("the task itself", TASK),
        ("`options`", OPTIONS),
        ("`input`", INPUT),
        ("`output`", OUTPUT),
        ("`input.readOptions`", READ),
        ("the `operation` that is a query", SQL),
    ];
    homes.into_iter().find(|(_, table)| find(table, key).is_some()).map(|(home, _)| home)
}

/// All tables as data, for the documentation, the stubs and the guard against drift.
pub fn describe() -> Value {
    let table = |fields: &[Field]| fields.iter().map(Field::describe).collect::<Value>();
    let types = TYPES.iter().map(|row| {
        json!({
            "name": row.name, "structuredInput": row.structured,
            "runs": row.runs.describe(), "meaning": row.meaning,
        })
    });
    json!({
        "types": types.collect::<Value>(),
        "task": table(TASK),
        "input": table(INPUT),
        "readOptions": table(READ),
        "output": table(OUTPUT),
        "options": table(OPTIONS),
        "sql": table(SQL),
        "sqlTable": table(SQL_TABLE),
    })
}
