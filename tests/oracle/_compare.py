"""Equality with pandas: values, order, index, names and dtypes, up to the documented deviations.

(a) an integer or boolean column with missing values stays one (`Int64`, `boolean`), exactly, where pandas made floats
    or objects of it,
(b) dictionary sources are plain strings (the tables' pandas side is read so),
(c) scalars are Python's rather than NumPy's,
(d) float results agree within a bound relative to the sum of absolute values,
(e) sums of narrow integers are int64 or uint64 where pandas goes back to the narrow type if all of them fit,
(g) what may put a float or missing value in the place of an integer gives floats; pandas keeps integers if nothing was,
(f) the mean of a float32 column within groups is float32; pandas widens it if no group has two rows,
(h) what is an array in pandas (`Series.unique`) is a series numbered from 0.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Allowance:
    """How far an answer may be from pandas'. `integers`: deviation (a) may occur. `bound`: deviation (d)."""

    integers: bool = False
    widened: bool = False
    """Deviation (e) may occur."""
    means: bool = False
    """Deviation (f) may occur."""
    noop: bool = False
    """Deviation (g) may occur."""
    loose: bool = False
    """Types may differ where pandas has objects, or nothing but missing values, or another width of numbers; lists are
    arrays."""
    bound: float = 1e-12
    bound32: float = 1e-5


def materialise(answer: Any) -> Any:
    """A result as pandas; a scalar as it is."""
    return answer.to_pandas() if hasattr(answer, "to_pandas") else answer


def assert_same(got: Any, expected: Any, allow: Allowance | None = None) -> None:
    """Fails where `got`, an answer of ours, is not what pandas returned."""
    allow = allow or Allowance()
    got = materialise(got)
    if isinstance(expected, np.ndarray | pd.api.extensions.ExtensionArray) and isinstance(got, pd.Series):
        expected = pd.Series(expected, name=got.name)
    if isinstance(expected, pd.DataFrame):
        assert isinstance(got, pd.DataFrame), f"a frame was expected, not {type(got).__name__}"
        _same_labels(got.columns, expected.columns)
        _same_index(got.index, expected.index, allow)
        for position, label in enumerate(expected.columns):
            _same_values(got.iloc[:, position], expected.iloc[:, position], allow, f"column {label!r}")
    elif isinstance(expected, pd.Series):
        assert isinstance(got, pd.Series), f"a series was expected, not {type(got).__name__}"
        assert _same_label(got.name, expected.name), f"named {got.name!r}, expected {expected.name!r}"
        _same_index(got.index, expected.index, allow)
        _same_values(got, expected, allow, f"series {expected.name!r}")
    else:
        assert not isinstance(got, pd.DataFrame | pd.Series), f"the scalar {expected!r} was expected"
        _same_scalar(got, expected, allow)


def _same_label(a: Any, b: Any) -> bool:
    return a == b or (a is None and b is None)


def _same_key(a: Any, b: Any) -> bool:
    """Labels of columns, where missing ones are all the same, alone or as a level."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same_key, a, b))
    if _missing(a) or _missing(b):
        return _missing(a) and _missing(b)
    return bool(a == b)


def _same_labels(got: pd.Index, expected: pd.Index) -> None:
    pairs = zip(got, expected, strict=False)
    alike = len(got) == len(expected) and all(_same_key(a, b) for a, b in pairs)
    assert alike, f"columns {list(got)}, expected {list(expected)}"
    assert list(got.names) == list(expected.names), f"columns named {got.names}, expected {expected.names}"
    assert got.nlevels == expected.nlevels


def _same_index(got: pd.Index, expected: pd.Index, allow: Allowance) -> None:
    assert len(got) == len(expected), f"{len(got)} rows, expected {len(expected)}"
    assert list(got.names) == list(expected.names), f"index named {got.names}, expected {expected.names}"
    assert got.nlevels == expected.nlevels
    for level in range(expected.nlevels):
        a, b = got.get_level_values(level), expected.get_level_values(level)
        _same_values(pd.Series(a), pd.Series(b), allow, f"index level {level} ({expected.names[level]!r})")


def _family(dtype: Any) -> str:
    """The dtype's name, with the nullable ones called as their NumPy twins."""
    name: str = str(dtype)
    return str.lower(name) if name in _NULLABLE else name


