"""The compiled core: symbolic frames, the engine, runs, answers. All of it is private: public names are elsewhere."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Literal as L, TypeAlias, final

__all__ = [
    "Answer",
    "Ending",
    "Engine",
    "Frame",
    "Groups",
    "Lent",
    "Objects",
    "Run",
    "Secret",
    "Secrets",
    "Spool",
    "__version__",
    "allocated",
    "decode_seconds",
    "describe",
    "facts",
    "in_label_order",
    "leave",
    "parse_task",
    "redact",
    "redacts",
    "resolve",
    "watch_parent",
]

_Label: TypeAlias = str | int | float | tuple[Any, ...] | None
"""What pandas calls a column, a series or an index level."""

_Constant: TypeAlias = Any
"""None, bool, int, float, str, datetime.date, datetime.datetime, datetime.timedelta, NumPy scalars, a list of them."""

__version__: str

def describe() -> dict[str, Any]:
    """All tables that Rust owns: `errors`, `task`, `settings`, `operators`, `aggregates`."""

def allocated() -> int | None:
    """Bytes that the core has allocated and not freed; None in release builds, which do not count them."""

def decode_seconds(source: str, columns: list[str], threads: int) -> float:
    """Seconds the reader needs to decode these columns and do nothing else."""

def parse_task(document: Any, registered: list[tuple[str, str]]) -> dict[str, Any]:
    """Validates a task document (markers in place of callables and objects); returns it normalised."""

def watch_parent(fd: int, parent: int | None = None) -> None:
    """In a worker: ends the process and its group as soon as the other end of the socket is closed."""

def leave() -> None:
    """Before the interpreter ends: waits for what the engines' threads do in it, and lets none of them in any more."""

def redact(text: str) -> str:
    """The text without values of secrets, in whatever way they are written in it."""

def redacts() -> bool:
    """Whether there is any value to take out."""

def resolve(settings: dict[str, Any]) -> dict[str, Any]:
    """All settings of a client: those given, else the environment's, else the defaults."""

_Launch: TypeAlias = tuple[str, list[str], list[tuple[str, str]]]

@final
class Secret:
    """A value that only `reveal()` shows. Two are equal if their values are, found out in a time that does not depend on them."""

    def __new__(cls, value: str | bytes | Secret, name: str = "secret") -> Secret: ...
    name: str
    def reveal(self) -> str:
        """The value. From here on it is the caller's to guard; in errors and logs of this package it stays hidden."""

    def __copy__(self) -> Secret: ...
    def __deepcopy__(self, _memo: Any, /) -> Secret: ...

@final
class Secrets:
    """The secrets of a client: providers in their order, and what is kept of their answers."""

    def __new__(cls, providers: Sequence[Any], keep_seconds: int) -> Secrets: ...
    def get(self, name: str) -> Secret: ...
    def set(self, name: str, value: str | bytes | Secret) -> None: ...
    def names(self) -> list[str]: ...
    def refresh(self, name: str | None = None) -> None: ...
    def described(self) -> str: ...

