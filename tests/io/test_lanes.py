"""Threads that make and write their own rows: none is missing where one has more to do than another, or fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import RLMClient

ROWS = 40_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lanes")
    random = np.random.default_rng(3)
    table = pa.table(
        {
            "n": np.arange(ROWS),
            "x": random.normal(size=ROWS),
            "s": [f"text {n}" for n in random.integers(0, 500, ROWS)],
            "key": random.integers(0, 5, ROWS),
        }
    )
    pq.write_table(table, folder / "rows.parquet", row_group_size=1_500)
    pyarrow.csv.write_csv(table, folder / "rows.csv")
    return folder


def task(source: Path, output: dict[str, Any], operation: Any, chunk: int) -> dict[str, Any]:
    return {
        "type": "parallel",
        "input": {"source": str(source), "operation": operation, "chunkSize": chunk},
        "output": output,
    }


def read(out: Path) -> pd.DataFrame:
    files = sorted(out.rglob("*.parquet"))
    return pd.concat([pq.ParquetFile(file).read().to_pandas() for file in files], ignore_index=True)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    first=st.integers(0, ROWS),
    length=st.integers(0, ROWS),
    chunk=st.sampled_from([100, 1_000, 64_000]),
    threads=st.sampled_from([1, 2, 5]),
    name=st.sampled_from(["rows.parquet", "rows.csv"]),
    by=st.booleans(),
)
def test_lanes_of_any_length(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    first: int,
    length: int,
    chunk: int,
    threads: int,
    name: str,
    by: bool,
) -> None:
    """Where a part of the rows is wanted alone, lanes have many, few or none of them. They come in their order."""

    def wanted(p: Any) -> Any:
        return p[(p["n"] >= first) & (p["n"] < first + length)]

    out = tmp_path_factory.mktemp("out") / "out"
    output = {"url": str(out), "format": "parquet"} | ({"partitionBy": "key"} if by else {})
    with RLMClient(threads=threads) as client:
        written = client.execute(task(folder / name, output, wanted, chunk))
    expected = wanted(pq.read_table(folder / "rows.parquet").to_pandas())
    assert written.rows == len(expected)
    if by:
        expected = expected.sort_values(["key", "n"], ignore_index=True).drop(columns="key")
        if not len(expected):
            return
    found = read(out)
    for column in expected:
        assert found[column].tolist() == expected[column].tolist()


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("threads", [2, 5])
def test_a_lane_that_fails_ends_the_others(folder: Path, tmp_path: Path, at: float, threads: int) -> None:
    broken = tmp_path / "broken.parquet"
    data = bytearray((folder / "rows.parquet").read_bytes())
    place = int(len(data) * at)
    data[place : place + 20_000] = bytes(20_000)
    broken.write_bytes(data)
    with (
        RLMClient(threads=threads) as client,
        pytest.raises(OSError, match=r"broken\.parquet"),
    ):
        client.execute(task(broken, {"url": str(tmp_path / "out")}, lambda p: p, 100))
    assert [path.name for path in tmp_path.iterdir()] == ["broken.parquet"]
