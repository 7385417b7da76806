"""Times of type INT96: as Spark and others write them, in every year that they have, or an error."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import RLMClient, SourceUnreadableError

from tests.conftest import make_task

END = dt.datetime(9999, 12, 31, 23, 59, 59, 999_999)
SPARK = {"org.apache.spark.version": "4.1.0"}
TIMES = st.none() | st.datetimes(dt.datetime(1, 1, 1), END)


def plain(table: pa.Table, path: Path, notes: dict[str, str] | None = None, **more: Any) -> None:
    """Without Arrow's own note of the schema, as other writers do."""
    pages = more.pop("row_group_size", None)
    with pq.ParquetWriter(
        path, table.schema, use_deprecated_int96_timestamps=True, store_schema=False, **more
    ) as writer:
        writer.write_table(table, pages)
        writer.add_key_value_metadata(notes or {})
    assert "INT96" in {column.physical_type for column in pq.ParquetFile(path).schema}


def spark(table: pa.Table, path: Path, **more: Any) -> None:
    """As Spark's defaults are."""
    plain(table, path, SPARK, **more)


def ticks(column: pa.ChunkedArray) -> list[int | None]:
    values: list[int | None] = column.cast(pa.int64()).to_pylist()
    return values


def since(time: dt.datetime | None) -> int | None:
    return None if time is None else (time - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)


@settings(max_examples=40, deadline=None)
@given(
    times=st.lists(TIMES, max_size=60),
    dictionary=st.booleans(),
    version=st.sampled_from(["1.0", "2.0"]),
    chunk=st.sampled_from([1, 7, 1000]),
)
def test_every_year_of_spark(
    client: RLMClient,
    tmp_path_factory: pytest.TempPathFactory,
    times: list[dt.datetime | None],
    dictionary: bool,
    version: str,
    chunk: int,
) -> None:
    path = tmp_path_factory.mktemp("int96") / "part.parquet"
    table = pa.table({"t": pa.array(times, pa.timestamp("us")), "n": list(range(len(times)))})
    spark(table, path, use_dictionary=dictionary, data_page_version=version, row_group_size=17)
    task = make_task(str(path), lambda p: p, chunkSize=chunk)
    back = client.execute(task).to_arrow()
    assert back["t"].type == pa.timestamp("us")
    assert ticks(back["t"]) == [since(time) for time in times]
    late = [time for time in times if time is not None and time >= dt.datetime(2262, 5, 1)]
    task = make_task(str(path), lambda p: p[p["t"] >= "2262-05-01"]["t"].count(), chunkSize=chunk)
    assert client.execute(task) == len(late)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.none() | st.integers(-(2**63) + 1, 2**63 - 1), max_size=60), dictionary=st.booleans()
)
def test_nanoseconds_of_others(
    client: RLMClient, tmp_path_factory: pytest.TempPathFactory, values: list[int | None], dictionary: bool
) -> None:
    path = tmp_path_factory.mktemp("int96") / "part.parquet"
    table = pa.table({"t": pa.array(values, pa.timestamp("ns"))})
    plain(table, path, use_dictionary=dictionary, row_group_size=17)
    back = client.execute(make_task(str(path), lambda p: p)).to_arrow()
    assert back["t"].type == pa.timestamp("ns") == pq.read_table(path)["t"].type
    assert ticks(back["t"]) == values == ticks(pq.read_table(path)["t"])


@pytest.mark.parametrize("time", [END, dt.datetime(1, 1, 1), dt.datetime(2262, 4, 11, 23, 47, 17)])
@pytest.mark.parametrize("dictionary", [True, False])
def test_what_nanoseconds_do_not_hold_is_no_other_time(
    client: RLMClient, tmp_path: Path, time: dt.datetime, dictionary: bool
) -> None:
    path = tmp_path / "hive.parquet"
    table = pa.table(
        {"t": pa.array([dt.datetime(2024, 1, 1), None, time], pa.timestamp("us")), "n": [1, 2, 3]}
    )
    plain(table, path, use_dictionary=dictionary)
    for operation in (lambda p: p, lambda p: p["t"].max(), lambda p: p[p["t"] > "2100-01-01"]["n"].sum()):
        with pytest.raises(SourceUnreadableError, match=r"hive\.parquet.*INT96.*2262"):
            client.execute(make_task(str(path), operation))
    # Other columns are not concerned.
    assert client.execute(make_task(str(path), lambda p: p["n"].sum())) == 6


def test_within_lists_and_structs(client: RLMClient, tmp_path: Path) -> None:
    inner = pa.struct({"at": pa.timestamp("us"), "n": pa.int64()})
    rows = [[END, None], [], None, [dt.datetime(1, 1, 1)]]
    table = pa.table(
        {
            "l": pa.array(rows, pa.list_(pa.timestamp("us"))),
            "s": pa.array([{"at": END, "n": 1}, None, {"at": None, "n": 2}, {"at": END, "n": 3}], inner),
        }
    )
    spark(table, tmp_path / "part.parquet")
    back = client.execute(make_task(str(tmp_path), lambda p: p)).to_arrow()
    assert back["l"].to_pylist() == rows
    assert back["s"].to_pylist() == table["s"].to_pylist()


def test_beside_other_files(client: RLMClient, tmp_path: Path) -> None:
    table = pa.table({"t": pa.array([dt.datetime(2024, 1, 1)], pa.timestamp("us"))})
    spark(table, tmp_path / "a.parquet")
    pq.write_table(table, tmp_path / "b.parquet")
    found = client.execute(make_task(str(tmp_path), lambda p: p)).to_pandas()["t"]
    assert found.tolist() == [pd.Timestamp("2024-01-01")] * 2
    assert found.dtype == "datetime64[us]"
