"""ORC comes through pyarrow, as a table or stripe by stripe, and has the values and types that pyarrow gives it."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rlm_hypervisor import InvalidTaskError, RLMClient, SourceUnreadableError

orc = pytest.importorskip("pyarrow.orc")

ROWS = 50_000


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


@pytest.fixture
def path(tmp_path: Path) -> str:
    day = datetime.date(2024, 2, 29)
    table = pa.table(
        {
            "id": range(ROWS),
            "text": pa.array([None if n % 7 == 0 else f"é{n % 100}" for n in range(ROWS)]),
            "number": pa.array([n / 3 for n in range(ROWS)], pa.float32()),
            "day": [day] * ROWS,
            "price": pa.array([decimal.Decimal(n) / 100 for n in range(ROWS)], pa.decimal128(10, 2)),
            "list": [[n, n + 1] for n in range(ROWS)],
        }
    )
    path = str(tmp_path / "t.orc")
    orc.write_table(table, path, stripe_size=1 << 16, compression="zstd")
    return path


def stripes(path: str) -> Iterator[Any]:
    file = orc.ORCFile(path)
    yield file.schema.empty_table()
    for number in range(file.nstripes):
        yield file.read_stripe(number)


def test_orc_comes_through_pyarrow(client: RLMClient, path: str) -> None:
    expected = orc.ORCFile(path).read()
    assert orc.ORCFile(path).nstripes > 1
    for source in (expected, stripes(path)):
        task = {"type": "parallel", "input": {"source": source, "operation": lambda p: p}}
        assert client.execute(task).to_arrow().to_pylist() == expected.to_pylist()
    assert client.read(expected).head(2).to_arrow().to_pylist() == expected.slice(0, 2).to_pylist()


def test_a_damaged_file_is_an_error_of_the_source(client: RLMClient, path: str) -> None:
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceUnreadableError):
        client.execute(
            {"type": "parallel", "input": {"source": stripes(path), "operation": lambda p: len(p)}}
        )


def test_a_path_is_refused_with_the_way(client: RLMClient, path: str) -> None:
    with pytest.raises(InvalidTaskError, match=r"pyarrow\.orc\.ORCFile"):
        client.read(path)
