"""Sorts larger than memory: they end at every limit, with the rows in pandas' order, and what cannot be collected is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import OutOfMemoryError, RLMClient

from tests.conftest import make_task

MIB = 1 << 20


def texts(rows: int, width: int, seed: int = 7, missing: int = 50) -> pd.DataFrame:
    """Keys with ties and missing ones, a number, and a text of about this many bytes."""
    random = np.random.default_rng(seed)
    keys = random.integers(0, rows // 2, rows)
    frame = pd.DataFrame({"k": [f"key {key:09}" for key in keys], "v": random.normal(size=rows)})
    frame.loc[random.integers(0, rows, rows // missing), "k"] = None
    frame.loc[random.integers(0, rows, rows // 50), "v"] = np.nan
    lengths = random.integers(0, 2 * width + 1, rows)
    frame["s"] = ["x" * length for length in lengths]
    return frame


def written(client: RLMClient, target: Path, source: Any, operation: Any) -> tuple[pd.DataFrame, Any]:
    output = {"url": str(target), "format": "parquet"}
    run = client.submit(make_task(source, operation) | {"output": output})
    run.result(timeout=120)
    return pq.read_table(target).to_pandas(), run.metrics()


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    for name in expected.columns:
        left, right = found[name], expected[name]
        if right.dtype == object or str(right.dtype).startswith("str"):
            left, right = left.astype(object), right.astype(object)
            left, right = left.where(left.notna(), None), right.where(right.notna(), None)
        pd.testing.assert_series_equal(
            left.reset_index(drop=True), right.reset_index(drop=True), check_dtype=False
        )


@pytest.mark.parametrize(("rows", "width"), [(120_000, 0), (30_000, 300), (2_000, 6_000)])
@pytest.mark.parametrize("limit", [2 * MIB, 5 * MIB, 16 * MIB])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_sort_ends_at_every_limit(tmp_path: Path, rows: int, width: int, limit: int, threads: int) -> None:
    frame = texts(rows, width)
    source = pa.Table.from_pandas(frame, preserve_index=False)
    with RLMClient(threads=threads, memory_limit=limit, spill_dir=str(tmp_path)) as client:
        by = ["k", "v"]
        found, metrics = written(
            client,
            tmp_path / "out.parquet",
            source,
            lambda p: p.sort_values(by, ascending=[False, True]).reset_index(drop=True),
        )
    same(found, frame.sort_values(by, ascending=[False, True], kind="stable"))
    assert metrics["spilled_bytes"] > 0
    assert not list(tmp_path.glob("rlm-spill-*"))


@pytest.mark.parametrize("limit", [2 * MIB, 5 * MIB])
@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
def test_a_join_of_sides_that_do_not_fit_ends(tmp_path: Path, limit: int, how: str) -> None:
    left, right = texts(20_000, 300, 1, missing=2000), texts(20_000, 300, 2, missing=2000)
    columns = ["k", "v_x", "s_y"]
    sources = [pa.Table.from_pandas(side, preserve_index=False) for side in (left, right)]
    with RLMClient(threads=2, memory_limit=limit, spill_dir=str(tmp_path)) as client:
        other = client.table(sources[1])
        found, metrics = written(
            client,
            tmp_path / "out.parquet",
            sources[0],
            lambda p: p.merge(other, on="k", how=how)[columns],
        )
    same(found, left.merge(right, on="k", how=how)[columns])
    assert metrics["spilled_bytes"] > 0 or how == "right", "the left side's columns alone may fit"


def test_only_the_join_goes_to_disk(tmp_path: Path) -> None:
    """Groups that fit stay as they are where a join lacks memory, and nothing begins again."""
    left, right = texts(20_000, 0, 1, missing=2000).drop(columns="s"), texts(20_000, 300, 2, missing=2000)
    sources = [pa.Table.from_pandas(side, preserve_index=False) for side in (left, right)]
    with RLMClient(threads=2, memory_limit=5 * MIB, spill_dir=str(tmp_path)) as client:
        other = client.table(sources[1])
        run = client.submit(
            make_task(
                sources[0],
                lambda p: (
                    p.merge(other, on="k").assign(n=lambda p: p["s"].str.len()).groupby("n")["v_x"].sum()
                ),
            )
        )
        answer = run.result(timeout=120).to_pandas()
        explained = str(run.explain())
    joined = left.merge(right, on="k")
    expected = joined.assign(n=joined["s"].str.len())
    np.testing.assert_allclose(answer.to_numpy(), expected.groupby("n")["v_x"].sum().to_numpy())
    assert "a join went to disk" in explained
    assert "started again" not in explained
    assert "groups were spilled" not in explained
    assert "grouping: own operator" in explained


def test_an_answer_that_does_not_fit_says_what_to_do() -> None:
    source = pa.Table.from_pandas(texts(100_000, 50), preserve_index=False)
    with RLMClient(threads=2, memory_limit=4 * MIB) as client:
        with pytest.raises(OutOfMemoryError, match="the answer does not fit") as caught:
            client.execute(make_task(source, lambda p: p.sort_values("k")))
        assert "`output`" in str(caught.value)
