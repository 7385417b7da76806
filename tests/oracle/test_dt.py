"""The dt accessor on times that are hard: four units, zones across their changes, before 1970, leap days, far years."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import RLMClient

from tests.conftest import make_task
from tests.oracle._cases import _parse
from tests.oracle._run import Raised, by_pandas, check

MOMENTS = [
    "2024-02-29 23:59:59.999999999",
    "2023-12-31 00:00:00",
    "2024-01-01 00:00:00",
    "1969-12-31 23:59:59.5",
    "1970-01-01 00:00:00",
    "1900-02-28 12:00:00",
    "2000-02-29 01:30:00",
    "2024-03-31 01:00:00",
    "2024-03-31 00:59:59.999",
    "2024-10-27 00:30:00",
    "2024-10-27 01:30:00",
    "2024-11-03 05:30:00",
    "2024-11-03 06:30:00",
    "2011-12-30 10:00:00",
    "1883-11-18 17:00:00",
    "2021-01-03 23:00:00",
    "2020-12-31 23:00:00",
    "2018-12-31 12:34:56.789",
]
ZONES = [
    None,
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kolkata",
    "+02:00",
]
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def _table(unit: str, zone: str | None, extra: bool = True) -> pa.Table:
    nanos = [pd.Timestamp(text).value * PER_SECOND[unit] // 10**9 for text in MOMENTS]
    years = [-62_135_596_800, 253_402_300_799, -2_208_988_800, 4_000_000_000]
    if extra and unit != "ns" and zone in (None, "UTC"):
        nanos += [second * PER_SECOND[unit] for second in years]
    values = [*nanos, None]
    return pa.table({"t": pa.array(values, pa.timestamp(unit, zone)), "x": pa.array(range(len(values)))})


PARTS = _parse(
    """
p["t"].dt.year
p["t"].dt.month
p["t"].dt.day
p["t"].dt.hour
p["t"].dt.minute
p["t"].dt.second
p["t"].dt.microsecond
p["t"].dt.nanosecond
p["t"].dt.quarter
p["t"].dt.day_of_week
p["t"].dt.day_of_year
p["t"].dt.days_in_month
p["t"].dt.isocalendar().astype("float64")
p["t"].dt.is_month_start
p["t"].dt.is_month_end
p["t"].dt.is_quarter_start
p["t"].dt.is_quarter_end
p["t"].dt.is_year_start
p["t"].dt.is_year_end
p["t"].dt.is_leap_year
p["t"].dt.date
p["t"].dt.month_name()
p["t"].dt.day_name()
p["t"].dt.normalize()
p["t"].dt.as_unit("s")
p["t"].dt.as_unit("us")
p["t"].dt.floor("D", ambiguous=True, nonexistent="shift_forward")
p["t"].dt.floor("h", ambiguous=True, nonexistent="shift_forward")
p["t"].dt.round("h", ambiguous="NaT", nonexistent="shift_backward")
p["t"].dt.ceil("90min", ambiguous=False, nonexistent="NaT")
p["t"].dt.strftime("%Y-%m-%d %H:%M:%S.%f %j %U %W %G %V %a %b %z %Z")
p["t"].dt.tz_localize(None)
p[p["t"].dt.hour == 1]
q = p[p["t"].notna()]; q.groupby(q["t"].dt.year)["x"].sum()
(p["t"] - p["t"].min()).dt.total_seconds()
(p["t"] - p["t"].min()).dt.components
"""
)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", PER_SECOND)
@pytest.mark.parametrize("case", PARTS, ids=lambda case: case.name)
def test_parts_in_every_unit_and_zone(client: RLMClient, case: Any, unit: str, zone: str | None) -> None:
    data = _table(unit, zone, "strftime" not in case.name)
    if "p['t'].min" in case.name.replace('"', "'"):
        data = _table(unit, zone, False)
    assert not isinstance(by_pandas(case.function, data), Raised)
    check(client.execute, case.function, data, data, 7)


CONVERSIONS = _parse(
    """
