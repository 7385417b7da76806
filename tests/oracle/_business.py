"""The tables that the analysts' functions are tried on: orders, events, lines of a log; small, with holes, made by a seed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from rlm_hypervisor import RLMClient

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same
from tests.oracle._run import stable_sorts

Operation = Callable[[Any], Any]
CHUNKS: list[int | str] = [1, 7, "auto"]


@functools.cache
def _orders() -> pd.DataFrame:
    draw = np.random.default_rng(7)
    rows = 90
    minutes = np.sort(draw.integers(0, 120 * 24 * 60, rows))
    amount = np.round(draw.gamma(2.0, 40.0, rows), 2)
    discount = np.round(draw.uniform(0, 0.4, rows), 2)
    category = draw.choice(["books", "toys", "garden", "music"], rows).astype(object)
    category[draw.random(rows) < 0.08] = None
    amount[draw.random(rows) < 0.06] = np.nan
    amount[11] = 2_500.0
    discount[draw.random(rows) < 0.5] = np.nan
    names = draw.choice(["Ann Lee", " bob  stone", "Cy Young ", "DEE dean", "Eve Éclair"], rows)
    return pd.DataFrame(
        {
            "order_id": np.arange(1000, 1000 + rows),
            "customer": draw.choice([f"c{n:02}" for n in range(14)], rows),
            "placed": pd.to_datetime("2024-01-01")
            + pd.to_timedelta(minutes, unit="min").astype("timedelta64[us]"),
            "amount": amount,
            "quantity": draw.integers(1, 9, rows),
            "category": pd.Series(category, dtype="str"),
            "country": draw.choice(["DE", "FR", "US", "BR"], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "status": draw.choice(["paid", "open", "returned"], rows, p=[0.7, 0.2, 0.1]),
            "name": names,
            "discount": discount,
        }
    ).astype({"placed": "datetime64[us]"})


@functools.cache
def _events() -> pd.DataFrame:
    draw = np.random.default_rng(11)
    rows = 110
    seconds = np.cumsum(draw.choice([5, 40, 300, 1500, 4000], rows, p=[0.3, 0.3, 0.2, 0.1, 0.1]))
    page = draw.integers(1, 40, rows)
    campaign = draw.choice(["", "?utm_source=mail", "?utm_source=ads&x=1"], rows)
    return pd.DataFrame(
        {
            "user": draw.integers(1, 9, rows),
            "at": (pd.to_datetime("2024-03-30 20:00") + pd.to_timedelta(seconds, unit="s")).astype(
                "datetime64[us]"
            ),
            "kind": draw.choice(["view", "cart", "buy"], rows, p=[0.6, 0.25, 0.15]),
            "url": [f"https://shop.example/p/{n}{c}" for n, c in zip(page, campaign, strict=True)],
            "value": np.where(draw.random(rows) < 0.15, np.nan, draw.integers(0, 50, rows) / 2),
        }
    )


@functools.cache
def _log() -> pd.DataFrame:
    draw = np.random.default_rng(13)
    paths = ["/", "/login", "/api/items/7", "/api/items/12", "/static/a.css"]
    levels = draw.choice([200, 200, 200, 304, 404, 500], 70)
    lines = [
        f"10.0.{draw.integers(0, 3)}.{draw.integers(1, 5)} - - [0{draw.integers(1, 9)}/Mar/2024:1{draw.integers(0, 9)}:0{draw.integers(0, 9)}:00] "
        f'"{draw.choice(["GET", "POST"])} {draw.choice(paths)} HTTP/1.1" {level} {draw.integers(0, 5000)}'
        for level in levels
    ]
    for place in (3, 40):
        lines[place] = "-- restarted --"
    return pd.DataFrame({"line": pd.Series(lines, dtype="str"), "host": draw.choice(["web1", "web2"], 70)})


def orders() -> pd.DataFrame:
    """A shop's orders, by time."""
    return _orders().copy()


def events() -> pd.DataFrame:
    """What visitors of a shop did, by time."""
    return _events().copy()


def log() -> pd.DataFrame:
    """The lines of a web server's log."""
    return _log().copy()


def agrees(client: RLMClient, operation: Operation, data: Callable[[], pd.DataFrame]) -> None:
    """The function's answer is that of pandas on the whole table, at every chunk size."""
    with stable_sorts(), np.errstate(all="ignore"):
        expected = operation(data())
    for chunk in CHUNKS:
        answer = client.execute(make_task(data(), operation, chunkSize=chunk))
        assert_same(answer, expected, Allowance(integers=True, noop=True, bound=1e-9))
