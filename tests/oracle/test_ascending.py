"""Keys that come in ascending order are grouped without look-ups: pandas' answer, also where the order ends.

Development builds put threads' groups together run by run from a few groups on (`limit` in
`src/engine/group/mod.rs`), so that small tables do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import RLMClient

from tests.oracle._run import check

Clients = Callable[[int], RLMClient]

ROWS = 3_000
QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda p: p.groupby("k")["x"].sum(),
    "several": lambda p: p.groupby("k", as_index=False).agg(
        s=("x", "sum"), n=("x", "count"), low=("i", "min"), high=("i", "max"), m=("x", "mean")
    ),
    "first and last": lambda p: p.groupby("k")["i"].agg(["first", "last"]),
    "as they appear": lambda p: p.groupby("k", sort=False)["x"].sum(),
    "spread": lambda p: p.groupby("k")["x"].std(),
    "different values": lambda p: p.groupby("k")["i"].nunique(),
    "of a filter": lambda p: p[p["i"] > 3].groupby("k")["x"].sum(),
    "filtered": lambda p: p.groupby("k", as_index=False)["i"].sum()[lambda g: g["i"] > 20],
}


def keys(kind: str) -> np.ndarray[Any, Any]:
    at = np.arange(ROWS)
    match kind:
        case "in order":
            return at // 3
        case "far apart":
            return (at // 3 - 500) * 2**50
        case "each its own":
            return at
        case "with a step back":
            return np.where(at < 2_500, at // 2, at // 4)
        case "every part from the start":
            return at % 500 // 2
        case "at last out of order":
            return np.where(at == ROWS - 1, 0, at // 3)
        case _:
            return at[::-1] // 3


KINDS = [
    "in order",
    "far apart",
    "each its own",
    "with a step back",
    "every part from the start",
    "at last out of order",
    "downwards",
]


def table(key: Any) -> pa.Table:
    chance = np.random.default_rng(3)
    return pa.table(
        {"k": key, "x": chance.normal(size=len(key)).round(3), "i": pa.array(chance.integers(0, 9, len(key)))}
    )


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_order_of_keys(clients: Clients, tmp_path: Path, kind: str, question: str) -> None:
    data = table(pa.array(keys(kind), pa.int64()))
    path = tmp_path / "t.parquet"
    pq.write_table(data, path, row_group_size=500)
    for threads, chunk in ((2, 64), (3, 1000)):
        check(clients(threads).execute, QUESTIONS[question], data, str(path), chunk, power=2)


@pytest.mark.parametrize("kind", [pa.int32(), pa.uint64(), pa.timestamp("us"), pa.date32(), pa.uint8()])
def test_every_type_of_key(clients: Clients, tmp_path: Path, kind: pa.DataType) -> None:
    numbers = pa.array(np.arange(ROWS) // (ROWS // 200), pa.int64())
    if kind == pa.uint64():
        numbers = pa.array([2**64 - 250 + n.as_py() for n in numbers], kind)
    key = numbers.cast(pa.int32()).cast(kind) if kind == pa.date32() else numbers.cast(kind)
    data = table(key)
    path = tmp_path / "t.parquet"
    pq.write_table(data, path, row_group_size=400)
    for question in ("several", "as they appear"):
        check(clients(2).execute, QUESTIONS[question], data, str(path), 50, power=2)


@given(
    steps=st.lists(st.integers(0, 3) | st.just(-1), min_size=1, max_size=60),
    group=st.integers(20, 200),
    threads=st.sampled_from([1, 2, 4]),
)
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
def test_any_steps(clients: Clients, tmp_path: Path, steps: list[int], group: int, threads: int) -> None:
    key = np.cumsum(np.resize(steps, 900))
    data = table(pa.array(key, pa.int64()))
    path = tmp_path / "any.parquet"
    pq.write_table(data, path, row_group_size=group)
    check(clients(threads).execute, QUESTIONS["several"], data, str(path), 40, power=2)


def test_missing_keys_end_the_order(clients: Clients, tmp_path: Path) -> None:
    key = pd.array(np.arange(ROWS) // 3, "Int64")
    key[2_000:2_010] = pd.NA
    data = table(pa.array(key))
    path = tmp_path / "t.parquet"
    pq.write_table(data, path, row_group_size=500)
    question = lambda p: p.groupby("k", dropna=False)["i"].sum()  # noqa: E731
    check(clients(2).execute, question, data, str(path), 64, power=2)
