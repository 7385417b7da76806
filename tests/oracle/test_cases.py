"""Every case on every table of the catalogue, and every case at every chunk size: equal to pandas."""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import RLMClient

from tests.oracle._cases import CASES, Case
from tests.oracle._run import COMBINATIONS, Raised, by_pandas, check
from tests.oracle._tables import catalogue, write_files

Clients = Callable[[int], RLMClient]


BEYOND = {
    # Of the groups of nothing pandas 3.1 makes an index of another type, or of no type: it loses names and raises.
    *(
        (case, "empty")
        for case in (
            'p.merge(p.groupby("k")[["y"]].min(), left_on="k", right_index=True, suffixes=("", "_least"))',
            'p.join(p.groupby("k")["x"].max().rename("m"), on="k")',
            'p["k"].map(p.groupby("k")["x"].max())',
            'p["x"] - p["k"].map(p.groupby("k")["x"].max())',
            'p.assign(top=p["k"].map(p.groupby("k")["x"].max()))[lambda q: q["x"] == q["top"]]',
        )
    ),
    # pandas subtracts the least from the largest value in int64, which wraps.
    ('pd.cut(p["i"], 5, labels=False)', "huge"),
    # pandas had made floats of the integers, and writes them as such.
    ('p["g"].astype(str)', "nulls"),
    # pandas' running sums of groups give NaN for two infinities of the same sign.
    ('p.groupby("k")["f"].cumsum()', "nan"),
    ('p.groupby("g")["x"].cumsum()', "nan"),
    ('p.groupby(["k", "b"])[["x", "i"]].cumsum()', "nan"),
    ('p.sort_values("x", ascending=False).groupby("k")["x"].cumsum()', "nan"),
    ('p.groupby("g")["x"].transform("cumsum")', "nan"),
    # Booleans stay such where rows are in no group; whole numbers that are shifted become floats even in no rows.
    *(
        (f'p.groupby("k")["b"].{name}()', table)
        for name in ("cummin", "cummax")
        for table in ("nulls", "all_null", "null_keys")
    ),
    ('p[["x", "i"]].shift(2)', "empty"),
    ('p.groupby("k")["i"].shift(2)', "empty"),
    ('p.groupby("g")["i"].diff()', "empty"),
    # Without a group, pandas 3.1 calls no function, and keeps the column's own type or loses the index' name.
    *(
        (f'p.groupby("k")["i"].{name}()', table)
        for name in ("skew", "kurt")
        for table in ("empty", "null_keys")
    ),
    *(
        (case, table)
        for case in (
            'p.groupby("k")["x"].describe()',
            'p.groupby("k")["i"].describe(percentiles=[0.2])',
            'p.groupby("k")[["x", "y"]].describe()',
            'p.groupby("k", as_index=False)["x"].describe()',
            'p.groupby("k")["x"].agg(lambda s: (s > 3).sum())',
            'p.groupby("k").agg({"x": ["mean", lambda s: s.isna().sum()], "i": "max"})',
        )
        for table in ("empty", "all_null", "null_keys")
    ),
    # NumPy raises an IndexError for nothing at all.
    *(
        (case, "empty")
        for case in (
            'np.percentile(p["i"], 40)',
            'np.percentile(p["x"], 40)',
            'np.quantile(p["i"], 0.4)',
            'np.quantile(p["i"], 0.4, method="lower")',
            'np.nanmax(p["y"])',
        )
    ),
    # pandas leaves infinities out of covariances only where another value is missing.
    ('p[["x", "y", "i"]].cov()', "nan"),
    # Of nothing but missing times pandas gives times back, not dates.
    ('p["t"].dt.date', "all_null"),
    ('p["t"].dt.tz_localize("Australia/Lord_Howe").dt.date', "all_null"),
    # Of nothing pandas gives times in seconds, or forgets what it was to count.
    *(('pd.to_datetime(p["i"])', table) for table in ("empty", "all_null")),
    *(('p.resample("D", on="t").size()', table) for table in ("empty", "all_null")),
    ('p.resample("2D", on="t").count()', "empty"),
    # Integers stay exact, and within their width.
    ('p[p["i"] > 2]["i"] * p[p["g"] > 0]["i"]', "huge"),
    ('p.apply(lambda row: pd.Series({"a": row["x"] * 2, "b": row["i"] + 1}), axis=1)', "huge"),
    # A month without rows fails; pandas says so only where there are rows in order.
    *(('p.set_index("t")["i"].loc["2024-02"]', table) for table in ("empty", "all_null")),
    # Of no bins pandas forgets the keys, or raises.
    *(
        (case, table)
        for case in (
            'p.set_index("t").groupby("g")["x"].resample("4h").sum()',
            'p.groupby("g").resample("D", on="t")["i"].sum()',
            'p.set_index("t").groupby(["g", "b"])["i"].resample("6h").agg(["sum", "count"])',
        )
        for table in ("empty", "all_null")
    ),
    # Without a text, there is no column of flags, and pandas raises.
    *(
        (case, "all_null")
        for case in (
            'p["s"].str.get_dummies(sep=" ")',
            'p["s"].str.get_dummies("t", dtype=bool)',
            'p["k"].str.get_dummies()',
            'p["s"].str.get_dummies("te", dtype="float32")',
        )
    ),
    ('p["k"].str.get_dummies()', "null_keys"),
    # A dict has each missing key of pandas' as one of its own.
    ('p["g"].map(p.set_index("g")["i"].to_dict())', "nulls"),
    # An index of nothing keeps its type, and what is looked up in nothing is of floats.
    *(
        (case, "empty")
        for case in (
            'p["g"].map(p.groupby("g")["i"].sum().to_dict())',
            'p["g"].map(p.set_index("g")["i"].to_dict())',
            'p["g"].map(p["g"].value_counts().to_dict()).sum()',
            'p.groupby("g")["i"].sum().add_prefix("g_")',
            'p["i"].add_suffix("_row")',
            'p["i"].values.max() - p["i"].values.min()',
            "p.drop(index=[0, 2])",
        )
    ),
    ('p.groupby("g")["i"].sum().add_prefix("g_")', "nulls"),
    ('p["i"].equals(p["y"])', "all_null"),
    # Of two missing values pandas makes floats, whatever they are of.
    *(('p.agg({"x": "max", "k": "min"})', table) for table in ("empty", "all_null", "null_keys")),
    # pandas 3.1 returns all rows where a key is nothing but missing.
    ('p.nlargest(3, ["x", "i"])', "all_null"),
}
"""Cases and tables in which pandas itself is no oracle."""

