"""`output` of a task: rows stream to files that are seen whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
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
from rlm_hypervisor import InvalidTaskError, NotDecomposableError, OutputFailedError, RLMClient, Written

ROWS = 60_000


def everything(p: Any) -> Any:
    return p


def some(p: Any) -> Any:
    return p[p["n"] % 3 != 0]


def task(source: object, output: object, operation: Any = everything, **options: Any) -> dict[str, Any]:
    return {
        "type": "parallel",
        "input": {"source": source, "operation": operation},
        "output": output,
        "options": options,
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "rows.parquet"
    numbers = pa.array(range(ROWS))
    texts = pa.array([f"text {i * 7919 % ROWS}" if i % 11 else None for i in range(ROWS)])
    pq.write_table(pa.table({"n": numbers, "s": texts}), path, row_group_size=5_000)
    return path


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def numbers(path: Path) -> list[int]:
    """Of a directory in the order of its files' names, as every reader lists them."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    return [n for file in files for n in pq.read_table(file)["n"].to_pylist()]


def test_a_directory_is_read_by_others_in_order(client: RLMClient, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    output = {"url": str(out), "successMarker": True, "compression": "snappy"}
    written = client.execute(task(str(source), output, some))
    expected = pd.read_parquet(source).query("n % 3 != 0").reset_index(drop=True)
    assert isinstance(written, Written)
    assert (written.rows, written.url, written.skipped) == (len(expected), str(out), False)
    assert names(tmp_path / "deep") == ["out"]
    assert "_SUCCESS" in names(out)
    assert [file.path for file in written.files] == sorted(str(path) for path in out.glob("*.parquet"))
    assert [file.bytes for file in written.files] == [
        Path(file.path).stat().st_size for file in written.files
    ]
    assert f"{len(expected):,} rows" in repr(written)
    for found in (
        pd.read_parquet(out),
        pl.read_parquet(out / "*.parquet").to_pandas(),
        ds.dataset(out).to_table().to_pandas(),
        duckdb.sql(f"select * from '{out}/*.parquet'").df(),
    ):
        assert found["n"].tolist() == expected["n"].tolist()
        assert found["s"].fillna("").tolist() == expected["s"].fillna("").tolist()


def test_one_file_is_one_file(client: RLMClient, source: Path, tmp_path: Path) -> None:
    written = client.execute(task(str(source), (tmp_path / "out.parquet").as_uri(), some))
    assert [file.path for file in written.files] == [str(tmp_path / "out.parquet")]
    assert numbers(tmp_path / "out.parquet") == [n for n in range(ROWS) if n % 3]
    assert names(tmp_path) == ["out.parquet"]


def test_the_index_is_leading_columns(client: RLMClient, source: Path, tmp_path: Path) -> None:
    def counts(p: Any) -> Any:
        return p.assign(k=p["n"] % 3).groupby("k")["n"].count()

    client.execute(task(str(source), str(tmp_path / "counts.parquet"), counts))
    assert pq.read_table(tmp_path / "counts.parquet").to_pydict() == {"k": [0, 1, 2], "n": [20_000] * 3}


def test_files_have_at_most_so_many_rows(client: RLMClient, source: Path, tmp_path: Path) -> None:
    written = client.execute(task(str(source), {"url": str(tmp_path / "out"), "maxRowsPerFile": 7_000}))
    assert all(file.rows <= 7_000 for file in written.files)
    assert numbers(tmp_path / "out") == list(range(ROWS))


def test_columns_of_one_file_are_encoded_side_by_side(client: RLMClient, tmp_path: Path) -> None:
    """More rows than a row group has, with columns of several leaves and of none that is wide."""
    rows = 1_300_000
    numbers = pa.array(range(rows), pa.int64())
    lists = pa.ListArray.from_arrays(pa.array([0, *([rows] * rows)], pa.int32()), numbers)
    pairs = pa.StructArray.from_arrays([numbers, pa.array([None, 0.5] * (rows // 2))], ["a", "b"])
    table = pa.table({"n": numbers, "pair": pairs, "list": lists, "none": pa.nulls(rows)})
    out = tmp_path / "out.parquet"
    client.execute(task(table, {"url": str(out), "compression": "none"}))
    assert pq.ParquetFile(out).metadata.num_row_groups == 2
    assert pq.read_table(out).cast(table.schema).equals(table)


def test_no_rows_are_a_file_with_columns(client: RLMClient, source: Path, tmp_path: Path) -> None:
    for name in ("out", "out.parquet"):
        written = client.execute(
            task(str(source), str(tmp_path / name), lambda p: p[p["n"] < 0].reset_index(drop=True))
        )
        assert (written.rows, len(written.files)) == (0, 1)
        assert ds.dataset(tmp_path / name).to_table().column_names == ["n", "s"]


@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_modes(client: RLMClient, source: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    client.execute(task(str(source), str(out)))
    before = {path: path.stat().st_ino for path in [out, *out.glob("*")]}
    with pytest.raises(OutputFailedError, match=name):
        client.execute(task(str(source), str(out)))
    skipped = client.execute(task(str(source), {"url": str(out), "mode": "ignore"}))
    assert skipped.skipped
    assert "already" in repr(skipped)
    assert {path: path.stat().st_ino for path in [out, *out.glob("*")]} == before
    client.execute(task(str(source), {"url": str(out), "mode": "overwrite"}, some))
    assert numbers(out) == [n for n in range(ROWS) if n % 3]
    if name == "out":
        kept = set(names(out))
        client.execute(task(str(source), {"url": str(out), "mode": "append"}))
        assert kept < set(names(out))
        assert numbers(out) == [*(n for n in range(ROWS) if n % 3), *range(ROWS)]
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", ["own", "own.parquet"])
def test_the_source_itself_may_be_overwritten(
    client: RLMClient, source: Path, tmp_path: Path, name: str
) -> None:
    own = tmp_path / name
    client.execute(task(str(source), str(own)))
    client.execute(task(str(own), {"url": str(own), "mode": "overwrite"}, some))
    assert numbers(own) == [n for n in range(ROWS) if n % 3]


def test_what_is_no_data_is_not_overwritten(client: RLMClient, source: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputFailedError, match=r"thesis\.tex"):
        client.execute(task(str(source), {"url": str(tmp_path / "home"), "mode": "overwrite"}))
    (tmp_path / "delta" / "_delta_log").mkdir(parents=True)
    with pytest.raises(OutputFailedError, match="Delta"):
        client.execute(task(str(source), {"url": str(tmp_path / "delta"), "mode": "append"}))
    assert names(tmp_path / "home") == ["thesis.tex"]
    assert names(tmp_path / "delta") == ["_delta_log"]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("https://example.org/out", "web servers"),
        ({"url": "out.parquet", "mode": "append"}, "output.mode"),
        ({"url": "out.parquet", "maxRowsPerFile": 5}, "output.maxRowsPerFile"),
        ({"url": "out.parquet", "successMarker": True}, "output.successMarker"),
        ({"url": "out.parquet", "partitionBy": ["n"]}, "output.partitionBy"),
        ({"url": "out", "compression": "lzma"}, "output.compression"),
        ({"url": "out", "mode": "overwite"}, "overwrite"),
    ],
)
def test_what_is_not_written_is_refused(
    client: RLMClient, source: Path, tmp_path: Path, monkeypatch: Any, output: Any, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidTaskError, match=words):
        client.submit(task(str(source), output))
    assert names(tmp_path) == []


def test_what_is_no_table_is_refused(client: RLMClient, source: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    with pytest.raises(InvalidTaskError, match="one value"):
        client.execute(task(str(source), out, lambda p: p["n"].sum()))
    with pytest.raises(InvalidTaskError, match="plain value"):
        client.execute(task(str(source), out, lambda p: 3))
    with pytest.raises(NotDecomposableError):
        client.execute(task(str(source), out, lambda p: p.to_csv()))
    with pytest.raises(InvalidTaskError, match="output"):
        client.execute({"type": "parallel", "input": {"items": [1], "operation": abs}, "output": out})
    assert names(tmp_path) == []


def test_explain_tells_of_the_write(client: RLMClient, source: Path, tmp_path: Path) -> None:
    run = client.submit(task(str(source), str(tmp_path / "out")))
    run.result()
    assert any(
        stage["name"] == "write" and stage["rows"] == ROWS for stage in run.explain().to_dict()["stages"]
    )


VALUES = {
    pa.int8(): st.integers(-128, 127),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.large_string(): st.text(max_size=8),
    pa.large_binary(): st.binary(max_size=8),
    pa.timestamp("us", "UTC"): st.integers(-(2**50), 2**50),
    pa.timestamp("ns"): st.integers(-(2**60), 2**60),
    pa.date32(): st.integers(-100_000, 100_000),
    pa.decimal128(20, 3): st.decimals(-(10**9), 10**9, places=3),
    pa.list_(pa.int64()): st.lists(st.integers(-5, 5), max_size=3),
}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_round_trips(client: RLMClient, tmp_path: Path, data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 30))
    columns = {}
    for number, kind in enumerate(data.draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))):
        values = st.lists(st.none() | VALUES[kind], min_size=rows, max_size=rows)
        columns[f"c{number}"] = pa.array(data.draw(values), kind)
    table = pa.table(columns)
    name = data.draw(st.sampled_from(["out.parquet", "out"]))
    compression = data.draw(st.sampled_from(["zstd", "snappy", "gzip", "brotli", "lz4", "none"]))
    output = {"url": str(tmp_path / name), "mode": "overwrite", "compression": compression}
    written = client.execute(task(table, output))
    found = pa.concat_tables(pq.read_table(file.path) for file in written.files)
    assert found.cast(table.schema).equals(table)
    assert pl.read_parquet([file.path for file in written.files]).height == rows


# What stops a write half-way.
PROGRAM = """
    import resource, sys
    from rlm_hypervisor import RLMClient
    source, out, mode, limit = sys.argv[1:]
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    client = RLMClient(threads=2)
    print("ready", flush=True)
    task = {"type": "parallel", "input": {"source": [source] * 8, "operation": lambda p: p[p["n"] >= 0]},
            "output": {"url": out, "mode": mode, "compression": "none"}}
    try:
        client.execute(task)
    except OSError as error:
        print(error.code, error, flush=True)
        sys.exit(3)
    print("done", flush=True)
"""
WHOLE = [n for _ in range(8) for n in range(ROWS)]


def program(source: Path, out: Path, mode: str, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(source), str(out), mode, str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ.copy())


@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_a_killed_write_leaves_the_old_or_the_new(
    client: RLMClient, source: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    client.execute(task(str(source), str(out), some))
    old = numbers(out)
    chance = random.Random(name)
    with program(source, out, "overwrite") as whole:
        assert whole.stdout is not None
        whole.stdout.readline()
        began = time.monotonic()
        assert whole.stdout.readline() == "done\n"
        takes = time.monotonic() - began
    assert numbers(out) == WHOLE
    client.execute(task(str(source), {"url": str(out), "mode": "overwrite"}, some))
    for _ in range(4):
        with program(source, out, "overwrite") as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, takes))
            process.send_signal(signal.SIGKILL)
        assert numbers(out) in (old, WHOLE)
    # The next write removes what the killed ones left.
    client.execute(task(str(source), {"url": str(out), "mode": "overwrite"}, some))
    assert numbers(out) == old
    assert names(tmp_path) == [name]


def test_a_killed_append_adds_all_or_nothing(client: RLMClient, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    client.execute(task(str(source), str(out), some))
    expected = numbers(out)
    chance = random.Random(5)
    for _ in range(4):
        with program(source, out, "append") as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 1.0))
            process.send_signal(signal.SIGKILL)
        found = numbers(out)
        assert found in (expected, expected + WHOLE)
        expected = found


