"""Read options of JSON lines: types and dates, as pandas and Polars have them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, RLMClient, SourceUnreadableError


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json") / "f.jsonl"


def read(client: RLMClient, path: Path, lines: list[Any], **options: Any) -> Any:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return client.read(path, read_options=options)


NUMBERS = st.lists(st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)), min_size=1, max_size=30)


@given(NUMBERS)
@settings(max_examples=30, deadline=None)
def test_types_are_those_of_polars(client: RLMClient, path: Path, values: list[int | None]) -> None:
    if all(value is None for value in values):
        return
    lines = [{"a": value, "b": value, "c": value, "rest": value} for value in values]
    table = read(client, path, lines, dtype={"a": "str", "b": "int32", "c": "float64"})
    schema = {"a": pl.String, "b": pl.Int32, "c": pl.Float64, "rest": pl.Int64}
    expected = pl.read_ndjson(io.BytesIO(path.read_bytes()), schema=schema)
    assert table.to_polars().to_dict(as_series=False) == expected.to_dict(as_series=False)
    assert table.dtypes == {"a": "str", "b": "int32", "c": "float64", "rest": "int64"}


@given(st.lists(st.datetimes(pd.Timestamp(1900, 1, 1), pd.Timestamp(2200, 1, 1)), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_dates_are_those_of_pandas(client: RLMClient, path: Path, values: list[Any]) -> None:
    lines = [{"iso": value.isoformat(), "day": value.strftime("%d.%m.%Y")} for value in values]
    found = read(client, path, lines, dates={"iso": None, "day": "%d.%m.%Y"}).to_pandas()
    texts = pd.DataFrame(lines)
    expected = pd.DataFrame(
        {
            "iso": pd.to_datetime(texts["iso"], format="ISO8601"),
            "day": pd.to_datetime(texts["day"], format="%d.%m.%Y"),
        }
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_texts_as_numbers_and_numbers_as_texts(client: RLMClient, path: Path) -> None:
    path.write_text('{"n": "7", "s": 1.50, "d": "2.25", "b": true, "e": ""}\n{"s": 12345678901234567890}\n')
    options = {"dtype": {"n": "int8", "s": "str", "d": "decimal(5, 2)", "b": "str", "e": "str"}}
    found = client.read(path, read_options=options)
    assert found.to_polars().to_dicts()[0]["s"] == "1.50"
    assert found.to_pandas()["s"].tolist() == ["1.50", "12345678901234567890"]
    assert found.to_polars()["e"].to_list() == ["", None]
    assert str(found.to_polars()["d"].to_list()[0]) == "2.25"
    assert found.to_polars()["b"].to_list() == ["true", None]
    both = {
        "type": "parallel",
        "input": {"source": str(path), "readOptions": options, "operation": lambda p: p["n"].sum()},
    }
    assert client.execute(both) == 7


def test_what_is_wrong_is_refused(client: RLMClient, path: Path) -> None:
    lines = [{"a": 1}, {"a": 300, "o": {"x": 1}}]
    with pytest.raises(SourceUnreadableError, match=r"column `a` has \"300\": it is no int8"):
        read(client, path, lines, dtype={"a": "int8"}).to_pandas()
    with pytest.raises(SourceUnreadableError, match="lists or objects"):
        read(client, path, lines, dtype={"o": "str"})
    with pytest.raises(InvalidTaskError, match="which is in no file"):
        read(client, path, lines, dtype={"b": "str"})
    for name in ("sep", "names", "skipRows"):
        value = {"sep": ";", "names": ["a"], "skipRows": 1}[name]
        with pytest.raises(InvalidTaskError, match="no option of JSON lines"):
            read(client, path, lines, **{name: value})
