"""Delta Lake and Iceberg tables as sources: what their own libraries read is what ours does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import InvalidTaskError, RLMClient, SourceUnreadableError

deltalake = pytest.importorskip("deltalake")
pyiceberg_catalog = pytest.importorskip("pyiceberg.catalog.sql")


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


def everything(p: Any) -> Any:
    return p


def task(source: Any, operation: Any = everything, **more: Any) -> dict[str, Any]:
    return {"type": "parallel", "input": {"source": source, "operation": operation, **more}}


def same(found: Any, expected: pa.Table) -> None:
    """Equal rows in any order, and equal columns in theirs."""
    table = found.to_arrow()
    assert table.column_names == expected.column_names
    one, other = (
        t.to_pandas().sort_values(expected.column_names, ignore_index=True) for t in (table, expected)
    )
    pd.testing.assert_frame_equal(one, other, check_dtype=False)


@pytest.fixture
def delta(tmp_path: Path) -> str:
    """Partitions by text that looks like numbers, by missing values, by what a path must not have; and a later column."""
    url = str(tmp_path / "table")
    first = pa.table({"a": [1, 2, 3], "p": ["01", "02", "a b/c%"], "q": pa.array([None, 2, 3], pa.int64())})
    deltalake.write_deltalake(url, first, partition_by=["p", "q"])
    second = pa.table({"a": [4], "p": ["02"], "q": [7], "z": [2.5]})
    deltalake.write_deltalake(url, second, mode="append", schema_mode="merge")
    return url


def test_delta_with_partitions_and_a_later_column(client: RLMClient, delta: str) -> None:
    table = deltalake.DeltaTable(delta)
    expected = table.to_pyarrow_table()
    same(client.execute(task(table)), expected)
    assert dict(client.schema(table)) == {"a": "int64", "p": "str", "q": "int64", "z": "float64"}
    assert client.schema(table).partition_columns == ["p", "q"]
    assert client.execute(task(table, lambda p: p.groupby("p")["a"].sum())).to_dict() == {
        "01": 1,
        "02": 6,
        "a b/c%": 3,
    }
    few = pd.DataFrame({"a": [4]})
    assert client.execute(task(few, lambda p: p.merge(client.table(table), on="a")["z"].sum())) == 2.5


def test_delta_time_travel_and_pruning(client: RLMClient, delta: str) -> None:
    old = deltalake.DeltaTable(delta, version=0)
    same(client.execute(task(old)), old.to_pyarrow_table())
    assert len(client.read(old)) == 3 and "z" not in client.read(old).columns
    run = client.submit(task(deltalake.DeltaTable(delta), lambda p: p[p["p"] == "01"]))
    assert run.result().to_dict()["a"] == [1]
    assert run.explain().to_dict()["scans"][0]["files_pruned"] == 3


def test_delta_overwritten_deleted_and_empty(client: RLMClient, delta: str) -> None:
    table = deltalake.DeltaTable(delta)
    table.delete("a = 2")
    same(client.execute(task(table)), table.to_pyarrow_table())
    table.delete()
    found = client.execute(task(table)).to_arrow()
    assert found.num_rows == 0 and found.column_names == ["a", "p", "q", "z"]


def test_delta_types(client: RLMClient, tmp_path: Path) -> None:
    import datetime
    import decimal

    rows = pa.table(
        {
            "i": pa.array([1, None], pa.int32()),
            "d": pa.array([datetime.date(2024, 1, 2), None]),
            "t": pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5), None], pa.timestamp("us", "UTC")),
            "c": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(10, 2)),
            "l": pa.array([[1, 2], None], pa.list_(pa.int64())),
            "b": [True, None],
        }
    )
    url = str(tmp_path / "types")
    deltalake.write_deltalake(url, rows)
    found = client.execute(task(deltalake.DeltaTable(url))).to_arrow()
    assert found.to_pydict() == rows.to_pydict()


def test_delta_of_spark(client: RLMClient, tmp_path: Path) -> None:
    """Its times are of type INT96, and instants by the log."""
    import datetime

    times = [datetime.datetime(2024, 1, 2, 3), None, datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999)]
    at = pa.timestamp("us", "UTC")
    rows = pa.table({"t": pa.array(times, at), "l": pa.array([[time] for time in times], pa.list_(at))})
    url = str(tmp_path / "table")
    deltalake.write_deltalake(url, rows)
    (path,) = (tmp_path / "table").glob("*.parquet")
    for notes in ({}, {"org.apache.spark.version": "4.1.0"}):
        with pq.ParquetWriter(
            path, rows.schema, use_deprecated_int96_timestamps=True, store_schema=False
        ) as writer:
            writer.write_table(rows)
            writer.add_key_value_metadata(notes)
        found = client.execute(task(deltalake.DeltaTable(url))).to_arrow()
        assert found["t"].type == at
        assert found.to_pydict() == rows.to_pydict()
        late = client.execute(
            task(deltalake.DeltaTable(url), lambda p: p[p["t"] > "9000-01-01"]["t"].count())
        )
        assert late == 1


def test_delta_that_is_not_read_is_refused(client: RLMClient, delta: str) -> None:
    with pytest.raises(InvalidTaskError, match="format"):
        client.execute(task(deltalake.DeltaTable(delta), format="parquet"))
    with pytest.raises(InvalidTaskError, match="log of its own"):
        client.execute(task([deltalake.DeltaTable(delta), deltalake.DeltaTable(delta)]))

    protocol = SimpleNamespace(reader_features=["deletionVectors", "columnMapping"])
    mapped = SimpleNamespace(configuration={"delta.columnMapping.mode": "name"}, partition_columns=[])
    plain = SimpleNamespace(configuration={}, partition_columns=[])

    class Mapped(deltalake.DeltaTable):  # type: ignore[misc]
        def protocol(self) -> Any:
            return protocol

        def metadata(self) -> Any:
            return mapped

    class Deleted(Mapped):
        def metadata(self) -> Any:
            return plain

        def deletion_vectors(self) -> Any:
            return iter([pa.record_batch({"filepath": ["f"], "selection_vector": [[True]]})])

    for kind, words in [(Mapped, "columnMapping"), (Deleted, "deletion vectors")]:
        with pytest.raises(InvalidTaskError, match=words):
            client.execute(task(kind(delta)))


def test_a_file_that_is_gone_is_named(client: RLMClient, delta: str) -> None:
    table = deltalake.DeltaTable(delta)
    gone = table.file_uris()[0]
    Path(gone).unlink()
    with pytest.raises((SourceUnreadableError, FileNotFoundError)):
        client.execute(task(table))


@pytest.fixture
def catalog(tmp_path: Path) -> Any:
    made = pyiceberg_catalog.SqlCatalog(
        "test", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}"
    )
    made.create_namespace("n")
    yield made
    made.close()


def test_iceberg_evolves_and_travels(client: RLMClient, catalog: Any) -> None:
    from pyiceberg.types import DoubleType, LongType

    table = catalog.create_table("n.t", schema=pa.schema([("a", pa.int32()), ("s", pa.string())]))
    table.append(pa.table({"a": pa.array([1, 2], pa.int32()), "s": ["x", None]}))
    with table.update_schema() as update:
        update.add_column("b", DoubleType())
        update.update_column("a", field_type=LongType())
    table.append(pa.table({"a": [1 << 40], "s": ["z"], "b": [1.5]}))
    same(client.execute(task(table)), table.scan().to_arrow())
    assert dict(client.schema(table)) == {"a": "int64", "s": "str", "b": "float64"}
    assert client.schema(table).files == 2
    old = table.scan(snapshot_id=table.snapshots()[0].snapshot_id)
    same(client.execute(task(old)), old.to_arrow())
    with table.update_schema() as update:
        update.delete_column("s")
    same(client.execute(task(table)), table.scan().to_arrow())


def test_iceberg_that_only_its_library_reads_comes_as_a_stream(client: RLMClient, catalog: Any) -> None:
    table = catalog.create_table("n.u", schema=pa.schema([("a", pa.int64()), ("s", pa.string())]))
    table.append(pa.table({"a": [1, 2, 3], "s": ["x", "y", "z"]}))
    with table.update_schema() as update:
        update.rename_column("s", "name")
    table.append(pa.table({"a": [4], "name": ["w"]}))
    same(client.execute(task(table)), table.scan().to_arrow())
    some = table.scan(row_filter="a > 1", selected_fields=("name", "a"))
    same(client.execute(task(some)), some.to_arrow())
    table.delete("a = 1")
    same(client.execute(task(table)), table.scan().to_arrow())
    empty = catalog.create_table("n.e", schema=pa.schema([("a", pa.int64())]))
    assert client.execute(task(empty)).to_arrow().num_rows == 0