@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_a_full_disk_leaves_what_was_there(
    client: RLMClient, source: Path, tmp_path: Path, name: str
) -> None:
    """The kernel's limit of a file's size stands for the disk: the write fails half-way, as on a full one."""
    out = tmp_path / name
    client.execute(task(str(source), str(out), some))
    old = numbers(out)
    with program(source, out, "overwrite", limit=200_000) as process:
        assert process.stdout is not None
        told = process.stdout.read()
    assert process.returncode == 3
    assert "OUTPUT_FAILED" in told
    assert str(out) in told
    assert "room on the disk" in told
    assert numbers(out) == old
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_a_cancelled_write_leaves_the_old_or_the_new(
    client: RLMClient, source: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    client.execute(task(str(source), str(out), some))
    old = numbers(out)
    chance = random.Random(name)
    for _ in range(4):
        run = client.submit(task([str(source)] * 8, {"url": str(out), "mode": "overwrite"}))
        time.sleep(chance.uniform(0, 0.5))
        run.cancel()
        run.wait()
        found = numbers(out)
        assert found == WHOLE if run.state == "succeeded" else found in (old, WHOLE)
    client.execute(task(str(source), {"url": str(out), "mode": "overwrite"}, some))
    assert numbers(out) == old


def test_a_failure_leaves_nothing(client: RLMClient, source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputFailedError, match=r"missing"):
        client.execute(task(str(source), str(tmp_path / "missing" / "out.parquet")))
    broken = tmp_path / "broken.parquet"
    data = bytearray(source.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2_000] = bytes(2_000)
    broken.write_bytes(data)
    with pytest.raises(OSError, match=r"broken\.parquet"):
        client.execute(task([str(source), str(broken)], str(tmp_path / "out")))
    assert names(tmp_path) == ["broken.parquet"]