p["t"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
p["t"].dt.tz_localize("Europe/Berlin", ambiguous=True, nonexistent="shift_forward")
p["t"].dt.tz_localize("Europe/Berlin", ambiguous=False, nonexistent="shift_backward")
p["t"].dt.tz_localize("Europe/Berlin", ambiguous="NaT", nonexistent="NaT")
p["t"].dt.tz_localize("America/New_York", ambiguous=True, nonexistent="NaT")
p["t"].dt.tz_localize("Australia/Lord_Howe", ambiguous=True, nonexistent="NaT")
p["t"].dt.tz_localize("Pacific/Apia", ambiguous="NaT", nonexistent="NaT")
p["t"].dt.tz_localize(None)
"""
)


@pytest.mark.parametrize("unit", PER_SECOND)
@pytest.mark.parametrize("case", CONVERSIONS, ids=lambda case: case.name)
def test_zones_given_and_changed(client: RLMClient, case: Any, unit: str) -> None:
    clocks = [pd.Timestamp("2024-03-31 01:00") + pd.Timedelta(minutes=15 * n) for n in range(9)]
    clocks += [pd.Timestamp("2024-10-27 01:00") + pd.Timedelta(minutes=15 * n) for n in range(12)]
    clocks += [
        pd.Timestamp("2024-03-10 01:45"),
        pd.Timestamp("2024-03-10 02:15"),
        pd.Timestamp("2024-11-03 01:30"),
    ]
    clocks += [
        pd.Timestamp("2024-04-07 01:45"),
        pd.Timestamp("2024-10-06 02:15"),
        pd.Timestamp("2011-12-30 12:00"),
    ]
    values = [clock.value * PER_SECOND[unit] // 10**9 for clock in clocks]
    data = pa.table({"t": pa.array([*values, None], pa.timestamp(unit))})
    assert not isinstance(by_pandas(case.function, data), Raised)
    check(client.execute, case.function, data, data, 4)


@pytest.mark.parametrize("text", ["2024-03-31 02:30", "2024-10-27 02:30"])
def test_times_that_clocks_show_twice_or_never_are_refused(client: RLMClient, text: str) -> None:
    data = pa.table({"t": pa.array([pd.Timestamp(text)], pa.timestamp("us"))})
    operation: Callable[[Any], Any] = lambda p: p["t"].dt.tz_localize("Europe/Berlin")  # noqa: E731
    assert isinstance(by_pandas(operation, data), Raised)
    check(client.execute, operation, data, data)


@pytest.mark.parametrize(
    ("unit", "zone"), [("ms", None), ("us", "UTC"), ("ns", "Europe/Berlin"), ("us", "America/New_York")]
)
def test_times_from_parquet(client: RLMClient, tmp_path: Any, unit: str, zone: str | None) -> None:
    data = _table(unit, zone, False)
    pq.write_table(data, tmp_path / "t.parquet")
    for case in PARTS[:4] + PARTS[22:24]:
        check(client.execute, case.function, data, str(tmp_path / "t.parquet"), 3)


def test_the_first_time_after_a_gap(client: RLMClient) -> None:
    """pandas 3.1 takes every gap for one of an hour: it gives 03:00 of Lord Howe, and two days before in Apia."""
    clocks = [pd.Timestamp("2024-10-06 02:15"), pd.Timestamp("2011-12-30 12:00")]
    for clock, zone, expected in zip(
        clocks, ["Australia/Lord_Howe", "Pacific/Apia"], ["2024-10-06 02:30", "2011-12-31"], strict=True
    ):
        data = pa.table({"t": pa.array([clock], pa.timestamp("us"))})
        task = make_task(data, lambda p, z=zone: p["t"].dt.tz_localize(z, nonexistent="shift_forward"))
        assert client.execute(task).to_pandas()[0] == pd.Timestamp(expected, tz=zone)


STEPS = ["D", "h", "15min", "7h", "2D", "1h30min", "s", "100ms", "3us", "37s"]


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(-(10**17), 10**17), max_size=20),
    unit=st.sampled_from(["us", "ns"]),
    zone=st.sampled_from([None, "Europe/Berlin", "America/Sao_Paulo", "Asia/Tehran"]),
    way=st.sampled_from(["floor", "ceil", "round"]),
    step=st.sampled_from(STEPS),
)
def test_rounding_at_random(
    client: RLMClient, values: list[int], unit: str, zone: str | None, way: str, step: str
) -> None:
    limit = 3 * 10**9 * PER_SECOND[unit]
    data = pa.table({"t": pa.array([v % limit - limit // 5 for v in values], pa.timestamp(unit, zone))})

    def operation(p: Any) -> Any:
        return getattr(p["t"].dt, way)(step, ambiguous=True, nonexistent="shift_forward")

    check(client.execute, operation, data, data, 3)


@settings(max_examples=40, deadline=None)
@given(
    days=st.lists(st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)), max_size=30),
    name=st.sampled_from(
        ["year", "month", "day", "day_of_week", "day_of_year", "quarter", "is_quarter_end", "days_in_month"]
    ),
)
def test_parts_of_random_days(client: RLMClient, days: list[dt.date], name: str) -> None:
    values = [(day - dt.date(1970, 1, 1)).days * 86_400 for day in days]
    data = pa.table({"t": pa.array(values, pa.timestamp("s"))})
    check(client.execute, lambda p: getattr(p["t"].dt, name), data, data, 5)


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.lists(st.integers(-3_000_000_000, 4_100_000_000), max_size=30),
    zone=st.sampled_from(
        ["Europe/London", "America/St_Johns", "Africa/Casablanca", "Asia/Gaza", "Antarctica/Troll"]
    ),
)
def test_clocks_of_random_instants(client: RLMClient, seconds: list[int], zone: str) -> None:
    data = pa.table({"t": pa.array(seconds, pa.timestamp("s", zone))})
    check(client.execute, lambda p: p["t"].dt.tz_localize(None), data, data, 5)