_NULLABLE = {f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)} | {"boolean"}


def _same_dtype(got: Any, expected: Any, allow: Allowance, what: str) -> None:
    ours, theirs = _family(got), _family(expected)
    if ours == theirs:
        assert allow.integers or str(got) == str(expected), f"{what}: {got}, expected {expected}"
        return
    if allow.widened and ours in ("int64", "uint64") and theirs.startswith(("int", "uint")):
        return
    if allow.means and (ours, theirs) == ("float32", "float64"):
        return
    if allow.noop and {ours, theirs} == {"float64", "int64"}:
        return
    ints = ours.startswith(("int", "uint")) and theirs.startswith("float")
    bools = {ours, theirs} <= {"bool", "boolean", "object"}
    # Only where values are missing are types nullable.
    allowed = allow.integers or str(got) in _NULLABLE
    assert allowed and (ints or bools), f"{what}: dtype {got}, expected {expected}"


def _same_values(got: pd.Series, expected: pd.Series, allow: Allowance, what: str) -> None:
    assert len(got) == len(expected), f"{what}: {len(got)} values, expected {len(expected)}"
    numbers = {got.dtype.kind, expected.dtype.kind} <= set("iuf") or not len(expected)
    if not (
        allow.loose and (expected.dtype == object or got.dtype == object or numbers or expected.isna().all())
    ):
        _same_dtype(got.dtype, expected.dtype, allow, what)
    single = "float32" in (str(got.dtype), str(expected.dtype))
    bound = allow.bound32 if single else allow.bound
    for n, (a, b) in enumerate(zip(got.tolist(), expected.tolist(), strict=True)):
        assert _close(a, b, bound), f"{what}, position {n}: {a!r}, expected {b!r}\n{_aside(got, expected)}"


def _aside(got: pd.Series, expected: pd.Series) -> str:
    pairs = pd.DataFrame({"got": got.tolist()[:40], "expected": expected.tolist()[:40]}, dtype=object)
    return f"{pairs}"


def _missing(value: Any) -> bool:
    return (
        value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))
    )


def _close(a: Any, b: Any, bound: float) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, list):
        return len(a) == len(b) and all(
            _close(x, y, bound) for x, y in zip(pd.Series(a).tolist(), b, strict=True)
        )
    b = b.item() if isinstance(b, np.number | np.bool_) else b
    if _missing(a) or _missing(b):
        return _missing(a) and _missing(b)
    if isinstance(b, bool) or isinstance(a, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a == b
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if isinstance(b, int | float) and isinstance(a, int | float):
        if a == b:
            return True
        return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= bound + 1e-12 * abs(b)
    return type(a) is type(b) and bool(a == b)


def _same_scalar(got: Any, expected: Any, allow: Allowance) -> None:
    assert not isinstance(got, np.generic), f"{got!r} is a NumPy scalar"
    if isinstance(expected, np.datetime64 | np.timedelta64):
        expected = pd.Timestamp(expected) if isinstance(expected, np.datetime64) else pd.Timedelta(expected)
    single = isinstance(expected, np.float32)
    expected = expected.item() if isinstance(expected, np.generic) else expected
    if _missing(expected):
        assert _missing(got), f"{got!r}, expected a missing value"
        return
    if isinstance(expected, pd.Timestamp):
        assert isinstance(got, dt.datetime) and pd.Timestamp(got) == expected, (
            f"{got!r}, expected {expected!r}"
        )
        return
    if isinstance(expected, pd.Timedelta):
        assert isinstance(got, dt.timedelta) and pd.Timedelta(got) == expected, (
            f"{got!r}, expected {expected!r}"
        )
        return
    if not (allow.integers and isinstance(expected, float)):
        assert type(got) is type(expected), f"{got!r} ({type(got).__name__}), expected {expected!r}"
    assert _close(got, expected, allow.bound32 if single else allow.bound), f"{got!r}, expected {expected!r}"
