"""Every Arrow type through every format that is written: the values come back for us and for others, or the column is
refused by its name before a file is begun."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import OutputFailedError, RLMClient

from tests.conftest import make_task
from tests.io.test_output import everything, task

ROWS = 300
DAY = dt.date(1970, 1, 1)


def _texts(chance: random.Random) -> str:
    return chance.choice(
        ["", "a", "Zürich", "x,y", '"q"', "two\nlines", "a text that is no short view at all", "東京 🎉"]
    )


def _decimal(digits: int, scale: int) -> Callable[[random.Random], decimal.Decimal]:
    context = decimal.Context(prec=100)
    return lambda chance: context.scaleb(
        decimal.Decimal(chance.randrange(-(10**digits) + 1, 10**digits)), -scale
    )


def _whole(bits: int, signed: bool = True) -> Callable[[random.Random], int]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return lambda chance: chance.choice([low, high, 0, 1, chance.randint(low, high)])


def _ticks(chance: random.Random) -> int:
    return chance.choice([0, 1, -1, chance.randrange(-(10**9), 10**9)])


def _double(chance: random.Random) -> float:
    return chance.choice([0.0, -0.5, 1e300, 5e-324, 0.1, chance.uniform(-1e6, 1e6)])


def _single(chance: random.Random) -> float:
    return chance.choice([0.0, -0.5, 1.5, 1e30, float(chance.randrange(1 << 20)) / 8])


def _bytes(chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice([0, 1, 12, 13, 40]))


KINDS: dict[str, tuple[pa.DataType, Callable[[random.Random], Any]]] = {
    "bool": (pa.bool_(), lambda chance: chance.random() < 0.5),
    **{f"int{bits}": (getattr(pa, f"int{bits}")(), _whole(bits)) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (getattr(pa, f"uint{bits}")(), _whole(bits, False)) for bits in (8, 16, 32, 64)},
    "float32": (pa.float32(), _single),
    "float64": (pa.float64(), _double),
    "decimal128": (pa.decimal128(30, 4), _decimal(30, 4)),
    "decimal128 of 38": (pa.decimal128(38, 0), _decimal(38, 0)),
    "decimal256": (pa.decimal256(60, 10), _decimal(60, 10)),
    "string": (pa.string(), _texts),
    "large_string": (pa.large_string(), _texts),
    "string_view": (pa.string_view(), _texts),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), _texts),
    "binary": (pa.binary(), _bytes),
    "large_binary": (pa.large_binary(), _bytes),
    "binary_view": (pa.binary_view(), _bytes),
    "fixed_binary": (pa.binary(5), lambda chance: chance.randbytes(5)),
    "date32": (pa.date32(), lambda chance: DAY + dt.timedelta(chance.randrange(-20_000, 20_000))),
    **{
        f"timestamp[{unit}{zone and ' ' + zone}]": (pa.timestamp(unit, zone or None), _ticks)
        for unit in ("s", "ms", "us", "ns")
        for zone in ("", "UTC", "Europe/Zurich")
    },
    "time32": (pa.time32("ms"), lambda chance: chance.randrange(86_400_000)),
    "time64": (pa.time64("us"), lambda chance: chance.randrange(86_400_000_000)),
    **{f"duration[{unit}]": (pa.duration(unit), _ticks) for unit in ("s", "ms", "us", "ns")},
    "list": (pa.list_(pa.int64()), lambda chance: [None, 1, 2, 3][: chance.randrange(5)]),
    "list of texts": (
        pa.list_(pa.string()),
        lambda chance: [_texts(chance) for _ in range(chance.randrange(4))],
    ),
    "struct": (
        pa.struct({"a": pa.int64(), "b": pa.string()}),
        lambda chance: {"a": chance.choice([None, 7]), "b": _texts(chance)},
    ),
    "list of structs": (
        pa.list_(pa.struct({"a": pa.int64(), "b": pa.list_(pa.float64())})),
        lambda chance: [{"a": n, "b": [n / 2] * n} for n in range(chance.randrange(4))],
    ),
    "map": (
        pa.map_(pa.string(), pa.int64()),
        lambda chance: [(f"k{n}", chance.choice([None, n])) for n in range(chance.randrange(3))],
    ),
    "null": (pa.null(), lambda chance: None),
}


def column(kind: str, seed: int, missing: float) -> pa.Array:
    """Random values, and edges among them."""
    type_, value = KINDS[kind]
    chance = random.Random(f"{kind} {seed}")
    values = [None if chance.random() < missing else value(chance) for _ in range(ROWS)]
    if pa.types.is_dictionary(type_):
        return pa.array(values, type_.value_type).dictionary_encode()
    if pa.types.is_timestamp(type_) or pa.types.is_duration(type_):
        return pa.array(values, pa.int64()).cast(type_)
    return pa.array(values, type_)


def plain(values: pa.ChunkedArray | pa.Array) -> list[Any]:
    """Values as Python has them, whatever their Arrow type is called; times as ticks of a billionth."""
    type_ = values.type
    if pa.types.is_dictionary(type_):
        values, type_ = values.cast(type_.value_type), type_.value_type
    if pa.types.is_timestamp(type_) or pa.types.is_duration(type_):
        scale = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[type_.unit]
        return [None if tick is None else tick * scale for tick in values.cast(pa.int64()).to_pylist()]
    return list(values.to_pylist())


def same(found: pa.ChunkedArray, expected: pa.Array) -> None:
    got, want = plain(found), plain(expected)
    assert len(got) == len(want)
    for place, (one, other) in enumerate(zip(got, want, strict=True)):
        both = isinstance(one, float) and isinstance(other, float)
        assert one == other or (both and math.isclose(one, other, rel_tol=1e-12)), (place, one, other)


WRITTEN = {
    "parquet": [None, "zstd", "snappy", "gzip", "lz4", "brotli", "none"],
    "arrow": [None, "zstd", "lz4", "none"],
    "avro": [None],
}


def refusal(client: RLMClient, data: pa.Table, target: Path) -> OutputFailedError | None:
    """The error of writing, if there is one."""
    try:
        client.execute(task(data, str(target)))
    except OutputFailedError as error:
        return error
    return None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", WRITTEN)
def test_types(client: RLMClient, tmp_path: Path, ending: str, kind: str) -> None:
    data = pa.table({"n": list(range(ROWS)), "v": column(kind, 1, 0.2)})
    target = tmp_path / f"out.{ending}"
    refused = refusal(client, data, target)
    if refused is not None:
        assert "`v`" in str(refused) and not any(tmp_path.iterdir()), refused
        assert ending == "avro", refused
        return
    back = client.execute(make_task(str(target), everything)).to_arrow()
    same(back["v"], data["v"].combine_chunks())
    assert back["n"].to_pylist() == list(range(ROWS))
    if ending == "parquet":
        same(pq.ParquetFile(target).read()["v"], data["v"].combine_chunks())
    if ending == "arrow":
        same(pa.ipc.open_file(target).read_all()["v"], data["v"].combine_chunks())


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_compressions_and_chunks(client: RLMClient, tmp_path: Path, ending: str) -> None:
    kinds = list(KINDS)
    data = pa.table({kind: column(kind, 2, 0.1) for kind in kinds})
    for number, compression in enumerate(WRITTEN[ending]):
        target = tmp_path / f"{number}.{ending}"
        output = {"url": str(target)} | ({"compression": compression} if compression else {})
        client.execute(task(data, output))
        for chunk in (7, "auto"):
            back = client.execute(make_task(str(target), everything, chunkSize=chunk)).to_arrow()
            for kind in kinds:
                same(back[kind], data[kind].combine_chunks())


OTHERS = [
    "bool",
    "int8",
    "int64",
    "uint32",
    "float64",
    "decimal128",
    "string",
    "dictionary",
    "date32",
    "binary",
]


@pytest.mark.parametrize("kind", [*OTHERS, "list", "struct", "timestamp[us]", "timestamp[us UTC]"])
def test_others_read_what_is_written(client: RLMClient, tmp_path: Path, kind: str) -> None:
    data = pa.table({"v": column(kind, 3, 0.2)})
    target = str(tmp_path / "out.parquet")
    client.execute(task(data, target))
    want = data["v"].combine_chunks()
    same(pl.read_parquet(target).to_arrow()["v"], want)
    same(pa.table(duckdb.sql(f"select v from '{target}'").to_arrow_table())["v"], want)
    frame = pd.read_parquet(target, dtype_backend="pyarrow")
    same(pa.Table.from_pandas(frame)["v"], want)


@pytest.mark.parametrize("kind", [*OTHERS, "list", "struct", "timestamp[us]", "timestamp[us UTC]"])
def test_what_others_write_is_read(client: RLMClient, tmp_path: Path, kind: str) -> None:
    data = pa.table({"v": column(kind, 4, 0.2)})
    want = data["v"].combine_chunks()
    frame = pl.from_arrow(data)
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(tmp_path / "polars.parquet")
    duckdb.sql(f"copy (select * from data) to '{tmp_path / 'duckdb.parquet'}' (format parquet)")
    data.to_pandas(types_mapper=pd.ArrowDtype).to_parquet(tmp_path / "pandas.parquet")
    for version in ("1.0", "2.4", "2.6"):
        pq.write_table(data, tmp_path / f"arrow-{version}.parquet", version=version, data_page_version="2.0")
    for path in sorted(tmp_path.iterdir()):
        same(client.execute(make_task(str(path), everything)).to_arrow()["v"], want)
