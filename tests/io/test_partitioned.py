"""`partitionBy`: directories by the values of columns, read by others, complete or not there whatever happens."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, OutputFailedError, RLMClient

from tests.io.test_output import everything, some, task

ROWS = 40_000
HIVE = "__HIVE_DEFAULT_PARTITION__"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "rows.parquet"
    numbers = pa.array(range(ROWS))
    keys = pa.array([f"key {i * 7919 % 50}" for i in range(ROWS)])
    pq.write_table(pa.table({"n": numbers, "k": keys}), path, row_group_size=5_000)
    return path


def files(out: Path) -> Iterator[Path]:
    return (path for path in sorted(out.rglob("part-*")) if path.is_file())


def numbers(out: Path) -> list[int]:
    """All numbers, sorted."""
    found: list[int] = []
    for directory in sorted(out.glob("*=*")) or [out]:
        found += [n for file in files(directory) for n in read(file)["n"].tolist()]
    return sorted(found)


def read(file: Path) -> pd.DataFrame:
    if ".csv" in file.name:
        return pd.read_csv(file)
    return pq.ParquetFile(file).read().to_pandas()


@pytest.mark.parametrize("form", ["parquet", "csv", "json", "arrow", "avro"])
def test_a_partitioned_directory_is_read_by_others(
    client: RLMClient, source: Path, tmp_path: Path, form: str
) -> None:
    out = tmp_path / "out"
    output = {"url": str(out), "format": form, "partitionBy": "k", "successMarker": True}
    written = client.execute(task(str(source), output, some))
    expected = pd.read_parquet(source).query("n % 3 != 0")
    assert written.rows == len(expected)
    assert [file.path for file in written.files] == sorted(str(path) for path in files(out))
    assert {path.name for path in out.iterdir()} == {f"k=key {i}" for i in range(50)} | {"_SUCCESS"}
    by_key = {key: rows["n"].tolist() for key, rows in expected.groupby("k")}
    ending = {"parquet": "parquet", "csv": "csv", "json": "json", "arrow": "feather"}.get(form)
    if ending is not None:
        found = ds.dataset(out, format=ending, partitioning="hive").to_table().to_pandas()
        assert {key: rows["n"].tolist() for key, rows in found.groupby("k")} == by_key
    ours = client.execute({"type": "parallel", "input": {"source": str(out), "operation": everything}})
    assert {key: sorted(rows["n"]) for key, rows in ours.to_pandas().groupby("k")} == by_key
    if form == "parquet":
        polars = pl.scan_parquet(out, hive_partitioning=True).collect().to_pandas()
        assert {key: sorted(rows["n"]) for key, rows in polars.groupby("k")} == by_key
        duck = duckdb.sql(f"select * from read_parquet('{out}/**/*.parquet', hive_partitioning=true)").df()
        assert {key: sorted(rows["n"]) for key, rows in duck.groupby("k")} == by_key


VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int64(): st.integers(-3, 3),
    pa.string(): st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=5)
    | st.sampled_from(["a/b", "a=b", "100%", "..", "a b", "é", "%2F", "[x]", "a:b", "~", "'"]),
    pa.date32(): st.dates(),
    pa.bool_(): st.booleans(),
}


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_values_come_back_from_names(client: RLMClient, tmp_path: Path, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 20))
    kinds = data.draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=2))
    columns: dict[str, pa.Array] = {"n": pa.array(range(rows))}
    for number, kind in enumerate(kinds):
        values = st.lists(st.none() | VALUES[kind], min_size=rows, max_size=rows)
        columns[f"k{number}"] = pa.array(data.draw(values), kind)
    table = pa.table(columns)
    by = [name for name in columns if name != "n"]
    output = {"url": str(tmp_path / "out"), "partitionBy": by, "mode": "overwrite"}
    most = data.draw(st.none() | st.integers(1, 5))
    if most is not None:
        output["maxRowsPerFile"] = most
    written = client.execute(task(table, output))
    assert written.rows == rows
    schema = pa.schema([(name, table[name].type) for name in by])
    dataset = ds.dataset(tmp_path / "out", partitioning=ds.partitioning(schema, flavor="hive"))
    found = dataset.to_table().sort_by("n")
    assert found["n"].to_pylist() == list(range(rows))
    for name in by:
        assert found[name].to_pylist() == table[name].to_pylist()
    assert most is None or all(file.rows <= most for file in written.files)


def test_a_result_is_partitioned_too(client: RLMClient, tmp_path: Path) -> None:
    data = pd.DataFrame({"k": ["a", None, "a"], "v": [1, 2, 3]})
    answer = client.execute({"type": "parallel", "input": {"source": data, "operation": everything}})
    answer.write.csv(tmp_path / "out", partition_by="k", compression="gzip")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"k=a", f"k={HIVE}"}
    assert [path.suffixes for path in files(tmp_path / "out")] == [[".csv", ".gz"]] * 2
    assert pd.read_csv(next(files(tmp_path / "out" / "k=a")))["v"].tolist() == [1, 3]


def test_little_memory_makes_more_files_but_not_other_rows(
    client: RLMClient, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    written = client.execute(
        task([str(source)] * 8, {"url": str(out), "partitionBy": "k"}, memoryLimit=10_000_000)
    )
    assert written.rows == 8 * ROWS
    assert numbers(out) == sorted(list(range(ROWS)) * 8)


def test_appended_rows_come_after_the_others(client: RLMClient, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    output = {"url": str(out), "partitionBy": ["k"], "mode": "append"}
    client.execute(task(str(source), output, some))
    before = {path: path.stat().st_ino for path in files(out)}
    first = {key.name: [n for f in files(key) for n in read(f)["n"].tolist()] for key in out.glob("k=*")}
    client.execute(task(str(source), output))
    assert {path: path.stat().st_ino for path in before} == before
    rows = pd.read_parquet(source)
    for key in out.glob("k=*"):
        new = rows[rows["k"] == key.name.removeprefix("k=")]["n"].tolist()
        assert [n for f in files(key) for n in read(f)["n"].tolist()] == first[key.name] + new
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(OutputFailedError, match="partitioned by k"):
        client.execute(task(str(source), {"url": str(out), "mode": "append"}))
    with pytest.raises(OutputFailedError, match="partitioned by k"):
        client.execute(task(str(source), {"url": str(out), "mode": "append", "partitionBy": "n"}))
    client.execute(task(str(source), {"url": str(out), "mode": "overwrite"}))
    assert not list(out.glob("k=*"))


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (["missing"], "no column `missing`"),
        (["n", "k"], "none is left"),
        (["k", "k"], "twice"),
        (["f"], "list"),
    ],
)
def test_columns_that_cannot_be_directories(
    client: RLMClient, tmp_path: Path, by: list[str], words: str
) -> None:
    table = pa.table(
        {"n": [1], "k": ["a"]}
        | ({"f": [[1]]} if by == ["f"] else {})
        | ({"m": [1]} if len(set(by)) < 2 else {})
    )
    with pytest.raises((OutputFailedError, InvalidTaskError), match=f"(?i){words}"):
        client.execute(task(table, {"url": str(tmp_path / "out"), "partitionBy": by}))
    assert list(tmp_path.iterdir()) == []


PROGRAM = """
    import json, resource, sys
    from rlm_hypervisor import RLMClient
    source, output, limit = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    client = RLMClient(threads=2)
    print("ready", flush=True)
    task = {"type": "parallel", "input": {"source": [source] * 4, "operation": lambda p: p[p["n"] >= 0]},
            "output": output}
    try:
        client.execute(task)
    except OSError as error:
        print(error.code, error, flush=True)
        sys.exit(3)
    print("done", flush=True)
