"""CSV and JSON lines with the values that break readers and writers: pandas, Polars, DuckDB and Python on either side."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from rlm_hypervisor import RLMClient

from tests.io.test_output import task

PIECES = [
    '"', '""', ",", ";", "\t", "\n", "\r\n", "\r", "\\", "\\n", "'", "#", "=", "|", " ", "\u00a0", "\u2028", "\ufeff",
    "a", "0", "-", "é", "東", "🎉", "e\u0301", "\x01", "\x1f", "\x7f", "{", "}", "[", "]", ":", "null", "NaN", "true", "</script>",
]  # fmt: skip
NASTY = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
# Nothing, and what pandas takes for nothing, cannot be told apart in CSV.
TEXTS = NASTY.filter(lambda text: text.strip("\ufeff") not in ("", "null", "NaN", "-NaN"))
INTEGERS = st.sampled_from([0, 1, -1, 2**31, -(2**63), 2**63 - 1, 2**53 + 1]) | st.integers(
    -(2**63), 2**63 - 1
)
# The largest are beyond what pandas reads of its own fifteen digits.
FLOATS = st.sampled_from([0.1, -0.5, 1e300, 5e-324, 2.5]) | st.floats(-1e300, 1e300)
NAMES = st.lists(
    NASTY.filter(lambda name: name.strip() == name and not name.startswith("\ufeff") and name and "\r" not in name and "\n" not in name),
    min_size=3, max_size=3, unique_by=str.casefold,
)  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


def tables(texts: st.SearchStrategy[str]) -> st.SearchStrategy[pa.Table]:
    row = st.tuples(texts, INTEGERS, FLOATS)

    def table(made: tuple[list[str], list[tuple[str, int, float]]]) -> pa.Table:
        names, rows = made
        columns = list(zip(*rows, strict=True))
        types = [pa.string(), pa.int64(), pa.float64()]
        return pa.table(
            [pa.array(column, type_) for column, type_ in zip(columns, types, strict=True)], names=names
        )

    return st.tuples(NAMES, st.lists(row, min_size=1, max_size=8)).map(table)


SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _python_csv(table: pa.Table, path: str) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _duckdb(table: pa.Table, path: str, how: str) -> None:
    with duckdb.connect() as connection:
        connection.register("written", table)
        connection.execute(f"copy written to '{path}' ({how})")


CSV_WRITERS: dict[str, Callable[[pa.Table, str], None]] = {
    "python": _python_csv,
    "pandas": lambda table, path: table.to_pandas().to_csv(path, index=False),
    "polars": lambda table, path: pl.from_arrow(table).write_csv(path),  # type: ignore[union-attr]
    "duckdb": lambda table, path: _duckdb(table, path, "format csv, header"),
}


@pytest.mark.parametrize("writer", CSV_WRITERS)
@given(tables(TEXTS))
@SLOW
def test_csv_of_others_is_read(
    client: RLMClient, tmp_path_factory: pytest.TempPathFactory, writer: str, table: pa.Table
) -> None:
    # A carriage return that pandas has not put in quotes ends a line, for pandas as well.
    assume(writer != "pandas" or not any("\r" in text for text in table.column(0).to_pylist()))
    path = str(tmp_path_factory.mktemp("csv") / "t.csv")
    CSV_WRITERS[writer](table, path)
    text, whole, real = table.column_names
    options: Any = {"dtype": {text: "str", whole: "int64", real: "float64"}}
    found = client.read(path, read_options=options).to_arrow()
    assert found.column_names == table.column_names
    assert found.to_pylist() == table.to_pylist()


def _csv_by_python(path: str, _: pa.Table) -> list[list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))[1:]


def _csv_by_pandas(path: str, _: pa.Table) -> list[list[str]]:
    found: list[list[str]] = pd.read_csv(path, dtype=str, keep_default_na=False).to_numpy().tolist()
    return found


def _csv_by_polars(path: str, _: pa.Table) -> list[list[str]]:
    return [list(row) for row in pl.read_csv(path, infer_schema=False).rows()]


def _csv_by_duckdb(path: str, table: pa.Table) -> list[list[str]]:
    with duckdb.connect() as connection:
        columns = "{" + ", ".join(f"c{n}: 'VARCHAR'" for n in range(table.num_columns)) + "}"
        query = f"""select * from read_csv('{path}', header=true, delim=',', quote='"', escape='"', columns={columns},
                    parallel=false, auto_detect=false, new_line='\\n')"""
        return [list(row) for row in connection.execute(query).fetchall()]


CSV_READERS: dict[str, Callable[[str, pa.Table], list[list[str]]]] = {
    "python": _csv_by_python,
    "pandas": _csv_by_pandas,
    "polars": _csv_by_polars,
    "duckdb": _csv_by_duckdb,
}


@pytest.mark.parametrize("reader", CSV_READERS)
@given(tables(TEXTS))
@SLOW
def test_csv_of_ours_is_read_by_others(
    client: RLMClient, tmp_path_factory: pytest.TempPathFactory, reader: str, table: pa.Table
) -> None:
    path = str(tmp_path_factory.mktemp("csv") / "t.csv")
    client.execute(task(table, path))
    found = CSV_READERS[reader](path, table)
    assert [row[0] for row in found] == table.column(0).to_pylist()
    assert [int(row[1]) for row in found] == table.column(1).to_pylist()
    assert [float(row[2]) for row in found] == table.column(2).to_pylist()


# JSON lines.
def _same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> bool:
    def value(one: Any) -> Any:
        return ("float", one, math.copysign(1, one)) if isinstance(one, float) else one

    def row(one: dict[str, Any]) -> list[tuple[str, Any]]:
        return [(name, value(cell)) for name, cell in one.items()]

    return [row(one) for one in found] == [row(one) for one in wanted]


def _python_json(ascii: bool) -> Callable[[pa.Table, str], None]:
    def write(table: pa.Table, path: str) -> None:
        lines = [json.dumps(row, ensure_ascii=ascii) for row in table.to_pylist()]
        Path(path).write_text("\n".join(lines), encoding="utf-8", newline="")

    return write


JSON_WRITERS: dict[str, Callable[[pa.Table, str], None]] = {
    "python": _python_json(False),
    "python, escaped": _python_json(True),
    "pandas": lambda table, path: table.to_pandas().to_json(
        path, orient="records", lines=True, double_precision=15
    ),
    "polars": lambda table, path: pl.from_arrow(table).write_ndjson(path),  # type: ignore[union-attr]
    "duckdb": lambda table, path: _duckdb(table, path, "format json"),
}


@pytest.mark.parametrize("writer", JSON_WRITERS)
@given(tables(NASTY))
@SLOW
def test_json_of_others_is_read(
    client: RLMClient, tmp_path_factory: pytest.TempPathFactory, writer: str, table: pa.Table
) -> None:
    path = str(tmp_path_factory.mktemp("json") / "t.jsonl")
    JSON_WRITERS[writer](table, path)
    found = (
        client.read(path, read_options={"dtype": {table.column_names[2]: "float64"}}).to_arrow().to_pylist()
    )
    # Not every writer writes all digits: what stands there is what counts.
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    wanted = [json.loads(line) for line in lines if line.strip()]
    real = table.column_names[2]
    wanted = [{**row, real: float(row[real])} for row in wanted]
    assert _same(found, wanted)
    assert [list(row.values())[:2] for row in found] == [list(row.values())[:2] for row in table.to_pylist()]


def _json_by_duckdb(path: str, table: pa.Table) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select json from read_json_objects(?, format='newline_delimited')", [path]
        ).fetchall()
    return [json.loads(row[0]) for row in rows]


JSON_READERS: dict[str, Callable[[str, pa.Table], list[dict[str, Any]]]] = {
    "python": lambda path, _: [json.loads(line) for line in Path(path).read_bytes().split(b"\n") if line],
    "polars": lambda path, table: pl.read_ndjson(path, schema=pl.from_arrow(table).schema).to_dicts(),  # type: ignore[union-attr]
    "duckdb": _json_by_duckdb,
}


@pytest.mark.parametrize("reader", JSON_READERS)
@given(tables(NASTY))
@SLOW
def test_json_of_ours_is_read_by_others(
    client: RLMClient, tmp_path_factory: pytest.TempPathFactory, reader: str, table: pa.Table
) -> None:
    path = str(tmp_path_factory.mktemp("json") / "t.jsonl")
    client.execute(task(table, path))
    found = JSON_READERS[reader](path, table)
    real = table.column_names[2]
    found = [{**row, real: float(row[real])} for row in found]
    assert _same(found, table.to_pylist())


@given(st.lists(st.fixed_dictionaries({"x": st.none() | st.lists(st.integers(0, 9) | st.none(), max_size=3),
                                       "y": st.none() | st.fixed_dictionaries({"a": st.none() | INTEGERS, 'b"\n': NASTY})}),
                min_size=1, max_size=6))  # fmt: skip
@SLOW
def test_nested_json(
    client: RLMClient, tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("json")
    path = folder / "t.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = client.read(path).to_arrow()
    # A column of nothing but missing values has no type of its own.
    known = [name for name in ("x", "y") if any(row[name] is not None for row in rows)]
    assert [{name: row[name] for name in known} for row in found.to_pylist()] == [
        {name: row[name] for name in known} for row in rows
    ]
    client.execute(task(str(path), str(folder / "again.jsonl")))
    again = [
        json.loads(line) for line in (folder / "again.jsonl").read_text(encoding="utf-8").split("\n") if line
    ]
    assert [{name: row.get(name) for name in known} for row in again] == [
        {name: row[name] for name in known} for row in rows
    ]
