"""Directories named `key=value`: columns of their own, typed together, beside DuckDB; what is left out is not opened."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import RLMClient, SchemaMismatchError, SourceUnreadableError

from tests.conftest import make_task
from tests.io.conftest import Store

MISSING = "__HIVE_DEFAULT_PARTITION__"


def write(root: Path, parts: list[tuple[str, pa.Table]]) -> Path:
    for number, (folder, table) in enumerate(parts):
        (root / folder).mkdir(parents=True, exist_ok=True)
        pq.write_table(table, root / folder / f"part-{number:03}.parquet")
    return root


def rows(client: RLMClient, source: Any, operation: Callable[[Any], Any] = lambda p: p) -> pa.Table:
    answer: pa.Table = client.execute(make_task(str(source), operation)).to_arrow()
    return answer


def explained(client: RLMClient, source: Any, operation: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
    run = client.submit(make_task(str(source), operation))
    answer = run.result()
    facts: dict[str, Any] = run.explain().to_dict()["scans"][0]
    return answer, facts


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    parts = [
        (f"year={year}/month={month:02}", pa.table({"n": [year + month, month]}))
        for year in (2023, 2024)
        for month in (1, 2, 12)
    ]
    return write(tmp_path / "sales", parts)


def test_partition_columns_follow_the_files_own(client: RLMClient, sales: Path) -> None:
    table = rows(client, sales)
    assert table.column_names == ["n", "year", "month"]
    assert table.schema.field("year").type == pa.int32()
    assert table["month"].to_pylist() == [1, 1, 2, 2, 12, 12] * 2
    assert table["year"].to_pylist() == [2023] * 6 + [2024] * 6


def test_they_are_ordinary_columns(client: RLMClient, sales: Path) -> None:
    grouped = client.execute(make_task(str(sales), lambda p: p.groupby(["month", "year"])["n"].sum()))
    frame = ds.dataset(sales, partitioning="hive").to_table().to_pandas()
    assert grouped.to_pandas().to_dict() == frame.groupby(["month", "year"])["n"].sum().to_dict()
    kept = rows(client, sales, lambda p: p[(p["n"] > p["month"]) & (p["year"] == 2024)])
    assert kept["n"].to_pylist() == [2025, 2026, 2036]


@pytest.mark.parametrize(
    ("condition", "left_out"),
    [
        (lambda p: p["month"] == 1, 4),
        (lambda p: p["month"].isin([2, 12]), 2),
        (lambda p: (p["year"] > 2023) & (p["n"] > 0), 3),
        (lambda p: (p["year"] != 2023) | (p["month"] == 12), 2),
        (lambda p: p["month"] + p["year"] == 2025, 4),
        (lambda p: p["n"] > 0, 0),
    ],
)
def test_files_are_left_out(client: RLMClient, sales: Path, condition: Any, left_out: int) -> None:
    frame = ds.dataset(sales, partitioning="hive").to_table().to_pandas()
    answer, facts = explained(client, sales, lambda p: p[condition(p)])
    assert facts["files_pruned"] == left_out
    assert answer.to_arrow()["n"].to_pylist() == frame[condition(frame)]["n"].to_list()


def test_files_that_are_left_out_are_not_opened(client: RLMClient, sales: Path) -> None:
    """Their data are gone between the opening of the source and the run."""
    table = client.table(str(sales))
    for path in sales.glob("year=2023/*/*"):
        path.unlink()
    task = make_task(str(sales), lambda p: table[table["year"] == 2024]["n"].sum())
    assert client.execute(task) == 2025 + 2026 + 2036 + 1 + 2 + 12


def test_partition_columns_alone_read_no_data(client: RLMClient, sales: Path) -> None:
    run = client.submit(make_task(str(sales), lambda p: p.groupby("year")["month"].sum()))
    assert run.result().to_pandas().to_dict() == {2023: 30, 2024: 30}
    assert run.progress.bytes_read == 0


def test_missing_and_encoded_values(client: RLMClient, tmp_path: Path) -> None:
    names = ["a/b", "x=y", "100%", "é ü", "plain", "%41"]
    parts = [(f"k={quote(name, safe='')}", pa.table({"n": [n]})) for n, name in enumerate(names)]
    write(tmp_path, [*parts, (f"k={MISSING}", pa.table({"n": [99]}))])
    table = rows(client, tmp_path).sort_by("n")
    assert table["k"].to_pylist() == [*names, None]
    assert rows(client, tmp_path, lambda p: p[p["k"].isna()])["n"].to_pylist() == [99]


TYPES: dict[str, tuple[list[str], pa.DataType, list[Any]]] = {
    "int": (["1", "-2", "007"], pa.int32(), [-2, 7, 1]),
    "long": (["1", "3000000000"], pa.int64(), [1, 3000000000]),
    "double": (["1", "2.5"], pa.float64(), [1.0, 2.5]),
    "date": (
        ["2024-02-29", "1970-01-01"],
        pa.date32(),
        [datetime.date(1970, 1, 1), datetime.date(2024, 2, 29)],
    ),
    "text among numbers": (["01", "x"], pa.string_view(), ["01", "x"]),
    "no date": (["2023-02-30"], pa.string_view(), ["2023-02-30"]),
}


@pytest.mark.parametrize("kind", TYPES)
def test_types_are_decided_over_all_directories(client: RLMClient, tmp_path: Path, kind: str) -> None:
    texts, dtype, expected = TYPES[kind]
    write(tmp_path, [(f"k={text}", pa.table({"n": [1]})) for text in texts])
    column = rows(client, tmp_path)["k"]
    assert sorted(column.to_pylist()) == sorted(expected)
    assert column.type == dtype or (dtype == pa.string_view() and pa.types.is_large_string(column.type))


def test_the_directory_wins_over_the_file(client: RLMClient, tmp_path: Path) -> None:
    write(
        tmp_path, [("k=7", pa.table({"k": ["file"], "n": [1]})), ("k=8", pa.table({"k": ["file"], "n": [2]}))]
    )
    table = rows(client, tmp_path)
    assert table.column_names == ["k", "n"]
    assert table["k"].to_pylist() == [7, 8]


@pytest.mark.parametrize(
    "folders",
    [["a=1/b=2", "a=1"], ["a=1", "b=1"], ["a=1/b=2", "b=2/a=1"], ["a=1", "."]],
    ids=["depth", "keys", "order", "none"],
)
def test_mixed_layouts_are_refused(client: RLMClient, tmp_path: Path, folders: list[str]) -> None:
    write(tmp_path, [(folder, pa.table({"n": [1]})) for folder in folders])
    with pytest.raises(SchemaMismatchError) as caught:
        rows(client, tmp_path)
    for number in range(2):
        assert f"part-{number:03}.parquet" in str(caught.value)


@pytest.mark.parametrize("folder", ["a=", "=1", "a=1/a=2"])
def test_half_keys_are_refused(client: RLMClient, tmp_path: Path, folder: str) -> None:
    write(tmp_path, [(folder, pa.table({"n": [1]}))])
    with pytest.raises(SourceUnreadableError, match="part-000"):
        rows(client, tmp_path)


def test_a_directory_of_one_partition_is_no_partitioned_source(client: RLMClient, sales: Path) -> None:
    assert rows(client, sales / "year=2024").column_names == ["n", "month"]
    assert rows(client, f"{sales}/year=2024/*/*.parquet").column_names == ["n"]


def test_what_others_write(client: RLMClient, tmp_path: Path) -> None:
    table = pa.table({"g": ["a", "b", None, "c d"] * 5, "h": [1, 2] * 10, "n": list(range(20))})
    ds.write_dataset(
        table, tmp_path / "pyarrow", format="parquet", partitioning=["g", "h"], partitioning_flavor="hive"
    )
    duckdb.from_arrow(table.drop_null()).write_parquet(str(tmp_path / "duckdb"), partition_by=["g", "h"])
    pl.DataFrame(table).write_parquet(tmp_path / "polars", partition_by=["g", "h"])
    for writer in ("pyarrow", "duckdb", "polars"):
        expected = table.drop_null() if writer == "duckdb" else table
        found = rows(client, tmp_path / writer).select(["g", "h", "n"]).sort_by("n")
        assert found.to_pylist() == expected.to_pylist(), writer


def test_on_an_object_store(s3: Store, sales: Path) -> None:
    for path in sorted(sales.rglob("*.parquet")):
        s3.boto.put_object(Bucket="bucket", Key=f"hive/{path.relative_to(sales)}", Body=path.read_bytes())
    for name in ("a%2Fb", MISSING):
        body = next(sales.rglob("*.parquet")).read_bytes()
        s3.boto.put_object(Bucket="bucket", Key=f"odd/k={name}/x.parquet", Body=body)
    with RLMClient(threads=2, storage_options=s3.options) as client:
        assert rows(client, "s3://bucket/hive").to_pylist() == rows(client, sales).to_pylist()
        answer, facts = explained(client, "s3://bucket/hive/", lambda p: p[p["month"] == 12]["n"].sum())
        assert (answer, facts["files_pruned"]) == (2035 + 2036 + 24, 4)
        assert set(rows(client, "s3://bucket/odd")["k"].to_pylist()) == {"a/b", None}


VALUES = st.one_of(
    st.none(),
    st.integers(-5, 5).map(str),
    st.sampled_from(["x", "a/b", "2024-01-01", "é", "1.5", "%"]),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    keys=st.lists(st.tuples(VALUES, st.integers(2020, 2022)), min_size=1, max_size=6, unique=True),
    least=st.integers(2019, 2023),
)
def test_as_duckdb_reads_it(
    client: RLMClient,
    tmp_path_factory: pytest.TempPathFactory,
    keys: list[tuple[str | None, int]],
    least: int,
) -> None:
    root = tmp_path_factory.mktemp("hive")
    # One that is neither number nor date makes all of them texts, as DuckDB is told they are.
    keys = [*keys, ("neither", 2021)]
    parts = []
    for number, (value, year) in enumerate(keys):
        folder = f"k={MISSING if value is None else quote(value, safe='')}/year={year}"
        parts.append((folder, pa.table({"n": pa.array([number, number + 10], pa.int64())})))
    write(root, parts)
    query = f"""select n, k, year from read_parquet('{root}/*/*/*.parquet', hive_partitioning=true,
        hive_types={{'k': varchar, 'year': int}}) where year >= {least}"""
    expected = duckdb.sql(query).fetchall()
    found = rows(client, root, lambda p: p[p["year"] >= least]).select(["n", "k", "year"]).to_pylist()
    assert sorted(repr(tuple(row.values())) for row in found) == sorted(map(repr, expected))
