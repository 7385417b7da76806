"""Rows that functions choose and sort within groups, as a property: pandas' answer on the whole table, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from hypothesis import assume, given, settings, strategies as st
from rlm_hypervisor import NotDecomposableError, RLMClient

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same
from tests.oracle._run import Raised, by_pandas
from tests.oracle._tables import random_tables

Function = Callable[[Any], Any]
TABLES: dict[str, Function] = {
    "whole": lambda p: p,
    "filtered": lambda p: p[p["i"] > 0],
    "sorted": lambda p: p.sort_values("i", kind="stable"),
    "numbered again": lambda p: p[p["b"]].reset_index(drop=True),
    "indexed": lambda p: p.set_index("s"),
    "merged": lambda p: p.merge(p.drop_duplicates("g")[["g", "y"]], on="g", suffixes=("", "_2")),
}
OF_TABLES: dict[str, Function] = {
    "largest": lambda g: g.nlargest(2, "i"),
    "first": lambda g: g.head(2),
    "all but the last": lambda g: g.head(-1),
    "between": lambda g: g.iloc[1:3],
    "last": lambda g: g.iloc[-2:],
    "above the mean": lambda g: g[g["i"] >= g["i"].mean()],
    "all": lambda g: g[g["i"] > -99],
    "sorted": lambda g: g.sort_values("x", kind="stable"),
    "first in order": lambda g: g.sort_values(["x", "i"], ascending=[False, True], kind="stable").head(1),
    "once": lambda g: g.drop_duplicates("i"),
    "last of each": lambda g: g.drop_duplicates("y", keep="last"),
    "numbered again": lambda g: g.sort_values("i", kind="stable").reset_index(drop=True),
    "computed": lambda g: g.assign(d=g["i"] - g["i"].mean()).head(2),
    "third of three": lambda g: g.sort_values("i", kind="stable").head(3).tail(1),
}
OF_COLUMNS: dict[str, Function] = {
    "largest": lambda s: s.nlargest(2),
    "first": lambda s: s.head(2),
    "positive": lambda s: s[s > 0],
    "there": lambda s: s.dropna(),
    "in order": lambda s: s.sort_values(kind="stable"),
    "once": lambda s: s.drop_duplicates(),
    "last": lambda s: s.tail(1),
}


@settings(max_examples=200, deadline=None)
@given(
    data=random_tables(20),
    table=st.sampled_from(sorted(TABLES)),
    function=st.sampled_from(sorted(OF_TABLES)),
    of_column=st.sampled_from([None, *sorted(OF_COLUMNS)]),
    by=st.sampled_from(["k", "g", ["k", "b"]]),
    keyed=st.booleans(),
    dropna=st.booleans(),
    chunk=st.sampled_from([1, 7, "auto"]),
)
def test_as_pandas_has_it_or_refused(
    client: RLMClient,
    data: pa.Table,
    table: str,
    function: str,
    of_column: str | None,
    by: Any,
    keyed: bool,
    dropna: bool,
    chunk: int | str,
) -> None:
    def groups(p: Any) -> Any:
        return TABLES[table](p).groupby(by, group_keys=keyed, dropna=dropna)

    def operation(p: Any) -> Any:
        if of_column is not None:
            return groups(p)["x"].apply(OF_COLUMNS[of_column])
        return groups(p).apply(OF_TABLES[function])

    # Of one group, or none, pandas gives other shapes.
    count = by_pandas(lambda p: groups(p).ngroups, data)
    assume(not isinstance(count, Raised) and count > 1)
    expected = by_pandas(operation, data)
    try:
        answer = client.execute(make_task(data, operation, chunkSize=chunk))
    except NotDecomposableError:
        return
    if isinstance(expected, Raised):
        raise AssertionError(f"pandas raised {expected.error!r}, we answered {answer!r}")
    assert_same(answer, expected, Allowance(integers=True, noop=True))
