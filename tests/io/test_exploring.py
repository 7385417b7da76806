"""Looking at a source: its schema, a few rows, a preview; and how little is read for it."""

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
from rlm_hypervisor import InvalidTaskError, RLMClient, SchemaMismatchError, SourceNotFoundError

ROWS = 200_000


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years of rows in a hundred row groups."""
    random = np.random.default_rng(3)
    root = tmp_path_factory.mktemp("sales")
    for year in (2023, 2024):
        place = root / f"year={year}"
        place.mkdir()
        table = pa.table(
            {"n": np.arange(ROWS // 2) + (year - 2023) * ROWS // 2, "x": random.normal(size=ROWS // 2)}
        )
        pq.write_table(table, place / "part.parquet", row_group_size=2_000)
    return root


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*.parquet"))


def test_a_schema_tells_what_footers_tell(client: RLMClient, folder: Path) -> None:
    schema = client.schema(folder)
    assert dict(schema) == {"n": "int64", "x": "float64", "year": "int32"}
    assert (schema.rows, schema.files, schema.parts, schema.bytes) == (ROWS, 2, 100, size(folder))
    assert schema.partition_columns == ["year"] and schema.format == "Parquet"
    assert "200,000 rows, 2 files" in repr(schema) and "float64" in schema._repr_html_()


def test_schemas_of_other_formats(client: RLMClient, tmp_path: Path) -> None:
    data = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    data.to_csv(tmp_path / "f.csv", index=False)
    data.to_json(tmp_path / "f.jsonl", orient="records", lines=True)
    data.to_feather(tmp_path / "f.arrow")
    for name in ("f.csv", "f.jsonl", "f.arrow"):
        schema = client.schema(tmp_path / name)
        assert dict(schema) == {"a": "int64", "b": "str"} and schema.rows == 2, name
        assert schema.bytes == (tmp_path / name).stat().st_size
    assert client.schema(data).files is None
    assert (
        dict(client.schema(str(tmp_path / "f.csv"), read_options={"dtype": {"a": "float64"}}))["a"]
        == "float64"
    )


def test_a_preview_reads_a_bounded_share(client: RLMClient, folder: Path) -> None:
    table = client.read(folder)
    assert table.bytes_read == 0 and len(table) == ROWS and table.shape == (ROWS, 3)
    text = repr(table)
    assert table.bytes_read < size(folder) / 10
    assert "200,000 rows, 3 columns; the first 10" in text
    before = table.bytes_read
    assert "the first 10" in table._repr_html_()
    assert table.bytes_read - before < size(folder) / 10
    assert table.head(3).to_pandas()["n"].tolist() == [0, 1, 2]


def test_a_sample_reads_only_parts_that_have_drawn_rows(client: RLMClient, folder: Path) -> None:
    table = client.read(folder, columns=["x", "n"])
    found = table.sample(5, seed=1).to_pandas()
    assert 0 < table.bytes_read < size(folder) / 5
    whole = client.read(folder).to_pandas()
    pd.testing.assert_frame_equal(found, whole.loc[found.index, ["x", "n"]])
    pd.testing.assert_frame_equal(
        found, client.read(folder, columns=["x", "n"]).sample(5, seed=1).to_pandas()
    )
    assert not found.equals(table.sample(5, seed=2).to_pandas())
    before = table.bytes_read
    assert len(table.sample(1_000, seed=1)) == 1_000
    assert table.bytes_read - before < size(folder) * 1.1
    assert len(table.sample(30_000, seed=1, parts=1)) == 30_000


@given(
    st.integers(0, 300),
    st.integers(0, 9),
    st.sampled_from([None, 1, 3]),
    st.sampled_from(["parquet", "csv", "memory"]),
)
@settings(max_examples=40, deadline=None)
def test_a_sample_has_rows_of_the_source_in_order_and_none_twice(
    client: RLMClient,
    tmp_path_factory: pytest.TempPathFactory,
    n: int,
    seed: int,
    parts: int | None,
    kind: str,
) -> None:
    data = pd.DataFrame({"a": np.arange(120), "b": [f"t{i}" for i in range(120)]})
    source: Any = data
    if kind != "memory":
        path = tmp_path_factory.mktemp("sample") / f"f.{kind}"
        if kind == "csv":
            data.to_csv(path, index=False)
        else:
            pq.write_table(pa.Table.from_pandas(data), path, row_group_size=11)
        source = path
    found = client.read(source).sample(n, seed, parts=parts).to_pandas()
    assert len(found) == min(n, 120) and found.index.is_unique and found.index.is_monotonic_increasing
    pd.testing.assert_frame_equal(found, data.loc[found.index], check_index_type=False)


def test_every_row_is_as_likely_as_another(client: RLMClient, tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    groups = [1, 50, 4, 20, 25]
    with pq.ParquetWriter(path, pa.schema({"a": pa.int64()})) as writer:
        start = 0
        for rows in groups:
            writer.write_table(pa.table({"a": np.arange(start, start + rows)}))
            start += rows
    table = client.read(path)
    drawn = np.concatenate([table.sample(1, seed, parts=2).to_pandas()["a"] for seed in range(400)])
    counts = [((drawn >= low) & (drawn < high)).sum() for low, high in [(0, 51), (51, 100)]]
    assert abs(counts[0] - 400 * 0.51) < 60


def test_indexes_of_pandas_stay(client: RLMClient, tmp_path: Path) -> None:
    for number, index in enumerate([pd.Index(list("abcdefgh"), name="key"), pd.RangeIndex(10, 26, 2)]):
        data = pd.DataFrame({"v": np.arange(8)}, index=index)
        data.to_parquet(tmp_path / f"{number}.parquet")
        found = client.read(tmp_path / f"{number}.parquet").sample(4, seed=0).to_pandas()
        pd.testing.assert_frame_equal(found, data.loc[found.index], check_index_type=False)


def test_a_table_stands_for_its_source(client: RLMClient, folder: Path) -> None:
    table = client.read(folder)
    by_year = client.execute(
        {"type": "parallel", "input": {"source": table, "operation": lambda p: p["year"].nunique()}}
    )
    assert by_year == 2
    few = pd.DataFrame({"n": [5, 7]})
    joined = client.execute(
        {
            "type": "parallel",
            "input": {"source": few, "operation": lambda p: p.merge(table, on="n")[["n", "year"]]},
        }
    )
    assert joined.to_dict() == {"n": [5, 7], "year": [2023, 2023]}
    assert table.to_arrow().num_rows == table.to_polars().height == pa.table(table).num_rows == ROWS


def test_streams_can_be_looked_at(client: RLMClient) -> None:
    table = client.read(pd.DataFrame({"a": [n]}) for n in range(20))
    assert len(table) == 20 and table.sample(3, seed=0).to_pandas().index.is_unique
    assert table.head(2).to_dict() == {"a": [0, 1]}
    with pytest.raises(InvalidTaskError, match="used up"):
        client.schema(iter([pd.DataFrame({"a": [1]})]))


def test_what_is_wrong_is_refused(client: RLMClient, folder: Path) -> None:
    with pytest.raises(SchemaMismatchError, match="column `z`"):
        client.read(folder, columns=["z"])
    with pytest.raises(InvalidTaskError, match="list of names"):
        client.read(folder, columns="n")
    with pytest.raises(SourceNotFoundError):
        client.schema(folder / "nothing")
    for wrong in ({"n": -1}, {"n": 2.5}, {"parts": 0}):
        with pytest.raises(InvalidTaskError):
            client.read(folder).sample(**wrong)
