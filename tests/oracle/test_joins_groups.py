"""Joins with groups: what is collected has each key once, so nobody puts it in order, and the answer's order is pandas'."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from rlm_hypervisor import RLMClient

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same

ALLOWED = Allowance(integers=True, noop=True)

HOWS = ["inner", "left", "right", "outer"]


def _groups(p: Any, keys: list[str], sort: bool) -> Any:
    return (
        p.groupby(keys, as_index=False, sort=sort, dropna=False)["v"]
        .agg("sum")
        .rename(columns={"v": "total"})
    )


JOINS: dict[str, Any] = {
    "by its keys": lambda p, how, sort: p.merge(
        _groups(p[p["v"] > 3], ["a", "b"], sort), on=["a", "b"], how=how
    ),
    "renamed": lambda p, how, sort: p.merge(
        _groups(p, ["a"], sort).rename(columns={"a": "of"}), left_on="c", right_on="of", how=how
    ),
    # Its keys come more than once there.
    "by one of its keys": lambda p, how, sort: p.merge(_groups(p, ["a", "b"], sort), on="a", how=how),
    "by an answer": lambda p, how, sort: p.merge(
        _groups(p, ["b"], sort), left_on="v", right_on="total", how=how
    ),
    "some of its groups": lambda p, how, sort: p.merge(
        _groups(p, ["a"], sort).query("total > 9"), on="a", how=how
    ),
    "those that there are": lambda p, _, sort: p[p["v"].isin(_groups(p, ["a", "b"], sort)["total"])],
}


@pytest.mark.parametrize("grouping", ["auto", "spilling", "merging"])
@pytest.mark.parametrize("kind", JOINS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_join_with_groups_has_the_order_of_pandas(
    by_grouping: dict[str, RLMClient], kind: str, grouping: str, data: st.DataObject
) -> None:
    rows = data.draw(st.integers(0, 40), "rows")
    seed = data.draw(st.integers(0, 1 << 30), "seed")
    how, sort = data.draw(st.sampled_from(HOWS), "how"), data.draw(st.booleans(), "sort")
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "a": pd.Series([f"key {n}" for n in random.integers(0, 6, rows)], dtype=str),
            "b": random.integers(0, 5, rows),
            "c": pd.Series([f"key {n}" for n in random.integers(0, 9, rows)], dtype=str),
            "v": random.integers(0, 9, rows),
        }
    )
    answer = by_grouping[grouping].execute(make_task(table, lambda p: JOINS[kind](p, how, sort)))
    assert_same(answer, JOINS[kind](table, how, sort), ALLOWED)


@pytest.fixture(scope="module")
def by_grouping() -> Any:
    made = {
        grouping: RLMClient(threads=2, grouping=grouping, progress=False)
        for grouping in ("auto", "spilling", "merging")
    }
    yield made
    for client in made.values():
        client.close()


@pytest.mark.parametrize("how", HOWS)
def test_so_has_one_that_does_not_fit(how: str) -> None:
    """In shares on both sides."""
    rows = 120_000
    random = np.random.default_rng(5)
    table = pd.DataFrame(
        {
            "a": [f"a key of more than twelve bytes {n:07}" for n in random.integers(0, rows, rows)],
            "v": random.integers(0, 1000, rows),
        }
    )

    def joined(p: Any) -> Any:
        sums = p[p["v"] > 100].groupby("a", as_index=False)["v"].sum().rename(columns={"v": "total"})
        merged = p.merge(sums, on="a", how=how)
        # The answer is to fit where the sides are far from it.
        merged = merged.assign(a=merged["a"].str[-7:], of=merged["v"] // 100)
        return merged.sort_values("of", kind="stable").reset_index(drop=True)

    with RLMClient(threads=2, memory_limit="9MB", grouping="auto", progress=False) as client:
        run = client.submit(make_task(table, joined))
        answer = run.result()
        explained = str(run.explain())
    assert "a join went to disk" in explained, explained
    assert_same(answer, joined(table), ALLOWED)
