"""Columns of different rows brought together, as a property: pandas' answer on the whole table, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import NotDecomposableError, OperationFailedError, RLMClient, SchemaMismatchError

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same
from tests.oracle._run import Raised, by_pandas
from tests.oracle._tables import random_tables

Side = Callable[[Any], Any]
SIDES: dict[str, Side] = {
    "whole": lambda p: p["x"],
    "other": lambda p: p["i"] * 2,
    "filtered": lambda p: p[p["i"] > 0]["y"],
    "filtered twice": lambda p: p[p["x"].notna()][lambda q: q["g"] >= 0]["i"],
    "head": lambda p: p["y"].head(5),
    "tail": lambda p: p["x"].tail(4),
    "sorted": lambda p: p.sort_values("i", kind="stable")["x"],
    "numbered again": lambda p: p[p["b"]]["y"].reset_index(drop=True),
    "sums": lambda p: p.groupby("k")["y"].sum(),
    "sums of some": lambda p: p[p["i"] > 0].groupby("k")["x"].max(),
    "sizes": lambda p: p[p["b"]].groupby("k").size(),
    "with missing keys": lambda p: p.groupby("k", dropna=False)["y"].sum(),
    "in order of appearance": lambda p: p.groupby("k", sort=False)["y"].sum(),
    "some sums": lambda p: p.groupby("k")["y"].sum()[lambda s: s > 0],
    "counts": lambda p: p["k"].value_counts(),
    "counts in order": lambda p: p["k"].value_counts().sort_index(),
    "by number": lambda p: p.groupby("g")["i"].max(),
    "by number of some": lambda p: p[p["b"]].groupby("g")["y"].mean(),
    "of two keys": lambda p: p.groupby(["k", "b"])["y"].sum(),
    "of two keys of some": lambda p: p[p["i"] > 0].groupby(["k", "b"])["i"].count(),
    "set by key": lambda p: p.set_index("k")["y"],
    "first of each": lambda p: p.drop_duplicates("g").set_index("g")["y"].sort_index(),
}
TOGETHER: dict[str, Callable[[Any, Any], Any]] = {
    "plus": lambda a, b: a + b,
    "over": lambda a, b: a / b,
    "filled": lambda a, b: a.sub(b, fill_value=1),
    "first": lambda a, b: a.astype("float64").combine_first(b.astype("float64")),
    "gaps": lambda a, b: a.astype("float64").fillna(b.astype("float64")),
    "beside": lambda a, b: pd.concat([a.rename("a"), b.rename("b")], axis=1),
    "beside, in order": lambda a, b: pd.concat([a.rename("a"), b.rename("b")], axis=1, sort=True),
    "what both have": lambda a, b: pd.concat([a.rename("a"), b.rename("b")], axis=1, join="inner"),
    "table": lambda a, b: pd.DataFrame({"a": a, "b": b}),
    "assigned": lambda a, b: a.to_frame("a").assign(b=b),
    "aligned": lambda a, b: a.align(b)[1],
    "aligned to the first": lambda a, b: a.align(b, join="left")[1],
    "of three": lambda a, b: a + b + a.head(3),
}


@settings(max_examples=300, deadline=None)
@given(
    data=random_tables(25),
    first=st.sampled_from(sorted(SIDES)),
    second=st.sampled_from(sorted(SIDES)),
    how=st.sampled_from(sorted(TOGETHER)),
    chunk=st.sampled_from([1, 7, "auto"]),
)
def test_as_pandas_has_it_or_refused(
    client: RLMClient, data: pa.Table, first: str, second: str, how: str, chunk: int | str
) -> None:
    def operation(p: Any) -> Any:
        return TOGETHER[how](SIDES[first](p), SIDES[second](p))

    if how == "assigned" and len(by_pandas(SIDES[first], data)) == 0:
        return  # A table without rows takes over those of the column in pandas.
    expected = by_pandas(operation, data)
    try:
        answer = client.execute(make_task(data, operation, chunkSize=chunk))
    except (NotDecomposableError, SchemaMismatchError):
        return
    except OperationFailedError as error:
        # A label that is there twice, where pandas looks no further if all labels are the same.
        if isinstance(expected, Raised) or "more than once" in str(error) or "twice" in str(error):
            return
        raise
    if isinstance(expected, Raised):
        if "duplicate labels" in str(expected.error) and first == second:
            return  # Of one table pandas looks at the labels once, of two equal ones again.
        raise AssertionError(f"pandas raised {expected.error!r}, we answered {answer!r}")
    assert_same(answer, expected, Allowance(integers=True, noop=True, widened=True))
