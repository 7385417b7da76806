"""Tables with a log of their own: Delta Lake and Iceberg, whose libraries say which files a table has.

The files are read by our own reader. What it cannot do right is read by Iceberg's library, batch by batch, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, unquote

from rlm_hypervisor import _core
from rlm_hypervisor._handlers import by_handler
from rlm_hypervisor._lazy import is_instance, require
from rlm_hypervisor.errors import InvalidTaskError, RLMError, SourceUnreadableError, exposed
from rlm_hypervisor.streams import spooled

__all__ = ["is_lake", "open_lake"]

_KNOWN = frozenset(
    {"timestampNtz", "typeWidening", "typeWidening-preview", "v2Checkpoint", "vacuumProtocolCheck"}
)
"""Features of a Delta table that say nothing of how its files are read, or what our reader does anyway."""

_MARKED = frozenset({"deletionVectors", "columnMapping"})
"""Features that a table may have without using them; whether it does is looked up."""

_ICEBERG_OPTIONS = {
    "s3.endpoint": "aws_endpoint_url",
    "s3.access-key-id": "aws_access_key_id",
    "s3.secret-access-key": "aws_secret_access_key",
    "s3.session-token": "aws_session_token",
    "s3.region": "aws_region",
}


def is_lake(value: Any) -> bool:
    """Whether it is a `deltalake.DeltaTable`, or a table or scan of `pyiceberg`."""
    return is_instance(value, "deltalake", "DeltaTable") or _is_iceberg(value)


def _is_iceberg(value: Any) -> bool:
    return is_instance(value, "pyiceberg.table", "Table", "DataScan")


def open_lake(
    engine: _core.Engine, table: Any, options: Mapping[str, Any] | None, timeout_ms: int | None
) -> _core.Frame:
    """The symbolic frame of a table as its object stands: at its version, or of its snapshot.

    Raises:
        InvalidTaskError: the table uses a feature that is not read.
        SourceUnreadableError: its library cannot read its log.
    """
    read = _iceberg if _is_iceberg(table) else _delta
    try:
        return read(engine, table, options, timeout_ms)
    except RLMError:
        raise
    except ImportError:
        raise
    except Exception as error:
        if by_handler(error):
            raise
        raise SourceUnreadableError(
            f"the log of the {type(table).__name__} cannot be read: {' '.join(_core.redact(str(error)).split())[:300]}",
            details={"path": "input.source"},
        ) from exposed(error)


def _refuse(what: str, advice: str) -> NoReturn:
    raise InvalidTaskError(
        f"the Delta table {what}, which is not read in this version. {advice}",
        details={"path": "input.source"},
    )


def _delta(
    engine: _core.Engine, table: Any, options: Mapping[str, Any] | None, timeout_ms: int | None
) -> _core.Frame:
    pyarrow = require("pyarrow", "a Delta table as a source")
    features = set(table.protocol().reader_features or ())
    unknown = sorted(features - _KNOWN - _MARKED)
    if unknown:
        _refuse(
            f"uses {', '.join(unknown)}",
            "Give what `deltalake` makes of it, if it can: `table.to_pyarrow_table()`",
        )
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        _refuse(
            "maps names of columns (`delta.columnMapping.mode`)",
            "Write it anew without, or give a DataFrame of it",
        )
    if "deletionVectors" in features and any(batch.num_rows for batch in table.deletion_vectors()):
        _refuse(
            "has deletion vectors: rows of its files that are deleted",
            "Rewrite such files (`REORG TABLE ... APPLY (PURGE)`, or `optimize`), and open the table again",
        )
    actions = pyarrow.table(table.get_add_actions(flatten=True))
    # Files in the order in which they came.
    order = (
        pyarrow.compute.sort_indices(
            actions, sort_keys=[("modification_time", "ascending"), ("path", "ascending")]
        )
        if actions.num_rows
        else []
    )
    actions = actions.take(order) if actions.num_rows else actions
    own = (
        {name: actions[f"partition.{name}"] for name in table.metadata().partition_columns}
        if actions.num_rows
        else {}
    )
    schema = pyarrow.schema(table.schema().to_arrow()).empty_table()
    paths = (
        [_address(table.table_uri, path) for path in actions["path"].to_pylist()] if actions.num_rows else []
    )
    store = options if options else _lowered(getattr(table, "_storage_options", None))
    remote = bool(paths) and "://" in paths[0]
    return engine.open_log(paths, schema, pyarrow.table(own), store if remote else None, timeout_ms)


def _lowered(options: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name.lower(): value for name, value in (options or {}).items()}


def _address(root: str, path: str) -> str:
    """Where a file of a Delta table is; paths in its log are in percent form, and so is the address of the table."""
    return _location(path if "://" in path else f"{root.rstrip('/')}/{path}", unquote)


def _location(address: str, named: Callable[[str], str] = str) -> str:
    """A path on this machine, or an address in percent form; `named` makes an object's name of what stands there."""
    scheme, separator, rest = address.partition("://")
    if not separator or scheme == "file":
        return named(rest if separator else address)
    bucket, slash, key = rest.partition("/")
    scheme = {"s3a": "s3", "s3n": "s3"}.get(scheme, scheme)
    return f"{scheme}://{bucket}{slash}{quote(named(key))}"


def _iceberg(
    engine: _core.Engine, table: Any, options: Mapping[str, Any] | None, timeout_ms: int | None
) -> _core.Frame:
    pyarrow = require("pyarrow", "an Iceberg table as a source")
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    scan = table if is_instance(table, "pyiceberg.table", "DataScan") else table.scan()
    files = list(scan.plan_files())
    plain = (
        isinstance(scan.row_filter, AlwaysTrue)
        and scan.limit is None
        and _stable(scan.table_metadata.schemas)
        and not any(task.delete_files for task in files)
        and all(str(task.file.file_format.value).upper() == "PARQUET" for task in files)
    )
    if not plain:
        # Deleted rows, renamed columns, filters of the scan: its own library knows what they mean.
        return engine.open([spooled(engine, [scan.to_arrow_batch_reader()], timeout_ms)])
    schema = schema_to_pyarrow(scan.projection(), include_field_ids=False).empty_table()
    paths = sorted(_location(task.file.file_path) for task in files)
    store: Mapping[str, Any] | None = options
    if not store:
        store = {
            ours: scan.io.properties[name]
            for name, ours in _ICEBERG_OPTIONS.items()
            if name in scan.io.properties
        }
        if str(store.get("aws_endpoint_url", "")).startswith("http://"):
            store = {**store, "allow_http": "true"}
    remote = bool(paths) and "://" in paths[0]
    return engine.open_log(paths, schema, pyarrow.table({}), store if remote else None, timeout_ms)


def _stable(schemas: list[Any]) -> bool:
    """Whether a name has always been the same column, and none has a value where files lack it."""
    names: dict[str, int] = {}
    ids: dict[int, str] = {}
    for schema in schemas:
        for name in schema.column_names:
            field = schema.find_field(name)
            same = names.setdefault(name, field.field_id) == field.field_id
            if not same or ids.setdefault(field.field_id, name) != name:
                return False
            if getattr(field, "initial_default", None) is not None:
                return False
    return True
