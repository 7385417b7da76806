"""Writer: an answer on its way to files, with a method for each format."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rlm_hypervisor._document import writable
from rlm_hypervisor.written import Written

if TYPE_CHECKING:
    from rlm_hypervisor._core import Answer

Mode: TypeAlias = Literal["error", "overwrite", "append", "ignore"]

__all__ = ["Writer"]


class Writer:
    """`result.write`: one method for each file format, with the words of a task's `output`.

    Each of them takes:

    - `url`: where to write: a path, `s3://`, `gs://`, `az://` with the client's `storage_options`, or `memory://`. A name that ends as files of the format do is one file, any other name, and one with
      a `/` at its end, a directory of files, as in Spark.
    - `mode`: what happens to what is there already: `error`, `overwrite`, `append` (to a directory) or `ignore`.
    - `compression`: by name; None for the format's default, or what the file's name says.
    - `partition_by`: columns that become directories (`day=2024-02-29/`) instead of standing in the files.
    - `max_rows_per_file`: rows after which a further file of a directory is begun.
    - `success_marker`: whether a directory gets an empty file `_SUCCESS`.

    The index is written as leading columns, except rows numbered from 0. Nothing is visible before all of it is
    complete. Each returns what was `Written`, and raises:

    - `OutputFailedError`: something is there already, a column cannot be written in this format, or the disk is full.
    - `InvalidTaskError`: arguments that do not go together.

    >>> import os, pathlib, tempfile
    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"k": ["a", "b", "a"], "v": [1.5, 2.0, 3.0]})
    >>> def totals(p):
    ...     return p.groupby("k")["v"].sum()
    >>> result = RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": totals}})
    >>> path = os.path.join(tempfile.mkdtemp(), "totals.csv")
    >>> result.write.csv(path).rows
    2
    >>> print(pathlib.Path(path).read_text(), end="")
    k,v
    a,4.5
    b,2.0
    """

    __slots__ = ("_answer", "_client")

    def __init__(self, answer: Answer, client: Callable[[], Any] | None = None) -> None:
        self._answer = answer
        self._client = client

    def parquet(
        self,
        url: str | os.PathLike[str],
        compression: Literal["zstd", "snappy", "gzip", "brotli", "lz4", "none"] | None = None,
        mode: Mode = "error",
        *,
        partition_by: str | Sequence[str] | None = None,
        max_rows_per_file: int | None = None,
        success_marker: bool = False,
    ) -> Written:
        """Writes Parquet (`.parquet`, `.parq`, `.pq`), by default compressed by zstd."""
        return self._write("parquet", url, compression, mode, partition_by, max_rows_per_file, success_marker)

    def csv(
        self,
        url: str | os.PathLike[str],
        compression: Literal["none", "gzip", "zstd", "bzip2", "lz4", "snappy"] | None = None,
        mode: Mode = "error",
        *,
        partition_by: str | Sequence[str] | None = None,
        max_rows_per_file: int | None = None,
        success_marker: bool = False,
    ) -> Written:
        """Writes CSV (`.csv`, `.csv.gz`, ...; `.tsv` with tabs) that `pandas.read_csv` reads back."""
        return self._write("csv", url, compression, mode, partition_by, max_rows_per_file, success_marker)

    def json(
        self,
        url: str | os.PathLike[str],
        compression: Literal["none", "gzip", "zstd", "bzip2", "lz4", "snappy"] | None = None,
        mode: Mode = "error",
        *,
        partition_by: str | Sequence[str] | None = None,
        max_rows_per_file: int | None = None,
        success_marker: bool = False,
    ) -> Written:
        """Writes JSON lines (`.jsonl`, `.ndjson`, `.json`): an object on each line."""
        return self._write("json", url, compression, mode, partition_by, max_rows_per_file, success_marker)

    def arrow(
        self,
        url: str | os.PathLike[str],
        compression: Literal["none", "lz4", "zstd"] | None = None,
        mode: Mode = "error",
        *,
        partition_by: str | Sequence[str] | None = None,
        max_rows_per_file: int | None = None,
        success_marker: bool = False,
    ) -> Written:
        """Writes Arrow IPC: files (`.arrow`, `.feather`, `.ipc`), or a stream (`.arrows`)."""
        return self._write("arrow", url, compression, mode, partition_by, max_rows_per_file, success_marker)

    def avro(
        self,
        url: str | os.PathLike[str],
        compression: Literal["deflate", "snappy", "zstd", "bzip2", "xz", "none"] | None = None,
        mode: Mode = "error",
        *,
        partition_by: str | Sequence[str] | None = None,
        max_rows_per_file: int | None = None,
        success_marker: bool = False,
    ) -> Written:
        """Writes Avro (`.avro`), by default compressed by deflate, which every reader has."""
        return self._write("avro", url, compression, mode, partition_by, max_rows_per_file, success_marker)

    def _write(
        self,
        form: str,
        url: str | os.PathLike[str],
        compression: str | None,
        mode: str,
        partition_by: str | Sequence[str] | None,
        max_rows_per_file: int | None,
        success_marker: bool,
    ) -> Written:
        asked: dict[str, Any] = {
            "url": writable(os.fspath(url), "url"),
            "format": form,
            "mode": mode,
            "compression": compression,
            "maxRowsPerFile": max_rows_per_file,
            "successMarker": success_marker,
        }
        if partition_by is not None:
            asked["partitionBy"] = partition_by if isinstance(partition_by, str) else list(partition_by)
        client = None if self._client is None else self._client()
        return Written._of(self._answer.write(asked, None if client is None else client._engine))
