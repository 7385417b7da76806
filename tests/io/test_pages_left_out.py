"""Pages that their statistics rule out are not read, and no row is lost by it: whoever wrote the file, and however its rows
lie."""

from __future__ import annotations

import contextlib
import datetime as dt
import operator
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import RLMClient, SourceUnreadableError

from tests.conftest import make_task

ROWS = 3_000
EPOCH = dt.datetime(2020, 1, 1)


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


def column(kind: str, places: np.ndarray) -> pa.Array:
    """Values that order as these numbers do."""
    match kind:
        case "float64" | "float32":
            values = places / 4 - 100
            # Both zeros, and what is no number.
            values = np.where(places % 97 == 5, -0.0, np.where(places % 97 == 6, np.nan, values))
            return pa.array(values, getattr(pa, kind)())
        case "string":
            return pa.array([f"{n:05}{'é' * (n % 3)}" for n in places])
        case "timestamp":
            return pa.array([EPOCH + dt.timedelta(hours=int(n)) for n in places], pa.timestamp("us"))
        case "date32":
            return pa.array([EPOCH.date() + dt.timedelta(days=int(n)) for n in places])
        case "uint64":
            return pa.array(places.astype(np.uint64) + np.uint64(2**63 - 1500))
        case "int8":
            return pa.array((places // 24 - 60).astype(np.int8))
        case _:
            return pa.array(places - 1000, getattr(pa, kind)())


KINDS = ["int64", "int32", "int16", "int8", "uint64", "float64", "float32", "string", "timestamp", "date32"]

Writer = Callable[[pa.Table, Path], None]


def arrow(**options: Any) -> Writer:
    return lambda table, path: pq.write_table(table, path, **options)


SMALL = {"data_page_size": 512, "write_batch_size": 64}
WRITERS: dict[str, Writer] = {
    "heads of pages": arrow(**SMALL),
    "heads of pages of the second version": arrow(**SMALL, data_page_version="2.0", compression="zstd"),
    "heads, without dictionaries": arrow(**SMALL, use_dictionary=False, compression="none"),
    "heads, several row groups": arrow(**SMALL, row_group_size=700),
    "heads, a dictionary that ends": arrow(**SMALL, dictionary_pagesize_limit=2048),
    "index": arrow(**SMALL, write_page_index=True),
    "index, several row groups": arrow(**SMALL, write_page_index=True, row_group_size=700),
    "no statistics": arrow(**SMALL, write_statistics=False),
    "Polars": lambda table, path: pl.from_arrow(table).write_parquet(path, data_page_size=512),  # type: ignore[union-attr]
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, pa.Table]:
    """Rows that are sorted, nearly, in stretches, or not at all; some of them missing, also many in a row."""
    kind = draw(st.sampled_from(KINDS))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    places = np.arange(ROWS)
    match draw(st.sampled_from(["up", "down", "nearly", "stretches", "none"])):
        case "down":
            places = places[::-1]
        case "nearly":
            places = np.clip(places + random.integers(-40, 40, ROWS), 0, ROWS)
        case "stretches":
            places = np.concatenate(random.permutation(places.reshape(10, -1)))
        case "none":
            places = random.permutation(places)
    values = column(kind, places.copy())
    missing = np.zeros(ROWS, bool)
    if draw(st.booleans()):
        missing |= random.random(ROWS) < 0.1
        start = int(random.integers(0, ROWS))
        missing[start : start + 400] = True
    values = pa.array(
        [None if gone else value for gone, value in zip(missing, values.to_pylist(), strict=True)],
        values.type,
    )
    other = pa.array([f"row {n}" for n in range(ROWS)])
    return kind, pa.table({"k": values, "n": np.arange(ROWS), "s": other})


COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}


def literal(kind: str, place: int) -> Any:
    value = column(kind, np.array([place]))[0].as_py()
    if kind == "timestamp":
        return pd.Timestamp(value)
    return value


@given(tables(), st.sampled_from(list(WRITERS)), st.data())
@settings(max_examples=150, deadline=None)
def test_no_row_is_lost(
    client: RLMClient,
    tmp_path_factory: pytest.TempPathFactory,
    drawn: tuple[str, pa.Table],
    writer: str,
    data: st.DataObject,
) -> None:
    kind, table = drawn
    path = tmp_path_factory.mktemp("pages") / "rows.parquet"
    WRITERS[writer](table, path)
    conditions = data.draw(
        st.lists(st.tuples(st.sampled_from(list(COMPARED)), st.integers(0, ROWS)), min_size=1, max_size=2)
    )
    values = [(COMPARED[compared], literal(kind, place)) for compared, place in conditions]
    beside = data.draw(st.none() | st.integers(0, ROWS))

    def chosen(p: Any) -> Any:
        for compare, value in values:
            p = p[compare(p["k"], value)]
        if beside is not None:
            p = p[p["n"] < beside]
        return p[["n", "s"]]

    # Without pages: the same rows as Arrow data in memory.
    expected = client.execute(make_task(table, chosen)).to_pandas()
    pd.testing.assert_frame_equal(client.execute(make_task(str(path), chosen)).to_pandas(), expected)
    # And by hand: what is missing meets nothing.
    keys = table["k"].to_pylist()

    def meets(n: int) -> bool:
        met = all(keys[n] is not None and compare(keys[n], value) for compare, value in values)
        return met and (beside is None or n < beside)

    assert expected["n"].tolist() == [n for n in range(ROWS) if meets(n)]


@pytest.mark.parametrize(
    "writer", [name for name in WRITERS if "no statistics" not in name and name != "Polars"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_few_rows_of_a_sorted_file(client: RLMClient, tmp_path: Path, writer: str, kind: str) -> None:
    """And the file is hardly read for them."""
    table = pa.table({"k": column(kind, np.arange(ROWS)), "n": np.arange(ROWS)})
    if kind.startswith("float"):
        table = pa.table({"k": pa.array(np.arange(ROWS) / 4, table["k"].type), "n": np.arange(ROWS)})
    WRITERS[writer](table, tmp_path / "rows.parquet")
    low, high = (table["k"][place].as_py() for place in (1200, 1300))
    if kind == "timestamp":
        low, high = pd.Timestamp(low), pd.Timestamp(high)
    document = make_task(str(tmp_path / "rows.parquet"), lambda p: p[(p["k"] >= low) & (p["k"] <= high)])
    run = client.submit(document)
    found = run.result().to_pandas()["n"].tolist()
    keys = table["k"].to_pylist()
    assert found == [n for n in range(ROWS) if low <= keys[n] <= high]
    read = run.explain().to_dict()["scans"][0]["rows"]
    # Short floats are compared as long ones, which statistics of short ones say nothing of.
    assert len(found) <= read < ROWS / 2 or (kind == "float32" and read == ROWS), read


def test_rows_of_a_column_that_is_not_sorted_are_all_read(client: RLMClient, tmp_path: Path) -> None:
    values = np.random.default_rng(0).permutation(ROWS)
    pq.write_table(pa.table({"k": values}), tmp_path / "rows.parquet", **SMALL)
    run = client.submit(make_task(str(tmp_path / "rows.parquet"), lambda p: p[p["k"] < 1500]))
    assert run.result().to_pandas()["k"].tolist() == values[values < 1500].tolist()
    assert run.explain().to_dict()["scans"][0]["rows"] == ROWS


@pytest.mark.parametrize("step", [1, 7])
def test_damaged_heads_lose_nothing_and_hang_nothing(client: RLMClient, tmp_path: Path, step: int) -> None:
    """A byte of the pages is another one: the rows are still right, or the file is refused by name."""
    table = pa.table({"k": np.arange(400), "n": np.arange(400)})
    path = tmp_path / "rows.parquet"
    pq.write_table(
        table, path, data_page_size=512, write_batch_size=64, compression="none", use_dictionary=False
    )
    good = path.read_bytes()
    # The heads of the first pages.
    for place in range(4, 700, 11 * step):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x15]) + good[place + 1 :])
        document = make_task(str(path), lambda p: p[(p["k"] >= 200) & (p["k"] < 240)])
        with contextlib.suppress(SourceUnreadableError):
            assert len(client.execute(document).to_pandas()) <= 400
