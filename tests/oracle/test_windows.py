"""Functions of neighbouring rows over many rows and groups, by steps and in memory, beyond the memory limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import OutOfMemoryError, RLMClient

from tests.conftest import make_task
from tests.oracle._run import check
from tests.oracle._tables import write_files

Clients = Callable[[int], RLMClient]

ROWS = 2_000
RANDOM = np.random.default_rng(11)
KEYS = RANDOM.integers(0, 300, ROWS)
VALUES = RANDOM.integers(-300, 300, ROWS) / 4
TABLE = pa.table(
    {
        "k": pa.array([None if n % 31 == 7 else f"key {k}" for n, k in enumerate(KEYS)], pa.string()),
        "g": pa.array(KEYS % 40, pa.int64()),
        "x": pa.array([None if n % 13 == 4 else float(v) for n, v in enumerate(VALUES)], pa.float64()),
        "i": pa.array(RANDOM.integers(-(2**62), 2**62, ROWS), pa.int64()),
        "w": pa.array(KEYS % 5, pa.int64()),
        "s": pa.array([f"a text that is longer than a view {k}" for k in KEYS], pa.string()),
    }
)

OPERATIONS: list[Callable[[Any], Any]] = [
    lambda p: p.sort_values("x", ascending=False).groupby("k").head(2),
    lambda p: p.sort_values("w", kind="stable").groupby("g").head(3),
    lambda p: p.sort_values("i", ascending=False).groupby(["g", "w"]).head(1)[["i", "s"]],
    lambda p: p.sort_values(["w", "i"], ascending=[False, True]).groupby("g").head(2),
    lambda p: p.sort_values("x", na_position="first", kind="stable").groupby("g").head(2),
    lambda p: p.groupby("k")["x"].nlargest(2),
    lambda p: p.groupby("g")["i"].nsmallest(3),
    lambda p: p.groupby("g").tail(2),
    lambda p: p["x"].shift(70) + p["x"].cumsum() + p["x"].rolling(50, min_periods=1).sum(),
    lambda p: p["i"].shift(3, fill_value=0),
    lambda p: p["s"].shift(5),
    lambda p: p["x"].ffill(limit=2).rolling(9).median(),
    lambda p: p.groupby("k")["x"].cumsum() - p.groupby("g")["x"].transform("mean"),
    lambda p: p.groupby("k")["s"].shift(),
    lambda p: p[["i", "w"]].rank(method="first"),
    lambda p: p.groupby("g")["x"].rolling(4, min_periods=2).mean(),
    lambda p: p.groupby("k").apply(lambda g: g["x"].max() - g["x"].min()),
    lambda p: p[p.groupby("k")["x"].transform("count") > 6].iloc[5:-5],
    lambda p: p.iloc[-70:-3],
    lambda p: p[p["x"] > 0].iloc[100:150],
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table in several files of small row groups."""
    return write_files(TABLE, tmp_path_factory.mktemp("windows"), group=97)


@pytest.mark.parametrize("chunk", [7, 64, "auto"])
@pytest.mark.parametrize("number", range(len(OPERATIONS)))
def test_many_rows_and_groups(number: int, chunk: Any, clients: Clients, files: Path) -> None:
    for threads in (1, 4):
        check(clients(threads).execute, OPERATIONS[number], TABLE, str(files), chunk)


def test_a_running_sum_needs_no_memory_for_its_rows() -> None:
    rows = 1_000_000
    data = pd.DataFrame({"x": np.arange(rows, dtype="float64")})
    with RLMClient(threads=2, memory_limit="4MB") as client:
        run = client.submit(make_task(data, lambda p: p["x"].cumsum().max()))
        assert run.result() == float(rows * (rows - 1) // 2)
        assert "by steps" in str(run.explain())


def test_what_holds_all_rows_says_that_they_are_too_many() -> None:
    data = pd.DataFrame({"x": np.arange(1_000_000, dtype="float64")})
    with RLMClient(threads=2, memory_limit="4MB") as client, pytest.raises(OutOfMemoryError) as caught:
        client.execute(make_task(data, lambda p: p["x"].rank().max()))
    assert "in memory" in str(caught.value)


def test_the_first_rows_of_groups_are_found_without_a_sort_of_all() -> None:
    data = pd.DataFrame({"k": np.arange(100) % 7, "x": np.arange(100.0)})
    with RLMClient(threads=2) as client:
        run = client.submit(make_task(data, lambda p: p.groupby("k")["x"].nlargest(2)))
        run.result()
        assert "TopExec" in str(run.explain())


def test_equal_calls_are_made_once() -> None:
    data = pd.DataFrame({"k": [1, 2, 1], "x": [1.0, 2.0, 4.0]})

    def shares(p: Any) -> Any:
        total = p.groupby("k")["x"].transform("sum")
        return (p["x"] / total + p.groupby("k")["x"].transform("sum")).cumsum()

    with RLMClient(threads=2) as client:
        run = client.submit(make_task(data, shares))
        assert run.result().to_pandas().tolist() == [5.2, 8.2, 14.0]
        assert "__window_2" not in str(run.explain())


def test_a_value_of_a_group_stays_within_its_function() -> None:
    data = pd.DataFrame({"k": [1, 2, 1], "x": [1.0, 2.0, 4.0]})
    kept: list[Any] = []

    def leak(p: Any) -> Any:
        p.groupby("k").apply(lambda g: kept.append(g["x"].sum()) or g["x"].sum())
        return p["x"] - kept[0]

    from rlm_hypervisor import NotDecomposableError

    with RLMClient(threads=1) as client, pytest.raises(NotDecomposableError):
        client.execute(make_task(data, leak))
