"""Streams as sources: readers of record batches and iterators of tables, taken once, in bounded memory."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import (
    InvalidTaskError,
    RLMClient,
    SchemaMismatchError,
    SourceUnreadableError,
    TaskTimeoutError,
)

from tests.io._peaks import least_of_three


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RLMClient]:
    """One with so little memory that all but the smallest streams are written down."""
    with RLMClient(threads=2, memory_limit="64MiB", spill_dir=tmp_path_factory.mktemp("spill")) as client:
        yield client


def task(source: Any, operation: Any, **more: Any) -> dict[str, Any]:
    return {"type": "parallel", "input": {"source": source, "operation": operation, **more}}


def frame(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "k": random.integers(0, 7, rows),
            "v": random.normal(size=rows).round(3),
            "s": random.choice(["north", "south", "a longer text than a view holds itself"], rows),
        }
    )


def everything(p: Any) -> Any:
    return p


def kept(p: Any) -> Any:
    return p[p["v"] > 0]


def totals(p: Any) -> Any:
    return p.groupby(["k", "s"])["v"].sum()


def ordered(p: Any) -> Any:
    return p.sort_values(["s", "v", "k"])


def moved(p: Any) -> Any:
    p["before"] = p["v"].shift(1)
    return p


OPERATIONS = [everything, kept, totals, ordered, moved]

CUTS = st.lists(st.integers(0, 700), max_size=6)
KINDS = st.sampled_from(["pandas", "polars", "table", "batch"])


def piece(data: pd.DataFrame, kind: str) -> Any:
    if kind == "pandas":
        return data.reset_index(drop=True)
    table = pa.Table.from_pandas(data, preserve_index=False)
    if kind == "polars":
        return pl.from_arrow(table)
    return (
        table if kind == "table" else (table.combine_chunks().to_batches() or [table.schema.empty_table()])[0]
    )


@given(
    CUTS, st.lists(KINDS, min_size=7, max_size=7), st.sampled_from(OPERATIONS), st.sampled_from([1, 64, 5000])
)
@settings(max_examples=40, deadline=None)
def test_a_stream_in_any_pieces_is_the_whole_table(
    client: RLMClient, cuts: list[int], kinds: list[str], operation: Any, chunk: int
) -> None:
    data = frame(700)
    bounds = [0, *sorted(cuts), len(data)]
    pieces = [data.iloc[a:b] for a, b in itertools.pairwise(bounds)]
    stream = (piece(part, kind) for part, kind in zip(pieces, kinds, strict=False))
    found = client.execute(task(stream, operation, chunkSize=chunk)).to_pandas()
    expected = client.execute(task(data, operation)).to_pandas()
    (pd.testing.assert_series_equal if isinstance(found, pd.Series) else pd.testing.assert_frame_equal)(
        found, expected
    )


def test_what_is_written_down_reads_as_what_was_given(client: RLMClient) -> None:
    data = frame(400_000)
    stream = (data.iloc[at : at + 9_000] for at in range(0, len(data), 9_000))
    run = client.submit(task(stream, kept))
    pd.testing.assert_frame_equal(run.result().to_pandas(), data[data["v"] > 0], check_dtype=False)
    assert run.metrics()["bytes_read"] > 0
    accounting = run.metrics()
    assert accounting["rows"] == len(data)
    table = pa.Table.from_pandas(data, preserve_index=False)
    for reader in (table.to_reader(max_chunksize=1000), pa.RecordBatchReader.from_stream(table)):
        found = client.execute(task(reader, totals)).to_pandas()
        expected = data.groupby(["k", "s"])["v"].sum()
        pd.testing.assert_series_equal(found, expected, check_dtype=False, check_index_type=False)


def test_columns_widen_are_added_and_missing(client: RLMClient) -> None:
    def tables() -> Iterator[Any]:
        yield pd.DataFrame({"a": [1, 2], "n": [None, None]})
        yield pd.DataFrame({"a": [1.5], "b": ["x"]})
        yield pa.table({"b": pa.array(["y", "y"]).dictionary_encode(), "a": pa.array([7, None], pa.int32())})
        yield pa.table({"b": pa.array(["z"]).dictionary_encode(), "n": [3]})

    found = client.execute(task(tables(), everything)).to_arrow()
    assert found.to_pydict() == {
        "a": [1.0, 2.0, 1.5, 7.0, None, None],
        "n": [None, None, None, None, None, 3],
        "b": [None, None, "x", "y", "y", "z"],
    }


def test_columns_that_conflict_are_refused_with_both_tables(client: RLMClient) -> None:
    stream = iter([pd.DataFrame({"a": [1]}), pd.DataFrame({"a": ["x"]})])
    with pytest.raises(
        SchemaMismatchError, match=r"table 1 of the stream.*table 2|table 2 of the stream.*table 1"
    ):
        client.execute(task(stream, everything))


def test_a_second_use_is_refused(client: RLMClient) -> None:
    def tables() -> Iterator[Any]:
        yield pd.DataFrame({"a": [1]})

    made = tables()
    reader = pa.table({"a": [1]}).to_reader()
    for stream in (made, reader):
        assert client.execute(task(stream, lambda p: p["a"].sum())) == 1
        with pytest.raises(InvalidTaskError, match="read by an earlier task"):
            client.execute(task(stream, everything))
    mapped = map(pd.DataFrame, [{"a": [n]} for n in range(3)])
    assert client.execute(task(mapped, lambda p: p["a"].sum())) == 3
    with pytest.raises(InvalidTaskError, match="gave no table"):
        client.execute(task(mapped, everything))
    table = client.table(tables())
    for _ in range(2):
        assert (
            client.execute(task(pd.DataFrame({"a": [1]}), lambda p: p.merge(table, on="a")["a"].sum())) == 1
        )


def test_streams_without_rows(client: RLMClient) -> None:
    empty = pa.schema({"a": pa.int64()}).empty_table()
    assert client.execute(task(empty.to_reader(), everything)).to_arrow().num_rows == 0
    assert client.execute(task(iter([empty]), everything)).to_arrow().column_names == ["a"]
    with pytest.raises(InvalidTaskError, match="gave no table"):
        client.execute(task(iter([]), everything))


def test_the_users_exception_has_its_line_and_the_generator_is_closed(client: RLMClient) -> None:
    closed = []

    def tables() -> Iterator[Any]:
        try:
            yield pd.DataFrame({"a": [1]})
            raise KeyError("no such page")
        finally:
            closed.append(True)

    with pytest.raises(SourceUnreadableError, match=r"raised KeyError \(.*test_streams.py:\d+\)") as caught:
        client.execute(task(tables(), everything))
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.details["line"] == tables.__code__.co_firstlineno + 3
    assert closed == [True]
    reader = pa.RecordBatchReader.from_batches(
        pa.schema({"a": pa.int64()}), (t.to_batches()[0] for t in [pa.table({"a": [1 // n]}) for n in [1]])
    )
    assert client.execute(task(reader, lambda p: p["a"].sum())) == 1


def test_what_is_no_table_is_refused(client: RLMClient) -> None:
    for wrong, words in [
        ([{"a": 1}], "gave a dict"),
        ([pd.DataFrame({1: [1]})], "column label 1"),
        ([pd.DataFrame({"a": [1]}, index=["x"])], "index of its own"),
        ([pd.DataFrame({"a": [1]}), "text"], "gave a str"),
    ]:
        with pytest.raises(InvalidTaskError, match=words):
            client.execute(task(iter(wrong), everything))
    with pytest.raises(InvalidTaskError):
        client.execute(task(iter([pd.DataFrame({"a": [1]})]), everything, format="csv"))


def test_a_deadline_and_ctrl_c_end_an_endless_stream(client: RLMClient) -> None:
    closed = []

    def tables(stop: int | None = None) -> Iterator[Any]:
        try:
            n = 0
            while True:
                n += 1
                if n == stop:
                    raise KeyboardInterrupt
                time.sleep(0.001)
                yield pd.DataFrame({"a": [n]})
        finally:
            closed.append(True)

    # A busy machine may not have begun with the stream in so short a time.
    for deadline in (200, 1_000, 5_000):
        with pytest.raises(TaskTimeoutError):
            client.execute({**task(tables(), everything), "options": {"timeoutMs": deadline}})
        gc.collect()
        if closed:
            break
    assert closed == [True]
    with pytest.raises(KeyboardInterrupt):
        client.execute(task(tables(stop=3), everything))
    gc.collect()
    assert closed == [True, True]


@pytest.mark.timeout(600)
def test_a_stream_larger_than_memory_runs_in_bounded_memory(tmp_path: Path) -> None:
    program = """
        import resource, sys
        import numpy as np, pyarrow as pa
        from rlm_hypervisor import RLMClient

        def batches():
            random = np.random.default_rng(0)
            for n in range(30):
                v = random.integers(0, 1 << 60, 1_000_000)
                yield pa.record_batch({"k": v % 5, "v": v})

        def rows(p):
            return p[p["v"] % 2 == 0]

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with RLMClient(threads=2, memory_limit="128MiB", spill_dir=sys.argv[1]) as client:
            written = client.execute({
                "type": "parallel",
                "input": {"source": batches(), "operation": rows},
                "output": {"url": sys.argv[1] + "/out", "format": "parquet"},
            })
            assert 14_000_000 < written.rows < 16_000_000, written
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """

    def held(folder: Path) -> int:
        command = [sys.executable, "-c", textwrap.dedent(program), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
        return int(done.stdout) * 1024

    # The stream has 480 MB.
    least_of_three(held, 300_000 * 1024, tmp_path)
