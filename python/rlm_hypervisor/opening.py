"""How a client opens sources: those of tasks, further tables, and those that are only looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._document import has_index, indexed, plain, writable
from rlm_hypervisor._handlers import by_handler
from rlm_hypervisor._lazy import is_instance
from rlm_hypervisor.errors import InvalidTaskError, RLMError, exposed
from rlm_hypervisor.lakes import is_lake, open_lake
from rlm_hypervisor.secrets import SecretName
from rlm_hypervisor.streams import is_iterator, is_stream, spooled
from rlm_hypervisor.submitting import handle_of

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition
    from rlm_hypervisor.schema import Schema
    from rlm_hypervisor.table import Table
    from rlm_hypervisor.task import ReadOptions

__all__ = ["Sources", "storage_options_of"]


class Sources:
    """The part of a client that opens sources."""

    _engine: _core.Engine

    def _check(self) -> None:
        raise NotImplementedError

    def _open(
        self,
        source: Mapping[str, Any],
        objects: list[Any],
        timeout_ms: int | None,
        lazily: bool = False,
        place: str = "input",
    ) -> _core.Frame:
        found = source.get("source")
        if found is None:
            raise InvalidTaskError("this version runs tasks on `input.source`, and the task has none")
        items = found.get("sources", found.get("source")) if isinstance(found, Mapping) else found
        file_format = found.get("format") if isinstance(found, Mapping) else None
        options = found.get("readOptions") if isinstance(found, Mapping) else None
        opened = [objects[handle_of(item["arrow"])] if "arrow" in item else item["url"] for item in items]
        store = found.get("storageOptions") if isinstance(found, Mapping) else None
        file_format = file_format or source.get("format")
        return self._opened(opened, file_format, timeout_ms, store, options, lazily, place, soon=True)

    def _opened(
        self,
        opened: list[Any],
        file_format: str | None,
        timeout_ms: int | None,
        options: dict[str, Any] | None = None,
        read_options: Mapping[str, Any] | None = None,
        lazily: bool = False,
        place: str = "input",
        soon: bool = False,
    ) -> _core.Frame:
        for item in opened:
            if isinstance(item, str):
                writable(item, f"{place}.source")
        if any(is_lake(item) for item in opened):
            if len(opened) > 1 or file_format is not None or read_options:
                raise InvalidTaskError(
                    "the source is a table with a log of its own, which says what its files are. "
                    "Give it alone, without `format` and `readOptions`",
                    details={"path": f"{place}.source"},
                )
            return open_lake(self._engine, opened[0], options, timeout_ms)
        if any(is_stream(item) for item in opened):
            if not all(hasattr(item, "__arrow_c_stream__") or is_stream(item) for item in opened):
                raise InvalidTaskError(
                    "the source mixes files and streams of tables. Give a list of paths, or of tables",
                    details={"path": f"{place}.source"},
                )
            opened = [spooled(self._engine, opened, timeout_ms)]
        if len(opened) == 1 and is_instance(opened[0], "rlm_hypervisor.table", "Table"):
            found: _core.Frame = opened[0]._frame
            return found
        try:
            if len(opened) == 1 and has_index(opened[0]):
                return indexed(opened[0])
            return self._engine.open(
                opened, file_format, timeout_ms, options, read_options, lazily, place, soon
            )
        except RLMError:
            raise
        except Exception as error:
            if by_handler(error):
                raise
            kinds = ", ".join(sorted({type(item).__name__ for item in opened}))
            raise InvalidTaskError(
                f"the source ({kinds}) cannot be taken as a table: {' '.join(_core.redact(str(error)).split())[:300]}. "
                "Give a DataFrame, a table of pyarrow, Polars or DuckDB, or the path of files",
                details={"path": f"{place}.source"},
            ) from exposed(error)

    def table(
        self,
        source: Any,
        format: str | None = None,
        *,
        read_options: ReadOptions | None = None,
        storage_options: Mapping[str, object] | None = None,
    ) -> Partition:
        """A further table for operations: a lazy `Partition` to merge with, look up in, or concatenate.

        Args:
            source: what `input.source` of a task takes: a path, glob, directory or URL, a list of them, an object
                with an Arrow capsule (pandas, Polars, pyarrow, DuckDB), or an iterator of tables, which is read now.
            format: "parquet", "csv", "json", "arrow" or "avro", where the name does not tell.
            storage_options: of its store, before those of the client; a value may be `secret(name)`.
            read_options: how files of text are read, as `input.readOptions` of a task: `{"sep": ";"}`.

        Its files are listed, and as much of them is read now as it takes to know columns and rows; the rows when a
        run needs them. A table of files belongs to this client: after `close` and in a forked child it is refused.
        """
        from rlm_hypervisor.partition.frame import Partition
        from rlm_hypervisor.partition.tables import in_memory

        self._check()
        items = list(source) if isinstance(source, list | tuple) else [source]
        if format is not None and any(
            hasattr(item, "__arrow_c_stream__") or is_stream(item) for item in items
        ):
            raise InvalidTaskError("`format` is that of files, and the table is in memory. Leave it out")
        if len(items) == 1 and is_instance(items[0], "rlm_hypervisor.table", "Table"):
            return Partition(items[0]._frame)
        whole = len(items) == 1 and hasattr(items[0], "__arrow_c_stream__") and not is_stream(items[0])
        if whole and not storage_options:
            if read_options:
                raise InvalidTaskError(
                    "`read_options` are for files, and the source is data in memory. Leave them out",
                    details={"path": "read_options"},
                )
            return Partition(in_memory(items[0], "`client.table`"))
        opened = [os.fspath(item) if isinstance(item, os.PathLike) else item for item in items]
        store = storage_options_of(storage_options)
        return Partition(self._opened(opened, format, None, store, plain(read_options)[0]))

    def read(
        self,
        source: Any,
        format: str | None = None,
        *,
        columns: Iterable[str] | None = None,
        read_options: ReadOptions | None = None,
        storage_options: Mapping[str, object] | None = None,
    ) -> Table:
        """A source to look at: `head`, `sample`, its schema, a preview that reads only what it shows.

        For use within operations there is `client.table`, with the methods of a partition; a `Table` may stand there too.

        Args:
            source: what `input.source` of a task takes.
            format: "parquet", "csv", "json", "arrow" or "avro", where the name does not tell.
            columns: only these, in this order; default all.
            read_options: how files of text are read, as `input.readOptions` of a task.
            storage_options: of its store, before those of the client.

        Raises:
            SourceNotFoundError: the source names nothing that exists.
            SourceUnreadableError: a file of it cannot be read.
            SchemaMismatchError: a column of `columns` is not there, or files disagree.

        >>> import pandas as pd
        >>> from rlm_hypervisor import RLMClient
        >>> table = RLMClient().read(pd.DataFrame({"k": ["a", "b"], "v": [1, 2]}), columns=["v"])
        >>> table
        v
        -
        1
        2
        [2 rows, 1 columns]
        """
        from rlm_hypervisor.table import Table

        if isinstance(columns, str):
            raise InvalidTaskError(
                f"`columns` is the string {columns!r}, but must be a list of names: [{columns!r}]",
                details={"path": "columns"},
            )
        names = None if columns is None else list(columns)
        if names is not None and _in_files(source):
            if read_options is not None and "columns" in read_options:
                raise InvalidTaskError(
                    "`columns` and `read_options` both say which columns to read. Leave one of them out",
                    details={"path": "columns"},
                )
            read_options = {**(read_options or {}), "columns": names}
        partition = self.table(source, format, read_options=read_options, storage_options=storage_options)
        return Table(self, partition._frame, names)

    def schema(
        self,
        source: Any,
        format: str | None = None,
        *,
        read_options: ReadOptions | None = None,
        storage_options: Mapping[str, object] | None = None,
    ) -> Schema:
        """Names and types of a source's columns, its rows, files and bytes, and which columns directories name.

        Footers are read, and no rows; CSV and JSON lines are read through once, as they say nothing of types.
        The arguments are those of `read`, and so are the errors. A stream is refused: it would be used up.
        """
        from rlm_hypervisor.schema import Schema

        if is_iterator(source):
            raise InvalidTaskError(
                f"a {type(source).__name__} is read once, and would be used up by `schema`. "
                "Open it with `client.read(stream)`, which has `.schema`",
                details={"path": "source"},
            )
        opened = self.table(source, format, read_options=read_options, storage_options=storage_options)
        return Schema(_core.facts(opened._frame))


def _in_files(source: Any) -> bool:
    """Whether it is paths or addresses."""
    items = source if isinstance(source, list | tuple) else [source]
    return all(isinstance(item, str | os.PathLike) for item in items)


def storage_options_of(given: Mapping[str, object] | None) -> dict[str, Any]:
    """Options as text; those that are None are as good as not given."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidTaskError(
            f"`storage_options` is a {type(given).__name__}. Give a dict of option names and values",
            details={"path": "storage_options"},
        )
    return {str(name): _option(value) for name, value in given.items() if value is not None}


def _option(value: object) -> Any:
    """A storage option as text, as object stores take them; a secret, or `{"secret": name}`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _core.Secret):
        return value
    if isinstance(value, SecretName):
        return {"secret": value.name}
    if isinstance(value, Mapping):
        if set(value) != {"secret"} or not isinstance(value["secret"], str):
            raise InvalidTaskError(
                'an option of `storage_options` is a dict, which can only be `{"secret": name}`. Give text, a number, '
                "`secret(name)` or that",
                details={"path": "storage_options"},
            )
        return dict(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(os.fspath(value))
    return str(value)
