"""Operations on chunks of a source in workers: alignment, combining, and what happens when a chunk fails."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal
from rlm_hypervisor import (
    CombineRequiredError,
    OperationFailedError,
    RLMClient,
    SourceUnreadableError,
    WorkerCrashedError,
)

from tests.conftest import make_task
from tests.faults._workers import books, looked_after, still_serves

ROWS = 29


@pytest.fixture(scope="module")
def client(worker_kind: str) -> Iterator[RLMClient]:
    """Two workers for all tests."""
    with RLMClient(threads=1, workers=2, worker_kind=worker_kind) as client:
        yield client


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """Integers, floats, text and times; each but the first has nulls."""
    some = [None if n % 5 == 3 else n for n in range(ROWS)]
    text = [None if n is None else ["", "ключ", "a\nb", "日本", "x" * 50][n % 5] + str(n) for n in some]
    return pa.table(
        {
            "n": pa.array(range(ROWS), pa.int64()),
            "x": pa.array([None if n is None else n / 4 for n in some], pa.float64()),
            "s": pa.array(text, pa.string()),
            "t": pa.array([None if n is None else n * 10**9 for n in some], pa.timestamp("us")),
            "b": pa.array([None if n is None else n % 2 == 0 for n in some], pa.bool_()),
        }
    )


@pytest.fixture(scope="module")
def file(rows: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same in a file of several row groups."""
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(rows, path, row_group_size=10)
    return str(path)


def _task(source: Any, operation: Callable[..., Any], **more: Any) -> dict[str, Any]:
    options = {"mode": "python", **more.pop("options", {})}
    if options.get("retries"):
        options.setdefault("backoffMs", 1)
    return make_task(source, operation, options=options, **more)


def _whole(operation: Callable[..., Any], rows: pa.Table) -> Any:
    return _answered(operation(rows.to_pandas()))


def _answered(found: Any) -> Any:
    """As a `Result` has it: booleans with missing values are pandas' own."""
    return found.astype({"b": "boolean"}) if found.ndim == 2 and "b" in found else found


ALIGNED: dict[str, Callable[[Any], Any]] = {
    "all rows": lambda p: p,
    "new columns": lambda p: p.assign(y=p["x"] * 2 + p["n"], u=p["s"].str.upper()),
    "a column": lambda p: p["n"] * 3,
    "a filter": lambda p: p[p["n"] % 3 == 1],
    "a filtered column": lambda p: p.loc[p["x"] > 2, "x"],
    "nothing": lambda p: p[p["n"] < 0],
    "text": lambda p: p["s"].fillna("none") + "!",
    "times": lambda p: p["t"] + pd.Timedelta(days=1),
    "from Python": lambda p: p["n"].map(lambda n: n * n),
    "only the last rows": lambda p: p[p["n"] > ROWS - 4],
}


@pytest.mark.parametrize("chunk", [1, 7, ROWS, 1000])
@pytest.mark.parametrize("name", ALIGNED)
def test_what_looks_at_single_rows_is_as_on_the_whole(
    client: RLMClient, rows: pa.Table, file: str, name: str, chunk: int
) -> None:
    operation = ALIGNED[name]
    source = file if chunk % 2 else rows
    run = client.submit(_task(source, operation, chunkSize=chunk))
    counted = looked_after(run)
    found = run.result().to_pandas()
    expected = _whole(operation, rows)
    compare: Any = assert_frame_equal if expected.ndim == 2 else assert_series_equal
    compare(found, expected, check_dtype=len(expected) > 0, check_index_type=False)
    assert counted["succeeded"] == counted["accepted"] >= ROWS // chunk


def test_a_value_of_the_only_chunk_is_the_answer(client: RLMClient, rows: pa.Table) -> None:
    assert client.execute(_task(rows, lambda p: int(p["n"].sum()))) == sum(range(ROWS))
    assert client.execute(_task(rows, lambda p: {"rows": len(p)})) == {"rows": ROWS}


@pytest.mark.parametrize(
    "value", ["p['n'].sum()", "p.groupby('b')['n'].sum()", "None", "p.reset_index()[::-1]"]
)
def test_values_of_several_chunks_need_combine(client: RLMClient, rows: pa.Table, value: str) -> None:
    operation = eval(f"lambda p: {value}")
    run = client.submit(_task(rows, operation, chunkSize=7))
    counted = looked_after(run)
    with pytest.raises(CombineRequiredError, match="combine") as caught:
        run.result()
    assert caught.value.details["chunks"] == 5
    assert counted["pending"] == 0


