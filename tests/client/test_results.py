"""Results: scalars are scalars, tables are Arrow inside with every way out."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import InvalidTaskError, OutputFailedError, RLMClient

from tests.conftest import make_task


@pytest.fixture(scope="module")
def grouped(client: RLMClient, data: pa.Table) -> Any:
    """A series by key: a: 8, b: 4, c: 5."""
    return client.execute(make_task(data, lambda p: p.groupby("k")["i"].sum()))


@pytest.fixture(scope="module")
def rows(client: RLMClient, data: pa.Table) -> Any:
    """The rows as they are."""
    return client.execute(make_task(data, lambda p: p))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda p: p["i"].sum(), 21),
        (lambda p: p["x"].mean(), 1.4),
        (lambda p: p["s"].max(), "ключ"),
        (lambda p: (p["i"] > 5).max(), True),
        (lambda p: p["k"].nunique(dropna=False), 4),
        (lambda p: p.shape[0], 6),
        (lambda p: 7, 7),
        (lambda p: "constant", "constant"),
        (lambda p: [1, "two"], [1, "two"]),
    ],
)
def test_scalars_are_python_scalars(client: RLMClient, data: pa.Table, operation: Any, expected: Any) -> None:
    answer = client.execute(make_task(data, operation))
    assert answer == expected
    assert type(answer) is type(expected)


def test_times_are_times(client: RLMClient) -> None:
    moment = dt.datetime(2024, 2, 29, 12, 30, 0, 123456)
    data = pa.table({"t": pa.array([moment, None], pa.timestamp("us"))})
    answer = client.execute(make_task(data, lambda p: p["t"].max()))
    assert isinstance(answer, dt.datetime)
    assert answer == moment


def test_a_series_goes_to_pandas_as_one(grouped: Any) -> None:
    series = grouped.to_pandas()
    assert isinstance(series, pd.Series)
    assert series.name == "i"
    assert series.index.name == "k"
    assert series.to_dict() == {"a": 8, "b": 4, "c": 5}


def test_integers_and_booleans_with_missing_values_are_exact_in_pandas(client: RLMClient) -> None:
    large = 2**53 + 1
    data = pa.table(
        {
            "i": pa.array([large, None, 3], pa.int64()),
            "n": pa.array([None, None, None], pa.uint8()),
            "b": pa.array([True, None, False]),
            "whole": [1, 2, 3],
        }
    )
    frame = client.execute(make_task(data, lambda p: p)).to_pandas()
    assert [str(dtype) for dtype in frame.dtypes] == ["Int64", "UInt8", "boolean", "int64"]
    assert frame["i"].tolist() == [large, pd.NA, 3]
    assert frame["b"].tolist() == [True, pd.NA, False]
    assert frame.notna().sum().tolist() == [2, 0, 2, 3]
    keyed = client.execute(make_task(data, lambda p: p.groupby("i", dropna=False)["whole"].sum())).to_pandas()
    assert keyed.index.tolist() == [3, large, pd.NA]
    assert str(keyed.index.dtype) == "Int64"


def test_arrow_has_the_index_first(grouped: Any) -> None:
    table = grouped.to_arrow()
    assert isinstance(table, pa.Table)
    assert table.column_names == ["k", "i"]
    assert table.to_pydict() == {"k": ["a", "b", "c"], "i": [8, 4, 5]}


def test_polars(grouped: Any) -> None:
    frame = grouped.to_polars()
    assert isinstance(frame, pl.DataFrame)
    assert frame.rows() == [("a", 8), ("b", 4), ("c", 5)]


def test_the_capsule(rows: Any, data: pa.Table) -> None:
    assert pa.table(rows).to_pylist() == data.to_pylist()
    assert pl.DataFrame(rows).rows() == pl.DataFrame(data).rows()


def test_a_result_can_be_read_many_times(rows: Any) -> None:
    assert rows.to_arrow().equals(rows.to_arrow())
    frame = rows.to_pandas()
    frame.loc[0, "i"] = 99
    assert rows.to_pandas().loc[0, "i"] == 1


def test_a_result_is_a_source(client: RLMClient, rows: Any) -> None:
    assert client.execute(make_task(rows, lambda p: p["i"].sum())) == 21


def test_shape_of_repr(rows: Any, grouped: Any) -> None:
    for result in (rows, grouped):
        text = repr(result)
        assert text
        assert len(text.splitlines()) < 80
    assert "ключ" in repr(rows)


def test_the_notebook_table_escapes(rows: Any) -> None:
    html = rows._repr_html_()
    assert "<table" in html
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a&amp;b" in html


def test_column_names_are_escaped_too(client: RLMClient) -> None:
    data = pa.table({"<b>name</b>": [1]})
    html = client.execute(make_task(data, lambda p: p))._repr_html_()
    assert "<b>name" not in html
    assert "&lt;b&gt;name" in html


def test_long_results_are_cut_in_repr(client: RLMClient) -> None:
    result = client.execute(make_task(pa.table({"n": list(range(5000))}), lambda p: p))
    assert len(repr(result)) < 10_000
    assert "5000" in repr(result).replace(",", "").replace("_", "")
    assert result._repr_html_().count("<tr") < 200


def test_write_parquet(rows: Any, data: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    rows.write.parquet(str(path))
    assert pq.read_table(path).to_pylist() == data.to_pylist()
    with pytest.raises(OutputFailedError) as caught:
        rows.write.parquet(str(path))
    assert "out.parquet" in str(caught.value)
    assert isinstance(caught.value, OSError)
    rows.write.parquet(str(path), mode="overwrite")
    rows.write.parquet(tmp_path / "other.parquet")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.parquet", "out.parquet"]


def test_write_to_nowhere(rows: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(OutputFailedError):
        rows.write.parquet(str(tmp_path / "file" / "out.parquet"))


def test_the_index_is_written_as_columns(grouped: Any, tmp_path: Path) -> None:
    grouped.write.parquet(str(tmp_path / "g.parquet"))
    assert pq.read_table(tmp_path / "g.parquet").column_names == ["k", "i"]


def test_a_result_outlives_its_client(data: pa.Table) -> None:
    with RLMClient(threads=1) as client:
        result = client.execute(make_task(data, lambda p: p[["i"]]))
    assert result.to_pandas()["i"].tolist() == [1, 2, 3, 4, 5, 6]


def test_only_known_modes_of_writing(client: RLMClient, tmp_path: Path) -> None:
    result = client.execute(make_task(pa.table({"v": [1.0]}), lambda p: p))
    with pytest.raises(InvalidTaskError, match="append"):
        result.write.parquet(tmp_path / "t.parquet", mode="append")
    assert not list(tmp_path.iterdir())


def test_overwriting_keeps_links_and_permissions(client: RLMClient, tmp_path: Path) -> None:
    result = client.execute(make_task(pa.table({"v": [1.0]}), lambda p: p))
    target, link = tmp_path / "target.parquet", tmp_path / "link.parquet"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    result.write.parquet(link, mode="overwrite")
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert pq.read_table(target)["v"].to_pylist() == [1.0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.parquet", "target.parquet"]


@pytest.mark.parametrize("kind", ["directory", "pipe", "dangling link"])
def test_only_files_are_overwritten(client: RLMClient, tmp_path: Path, kind: str) -> None:
    result = client.execute(make_task(pa.table({"v": [1.0]}), lambda p: p))
    path = tmp_path / "there.parquet"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "nowhere")
    for mode in ("error", "overwrite"):
        with pytest.raises(OutputFailedError):
            result.write.parquet(path, mode=mode)  # type: ignore[arg-type]
    assert path.is_dir() or path.is_fifo() or path.is_symlink()


def test_values_without_pyarrow(client: RLMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the base install has is what pyarrow gives."""
    data = pa.table(
        {
            "k": ["a", None, "c"],
            "i": pa.array([1, None, 2**63 - 1], pa.int64()),
            "u": pa.array([2**64 - 1, 0, None], pa.uint64()),
            "x": [0.5, None, float("inf")],
            "b": [True, None, False],
            "y": pa.array([b"a", None, b"\xff"]),
            "d": pa.array([dt.date(2024, 2, 29), None, dt.date(1, 1, 1)]),
            "t": pa.array([0, None, -1], pa.timestamp("us")),
            "z": pa.array([0, None, 10**15], pa.timestamp("us", "Europe/Berlin")),
            "o": pa.array([0, None, -1], pa.duration("us")),
            "n": pa.array([Decimal("1.10"), None, Decimal("-2.25")], pa.decimal128(9, 2)),
        }
    )
    results = [
        client.execute(make_task(data, operation, chunkSize=1))
        for operation in (lambda p: p, lambda p: p.groupby("k")["x"].sum(), lambda p: p["i"])
    ]
    expected = [result.to_dict() for result in results]
    lists = client.execute(make_task(pa.table({"l": [[1], [2]]}), lambda p: p))

    def absent(module: str, purpose: str) -> Any:
        raise ImportError(module)

    monkeypatch.setattr("rlm_hypervisor.result.require", absent)
    assert [result.to_dict() for result in results] == expected
    with pytest.raises(ImportError):
        lists.to_dict()
