"""Filters and keys that go below joins, groupings and sorts, against pandas: what they must not go past as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import OperationFailedError, RLMClient

from tests.conftest import make_task
from tests.oracle._compare import assert_same
from tests.oracle.test_joins import ALLOWED, agree

HOWS = ("inner", "left", "right", "outer")


def facts(rows: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(3)
    days = pd.to_datetime(random.choice(["2024-01-01", "2024-02-01", "2024-03-01"], rows)).as_unit("us")
    return pd.DataFrame(
        {
            "k": random.integers(0, 12, rows),
            "f": pd.Series([None if n == 3 else n * 0.5 for n in random.integers(-2, 5, rows)]),
            "day": pd.Series(days).where(pd.Series(random.random(rows) > 0.1)),
            "s": pd.Series(random.choice(["a", "b", "a text of more than twelve bytes"], rows), dtype="str"),
            "x": random.integers(0, 50, rows),
        }
    )


def keys(rows: int = 9) -> pd.DataFrame:
    random = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "k": random.permutation(np.arange(4, 4 + rows)),
            "day": pd.Series(pd.to_datetime(["2024-01-01", None, "2024-05-01"] * 3)[:rows]).astype(
                "datetime64[us]"
            ),
            "t": pd.Series(random.choice(["u", "v", None], rows), dtype="str"),
            "y": random.integers(0, 9, rows),
        }
    )


def merged(how: Any) -> Callable[[Any, Any], Any]:
    return lambda p, q: p.merge(q, on="k", how=how, suffixes=("", "_q"))


ABOVE: dict[str, Callable[[Any], Any]] = {
    "left": lambda m: m[m["x"] > 20],
    "left missing": lambda m: m[m["f"].isna()],
    "left or missing": lambda m: m[(m["x"] > 40) | m["f"].isna()],
    "right": lambda m: m[m["y"] > 3],
    "right missing": lambda m: m[m["t"].isna()],
    "right differs": lambda m: m[m["t"] != "u"],
    "both": lambda m: m[(m["x"] > 10) & (m["y"] > 2)],
    "either": lambda m: m[((m["x"] > 10) & (m["y"] > 4)) | ((m["x"] < 5) & (m["y"] < 4))],
    "either of one": lambda m: m[(m["x"] > 30) | ((m["x"] < 5) & (m["y"] < 4))],
    "across": lambda m: m[m["x"] > m["y"] * 5],
    "key": lambda m: m[m["k"].between(5, 8)],
    "key and text": lambda m: m[(m["k"] != 6) & (m["s"] == "a text of more than twelve bytes")],
    "isin": lambda m: m[m["s"].isin(["a", "c"]) & m["k"].isin([4, 7, 11])],
    "reset": lambda m: m[m["x"] > 20].reset_index(drop=True),
    "numbered before": lambda m: m.reset_index()[lambda r: (r["x"] > 20) & (r["index"] > 3)],
    "window below": lambda m: m.assign(c=m["x"].cumsum())[lambda r: r["x"] > 20],
    "window of groups below": lambda m: m.assign(c=m.groupby("s")["x"].cumsum())[lambda r: r["k"] > 5],
    "window in it": lambda m: m[m["x"] > m["x"].shift()],
    "window above": lambda m: m[m["x"] > 20].assign(c=lambda r: r["x"].cumsum()),
    "limit below": lambda m: m.head(20)[lambda r: r["x"] > 20],
    "slice below": lambda m: m.iloc[3:-3][lambda r: r["x"] > 20],
    "limit above": lambda m: m[m["x"] > 20].head(7),
    "sort below": lambda m: m.sort_values(["s", "x"])[lambda r: r["x"] > 20],
    "group below": lambda m: m.groupby(["k", "s"], as_index=False)["x"].sum()[lambda r: r["k"] > 6],
    "group below by value": lambda m: m.groupby("k", as_index=False)["x"].sum()[lambda r: r["x"] > 60],
    "group without sort": lambda m: m.groupby("k", as_index=False, sort=False)["x"].first()[
        lambda r: r["k"] > 6
    ],
    "group of missing": lambda m: m.groupby("f", as_index=False, dropna=False)["x"].sum()[
        lambda r: r["f"].isna()
    ],
    "group and filter": lambda m: m[m["y"] > 2].groupby("s")["x"].sum(),
    "distinct below": lambda m: m.drop_duplicates(["k", "s"])[lambda r: r["k"] > 6],
    "distinct below by value": lambda m: m.drop_duplicates("k")[lambda r: r["x"] > 20],
    "distinct last": lambda m: m.drop_duplicates("k", keep="last")[lambda r: r["k"] != 7],
    "distinct none": lambda m: m.drop_duplicates(["k", "x"], keep=False)[lambda r: r["k"] > 5],
    "conversion behind a filter": lambda m: m[m["f"].notna()][lambda r: r["f"].astype("int64") > 0],
    "filter and aggregate": lambda m: m[m["x"] > 20]["y"].sum(),
}


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", ABOVE)
def test_filters_above_a_join(clients: Callable[[int], RLMClient], name: str, how: str) -> None:
    agree(clients, facts(), lambda p, q: ABOVE[name](merged(how)(p, q)), keys())


CHAINS: dict[str, Callable[[Any, Any], Any]] = {
    "key of a group": lambda p, q: q.merge(p.groupby("k", as_index=False).agg(n=("x", "sum"))),
    "key of a group left": lambda p, q: p.merge(
        q.groupby("k", as_index=False).agg(n=("y", "sum")), how="left"
    ),
    "group first": lambda p, q: p.groupby("k", as_index=False).agg(n=("x", "max")).merge(q, on="k"),
    "group by more": lambda p, q: q.merge(
        p.groupby(["s", "k"], as_index=False, sort=False).agg(n=("x", "first")), on="k"
    ),
    "group of all": lambda p, q: q.merge(p.groupby("s", as_index=False).agg(k=("x", "max")), on="k"),
    "cumulative on the right": lambda p, q: q.merge(p.assign(c=p["x"].cumsum()), on="k"),
    "cumulative of groups": lambda p, q: q.merge(p.assign(c=p.groupby("k")["x"].cumsum()), on="k"),
    "number of a group": lambda p, q: q.merge(p.assign(c=p.groupby("k").ngroup()), on="k"),
    "head on the right": lambda p, q: q.merge(p.head(17), on="k"),
    "head on the left": lambda p, q: p.head(17).merge(q, on="k"),
    "last rows": lambda p, q: q.merge(p.sort_values(["x", "s"]).tail(20), on="k"),
    "distinct on the right": lambda p, q: q.merge(p.drop_duplicates("k"), on="k"),
    "distinct of others": lambda p, q: q.merge(p.drop_duplicates("s"), on="k"),
    "concat on the right": lambda p, q: q.merge(pd.concat([p, p]), on="k"),
    "labels of rows": lambda p, q: q.merge(p.reset_index(), on="k"),
    "labels of kept rows": lambda p, q: q.merge(p[p["x"] > 9].reset_index(), on="k", how="left"),
    "by labels": lambda p, q: q.merge(p[p["x"] > 9][["x"]], left_on="k", right_index=True),
    "three": lambda p, q: p.merge(q, on="k").merge(p[p["x"] > 30], on="k", suffixes=("", "_p")),
    "three with a group": lambda p, q: p.merge(q, on="k").merge(
        p.groupby("k", as_index=False).agg(n=("x", "nunique")), on="k"
    ),
    "left of inner": lambda p, q: p.merge(q, on="k", how="left").merge(
        q[q["y"] > 3], on="k", suffixes=("", "_r")
    ),
    "inner of left": lambda p, q: q.merge(
        p.merge(q[q["y"] > 3], on="k", how="left", suffixes=("", "_r")), on="k"
    ),
    "inner of right": lambda p, q: q.merge(p.merge(q, on="k", how="right", suffixes=("", "_r")), on="k"),
    "inner of outer": lambda p, q: q.merge(p.merge(q, on="k", how="outer", suffixes=("", "_r")), on="k"),
    "outer of inner": lambda p, q: p.merge(q, on="k").merge(q, on="k", how="outer", suffixes=("", "_r")),
    "key that was missing": lambda p, q: p.merge(q, on="k", how="left", suffixes=("", "_q")).merge(
        q, left_on="y", right_on="k", suffixes=("", "_r")
    ),
    "times with missing ones": lambda p, q: p.merge(q, on="day"),
    "times left": lambda p, q: q.merge(p, on="day", how="left"),
    "two keys": lambda p, q: p.merge(q, on=["k", "day"], how="inner"),
    "semi": lambda p, q: p[p["k"].isin(q["k"])].merge(q, on="k"),
    "semi on the right": lambda p, q: q.merge(p[p["k"].isin(q[q["y"] > 3]["k"])], on="k"),
    "anti": lambda p, q: p[~p["k"].isin(q[q["y"] > 3]["k"])].merge(q, on="k"),
    "narrower keys": lambda p, q: p.assign(k=p["k"].astype("int32")).merge(q, on="k"),
    "computed keys": lambda p, q: p.merge(q.assign(k=q["k"] * 2 - 5), on="k"),
    "far keys": lambda p, q: p.assign(k=p["k"] * 10**16).merge(q.assign(k=q["k"] * 10**16), on="k"),
    "nothing": lambda p, q: p.merge(q[q["y"] > 100], on="k"),
    "nothing on the left": lambda p, q: p[p["x"] > 100].merge(q, on="k", how="right"),
    "itself grouped twice": lambda p, q: (
        p[p["x"] > 25]
        .merge(p.groupby("k", as_index=False).agg(a=("s", "nunique")), on="k")
        .merge(p[p["x"] > 25].groupby("k", as_index=False).agg(b=("s", "nunique")), on="k")
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_keys_of_one_side_reach_the_other(clients: Callable[[int], RLMClient], name: str) -> None:
    agree(clients, facts(), CHAINS[name], keys())


@pytest.mark.parametrize("validate", ["1:1", "1:m", "m:1"])
def test_rows_without_a_partner_count_for_validate(
    clients: Callable[[int], RLMClient], validate: str
) -> None:
    once = pd.DataFrame({"k": [1, 2, 3], "x": [1, 2, 3]})
    twice = pd.DataFrame({"k": [7, 7, 8], "y": [1, 2, 3]})
    sides = {
        "1:1": (once, twice),
        "m:1": (once, twice),
        "1:m": (twice.rename(columns={"y": "x"}), once.rename(columns={"x": "y"})),
    }
    left, right = sides[validate]
    client = clients(2)
    table = client.table(right)
    for chained in (False, True):

        def operation(p: Any) -> Any:
            made = p.merge(table, on="k", validate=validate)
            return made.merge(table, on="k", suffixes=("", "_r"))[lambda m: m["k"] > 2] if chained else made  # noqa: B023

        with pytest.raises(OperationFailedError, match="not unique"):
            client.execute(make_task(left, operation))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    hows=st.tuples(st.sampled_from(HOWS), st.sampled_from(HOWS)),
    names=st.tuples(st.sampled_from(sorted(ABOVE)), st.sampled_from(sorted(CHAINS))),
    sizes=st.tuples(st.integers(0, 40), st.integers(0, 9)),
)
def test_filters_between_joins(
    clients: Callable[[int], RLMClient],
    hows: tuple[str, str],
    names: tuple[str, str],
    sizes: tuple[int, int],
) -> None:
    def operation(p: Any, q: Any) -> Any:
        below = p.merge(q, on="k", how=hows[0], suffixes=("", "_q"))
        kept = below[(below["x"] > 10) & (below["y"] > 1)]
        return kept.merge(q[q["y"] < 7], on="k", how=hows[1], suffixes=("", "_r"))[lambda m: m["k"] != 5]

    agree(clients, facts(sizes[0]), operation, keys(sizes[1]))


RARE: dict[str, Callable[[Any], Any]] = {
    "rows": lambda p: p[p["x"] == 3],
    "rows of a text": lambda p: p[(p["s"] == "text 77") & p["n"].notna()],
    "numbered": lambda p: p[p["x"] == 3].reset_index(),
    "sum": lambda p: p[p["x"] == 3]["n"].sum(),
    "groups": lambda p: p[p["x"].isin([3, 500])].groupby("g")[["n", "y"]].sum(),
    "groups in order": lambda p: p[p["x"].isin([3, 500])].groupby("g", sort=False)["s"].first(),
    "missing": lambda p: p[p["n"].isna() & (p["x"] < 30)].groupby("s").size(),
    "none": lambda p: p[p["x"] > 10_000].groupby("g")["n"].sum(),
    "first": lambda p: p[p["x"] == 3].head(2),
}


@pytest.mark.parametrize("name", RARE)
def test_few_rows_of_files(clients: Callable[[int], RLMClient], tmp_path: Path, name: str) -> None:
    rows = 4000
    random = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "x": random.integers(0, 1000, rows),
            "n": pd.Series(random.random(rows)).where(random.random(rows) > 0.3),
            "s": pd.Series(
                [f"text {n}" if n % 9 else None for n in random.integers(0, 200, rows)], dtype="str"
            ),
            "g": pd.Series(random.choice(["a", "b", "a text of more than twelve bytes"], rows), dtype="str"),
            "y": np.arange(rows),
        }
    )
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path, row_group_size=700)
    for chunk, threads in ((1, 1), (64, 2), ("auto", 2)):
        run = clients(threads).submit(make_task(str(path), RARE[name], chunkSize=chunk))
        assert_same(run.result(), RARE[name](frame), ALLOWED)
        counts = run.metrics()
        assert counts["chunks_pending"] == 0
        assert counts["chunks_accepted"] == counts["chunks_succeeded"] + counts["chunks_skipped"]
