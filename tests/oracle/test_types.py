"""Every column type through every aggregate, and every way a string column can be stored."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient

from tests.conftest import make_task
from tests.oracle._compare import assert_same
from tests.oracle._run import Raised, by_pandas, check
from tests.oracle._tables import cuts

Clients = Callable[[int], RLMClient]

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
KEYS = ["a", "b", "a", "c", "b", "a", "d"]
DAY = dt.datetime(2023, 12, 31, 23, 59, 59, 999_000)

COLUMNS: dict[str, pa.Array] = {
    **{str(kind): pa.array([3, 0, 100, 7, 1, 127, 5], kind) for kind in INTEGERS},
    "limits of int8": pa.array([-128, 127, 0, 127, -1, 127, -128], pa.int8()),
    "limits of uint64": pa.array([2**64 - 1, 0, 5, 2**63, 1, 2, 3], pa.uint64()),
    "float32": pa.array([0.5, None, -1.25, 3, 4, 0.1, 2], pa.float32()),
    "float64": pa.array([0.5, None, -1.25, 3, 4, 0.1, 2], pa.float64()),
    "bool": pa.array([True, False, True, True, False, False, True]),
    "string": pa.array(["x", None, "yy", "", "zzzzzzzzzzzzz", "a", "é"]),
    "large_string": pa.array(["x", None, "yy", "", "zzzzzzzzzzzzz", "a", "é"], pa.large_string()),
    "string_view": pa.array(["x", None, "yy", "", "zzzzzzzzzzzzz", "a", "é"], pa.string_view()),
    "timestamp s": pa.array(
        [DAY.replace(microsecond=0) + dt.timedelta(n) for n in range(7)], pa.timestamp("s")
    ),
    "timestamp ms": pa.array([DAY + dt.timedelta(n) for n in range(7)], pa.timestamp("ms")),
    "timestamp us": pa.array(
        [None if n == 3 else DAY + dt.timedelta(n) for n in range(7)], pa.timestamp("us")
    ),
    "timestamp ns": pa.array([DAY + dt.timedelta(n) for n in range(7)], pa.timestamp("ns")),
    "timestamp tz": pa.array([DAY + dt.timedelta(n) for n in range(7)], pa.timestamp("us", "Europe/Berlin")),
    "timestamp utc": pa.array([DAY + dt.timedelta(n) for n in range(7)], pa.timestamp("ms", "UTC")),
}
FUNCTIONS = ["sum", "mean", "min", "max", "count", "nunique", "first", "last", "std"]


def _table(column: pa.Array) -> pa.Table:
    return pa.table({"k": KEYS, "v": column})


def _known(name: str, function: str) -> bool:
    """Text is summed by concatenation in pandas, and times have means: refused here, tested with the refusals."""
    text_or_time = "string" in name or "timestamp" in name
    return not (text_or_time and function in ("sum", "mean", "std")) and not (
        name == "bool" and function == "std"
    )


@pytest.mark.parametrize(("name", "function"), [(n, f) for n in COLUMNS for f in FUNCTIONS if _known(n, f)])
def test_every_type_with_every_aggregate(clients: Clients, name: str, function: str) -> None:
    data = _table(COLUMNS[name])
    run = clients(2).execute
    widened = function == "sum"
    check(run, lambda p: getattr(p.groupby("k")["v"], function)(), data, data, 1, power=2, widened=widened)
    if function not in ("first", "last"):
        check(run, lambda p: getattr(p["v"], function)(), data, data, 1, power=2)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_as_key_and_in_order(clients: Clients, name: str, tmp_path: Path) -> None:
    data = _table(COLUMNS[name])
    path = tmp_path / "t.parquet"
    pq.write_table(data, path, row_group_size=3)
    read = pq.read_table(path)  # Parquet has no seconds: the file's own type counts
    for operation in (
        lambda p: p,
        lambda p: p.groupby("v").size(),
        lambda p: p.groupby("v", dropna=False, sort=False)["k"].first(),
        lambda p: p.sort_values("v", ascending=False),
        lambda p: p.drop_duplicates("v", keep="last"),
        lambda p: p["v"].isna(),
        lambda p: p[p["v"] == p["v"].max()],
    ):
        check(clients(1).execute, operation, read, str(path), 7)
        check(clients(2).execute, operation, data, data, 1)


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "//", "%"])
def test_narrow_integers_compute_like_numpy(clients: Clients, kind: pa.DataType, symbol: str) -> None:
    data = pa.table({"a": pa.array([3, 0, 100, 7, 127], kind), "b": pa.array([2, 5, 3, 0, 127], kind)})
    for text in (
        f'p["a"] {symbol} p["b"]',
        f'p["a"] {symbol} 2',
        f'p["a"] {symbol} 1.5',
        f'100 {symbol} p["b"]',
    ):
        operation = eval(f"lambda p: {text}")
        check(clients(1).execute, operation, data, data, 1)


@pytest.mark.parametrize("left", INTEGERS, ids=str)
def test_mixed_integers_promote_like_numpy(clients: Clients, left: pa.DataType) -> None:
    for right in [*INTEGERS, pa.float32(), pa.float64()]:
        data = pa.table({"a": pa.array([3, 0, 100], left), "b": pa.array([2, 5, 3], right)})
        check(clients(1).execute, lambda p: p["a"] + p["b"], data, data)
        check(clients(1).execute, lambda p: p["a"] < p["b"], data, data)


def test_decimals_and_dates_pass_through(clients: Clients) -> None:
    data = pa.table(
        {
            "k": ["a", "b", "a"],
            "d": pa.array([Decimal("1.10"), None, Decimal("-2.25")], pa.decimal128(9, 2)),
            "day": pa.array([dt.date(2024, 2, 29), dt.date(1969, 7, 20), None]),
        }
    )
    for operation in (lambda p: p, lambda p: p[p["k"] == "a"], lambda p: p.head(1)):
        check(clients(1).execute, operation, data, data, 1)


def test_nested_columns_pass_through(clients: Clients) -> None:
    data = pa.table({"k": ["a", "b", "a"], "list": [[1, 2], None, []], "struct": [{"x": 1}, {"x": 2}, None]})
    answer = clients(1).execute(make_task(data, lambda p: p[p["k"] == "a"], chunkSize=1)).to_arrow()
    assert answer["list"].to_pylist() == [[1, 2], []]
    assert answer["struct"].to_pylist() == [{"x": 1}, None]


STORED: dict[str, Callable[[pa.Array], Any]] = {
    "string": lambda a: a.cast(pa.string()),
    "large_string": lambda a: a.cast(pa.large_string()),
    "dictionary": lambda a: a.cast(pa.string()).dictionary_encode(),
    "dictionary of large": lambda a: a.cast(pa.large_string()).dictionary_encode(),
    "plain pages": lambda a: a.cast(pa.string()),
    "falls back": lambda a: a.cast(pa.string()),
    "view": lambda a: a.cast(pa.string_view()),
}
WRITING: dict[str, dict[str, Any]] = {
    "plain pages": {"use_dictionary": False},
    # The dictionary outgrows its page after some rows: the rest of the row group is plain pages.
    "falls back": {"dictionary_pagesize_limit": 300, "data_page_size": 200, "write_batch_size": 16},
}


def _strings() -> pa.Array:
    """Short and long, rare and common, some missing; enough distinct ones for a dictionary to fall back."""
    texts = [f"{'long common prefix ' * (n % 2)}{(n * n) % 97}" for n in range(400)]
    return pa.array([None if n % 11 == 5 else text for n, text in enumerate(texts)])


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("chunk", [1, 100, "auto"])
def test_every_way_to_store_strings(clients: Clients, tmp_path: Path, kind: str, chunk: int | str) -> None:
    numbers = [(n * 31) % 17 for n in range(400)]
    plain = pa.table({"k": _strings(), "v": numbers})
    stored = plain.set_column(0, "k", STORED[kind](plain["k"].combine_chunks()))
    places = cuts(400, 4)
    for n, (start, stop) in enumerate(itertools.pairwise(places)):
        path = tmp_path / f"{n}.parquet"
        pq.write_table(stored.slice(start, stop - start), path, row_group_size=90, **WRITING.get(kind, {}))
    for operation in (
        lambda p: p.groupby("k")["v"].sum(),
        lambda p: p.groupby("k", sort=False, dropna=False).size(),
        lambda p: p[p["k"] == "long common prefix 1"],
        lambda p: p["k"].nunique(),
        lambda p: p.groupby(["k", "v"])["v"].count(),
        lambda p: p.sort_values("k").head(20),
    ):
        check(clients(2).execute, operation, plain, str(tmp_path), chunk)
        if chunk == 100:
            check(clients(2).execute, operation, plain, stored, chunk)


def test_files_that_store_one_column_differently(clients: Clients, tmp_path: Path) -> None:
    plain = pa.table({"k": _strings(), "v": list(range(400))})
    kinds = ["string", "large_string", "dictionary", "plain pages", "falls back"]
    for n, kind in enumerate(kinds):
        part = plain.slice(n * 80, 80)
        part = part.set_column(0, "k", STORED[kind](part["k"].combine_chunks()))
        pq.write_table(part, tmp_path / f"{n}.parquet", row_group_size=33, **WRITING.get(kind, {}))
    for chunk in (7, "auto"):
        check(clients(2).execute, lambda p: p.groupby("k")["v"].sum(), plain, str(tmp_path), chunk)
        check(clients(2).execute, lambda p: p, plain, str(tmp_path), chunk)


def test_the_oracle_is_what_pandas_reads(clients: Clients, tmp_path: Path) -> None:
    """The reference itself: reading all files with pandas and concatenating them."""
    data = pa.table({"k": _strings(), "v": list(range(400))})
    paths = [tmp_path / f"{n}.parquet" for n in range(4)]
    for n, path in enumerate(paths):
        pq.write_table(data.slice(n * 100, 100), path)
    whole = pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
    answer = clients(2).execute(make_task([str(path) for path in paths], lambda p: p, chunkSize=7))
    assert_same(answer, whole)
    expected = by_pandas(lambda p: p, data)
    assert not isinstance(expected, Raised)
    pd.testing.assert_frame_equal(whole, expected)
