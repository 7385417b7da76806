"""The tables of the oracle tests: a fixed catalogue of hard ones, random ones, and how they are written.

Every table has the same columns, so that every case runs on every table:

k str key · g int64 key · x, y float64 · i int64 · f float32 · b bool · t timestamp[us] · s str, short and long
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

SCHEMA = pa.schema(
    [
        ("k", pa.string()),
        ("g", pa.int64()),
        ("x", pa.float64()),
        ("y", pa.float64()),
        ("i", pa.int64()),
        ("f", pa.float32()),
        ("b", pa.bool_()),
        ("t", pa.timestamp("us")),
        ("s", pa.string()),
    ]
)
KEYS = ["b", "a", "Zürich", "", "ключ", "a category whose name is longer than twelve bytes", "日本"]
WORDS = [
    "short",
    "",
    "twelve bytes",
    "thirteen byte",
    "a text that fits no inline view at all",
    "é",
    "𝔘nicode",
]
EPOCH = dt.datetime(2024, 2, 28, 23, 0, 0)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """A table of the common schema."""
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(n: int) -> dict[str, Any]:
    """Row `n` of the plain table: deterministic, rich in duplicates, every float a multiple of 0.25."""
    return {
        "k": KEYS[(n * 5 + n // 7) % 5],
        "g": (n * n + 3) % 4 - 1,
        "x": ((n * 37) % 101 - 40) / 4,
        "y": ((n * 53) % 17) / 4,
        "i": (n * 29) % 23 - 11,
        "f": ((n * 13) % 31 - 9) / 2,
        "b": n % 3 != 1,
        "t": EPOCH + dt.timedelta(hours=(n * 17) % 40, microseconds=n),
        "s": WORDS[(n * 3) % len(WORDS)],
    }


def _with(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**row, **changes}


def _nulls(row: dict[str, Any], n: int) -> dict[str, Any]:
    """The row with holes: every column but the bool one has some, in different places."""
    holes = {"k": 5, "g": 7, "x": 3, "y": 4, "i": 6, "f": 8, "t": 9, "s": 4}
    return {name: None if name in holes and n % holes[name] == 2 else value for name, value in row.items()}


def _nan_row(n: int) -> dict[str, Any]:
    odd = [math.nan, math.inf, -math.inf, -0.0, 0.0, 1.5, -2.25, 5e-324, 1e9][n % 9]
    return _with(
        _row(n), x=odd, y=[0.0, math.nan, 2.0, -0.0][n % 4], f=[math.inf, 1.0, math.nan, -0.0, 2.0][n % 5]
    )


def _huge(n: int) -> int:
    """Beyond 2^53 and odd, of both signs, and the limits of int64; every partial sum fits."""
    if n in (10, 11):
        return (2**63 - 1, -(2**63))[n - 10]
    return (2**55 + 2 * n + 1) * (1 if n % 2 else -1)


@functools.cache
def catalogue() -> dict[str, pa.Table]:
    """The fixed tables, by name."""
    plain = [_row(n) for n in range(60)]
    return {
        "plain": table(plain),
        "nulls": table([_nulls(row, n) for n, row in enumerate(plain)]),
        "float_nulls": table([_with(row, x=None if n % 3 == 0 else row["x"]) for n, row in enumerate(plain)]),
        "nan": table([_nan_row(n) for n in range(45)]),
        "empty": table([]),
        "one_row": table(plain[4:5]),
        "all_null": table([dict.fromkeys(row, None) | {"b": row["b"], "g": row["g"]} for row in plain[:20]]),
        "null_keys": table([_with(row, k=None) for row in plain[:20]]),
        "one_group": table([_with(row, k="日本", g=7) for row in plain[:25]]),
        "unique": table(
            [_with(row, k=f"key number {n * 37 % 60:04}", g=n * 7919 % 60) for n, row in enumerate(plain)]
        ),
        "unicode": table([_with(row, k=KEYS[n * 4 % 7], s=KEYS[n * 3 % 7]) for n, row in enumerate(plain)]),
        "huge": table([_with(row, i=_huge(n)) for n, row in enumerate(plain[:40])]),
    }


def has_null_integers(data: pa.Table) -> bool:
    """Whether pandas would turn an integer column of this table into floats."""
    return any(pa.types.is_integer(c.type) and c.null_count for c in data.columns)


def magnitude(data: pa.Table, names: set[str]) -> float:
    """The largest sum of absolute values of the named numeric columns: what the bound on float sums is relative to."""
    largest = 1.0
    numeric = [n for n in data.column_names if data[n].type in (pa.int64(), pa.float64(), pa.float32())]
    for name in [n for n in numeric if n in names] or numeric:
        finite = [abs(v) for v in data[name].to_pylist() if v is not None and math.isfinite(v)]
        largest = max(largest, float(sum(finite)))
    return largest


def to_pandas(data: pa.Table) -> pd.DataFrame:
    """The whole data as one pandas object: what `pd.read_parquet` gives, dictionaries read as plain values."""
    columns = []
    for column in data.columns:
        kind = column.type
        columns.append(column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column)
    return pa.table(columns, names=data.column_names).to_pandas()


def cuts(rows: int, parts: int = 5) -> list[int]:
    """Uneven places to cut at, one part empty where there are at least three."""
    places = sorted(rows * (n * n) // (parts * parts) for n in range(1, parts))
    if len(places) >= 3:
        places[1] = places[2]
    return [0, *places, rows]


def write_files(data: pa.Table, folder: Path, parts: int = 5, group: int = 7) -> Path:
    """Writes a directory of uneven files: one of them empty, small row groups, dictionaries on and off."""
    folder.mkdir(parents=True, exist_ok=True)
    places = cuts(len(data), parts)
    for n, (start, stop) in enumerate(itertools.pairwise(places)):
        pq.write_table(
            data.slice(start, stop - start),
            folder / f"part-{n}.parquet",
            row_group_size=group + n,
            use_dictionary=n % 2 == 0,
            compression=("snappy", "zstd", "none")[n % 3],
            data_page_version=("1.0", "2.0")[n % 2],
        )
    return folder


_number = st.integers(-40, 40).map(lambda n: n / 4)


def _maybe(values: st.SearchStrategy[Any], rare: Sequence[Any] = (None,)) -> st.SearchStrategy[Any]:
    return st.one_of(values, values, values, st.sampled_from(rare))


def random_tables(max_rows: int = 40) -> st.SearchStrategy[pa.Table]:
    """Small random tables. Floats are multiples of 0.25, so that their sums are exact in any order."""
    row = st.fixed_dictionaries(
        {
            "k": _maybe(st.sampled_from(KEYS)),
            "g": st.integers(-2, 2),
            "x": _maybe(_number, (None, math.nan, math.inf, -math.inf, -0.0)),
            "y": _maybe(_number),
            "i": st.integers(-5, 5),
            "f": st.integers(-8, 8).map(float),
            "b": st.booleans(),
            "t": _maybe(st.integers(0, 99).map(lambda n: EPOCH + dt.timedelta(hours=n))),
            "s": _maybe(st.one_of(st.sampled_from(WORDS), st.text("ab\u0301ß𝔘", max_size=4))),
        }
    )
    return st.one_of(st.lists(row, max_size=4), st.lists(row, min_size=8, max_size=max_rows)).map(table)
