"""What a scan decodes at a time is bounded in bytes: wide rows come in small chunks, and few are in work where memory is short."""

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

COLUMNS = 300
ROWS = 4_000


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wide") / "wide.parquet"
    numbers = np.arange(ROWS, dtype="float64")
    texts = pa.array([f"text {n % 7}" for n in range(ROWS)])
    columns: dict[str, Any] = {f"c{n}": numbers + n for n in range(COLUMNS)}
    pq.write_table(pa.table(columns | {"s": texts}), path, row_group_size=1_000)
    return path


def ran(path: Path, limit: int, operation: Any) -> tuple[Any, dict[str, Any], dict[str, Any], str]:
    with RLMClient(threads=2, memory_limit=limit) as client:
        run = client.submit(make_task(str(path), operation))
        answer = run.result().to_pandas()
        explained = run.explain().to_dict()
        return answer, explained["scans"][0], run.metrics(), explained["operators"]


@pytest.mark.parametrize("limit", [16 << 20, 64 << 20, 4 << 30])
def test_chunks_of_wide_rows_are_small_where_memory_is_short(wide: Path, limit: int) -> None:
    answer, scan, metrics, operators = ran(
        wide, limit, lambda p: p[p["c0"] % 500 == 7].reset_index(drop=True)
    )
    wanted = pd.read_parquet(wide).iloc[7::500].reset_index(drop=True)
    pd.testing.assert_frame_equal(answer, wanted, check_dtype=False)
    row = COLUMNS * 8 + 16
    # Four chunks of each thread are an eighth of the limit, or no less than 128 kB each.
    assert scan["chunk_rows"] <= max(limit // 8 // 8, 128 << 10) // row or scan["chunk_rows"] == 16_384
    assert (scan["chunk_rows"] == 16_384) == (limit == 4 << 30)
    assert metrics["memory_peak_bytes"] > 0
    # A page of each column is some megabytes: at the least limit there is no room for two.
    assert ("1 partitions" in operators) == (limit == 16 << 20), operators


def test_answers_do_not_depend_on_it(wide: Path) -> None:
    def operation(p: Any) -> Any:
        return p.groupby("s")[["c1", f"c{COLUMNS - 1}"]].sum()

    small, scan, _, _ = ran(wide, 16 << 20, operation)
    large, _, _, _ = ran(wide, 4 << 30, operation)
    pd.testing.assert_frame_equal(small, large)
    # Three columns are not wide.
    assert scan["chunk_rows"] >= 4_096