@final
class Engine:
    """Threads, memory, object stores, whose options are text, a `Secret`, or `{"secret": name}`. One per client."""

    def __new__(
        cls, settings: dict[str, Any], storage_options: dict[str, Any], secrets: Secrets | None = None
    ) -> Engine: ...
    def settings(self) -> dict[str, Any]: ...
    def open(
        self,
        sources: Sequence[Any],
        format: str | None = None,
        timeout_ms: int | None = None,
        storage_options: dict[str, Any] | None = None,
        read_options: Mapping[str, Any] | None = None,
        lazily: bool = False,
        place: str = "input",
        soon: bool = False,
    ) -> Frame:
        """A symbolic frame over paths or Arrow data. `place`: where errors say it stands; `soon`: read once, right after."""

    def is_pending(self, frame: Frame) -> bool: ...
    def opened(
        self, frame: Frame, plan: Frame | None = None, timeout_ms: int | None = None
    ) -> tuple[Frame, bool]:
        """Opens what a plan needs of a pending frame: the plan and True, or a frame of other columns and False."""

    def open_log(
        self,
        paths: Sequence[str],
        schema: object,
        values: object,
        storage_options: Mapping[str, Any] | None = None,
        timeout_ms: int | None = None,
    ) -> Frame:
        """A frame over the Parquet files of a table with a log: its schema, and a row of a file's own values for each."""

    def query(self, query: str, tables: Sequence[tuple[str, Frame]]) -> Frame:
        """The answer of a query over whole sources as tables; nothing of it is run. Errors have the place in the query."""

    def objects(self) -> Objects:
        """Those of `memory://`."""

    def spool(self) -> Spool:
        """What takes the tables of a stream; it then is a source of `open`."""

    def rows_at(
        self,
        frame: Frame,
        rows: Sequence[int],
        columns: Sequence[str] | None = None,
        timeout_ms: int | None = None,
    ) -> tuple[Frame, int]:
        """The rows of a source with these rising numbers, as a table in memory, and the bytes read for them."""

    def submit(self, frame: Frame, options: dict[str, Any]) -> Run:
        """Starts a run. Options: chunk_size (int | None), timeout_ms, parallelism, memory_limit, priority."""

    def call(
        self, function: bytes, feed: object, asked: bytes, then: bytes | None, here_ms: int | None
    ) -> Run:
        """Starts a run of user code in workers; `then` is called on all results. The rest is said in `src/python/calls.rs`."""

    def metrics(self) -> dict[str, Any]:
        """Of all its runs: runs (by state), chunks (the accounting), latency (as of a run)."""

    def forget(self, key: str) -> bool:
        """Removes what is kept of an `idempotencyKey`; returns whether there was something."""

    def dead_letters(self) -> list[dict[str, Any]]:
        """Items that were put aside: `id`, `run`, `operation`, `kind`, `made`, `secrets`, `item`, `index`, `label`, `more`,
        `error` (an exception), `attempts`, `began`, `failed`."""

    def dead_letter(self, id: str) -> tuple[bytes, list[bytes]]:
        """The packed function of one, and the bytes of the parcel that it lies in."""

    def discard(self, ids: list[str]) -> int:
        """Removes some; returns how many there were."""

    def warm(
        self, count: int, seconds: float, launch: _Launch, modules: list[str], setup: tuple[str, bytes] | None
    ) -> int:
        """Starts workers and waits for them; how many live. `setup` is a name and bytes, None for what was said last."""

    def close(self) -> None:
        """Cancels what runs and stops the threads. A second call does nothing."""