_WITHOUT_GROUPS = re.compile(
    r'groupby\(\[?"(k|g)".*\.(apply\(lambda|transform\(lambda|rolling|expanding|ewm|nlargest|nsmallest|sample'
    r"|(corr|cov)\((\)|min_periods|numeric_only))"
)


def without_groups(case: str, table: str) -> bool:
    """Where there is no group at all these of pandas raise, or have shapes of their own."""
    found = _WITHOUT_GROUPS.search(case)
    return found is not None and table in (
        ["empty", "all_null", "null_keys"] if found[1] == "k" else ["empty"]
    )


_PIECES = [
    'p["s"].str.partition()',
    'p["s"].str.partition("te")',
    'p["s"].str.rpartition("e")',
    'p["s"].str.rpartition(sep=" ")',
    'q = p[["k"]]; q[["a", "b", "c"]] = p["s"].str.partition(" "); q',
]
_OF_OBJECTS = [
    'p["s"].str.split().str.len()',
    'p["s"].str.split("t").str.len()',
    'p["s"].str.split("te", regex=False).str.len()',
    'p["s"].str.split(r"[te]").str.len()',
    'p["s"].str.rsplit("t", n=1).str.len()',
    'p["s"].str.encode("utf-8")',
    'p["s"].str.encode("utf8").str.decode("utf8")',
    'p["s"].str.encode("utf8").str.len()',
]
# Of no rows, what were the columns are no rows.
BEYOND |= {(case.name, "empty") for case in CASES if case.name.endswith((".T", ".transpose()"))}
# Without a text, pandas makes fewer columns.
BEYOND |= {(case, table) for case in _PIECES for table in ("empty", "all_null")}
# A column of objects without a value is one of floats to pandas, which have no text methods.
BEYOND |= {(case, "all_null") for case in _OF_OBJECTS}
# Without a text, pandas takes them for integers.
BEYOND |= {('pd.to_numeric(p["x"].astype("str"))', "empty")}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of Parquet files of a table of the catalogue."""
    base = tmp_path_factory.mktemp("catalogue")
    return functools.cache(lambda name: write_files(catalogue()[name], base / name))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_chunk_size_and_number_of_threads(
    case: Case, clients: Clients, files: Callable[[str], Path]
) -> None:
    data = catalogue()["plain"]
    expected = by_pandas(case.function, data)
    assert not isinstance(expected, Raised), f"not a case: pandas raised {expected.error!r}"
    for chunk, threads in COMBINATIONS:
        run = clients(threads).execute
        check(run, case.function, data, str(files("plain")), chunk, case.power, expected, noop=case.noop)


@pytest.mark.parametrize("name", [name for name in catalogue() if name != "plain"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_table(case: Case, name: str, clients: Clients, files: Callable[[str], Path]) -> None:
    beyond = (case.name, name) in BEYOND or without_groups(case.name, name)
    if beyond or (case.typed and name == "empty"):
        return
    if case.filled and name in ("all_null", "null_keys"):
        return
    data = catalogue()[name]
    chunk, threads = COMBINATIONS[zlib.crc32(f"{case.name}{name}".encode()) % len(COMBINATIONS)]
    in_memory = zlib.crc32(f"{name}{case.name}".encode()) % 2 == 0
    source: Any = data if in_memory else str(files(name))
    check(clients(threads).execute, case.function, data, source, chunk, case.power, noop=case.noop)
