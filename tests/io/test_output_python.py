"""`output` of operations in workers: rows of chunks in their order, all or nothing, as of native ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import CombineRequiredError, InvalidTaskError, OutputFailedError, RLMClient, RLMError

ROWS = 20_000


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("source") / "rows.parquet"
    table = pa.table({"n": list(range(ROWS)), "k": [f"key {i % 5}" for i in range(ROWS)]})
    pq.write_table(table, path, row_group_size=6_000)
    return str(path)


def task(source: str, output: object, operation: Any, **options: Any) -> dict[str, Any]:
    rows = {"source": source, "operation": operation, "chunkSize": 3_000}
    return {"type": "parallel", "input": rows, "output": output, "options": {"mode": "python", **options}}


def doubled(frame: Any) -> Any:
    return frame.assign(twice=[int(n) * 2 for n in frame["n"]])


def test_rows_come_in_the_order_of_the_source(client: RLMClient, source: str, tmp_path: Path) -> None:
    def late(frame: Any) -> Any:
        # The first chunk comes last.
        if frame.index[0] == 0:
            time.sleep(0.3)
        return doubled(frame)

    for name in ("out.csv", "out.parquet"):
        written = client.execute(task(source, str(tmp_path / name), late))
        assert (written.rows, len(written.files)) == (ROWS, 1)
    for found in (pd.read_csv(tmp_path / "out.csv"), pd.read_parquet(tmp_path / "out.parquet")):
        assert found.columns.tolist() == ["n", "k", "twice"]
        assert found["twice"].tolist() == list(range(0, 2 * ROWS, 2))


def test_some_rows_keep_their_numbers(client: RLMClient, source: str, tmp_path: Path) -> None:
    def some(frame: Any) -> Any:
        return frame[[n % 3 == 0 for n in frame["n"]]]

    out = tmp_path / "out"
    client.execute(task(source, {"url": str(out), "partitionBy": "k"}, some))
    found = pd.read_parquet(out).sort_values("n")
    assert found["n"].tolist() == found["index"].tolist() == list(range(0, ROWS, 3))
    assert set(found["k"]) == {f"key {i}" for i in range(5)}


def test_types_that_differ_between_chunks_become_one(client: RLMClient, source: str, tmp_path: Path) -> None:
    def uneven(frame: Any) -> Any:
        first = frame.index[0] == 0
        return frame.assign(v=frame["n"] if first else frame["n"] + 0.5, t=None if first else "text")

    client.execute(task(source, str(tmp_path / "out.parquet"), uneven))
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert found["v"].tolist() == [n if n < 3_000 else n + 0.5 for n in range(ROWS)]
    assert found["t"].isna().sum() == 3_000

    def odd(frame: Any) -> Any:
        return frame.assign(v=1 if frame.index[0] == 0 else "text")

    with pytest.raises(RLMError, match='"v"'):
        client.execute(task(source, str(tmp_path / "odd.parquet"), odd))
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_what_goes_wrong_leaves_nothing(client: RLMClient, source: str, tmp_path: Path) -> None:
    def fails(frame: Any) -> Any:
        if frame.index[0] >= 9_000:
            raise ValueError("no such row")
        return frame

    with pytest.raises(RLMError, match="no such row"):
        client.execute(task(source, str(tmp_path / "out"), fails))
    assert list(tmp_path.iterdir()) == []
    written = client.execute(task(source, str(tmp_path / "some.csv"), fails, onError="skip"))
    assert written.rows == 9_000
    assert pd.read_csv(tmp_path / "some.csv")["n"].tolist() == list(range(9_000))

    def slow(frame: Any) -> Any:
        time.sleep(30)
        return frame

    run = client.submit(task(source, str(tmp_path / "late.csv"), slow))
    time.sleep(0.3)
    run.cancel()
    run.wait()
    assert run.state == "cancelled"
    end = time.monotonic() + 30
    while len(list(tmp_path.iterdir())) > 1 and time.monotonic() < end:
        time.sleep(0.02)
    assert [path.name for path in tmp_path.iterdir()] == ["some.csv"]


def test_modes(client: RLMClient, source: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    client.execute(task(source, out, doubled))
    with pytest.raises(OutputFailedError, match="exists already"):
        client.submit(task(source, out, doubled))
    assert client.execute(task(source, {"url": out, "mode": "ignore"}, doubled)).skipped
    client.execute(task(source, {"url": out, "mode": "append"}, doubled))
    assert len(pd.read_parquet(out)) == 2 * ROWS
    # The task's own source.
    client.execute(task(out, {"url": out, "mode": "overwrite"}, lambda frame: frame.drop(columns="twice")))
    assert pd.read_parquet(out).columns.tolist() == ["n", "k"]
    assert len(pd.read_parquet(out)) == 2 * ROWS


def test_what_is_no_rows_is_refused(client: RLMClient, source: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    with pytest.raises((CombineRequiredError, InvalidTaskError)):
        client.execute(task(source, out, lambda frame: 3))
    one = task(source, out, lambda frame: 3)
    one["input"]["source"] = pa.table({"n": [1, 2]})
    with pytest.raises(InvalidTaskError, match="rows of the chunk"):
        client.execute(one)
    combined = task(source, out, doubled)
    combined["input"]["combine"] = "concat"
    with pytest.raises(InvalidTaskError, match="combine"):
        client.submit(combined)
    with pytest.raises(InvalidTaskError, match="collect"):
        client.submit(task(source, out, doubled, onError="collect"))
    with pytest.raises(InvalidTaskError, match="output"):
        client.execute({"type": "parallel", "input": {"items": [1], "operation": abs}, "output": out})
    assert list(tmp_path.iterdir()) == []
