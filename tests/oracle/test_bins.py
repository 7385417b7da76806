"""Bins of time: labels, edges and bins without rows, at random and in time zones."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import RLMClient

from tests.oracle._run import Raised, by_pandas, check

FIXED = ["D", "2D", "7D", "h", "5h", "36h", "15min", "7min", "90s", "1h30min"]
CALENDAR = [
    "W",
    "W-WED",
    "2W",
    "MS",
    "2MS",
    "ME",
    "3ME",
    "QS",
    "QE",
    "QS-FEB",
    "QE-NOV",
    "2QE",
    "YS",
    "YE",
    "YE-MAR",
]


def _table(seconds: list[int], zone: str | None = None, unit: str = "us") -> pa.Table:
    per = {"s": 1, "us": 10**6, "ns": 10**9}[unit]
    values = [1_704_067_200 + second for second in seconds]
    return pa.table(
        {
            "t": pa.array([value * per for value in values], pa.timestamp(unit, zone)),
            "x": pa.array([float(n) for n in range(len(values))]),
        }
    )


def _at_random(days: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(-days * 86_400, days * 86_400), min_size=1, max_size=12)


@settings(max_examples=80, deadline=None)
@given(
    seconds=_at_random(5),
    freq=st.sampled_from(FIXED),
    closed=st.sampled_from([None, "left", "right"]),
    label=st.sampled_from([None, "left", "right"]),
    unit=st.sampled_from(["us", "ns", "s"]),
)
def test_fixed_bins(
    client: RLMClient, seconds: list[int], freq: str, closed: Any, label: Any, unit: str
) -> None:
    data = _table(seconds, None, unit)
    check(
        client.execute,
        lambda p: p.resample(freq, on="t", closed=closed, label=label)["x"].sum(),
        data,
        data,
        3,
    )


@settings(max_examples=80, deadline=None)
@given(
    seconds=_at_random(900), freq=st.sampled_from(CALENDAR), label=st.sampled_from([None, "left", "right"])
)
def test_bins_of_the_calendar(client: RLMClient, seconds: list[int], freq: str, label: Any) -> None:
    data = _table(seconds)
    check(client.execute, lambda p: p.resample(freq, on="t", label=label)["x"].count(), data, data, 3)


@settings(max_examples=40, deadline=None)
@given(seconds=_at_random(100), freq=st.sampled_from(["W", "W-WED", "2W", "ME", "QE"]))
def test_bins_closed_on_the_left(client: RLMClient, seconds: list[int], freq: str) -> None:
    data = _table(seconds)
    check(client.execute, lambda p: p.resample(freq, on="t", closed="left")["x"].sum(), data, data, 3)


@settings(max_examples=60, deadline=None)
@given(
    seconds=_at_random(150),
    freq=st.sampled_from(["D", "12h", "W", "MS", "ME", "5h"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_bins_in_time_zones(client: RLMClient, seconds: list[int], freq: str, zone: str) -> None:
    data = _table(seconds, zone)
    check(client.execute, lambda p: p.resample(freq, on="t")["x"].sum(), data, data, 3)


@settings(max_examples=40, deadline=None)
@given(seconds=_at_random(20), freq=st.sampled_from(["D", "3D", "W", "7h"]))
def test_bins_beside_other_keys(client: RLMClient, seconds: list[int], freq: str) -> None:
    data = _table(seconds)
    data = data.append_column("k", pa.array(["ab"[n % 2] for n in range(len(data))]))
    check(
        client.execute, lambda p: p.groupby(["k", pd.Grouper(key="t", freq=freq)])["x"].sum(), data, data, 3
    )


@pytest.mark.parametrize("freq", ["MS", "QS", "YS"])
def test_what_is_refused_of_bins(client: RLMClient, freq: str) -> None:
    data = _table([0, 10**6])
    operation: Any = lambda p: p.resample(freq, on="t", closed="right")["x"].sum()  # noqa: E731
    assert not isinstance(by_pandas(operation, data), Raised)
    check(client.execute, operation, data, data, refusals=("closed on the right",))


TEXTS = {
    "iso": ["2024-01-31", "2024-02-29", None],
    "times": ["2024-01-31 10:00:00", "2024-02-29 23:59:59", ""],
    "fractions": ["2024-01-31T10:00:00.25", "1969-02-28T23:59:59.123456", "NaT"],
    "german": ["31.01.2024", "1.2.2024", None],
    "american": ["Jan 31, 24 1:05 PM", "feb 1, 69 12:00 am", None],
    "compact": ["20240131", "20240229", None],
    "bad": ["2024-01-31", "x", None],
}


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("iso", {}),
        ("iso", {"format": "ISO8601"}),
        ("iso", {"format": "%Y-%m-%d"}),
        ("iso", {"utc": True}),
        ("times", {}),
        ("times", {"format": "%Y-%m-%d %H:%M:%S"}),
        ("fractions", {"format": "ISO8601"}),
        ("german", {"format": "%d.%m.%Y"}),
        ("american", {"format": "%b %d, %y %I:%M %p"}),
        ("compact", {"format": "%Y%m%d"}),
        ("bad", {"format": "%Y-%m-%d"}),
        ("bad", {"format": "%Y-%m-%d", "errors": "coerce"}),
        ("bad", {"format": "ISO8601", "errors": "coerce"}),
    ],
)
def test_times_in_text(client: RLMClient, name: str, kwargs: dict[str, Any]) -> None:
    data = pa.table({"s": pa.array(TEXTS[name])})
    check(client.execute, lambda p: pd.to_datetime(p["s"], **kwargs), data, data, 2)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "D"])
def test_floats_are_nanoseconds(client: RLMClient, unit: str) -> None:
    data = pa.table({"x": pa.array([0.5, 1.1234567, None, -0.3, 1e6 + 0.125])})
    check(client.execute, lambda p: pd.to_datetime(p["x"], unit=unit), data, data, 2)
    check(client.execute, lambda p: pd.to_timedelta(p["x"], unit=unit), data, data, 2)


INDEXED = [
    lambda p: p.set_index("t").resample("D").sum(),
    lambda p: p.set_index("t")["x"].resample("W").mean(),
    lambda p: p.set_index("t").groupby(pd.Grouper(freq="MS"))["x"].sum(),
    lambda p: p.set_index("t").resample("D", level="t")["x"].count(),
]


@pytest.mark.parametrize("operation", INDEXED)
def test_bins_of_the_index(client: RLMClient, operation: Any) -> None:
    data = _table([0, 86_400 * 3, 10**6, 5])
    check(client.execute, operation, data, data, 2, refusals=("`DataFrame.set_index` is not native",))


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_many_bins_without_rows(client: RLMClient, chunk: int) -> None:
    data = _table([0, 40_000, 7, 100_000])
    check(
        client.execute, lambda p: p.resample("s", on="t")["x"].agg(["sum", "mean", "size"]), data, data, chunk
    )
    check(
        client.execute,
        lambda p: p.resample("s", on="t")["x"].sum().head(20_000).tail(3),
        data,
        data,
        chunk,
        refusals=("tail",),
    )


@settings(max_examples=40, deadline=None)
@given(seconds=_at_random(3), freq=st.sampled_from(["D", "7h", "W"]))
def test_first_and_last_are_by_time(client: RLMClient, seconds: list[int], freq: str) -> None:
    data = _table(seconds)
    check(client.execute, lambda p: p.resample(freq, on="t")["x"].ohlc(), data, data, 2)
    check(
        client.execute,
        lambda p: p.resample(freq, on="t").agg(a=("x", "first"), b=("x", "last")),
        data,
        data,
        2,
    )


@settings(max_examples=30, deadline=None)
@given(seconds=_at_random(3))
def test_first_beside_other_keys_is_by_row(client: RLMClient, seconds: list[int]) -> None:
    data = _table(seconds)
    data = data.append_column("k", pa.array(["ab"[n % 2] for n in range(len(data))]))
    check(
        client.execute, lambda p: p.groupby(["k", pd.Grouper(key="t", freq="D")])["x"].first(), data, data, 2
    )


@pytest.mark.parametrize("name", ["cumsum", "shift", "rank"])
def test_windows_within_bins_are_refused(client: RLMClient, name: str) -> None:
    data = _table([5, 3, 10**6])
    operation: Any = lambda p: getattr(p.groupby(pd.Grouper(key="t", freq="D"))["x"], name)()  # noqa: E731
    assert not isinstance(by_pandas(operation, data), Raised)
    check(client.execute, operation, data, data, refusals=("within bins of time",))
