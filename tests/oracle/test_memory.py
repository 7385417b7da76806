"""More groups than the memory limit holds: the run goes on with the operator that spills, and says so."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import OutOfMemoryError, RLMClient

from tests.conftest import make_task


def test_groups_beyond_the_limit_are_spilled_and_right() -> None:
    rows = 300_000
    keys = np.random.default_rng(7).permutation(rows)
    data = pa.table({"k": [f"key {key:09}" for key in keys], "v": keys.astype("float64")})
    with RLMClient(threads=2, memory_limit="20MB", grouping="auto") as client:
        run = client.submit(make_task(data, lambda p: p.groupby("k")["v"].sum()))
        answer = run.result().to_arrow()
        text = str(run.explain())
    assert "grouping: own operator" in text
    assert "groups were spilled to disk" in text
    assert answer["v"].to_pylist() == [float(key) for key in range(rows)]
    assert answer["k"].to_pylist() == [f"key {key:09}" for key in range(rows)]


@pytest.mark.parametrize("limit", ["1MB", "2MB", "4MB", "8MB", "12MB", "20MB"])
@pytest.mark.timeout(300)
def test_a_tight_limit_gives_the_answer_or_says_so(limit: str) -> None:
    """Two groupings, one on the other's answer: never a wait without end, never a defect of the product."""
    ids = np.random.default_rng(3).integers(0, 15_000, 40_000)
    keys = [f"k{n}" if n % 2 else f"a longer key number {n}" for n in ids]
    data = pd.DataFrame({"k": keys, "g": ids % 77, "x": ids / 4})

    def nested(p: Any) -> Any:
        sums = p.groupby(["k", "g"], as_index=False).agg(x=("x", "sum"))
        return sums.groupby("g").agg(c=("k", "nunique"), x=("x", "sum"))

    expected = nested(data)
    with RLMClient(threads=2) as client:
        for grouping in range(6):
            with contextlib.suppress(OutOfMemoryError):
                answer = client.execute(make_task(data, nested, options={"memoryLimit": limit}))
                assert answer.to_pandas().equals(expected), grouping


def test_a_sort_reserves_what_its_rows_need() -> None:
    """Not the whole table for each of its slices."""
    rows = 200_000
    data = pd.DataFrame({"s": [f"a text of many bytes {n}" for n in range(rows)], "v": np.arange(rows) % 7})
    with RLMClient(threads=2, memory_limit="80MB") as client:
        answer = client.execute(make_task(data, lambda p: p.sort_values(["v", "s"], ascending=[False, True])))
    expected = data.sort_values(["v", "s"], ascending=[False, True])
    assert answer.to_pandas()["s"].tolist() == expected["s"].tolist()


def _many(rows: int, keys: int) -> pd.DataFrame:
    """Keys of several kinds, each in no order but one, and each missing now and then."""
    random = np.random.default_rng(5)
    n = random.integers(0, keys, rows)
    return pd.DataFrame(
        {
            "text": pd.Series([f"a key of more than twelve bytes {i}" for i in n]).mask(n % 91 == 0),
            "short": [f"k{i}" for i in n],
            "n": n * 7 - 1_000,
            "f": pd.Series(n / 8).mask(n % 89 == 0),
            "rising": np.arange(rows) // 2 + 2**40,
            "few": n % 5,
            # No row is like another for long, then all are like one of a few thousand.
            "late": np.where(np.arange(rows) < rows * 3 // 4, random.permutation(rows), n % 4_000) * 3,
            "id": random.permutation(rows),
            "x": random.integers(-50, 50, rows) / 4,
        }
    )


MANY = _many(200_000, 150_000)

BEYOND: dict[str, Any] = {
    "long texts": lambda p: p.groupby("text")["x"].sum(),
    "in order of appearance": lambda p: p.groupby("short", sort=False)["x"].agg(["sum", "min", "count"]),
    "numbers": lambda p: p.groupby("n")["x"].mean(),
    "floats, missing ones too": lambda p: p.groupby("f", dropna=False)["x"].sum(),
    "rising": lambda p: p.groupby("rising")["x"].sum(),
    "different at first": lambda p: p.groupby("late").agg(x=("x", "sum"), first=("few", "first")),
    "two keys": lambda p: p.groupby(["few", "short"], as_index=False)["x"].max(),
    "texts as values": lambda p: p.groupby("n", sort=False)["text"].agg(["first", "last"]),
    "of rows that are sorted": lambda p: p.sort_values("id").groupby("n", sort=False)["few"].first(),
}


@pytest.mark.parametrize("kind", BEYOND)
@pytest.mark.parametrize("source", ["memory", "codes"])
def test_groups_go_to_disk_where_they_are(kind: str, source: str, tmp_path: Path) -> None:
    """No run begins again because its groups did not fit; the rest of the rows is added to what is on disk."""
    operation = BEYOND[kind]
    data: Any = pa.Table.from_pandas(MANY, preserve_index=False)
    if source == "codes":
        pq.write_table(data, tmp_path / "t.parquet", row_group_size=50_000)
        data = str(tmp_path / "t.parquet")
    target = tmp_path / "out"
    limit = "3MB" if kind == "rising" else "7MB"
    with RLMClient(threads=2, memory_limit=limit, grouping="auto") as client:
        task = make_task(data, lambda p: operation(p).reset_index())
        run = client.submit(task | {"output": {"url": str(target), "format": "parquet"}})
        run.result()
        explained, metrics = str(run.explain()), run.metrics()
    assert "started again" not in explained, explained
    assert "groups were spilled to disk" in explained, explained
    assert metrics["spilled_bytes"] > 100_000
    expected = operation(MANY).reset_index()
    found = pq.read_table(target).to_pandas()
    expected = expected.drop(columns="index", errors="ignore")
    assert_same_frame(found.drop(columns="index", errors="ignore"), expected)


def assert_same_frame(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns)
    for name in expected.columns:
        left, right = found[name], expected[name]
        if not pd.api.types.is_numeric_dtype(right):
            left, right = left.astype(object), right.astype(object)
            left, right = left.where(left.notna(), None), right.where(right.notna(), None)
        pd.testing.assert_series_equal(left, right, check_dtype=False)


def test_what_did_not_fit_begins_where_it_did() -> None:
    """The second time no attempt is lost; other limits, other rows and other questions begin as ever."""
    rows = 150_000
    left = pa.table({"n": np.arange(1_000)})
    # Of one key, so that no share of them fits.
    right = pa.table({"n": np.full(rows, 5), "t": [f"right, of many bytes {i:020}" for i in range(rows)]})
    learnt, again = "did not fit the memory limit before", "started again"
    with RLMClient(threads=2, memory_limit="10MB", grouping="auto") as client:
        other = client.table(right)

        def text(operation: Any, limit: str | None = None) -> tuple[str, Any]:
            options = {"memoryLimit": limit} if limit else {}
            run = client.submit(make_task(left, operation, options=options))
            answer = run.result()
            return str(run.explain()), answer

        def joined(p: Any) -> Any:
            return p.merge(other, on="n")["t"].max()

        first, answer = text(joined)
        assert again in first and learnt not in first, first
        second, same = text(joined)
        assert learnt in second and again not in second, second
        assert same == answer == f"right, of many bytes {rows - 1:020}"
        unlike, _ = text(lambda p: p["n"].max())
        assert learnt not in unlike and again not in unlike
        smaller, _ = text(joined, "9MB")
        assert learnt not in smaller
