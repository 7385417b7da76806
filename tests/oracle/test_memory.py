"""More groups than the memory limit holds: the run goes on with the operator that spills, and says so."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from rlm_hypervisor import RLMClient

from tests.conftest import make_task


def test_groups_beyond_the_limit_are_spilled_and_right() -> None:
    rows = 300_000
    keys = np.random.default_rng(7).permutation(rows)
    data = pa.table({"k": [f"key {key:09}" for key in keys], "v": keys.astype("float64")})
    with RLMClient(threads=2, memory_limit="24MB", grouping="auto") as client:
        run = client.submit(make_task(data, lambda p: p.groupby("k")["v"].sum()))
        answer = run.result().to_arrow()
        text = str(run.explain())
    assert "grouping: datafusion operator" in text
    assert "did not fit the memory limit" in text
    assert answer["v"].to_pylist() == [float(key) for key in range(rows)]
    assert answer["k"].to_pylist() == [f"key {key:09}" for key in range(rows)]
