"""CSV and JSON lines, generated and compressed in every way: others read what we write, and we what they write."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pytest
import snappy
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import RLMClient

from tests.conftest import make_task
from tests.io.test_output import task

ENDINGS = {"none": "", "gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst", "lz4": ".lz4", "snappy": ".sz"}
TEXTS = st.text(st.sampled_from('ab ",\n\\üé🎉\t;'), min_size=1, max_size=9).filter(
    lambda text: text.strip() == text
)
ROWS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        # What is hard of floats is asked in `test_nasty_text`.
        st.integers(-(10**9), 10**9).map(lambda number: number / 64),
        st.booleans(),
        TEXTS,
        st.none() | st.integers(0, 9),
    ),
    min_size=1,
    max_size=30,
)
NAMES = ["n", "x", "b", "s", "m"]
CHECKED = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def table(rows: list[tuple[Any, ...]]) -> pa.Table:
    types = [pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.int64()]
    columns = zip(*rows, strict=True)
    return pa.table(
        {name: pa.array(values, type_) for name, values, type_ in zip(NAMES, columns, types, strict=True)}
    )


def value(found: Any) -> Any:
    """A value as all of them mean it."""
    if found is None or found == "" or (isinstance(found, float) and math.isnan(found)):
        return None
    return (
        {"True": True, "False": False, "true": True, "false": False}.get(found, found)
        if isinstance(found, str)
        else found
    )


def same(found: pa.Table, expected: pa.Table) -> None:
    assert found.column_names == expected.column_names
    for name in NAMES:
        got, want = found[name].to_pylist(), expected[name].to_pylist()
        for one, other in zip(map(value, got), map(value, want), strict=True):
            if isinstance(other, str) or other is None:
                assert one == other, name
            elif isinstance(other, float):
                assert math.isclose(float(one), other, rel_tol=1e-12), name
            else:
                assert int(one) == int(other), name


def unpacked(path: Path) -> io.BytesIO:
    """By pyarrow, and by Snappy's own library."""
    if path.suffix == ".sz":
        return io.BytesIO(snappy.StreamDecompressor().decompress(path.read_bytes()))
    return io.BytesIO(pa.input_stream(str(path), compression="detect").read())


def _pandas(path: Path, form: str) -> pa.Table:
    if form == "csv":
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    else:
        frame = pd.read_json(path, lines=True, dtype_backend="pyarrow", precise_float=True)
        frame["s"] = frame["s"].astype("string")
    return pa.Table.from_pandas(frame, preserve_index=False)


def _polars(path: Path, form: str) -> pa.Table:
    frame = (
        pl.read_csv(path, infer_schema=False)
        if form == "csv"
        else pl.read_ndjson(path, infer_schema_length=None)
    )
    return frame.to_arrow()


def _duckdb(path: Path, form: str) -> pa.Table:
    kinds = {"n": "BIGINT", "x": "DOUBLE", "b": "BOOLEAN", "s": "VARCHAR", "m": "BIGINT"}
    columns = str(kinds if form == "json" else dict.fromkeys(kinds, "VARCHAR"))
    more = """, header=true, delim=',', quote='"', escape='"', auto_detect=false, parallel=false, new_line='\\n'"""
    how = f"columns={columns}" + (more if form == "csv" else ", format='newline_delimited'")
    with duckdb.connect() as connection:
        return connection.sql(f"select * from read_{form}('{path}', {how})").to_arrow_table()


def _pyarrow(path: Path, form: str) -> pa.Table:
    if form == "json":
        return pa.json.read_json(unpacked(path))
    return pa.csv.read_csv(
        unpacked(path),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(NAMES, pa.string())),
    )


READERS: dict[str, tuple[Callable[[Path, str], pa.Table], list[str]]] = {
    "pandas": (_pandas, ["none", "gzip", "bzip2", "zstd"]),
    "polars": (_polars, ["none", "gzip", "zstd"]),
    "duckdb": (_duckdb, ["none", "gzip", "zstd"]),
    "pyarrow": (_pyarrow, [*ENDINGS]),
}


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize(
    ("reader", "packed"), [(name, how) for name, (_, all_) in READERS.items() for how in all_]
)
@CHECKED
@given(rows=ROWS)
def test_others_read_what_we_write(
    client: RLMClient,
    tmp_path_factory: pytest.TempPathFactory,
    reader: str,
    packed: str,
    form: str,
    rows: list[tuple[Any, ...]],
) -> None:
    path = tmp_path_factory.mktemp("packed") / f"t.{form}{ENDINGS[packed]}"
    client.execute(task(table(rows), str(path)))
    same(READERS[reader][0](path, form), table(rows))
    same(client.execute(make_task(str(path), lambda p: p)).to_arrow(), table(rows))


def _by_pandas(data: pa.Table, path: Path, form: str) -> None:
    frame = data.to_pandas(types_mapper=pd.ArrowDtype)
    if form == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True, double_precision=15)


def _by_pyarrow(data: pa.Table, path: Path, form: str) -> None:
    plain = io.BytesIO()
    if form == "csv":
        pa.csv.write_csv(data, plain)
    else:
        plain.write("".join(json.dumps(row) + "\n" for row in data.to_pylist()).encode())
    if path.suffix == ".sz":
        path.write_bytes(snappy.StreamCompressor().compress(plain.getvalue()))
        return
    with pa.output_stream(str(path), compression="detect") as stream:
        stream.write(plain.getvalue())


def _by_duckdb(data: pa.Table, path: Path, form: str) -> None:
    packed = {".gz": ", compression gzip", ".zst": ", compression zstd"}.get(path.suffix, "")
    with duckdb.connect() as connection:
        connection.register("data", data)
        connection.execute(
            f"copy data to '{path}' (format {form}{', header' if form == 'csv' else ''}{packed})"
        )


def _by_polars(data: pa.Table, path: Path, form: str) -> None:
    frame = pl.DataFrame(data)
    plain = io.BytesIO()
    (frame.write_csv if form == "csv" else frame.write_ndjson)(plain)
    with pa.output_stream(str(path), compression="detect") as stream:
        stream.write(plain.getvalue())


WRITERS: dict[str, tuple[Callable[[pa.Table, Path, str], None], list[str]]] = {
    "pandas": (_by_pandas, ["none", "gzip", "bzip2", "zstd"]),
    "polars": (_by_polars, ["none", "gzip", "zstd"]),
    "duckdb": (_by_duckdb, ["none", "gzip", "zstd"]),
    "pyarrow": (_by_pyarrow, [*ENDINGS]),
}


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize(
    ("writer", "packed"), [(name, how) for name, (_, all_) in WRITERS.items() for how in all_]
)
@CHECKED
@given(rows=ROWS)
def test_we_read_what_others_write(
    client: RLMClient,
    tmp_path_factory: pytest.TempPathFactory,
    writer: str,
    packed: str,
    form: str,
    rows: list[tuple[Any, ...]],
) -> None:
    path = tmp_path_factory.mktemp("packed") / f"t.{form}{ENDINGS[packed]}"
    WRITERS[writer][0](table(rows), path, form)
    # What a column of texts looks like is not asked.
    said = {"readOptions": {"dtype": {"s": "str"}}} if form == "csv" else {}
    same(client.execute(make_task(str(path), lambda p: p, **said)).to_arrow(), table(rows))
