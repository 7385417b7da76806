"""`pd.merge_asof` on random tables of any size, in chunks of any size: pandas' answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import NotDecomposableError, OperationFailedError, RLMClient

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same


def _tables(seed: int, rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    draw = np.random.default_rng(seed)
    left = pd.DataFrame(
        {
            "t": np.sort(draw.integers(0, 60, rows)),
            "who": draw.choice(["a", "b", "c"], rows),
            "x": draw.integers(0, 9, rows) / 2,
        }
    )
    others = rows // 2 + 1
    right = pd.DataFrame(
        {
            "t": np.sort(draw.integers(0, 60, others)),
            "who": draw.choice(["a", "b"], others),
            "x": draw.integers(0, 9, others) / 4,
            "n": np.where(draw.random(others) < 0.2, np.nan, draw.integers(0, 5, others)),
        }
    )
    return left, right


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(1, 40),
    direction=st.sampled_from(["backward", "forward", "nearest"]),
    exact=st.booleans(),
    by=st.sampled_from([None, "who"]),
    tolerance=st.sampled_from([None, 0, 3]),
    times=st.booleans(),
    chunk=st.sampled_from([1, 7, "auto"]),
)
def test_as_pandas_has_it(
    client: RLMClient,
    seed: int,
    rows: int,
    direction: str,
    exact: bool,
    by: str | None,
    tolerance: Any,
    times: bool,
    chunk: int | str,
) -> None:
    left, right = _tables(seed, rows)
    if times:
        for table in (left, right):
            table["t"] = pd.to_datetime("2024-03-30") + pd.to_timedelta(table["t"], unit="min")
        tolerance = None if tolerance is None else pd.Timedelta(minutes=tolerance)
    if tolerance == 0 and not exact:
        return

    def operation(p: Any) -> Any:
        return pd.merge_asof(
            p, right, on="t", by=by, direction=direction, allow_exact_matches=exact, tolerance=tolerance
        )

    expected = operation(left)
    answer = client.execute(make_task(left, operation, chunkSize=chunk))
    assert_same(answer, expected, Allowance(integers=True))


def test_keys_have_to_be_in_order(client: RLMClient) -> None:
    left, right = _tables(1, 20)

    def operation(p: Any) -> Any:
        return pd.merge_asof(p.sort_values("x"), right, on="t")

    with pytest.raises(ValueError, match="must be sorted"):
        operation(left)
    with pytest.raises(OperationFailedError, match="left keys have to be in order"):
        client.execute(make_task(left, operation))


def test_an_index_as_key_is_refused(client: RLMClient) -> None:
    left, right = _tables(1, 20)
    with pytest.raises(NotDecomposableError, match="left_index"):
        client.execute(make_task(left, lambda p: pd.merge_asof(p, right, left_index=True, right_on="t")))