@final
class Objects:
    """The objects of `memory://`: bytes by key."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, data: bytes) -> None: ...
    def remove(self, key: str) -> bool: ...
    def keys(self) -> list[str]: ...

@final
class Spool:
    """Takes tables one after the other; what exceeds a share of the memory limit is written to `spill_dir`."""

    empty: bool

    def add(self, table: object, seconds: float | None = None) -> None:
        """Takes an object with an Arrow capsule, to its end, or raises TIMEOUT when so many seconds are over."""

def in_label_order(frame: Frame) -> bool:
    """Whether it is known that the rows are in ascending order of their labels, each of which is there once."""

def facts(frame: Frame) -> dict[str, Any]:
    """What is known of a source: columns, partition_columns, format, rows, files, bytes, parts."""

@final
class Frame:
    """An immutable symbolic frame, series or scalar. Methods return a new one, or raise NOT_DECOMPOSABLE / SCHEMA_MISMATCH."""

    @staticmethod
    def table(table: object, index: Sequence[tuple[str, str | None]]) -> Frame:
        """A symbolic frame over an object with an Arrow capsule; `index`: columns that are its index, and their names."""

    kind: L["frame", "series", "scalar", "cells", "wide"]
    columns: list[_Label]
    """Labels of the columns; of a series its name alone; of a scalar none."""
    dtypes: list[str]
    """One for each column; of a scalar its own."""
    index_names: list[_Label] | None
    """None for a RangeIndex over the rows as they stand."""

    fields: list[tuple[str, str]] | None
    """Of a series of structs the names and types of the fields."""

    def same_rows(self, other: Frame) -> bool: ...
    def same_values(self, other: Frame) -> bool:
        """Whether both are of the same rows and computed alike."""

    def column(self, label: _Label) -> Frame:
        """A series. Unknown labels raise SCHEMA_MISMATCH naming the nearest column."""

    @staticmethod
    def call(op: str, args: Sequence[Frame | _Constant]) -> Frame:
        """A row-wise operator over series, scalars and constants; a series, named as pandas does, if any of them is one."""

    def select(self, labels: Sequence[_Label]) -> Frame: ...
    def assign(self, label: _Label, value: Frame | _Constant) -> Frame:
        """With the column replaced in place or added last; value is a series of the same rows, a scalar or a constant."""

    def drop(self, labels: Sequence[_Label]) -> Frame: ...
    def rename(self, pairs: Sequence[tuple[_Label, _Label]]) -> Frame:
        """Renames columns; labels that are not there are ignored, as pandas does."""

    def with_name(self, name: _Label) -> Frame:
        """A series under another name."""

    def to_frame(self, name: _Label) -> Frame:
        """A series as a frame of one column."""

    def filter(self, mask: Frame) -> Frame:
        """The rows where the boolean series is true, with their index labels. For frames and series."""

    def sort(self, by: Sequence[_Label], ascending: Sequence[bool], missing_first: bool) -> Frame:
        """Stable. `by` may name columns and index levels; of a series it is empty and the values sort."""

    def sort_index(self, ascending: bool) -> Frame: ...
    def head(self, n: int) -> Frame: ...
    def top(self, n: int, by: Sequence[_Label], largest: bool) -> Frame:
        """`nlargest` / `nsmallest` with keep="first"; of a series `by` is empty."""

    def draw(
        self, draw: tuple[int, float | None, bool, int] | Sequence[int], weights: Frame | None = None
    ) -> Frame:
        """Rows by place: so many or else such a share, whether they may repeat, and the seed; or a list of places."""

    def slice(self, start: int, stop: int | None) -> Frame:
        """Rows from one position to before another, as a slice of Python counts them."""

    def distinct(self, subset: Sequence[_Label] | None, keep: L["first", "last", "none"]) -> Frame:
        """`drop_duplicates`; of a series `subset` is None."""

    def explode(self, labels: Sequence[_Label], keep_empty: bool, place: _Label = None) -> Frame:
        """A row for each value of the lists in some columns; `place` names a further level of the index."""

    def reset_index(self, drop: bool, name: _Label = None) -> Frame:
        """The index as leading columns (or dropped) and a new RangeIndex. `name`: a series' own new label."""

    def level(self, number: int) -> Frame:
        """A level of the index as a series of the same rows."""

    def set_index(self, keys: Sequence[_Label | Frame], drop: bool, append: bool) -> Frame:
        """Columns, or series of the same rows, as the index."""

    def with_level_names(self, names: Sequence[_Label]) -> Frame: ...
    def reset_levels(self, numbers: Sequence[int], drop: bool, name: _Label = None) -> Frame:
        """Some levels as leading columns, or nowhere."""

    def sort_levels(
        self, numbers: Sequence[int], ascending: Sequence[bool], missing_first: bool
    ) -> Frame: ...
    def unfiltered(self, whole: Frame, mask: Frame) -> Frame | None:
        """A series of the rows that a condition chose, as one of all rows."""

    def group(self, keys: Sequence[_Label | Frame], as_index: bool, sort: bool, dropna: bool) -> Groups:
        """Keys are labels (columns or index levels) or series of the same rows."""

    def bins(self, on: _Label | None, freq: str, closed: str | None, label: str | None) -> Frame:
        """A series of the labels of the bins of time that the column `on` (None: the index) is in."""

    def reduce(self, function: str, *others: Frame, **params: Any) -> Frame:
        """A scalar for a series, or for it and others (`corr`, `cov`). Functions: those of `describe()["aggregates"]`
        but `size`, and `argmin`, `argmax`. Parameters: ddof, min_count, skipna, q, interpolation.
        """

    def window(self, function: str, options: Sequence[_Constant], other: Frame | None = None) -> Frame:
        """A window function over all rows, of a series (and another): a value for each row, which depends on others."""

    def wide(
        self,
        rows: Sequence[_Label],
        across: Sequence[_Label],
        values: Sequence[Sequence[_Label]],
        value_names: Sequence[_Label],
        options: dict[str, Any],
    ) -> Frame:
        """This long frame spread out: names of the index' and of the columns' levels, what the values are called."""

    def dummies(self, dummies: dict[str, Any]) -> Frame:
        """This frame, its last columns as flags: two for each, its values and the same as text."""

    @staticmethod
    def record(labels: Sequence[_Label], scalars: list[Frame]) -> Frame: ...
    def grouping(self) -> tuple[Frame | None, bool, bool, bool] | None:
        """Of the grouping that the index is of, if it is of one: its rows, whether these are the frame's, `sort`, `dropna`.

        If they are the frame's, they are those of missing keys besides; else they have no columns. There are none of
        `value_counts`.
        """

    def rows(self) -> Frame: ...
    @staticmethod
    def cells(
        index: Sequence[_Label], columns: Sequence[_Label] | None, cells: Sequence[Sequence[Frame | None]]
    ) -> Frame:
        """A small frame (a series where columns is None: one cell a row) of scalars, None is missing; an answer, and no more."""

    def merge(
        self,
        other: Frame,
        how: L["inner", "left", "right", "outer", "cross"],
        left_on: Sequence[_Label] | None,
        right_on: Sequence[_Label] | None,
        suffixes: tuple[str | None, str | None],
        indicator: _Label,
        sort: bool,
        unique: tuple[bool, bool],
    ) -> Frame:
        """Rows of two frames by key (None: the index); `indicator` labels a row's sides, keys of `unique` sides differ."""

    def lookup(self, other: Frame, contains: bool) -> Frame:
        """Each value of a series: whether another series has it, or what that has under it as label."""

    @staticmethod
    def concat(frames: Sequence[Frame], ignore_index: bool, inner: bool) -> Frame:
        """Frames, or series, one after the other; `inner`: only the columns that all have."""

    def explain(self) -> str: ...

