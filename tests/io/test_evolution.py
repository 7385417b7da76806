"""Files of one source whose columns differ: missing, added, moved, widened; generated, beside pyarrow."""

from __future__ import annotations

import datetime
import decimal
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import RLMClient, SchemaMismatchError

from tests.conftest import make_task

STRINGS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
FAMILIES: dict[str, list[pa.DataType]] = {
    "integers": [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32()],
    "numbers": [pa.int16(), pa.int32(), pa.float32(), pa.float64(), pa.int64()],
    "texts": STRINGS,
    "times": [pa.date32(), pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("ns")],
    "instants": [pa.timestamp("ms", "UTC"), pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC")],
    "decimals": [pa.decimal128(9, 2), pa.decimal128(12, 4), pa.decimal128(20, 0)],
    "bools": [pa.bool_()],
    "lists": [pa.list_(pa.int32()), pa.large_list(pa.int64())],
    "structs": [
        pa.struct([("u", pa.int32())]),
        pa.struct([("v", pa.string()), ("u", pa.int64())]),
    ],
}


def value(family: str, rng: random.Random) -> Any:
    """Something that every type of the family holds."""
    number = rng.randrange(0, 100)
    day = datetime.date(2000, 1, 1) + datetime.timedelta(days=number)
    match family:
        case "integers" | "numbers":
            return number
        case "texts":
            return f"text {number % 7}"
        case "times":
            return datetime.datetime.combine(day, datetime.time())
        case "instants":
            return datetime.datetime.combine(day, datetime.time(number % 24), datetime.UTC)
        case "decimals":
            return decimal.Decimal(number)
        case "bools":
            return number % 2 == 0
        case "lists":
            return [number] * (number % 3)
        case _:
            return {"u": number}


def table(rng: random.Random, families: dict[str, str], rows: int) -> pa.Table:
    """Some of the columns, in some order, each in one of the types of its family."""
    names = [name for name in families if rng.random() < 0.75] or ["a"]
    rng.shuffle(names)
    columns = {}
    for name in names:
        dtype = rng.choice([*FAMILIES[families[name]], *[pa.null()] * (rng.random() < 0.1)])
        drawn = [None if rng.random() < 0.2 else value(families[name], rng) for _ in range(rows)]
        if pa.types.is_null(dtype):
            columns[name] = pa.nulls(rows)
        elif pa.types.is_dictionary(dtype):
            columns[name] = pa.array(drawn, pa.string()).dictionary_encode()
        elif pa.types.is_date(dtype):
            columns[name] = pa.array([each and each.date() for each in drawn], dtype)
        else:
            columns[name] = pa.array(drawn, dtype)
    return pa.table(columns)


def expected_values(tables: list[pa.Table], name: str) -> list[Any]:
    values: list[Any] = []
    wide = any(name in t.column_names and pa.types.is_timestamp(t.schema.field(name).type) for t in tables)
    fields = {"v": None, "u": None} if _has_field(tables, name, "v") else {"u": None}
    for t in tables:
        for each in t[name].to_pylist() if name in t.column_names else [None] * len(t):
            if wide and isinstance(each, datetime.date) and not isinstance(each, datetime.datetime):
                each = datetime.datetime.combine(each, datetime.time())
            elif isinstance(each, dict):
                each = {**fields, **each}
            values.append(each)
    return values


def _has_field(tables: list[pa.Table], name: str, field: str) -> bool:
    types = [t.schema.field(name).type for t in tables if name in t.column_names]
    return any(pa.types.is_struct(dtype) and dtype.get_field_index(field) >= 0 for dtype in types)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 2**32),
    families=st.lists(st.sampled_from(sorted(FAMILIES)), min_size=1, max_size=5),
    rows=st.lists(st.integers(0, 9), min_size=1, max_size=5),
    chunk=st.sampled_from([1, 4, "auto"]),
)
def test_columns_are_brought_together(
    client: RLMClient,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    families: list[str],
    rows: list[int],
    chunk: int | str,
) -> None:
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("evolution")
    named = dict(zip("abcde", families, strict=False))
    tables = [table(rng, named, count) for count in rows]
    for number, each in enumerate(tables):
        pq.write_table(
            each, folder / f"{number}.parquet", row_group_size=3, use_dictionary=rng.random() < 0.5
        )

    found = client.execute(make_task(str(folder), lambda p: p, chunkSize=chunk)).to_arrow()
    names = list(dict.fromkeys(name for each in tables for name in each.column_names))
    assert found.column_names == names
    for name in names:
        assert found[name].to_pylist() == expected_values(tables, name), name

    name = names[0]
    if named[name] in ("integers", "numbers") and not pa.types.is_null(found.schema.field(name).type):
        limit = rng.randrange(100)
        kept = client.execute(
            make_task(str(folder), lambda p: p[p[name] > limit], chunkSize=chunk)
        ).to_arrow()
        assert kept.select(names).to_pylist() == found.filter(pc.greater(found[name], limit)).to_pylist()
        assert kept.select(names).schema.equals(found.schema)


