"""Joins within joins, of which the inner one lacks memory: it goes to disk where it is, whichever thread is first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient

from tests.conftest import make_task

WIDE, LONG, COLUMNS = 80_000, 1_500_000, 24


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, pd.DataFrame]]:
    """A wide table, one that has many partners in it at first and few later, and one with partners of that."""
    random = np.random.default_rng(0)
    keys = np.full(LONG, -1)
    keys[::2000] = 5
    keys[: WIDE * 3 // 2] = np.arange(WIDE * 3 // 2) % WIDE
    made = {
        "wide": {"k": np.arange(WIDE), **{f"f{i}": random.random(WIDE) for i in range(COLUMNS)}},
        "long": {"k": keys, "x": np.arange(LONG)},
        "last": {"x": random.permutation(LONG), "z": np.arange(LONG)},
    }
    folder = tmp_path_factory.mktemp("nested")
    found = {}
    for name, columns in made.items():
        pq.write_table(pa.table(columns), folder / name, row_group_size=20_000, compression="none")
        found[name] = (str(folder / name), pd.DataFrame(columns))
    return found


@pytest.mark.parametrize("limit", [44, 46, 47, 50])
def test_an_inner_join_goes_to_disk(
    limit: int, tables: dict[str, tuple[str, pd.DataFrame]], tmp_path: Path
) -> None:
    picked = [f"f{i}" for i in range(COLUMNS)]
    with RLMClient(threads=3, memory_limit=limit << 20, spill_dir=str(tmp_path), grouping="auto") as client:
        wide, long = client.table(tables["wide"][0]), client.table(tables["long"][0])

        def operation(last: Any) -> Any:
            return last.merge(long.merge(wide, on="k"), on="x")[picked].sum()

        run = client.submit(make_task(tables["last"][0], operation))
        answer = run.result().to_pandas()
        explained = str(run.explain())
    wide, long, last = (tables[name][1] for name in ("wide", "long", "last"))
    pd.testing.assert_series_equal(answer, last.merge(long.merge(wide, on="k"), on="x")[picked].sum())
    assert "a join went to disk" in explained, explained
    assert "started again" not in explained, explained
