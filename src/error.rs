//! Every error the product raises: a closed list of codes, and the value that carries one to its victim.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One row of the error table: everything a code means, written once.
#[derive(Debug, Clone, Copy)]
pub struct CodeInfo {
    pub code: Code,
    /// The name in documents, logs and `RLMError.code`.
    pub name: &'static str,
    /// The Python class that is raised.
    pub class: &'static str,
    /// The built-in exception that class also is.
    pub builtin: &'static str,
    /// Whether the same call may succeed when it is made again unchanged.
    pub retryable: bool,
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($variant:ident $name:literal $class:literal $builtin:literal $retryable:literal $meaning:literal;)*) => {
        /// The closed list of error codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $(#[serde(rename = $name)] $variant,)* }

        /// The table behind the codes, in the order of the documentation.
        pub const CODES: &[CodeInfo] = &[$(CodeInfo {
            code: Code::$variant, name: $name, class: $class, builtin: $builtin,
            retryable: $retryable, meaning: $meaning,
        },)*];

        impl Code {
            pub fn info(self) -> &'static CodeInfo {
                match self { $(Code::$variant => &CODES[Code::$variant as usize],)* }
            }
        }
    };
}

codes! {
    InvalidTask "INVALID_TASK" "InvalidTaskError" "ValueError" false
        "The task document is wrong, or asks for something this version cannot do; nothing ran.";
    OperationNotFound "OPERATION_NOT_FOUND" "OperationNotFoundError" "LookupError" false
        "The task names no operation, or one that is not registered.";
    OperationFailed "OPERATION_FAILED" "OperationFailedError" "RuntimeError" false
        "The user's operation raised, or met a value that it cannot be computed for.";
    NotDecomposable "NOT_DECOMPOSABLE" "NotDecomposableError" "TypeError" false
        "The operation does something that cannot be run natively over chunks and still be right.";
    CombineRequired "COMBINE_REQUIRED" "CombineRequiredError" "ValueError" false
        "The chunks' results have a shape that only the user can say how to combine.";
    SourceNotFound "SOURCE_NOT_FOUND" "SourceNotFoundError" "FileNotFoundError" false
        "The source names nothing that exists.";
    SourceUnreadable "SOURCE_UNREADABLE" "SourceUnreadableError" "OSError" false
        "A file of the source exists and could not be read.";
    SchemaMismatch "SCHEMA_MISMATCH" "SchemaMismatchError" "TypeError" false
        "Files of one source disagree about a column, or a column that is used is not there.";
    OutputFailed "OUTPUT_FAILED" "OutputFailedError" "OSError" false
        "The answer could not be written where it was asked to be.";
    Timeout "TIMEOUT" "TaskTimeoutError" "TimeoutError" true
        "The deadline passed before the task was done; it was stopped.";
    Cancelled "CANCELLED" "TaskCancelledError" "RuntimeError" false
        "The run was cancelled.";
    RateLimited "RATE_LIMITED" "RateLimitedError" "RuntimeError" true
        "Too many calls in too short a time.";
    QuotaExceeded "QUOTA_EXCEEDED" "QuotaExceededError" "RuntimeError" false
        "A quota is used up.";
    OutOfMemory "OUT_OF_MEMORY" "OutOfMemoryError" "MemoryError" false
        "The run needed more memory than its limit allows.";
    WorkerCrashed "WORKER_CRASHED" "WorkerCrashedError" "RuntimeError" true
        "A worker process died while it ran user code.";
    DepthExceeded "DEPTH_EXCEEDED" "DepthExceededError" "RecursionError" false
        "A recursive task split deeper than its `maxDepth`.";
    Maintenance "MAINTENANCE" "MaintenanceError" "RuntimeError" true
        "The hypervisor is not taking tasks now.";
    Internal "INTERNAL" "InternalError" "RuntimeError" false
        "A defect of the product itself; please report it.";
}

impl Code {
    pub fn name(self) -> &'static str {
        self.info().name
    }

    pub fn retryable(self) -> bool {
        self.info().retryable
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What went wrong, to what, and what to do about it.
///
/// `message` is one sentence saying what happened to what; `hint` says what to do.
/// `details` are the same facts for programs (`file`, `column`, `path`, `line`, ...).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    hint: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    details: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cause: Option<Arc<Cause>>,
}

