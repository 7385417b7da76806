"""Two tables: merge, join, concat and look-ups against pandas, for every kind, key type, chunk size and thread count."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import NotDecomposableError, OperationFailedError, OutOfMemoryError, RLMClient, RLMError

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same

ALLOWED = Allowance(integers=True, noop=True)
HOWS = ("inner", "left", "right", "outer")
WAYS: list[tuple[int | str, int]] = [(1, 1), (3, 2), ("auto", 4)]

KEYS: dict[str, list[Any]] = {
    "int64": [1, 2, 3, -7, 4, 1_000_000_007],
    "float64": [0.0, -0.0, 1.5, float("nan"), 2.0, 3.0],
    "str": [
        "a",
        "b",
        None,
        "",
        "a text of more than twelve bytes",
        "a text of more than twelve letters",
        "é",
    ],
    "datetime64[us]": [
        pd.Timestamp("2024-01-01"),
        pd.NaT,
        pd.Timestamp("1960-05-05 01:02:03"),
        pd.Timestamp(0),
    ],
    "bool": [True, False],
}


def table(seed: int, rows: int, kinds: tuple[str, ...], value: str) -> pd.DataFrame:
    """A table with keys `k0`, `k1`, ..., a shared column and one of its own."""
    random = np.random.default_rng(seed)
    data: dict[str, Any] = {}
    for number, kind in enumerate(kinds):
        pool = KEYS[kind]
        data[f"k{number}"] = pd.Series([pool[n] for n in random.integers(0, len(pool), rows)], dtype=kind)
    data["shared"] = np.arange(rows) * 1.5
    data[value] = pd.Series([f"{value}{n}" for n in range(rows)], dtype="str")
    data[f"{value}_n"] = random.integers(0, 9, rows)
    return pd.DataFrame(data)


def agree(
    clients: Callable[[int], RLMClient], left: pd.DataFrame, operation: Callable[[Any, Any], Any], right: Any
) -> None:
    """The operation gives the same with every chunk size as in pandas."""
    expected = operation(left, right)
    if isinstance(expected, pd.DataFrame) and "_merge" in expected:
        expected["_merge"] = expected["_merge"].astype("str")
    for chunk, threads in WAYS:
        client = clients(threads)
        other = client.table(right) if isinstance(right, pd.DataFrame) else right
        answer = client.execute(make_task(left, lambda p: operation(p, other), chunkSize=chunk))  # noqa: B023
        assert_same(answer, expected, ALLOWED)


KINDS = [
    ("int64",),
    ("float64",),
    ("str",),
    ("datetime64[us]",),
    ("bool",),
    ("int64", "str"),
    ("str", "float64"),
]
SIZES = [(40, 30), (7, 0), (0, 5), (25, 60)]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("kinds", KINDS, ids="+".join)
def test_merge_is_that_of_pandas(
    clients: Callable[[int], RLMClient], how: Any, kinds: tuple[str, ...]
) -> None:
    on = [f"k{number}" for number in range(len(kinds))]
    for seed, (rows, others) in enumerate(SIZES):
        left, right = table(seed, rows, kinds, "l"), table(seed + 100, others, kinds, "r")
        for sort, indicator in ((False, False), (True, True)):
            merged = lambda p, q: p.merge(q, on=on, how=how, sort=sort, indicator=indicator)  # noqa: B023, E731
            agree(clients, left, merged, right)


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "cross": lambda p, q: p.merge(q, how="cross"),
    "suffixes": lambda p, q: p.merge(q, on="k0", suffixes=("_left", None)),
    "left_on": lambda p, q: p.merge(
        q.rename(columns={"k0": "key"}), left_on="k0", right_on="key", how="left"
    ),
    "left_on outer": lambda p, q: p.merge(
        q.rename(columns={"k0": "key"}), left_on="k0", right_on="key", how="outer"
    ),
    "common columns": lambda p, q: p[["k0", "l"]].merge(q[["k0", "r"]]),
    "computed": lambda p, q: p.assign(k0=p["k0"] + 1).merge(q.assign(k0=q["k0"] * 1.0), on="k0", how="left"),
    "filtered": lambda p, q: p[p["shared"] > 3].merge(q[q["r_n"] > 2], on="k0", how="left"),
    "grouped": lambda p, q: p.merge(q, on="k0").groupby("l_n")["r_n"].sum(),
    "grouped left": lambda p, q: p.merge(q.groupby("k0")["r_n"].sum().reset_index(), on="k0", how="left"),
    "filter above": lambda p, q: p.merge(q, on="k0")[lambda m: (m["l_n"] > 3) & (m["r_n"] < 7)],
    "sorted": lambda p, q: p.merge(q, on="k0", how="left").sort_values(["shared_x", "shared_y"]),
    "twice": lambda p, q: p.merge(q, on="k0").merge(q, on="k0", suffixes=("", "_again")).head(50),
    "itself": lambda p, q: p.merge(p, on="k0"),
    "aggregate of itself": lambda p, q: p.merge(
        p.groupby("k0", as_index=False).agg(n=("l_n", "sum")), on="k0"
    ),
    "grouped index": lambda p, q: p.merge(q.groupby("k0")[["r_n"]].max(), left_on="k0", right_index=True),
    "grouped index left": lambda p, q: p.join(q.groupby("k0")[["r_n"]].max(), on="k0"),
    "grouped series": lambda p, q: p.join(q.groupby("k0")["r_n"].max(), on="k0", how="inner"),
    "join of groups": lambda p, q: p.groupby("k0")[["l_n"]].sum().join(q.groupby("k0")[["r_n"]].sum()),
    "join of groups inner": lambda p, q: (
        p.groupby("k0")[["l_n"]].sum().join(q.groupby("k0")[["r_n"]].sum(), how="inner")
    ),
    "join of groups outer": lambda p, q: (
        p.groupby("k0")[["l_n"]].sum().join(q.groupby("k0")[["r_n"]].sum(), how="outer")
    ),
    "join of rows": lambda p, q: p.join(q, suffixes=("_l", "_r")),
    "pd.merge": lambda p, q: (
        pd.merge(p, q, on=["k0", "l_n"], how="inner") if "l_n" in q else pd.merge(p, q, on="k0")
    ),
    "pd.concat": lambda p, q: pd.concat([p, q]),
    "pd.concat ignore": lambda p, q: pd.concat([p, q, p], ignore_index=True),
    "pd.concat inner": lambda p, q: pd.concat([p, q], join="inner"),
    "pd.concat columns": lambda p, q: pd.concat([p["k0"], p["shared"] * 2], axis=1),
    "pd.concat series": lambda p, q: pd.concat([p["shared"], q["shared"]]),
    "pd.concat series of names": lambda p, q: pd.concat([p["l_n"], q["r_n"]], ignore_index=True),
    "concat and group": lambda p, q: pd.concat([p, q]).groupby("k0")["shared"].sum(),
    "melt": lambda p, q: p.melt(["k0", "l"], ["shared", "l_n"], var_name="what"),
    "melt index": lambda p, q: p[["k0", "l_n"]].melt(ignore_index=False),
    "pd.melt and group": lambda p, q: (
        pd.melt(p, id_vars="l", value_vars=["k0", "l_n"]).groupby("variable")["value"].sum()
    ),
    "isin": lambda p, q: p[p["k0"].isin(q["k0"])],
    "not in": lambda p, q: p[~p["l_n"].isin(q[q["r_n"] > 4]["r_n"])],
    "map": lambda p, q: p["k0"].map(q.groupby("k0")["r_n"].sum()),
    "map and more": lambda p, q: p.assign(
        share=p["shared"] / p["k0"].map(p.groupby("k0")["shared"].sum()) + p["l_n"].mean()
    ),
    "map filtered": lambda p, q: p[p["l_n"].map(q.groupby("r_n")["shared"].mean()) > 5],
    "map ignore": lambda p, q: p["k0"].map(q.groupby("k0").size(), na_action="ignore"),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("sizes", [(40, 30), (9, 25)])
def test_operations_on_two_tables(
    clients: Callable[[int], RLMClient], name: str, sizes: tuple[int, int]
) -> None:
    left, right = table(5, sizes[0], ("int64",), "l"), table(6, sizes[1], ("int64",), "r")
    agree(clients, left, OPERATIONS[name], right)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    left=st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.integers(-2, 2)), max_size=30),
    right=st.lists(st.tuples(st.sampled_from([None, "a", "b", "d"]), st.integers(-2, 2)), max_size=30),
    how=st.sampled_from(HOWS),
    chunk=st.sampled_from([1, 4, 100]),
)
def test_any_two_tables(
    clients: Callable[[int], RLMClient], left: Any, right: Any, how: Any, chunk: int
) -> None:
    types = {"k": "str", "n": "int64", "x": "int64"}
    a = pd.DataFrame([(*row, n) for n, row in enumerate(left)], columns=list(types)).astype(types)
    b = pd.DataFrame([(*row, n) for n, row in enumerate(right)], columns=list(types)).astype(types)
    client = clients(2)
    answer = client.execute(make_task(a, lambda p: p.merge(b, on=["k", "n"], how=how), chunkSize=chunk))
    assert_same(answer, a.merge(b, on=["k", "n"], how=how), ALLOWED)


@pytest.mark.parametrize(
    ("validate", "left_twice", "right_twice"),
    list(itertools.product(["1:1", "one_to_many", "m:1", "m:m"], [False, True], [False, True])),
)
def test_validate_is_checked_while_the_task_runs(
    client: RLMClient, validate: Any, left_twice: bool, right_twice: bool
) -> None:
    left = pd.DataFrame({"k": [1, 2, 2 if left_twice else 3], "x": [1.0, 2.0, 3.0]})
    right = pd.DataFrame({"k": [5, 2, 5 if right_twice else 6], "y": [1.0, 2.0, 3.0]})
    merged = lambda p: p.merge(right, on="k", how="left", validate=validate)  # noqa: E731
    try:
        expected = merged(left)
    except pd.errors.MergeError:
        with pytest.raises(OperationFailedError, match="are not unique in the"):
            client.execute(make_task(left, merged))
        return
    assert_same(client.execute(make_task(left, merged)), expected, ALLOWED)


def test_a_mapping_that_repeats_a_label_is_refused(client: RLMClient) -> None:
    data = pd.DataFrame({"k": [1, 2], "x": [1, 2]})
    twice = pd.Series([1, 2], index=[1, 1])
    with pytest.raises(OperationFailedError, match="several rows of one label"):
        client.execute(make_task(data, lambda p: p["k"].map(twice)))


def test_merges_that_cannot_be_are_refused_by_name(client: RLMClient) -> None:
    data = pd.DataFrame({"k": [1, 2], "x": [1, 2]})
    other = pd.DataFrame({"k": ["a"], "y": [1]})
    for operation in (
        lambda p: p.merge(other, on="k"),
        lambda p: p.merge(other, left_on=p["k"], right_on="k"),
        lambda p: p.merge(other, on="z"),
        lambda p: p.merge(other, on="k", left_index=True),
        lambda p: p.merge([1, 2], on="k"),
        lambda p: p.join(other),
        lambda p: pd.concat([p, other]),
        lambda p: pd.concat([p, p[p["x"] > 1]], axis=1),
        lambda p: pd.concat([p, p], keys=["a", "b"]),
    ):
        with pytest.raises(RLMError) as raised:
            client.execute(make_task(data, operation))
        assert raised.value.code in ("NOT_DECOMPOSABLE", "SCHEMA_MISMATCH")


def test_tables_of_a_closed_client_are_refused(tmp_path: Any) -> None:
    data = pd.DataFrame({"k": [1, 2], "x": [1, 2]})
    data.to_parquet(tmp_path / "t.parquet")
    with RLMClient(threads=1) as first:
        other = first.table(tmp_path / "t.parquet")
    with RLMClient(threads=1) as client, pytest.raises(RLMError, match="closed client"):
        client.execute(make_task(data, lambda p: p.merge(other, on="k")))


def test_large_joins_agree_with_pandas(clients: Callable[[int], RLMClient]) -> None:
    """Dense and sparse integers, strings: rows enough for several shards of the table and for large batches."""
    random = np.random.default_rng(11)
    rows = 200_000
    dense = random.integers(0, rows, rows)
    left = pd.DataFrame(
        {"i": dense, "h": dense * 7_919_333, "s": [f"key {n:014}" for n in dense], "x": np.arange(rows)}
    )
    wanted = random.permutation(rows)[: rows // 2]
    right = pd.DataFrame(
        {
            "i": wanted,
            "h": wanted * 7_919_333,
            "s": [f"key {n:014}" for n in wanted],
            "y": np.arange(len(wanted)),
        }
    )
    for key in ("i", "h", "s"):
        for how in ("inner", "left"):
            a, b = left[[key, "x"]], right[[key, "y"]]
            merged = lambda p, q: p.merge(q, on=key, how=how)  # noqa: B023, E731
            answer = clients(2).execute(make_task(a, lambda p: merged(p, b)))  # noqa: B023
            assert_same(answer, merged(a, b), ALLOWED)


@pytest.mark.parametrize("limit", ["1MB", "4MB", "16MB", "512MB"])
@pytest.mark.timeout(300)
def test_a_tight_limit_gives_the_answer_or_says_so(limit: str) -> None:
    rows = 100_000
    left = pd.DataFrame({"k": np.arange(rows) % 5_000, "x": np.arange(rows)})
    right = pd.DataFrame({"k": np.arange(rows), "y": [f"a text of many bytes {n}" for n in range(rows)]})
    expected = left.merge(right, on="k")
    with RLMClient(threads=2) as client:
        task = make_task(left, lambda p: p.merge(right, on="k"), options={"memoryLimit": limit})
        try:
            answer = client.execute(task)
        except OutOfMemoryError:
            assert limit != "512MB"
        else:
            assert_same(answer, expected, ALLOWED)


def test_a_key_that_meets_an_index_and_a_column_of_its_name_is_refused(client: RLMClient) -> None:
    left = pd.DataFrame({"k": [1, 2], "a": [1, 2]})
    right = pd.DataFrame({"i": [1, 2], "k": [7, 8]})
    for operation in (
        lambda p: p.merge(client.table(right).set_index("i"), left_on="k", right_index=True),
        lambda p: client.table(right).set_index("i").merge(p, left_index=True, right_on="k"),
    ):
        with pytest.raises(NotDecomposableError, match="meets an index"):
            client.execute({"type": "parallel", "input": {"source": left, "operation": operation}})
