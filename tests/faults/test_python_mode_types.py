"""The types of a chunk in Python mode are those that the whole source has in native results, whatever the chunk holds."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal
from rlm_hypervisor import RLMClient

from tests.conftest import make_task

BIG = 2**53 + 1
KINDS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "i8": (pa.int8(), [-128, 5]),
    "i16": (pa.int16(), [-(2**15), 7]),
    "i32": (pa.int32(), [-(2**31), 9]),
    "i64": (pa.int64(), [BIG, -BIG, 2**63 - 1]),
    "u8": (pa.uint8(), [255, 0]),
    "u64": (pa.uint64(), [2**64 - 1, BIG]),
    "f32": (pa.float32(), [0.5, -1.25]),
    "f64": (pa.float64(), [0.1, float("inf"), float("nan")]),
    "bool": (pa.bool_(), [True, False]),
    "text": (pa.string(), ["", "ключ", "a"]),
    "codes": (pa.dictionary(pa.int32(), pa.string()), ["x", "y"]),
    "day": (pa.date32(), [datetime.date(1, 1, 1), datetime.date(2024, 2, 29)]),
    "time": (pa.timestamp("us"), [datetime.datetime(1969, 12, 31), datetime.datetime(2024, 1, 1, 1)]),
    "zoned": (pa.timestamp("ms", "Europe/Berlin"), [datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)]),
    "span": (pa.duration("s"), [datetime.timedelta(seconds=5)]),
    "money": (pa.decimal128(12, 2), [decimal.Decimal("1.25"), decimal.Decimal("1234567.00")]),
    "bytes": (pa.binary(), [b"", b"\x00a"]),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 12))
    columns = {}
    for name, (kind, values) in KINDS.items():
        missing = draw(st.sampled_from(["none", "some", "all"]))
        options = {"none": values, "some": [*values, None], "all": [None]}[missing]
        columns[name] = pa.array(draw(st.lists(st.sampled_from(options), min_size=rows, max_size=rows)), kind)
    return pa.table(columns)


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    """Two workers for all tests."""
    with RLMClient(threads=1, workers=2) as client:
        yield client


def dtypes(partition: Any) -> Any:
    """The types of a partition, of the frame it gives, and of the Arrow table it gives."""
    frame = partition.to_pandas()
    arrow = [str(field.type) for field in partition.to_arrow().schema]
    return [str(one) for one in partition.dtypes], [str(one) for one in frame.dtypes], arrow


def _run(client: RLMClient, source: Any, operation: Callable[..., Any], mode: str, **more: Any) -> Any:
    return client.execute(make_task(source, operation, options={"mode": mode}, **more))


def _compare(client: RLMClient, source: Any, chunk: int) -> None:
    native = _run(client, source, lambda p: p, "native")
    wanted = native.to_pandas()
    found = _run(client, source, lambda p: p, "python", chunkSize=chunk)
    assert_frame_equal(found.to_pandas(), wanted)
    parts = _run(client, source, dtypes, "python", chunkSize=chunk, combine="list")
    arrow = [str(field.type) for field in native.to_arrow().schema]
    plain = [str(one) for one in wanted.dtypes]
    for own, frame, in_arrow in parts:
        assert own == frame == plain
        assert in_arrow == arrow


@given(table=tables(), chunk=st.integers(1, 13), stored=st.booleans())
@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_types_are_those_of_native_results(
    client: RLMClient, tmp_path_factory: pytest.TempPathFactory, table: pa.Table, chunk: int, stored: bool
) -> None:
    source: Any = table
    if stored:
        source = str(tmp_path_factory.mktemp("types") / "rows.parquet")
        # Parquet knows no seconds of durations as Arrow has them; the schema that Arrow keeps tells.
        pq.write_table(table, source, row_group_size=5)
    _compare(client, source, chunk)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_whole_numbers_are_exact_in_what_is_computed(client: RLMClient, chunk: int) -> None:
    values = [BIG, None, BIG + 2, 5, None, None, -BIG]
    source = pa.table({"n": pa.array(values, pa.int64())})
    found = _run(client, source, lambda p: p["n"] + 1, "python", chunkSize=chunk).to_pandas()
    native = _run(client, source, lambda p: p["n"] + 1, "native").to_pandas()
    assert_series_equal(found, native)
    assert found.tolist() == [pd.NA if value is None else value + 1 for value in values]


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_files_of_text_tell_whether_values_are_missing(client: RLMClient, tmp_path: Path, chunk: int) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"a,b,c,d\n1,{BIG},True,x\n2,,False,\n3,7,,y\n4,8,True,z\n")
    _compare(client, str(path), chunk)
    (parts, *_) = _run(client, str(path), dtypes, "python", chunkSize=chunk, combine="list")
    assert parts[0] == ["int64", "Int64", "boolean", "str"]


def test_columns_that_some_files_lack_are_missing_there(client: RLMClient, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2], "b": [3, 4]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"a": [5, 6]}), tmp_path / "1.parquet")
    _compare(client, str(tmp_path), 2)


def test_where_nothing_tells_there_is_room_for_missing_values(client: RLMClient, tmp_path: Path) -> None:
    plain = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3]}), plain, write_statistics=False)
    parts = _run(client, str(plain), dtypes, "python", chunkSize=1, combine="list")
    assert {own[0] for own, _, _ in parts} == {"Int64"}
    required = tmp_path / "required.parquet"
    schema = pa.schema([pa.field("a", pa.int64(), nullable=False)])
    pq.write_table(pa.table({"a": [1, 2, 3]}, schema=schema), required, write_statistics=False)
    parts = _run(client, str(required), dtypes, "python", chunkSize=1, combine="list")
    assert {own[0] for own, _, _ in parts} == {"int64"}


def test_new_columns_and_changed_ones_have_their_own_types_in_arrow(client: RLMClient) -> None:
    source = pa.table({"money": pa.array([decimal.Decimal("1.5"), None], pa.decimal128(9, 1)), "n": [1, 2]})

    def operation(p: Any) -> Any:
        p["new"] = [b"x"] * len(p)
        p["money"] = p["money"].astype("str")
        p["n"] = np.sqrt(p["n"])
        return [str(field.type) for field in p.to_arrow().schema]

    parts = _run(client, source, operation, "python", chunkSize=1, combine="list")
    assert parts == [["large_string", "double", "binary"]] * 2
