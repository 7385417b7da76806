"""Files that pandas wrote with an index: it is the index of the partition, and no column of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import RLMClient

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same

FRAME = pd.DataFrame({"k": ["a", "b", "a", "c"], "v": [1.0, 2.0, 3.0, 4.0], "w": [5, 6, 7, 8]})
FRAMES = {
    "positions": FRAME.iloc[[3, 0, 1]],
    "named": FRAME.set_index("k"),
    "levels": FRAME.set_index(["k", "w"]),
    "range": FRAME,
    "steps": FRAME.set_axis(pd.RangeIndex(7, -1, -2, name="n")),
}
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "rows": lambda p: p,
    "sums": lambda p: p.sum(numeric_only=True),
    "distinct": lambda p: p.drop_duplicates(),
    "head": lambda p: p[p["v"] > 1].head(2),
    "back to columns": lambda p: p.reset_index(),
    "sorted": lambda p: p.sort_values("v", ascending=False),
    "columns": lambda p: list(p.columns),
    "grouped": lambda p: p.groupby("v").size(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", FRAMES)
def test_the_index_is_the_index(client: RLMClient, name: str, operation: str, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    FRAMES[name].to_parquet(path)
    expected = OPERATIONS[operation](pd.read_parquet(path))
    answer = client.execute(make_task(str(path), OPERATIONS[operation], chunkSize=2))
    if isinstance(expected, list):
        assert answer == expected
    else:
        assert_same(answer, expected, Allowance(integers=False, means=False, bound=0.0, bound32=0.0))


def test_a_level_is_a_key(client: RLMClient, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    FRAME.set_index("k").to_parquet(path)
    answer = client.execute(make_task(str(path), lambda p: p.groupby("k")["v"].sum()))
    assert answer.to_dict() == {"a": 4.0, "b": 2.0, "c": 4.0}
