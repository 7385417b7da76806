"""Sources that come once and in pieces: readers of record batches, and iterators of tables such as generators."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._handlers import by_handler
from rlm_hypervisor._lazy import is_instance
from rlm_hypervisor.errors import InvalidTaskError, RLMError, SourceUnreadableError, TaskTimeoutError, exposed

__all__ = ["is_stream", "spooled"]

_PATH = {"path": "input.source"}

_used: dict[int, weakref.ref[Any]] = {}
"""Streams that were read, or begun, by their identity."""


def is_iterator(value: Any) -> bool:
    """Whether it gives tables one after the other, once."""
    kind = type(value)
    if isinstance(value, type) or (hasattr(value, "__arrow_c_stream__") and not _is_reader(value)):
        return False
    return hasattr(kind, "__next__") and hasattr(kind, "__iter__")


def is_stream(value: Any) -> bool:
    """Whether its rows are to be taken as they come: an iterator, or Arrow data of which not all need be there."""
    if is_iterator(value):
        return True
    if not hasattr(value, "__arrow_c_stream__"):
        return False
    return not (
        is_instance(value, "pandas", "DataFrame")
        or is_instance(value, "polars", "DataFrame", "Series")
        or is_instance(value, "pyarrow", "Table", "RecordBatch", "ChunkedArray")
        or type(value).__module__.startswith("rlm_hypervisor.")
    )


def spooled(engine: _core.Engine, sources: Iterable[Any], timeout_ms: int | None) -> _core.Spool:
    """All rows of these sources, one after the other; what does not fit a share of the memory limit is on disk.

    Iterators run in the thread that calls this: what they use may belong to it.

    Raises:
        InvalidTaskError: a stream was read before, gives something else than tables, or gives none.
        SourceUnreadableError: an iterator raised; that exception is its cause.
        TaskTimeoutError: the time was over between two tables.
    """
    until = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
    spool = engine.spool()
    for source in sources:
        if not is_iterator(source):
            _add(spool, source, until)
            continue
        _once(source)
        if _is_reader(source):
            # Its columns are known even where it has no rows.
            _add(spool, source.schema.empty_table(), until)
        try:
            _drain(spool, source, until)
        except BaseException:
            # What it has open is closed now, not when it is collected.
            close = getattr(source, "close", None)
            if close is not None:
                _quietly(close)
            raise
    if spool.empty:
        raise InvalidTaskError(
            "the source is an iterator that gave no table, so its columns are not known. Was it read before? "
            "An iterator is read once: make a new one for every task, or yield an empty table with the columns",
            details=_PATH,
        )
    return spool


def _drain(spool: _core.Spool, source: Iterator[Any], until: float | None) -> None:
    rows = 0
    while True:
        try:
            table = next(source)
        except StopIteration:
            return
        except RLMError:
            raise
        except Exception as error:
            if by_handler(error):
                raise
            _raised(source, error)
        _late(until)
        if is_instance(table, "pandas", "DataFrame"):
            _check_labels(table, rows)
            rows += len(table)
        elif not (hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__")):
            raise InvalidTaskError(
                f"the source is an iterator that gave a {type(table).__name__}, and must give tables. Yield a DataFrame, "
                "a table or a record batch of pyarrow, Polars or pandas; values one by one are `input.items`",
                details=_PATH,
            )
        _add(spool, table, until)


def _add(spool: _core.Spool, table: Any, until: float | None) -> None:
    try:
        spool.add(table, None if until is None else until - time.monotonic())
    except RLMError:
        raise
    except Exception as error:
        if by_handler(error):
            raise
        raise InvalidTaskError(
            f"a {type(table).__name__} of the source cannot be taken as a table: "
            f"{' '.join(_core.redact(str(error)).split())[:300]}. Give pandas, Polars or pyarrow tables",
            details=_PATH,
        ) from exposed(error)


def _is_reader(value: Any) -> bool:
    return is_instance(value, "pyarrow", "RecordBatchReader")


def _once(source: Any) -> None:
    """Refuses what was read before: nothing would be left of it."""
    found = _used.get(id(source))
    if found is not None and found() is source:
        raise InvalidTaskError(
            f"this {type(source).__name__} was read by an earlier task, and a stream is read once. Make a new one, or "
            "open it once with `client.table(stream)` and use that in several operations",
            details=_PATH,
        )
    key = id(source)
    # Some iterators cannot be remembered; they are empty the second time, which is refused as well.
    with contextlib.suppress(TypeError):
        _used[key] = weakref.ref(source, lambda _: _used.pop(key, None))


def _late(until: float | None) -> None:
    if until is not None and time.monotonic() >= until:
        raise TaskTimeoutError(
            "the deadline (`timeoutMs`) passed while the source was read. Allow more time, or give less",
            details=_PATH,
        )


def _raised(source: Any, error: Exception) -> NoReturn:
    """The user's exception, with the line where it was raised."""
    name = getattr(source, "__qualname__", type(source).__name__)
    details: dict[str, Any] = {**_PATH, "exception": type(error).__name__}
    place = ""
    traceback = error.__traceback__
    while traceback is not None:
        code, line = traceback.tb_frame.f_code, traceback.tb_lineno
        if "rlm_hypervisor" not in traceback.tb_frame.f_globals.get("__name__", ""):
            # The first frame of the user's own is the iterator's.
            details |= {"file": code.co_filename, "line": line}
            place = f" ({code.co_filename}:{line})"
            break
        traceback = traceback.tb_next
    text = " ".join(_core.redact(str(error)).split())[:300]
    raise SourceUnreadableError(
        f"the source `{name}` raised {type(error).__name__}{place}: {text}. Nothing ran. "
        "Make the iterator again when its cause is gone",
        details=details,
    ) from exposed(error)


def _check_labels(table: Any, rows: int) -> None:
    """Rows of a source are numbered through; other labels would be lost."""
    index = table.index
    start, step = getattr(index, "start", None), getattr(index, "step", None)
    # `chunksize` of pandas' readers numbers rows through.
    if len(table) and (index.name is not None or step != 1 or start not in (0, rows)):
        raise InvalidTaskError(
            "the source is an iterator that gave a pandas DataFrame with an index of its own, and a source's rows are "
            "numbered. Make it a column with `df.reset_index()`, or leave it out with `df.reset_index(drop=True)`",
            details=_PATH,
        )
    for label in table.columns:
        if not isinstance(label, str):
            raise InvalidTaskError(
                f"the source is an iterator that gave a DataFrame with the column label {label!r}, and columns are called "
                "by strings. Rename it: `df.rename(columns=str)`",
                details=_PATH,
            )


def _quietly(close: Any) -> None:
    try:
        close()
    except Exception:
        return