PROMOTED: list[tuple[pa.DataType, pa.DataType, pa.DataType]] = [
    (pa.int32(), pa.int64(), pa.int64()),
    (pa.uint8(), pa.int8(), pa.int16()),
    (pa.float32(), pa.float64(), pa.float64()),
    (pa.int32(), pa.float64(), pa.float64()),
    (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
    (pa.timestamp("ms"), pa.timestamp("ns"), pa.timestamp("ns")),
    (pa.decimal128(9, 2), pa.decimal128(12, 4), pa.decimal128(12, 4)),
    (pa.null(), pa.int8(), pa.int8()),
]


@pytest.mark.parametrize(("one", "other", "both"), PROMOTED, ids=str)
@pytest.mark.parametrize("turned", [False, True])
def test_the_type_that_holds_both(
    client: RLMClient, tmp_path: Path, one: pa.DataType, other: pa.DataType, both: pa.DataType, turned: bool
) -> None:
    for number, dtype in enumerate([other, one] if turned else [one, other]):
        pq.write_table(pa.table({"x": pa.nulls(2, dtype)}), tmp_path / f"{number}.parquet")
    assert client.execute(make_task(str(tmp_path), lambda p: p)).to_arrow().schema.field("x").type == both


CONFLICTS: list[tuple[pa.DataType, pa.DataType]] = [
    (pa.int64(), pa.string()),
    (pa.bool_(), pa.int8()),
    (pa.uint64(), pa.int64()),
    (pa.timestamp("us"), pa.timestamp("us", "UTC")),
    (pa.timestamp("us", "UTC"), pa.timestamp("us", "Europe/Berlin")),
    (pa.date32(), pa.timestamp("us", "UTC")),
    (pa.decimal128(38, 0), pa.decimal128(38, 10)),
    (pa.decimal128(9, 2), pa.float64()),
    (pa.string(), pa.binary()),
    (pa.list_(pa.int64()), pa.int64()),
    (pa.list_(pa.int64()), pa.list_(pa.string())),
]


@pytest.mark.parametrize(("one", "other"), CONFLICTS, ids=str)
def test_conflicts_name_both_files(
    client: RLMClient, tmp_path: Path, one: pa.DataType, other: pa.DataType
) -> None:
    for number, dtype in enumerate([one, other]):
        pq.write_table(pa.table({"x": pa.nulls(2, dtype)}), tmp_path / f"part-{number}.parquet")
    with pytest.raises(SchemaMismatchError, match="`x`") as caught:
        client.execute(make_task(str(tmp_path), lambda p: p))
    assert caught.value.details["file"].endswith("part-1.parquet")
    assert caught.value.details["other_file"].endswith("part-0.parquet")


def test_a_value_that_the_wider_type_does_not_hold_is_no_other_value(
    client: RLMClient, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"x": [0.5]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [2**53, 2**53 + 1]}), tmp_path / "b.parquet")
    with pytest.raises(SchemaMismatchError, match="9007199254740993") as caught:
        client.execute(make_task(str(tmp_path), lambda p: p["x"].sum()))
    assert caught.value.details["file"].endswith("b.parquet")


def test_row_groups_are_left_out_by_statistics_of_the_files_own_type(
    client: RLMClient, tmp_path: Path
) -> None:
    """Numbers of another unit or width would leave out the wrong ones."""
    days = [datetime.datetime(2024, 1, day + 1) for day in range(20)]
    files: list[tuple[pa.DataType, pa.DataType]] = [
        (pa.timestamp("ns"), pa.int64()),
        (pa.timestamp("ms"), pa.int32()),
        (pa.date32(), pa.int8()),
    ]
    for number, (time, width) in enumerate(files):
        when = pa.array(days, pa.timestamp("ms")).cast(time)
        written = pa.table({"t": when, "n": pa.array(range(20), width)})
        pq.write_table(written, tmp_path / f"{number}.parquet", row_group_size=5)
    import pandas as pd

    for operation, expected in (
        (lambda p: p[p["t"] == pd.Timestamp("2024-01-07")]["n"], [6] * 3),
        (lambda p: p[p["n"] >= 18]["n"], [18, 19] * 3),
    ):
        run = client.submit(make_task(str(tmp_path), operation))
        assert run.result().to_arrow()["n"].to_pylist() == expected
        assert run.explain().to_dict()["scans"][0]["row_groups_pruned"] == 9


def test_a_filter_by_a_column_that_a_file_lacks(client: RLMClient, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"a": [3, 4]}), tmp_path / "1.parquet")
    task = make_task(str(tmp_path), lambda p: p[p["b"] == "y"])
    assert client.execute(task).to_arrow().select(["a", "b"]).to_pylist() == [{"a": 2, "b": "y"}]
    task = make_task(str(tmp_path), lambda p: p[p["b"].isna()])
    assert client.execute(task).to_arrow()["a"].to_pylist() == [3, 4]
    counted = client.execute(make_task(str(tmp_path), lambda p: p.groupby("b", dropna=False)["a"].sum()))
    assert counted.to_arrow()["a"].to_pylist() == [1, 2, 7]
