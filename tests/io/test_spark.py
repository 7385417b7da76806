"""Spark itself beside us: it reads what we write, we read what it writes, and modes of writing mean the same."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rlm_hypervisor import OutputFailedError, RLMClient

from tests.conftest import make_task
from tests.io._spark import missing, session
from tests.io.test_output import task

ROWS = 200
END = dt.datetime(9999, 12, 31, 23, 59, 59, 999_999)


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    why = missing()
    if why is not None:
        pytest.skip(why)
    with session() as spark:
        yield spark


def flat() -> pa.Table:
    """Types that text has too."""
    at = range(ROWS)
    day = dt.date(2024, 2, 28)
    texts = ["a", "x,y", 'say "no"', "two\nlines", "Zürich 東京", " padded ", "back\\slash", "it's"]
    return pa.table(
        {
            "id": pa.array(at, pa.int64()),
            "k": pa.array([n % 7 for n in at], pa.int32()),
            "s": pa.array([None if n % 9 == 4 else texts[n % 8] for n in at]),
            "x": pa.array([None if n % 5 == 3 else n / 3 for n in at], pa.float64()),
            "b": pa.array([None if n % 6 == 5 else n % 2 == 0 for n in at]),
            "d": pa.array([None if n % 4 == 1 else day + dt.timedelta(n) for n in at]),
            "t": pa.array([dt.datetime(2024, 1, 1) + dt.timedelta(seconds=n, microseconds=n) for n in at]),
        }
    )


def nested() -> pa.Table:
    """What Parquet has beside."""
    at = range(ROWS)
    inner = pa.struct({"p": pa.int64(), "q": pa.list_(pa.string())})
    more = {
        "i8": pa.array([n % 100 for n in at], pa.int8()),
        "i16": pa.array([None if n == 3 else n for n in at], pa.int16()),
        "f": pa.array([n / 4 for n in at], pa.float32()),
        "dec": pa.array([decimal.Decimal(n) / 100 for n in at], pa.decimal128(20, 2)),
        "small": pa.array([decimal.Decimal(n) / 100 for n in at], pa.decimal128(7, 2)),
        "bin": pa.array([None if n % 3 == 0 else str(n).encode() for n in at]),
        "z": pa.array([n * 1_000_003 for n in at], pa.int64()).cast(pa.timestamp("us", "UTC")),
        "l": pa.array([None if n % 7 == 0 else [n, None] for n in at], pa.list_(pa.int64())),
        "o": pa.array([None if n % 8 == 0 else {"p": n, "q": ["a", None]} for n in at], inner),
        "m": pa.array([[("k", n)] for n in at], pa.map_(pa.string(), pa.int64())),
        "c": pa.array([f"v{n % 3}" for n in at]).dictionary_encode(),
    }
    table = flat()
    for name, column in more.items():
        table = table.append_column(name, column)
    return table


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows by `id`, as Python has them; an instant without its zone, which Spark has for all."""
    found = sorted(table.to_pylist(), key=lambda row: row["id"])
    return [{name: plain(value) for name, value in row.items()} for row in found]


def plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, float):
        return round(value, 12)
    return bytes(value) if isinstance(value, bytearray) else value


def written(client: RLMClient, table: pa.Table, target: Path, **output: Any) -> str:
    client.execute(task(table, {"url": f"{target}/", **output}))
    return str(target)


def read(client: RLMClient, source: Path | str, **more: Any) -> pa.Table:
    return client.execute(make_task(str(source), lambda p: p, **more)).to_arrow()


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "lz4", "none"])
def test_spark_reads_our_parquet(client: RLMClient, spark: Any, tmp_path: Path, compression: str) -> None:
    target = written(client, nested(), tmp_path / "out", compression=compression, successMarker=True)
    found = spark.read.parquet(target)
    kinds = dict(found.dtypes)
    assert kinds["z"] == "timestamp" and kinds["t"] == "timestamp_ntz" and kinds["dec"] == "decimal(20,2)"
    assert rows(found.toArrow()) == rows(nested())
    assert found.filter("k = 3 and s = 'a'").count() == sum(
        row["k"] == 3 and row["s"] == "a" for row in nested().to_pylist()
    )


