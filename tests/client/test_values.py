"""Functions of single values: what raises for a row fails, what cannot be known is refused, nothing is caught."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import NotDecomposableError, OperationFailedError, RLMClient

from tests.conftest import make_task

DATA = pa.table(
    {
        "x": [1.0, 0.0, -2.5, float("nan"), 4.0],
        "i": [1, 0, -2, 7, 4],
        "w": [2, 2**62, 5, 0, 1],
        "k": ["a", None, "b", "", "longer"],
    }
)


def _run(client: RLMClient, operation: Any, data: pa.Table = DATA) -> Any:
    return client.execute(make_task(data, operation, chunkSize=2)).to_pandas()


def _same(client: RLMClient, operation: Any, data: pa.Table = DATA) -> None:
    pd.testing.assert_series_equal(
        _run(client, operation, data), operation(data.to_pandas()), check_dtype=False, check_index_type=False
    )


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (lambda p: p["x"].map(lambda v: 1 / v), "ZeroDivisionError"),
        (lambda p: p["i"].map(lambda v: 1 // v), "ZeroDivisionError"),
        (lambda p: p["x"].map(lambda v: math.sqrt(v)), "math domain error"),
        (lambda p: p["x"].map(lambda v: int(v)), "cannot convert float NaN"),
        (lambda p: p["w"].map(lambda v: v * 4), "beyond 64 bits"),
        (lambda p: p["k"].map(lambda v: v + "!"), "unsupported operand"),
        (lambda p: p["x"].map(lambda v: v**-1), "ZeroDivisionError"),
        (lambda p: p["x"].map(lambda v: v**0.5), "complex"),
        (lambda p: p["x"].map(lambda v: {}["no"] if v > 3 else v), "KeyError"),
    ],
)
def test_what_python_raises_for_a_row_fails(client: RLMClient, operation: Any, said: str) -> None:
    with pytest.raises(OperationFailedError, match=said):
        _run(client, operation)


def _guarded(v: Any) -> Any:
    try:
        return 10 / v
    except ZeroDivisionError:
        return -1.0


def _careful(v: Any) -> Any:
    if v > 0:
        return math.log(v)
    return 0.0 if v == 0 else -math.log(-v) if v < 0 else float("nan")


def _letters(v: Any) -> Any:
    if isinstance(v, str):
        return "text" if v else "nothing"
    return type(v).__name__


def _helper(v: Any) -> Any:
    return float(v) / 2


RATES = {"low": 0.1, "high": 0.5}


def _rate(v: Any) -> Any:
    rate = RATES["high"] if v > 1 else RATES["low"]
    return _helper(v) * rate


def _loop(v: Any) -> Any:
    total = 0
    for step in range(3):
        total += v * step
    return total


@pytest.mark.parametrize(
    "operation",
    [
        lambda p: p["x"].map(_guarded),
        lambda p: p["i"].map(_guarded),
        lambda p: p["x"].map(_careful),
        lambda p: p["k"].map(_letters),
        lambda p: p["x"].map(_rate),
        lambda p: p["i"].map(_loop),
        lambda p: p["i"].map(lambda v: 7 // v if v else 0),
        lambda p: p["i"].map(lambda v: 7 % v if v != 0 else v),
        lambda p: p["w"].map(lambda v: v * 4 if v < 10 else 0),
        lambda p: p["i"].map(lambda v: str(v) + "%"),
        lambda p: p["x"].map(lambda v: str(v)),
        lambda p: p["x"].map(lambda v: v.is_integer()),
        lambda p: p["x"].map(lambda v: np.sign(v) * 2),
        lambda p: p["x"].map(lambda v: v if v is not None else 0.0),
        lambda p: p.apply(lambda r: r["x"] / r["i"] if r["i"] else 0.0, axis=1),
        lambda p: p[["x", "i"]].apply(lambda r: r["x"] / r["i"], axis=1),
        lambda p: p.apply(lambda r: r["k"] if isinstance(r["k"], str) else "none", axis=1),
        lambda p: p.apply(lambda r: r.get("nope", 3) + r["i"], axis=1),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_functions_of_values_are_as_pandas_runs_them(client: RLMClient, operation: Any) -> None:
    _same(client, operation)


def _catches_all(v: Any) -> Any:
    try:
        return 1.0 if f"{v}" == "1.0" else 2.0
    except Exception:
        return 0.0


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (lambda p: p["x"].map(lambda v: f"{v:.2f}"), "f-string"),
        (lambda p: p["x"].map(_catches_all), "f-string"),
        (lambda p: p["x"].map(lambda v: {1.0: "a"}.get(v)), "unhashable|hash"),
        (lambda p: p["x"].map(lambda v: v is np.nan), "`is`"),
        (lambda p: p["x"].map(lambda v: "a" if v > 1 else 1), "kind"),
        (lambda p: p["x"].map(lambda v: [v]), "single value"),
        (lambda p: p["x"].map(lambda v: range(v)), "index"),
        (lambda p: p["x"].map(lambda v: p["x"]), "whole column"),
        (lambda p: p["x"].map(lambda v: p["i"] + v), "whole column"),
        (lambda p: p.apply(lambda r: r.sum(), axis=1), "row"),
        (lambda p: p.apply(lambda r: r, axis=1), "single value"),
        (lambda p: p["x"].map(_endless), "64 times|128"),
        (lambda p: p["x"].map(lambda v: v.hex()), "hex"),
    ],
)
def test_what_is_refused_says_why(client: RLMClient, operation: Any, said: str) -> None:
    with pytest.raises((NotDecomposableError, OperationFailedError), match=said):
        _run(client, operation)


def _endless(v: Any) -> Any:
    while v > 1:
        v = v / 2
    return v