"""
WHOLE = sorted(list(range(ROWS)) * 4)
SHAPES = [
    {"partitionBy": "k"},
    {"format": "csv"},
    {"format": "csv", "partitionBy": "k", "compression": "gzip"},
]


def program(source: Path, output: dict[str, Any], limit: int = 0) -> subprocess.Popen[str]:
    import json

    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(source), json.dumps(output), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ.copy())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_killed_write_leaves_the_old_or_the_new(
    client: RLMClient, source: Path, tmp_path: Path, shape: dict[str, Any], mode: str
) -> None:
    out = tmp_path / "out"
    output = {"url": str(out), "mode": mode, **shape}
    client.execute(task(str(source), output, some))
    old = numbers(out)
    chance = random.Random(str(shape) + mode)
    for _ in range(2):
        with program(source, output) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 1.2))
            process.send_signal(signal.SIGKILL)
        new = WHOLE if mode == "overwrite" else sorted(old + WHOLE)
        found = numbers(out)
        assert found in (old, new)
        old = found
    client.execute(task(str(source), {**output, "mode": "overwrite"}, some))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_full_disk_leaves_what_was_there(
    client: RLMClient, source: Path, tmp_path: Path, shape: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    output = {"url": str(out), "mode": "overwrite", **shape}
    client.execute(task(str(source), output, some))
    old = numbers(out)
    with program(source, output, limit=1_000 if "partitionBy" in shape else 50_000) as process:
        assert process.stdout is not None
        told = process.stdout.read()
    assert process.returncode == 3
    assert "OUTPUT_FAILED" in told
    assert "room on the disk" in told
    assert numbers(out) == old
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cancelled_write_leaves_the_old_or_the_new(
    client: RLMClient, source: Path, tmp_path: Path, shape: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    output = {"url": str(out), "mode": "overwrite", **shape}
    client.execute(task(str(source), output, some))
    old = numbers(out)
    chance = random.Random(str(shape))
    for _ in range(3):
        run = client.submit(task([str(source)] * 4, output))
        time.sleep(chance.uniform(0, 0.6))
        run.cancel()
        run.wait()
        found = numbers(out)
        assert found == WHOLE if run.state == "succeeded" else found in (old, WHOLE)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_source_itself_may_be_overwritten(
    client: RLMClient, source: Path, tmp_path: Path, shape: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    client.execute(task(str(source), {"url": str(out), **shape}))
    client.execute(task(str(out), {"url": str(out), "mode": "overwrite", **shape}, some))
    assert numbers(out) == [n for n in range(ROWS) if n % 3]
