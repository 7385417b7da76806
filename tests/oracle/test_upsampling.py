"""Rows at the points of a grid of times, at random: `asfreq`, and what fills the bins of `resample`."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import NotDecomposableError, RLMClient

from tests.conftest import make_task
from tests.oracle._run import Raised, by_pandas, check

FIXED = ["D", "2D", "h", "5h", "90min", "36h", "12h"]
CALENDAR = ["W", "W-WED", "MS", "ME", "QS", "QE", "YS", "YE"]
_SECONDS = st.integers(-6 * 86_400, 6 * 86_400).map(lambda second: second - second % 1800)


def _table(seconds: list[int], zone: str | None = None, scale: int = 1, midnight: bool = False) -> pa.Table:
    values = [1_704_067_200 + second * scale for second in seconds]
    values = [value - value % 86_400 for value in values] if midnight else values
    return pa.table(
        {
            "t": pa.array([value * 10**6 for value in values], pa.timestamp("us", zone)),
            "x": pa.array([None if n % 4 == 3 else n / 4 for n in range(len(values))], pa.float64()),
            "i": pa.array(range(len(values)), pa.int64()),
            "s": pa.array([None if n % 5 == 2 else f"row {n}" for n in range(len(values))], pa.string()),
        }
    )


unique = st.lists(_SECONDS, min_size=0, max_size=9, unique=True)


@settings(max_examples=60, deadline=None)
@given(
    seconds=unique,
    freq=st.sampled_from([*FIXED, "MS", "ME", "W"]),
    method=st.sampled_from(["ffill", "bfill", "nearest"]),
    limit=st.sampled_from([None, 1, 2]),
    zone=st.sampled_from([None, "UTC", "Europe/Berlin"]),
)
def test_bins_are_filled(
    client: RLMClient, seconds: list[int], freq: str, method: str, limit: Any, zone: Any
) -> None:
    data = _table(seconds, zone)
    check(
        client.execute, lambda p: getattr(p.set_index("t").resample(freq), method)(limit=limit), data, data, 3
    )


@settings(max_examples=40, deadline=None)
@given(
    seconds=unique, freq=st.sampled_from([*FIXED, "MS", "ME", "W"]), closed=st.sampled_from([None, "left"])
)
def test_rows_at_the_edges_of_bins(client: RLMClient, seconds: list[int], freq: str, closed: Any) -> None:
    data = _table(seconds, midnight=False)
    run = client.execute
    check(run, lambda p: p.set_index("t")["x"].resample(freq, closed=closed).asfreq(), data, data, 3)
    check(
        run,
        lambda p: p.set_index("t")[["i", "x"]].resample(freq).asfreq(fill_value=-1),
        data,
        data,
        2,
        noop=True,
    )


@settings(max_examples=50, deadline=None)
@given(
    seconds=unique,
    freq=st.sampled_from([*FIXED, "B"]),
    method=st.sampled_from([None, "ffill", "pad", "bfill", "backfill", "nearest"]),
    normalize=st.booleans(),
)
def test_as_fixed_frequencies(
    client: RLMClient, seconds: list[int], freq: str, method: Any, normalize: bool
) -> None:
    data = _table(seconds)

    def operation(p: Any) -> Any:
        return p.sort_values("t").set_index("t").asfreq(freq, method=method, normalize=normalize)

    check(client.execute, operation, data, data, 3)


@settings(max_examples=120, deadline=None)
@given(
    seconds=unique,
    freq=st.builds(
        lambda many, unit: f"{many}{unit}",
        st.sampled_from(["", 1, 2, 3, 5, 12]),
        st.sampled_from([*CALENDAR, "B"]),
    ),
    method=st.sampled_from([None, "ffill", "bfill"]),
    midnight=st.booleans(),
)
def test_as_frequencies_of_the_calendar(
    client: RLMClient, seconds: list[int], freq: str, method: Any, midnight: bool
) -> None:
    data = _table(seconds, scale=40, midnight=midnight)
    check(
        client.execute, lambda p: p.sort_values("t").set_index("t")["i"].asfreq(freq, method), data, data, 2
    )


@settings(max_examples=30, deadline=None)
@given(seconds=unique, fill=st.sampled_from([0, 1.5]))
def test_what_is_filled_in(client: RLMClient, seconds: list[int], fill: Any) -> None:
    data = _table(seconds)
    run = client.execute
    check(
        run, lambda p: p.set_index("t")[["x", "i"]].asfreq("12h", fill_value=fill), data, data, 3, noop=True
    )
    check(run, lambda p: p.set_index("t").asfreq("D")["s"], data, data, 3)


@settings(max_examples=40, deadline=None)
@given(
    seconds=unique,
    freq=st.sampled_from(["D", "7h", "30min", "ME"]),
    limit=st.sampled_from([None, 1]),
    name=st.sampled_from(["x", "i"]),
)
def test_lines_between_rows(client: RLMClient, seconds: list[int], freq: str, limit: Any, name: str) -> None:
    data = _table(seconds)
    check(
        client.execute,
        lambda p: p.set_index("t")[name].resample(freq).interpolate(limit=limit),
        data,
        data,
        3,
        noop=True,
    )


@settings(max_examples=30, deadline=None)
@given(
    seconds=st.lists(_SECONDS, min_size=1, max_size=9),
    what=st.sampled_from(["sum", "mean", "count", "first"]),
)
def test_values_of_the_bin_for_each_row(client: RLMClient, seconds: list[int], what: str) -> None:
    data = _table(seconds)
    run = client.execute
    check(run, lambda p: p.set_index("t")["x"].resample("D").transform(what), data, data, 3)
    check(run, lambda p: p.resample("D", on="t")["i"].transform(what), data, data, 2, noop=True)
    check(run, lambda p: p.set_index("t").resample("D")["x"].ffill(), data, data, 2)
    check(run, lambda p: p.set_index("t").resample("12h")[["x", "i"]].bfill(limit=1), data, data, 3)


@settings(max_examples=20, deadline=None)
@given(seconds=unique, zone=st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_other_zones_of_the_index(client: RLMClient, seconds: list[int], zone: str) -> None:
    data = _table(seconds)
    check(client.execute, lambda p: p.set_index("t").tz_localize(zone)["x"], data, data, 3)
    zoned = _table(seconds, zone)
    check(client.execute, lambda p: p.set_index("t")["x"].tz_convert("Europe/Paris"), zoned, zoned, 3)
    check(client.execute, lambda p: p.set_index("t").tz_convert(None), zoned, zoned, 3)


TWICE = [
    lambda p: p.set_index("t")["x"].resample("D").ffill(),
    lambda p: p.set_index("t")["x"].resample("D").asfreq(),
    lambda p: p.set_index("t").asfreq("h"),
    lambda p: p.set_index("t")["i"].resample("6h").interpolate(),
]


@pytest.mark.parametrize("operation", TWICE)
def test_a_time_that_is_there_twice_fails(client: RLMClient, operation: Any) -> None:
    data = _table([0, 3600, 0])
    assert isinstance(by_pandas(operation, data), Raised)
    check(client.execute, operation, data, data, 2)


def test_a_method_needs_times_in_order(client: RLMClient) -> None:
    data = _table([7200, 0, 3600])
    operation: Any = lambda p: p.set_index("t")["x"].asfreq("h", method="ffill")  # noqa: E731
    assert isinstance(by_pandas(operation, data), Raised)
    check(client.execute, operation, data, data, 2)


@pytest.mark.parametrize(
    ("operation", "advice"),
    [
        (lambda p: p.resample("D", on="t").ffill(), "set_index"),
        (lambda p: p.set_index("t").groupby("i").resample("D").ffill(), "groupby"),
        (lambda p: p.set_index("t").asfreq("2SMS"), "resample"),
        (lambda p: p.set_index("t").asfreq("MSD"), "frequency"),
        (lambda p: p.set_index("t").tz_localize("Europe/Berlin").asfreq("D"), "tz_localize"),
        (lambda p: p.asfreq("D"), "set_index"),
        (lambda p: p.set_index("t")["x"].resample("D").interpolate("spline"), "method"),
    ],
)
def test_what_is_refused_says_what_to_do(client: RLMClient, operation: Any, advice: str) -> None:
    data = _table([0, 86_400])
    with pytest.raises(NotDecomposableError, match=advice):
        client.execute(make_task(data, operation))


def test_an_index_of_dates_is_a_grid(client: RLMClient) -> None:
    days = pd.date_range("2024-01-29", periods=8, freq="B")
    data = pa.table({"t": pa.array(days[[0, 1, 4, 7]]), "close": pa.array([10.0, 11.0, 9.5, 12.0])})

    def monthly(p: Any) -> Any:
        return p.set_index("t")["close"].asfreq("B").ffill().pct_change()

    check(client.execute, monthly, data, data, 2)
