"""`memory://`: what a client keeps in itself is read and written as in any store, counts, and goes with it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    OutOfMemoryError,
    OutputFailedError,
    RLMClient,
    SourceNotFoundError,
)

from tests.conftest import make_task
from tests.io.test_local import numbers
from tests.io.test_output import task


@pytest.fixture
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2, workers=1) as client:
        yield client


ROWS = pd.DataFrame({"n": range(1000), "k": [f"k{n % 3}" for n in range(1000)]})


def test_tasks_write_it_and_read_it(client: RLMClient) -> None:
    client.execute(task(ROWS, "memory://a/rows.parquet"))
    client.execute(task("memory://a/rows.parquet", {"url": "memory://by", "partitionBy": "k"}))
    assert sorted(numbers(client, "memory://by/*/*.parquet")) == list(range(1000))
    assert client.read("memory://by").schema.partition_columns == ["k"]
    found = client.execute(make_task("memory://a/*", lambda p: p.groupby("k")["n"].sum()))
    expected = ROWS.groupby("k")["n"].sum()
    pd.testing.assert_series_equal(found.to_pandas(), expected, check_dtype=False, check_index_type=False)
    found.write.csv("memory://sums.csv")
    assert client.memory["sums.csv"].decode().splitlines()[0] == "k,n"


def test_workers_read_what_is_in_it(client: RLMClient) -> None:
    client.memory["rows.csv"] = ROWS.to_csv(index=False).encode()
    found = client.execute(
        {
            "type": "parallel",
            "input": {"source": "memory://rows.csv", "operation": lambda p: p[p["n"] % 100 == 0]},
            "output": "memory://few.csv",
            "options": {"mode": "python"},
        }
    )
    assert found.rows == 10 and found.files[0].path == "memory://few.csv"
    assert numbers(client, "memory://few.csv") == list(range(0, 1000, 100))


def test_one_key_has_several_spellings(client: RLMClient) -> None:
    client.memory["memory://Bucket/x y#1.csv"] = b"n\n1\n"
    for address in ("memory://Bucket/x y#1.csv", "memory:///Bucket/x%20y#1.csv", "MEMORY://Bucket/*"):
        assert numbers(client, address) == [1], address
    assert list(client.memory) == ["Bucket/x y#1.csv"] and "/Bucket/x y#1.csv" in client.memory
    with pytest.raises(SourceNotFoundError, match=r"memory://bucket/x\.csv"):
        numbers(client, "memory://bucket/x.csv")
    for wrong in ("", "a//b", "a/../b"):
        with pytest.raises(InvalidTaskError, match="key of an object"):
            client.memory[wrong] = b""
        assert wrong not in client.memory
    with pytest.raises(InvalidTaskError, match="are bytes"):
        client.memory["x"] = "text"  # type: ignore[assignment]


def test_it_belongs_to_one_client(client: RLMClient) -> None:
    client.memory["x.csv"] = b"n\n1\n"
    with RLMClient(threads=1) as other:
        assert len(other.memory) == 0
        with pytest.raises(SourceNotFoundError):
            numbers(other, "memory://x.csv")
        other.memory["x.csv"] = b"n\n2\n"
        objects = other.memory
    assert numbers(client, "memory://x.csv") == [1]
    with pytest.raises(InvalidTaskError, match="closed"):
        _ = objects["x.csv"]


def test_what_it_holds_counts() -> None:
    with RLMClient(threads=2, memory_limit=32 << 20) as client:
        client.memory["large"] = bytes(20 << 20)
        with pytest.raises(OutOfMemoryError, match=r"memory://more.*del client\.memory"):
            client.memory["more"] = bytes(20 << 20)
        assert list(client.memory) == ["large"]
        table = pd.DataFrame({"n": range(400_000), "x": [n * 0.37 for n in range(400_000)]})
        with pytest.raises(OutputFailedError, match=r"no memory is left in the client.*memory://out"):
            client.execute(task(pd.concat([table] * 8), {"url": "memory://out", "format": "csv"}))
        assert list(client.memory) == ["large"]
        run = client.submit(make_task(table, lambda p: p["n"].max()))
        assert run.result() == 399_999
        del client.memory["large"]
        client.memory["more"] = bytes(20 << 20)
        client.memory.clear()
        assert len(client.memory) == 0


def test_a_key_that_outlives_it_is_refused(client: RLMClient) -> None:
    document = task(ROWS, "memory://x.parquet")
    document["options"] = {"idempotencyKey": "once"}
    with pytest.raises(InvalidTaskError, match="outlives"):
        client.execute(document)
