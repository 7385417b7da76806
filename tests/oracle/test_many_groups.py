"""Many groups: keys of every type, from dictionaries, plain pages and memory, few and many of each value.

Development builds change from one way of grouping to the next at a handful of groups (`limit` in
`src/engine/group/mod.rs`), so that these small tables take every way there is; `test_beyond_the_limits` is large
enough for any build.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient

from tests.oracle._run import check

Clients = Callable[[int], RLMClient]

ROWS = 1_500
RANDOM = np.random.default_rng(7)
NUMBERS = RANDOM.integers(0, 400, ROWS)
# Half of the rows have one key: what a thread sets apart for its share fills again and again.
NUMBERS[RANDOM.random(ROWS) < 0.5] = 17
DAY = dt.datetime(2024, 3, 30, 22, 0, 0)


def _keys(make: Callable[[int], Any], kind: pa.DataType, missing: bool = True) -> pa.Array:
    values = [None if missing and n % 41 == 5 else make(int(n)) for n in NUMBERS]
    return pa.array(values, kind)


KEYS: dict[str, pa.Array] = {
    "short": _keys(lambda n: f"k{n}", pa.string()),
    "short, none missing": _keys(lambda n: f"k{n}", pa.string(), missing=False),
    "long": _keys(lambda n: f"the same twelve bytes and then {n}", pa.string()),
    "both": _keys(lambda n: "x" * (n % 30) + str(n), pa.string()),
    "unicode": _keys(lambda n: chr(0x3B1 + n % 300) * (n % 9), pa.string()),
    "nul bytes": _keys(lambda n: "\0" * (n % 4) + str(n % 50), pa.string()),
    "int64": _keys(lambda n: (n - 200) * 2**54, pa.int64(), missing=False),
    "int8": _keys(lambda n: n % 256 - 128, pa.int8(), missing=False),
    "uint64": _keys(lambda n: 2**64 - 1 - n, pa.uint64(), missing=False),
    "float64": _keys(lambda n: [-0.0, 0.0, float("inf"), float("-inf")][n] if n < 4 else n / 7, pa.float64()),
    "bool": _keys(lambda n: n % 2 == 0, pa.bool_(), missing=False),
    "timestamp": _keys(lambda n: DAY + dt.timedelta(minutes=n), pa.timestamp("us")),
    "timestamp tz": _keys(lambda n: DAY + dt.timedelta(minutes=n), pa.timestamp("us", "Europe/Berlin")),
}


def _table(key: pa.Array) -> pa.Table:
    values = RANDOM.integers(-400, 400, ROWS) / 4
    return pa.table(
        {
            "k": key,
            "region": pa.array([None if n % 29 == 3 else "abcdefg"[n % 7] for n in range(ROWS)]),
            "x": pa.array([None if n % 13 == 1 else float(v) for n, v in enumerate(values)]),
            "i": pa.array(range(ROWS), pa.int64()),
            "s": pa.array([f"text number {n % 97} of many" for n in range(ROWS)]),
            "b": pa.array([n % 3 == 0 for n in range(ROWS)]),
        }
    )


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda p: p.groupby("k")["x"].sum(),
    "five": lambda p: p.groupby("k")["x"].agg(["sum", "mean", "min", "max", "count"]),
    "in order of appearance": lambda p: p.groupby("k", sort=False, dropna=False)["x"].sum(),
    "two keys": lambda p: p.groupby(["k", "region"])["x"].sum(),
    "two keys, all rows": lambda p: p.groupby(["region", "k"], dropna=False, sort=False)["i"].max(),
    "texts": lambda p: p.groupby("k")["s"].agg(["first", "last", "nunique", "min"]),
    "several columns": lambda p: p.groupby("k", as_index=False).agg({"x": "std", "i": "sum", "b": "sum"}),
    "filtered": lambda p: p[p["x"] > 20].groupby("k", dropna=False)["i"].sum(),
    "size": lambda p: p.groupby(["k", "b"]).size(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", KEYS)
def test_every_key_from_every_source(clients: Clients, name: str, operation: str, tmp_path: Path) -> None:
    data = _table(KEYS[name])
    function = OPERATIONS[operation]
    for dictionary in (True, False):
        path = tmp_path / f"{dictionary}.parquet"
        pq.write_table(data, path, row_group_size=400, use_dictionary=dictionary)
        check(clients(2).execute, function, data, str(path), 64, power=2)
    check(clients(1).execute, function, data, data, 7, power=2)


def test_decimals_as_keys(clients: Clients, tmp_path: Path) -> None:
    key = _keys(lambda n: Decimal(n) / 100, pa.decimal128(9, 2), missing=False)
    data = _table(key)
    path = tmp_path / "t.parquet"
    pq.write_table(data, path, row_group_size=400)
    answer = clients(2).execute(
        {"type": "parallel", "input": {"source": str(path), "operation": lambda p: p.groupby("k")["i"].sum()}}
    )
    expected = pd.Series(data["i"].to_numpy()).groupby([int(k * 100) for k in key.to_pylist()]).sum()
    assert [int(k * 100) for k in answer.to_pandas().index] == list(expected.index)
    assert list(answer.to_pandas()) == list(expected)


@pytest.mark.slow
def test_beyond_the_limits(clients: Clients, tmp_path: Path) -> None:
    """More groups than a thread keeps for itself in any build, in two files of unlike dictionaries."""
    rows = 300_000
    random = np.random.default_rng(11)
    number = random.integers(0, 120_000, rows)
    data = pa.table(
        {
            "k": pa.array([f"key {n}" for n in number]),
            "g": pa.array(number // 3),
            "x": pa.array(random.integers(0, 1_000, rows) / 8),
        }
    )
    for part, dictionary in enumerate((True, False)):
        half = data.slice(part * rows // 2, rows // 2)
        pq.write_table(half, tmp_path / f"{part}.parquet", row_group_size=60_000, use_dictionary=dictionary)
    for function in (
        lambda p: p.groupby("k")["x"].sum(),
        lambda p: p.groupby(["g", "k"], sort=False)["x"].agg(["sum", "max", "first"]),
        lambda p: p.groupby("g")["k"].nunique(),
    ):
        check(clients(2).execute, function, data, str(tmp_path))
