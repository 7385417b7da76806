"""Joins of which no side fits in memory: both go to disk in shares, or are sorted and merged, and the order is pandas'."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from rlm_hypervisor import OperationFailedError, RLMClient

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same

ROWS = 150_000
ALLOWED = Allowance(integers=True, noop=True)


def _side(seed: int, value: str) -> pd.DataFrame:
    """Numbers, texts and floats as keys, each also missing and repeated; a wide text as value."""
    random = np.random.default_rng(seed)
    n = random.integers(0, ROWS, ROWS)
    text = pd.Series([f"key {i}" for i in n]).mask(n % 97 == 0)
    real = pd.Series(n / 4).mask(n % 89 == 0)
    wide = [f"{value} of many bytes, so that no side fits {i:09}" for i in range(ROWS)]
    return pd.DataFrame({"n": n, "t": text, "f": real, value: wide})


LEFT, RIGHT = _side(1, "left"), _side(2, "right")


def _narrow(joined: Any) -> Any:
    """What is collected is to fit."""
    narrow = joined.assign(left=joined["left"].str[-9:], right=joined["right"].str[-9:])
    return narrow.drop(columns=["t_x", "t_y"])


JOINS: dict[str, Any] = {
    "inner": lambda p, q: _narrow(p.merge(q, on="n")),
    "left by text": lambda p, q: p.merge(q[["t", "right"]].drop_duplicates("t"), on="t", how="left"),
    "right by float": lambda p, q: p[["f", "left"]].drop_duplicates("f").merge(q, on="f", how="right"),
    "outer, which": lambda p, q: _narrow(p.merge(q, on=["n", "f"], how="outer", indicator=True)),
    "then grouped": lambda p, q: p.merge(q, on="t").groupby("n_x", as_index=False)["n_y"].sum(),
    "rows with a partner": lambda p, q: p[p["t"].isin(q["t"])].drop(columns="left"),
    "one to many, checked": lambda p, q: _narrow(
        p.drop_duplicates("n").merge(q, on="n", validate="one_to_many")
    ),
}


# In the others the side that is collected is small.
LARGE = {"inner", "outer, which", "one to many, checked"}

# Put in another order after the join, by a column with many ties: among these pandas' order of the join is to be seen.
SORTED: dict[str, Any] = {
    "inner": lambda p, q: _ties(p.merge(q, on="n")),
    "left, descending": lambda p, q: _ties(p.merge(q, on="n", how="left"), ascending=False),
    "right": lambda p, q: _ties(p.merge(q, on=["n", "f"], how="right")),
    "outer": lambda p, q: _ties(p.merge(q, on=["n", "f"], how="outer", indicator=True)),
    "one to many, checked": lambda p, q: _ties(
        p.drop_duplicates("n").merge(q, on="n", validate="one_to_many")
    ),
    "rows with a partner": lambda p, q: (
        p[p["n"].isin(q["n"])].assign(of=lambda j: j["n"] % 7).sort_values("of", kind="stable")
    ),
}


def _ties(joined: Any, ascending: bool = True) -> Any:
    narrow = joined.assign(left=joined["left"].str[-9:], right=joined["right"].str[-9:], of=joined["n"] % 7)
    ordered = narrow[["n", "left", "right", "of"]].sort_values("of", ascending=ascending, kind="stable")
    return ordered.reset_index(drop=True)


@pytest.mark.parametrize("kind", SORTED)
def test_rows_of_a_join_that_does_not_fit_have_its_order_where_a_sort_leaves_it(kind: str) -> None:
    with RLMClient(threads=2, memory_limit="24MB", grouping="auto") as client:
        other = client.table(RIGHT)
        run = client.submit(make_task(LEFT, lambda p: SORTED[kind](p, other)))
        answer = run.result()
        explained = str(run.explain())
    if kind != "rows with a partner":
        assert "a join went to disk" in explained, explained
        assert "started again" not in explained, explained
    assert_same(answer, SORTED[kind](LEFT, RIGHT), ALLOWED)


@pytest.mark.parametrize("kind", JOINS)
@pytest.mark.parametrize("grouping", ["auto", "merging"])
def test_a_join_that_does_not_fit_is_right(kind: str, grouping: str) -> None:
    join = JOINS[kind]
    limit = "24MB" if kind in LARGE else "40MB"
    with RLMClient(threads=2, memory_limit=limit, grouping=grouping) as client:
        other = client.table(RIGHT)
        run = client.submit(make_task(LEFT, lambda p: join(p, other)))
        answer = run.result()
        explained = str(run.explain())
    if kind in LARGE and grouping == "auto":
        assert "a join went to disk" in explained, explained
        assert "started again" not in explained, explained
    if kind in LARGE and grouping == "merging" and "checked" not in kind:
        assert "SortMergeJoin" in explained, explained
    expected = join(LEFT, RIGHT)
    if "_merge" in expected:
        expected["_merge"] = expected["_merge"].astype(str)
    assert_same(answer, expected, ALLOWED)


GROUPED: dict[str, Any] = {
    "sums": lambda j: j.groupby("n", as_index=False).agg({"f_x": "sum", "right": "max", "f_y": "count"}),
    "kinds": lambda j: j.groupby("of", as_index=False)[["right", "n"]].nunique(),
    "of all": lambda j: j["f_x"].sum() + j["right"].str.len().sum(),
    # These ask what comes before what.
    "first": lambda j: j.groupby("n", as_index=False).agg({"left": "first", "right": "last"}),
    "by appearance": lambda j: j.groupby("of", as_index=False, sort=False)["right"].max(),
}


@pytest.mark.parametrize("kind", GROUPED)
def test_groups_of_a_join_that_does_not_fit_ask_for_its_order_only_if_they_need_it(kind: str) -> None:
    def grouped(p: Any, q: Any) -> Any:
        joined = p.merge(q, on="n", how="left")
        joined = joined.assign(
            left=joined["left"].str[-9:], right=joined["right"].str[-9:], of=joined["n"] % 7
        )
        return GROUPED[kind](joined)

    with RLMClient(threads=2, memory_limit="16MB", grouping="auto") as client:
        other = client.table(RIGHT)
        run = client.submit(make_task(LEFT, lambda p: grouped(p, other)))
        answer = run.result()
        explained = str(run.explain())
    if "started again" not in explained:
        assert "a join went to disk" in explained, explained
        asks = kind in ("first", "by appearance")
        # Of a number alone only what was made of it is explained.
        assert "JoinExec" not in explained or ("in any order" in explained) != asks, explained
    assert_same(answer, grouped(LEFT, RIGHT), ALLOWED)


@pytest.mark.parametrize("side", ["left", "right"])
def test_keys_that_are_not_unique_are_told_on_disk_as_well(side: str) -> None:
    """In whichever share they are."""
    validate = {"left": "one_to_many", "right": "many_to_one"}[side]
    with RLMClient(threads=2, memory_limit="24MB", grouping="auto") as client:
        other = client.table(RIGHT)

        def joined(p: Any) -> Any:
            return p.merge(other, on="n", validate=validate)["left"].max()

        with pytest.raises(OperationFailedError, match=f"not unique in the {side} table"):
            client.execute(make_task(LEFT, joined))
