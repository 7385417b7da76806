"""More groups than the memory limit holds: the run goes on with the operator that spills, and says so."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import OutOfMemoryError, RLMClient

from tests.conftest import make_task


def test_groups_beyond_the_limit_are_spilled_and_right() -> None:
    rows = 300_000
    keys = np.random.default_rng(7).permutation(rows)
    data = pa.table({"k": [f"key {key:09}" for key in keys], "v": keys.astype("float64")})
    with RLMClient(threads=2, memory_limit="20MB", grouping="auto") as client:
        run = client.submit(make_task(data, lambda p: p.groupby("k")["v"].sum()))
        answer = run.result().to_arrow()
        text = str(run.explain())
    assert "grouping: own operator" in text
    assert "groups were spilled to disk" in text
    assert answer["v"].to_pylist() == [float(key) for key in range(rows)]
    assert answer["k"].to_pylist() == [f"key {key:09}" for key in range(rows)]


@pytest.mark.parametrize("limit", ["1MB", "2MB", "4MB", "8MB", "12MB", "20MB"])
@pytest.mark.timeout(60)
def test_a_tight_limit_gives_the_answer_or_says_so(limit: str) -> None:
    """Two groupings, one on the other's answer: never a wait without end, never a defect of the product."""
    ids = np.random.default_rng(3).integers(0, 15_000, 40_000)
    keys = [f"k{n}" if n % 2 else f"a longer key number {n}" for n in ids]
    data = pd.DataFrame({"k": keys, "g": ids % 77, "x": ids / 4})

    def nested(p: Any) -> Any:
        sums = p.groupby(["k", "g"], as_index=False).agg(x=("x", "sum"))
        return sums.groupby("g").agg(c=("k", "nunique"), x=("x", "sum"))

    expected = nested(data)
    with RLMClient(threads=2) as client:
        for grouping in range(6):
            with contextlib.suppress(OutOfMemoryError):
                answer = client.execute(make_task(data, nested, options={"memoryLimit": limit}))
                assert answer.to_pandas().equals(expected), grouping


def test_a_sort_reserves_what_its_rows_need() -> None:
    """Not the whole table for each of its slices."""
    rows = 200_000
    data = pd.DataFrame({"s": [f"a text of many bytes {n}" for n in range(rows)], "v": np.arange(rows) % 7})
    with RLMClient(threads=2, memory_limit="80MB") as client:
        answer = client.execute(make_task(data, lambda p: p.sort_values(["v", "s"], ascending=[False, True])))
    expected = data.sort_values(["v", "s"], ascending=[False, True])
    assert answer.to_pandas()["s"].tolist() == expected["s"].tolist()