@final
class Groups:
    """A frame and the keys it is to be grouped by.

    `enter` gives the frame as a function of a group sees it, `leave` what such a function gave for its rows as a frame
    of all rows; `enter_labelled` and `chosen` the same where it chooses or sorts rows.
    """

    keys: list[_Label]
    sort: bool
    """Groups in order of the keys, else of appearance."""
    dropna: bool
    """Whether rows with a missing key are left out."""
    def key_columns(self) -> list[Frame]: ...
    def binned(self, on: _Label, freq: str, closed: str | None, label: str | None) -> Groups: ...
    def filled(self, freq: str) -> Groups: ...
    def aggregate(
        self, items: Sequence[tuple[_Label, Sequence[Frame], str, dict[str, Any]]], series: bool
    ) -> Frame:
        """One output column per item: (label, input series, function, parameters); no input for `size`.

        Functions: those of `describe()["aggregates"]`. With as_index the keys are the index, else
        leading columns (and `series` is ignored). `series`: one item, as a series of that name.
        """

    def window(
        self,
        function: str,
        input: Frame | None,
        options: Sequence[_Constant],
        other: Frame | None = None,
        **params: Any,
    ) -> Frame:
        """A window function within each group, or an aggregate whose value each row of the group gets."""

    def counts(self, columns: Sequence[Frame], label: _Label, dropna: bool, ascending: bool | None) -> Frame:
        """How often each combination of these columns' values occurs in each group, as a series of that label whose
        index are the keys and the columns; ordered by group if those are sorted, then by count unless `ascending` is
        None."""

    def enter(self, frame: Frame) -> Frame: ...
    def leave(self, inside: Frame, result: Frame) -> Frame: ...
    def enter_labelled(self, frame: Frame) -> Frame: ...
    def chosen(self, inside: Frame, result: Frame, keyed: bool) -> Frame: ...
    def per_group(self, inside: Frame, items: Sequence[tuple[_Label, Frame]], series: bool) -> Frame: ...
    def by_group(self, items: Sequence[tuple[_Label, Frame]], series: bool) -> Frame: ...
    def draw(
        self,
        frame: Frame,
        draw: tuple[int, float | None, bool, int],
        sizes: Frame,
        group: Frame,
        place: Frame,
    ) -> Frame:
        """Rows drawn of one group after the other; of each row the number of its group and its place there."""

    def top(self, series: Frame, rows: int, largest: bool) -> Frame:
        """`nlargest` and `nsmallest` of each group, under the keys and the rows' own labels."""

