"""`columns` of a source: what is not among them is neither compared, nor typed, nor decoded, in any format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, RLMClient, SchemaMismatchError

from tests.conftest import make_task
from tests.io.test_output import task

NAMES = ["n", "x", "s", "b"]
ROWS = pd.DataFrame(
    {
        "n": np.arange(500),
        "x": np.arange(500) * 0.25,
        "s": [f"text {n % 9}" for n in range(500)],
        "b": [n % 3 == 0 for n in range(500)],
    }
)


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, client: RLMClient) -> Path:
    """The rows in every format, and a directory by value."""
    folder = tmp_path_factory.mktemp("columns")
    for ending in ("parquet", "csv", "csv.gz", "jsonl", "arrow", "avro"):
        client.execute(task(ROWS, str(folder / f"rows.{ending}")))
    client.execute(task(ROWS, {"url": str(folder / "by"), "partitionBy": "b"}))
    return folder


@given(
    st.permutations(NAMES),
    st.integers(1, 4),
    st.sampled_from(["parquet", "csv", "csv.gz", "jsonl", "arrow", "avro"]),
)
@settings(max_examples=40, deadline=None)
def test_they_come_in_the_order_asked_for(
    client: RLMClient, folder: Path, names: list[str], count: int, ending: str
) -> None:
    wanted = names[:count]
    table = client.read(folder / f"rows.{ending}", columns=wanted)
    assert table.columns == wanted == table.schema.names
    found = table.to_pandas()
    pd.testing.assert_frame_equal(found, ROWS[wanted], check_dtype=False)
    document = make_task(str(folder / f"rows.{ending}"), lambda p: p)
    document["input"]["readOptions"] = {"columns": wanted}
    pd.testing.assert_frame_equal(client.execute(document).to_pandas(), found)


def test_columns_of_directories_are_among_them(client: RLMClient, folder: Path) -> None:
    found = client.read(folder / "by", columns=["b", "n"]).to_pandas()
    assert list(found) == ["b", "n"] and sorted(found["n"]) == list(range(500))
    assert set(client.read(folder / "by", columns=["b"]).to_pandas()["b"]) == {"false", "true"}
    assert client.read(folder / "by", columns=["x"]).schema.partition_columns == []


def test_an_index_of_pandas_comes_along(client: RLMClient, tmp_path: Path) -> None:
    data = pd.DataFrame({"v": [1, 2], "w": [3, 4]}, index=pd.Index(["a", "b"], name="key"))
    data.to_parquet(tmp_path / "f.parquet")
    found = client.read(tmp_path / "f.parquet", columns=["w"]).to_pandas()
    pd.testing.assert_frame_equal(
        found, pd.read_parquet(tmp_path / "f.parquet", columns=["w"]), check_index_type=False
    )


def test_others_may_be_what_they_like(client: RLMClient, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "y": [1]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"a": [2.5], "y": ["text"]}), tmp_path / "1.parquet")
    with pytest.raises(SchemaMismatchError):
        client.read(tmp_path)
    assert client.read(tmp_path, columns=["a"]).to_pandas()["a"].tolist() == [1.0, 2.5]
    (tmp_path / "mixed.jsonl").write_text('{"a": 1, "y": 1}\n{"y": {"z": [1]}, "a": 2}\n{"a": 3, "y": "x"}\n')
    with pytest.raises(Exception, match="both"):
        client.read(tmp_path / "mixed.jsonl")
    assert client.read(tmp_path / "mixed.jsonl", columns=["a"]).to_pandas()["a"].tolist() == [1, 2, 3]


def test_names_that_are_given_can_be_chosen(client: RLMClient, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("1;x;2.5\n2;y;3.5\n")
    options: Any = {"sep": ";", "names": ["a", "b", "c"], "dtype": {"a": "float64"}}
    found = client.read(tmp_path / "f.csv", columns=["c", "a"], read_options=options).to_pandas()
    pd.testing.assert_frame_equal(found, pd.DataFrame({"c": [2.5, 3.5], "a": [1.0, 2.0]}))


def test_fewer_columns_are_fewer_bytes(client: RLMClient, folder: Path) -> None:
    few, all_of_them = (
        client.read(folder / "rows.parquet", columns=["b"]),
        client.read(folder / "rows.parquet"),
    )
    few.to_arrow(), all_of_them.to_arrow()
    assert few.bytes_read < all_of_them.bytes_read / 3


def test_what_is_wrong_is_refused(client: RLMClient, folder: Path) -> None:
    for ending in ("parquet", "csv", "jsonl", "arrow", "avro"):
        with pytest.raises(
            SchemaMismatchError,
            match=r"`tekst`, which is in no file.*Did you mean `s`|columns of its files are n",
        ):
            client.read(folder / f"rows.{ending}", columns=["n", "tekst"])
    with pytest.raises(SchemaMismatchError, match="Did you mean `nn`") as caught:
        client.read(_named(folder, "nn"), columns=["nm"])
    assert caught.value.details["nearest"] == "nn"
    with pytest.raises(InvalidTaskError, match="`n` twice"):
        client.read(folder / "rows.csv", columns=["n", "n"])
    with pytest.raises(InvalidTaskError, match="both say"):
        client.read(folder / "rows.csv", columns=["n"], read_options={"columns": ["n"]})
    document = make_task(ROWS, lambda p: p)
    document["input"]["readOptions"] = {"columns": ["n"]}
    with pytest.raises(InvalidTaskError, match="Arrow data"):
        client.execute(document)
    with pytest.raises(InvalidTaskError, match='Did you mean "columns"'):
        client.table(folder / "rows.csv", read_options={"usecols": ["n"]})  # type: ignore[typeddict-unknown-key]


def _named(folder: Path, name: str) -> Path:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table({name: [1]}), path)
    return path
