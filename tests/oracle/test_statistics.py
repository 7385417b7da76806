"""Statistics of many groups and of types that the catalogue lacks, and what of them is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import NotDecomposableError, OperationFailedError, RLMClient

from tests.conftest import make_task
from tests.oracle._run import check
from tests.oracle.test_many_groups import KEYS, _table

Clients = Callable[[int], RLMClient]

MANY: dict[str, Callable[[Any], Any]] = {
    "order": lambda p: p.groupby("k")["x"].agg(["median", "quantile", "std"]),
    "two keys": lambda p: p.groupby(["k", "region"])["x"].median(),
    "few groups": lambda p: p.groupby("region")["i"].median(),
    "pairs": lambda p: p.groupby(["k", "region"])["x"].corr(p["i"]),
    "moments": lambda p: p.groupby("region")["x"].agg(["skew", "kurt", "sem", "prod"]),
    "places": lambda p: p.groupby("k", sort=False)["i"].idxmax(),
    "strict": lambda p: p.groupby("k")["x"].sum(skipna=False),
    "traced": lambda p: p.groupby("k")["i"].agg(lambda s: s.quantile(0.9) - s.iloc[0]),
    "counts": lambda p: p.groupby("k", sort=False)["region"].value_counts(),
    "whole": lambda p: p["i"].median(),
    "whole, several": lambda p: p["x"].quantile([0.01, 0.5, 0.77, 1.0]),
}


@pytest.mark.parametrize("operation", MANY)
@pytest.mark.parametrize("name", ["short", "long", "int64", "float64", "bool", "timestamp tz"])
def test_many_groups(clients: Clients, name: str, operation: str, tmp_path: Path) -> None:
    data, function = _table(KEYS[name]), MANY[operation]
    for dictionary, threads in ((True, 4), (False, 2)):
        path = tmp_path / f"{dictionary}.parquet"
        pq.write_table(data, path, row_group_size=200, use_dictionary=dictionary)
        check(clients(threads).execute, function, data, str(path), 64, power=2)
    check(clients(1).execute, function, data, data, 7, power=2)


NUMBERS = [3, 7, 7, 0, 100, 41, 5, 9, 12, 64, 23]
DAY = dt.datetime(2024, 3, 30, 22, 0, 0)

TYPES: dict[str, pa.Array] = {
    "int8": pa.array(NUMBERS, pa.int8()),
    "int16": pa.array(NUMBERS, pa.int16()),
    "uint8": pa.array(NUMBERS, pa.uint8()),
    "uint64": pa.array(NUMBERS, pa.uint64()),
    "float32": pa.array([n / 4 for n in NUMBERS], pa.float32()),
    "timestamp ns": pa.array([DAY + dt.timedelta(minutes=n) for n in NUMBERS], pa.timestamp("ns")),
    "timestamp tz": pa.array(
        [DAY + dt.timedelta(minutes=n) for n in NUMBERS], pa.timestamp("us", "Europe/Berlin")
    ),
    "duration": pa.array([dt.timedelta(minutes=n) for n in NUMBERS], pa.duration("us")),
}

OF_TYPES: dict[str, Callable[[Any], Any]] = {
    "median": lambda p: p["v"].median(),
    "quantile": lambda p: p["v"].quantile(0.3),
    "lower": lambda p: p["v"].quantile(0.3, interpolation="lower"),
    "idxmax": lambda p: p["v"].idxmax(),
    "argmin": lambda p: p["v"].argmin(),
    "any": lambda p: p["v"].any(),
    "sem": lambda p: p["v"].sem(),
    "skew": lambda p: p["v"].skew(),
    "prod": lambda p: p["v"].prod(),
    "describe": lambda p: p["v"].describe(),
    "mode": lambda p: p["v"].mode(),
    "value_counts": lambda p: p["v"].value_counts(),
    "unique": lambda p: p["v"].unique(),
    "strict": lambda p: p["v"].max(skipna=False),
    "by group, median": lambda p: p.groupby("k")["v"].median(),
    "by group, idxmin": lambda p: p.groupby("k")["v"].idxmin(),
    "by group, all": lambda p: p.groupby("k")["v"].all(),
    "by group, lower": lambda p: p.groupby("k")["v"].quantile(0.3, interpolation="lower"),
}


@pytest.mark.parametrize("operation", OF_TYPES)
@pytest.mark.parametrize("name", TYPES)
def test_every_type(clients: Clients, name: str, operation: str) -> None:
    data = pa.table({"k": pa.array([n % 3 for n in range(len(NUMBERS))]), "v": TYPES[name]})
    if (name, operation) == ("uint64", "by group, lower"):
        return  # pandas makes signed numbers of them.
    if (name, operation) == ("timestamp ns", "describe"):
        return  # pandas adds up nanoseconds as floats.
    check(clients(2).execute, OF_TYPES[operation], data, data, 4, power=2)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "method": lambda p: p["x"].corr(p["i"], method="spearman"),
    "interpolation": lambda p: p["x"].quantile(0.5, interpolation="middle"),
    "from 0 to 1": lambda p: p["x"].quantile(1.5),
    "ddof": lambda p: p[["x", "i"]].cov(ddof=0),
    "bins": lambda p: p["x"].value_counts(bins=3),
    "rows": lambda p: p.groupby("region")["x"].agg(lambda s: (s - s.mean()).abs().max()),
    "group": lambda p: p.groupby("region")["x"].agg(lambda s: s[s > 0].sum()),
    "axis": lambda p: p[["x", "i"]].median(axis=1),
}


@pytest.mark.parametrize("word", REFUSED)
def test_refusals(clients: Clients, word: str) -> None:
    with pytest.raises(NotDecomposableError, match=word):
        clients(1).execute(make_task(_table(KEYS["bool"]), REFUSED[word]))


def test_a_place_of_nothing_is_a_failed_run(clients: Clients) -> None:
    data = pa.table({"v": pa.array([None, None], pa.float64())})
    with pytest.raises(OperationFailedError, match="idxmax"):
        clients(1).execute(make_task(data, lambda p: p["v"].idxmax()))
