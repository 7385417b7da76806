"""The first surface over columns that are hard: every method below on every type, against pandas.

What cannot be computed natively is refused; nothing ends as a defect, and nothing is answered otherwise.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import NotDecomposableError, RLMClient, RLMError

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same
from tests.oracle._run import Raised, by_pandas

Clients = Callable[[int], RLMClient]

KEYS = ["a", "b", "a", None, "b", "c", "a", "c"]
NAN, INF = float("nan"), float("inf")
COLUMNS: dict[str, pa.Array] = {
    "int64 beyond 2^53": pa.array([2**53 + 1, -(2**63), 2**63 - 1, 2**53, 0, 1, 2**53 + 1, -1], pa.int64()),
    "uint8": pa.array([255, 0, 1, 255, 4, 7, 255, 2], pa.uint8()),
    "uint64": pa.array([2**64 - 1, 0, 2**63, 1, 2**53 + 1, 7, 2**64 - 1, 2], pa.uint64()),
    "one value": pa.array([1] * 8),
    "zeros of both signs": pa.array([0.0, -0.0, -0.0, 0.0, 1.0, 0.0, -0.0, -1.0]),
    "everything a float can be": pa.array([0.1, None, NAN, INF, -0.0, 0.0, -INF, 1e308]),
    "no float": pa.nulls(8, pa.float64()),
    "no integer": pa.nulls(8, pa.int64()),
    "no text": pa.nulls(8, pa.string()),
    "no time": pa.nulls(8, pa.timestamp("us")),
    "text": pa.array(["É", "é", "e", "", None, "ß", "ẞ", "Z"]),
    "text with NUL": pa.array(["a\0b", "a", "a\0", "\0", "", None, "b", "a\0b"]),
    "dictionary": pa.array(["x", "y", None, "x", "z", "y", "x", "x"]).dictionary_encode(),
    "seconds": pa.array([0, 1, None, -1, 10**9, 5, 5, 0], pa.timestamp("s")),
    "years 1 to 9999": pa.array([253402300799, -62135596800, None, 0, 1, 2, 3, 4], pa.timestamp("s")),
    "where clocks change": pa.array(
        [0, 1, None, -1, 1711846800 * 10**6, 1729990800 * 10**6, 5, 0], pa.timestamp("us", "Europe/Berlin")
    ),
    "spans": pa.array([0, 1, None, -1, 10**12, 5, 5, 0], pa.duration("us")),
    "dates": pa.array(
        [dt.date(2024, 2, 29), dt.date(1, 1, 1), None, dt.date(9999, 12, 31)] + [dt.date(2000, 1, 1)] * 4
    ),
    "decimals": pa.array(
        [Decimal(text) for text in ("1.10", "-2.25", "0", "9999999.99", "1.1", "1.10", "3", "-0.01")],
        pa.decimal128(9, 2),
    ),
    "bytes": pa.array([b"a", b"\xff", None, b"", b"a", b"b", b"b", b"c"]),
}

METHODS = """
p["v"]
p[["v"]]
p["v"].sum()
p["v"].mean()
p["v"].min()
p["v"].max()
p["v"].count()
p["v"].std()
p["v"].nunique()
p["v"].agg(["min", "max"])
p[["v"]].min()
p[["v", "n"]].agg(["min", "max"])
p.groupby("k")["v"].sum()
p.groupby("k")["v"].mean()
p.groupby("k")["v"].agg(["min", "max", "count", "first", "last", "nunique"])
p.groupby("k")["v"].std()
p.groupby("k", dropna=False, sort=False)["v"].nunique(dropna=False)
p.groupby("k", as_index=False)["v"].max()
p.groupby("v").size()
p.groupby("v", sort=False, as_index=False)["n"].sum()
p.groupby(["v", "k"])["n"].sum()
p.groupby(["k", "v"], sort=False).agg(a=("n", "sum"), b=("v", "count"))
p.groupby("k")["v"].max().sort_values()
p.groupby(p["v"].isna())["n"].sum()
p.sort_values("v")
p.sort_values(["v", "n"], ascending=[False, False], na_position="first")
p.drop_duplicates("v")
p.drop_duplicates("v", keep=False)
p.nlargest(3, "v")
p["v"].nsmallest(2)
p["v"].isna()
p["v"] == p["v"]
p["v"] != p["v"].min()
p["v"] < p["v"].max()
p[p["v"] == p["v"].max()]
p["v"].isin([1, 2**53 + 1, 255, "x", "é"])
p["v"].between(p["v"].min(), p["v"].max(), inclusive="left")
p["v"].fillna(p["v"].max())
p["v"].astype("float64")
p["v"].astype("bool")
p["v"].astype(str)
p["v"] + 1
p["v"] - p["v"]
p["v"] * 2
p["v"] / 2
-p["v"]
p.assign(w=p["v"]).rename(columns={"w": "sum"}).drop(columns="v").head(3)
p.head(-2)
p["v"].head(-2)
p.count()
p.reset_index()
""".strip().splitlines()

BEYOND = {
    # pandas keeps objects, which have no largest.
    ("dates", "nlargest"),
    ("dates", "nsmallest"),
    ("decimals", "nlargest"),
    ("decimals", "nsmallest"),
    ("decimals", "mean"),
    # Sorted by several keys downwards, an infinity is a missing value to pandas if those come first.
    ("everything a float can be", 'sort_values(["v", "n"]'),
}
"""Types and methods in which pandas has objects, or raises, and we have a type (docs/dtypes.md)."""


@pytest.mark.parametrize("name", COLUMNS)
def test_every_method_on_every_type(clients: Clients, name: str) -> None:
    data = pa.table({"k": KEYS, "v": COLUMNS[name], "n": list(range(8))})
    plain = data.set_column(1, "v", data["v"].cast(pa.string())) if name == "dictionary" else data
    allow = Allowance(
        integers="no " in name,
        widened=True,
        bound=1e-12,
        loose=name in ("bytes", "decimals", "no text", "no time"),
    )
    for text in METHODS:
        if any(kind == name and f".{method}" in text for kind, method in BEYOND):
            continue
        operation = eval(f"lambda p: {text}")
        expected = by_pandas(operation, plain)
        chunk = (1, 7, "auto")[zlib.crc32(f"{name}{text}".encode()) % 3]
        try:
            answer = clients(2).execute(make_task(data, operation, chunkSize=chunk))
        except RLMError as error:
            # Refused while tracing, with the line.
            traced = (
                error.code in ("NOT_DECOMPOSABLE", "SCHEMA_MISMATCH")
                and error.details.get("file") == "<string>"
            )
            if traced or (error.code == "OPERATION_FAILED" and isinstance(expected, Raised)):
                continue
            raise
        assert not isinstance(expected, Raised), (text, expected, answer)
        try:
            assert_same(answer, expected, allow)
        except AssertionError as error:
            raise AssertionError(f"{name}: {text}: {error}") from error


def test_aggregates_of_large_whole_numbers_share_no_column(client: RLMClient) -> None:
    """With counts beside it the largest uint64 would become a float."""
    data = pa.table({"v": COLUMNS["uint64"]})
    for text in ('p["v"].agg(["max", "count"])', 'p.agg(["max", "count"])'):
        with pytest.raises(NotDecomposableError, match="not exact"):
            client.execute(make_task(data, eval(f"lambda p: {text}")))
    answer = client.execute(make_task(data, lambda p: p["v"].agg(["min", "max"]))).to_pandas()
    assert answer["max"] == 2**64 - 1


@pytest.mark.parametrize("name", ["info", "values", "style", "plot"])
def test_a_column_called_like_something_of_pandas(client: RLMClient, name: str) -> None:
    """`p.T` is the transposed table in pandas, whatever columns there are."""
    data = pd.DataFrame({"k": ["a", "b"], name: [1, 2]})
    with pytest.raises(NotDecomposableError, match=r"not the column"):
        client.execute(make_task(data, lambda p: getattr(p, name)))
    assert client.execute(make_task(data, lambda p: p[name].sum())) == 3


INDEXED: dict[str, pd.DataFrame] = {
    "filtered": pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}, index=[5, 3, 9]),
    "sliced": pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}).iloc[1:],
    "named": pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}).rename_axis("n"),
    "a key": pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}).set_index("k"),
    "levels": pd.DataFrame({"k": ["a", "b", "a"], "l": [1, 1, 2], "v": [1, 2, 3]}).set_index(["k", "l"]),
    "times": pd.DataFrame(
        {"k": ["a", "b", "a"], "v": [1, 2, 3]},
        index=pd.date_range("2024-03-31", periods=3, freq="h", tz="Europe/Berlin", name="t"),
    ),
    "a column called index": pd.DataFrame({"index": ["a", "b"], "k": ["a", "a"], "v": [1, 2]}, index=[4, 2]),
    "no rows": pd.DataFrame({"k": ["a"], "v": [1]}, index=[7]).iloc[:0],
}


@pytest.mark.parametrize("name", INDEXED)
def test_the_index_of_a_source_in_memory(clients: Clients, name: str) -> None:
    frame = INDEXED[name]
    operations: list[Callable[[Any], Any]] = [
        lambda p: p,
        lambda p: p["v"],
        lambda p: p[p["v"] > 1],
        lambda p: p.groupby("k")["v"].sum(),
        lambda p: p.sort_values("v", ascending=False),
        lambda p: p.reset_index(),
        lambda p: p.reset_index(drop=True),
        lambda p: p.head(1),
        lambda p: p.nlargest(2, "v"),
        lambda p: list(p.columns),
    ]
    for operation in operations:
        for chunk in (1, "auto"):
            answer = clients(2).execute(make_task(frame, operation, chunkSize=chunk))
            expected = operation(frame)
            assert answer == expected if isinstance(expected, list) else assert_same(answer, expected) is None
