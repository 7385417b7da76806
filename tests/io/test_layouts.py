"""Directories named `key=value` and files whose columns differ, in every format: the same rows as in Parquet."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient, SchemaMismatchError

from tests.conftest import make_task


def _ipc(data: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, data.schema) as writer:
        writer.write_table(data, max_chunksize=3)


def _csv(data: pa.Table, path: Path) -> None:
    pyarrow.csv.write_csv(data, path)


def _json(data: pa.Table, path: Path) -> None:
    data.to_pandas().to_json(path, orient="records", lines=True)


def _avro(data: pa.Table, path: Path) -> None:
    kinds = {pa.string(): "string", pa.int64(): "long", pa.float64(): "double", pa.int32(): "int"}
    fields = [{"name": field.name, "type": ["null", kinds[field.type]]} for field in data.schema]
    with path.open("wb") as file:
        fastavro.writer(file, {"type": "record", "name": "row", "fields": fields}, data.to_pylist())


def _parquet(data: pa.Table, path: Path) -> None:
    pq.write_table(data, path, row_group_size=3)


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    "csv": _csv,
    "jsonl": _json,
    "arrow": _ipc,
    "avro": _avro,
    "parquet": _parquet,
}


def rows(
    client: RLMClient, source: Any, operation: Callable[[Any], Any] = lambda p: p, **more: Any
) -> pa.Table:
    answer: pa.Table = client.execute(make_task(str(source), operation, **more)).to_arrow()
    return answer


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("chunk", [1, 4, "auto"])
def test_files_may_differ_in_columns(
    client: RLMClient, tmp_path: Path, ending: str, chunk: int | str
) -> None:
    rng = random.Random(7)
    tables = []
    for number in range(4):
        data = {
            "n": pa.array([number * 10 + row for row in range(5)], pa.int64()),
            "x": pa.array(
                [rng.randrange(99) / 4 if number else row for row in range(5)],
                pa.float64() if number else pa.int64(),
            ),
            "s": pa.array([f"text {row}" for row in range(5)]),
        }
        names = rng.sample(sorted(data), 2 + number % 2)
        tables.append(pa.table({name: data[name] for name in names}))
        WRITERS[ending](tables[-1], tmp_path / f"{number}.{ending}")
    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    found = rows(client, tmp_path, chunkSize=chunk)
    assert found.column_names == names
    for name in names:
        wanted = [
            value
            for table in tables
            for value in (table[name].to_pylist() if name in table.column_names else [None] * 5)
        ]
        assert found[name].to_pylist() == wanted, name


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("chunk", [1, 4, "auto"])
def test_directories_are_columns(client: RLMClient, tmp_path: Path, ending: str, chunk: int | str) -> None:
    for number, folder in enumerate(
        ["year=2023/who=a%2Fb", "year=2024/who=c", "year=2024/who=__HIVE_DEFAULT_PARTITION__"]
    ):
        (tmp_path / folder).mkdir(parents=True)
        WRITERS[ending](
            pa.table({"n": [number * 10 + row for row in range(5)]}), tmp_path / folder / f"x.{ending}"
        )
    found = rows(client, tmp_path, chunkSize=chunk)
    assert found.column_names == ["n", "year", "who"]
    assert found.schema.field("year").type == pa.int32()
    got = sorted(zip(*(found[name].to_pylist() for name in found.column_names), strict=True))
    expected = [(row, 2023, "a/b") for row in range(5)] + [(10 + row, 2024, "c") for row in range(5)]
    assert got == expected + [(20 + row, 2024, None) for row in range(5)]

    run = client.submit(
        make_task(str(tmp_path), lambda p: p[(p["year"] == 2024) & (p["n"] > 11)]["n"].sum(), chunkSize=chunk)
    )
    assert run.result() == 12 + 13 + 14 + 20 + 21 + 22 + 23 + 24
    scan = run.explain().to_dict()["scans"][0]
    assert scan["files_pruned"] == 1

    run = client.submit(make_task(str(tmp_path), lambda p: p.groupby("year")["who"].count(), chunkSize=chunk))
    assert run.result().to_pandas().to_dict() == {2023: 5, 2024: 5}
    assert run.progress.bytes_read == 0


@pytest.mark.parametrize("ending", ["jsonl", "arrow", "avro", "parquet"])
def test_columns_that_do_not_fit_are_refused(client: RLMClient, tmp_path: Path, ending: str) -> None:
    WRITERS[ending](pa.table({"n": [1, 2]}), tmp_path / f"a.{ending}")
    WRITERS[ending](pa.table({"n": ["x", "y"]}), tmp_path / f"b.{ending}")
    with pytest.raises(SchemaMismatchError) as caught:
        rows(client, tmp_path)
    for part in ("`n`", f"a.{ending}", f"b.{ending}", "int64", "str"):
        assert part in str(caught.value)


@pytest.mark.parametrize("ending", ["arrow", "avro", "parquet", "jsonl"])
def test_a_number_that_the_wider_type_does_not_hold_is_refused(
    client: RLMClient, tmp_path: Path, ending: str
) -> None:
    WRITERS[ending](pa.table({"n": [2**53 + 1, 2]}), tmp_path / f"a.{ending}")
    WRITERS[ending](pa.table({"n": [0.5, 1.5]}), tmp_path / f"b.{ending}")
    with pytest.raises(SchemaMismatchError, match=rf"`n` is int64 in file `.*a\.{ending}` and float64"):
        rows(client, tmp_path)
