"""What random programs are made of: tables with what is hard, conditions, filters."""

from __future__ import annotations

import datetime as dt
import math
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa

TEXTS = [
    "a",
    "b",
    "",
    "Zürich",
    "日本",
    "a text of more than twelve bytes",
    "a text of more than twelve letters",
]
DAY = dt.datetime(2024, 3, 30, 22)
ZONED = dt.datetime(2024, 3, 30, 22, tzinfo=dt.timezone.utc)
FLOATS = [0.0, -0.0, 1.5, -2.25, 3.0, math.nan, math.inf, -math.inf, None]
PLAIN = [0.0, 1.5, -2.25, 3.0, 7.75, None]

TYPES: dict[str, pa.DataType] = {
    "k": pa.string(),
    "c": pa.dictionary(pa.int32(), pa.string()),
    "g": pa.int64(),
    "h": pa.int32(),
    "f": pa.float64(),
    "x": pa.float64(),
    "u": pa.int64(),
    "b": pa.bool_(),
    "t": pa.timestamp("us"),
    "z": pa.timestamp("us", "Europe/Berlin"),
    "m": pa.decimal128(12, 2),
}
KEYS = ["k", "c", "g", "h", "b", "t", "z", "f", "u", "m"]
NUMBERS = ["g", "h", "x", "u"]


def _value(rng: random.Random, name: str, few: bool) -> Any:
    """A value of a column; `few` different ones, or more."""
    if name in ("k", "c"):
        return rng.choice([*TEXTS[: 3 if few else 7], None])
    if name in ("g", "h"):
        return rng.randrange(-1, 2 if few else 9)
    if name == "f":
        return rng.choice(FLOATS)
    if name == "x":
        return rng.choice(PLAIN)
    if name == "u":
        return (2**52 + 1 + rng.randrange(3 if few else 20)) * rng.choice([1, -1])
    if name == "b":
        return rng.random() < 0.5
    if name == "t":
        return rng.choice([None, *(DAY + dt.timedelta(hours=n) for n in range(3 if few else 9))])
    if name == "z":
        return rng.choice([None, *(ZONED + dt.timedelta(hours=n) for n in range(2 if few else 9))])
    return rng.choice([None, *(Decimal(n) / 4 for n in range(4))])


def table(rng: random.Random, most: int = 40) -> pa.Table:
    """A table of every type; some of its columns have few values, some nothing but missing ones."""
    rows = rng.choice([0, 1, 2, rng.randrange(most), rng.randrange(most), most])
    columns: dict[str, pa.Array] = {}
    for name, kind in TYPES.items():
        few, gone = rng.random() < 0.5, rng.random() < 0.04 and name not in ("g", "h", "u", "b")
        values = [None if gone else _value(rng, name, few) for _ in range(rows)]
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        array = pa.array(values, plain)
        columns[name] = array.dictionary_encode() if pa.types.is_dictionary(kind) else array
    return pa.table(columns, schema=pa.schema(list(TYPES.items())))


def condition(rng: random.Random, columns: dict[str, str], name: str = "p") -> str:
    column = rng.choice(list(columns))
    kind = columns[column]
    at = f'{name}["{column}"]'
    if rng.random() < 0.2:
        return f"{at}.{rng.choice(['isna', 'notna'])}()"
    if kind in ("g", "h"):
        return rng.choice(
            [f"({at} {rng.choice(['<', '>=', '==', '!='])} {rng.randrange(-1, 4)})", f"{at}.isin([0, 1, 5])"]
        )
    if kind in ("x", "f", "r"):
        return f"({at} {rng.choice(['<', '<=', '>', '>=', '==', '!='])} {rng.choice(['0.0', '1.5', '-0.0', '2'])})"
    if kind == "u":
        return f"({at} {rng.choice(['<', '>', '=='])} {2**52 + rng.randrange(4)})"
    if kind in ("k", "c"):
        return rng.choice(
            [
                f'({at} {rng.choice(["==", "!=", "<", ">="])} "a")',
                f'{at}.isin(["a", "", "日本"])',
                f"{at}.str.len().gt(1)",
            ]
        )
    if kind == "b":
        return rng.choice([f"({at} == True)", f"({at} != True)"])
    if kind == "t":
        return f'({at} {rng.choice(["<", ">=", "=="])} pd.Timestamp("2024-03-31 01:00:00"))'
    return f"{at}.notna()"


def filtered(rng: random.Random, columns: dict[str, str], name: str = "p") -> str:
    mask = condition(rng, columns, name)
    if rng.random() < 0.4:
        mask = f"({mask}) {rng.choice('&|')} {rng.choice(['', '~'])}({condition(rng, columns, name)})"
    return f"{name} = {name}[{mask}]"
