"""Filters by the values of another table, run as joins or as look-ups: pandas' rows, labels and order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import RLMClient

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same

TYPES = {
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "time": pa.timestamp("us"),
    "flag": pa.bool_(),
}

QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "in": lambda p, q: p[p["k"].isin(q["k"])],
    "not in": lambda p, q: p[~p["k"].isin(q["k"])],
    "not not in": lambda p, q: p[~~p["k"].isin(q["k"])]["at"],
    "with others": lambda p, q: p[(p["at"] > 2) & p["k"].isin(q["k"]) & (p["at"] % 3 != 0)],
    "of fewer": lambda p, q: p[
        p["k"].isin(q[q["at"] % 2 == 0]["k"]) & ~p["k"].isin(q[q["at"] % 5 == 0]["k"])
    ],
    "stacked": lambda p, q: p[p["k"].isin(q["k"])][lambda r: r["at"] % 2 == 1],
    "a column less": lambda p, q: p[p["k"].isin(q["k"])][["at"]],
    "reset": lambda p, q: p[p["k"].isin(q["k"])].reset_index(drop=True),
    "reset to a column": lambda p, q: p[p["at"] > 1][lambda r: ~r["k"].isin(q["k"])].reset_index(),
    "sorted before": lambda p, q: p.sort_values("at", ascending=False)[lambda r: r["k"].isin(q["k"])],
    "first ones": lambda p, q: p[p["k"].isin(q["k"])].head(3),
    "grouped": lambda p, q: p[p["k"].isin(q["k"])].groupby("k", sort=False, dropna=False)["at"].first(),
    "counted": lambda p, q: p[~p["k"].isin(q["k"])]["at"].sum(),
    "summed twice": lambda p, q: (
        p[p["k"].isin(q["k"])]["at"].sum() * 1000 + p[~p["k"].isin(q["k"])]["at"].sum()
    ),
    "merged": lambda p, q: p[p["k"].isin(q["k"])].merge(q.drop_duplicates("k"), on="k", suffixes=("", "_q")),
    "of groups": lambda p, q: p[p["k"].isin(q.groupby("k", as_index=False)["at"].min()["k"])],
    "of one computed": lambda p, q: p[(p["at"] * 2).isin(q["at"] + 1)],
    "nested": lambda p, q: p[p["k"].isin(q[q["at"].isin(p[p["at"] < 4]["at"])]["k"])],
    "above a scalar": lambda p, q: p[(p["at"] > p["at"].mean()) & ~p["k"].isin(q["k"])],
    "running totals before": lambda p, q: p.assign(t=p["at"].cumsum())[lambda r: r["k"].isin(q["k"])],
    "running totals after": lambda p, q: p[p["k"].isin(q["k"])].assign(t=lambda r: r["at"].cumsum()),
    "or": lambda p, q: p[p["k"].isin(q["k"]) | (p["at"] == 0)],
    "a flag": lambda p, q: p.assign(there=p["k"].isin(q["k"])),
    "of itself": lambda p, q: p[p["k"].isin(p[p["at"] > 3]["k"])],
}


@pytest.fixture(scope="module")
def spilling() -> Iterator[RLMClient]:
    """A client whose joins are of sorted tables, and which makes joins of all such filters."""
    with RLMClient(threads=2, grouping="datafusion") as client:
        yield client


def values(kind: str) -> st.SearchStrategy[Any]:
    """Values of a key, some of them missing; few enough for partners."""
    numbers = st.none() | st.integers(0, 6)
    made: dict[str, Callable[[int], Any]] = {
        "int": int,
        "float": lambda n: n / 2,
        "text": lambda n: "é" * n,
        "time": lambda n: n * 1_000_000,
        "flag": lambda n: n > 3,
    }
    return numbers.map(lambda n: None if n is None else made[kind](n))


def table(keys: list[Any], kind: str) -> pa.Table:
    return pa.table({"at": pa.array(range(len(keys)), pa.int64()), "k": pa.array(keys, TYPES[kind])})


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_rows_of_pandas(
    data: st.DataObject, clients: Callable[[int], RLMClient], spilling: RLMClient
) -> None:
    kind = data.draw(st.sampled_from(sorted(TYPES)))
    question = QUESTIONS[data.draw(st.sampled_from(sorted(QUESTIONS)))]
    left, right = (table(data.draw(st.lists(values(kind), max_size=most)), kind) for most in (15, 60))
    if data.draw(st.booleans()):
        left, right = right, left
    expected = question(*(frame.to_pandas(integer_object_nulls=False) for frame in (left, right)))
    threads, chunk = data.draw(st.sampled_from([1, 2, 4])), data.draw(st.sampled_from([1, 7, 1000]))
    for client in (clients(threads), spilling):
        other = client.table(right)
        answer = client.execute(make_task(left, lambda p, other=other: question(p, other), chunkSize=chunk))
        assert_same(answer, expected, Allowance(integers=True, widened=True, noop=True))


def test_a_large_table_is_joined(clients: Callable[[int], RLMClient], tmp_path: Path) -> None:
    rows = 200_000
    large = pd.DataFrame({"k": np.arange(rows) * 7919 % rows, "x": np.arange(rows) % 10})
    small = pd.DataFrame({"k": np.arange(0, 3 * rows, 600), "v": np.arange(0, 3 * rows, 600) / 2})
    large.to_parquet(tmp_path / "large.parquet", row_group_size=20_000)
    small.to_parquet(tmp_path / "small.parquet")
    client = clients(2)
    other = client.table(str(tmp_path / "large.parquet"))

    def question(p: Any, q: Any) -> Any:
        return p[~p["k"].isin(q[q["x"] > 2]["k"])]

    run = client.submit(make_task(str(tmp_path / "small.parquet"), lambda p: question(p, other)))
    expected = question(small, large)
    pd.testing.assert_frame_equal(run.result(60).to_pandas(), expected)
    assert "anti join" in str(run.explain())
    # The other way round a look-up of the few is what is quickest.
    few = client.table(str(tmp_path / "small.parquet"))
    run = client.submit(make_task(str(tmp_path / "large.parquet"), lambda p: p[p["k"].isin(few["k"])]))
    pd.testing.assert_frame_equal(run.result(60).to_pandas(), large[large["k"].isin(small["k"])])
    assert "semi join" not in str(run.explain())