@final
class Lent:
    """Bytes of the core where they lie, as long as this object is there."""

    address: int
    size: int

    def __bytes__(self) -> bytes: ...

@final
class Ending:
    """Says that a thread which serves as a worker has ended."""

    def set(self) -> None: ...

@final
class Run:
    """One execution."""

    id: str
    def state(self) -> L["queued", "running", "succeeded", "failed", "cancelled"]: ...
    def progress(self) -> dict[str, Any]:
        """chunks_total (int | None), chunks_done, rows_done, bytes_read, elapsed_seconds, stage,
        accounting {accepted, succeeded, failed, cancelled, skipped}: adds up at every moment."""

    def latency(self) -> dict[str, Any] | None:
        """waiting_ms, running_ms, items_per_call ({count, mean, p50, p90, p99, max}), abandoned_threads; None of a native run."""

    def wait(self, seconds: float | None) -> bool:
        """Waits with the GIL released until done (True) or time is up; Ctrl-C raises KeyboardInterrupt within 50 ms."""

    def wait_async(self) -> Awaitable[None]: ...
    def cancel(self) -> None: ...
    def answer(self) -> Answer:
        """Of a run that is done; raises its error."""

    def has_values(self) -> bool:
        """Whether it came to what calls of user code returned, not to a table."""

    def values(self, lent: bool = False) -> tuple[list[Any], list[Any]]:
        """Segments (first, count, failed, blobs, more) in order, failures (item, exception); blobs are bytes, or large ones `Lent`."""

    def files(self) -> dict[str, Any] | None:
        """Of a run with an output: url, files [{path, rows, bytes}], skipped; None of others."""

    def written(self) -> list[dict[str, Any]]:
        """What user code wrote: at, stream, text."""

    def explain(self) -> dict[str, Any]:
        """mode, plan text, stages [{name, rows, chunks, bytes, seconds, details}], scan facts (files, row groups
        pruned of total, columns read of total, predicate pushed), grouping, and `text`, all of it for a person."""

@final
class Answer:
    """A finished value, Arrow inside; strings as large_string."""

    @staticmethod
    def of(table: object, series: bool, index: Sequence[_Label] | None, columns: Sequence[_Label]) -> Answer:
        """An answer from an object with an Arrow capsule; `index`: labels of the leading columns that are the index."""

    kind: L["frame", "series", "scalar"]
    index: list[_Label] | None
    """Labels of the leading columns that are the index; None for a RangeIndex."""
    columns: list[_Label]
    """Labels of the remaining columns."""
    num_rows: int
    num_columns: int
    header: tuple[list[_Label], list[list[_Label]], Any, list[bool], str, bool, int] | None
    """Of a wide table: level names, value labels, levels as a table, margins, their name, a last one, index columns."""
    mixed: tuple[list[tuple[int, int]], Any] | None
    """Of columns with values of several types, text in the table: each value's row and column, and a table of one row."""
    def scalar(self) -> Any:
        """A Python bool, int, float, str or None; ("timestamp" | "duration" | "date", int | None, unit, tz) for times."""

    def values(self, place: int) -> list[Any]:
        """The values of a column, counted with the index: as `scalar` gives them, or None; TypeError where they need pyarrow."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_schema__(self) -> object: ...
    def preview(self, rows: int) -> list[list[str | None]]:
        """The first and last rows as text for terminals and notebooks, index columns first; at most 2 * rows."""

    def write(self, asked: dict[str, Any], engine: Engine | None = None) -> dict[str, Any]:
        """Writes it as an `output` of a task says; what was written: url, files [{path, rows, bytes}], skipped."""
    def size_bytes(self) -> int: ...
