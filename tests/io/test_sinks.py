"""What is written in every format is read back by others: pandas, Polars, DuckDB, fastavro, the standard library, us."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, OutputFailedError, RLMClient

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=6) | st.sampled_from(
    ["", " ", ",", '"', 'a"b', "two\nlines", "two\r\nlines", "NA", "007", "tab\t", "é"]
)
PLAIN: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.bool_(): st.booleans(),
    pa.int8(): st.integers(-128, 127),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint32(): st.integers(0, 2**32 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
    pa.large_string(): TEXT,
    pa.date32(): st.dates(),
    pa.decimal128(20, 3): st.decimals(-(10**9), 10**9, places=3),
}
MORE: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.large_binary(): st.binary(max_size=8),
    pa.timestamp("us", "UTC"): st.integers(-(2**50), 2**50),
    pa.timestamp("ns"): st.integers(-(2**60), 2**60),
    pa.duration("us"): st.integers(-(2**50), 2**50),
    pa.time64("us"): st.integers(0, 86_399_999_999),
    pa.list_(pa.int64()): st.lists(st.none() | st.integers(-5, 5), max_size=3),
    pa.struct({"a": pa.int64(), "b": pa.large_string()}): st.fixed_dictionaries(
        {"a": st.none() | st.integers(-5, 5), "b": st.none() | TEXT}
    ),
}
ENDINGS = {"none": "", "gzip": ".gz", "zstd": ".zst", "bzip2": ".bz2", "lz4": ".lz4", "snappy": ".sz"}
QUICK = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def everything(p: Any) -> Any:
    return p


def task(source: object, output: object) -> dict[str, Any]:
    return {"type": "parallel", "input": {"source": source, "operation": everything}, "output": output}


@st.composite
def tables(draw: st.DrawFn, *kinds: pa.DataType, least: int = 0) -> pa.Table:
    known = PLAIN | MORE
    rows = draw(st.integers(least, 12))
    columns = {}
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))):
        values = st.lists(st.none() | known[kind], min_size=rows, max_size=rows)
        columns[f"c{number}"] = pa.array(draw(values), kind)
    return pa.table(columns)


def fresh(directory: Path) -> Path:
    """An empty directory."""
    shutil.rmtree(directory / "fresh", ignore_errors=True)
    (directory / "fresh").mkdir()
    return directory / "fresh"


def written(client: RLMClient, table: pa.Table, output: dict[str, Any], by_result: bool) -> list[str]:
    """Writes by a task, or from a result, and says where."""
    if not by_result:
        found = client.execute(task(table, output))
    else:
        answer = client.execute({"type": "parallel", "input": {"source": table, "operation": everything}})
        form = output.get("format", "parquet")
        found = getattr(answer.write, form)(output["url"], compression=output.get("compression"))
    assert found.rows == table.num_rows
    return [file.path for file in found.files]


@QUICK
@given(st.data())
def test_csv_is_what_pandas_would_read(client: RLMClient, tmp_path: Path, data: st.DataObject) -> None:
    kinds = [kind for kind in PLAIN if kind != pa.float32()]
    table = data.draw(tables(*kinds, least=1))
    compression = data.draw(st.sampled_from(list(ENDINGS)))
    path = fresh(tmp_path) / f"out.csv{ENDINGS[compression]}"
    output = {"url": str(path), "format": "csv"}
    files = written(client, table, output, data.draw(st.booleans()))
    assert files == [str(path)]
    # pandas' own text of the same values. It loses a line of nothing but blanks, unless that stands in quotes.
    quoting = csv.QUOTE_ALL if table.num_columns == 1 else csv.QUOTE_MINIMAL
    expected = pd.read_csv(
        io.StringIO(table.to_pandas(types_mapper=pd.ArrowDtype).to_csv(index=False, quoting=quoting)),
    )
    if compression in ("none", "gzip", "zstd", "bzip2"):
        found = pd.read_csv(path)
        pd.testing.assert_frame_equal(found, expected)
    ours = client.execute({"type": "parallel", "input": {"source": str(path), "operation": everything}})
    assert ours.to_arrow().num_rows == len(expected)
    texts = [name for name in table.column_names if table[name].type == pa.large_string()]
    if compression == "none":
        rows = duckdb.sql(
            f"select * from read_csv('{path}', header=true, all_varchar=true, quote='\"', escape='\"', "
            "delim=',', null_padding=false, strict_mode=true)"
        ).fetchall()
        if table.num_columns > 1:
            # Texts that are empty and texts that are missing are told apart by those who look at quotes.
            polars = pl.read_csv(path, infer_schema=False)
            for name in texts:
                assert polars[name].to_list() == table[name].to_pylist()
        assert len(rows) == table.num_rows or table.num_columns == 1


def test_a_carriage_return_is_part_of_its_text(client: RLMClient, tmp_path: Path) -> None:
    table = pa.table({"t": ["\r", "a\rb", "c"], "n": [1, 2, 3]})
    client.execute(task(table, str(tmp_path / "out.csv")))
    assert pd.read_csv(tmp_path / "out.csv")["t"].tolist() == ["\r", "a\rb", "c"]


@QUICK
@given(values=st.lists(st.floats(allow_nan=True) | st.none(), min_size=1, max_size=20))
def test_floats_in_csv_are_the_same_floats(
    client: RLMClient, tmp_path: Path, values: list[float | None]
) -> None:
    table = pa.table({"v": pa.array(values, pa.float64()), "n": list(range(len(values)))})
    path = fresh(tmp_path) / "out.csv"
    client.execute(task(table, str(path)))
    found = pd.read_csv(path)["v"]
    expected = pd.Series([float("nan") if value is None else value for value in values], name="v")
    pd.testing.assert_series_equal(found, expected, check_exact=True, check_dtype=False)
    ours = client.execute({"type": "parallel", "input": {"source": str(path), "operation": everything}})
    pd.testing.assert_series_equal(ours.to_pandas()["v"], expected, check_exact=True, check_dtype=False)


@QUICK
@given(
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
    zone=st.sampled_from([None, "UTC", "Europe/Berlin", "-03:30"]),
    seconds=st.lists(st.integers(-2_000_000_000, 4_000_000_000), min_size=1, max_size=5),
    part=st.floats(0, 0.99),
)
def test_times_in_csv(
    client: RLMClient, tmp_path: Path, unit: str, zone: str | None, seconds: list[int], part: float
) -> None:
    per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    counts = [second * per + int(part * per) for second in seconds]
    table = pa.table(
        {
            "at": pa.array(counts, pa.timestamp(unit, zone)),
            "took": pa.array(counts, pa.duration(unit)),
            "plain": pa.array(counts, pa.timestamp(unit)),
        }
    )
    path = fresh(tmp_path) / "out.csv"
    client.execute(task(table, str(path)))
    found = pd.read_csv(path)
    frame = table.to_pandas()
    at = pd.to_datetime(found["at"], format="ISO8601", utc=zone is not None)
    assert at.tolist() == (frame["at"].dt.tz_convert("UTC") if zone else frame["at"]).tolist()
    assert pd.to_datetime(found["plain"], format="ISO8601").tolist() == frame["plain"].tolist()
    assert pd.to_timedelta(found["took"]).tolist() == frame["took"].tolist()
    polars = pl.read_csv(path, try_parse_dates=True)
    assert polars["plain"].cast(pl.Datetime("us")).to_list() == [
        value.floor("us").to_pydatetime() for value in frame["plain"]
    ]


@QUICK
@given(st.data())
def test_lines_of_json(client: RLMClient, tmp_path: Path, data: st.DataObject) -> None:
    kinds = [
        kind
        for kind in [*PLAIN, *MORE]
        if pa.types.is_integer(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_nested(kind)
        or kind == pa.date32()
    ]
    table = data.draw(tables(*kinds))
    compression = data.draw(st.sampled_from(list(ENDINGS)))
    path = fresh(tmp_path) / f"out.jsonl{ENDINGS[compression]}"
    written(client, table, {"url": str(path), "format": "json"}, data.draw(st.booleans()))
    if compression == "none":
        found = [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
        expected = json.loads(json.dumps(table.to_pylist(), default=str))
        assert found == expected
        if table.num_rows:
            assert pd.read_json(path, lines=True, dtype=False).shape == table.shape
            assert duckdb.sql(f"select * from read_json('{path}')").fetchall()
    else:
        ours = client.execute({"type": "parallel", "input": {"source": str(path), "operation": everything}})
        assert ours.to_arrow().num_rows == table.num_rows


@QUICK
@given(st.data())
def test_arrow_keeps_every_type(client: RLMClient, tmp_path: Path, data: st.DataObject) -> None:
    table = data.draw(tables(*PLAIN, *MORE))
    path = fresh(tmp_path) / data.draw(st.sampled_from(["out.arrow", "out.arrows", "out.feather"]))
    compression = data.draw(st.sampled_from(["none", "lz4", "zstd", None]))
    output = {"url": str(path), "format": "arrow", "compression": compression}
    written(client, table, output, data.draw(st.booleans()))
    opened = ipc.open_stream(path) if path.suffix == ".arrows" else ipc.open_file(path)
    assert opened.read_all().cast(table.schema).equals(table)
    if path.suffix != ".arrows":
        assert pl.read_ipc(path).height == table.num_rows
    ours = client.execute({"type": "parallel", "input": {"source": str(path), "operation": everything}})
    assert ours.to_arrow().num_rows == table.num_rows


@QUICK
@given(st.data())
def test_avro_is_read_by_fastavro(client: RLMClient, tmp_path: Path, data: st.DataObject) -> None:
    kinds = [
        kind for kind in [*PLAIN, *MORE] if kind not in (pa.uint64(), pa.timestamp("ns"), pa.duration("us"))
    ]
    table = data.draw(tables(*kinds))
    path = fresh(tmp_path) / "out.avro"
    compression = data.draw(st.sampled_from(["deflate", "bzip2", "xz", "none", "snappy", "zstd", None]))
    output = {"url": str(path), "format": "avro", "compression": compression}
    written(client, table, output, data.draw(st.booleans()))
    if compression not in ("snappy", "zstd"):
        with path.open("rb") as file:
            assert list(fastavro.reader(file)) == table.to_pylist()
    ours = client.execute({"type": "parallel", "input": {"source": str(path), "operation": everything}})
    assert ours.to_arrow().num_rows == table.num_rows


@pytest.mark.parametrize("form", ["parquet", "csv", "json", "arrow", "avro"])
def test_a_directory_of_each_format(client: RLMClient, tmp_path: Path, form: str) -> None:
    table = pa.table({"n": list(range(1_000)), "s": [f"row {n}" for n in range(1_000)]})
    out = tmp_path / "out"
    output = {"url": str(out), "format": form, "maxRowsPerFile": 300, "successMarker": True}
    found = client.execute(task(table, output))
    assert sum(file.rows for file in found.files) == 1_000
    assert all(file.rows <= 300 for file in found.files)
    assert (out / "_SUCCESS").exists()
    ours = client.execute({"type": "parallel", "input": {"source": str(out), "operation": everything}})
    assert ours.to_arrow()["n"].to_pylist() == list(range(1_000))
    client.execute(task(table, {"url": str(out), "format": form, "mode": "append"}))
    ours = client.execute({"type": "parallel", "input": {"source": str(out), "operation": everything}})
    assert ours.to_arrow()["n"].to_pylist() == list(range(1_000)) * 2
    other = "csv" if form != "csv" else "parquet"
    with pytest.raises(OutputFailedError, match="one format"):
        client.execute(task(table, {"url": str(out), "format": other, "mode": "append"}))
    client.execute(task(table, {"url": str(out), "format": other, "mode": "overwrite"}))
    assert all(path.suffix == f".{other}" for path in out.iterdir())


def test_no_rows_are_files_that_can_be_read(client: RLMClient, tmp_path: Path) -> None:
    table = pa.table({"n": pa.array([], pa.int64()), "s": pa.array([], pa.string())})
    for name in ("a.csv", "a.csv.gz", "a.csv.zst", "a.csv.bz2", "a.arrow", "a.arrows", "a.avro", "a.parquet"):
        client.execute(task(table, str(tmp_path / name)))
        ours = client.execute(
            {"type": "parallel", "input": {"source": str(tmp_path / name), "operation": everything}}
        )
        assert ours.to_arrow().column_names == ["n", "s"]
    assert pd.read_csv(tmp_path / "a.csv.gz").columns.tolist() == ["n", "s"]
    client.execute(task(table, str(tmp_path / "a.jsonl")))
    assert (tmp_path / "a.jsonl").read_bytes() == b""


def test_categories_are_written_as_their_values(client: RLMClient, tmp_path: Path) -> None:
    frame = pd.DataFrame({"k": pd.Categorical(["a", "b", None, "a"]), "v": [1, 2, 3, 4]})
    expected = ["a", "b", None, "a"]
    for form in ("csv", "json", "arrow", "avro", "parquet"):
        path = tmp_path / f"out.{form}"
        client.execute(task(frame, str(path)))
        ours = client.execute({"type": "parallel", "input": {"source": str(path), "operation": everything}})
        assert ours.to_arrow()["k"].to_pylist() == expected, form
    assert str(pq.read_table(tmp_path / "out.parquet")["k"].type) != ""


@pytest.mark.parametrize(
    ("column", "form", "words"),
    [
        (pa.array([b"x"]), "csv", "bytes"),
        (pa.array([[1]]), "csv", "values within values"),
        (pa.array([b"x"]), "json", "bytes"),
        (pa.array([1], pa.duration("s")), "json", "durations"),
        (pa.array([float("inf")]), "json", "infinite"),
        (pa.array([[1.0, float("-inf")]]), "json", "infinite"),
        (pa.array([1], pa.uint64()), "avro", "unsigned"),
        (pa.array([1], pa.duration("s")), "avro", "durations"),
    ],
)
def test_what_a_format_has_not_is_refused(
    client: RLMClient, tmp_path: Path, column: pa.Array, form: str, words: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputFailedError, match=f"(?s)odd.*{words}"):
        client.execute(task(pa.table({"odd": column}), {"url": str(out), "format": form}))
    assert list(tmp_path.iterdir()) == []


def test_names_that_avro_has_not_are_refused(client: RLMClient, tmp_path: Path) -> None:
    with pytest.raises(OutputFailedError, match="two words"):
        client.execute(task(pa.table({"two words": [1]}), str(tmp_path / "out.avro")))


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"url": "out.csv", "format": "json"}, "output.format"),
        ({"url": "out.xlsx"}, "no format that is written"),
        ({"url": "out.csv", "compression": "gzip"}, r"out\.csv\.gz"),
        ({"url": "out.csv.gz", "compression": "zstd"}, r"out\.csv\.zst"),
        ({"url": "out.csv", "compression": "brotli"}, "not compressed by brotli"),
        ({"url": "out.parquet", "compression": "bzip2"}, "not compressed by bzip2"),
        ({"url": "out", "format": "avro", "compression": "lz4"}, "not compressed by lz4"),
        ({"url": "out", "format": "orc"}, "output.format"),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    client: RLMClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidTaskError, match=words):
        client.submit(task(pa.table({"n": [1]}), output))
    assert list(tmp_path.iterdir()) == []


def test_a_result_is_written_as_an_output_is(client: RLMClient, tmp_path: Path) -> None:
    data = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})

    def totals(p: Any) -> Any:
        return p.groupby("k")["v"].sum()

    answer = client.execute({"type": "parallel", "input": {"source": data, "operation": totals}})
    out = tmp_path / "out.csv"
    assert answer.write.csv(out).rows == 2
    assert out.read_text() == "k,v\na,4\nb,2\n"
    with pytest.raises(OutputFailedError, match="exists already"):
        answer.write.csv(out)
    assert answer.write.csv(out, mode="ignore").skipped
    answer.write.csv(out, mode="overwrite")
    with pytest.raises(InvalidTaskError, match="overwite"):
        answer.write.csv(out, mode="overwite")
    found = answer.write.parquet(tmp_path / "many", max_rows_per_file=1, success_marker=True)
    assert [file.rows for file in found.files] == [1, 1]
    assert pd.read_parquet(tmp_path / "many")["v"].tolist() == [4, 2]
    answer.write.parquet(tmp_path / "many", mode="append")
    assert len(pd.read_parquet(tmp_path / "many")) == 4
