"""Slices of rows by label, in order or in none, at random."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import RLMClient

from tests.oracle._run import Raised, by_pandas, check

_LABELS = st.lists(st.integers(0, 6), max_size=8)


def _table(labels: list[int]) -> pa.Table:
    return pa.table({"k": pa.array(labels, pa.int64()), "x": pa.array(range(len(labels)), pa.int64())})


@settings(max_examples=120, deadline=None)
@given(
    labels=st.one_of(
        _LABELS,
        _LABELS.map(sorted),
        _LABELS.map(lambda found: sorted(found, reverse=True)),
        st.permutations(range(6)),
    ),
    start=st.one_of(st.none(), st.integers(0, 6)),
    stop=st.one_of(st.none(), st.integers(0, 6)),
)
def test_of_whole_numbers(client: RLMClient, labels: list[int], start: Any, stop: Any) -> None:
    data = _table(list(labels))
    check(client.execute, lambda p: p.set_index("k")["x"].loc[start:stop], data, data, 3)
    check(client.execute, lambda p: p.sort_values("x", ascending=False).loc[start:stop], data, data, 2)


@pytest.mark.parametrize("ends", [("b", "c"), ("c", "b"), ("a", None), (None, "b"), ("c", "c")])
def test_of_text_in_no_order(client: RLMClient, ends: Any) -> None:
    data = pa.table({"k": pa.array(["c", None, "a", "d", "b"]), "x": pa.array([1, 2, 3, 4, 5])})
    check(client.execute, lambda p: p.set_index("k").loc[ends[0] : ends[1]], data, data, 2)


@pytest.mark.parametrize("ends", [("b", "x"), ("x", "c"), ("d", "c")])
def test_a_label_that_is_not_there_or_twice_fails(client: RLMClient, ends: Any) -> None:
    data = pa.table({"k": pa.array(["c", "d", "a", "d", "b"]), "x": pa.array([1, 2, 3, 4, 5])})
    operation: Any = lambda p: p.set_index("k").loc[ends[0] : ends[1]]  # noqa: E731
    assert isinstance(by_pandas(operation, data), Raised)
    check(client.execute, operation, data, data, 2)