@pytest.mark.parametrize("compression", ["none", "gzip", "bzip2"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_spark_reads_our_text(
    client: RLMClient, spark: Any, tmp_path: Path, form: str, compression: str
) -> None:
    target = written(client, flat(), tmp_path / "out", format=form, compression=compression)
    reader = spark.read.schema("id long, k int, s string, x double, b boolean, d date, t timestamp_ntz")
    if form == "csv":
        # Quotes within quotes are doubled, as in pandas; Spark has to be told.
        reader = reader.options(header=True, multiLine=True, quote='"', escape='"')
        reader = reader.option("timestampNTZFormat", "yyyy-MM-dd HH:mm:ss[.SSSSSS]")
    found = (reader.csv if form == "csv" else reader.json)(target)
    assert rows(found.toArrow()) == rows(flat())


def test_spark_reads_our_directories_by_value(client: RLMClient, spark: Any, tmp_path: Path) -> None:
    table = flat().select(["id", "x", "k", "d", "s"])
    target = written(client, table, tmp_path / "out", partitionBy=["k", "s"])
    found = spark.read.parquet(target)
    assert found.filter("k = 3").count() == sum(row["k"] == 3 for row in table.to_pylist())
    assert rows(found.select("id", "x", "k", "d", "s").toArrow()) == rows(table)


@pytest.fixture(scope="module")
def frame(spark: Any) -> Any:
    """Spark's own types, with times up to its last one."""
    return spark.range(ROWS).selectExpr(
        "id",
        "cast(id % 7 as int) k",
        "if(id % 9 = 4, null, concat('text ', id, ' \"q\", \\\\')) s",
        "if(id % 5 = 3, null, id / 3) x",
        "cast(id as decimal(20, 2)) dec",
        "if(id % 4 = 1, null, date_add(date'2024-01-01', cast(id as int))) d",
        "case when id % 8 = 3 then timestamp'9999-12-31 23:59:59.999999'"
        " when id % 8 = 4 then timestamp'0001-01-01 00:00:00' when id % 8 = 5 then null"
        " else timestamp_micros(id * 1000003) end t",
        "timestamp_ntz'2024-01-01 00:00:00' n",
        "id % 2 = 0 b",
    )


@pytest.mark.parametrize("times", ["INT96", "TIMESTAMP_MICROS", "TIMESTAMP_MILLIS"])
@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "lz4", "lz4_raw", "uncompressed"])
def test_we_read_its_parquet(
    client: RLMClient, spark: Any, frame: Any, tmp_path: Path, compression: str, times: str
) -> None:
    spark.conf.set("spark.sql.parquet.outputTimestampType", times)
    nested = frame.selectExpr(
        "*", "array(t, null) l", "struct(t, s) o", "map('k', x) m", "encode(s, 'utf-8') bin"
    )
    nested.write.option("compression", compression).parquet(str(tmp_path / "out"))
    expected = rows(spark.read.parquet(str(tmp_path / "out")).toArrow())
    for chunk in (17, "auto"):
        found = read(client, tmp_path / "out", chunkSize=chunk)
        for row in (found := rows(found)):
            row["l"] = [plain(value) for value in row["l"]]
            row["o"] = {name: plain(value) for name, value in row["o"].items()}
        for row in expected:
            row["l"] = [plain(value) for value in row["l"]]
            row["o"] = {name: plain(value) for name, value in row["o"].items()}
        assert found == expected
    late = client.execute(make_task(str(tmp_path / "out"), lambda p: p[p["t"] > "9000-01-01"]["id"].count()))
    assert late == nested.filter("t > '9000-01-01'").count() == ROWS // 8


@pytest.mark.parametrize("codec", ["none", "gzip", "bzip2", "lz4", "snappy", "deflate"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_we_read_its_text(client: RLMClient, frame: Any, tmp_path: Path, form: str, codec: str) -> None:
    simple = frame.select("id", "k", "s", "x", "b")
    writer = simple.write.option("compression", codec)
    (writer.option("header", True).csv if form == "csv" else writer.json)(str(tmp_path / "out"))
    # Spark's own character before a quote within quotes.
    options = {"readOptions": {"escape": "\\"}} if form == "csv" else {}
    found = rows(read(client, tmp_path / "out", **options))
    assert found == rows(simple.toArrow())


def test_we_read_its_directories_by_value(client: RLMClient, spark: Any, tmp_path: Path) -> None:
    frame = spark.range(40).selectExpr(
        "id",
        "case id % 4 when 0 then null when 1 then '' else concat('a/b=c %', id % 4, ' ü') end p",
        "id % 3 q",
    )
    frame.write.partitionBy("p", "q").parquet(str(tmp_path / "out"))
    expected = rows(spark.read.parquet(str(tmp_path / "out")).toArrow())
    assert rows(read(client, tmp_path / "out")) == expected


MODES = ["error", "ignore", "append", "overwrite"]


@pytest.mark.parametrize("by", [[], ["k"]])
@pytest.mark.parametrize("first", ["ours", "spark"])
@pytest.mark.parametrize("mode", MODES)
def test_modes_mean_the_same(
    client: RLMClient, spark: Any, tmp_path: Path, mode: str, first: str, by: list[str]
) -> None:
    old, new = flat().slice(0, 30).select(["id", "k", "x"]), flat().slice(25, 30).select(["id", "k", "x"])
    outcomes = []
    for second in ("ours", "spark"):
        place = tmp_path / second
        for who, table, how in ((first, old, "error"), (second, new, mode)):
            refused = table is new and how == "error"
            kind = OutputFailedError if who == "ours" else Exception
            with pytest.raises(kind, match="exists") if refused else nullcontext():
                if who == "ours":
                    partition = {"partitionBy": by} if by else {}
                    written(client, table, place, mode=how, successMarker=True, **partition)
                else:
                    values = [tuple(row.values()) for row in table.to_pylist()]
                    frame = spark.createDataFrame(values, "id long, k int, x double")
                    frame.write.mode(how).partitionBy(*by).parquet(str(place))
        ours = read(client, place).select(["id", "k", "x"])
        theirs = spark.read.parquet(str(place)).select("id", "k", "x").toArrow()
        assert sorted(map(repr, ours.to_pylist())) == sorted(map(repr, theirs.to_pylist()))
        assert (place / "_SUCCESS").exists()
        outcomes.append(sorted(map(repr, ours.to_pylist())))
    assert outcomes[0] == outcomes[1]
