"""Constants of time keep their nanoseconds, whatever the unit of the column they meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import RLMClient

from tests.oracle._run import check

MOMENT = pd.Timestamp("1970-01-03 00:00:00.0000005")
SPAN = pd.Timedelta("1D1ns")
OPERATIONS: list[Callable[[Any], Any]] = [
    lambda p: p[p["t"] == MOMENT],
    lambda p: p[p["t"] < MOMENT],
    lambda p: p[p["t"] >= MOMENT],
    lambda p: p[p["d"] == SPAN],
    lambda p: p[p["d"] < SPAN],
    lambda p: p["d"] != SPAN,
]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_nanoseconds_of_constants_count(
    client: RLMClient, unit: str, operation: Callable[[Any], Any]
) -> None:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    days = [2 * 86_400 * per_second, 86_400 * per_second, None]
    data = pa.table(
        {"t": pa.array(days, pa.timestamp(unit)), "d": pa.array(days[1:] + days[:1], pa.duration(unit))}
    )
    check(client.execute, operation, data, data, 2)
