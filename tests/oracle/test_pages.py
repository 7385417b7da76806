"""Conditions on Parquet columns however their pages were written: the answer is pandas' on the same rows."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient, SourceUnreadableError

from tests.conftest import make_task
from tests.oracle._run import check

Clients = Callable[[int], RLMClient]

ROWS = 1_300
DAY = pd.Timestamp("2024-03-01")

QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "few are left": lambda p: p[(p["day"] >= DAY) & (p["few"] == "b") & (p["n"] > 60)][["n", "x", "many"]],
    "most are left": lambda p: p[(p["few"] != "a") | (p["n"] > 5)],
    "none is left": lambda p: p[(p["few"] == "never")],
    "columns of conditions alone": lambda p: p[(p["few"].isin(["a", "c"])) & (p["day"] < DAY)]["x"],
    "missing values": lambda p: p[p["few"].isna() | (p["x"] != p["x"])],
    "two columns": lambda p: p[(p["n"] < p["m"]) & (p["few"] == "a")],
    "texts": lambda p: p[p["many"].str.contains("7") & ~p["few"].str.startswith("a", na=False)],
    "rows as they were numbered": lambda p: p[(p["few"] == "b") & (p["n"] > 50)].reset_index(),
    "flags": lambda p: p[p["flag"] & (p["few"] == "b")][["flag", "small", "cents"]],
    "grouped by a dictionary": lambda p: p[p["n"] > 40].groupby("few")["x"].sum(),
    "grouped by what is asked": lambda p: p[p["few"].isin(["a", "b"])].groupby(["few", "n"])["m"].sum(),
    "one number": lambda p: p[(p["n"].between(20, 60)) & (p["few"] >= "b")]["m"].sum(),
}

WAYS: dict[str, dict[str, Any]] = {
    "as pyarrow writes": {},
    "small pages": {"data_page_size": 200, "write_batch_size": 16},
    "plain": {"use_dictionary": False, "compression": "none"},
    "full dictionaries": {"dictionary_pagesize_limit": 64, "data_page_size": 256, "write_batch_size": 16},
    "second version": {"data_page_version": "2.0", "data_page_size": 200, "write_batch_size": 16},
    "deltas": {"use_dictionary": False, "column_encoding": "DELTA_BINARY_PACKED", "columns": ["n", "m"]},
}


def table(missing: bool) -> pa.Table:
    chance = np.random.default_rng(5)
    gaps = chance.random((6, ROWS)) < (0.1 if missing else 0.0)

    def column(values: Any, kind: pa.DataType, gap: int) -> pa.Array:
        return pa.array([None if out else value for value, out in zip(values, gaps[gap], strict=True)], kind)

    numbers = chance.integers(0, 100, ROWS)
    days = [DAY.to_pydatetime() + dt.timedelta(days=int(n) - 50) for n in chance.integers(0, 100, ROWS)]
    return pa.table(
        {
            "n": pa.array(numbers, pa.int64()),
            "m": pa.array(chance.integers(0, 100, ROWS), pa.int64()),
            "x": column((chance.normal(size=ROWS)).tolist(), pa.float64(), 0),
            "few": column(chance.choice(["a", "b", "c, which is longer than a view"], ROWS), pa.string(), 1),
            "many": column([f"text number {n} ä{i}" for i, n in enumerate(numbers)], pa.string(), 2),
            "day": column(days, pa.timestamp("us"), 3),
            "flag": pa.array(chance.random(ROWS) < 0.5),
            "small": pa.array(numbers, pa.int8()),
            "cents": pa.array((numbers * 100).astype("float32")),
        }
    )


def write(data: pa.Table, path: Path, way: str) -> str:
    options = dict(WAYS[way])
    only = options.pop("columns", None)
    if only:
        options["column_encoding"] = dict.fromkeys(only, options["column_encoding"])
    pq.write_table(data, path, row_group_size=500, **options)
    return str(path)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_every_question_of_every_way(clients: Clients, tmp_path: Path, way: str, missing: bool) -> None:
    data = table(missing)
    source = write(data, tmp_path / "t.parquet", way)
    for (name, question), chunk in zip(QUESTIONS.items(), itertools.cycle([7, 100, "auto"]), strict=False):
        if missing and name == "texts":
            continue
        check(clients(2).execute, question, data, source, chunk)


def test_files_written_in_different_ways(clients: Clients, tmp_path: Path) -> None:
    data = table(True)
    for number, way in enumerate(WAYS):
        write(data.slice(number * 200, 200), tmp_path / f"{number}.parquet", way)
    whole = data.slice(0, 200 * len(WAYS))
    for question in (
        "few are left",
        "most are left",
        "rows as they were numbered",
        "grouped by a dictionary",
    ):
        check(clients(2).execute, QUESTIONS[question], whole, str(tmp_path), 50)


def test_a_damaged_page_is_told_with_its_column(client: RLMClient, tmp_path: Path) -> None:
    data = table(False)
    path = tmp_path / "t.parquet"
    pq.write_table(data, path, compression="none", use_dictionary=False, write_page_index=False)
    column = pq.ParquetFile(path).metadata.row_group(0).column(4)
    damaged = bytearray(path.read_bytes())
    start = column.data_page_offset + 60
    damaged[start : start + 400] = b"\xff" * 400
    path.write_bytes(damaged)
    with pytest.raises(SourceUnreadableError, match="many"):
        client.execute(make_task(str(path), lambda p: p[p["n"] > 50]["many"].str.len().sum()))
