"""A second oracle, on more rows than pandas is pleasant with: group-bys against DuckDB over the same files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient

from tests.conftest import make_task

Clients = Callable[[int], RLMClient]

ROWS = 200_000
AGGREGATES = {
    "total": ("i", "sum"),
    "rows": ("i", "count"),
    "low": ("x", "min"),
    "high": ("x", "max"),
    "average": ("x", "mean"),
    "xs": ("x", "count"),
}
SQL = "sum(i)::bigint total, count(i) AS rows, min(x) low, max(x) high, avg(x) average, count(x) xs"


def _by_duckdb(query: str) -> pa.Table:
    relation = duckdb.sql(query)
    assert relation is not None
    return relation.to_arrow_table()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five uneven files: a key with 50,000 values, one with 40, integers, floats with holes."""
    folder = tmp_path_factory.mktemp("duckdb")
    chance = np.random.default_rng(3)
    many = chance.integers(0, 50_000, ROWS)
    data = pa.table(
        {
            "many": pa.array([f"customer {n:07}" for n in many]),
            "number": pa.array(many * 1_000_003, pa.int64()),
            "few": pa.array([f"c{n}" for n in chance.integers(0, 40, ROWS)]),
            "i": pa.array(chance.integers(-(10**12), 10**12, ROWS)),
            "x": pa.array(chance.integers(-4000, 4000, ROWS) / 4, mask=chance.random(ROWS) < 0.1),
        }
    )
    places = [0, 90_000, 90_000, 120_001, 120_777, ROWS]
    for n, (start, stop) in enumerate(itertools.pairwise(places)):
        pq.write_table(data.slice(start, stop - start), folder / f"{n}.parquet", row_group_size=30_000)
    return folder


@pytest.mark.parametrize("keys", [["many"], ["number"], ["few"], ["few", "number"]], ids="+".join)
@pytest.mark.parametrize("how", [(10_000, 2), ("auto", 1), ("auto", 4)], ids=str)
def test_group_by_equals_duckdb(
    clients: Clients, files: Path, keys: list[str], how: tuple[int | str, int]
) -> None:
    chunk, threads = how
    task = make_task(str(files), lambda p: p.groupby(keys, as_index=False).agg(**AGGREGATES), chunkSize=chunk)
    got = clients(threads).execute(task).to_arrow()
    names = ", ".join(keys)
    query = f"SELECT {names}, {SQL} FROM '{files}/*.parquet' GROUP BY {names} ORDER BY {names}"
    expected = _by_duckdb(query)
    assert got.column_names == expected.column_names
    assert len(got) == len(expected)
    for name in got.column_names:
        ours, theirs = got[name].to_numpy(zero_copy_only=False), expected[name].to_numpy(zero_copy_only=False)
        if name == "average":
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-9)
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_a_filter_equals_duckdb(clients: Clients, files: Path) -> None:
    task = make_task(str(files), lambda p: p[(p["x"] > 100) & (p["few"] != "c7")].groupby("few")["i"].sum())
    got = clients(2).execute(task).to_arrow()
    query = f"SELECT few, sum(i)::bigint AS i FROM '{files}/*.parquet' WHERE x > 100 AND few <> 'c7' GROUP BY 1 ORDER BY 1"
    assert got.to_pylist() == _by_duckdb(query).to_pylist()
