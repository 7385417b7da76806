"""Tasks with types: the document for editors and checkers, and a helper that builds it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

from rlm_hypervisor.secrets import SecretName

__all__ = [
    "Options",
    "Output",
    "ParallelTask",
    "ReadOptions",
    "Source",
    "SourceInput",
    "Task",
    "TaskDocument",
]


class ArrowStream(Protocol):
    """Data in memory: anything with an Arrow capsule (pandas, polars, pyarrow, DuckDB)."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Source: TypeAlias = str | os.PathLike[str] | ArrowStream | Sequence[str | os.PathLike[str] | ArrowStream]
"""A path, glob, directory or URL, data in memory, or a list of them."""


class ReadOptions(TypedDict, total=False):
    """`readOptions` of an input: how files of text are read."""

    sep: str
    header: bool | None
    names: Sequence[str]
    skipRows: int
    naValues: str | float | Sequence[str | float]
    keepDefaultNa: bool
    quote: str
    escape: str
    comment: str
    dtype: str | type | Mapping[str, str | type]
    dates: str | Sequence[str] | Mapping[str, str | None]
    columns: Sequence[str]


class _Table(TypedDict):
    source: Source


class SqlTable(_Table, total=False):
    """A table of a query, where more is said of it than its source."""

    format: str
    storageOptions: Mapping[str, str | int | bool | SecretName | Mapping[str, str]]
    readOptions: ReadOptions


class _Sql(TypedDict):
    sql: str


class Query(_Sql, total=False):
    """An operation that is a query: over the source, its table `partition`, and over `tables`."""

    tables: Mapping[str, Source | SqlTable]


Operation: TypeAlias = Callable[..., Any] | str | Query
"""A function of a partition, the name of a registered one, or a query."""


class SourceInput(TypedDict, total=False):
    """`input` of a task over a source, or over items."""

    source: Source
    items: Iterable[Any]
    operation: Operation
    steps: Sequence[Callable[[Any], Any] | str]
    map: Callable[[Any], Any] | str
    key: str | Sequence[str] | Callable[[Any], Any]
    reduce: Callable[..., Any] | str
    setup: Callable[[], Any] | str
    maxWaitMs: int | None
    chunkSize: int | Literal["auto"]
    format: str
    storageOptions: Mapping[str, str | int | bool | SecretName | Mapping[str, str]]
    readOptions: ReadOptions
    combine: Literal["auto", "concat", "list"] | Callable[[list[Any]], Any]


class Options(TypedDict, total=False):
    """`options` of a task."""

    timeoutMs: int
    priority: Literal["low", "normal", "high", "critical"]
    retries: int
    maxBackoffMs: int
    retryOn: list[str]
    doNotRetry: list[str]
    chunkTimeoutMs: int
    softTimeoutMs: int
    idempotencyKey: str
    onError: Literal["fail", "collect", "skip", "dead_letter"]
    maxFailures: int
    backoffMs: int
    parallelism: int
    memoryLimit: int | str
    maxDepth: int
    cache: bool
    mode: Literal["auto", "native", "python"]
    tags: list[str] | dict[str, str]
    secrets: list[str]
    progress: bool | Literal["auto"]


class _Target(TypedDict):
    url: str


class Output(_Target, total=False):
    """`output` of a task: the file or directory that its rows are written to, and how."""

    format: Literal["parquet", "csv", "json", "arrow", "avro"]
    partitionBy: str | list[str]
    mode: Literal["error", "overwrite", "append", "ignore"]
    compression: Literal["zstd", "snappy", "gzip", "brotli", "lz4", "bzip2", "deflate", "xz", "none"]
    maxRowsPerFile: int
    successMarker: bool


class TaskDocument(TypedDict, total=False):
    """A task as a dict."""

    type: Literal[
        "parallel", "sequential", "recursive", "map_reduce", "batch_processing", "parallel_inference"
    ]
    description: str
    operation: Operation
    input: SourceInput | Any
    output: str | Output
    options: Options


@dataclass(frozen=True)
class ParallelTask:
    """A task that runs an operation over all chunks of a source; the same as the dict with those keys.

    Args:
        source: where the rows come from.
        operation: a function of a partition, the name of a registered one, or a query: `{"sql": ...}`.
        description: for people; without an operation, finds the registered one that it describes.
        chunk_size: rows in a unit of work; the answer does not depend on it.
        format: of the files, where their names do not tell.
        read_options: how files of text are read: separator, names, types, ...
        options: `timeoutMs`, `parallelism`, `memoryLimit`, ...

    >>> import pandas as pd
    >>> from rlm_hypervisor import ParallelTask, RLMClient
    >>> data = pd.DataFrame({"v": [1, 2, 3]})
    >>> RLMClient().execute(ParallelTask(data, lambda p: p["v"].max(), chunk_size=2))
    3
    """

    source: Source
    operation: Operation | None = None
    description: str | None = None
    chunk_size: int | Literal["auto"] = "auto"
    format: str | None = None
    read_options: ReadOptions | None = None
    options: Options = field(default_factory=Options)

    def to_dict(self) -> dict[str, Any]:
        """The task as a dict."""
        rows: dict[str, Any] = {"source": self.source, "chunkSize": self.chunk_size}
        if self.operation is not None:
            rows["operation"] = self.operation
        if self.format is not None:
            rows["format"] = self.format
        if self.read_options is not None:
            rows["readOptions"] = self.read_options
        document: dict[str, Any] = {"type": "parallel", "input": rows}
        if self.description is not None:
            document["description"] = self.description
        if self.options:
            document["options"] = dict(self.options)
        return document

    def __task__(self) -> dict[str, Any]:
        return self.to_dict()


Task: TypeAlias = ParallelTask
"""Any of the typed tasks; more will follow as their types run."""