def test_combine_by_a_function_in_a_list_or_one_after_the_other(client: RLMClient, rows: pa.Table) -> None:
    def total(p: Any) -> int:
        return int(p["n"].sum())

    def by_b(p: Any) -> Any:
        return p.groupby("b")["n"].sum()

    chunks = [sum(range(start, min(start + 7, ROWS))) for start in range(0, ROWS, 7)]
    assert client.execute(_task(rows, total, chunkSize=7, combine=sum)) == sum(chunks)
    assert client.execute(_task(rows, total, chunkSize=7, combine="list")) == chunks
    added = client.execute(
        _task(rows, by_b, chunkSize=7, combine=lambda parts: pd.concat(parts).groupby(level=0).sum())
    )
    assert_series_equal(added, by_b(rows.to_pandas()), check_index_type=False)
    joined = client.execute(_task(rows, by_b, chunkSize=7, combine="concat"))
    frames = [by_b(rows.slice(start, 7).to_pandas()) for start in range(0, ROWS, 7)]
    assert_series_equal(joined, pd.concat(frames), check_index_type=False)


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_a_combine_that_fails_fails_the_run(client: RLMClient, rows: pa.Table, on_error: str) -> None:
    def combine(parts: list[Any]) -> Any:
        raise ArithmeticError("not these")

    options = {"onError": on_error}
    run = client.submit(_task(rows, len, chunkSize=7, combine=combine, options=options))
    looked_after(run)
    assert run.state == "failed"
    with pytest.raises(OperationFailedError, match=r"`combine` raised ArithmeticError.*: not these"):
        run.result()


def _crashes_once(folder: Path, first: int) -> Callable[[Any], Any]:
    def operation(p: Any) -> Any:
        if p["n"].iloc[0] == first and not (folder / "mark").exists():
            (folder / "mark").touch()
            os._exit(1)
        return p

    return operation


def test_a_chunk_that_crashed_is_run_again(client: RLMClient, rows: pa.Table, tmp_path: Path) -> None:
    operation = _crashes_once(tmp_path, 14)
    found = client.execute(_task(rows, operation, chunkSize=7, options={"retries": 1})).to_pandas()
    assert_frame_equal(found, _answered(rows.to_pandas()), check_index_type=False)


@pytest.mark.parametrize("first", [0, 14, 28])
def test_a_chunk_that_is_skipped_leaves_the_others_their_row_numbers(
    client: RLMClient, rows: pa.Table, tmp_path: Path, first: int
) -> None:
    operation = _crashes_once(tmp_path, first)
    run = client.submit(_task(rows, operation, chunkSize=7, options={"onError": "skip"}))
    counted = looked_after(run)
    assert (counted["succeeded"], counted["failed"]) == (4, 1)
    found = run.result().to_pandas()
    expected = rows.to_pandas().drop(range(first, min(first + 7, ROWS)))
    assert_frame_equal(found, _answered(expected), check_index_type=False)
    error = run.failures()[first // 7]
    assert isinstance(error, WorkerCrashedError)
    assert error.details["chunk"] == f"chunk {first // 7} (rows {first} to {min(first + 6, ROWS - 1)})"


def test_where_every_chunk_failed_their_error_is_what_there_is_to_say(
    client: RLMClient, rows: pa.Table
) -> None:
    def operation(p: Any) -> Any:
        raise ValueError("none of them")

    for combine in ("auto", "list"):
        run = client.submit(_task(rows, operation, chunkSize=7, combine=combine, options={"onError": "skip"}))
        assert looked_after(run)["failed"] == 5
        if combine == "auto":
            with pytest.raises(OperationFailedError, match="none of them"):
                run.result()
        else:
            assert run.result() == []


def test_a_source_without_rows(client: RLMClient, rows: pa.Table) -> None:
    with pytest.raises(CombineRequiredError, match="no rows"):
        client.execute(_task(rows.slice(0, 0), lambda p: p))
    assert client.execute(_task(rows.slice(0, 0), len, combine="list")) == []
    assert client.execute(_task(rows.slice(0, 0), len, combine=sum)) == 0


def test_a_file_that_is_damaged_further_on_ends_the_run(
    client: RLMClient, rows: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.parquet"
    pq.write_table(rows, path, row_group_size=10, compression="none", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(1).column(2)
    data = bytearray(path.read_bytes())
    start = column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(data)
    run = client.submit(_task(str(path), lambda p: p, chunkSize=5, options={"onError": "skip"}))
    counted = looked_after(run)
    assert counted["pending"] == 0
    assert run.state == "failed"
    with pytest.raises(SourceUnreadableError, match=r"damaged\.parquet"):
        run.result()
    still_serves(client)


def test_deadline_and_cancel_stop_chunks(client: RLMClient, rows: pa.Table) -> None:
    def operation(p: Any) -> Any:
        while True:
            pass

    run = client.submit(_task(rows, operation, chunkSize=7, options={"timeoutMs": 1_500}))
    assert looked_after(run)["pending"] == 0
    assert run.state == "failed"
    run = client.submit(_task(rows, operation, chunkSize=7))
    run.cancel()
    assert run.wait(20)
    assert books(run)["pending"] == 0
    still_serves(client)