/// The exception of user code behind an error, as its own process told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cause {
    pub type_name: String,
    pub message: String,
    pub traceback: String,
    /// The exception itself, where it could be pickled; for the process that asked alone.
    #[serde(skip)]
    pub pickled: Option<Arc<[u8]>>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), hint: None, details: Map::new(), cause: None }))
    }

    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Internal, message)
    }

    pub fn cancelled() -> Self {
        Self::new(Code::Cancelled, "the run was cancelled")
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(key.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn caused_by(mut self, cause: Option<Arc<Cause>>) -> Self {
        self.0.cause = cause;
        self
    }

    pub fn cause(&self) -> Option<Arc<Cause>> {
        self.0.cause.clone()
    }

    /// Adds the column of a file that could not be read.
    #[must_use]
    pub fn of_column(mut self, column: Arc<str>) -> Self {
        if self.0.code == Code::SourceUnreadable && !self.0.details.contains_key("column") {
            self.0.message = format!("{} (column `{column}`)", self.0.message).into();
            return self.detail("column", &*column);
        }
        self
    }

    /// Says of an error that data caused which expression met it; others stay as they are.
    #[must_use]
    pub fn computing(mut self, expression: &str) -> Self {
        const LONGEST: usize = 200;
        if self.0.code == Code::OperationFailed && !self.0.details.contains_key("expression") {
            let shown: String = expression.chars().take(LONGEST).collect();
            let more = if shown.len() < expression.len() { "…" } else { "" };
            self.0.message = format!("{} (in `{shown}{more}`)", self.0.message).into();
            return self.detail("expression", expression);
        }
        self
    }

    /// Of an error about a key of a task's `input`: the same about another place that takes the same keys.
    #[must_use]
    pub fn standing_at(mut self, place: &str) -> Self {
        let path = self.0.details.get("path").and_then(Value::as_str).map(str::to_owned);
        let Some((path, key)) = path.as_deref().and_then(|path| Some((path, path.strip_prefix("input.")?)))
        else {
            return self;
        };
        let moved = format!("{place}.{key}");
        self.0.message = self.0.message.replace(path, &moved).into();
        self.0.hint = self.0.hint.take().map(|hint| hint.replace(path, &moved).into());
        self.detail("path", moved)
    }

    /// With everything that it says passed through these.
    #[must_use]
    pub fn rewritten(mut self, text: &dyn Fn(&str) -> String, data: &dyn Fn(Value) -> Value) -> Self {
        self.0.message = text(&self.0.message).into();
        self.0.hint = self.0.hint.take().map(|hint| text(&hint).into());
        if let Value::Object(details) = data(Value::Object(std::mem::take(&mut self.0.details))) {
            self.0.details = details;
        }
        self.0.cause = self.0.cause.take().map(|cause| {
            Arc::new(Cause {
                type_name: text(&cause.type_name),
                message: text(&cause.message),
                traceback: text(&cause.traceback),
                pickled: cause.pickled.clone(),
            })
        });
        self
    }

    /// The error of ours that lies in another library's, if one does.
    pub fn within<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
        ours_within(error)
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence that says what happened, without the advice.
    pub fn sentence(&self) -> &str {
        &self.0.message
    }

    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(hint) = &self.0.hint {
            write!(f, ". {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Shorthand for the one code that has dozens of senders; each says by a hint what to do instead.
pub fn not_decomposable(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Code::NotDecomposable, message)
}

/// An operator or aggregate that was given other arguments than it takes.
pub fn misused(message: impl Into<Cow<'static, str>>) -> Error {
    not_decomposable(message).hint("Give it the arguments that pandas documents for the method")
}

// The engine below speaks its own errors; ours travel through it boxed and come back out unchanged.

impl From<Error> for datafusion::error::DataFusionError {
    fn from(error: Error) -> Self {
        datafusion::error::DataFusionError::External(Box::new(error))
    }
}

impl From<datafusion::error::DataFusionError> for Error {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        use datafusion::error::DataFusionError as D;
        match error {
            D::External(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => Error::internal(format!("the engine failed: {other}")),
            },
            D::Shared(inner) => match Arc::try_unwrap(inner) {
                Ok(inner) => inner.into(),
                Err(shared) => translated(&shared),
            },
            D::Context(_, inner) => (*inner).into(),
            D::ArrowError(inner, _) => (*inner).into(),
            D::ResourcesExhausted(message) => exhausted(&message),
            other => translated(&other),
        }
    }
}

/// An error of the engine that others hold as well, or that lies in others of its errors.
fn translated(error: &datafusion::error::DataFusionError) -> Error {
    use datafusion::error::DataFusionError as D;
    match (ours_within(error), error.find_root()) {
        (Some(ours), _) => ours.clone(),
        (None, D::ResourcesExhausted(message)) => exhausted(message),
        (None, _) => Error::internal(format!("the engine failed: {error}")),
    }
}

/// How a message begins that says which operator needed how much.
const WHO: &str = "operator `";

/// What is said of an operator that asks for more memory than there is left.
pub fn out_of_memory(operator: &str, asked: u64, held: u64, used: u64, limit: u64) -> String {
    let operator = operator.split(['[', '`']).next().unwrap_or_default();
    let [asked, held, used, limit] = [asked, held, used, limit].map(shown_bytes);
    format!(
        "{WHO}{operator}` asked for {asked} beside the {held} that it holds, where {used} of {limit} were taken"
    )
}

/// The detail that names the operator that lacked memory.
pub const OPERATOR: &str = "operator";

/// Bytes as people read them.
pub fn shown_bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["bytes", "KiB", "MiB", "GiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

fn exhausted(message: &str) -> Error {
    let hint = "Raise `memory_limit`, or give the task fewer columns or a filter";
    if let Some((_, who)) = message.split_once(WHO) {
        let who = who.lines().next().unwrap_or_default();
        let text = format!("the run needs more memory than its limit: {WHO}{who}");
        let operator = who.split('`').next().unwrap_or_default();
        return Error::new(Code::OutOfMemory, text).hint(hint).detail(OPERATOR, operator);
    }
    // What follows names operators and reservations of the engine.
    let first = message.lines().next().unwrap_or_default();
    Error::new(Code::OutOfMemory, "the run needs more memory than its limit")
        .hint(hint)
        .detail("engine", first)
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        use arrow::error::ArrowError as A;
        match error {
            A::ExternalError(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => match other.downcast::<datafusion::error::DataFusionError>() {
                    Ok(engine) => (*engine).into(),
                    Err(other) => Error::internal(format!("Arrow failed: {other}")),
                },
            },
            other => Error::internal(format!("Arrow failed: {other}")),
        }
    }
}

impl From<Error> for arrow::error::ArrowError {
    fn from(error: Error) -> Self {
        arrow::error::ArrowError::ExternalError(Box::new(error))
    }
}

fn ours_within<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours);
        }
        at = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_enum_agree() {
        for (position, info) in CODES.iter().enumerate() {
            assert_eq!(info.code as usize, position);
            assert_eq!(info.code.info().name, info.name);
            let written = serde_json::to_value(info.code).ok();
            assert_eq!(written, Some(Value::from(info.name)));
        }
    }

    #[test]
    fn memory_that_ran_out_is_told_as_such_however_it_is_wrapped() {
        use datafusion::error::DataFusionError as D;
        let exhausted = || D::ResourcesExhausted("for ExternalSorter".to_owned());
        let shared = Arc::new(exhausted().context("while sorting"));
        let held = shared.clone();
        let arrow = arrow::error::ArrowError::ExternalError(Box::new(exhausted()));
        for error in [exhausted(), exhausted().context("a"), D::Shared(shared), D::from(arrow)] {
            let error = Error::from(error);
            assert_eq!(error.code(), Code::OutOfMemory, "{error}");
        }
        drop(held);
    }

    #[test]
    fn an_error_of_an_input_stands_where_the_input_does() {
        let error = Error::new(Code::InvalidTask, "input.format is wrong").detail("path", "input.format");
        let moved = error.hint("Leave input.format out").standing_at("operation.tables.t");
        assert_eq!(
            moved.to_string(),
            "operation.tables.t.format is wrong. Leave operation.tables.t.format out"
        );
        assert_eq!(moved.details()["path"], "operation.tables.t.format");
        let other = Error::new(Code::SourceNotFound, "no input.csv").detail("file", "input.csv");
        assert_eq!(other.standing_at("operation.tables.t").to_string(), "no input.csv");
    }

    #[test]
    fn an_error_survives_the_engine_unchanged() {
        let ours =
            Error::new(Code::SourceUnreadable, "file a.parquet is truncated").detail("file", "a.parquet");
        let through = datafusion::error::DataFusionError::from(ours).context("while scanning");
        let back = Error::from(through);
        assert_eq!(back.code(), Code::SourceUnreadable);
        assert_eq!(back.details()["file"], "a.parquet");
    }
}
