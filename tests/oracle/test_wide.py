"""Tables whose columns are values: pivots, cross tables, unstacked levels; equal to pandas at any chunk size."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import NotDecomposableError, RLMClient, RLMError

from tests.conftest import make_task
from tests.oracle._cases import Case, _parse
from tests.oracle._compare import assert_same
from tests.oracle._run import COMBINATIONS, Raised, allowance, by_pandas
from tests.oracle._tables import catalogue, write_files

Clients = Callable[[int], RLMClient]

CASES = _parse("""
p.pivot_table(index="k", columns="g", values="x")
p.pivot_table(index="k", columns="g", values="x", aggfunc="sum")
p.pivot_table(index="k", columns="g", values="i", aggfunc="sum", fill_value=0)
p.pivot_table(index="k", columns="g", values="x", aggfunc="sum", fill_value=0)
p.pivot_table("x", "k", "b", "max")
p.pivot_table("i", "g", "k", "min")
p.pivot_table("i", "g", "k", "count")
p.pivot_table("s", "k", "g", "first")
p.pivot_table("x", "k", "g", "nunique")
p.pivot_table("x", "k", "g", "median")
p.pivot_table("x", "k", "g", len)
p.pivot_table("x", "k", "g", "std")
p.pivot_table(["x", "i"], "k", "g", "sum")
p.pivot_table(["x"], "k", "g", "sum")
p.pivot_table(["y", "x"], "k", "g", "sum", sort=False)
p.pivot_table("x", "k", "g", "sum", sort=False)
p.pivot_table("x", ["k", "b"], "g", "sum")
p.pivot_table("x", "k", ["g", "b"], "sum")
p.pivot_table("x", "k", ["g", "b"], "sum", sort=False)
p.pivot_table(["y", "x"], ["b", "k"], "g", "sum", sort=False)
p.pivot_table("x", "k", ["g", "b"], ["sum", "max"])
p.pivot_table(["x", "y"], ["k", "b"], ["g", "s"], "sum")
p.pivot_table("x", "k", "g", ["sum", "mean"])
p.pivot_table(["x", "y"], "k", "g", ["mean", "sum"])
p.pivot_table(["x", "i"], "k", "g", {"x": "sum", "i": "max"})
p.pivot_table(["x", "i"], "k", "g", {"x": ["sum", "mean"], "i": "max"})
p[["k", "g", "x", "y"]].pivot_table(index="k", columns="g")
p[["k", "g", "x", "y"]].pivot_table(index="k", columns="g", aggfunc="sum", fill_value=-1.5)
p.pivot_table("x", "k", aggfunc="sum")
p.pivot_table(["y", "x"], "k")
p.pivot_table(["y", "x"], ["k", "g"], aggfunc=["sum", "max"])
p.pivot_table("x", "k", aggfunc={"x": ["sum", "max"]})
p.pivot_table("x", "k", p["x"] > 0, "count")
p.pivot_table("x", p["i"] % 3, "g", "sum")
p.pivot_table("x", "k", pd.Grouper(key="t", freq="D"), "sum")
p.pivot_table("x", pd.Grouper(key="t", freq="D"), "k", "sum")
p.pivot_table("x", "k", "g", "sum", margins=True)
p.pivot_table("x", "k", "g", "mean", margins=True)
p.pivot_table("i", "g", "k", "sum", margins=True, margins_name="Total")
p.pivot_table("i", "g", "b", "count", margins=True)
p.pivot_table("i", "k", "g", "sum", margins=True, fill_value=0)
p.pivot_table(["x", "i"], "k", "g", "sum", margins=True)
p.pivot_table(["x", "i"], "k", "g", ["sum", "count"], margins=True)
p.pivot_table("x", ["k", "g"], "b", "max", margins=True)
p.pivot_table("x", "k", ["b", "g"], "sum", margins=True)
p.pivot_table("x", "k", aggfunc="sum", margins=True)
p.pivot_table(["x", "y"], "g", aggfunc="mean", margins=True)
p.pivot_table("x", "k", "g", "sum").reset_index()
p.pivot_table("x", ["k", "b"], "g", "sum").reset_index()
p.pivot_table(["x", "y"], "k", "g", "sum").reset_index()
p.pivot_table("x", "k", "g", "sum").reset_index(drop=True)
p.pivot_table("x", "k", "g", "sum").fillna(0)
p.pivot_table("x", "k", "g", "mean").round(1)
p.pivot_table("x", "k", "g", "mean").round(1).fillna(0).reset_index()
p.pivot_table("x", "k", "g", "sum").rename_axis(columns=None)
p.pivot_table("x", "k", "g", "sum").rename_axis(None, axis=1).reset_index()
p.pivot_table("x", "k", "g", "sum").rename_axis(index="key")
p.pivot_table("b", "k", "g", "count").fillna(0).astype("int64")
p[p["x"] > 0].pivot_table("x", "k", "g", "sum")
pd.pivot_table(p, values="x", index="k", columns="g", aggfunc="sum")
pd.crosstab(p["k"], p["g"])
pd.crosstab(p["g"], p["b"])
pd.crosstab(p["k"], [p["g"], p["b"]])
pd.crosstab([p["k"], p["b"]], p["g"])
pd.crosstab(p["k"], p["x"] > 0)
pd.crosstab(p["k"], p["g"], rownames=["a"], colnames=["c"])
pd.crosstab(p["k"], p["g"], margins=True)
pd.crosstab(p["g"], p["k"], margins=True, margins_name="Total")
pd.crosstab([p["k"], p["b"]], p["g"], margins=True)
pd.crosstab(p["k"], p["g"], values=p["x"], aggfunc="sum")
pd.crosstab(p["k"], p["g"], values=p["x"], aggfunc="mean", margins=True)
pd.crosstab(p["k"], p["g"], normalize=True)
pd.crosstab(p["k"], p["g"], normalize="all")
pd.crosstab(p["k"], p["g"], normalize="index")
pd.crosstab(p["k"], p["g"], normalize="columns").round(3)
pd.crosstab(p["k"], p["g"], normalize=0)
pd.crosstab(p["k"], p["g"], normalize="index", margins=True)
pd.crosstab(p["k"], p["g"], normalize="columns", margins=True)
pd.crosstab(p["k"], p["g"], normalize="all", margins=True)
p.groupby(["k", "g"])["x"].sum().unstack()
p.groupby(["k", "g"])["i"].sum().unstack(fill_value=0)
p.groupby(["k", "g"])["x"].mean().unstack("k")
p.groupby(["k", "g"])["x"].mean().unstack(0)
p.groupby(["k", "g", "b"])["x"].mean().unstack()
p.groupby(["k", "g", "b"])["x"].mean().unstack(["g", "b"])
p.groupby(["k", "g", "b"])["x"].mean().unstack([0, 2])
p.groupby(["k", "g"])[["x", "y"]].sum().unstack()
p.groupby(["k", "g"])[["x", "i"]].sum().unstack().fillna(0)
p.groupby(["k", "g"])["x"].agg(["sum", "max"]).unstack("g")
p.groupby(["k", "g"]).agg({"x": ["sum", "max"]}).unstack()
p.groupby(["k", "b"]).size().unstack(fill_value=0)
p.groupby(["k", "g"])["x"].sum().unstack().fillna(0).reset_index()
p.groupby(["k", "g"], sort=False)["x"].sum().unstack()
p.groupby(["k", "g"], dropna=False)["x"].sum().unstack()
p.groupby(["k", "g"], dropna=False)["x"].sum().unstack("k")
p.groupby(["g", "k"], sort=False, dropna=False)["i"].max().unstack(0)
p.groupby(["k", "g", "x"])["i"].sum().unstack()
p.groupby(["x", "k"])[["i", "y"]].max().unstack()
p.groupby(["k", "x"])["i"].count().unstack("k", fill_value=0)
s = p.groupby(["k", "x"])["i"].sum(); s[s > 0].unstack()
s = p.groupby(["x", "k"], sort=False)["i"].sum(); s[s > 0].unstack()
s = p.groupby(["k", "g"])["x"].sum(); (s / s.groupby(level=0).transform("sum")).unstack()
s = p.groupby(["k", "g"])["x"].sum().sort_values(); s.unstack()
s = p.groupby(["k", "x"])["i"].sum().reset_index(); s[s["i"] > 0].set_index(["k", "x"])["i"].unstack()
p[p["x"] > 0].pivot_table("i", ["x", "k"], "g", "max")
p.pivot_table("y", "x", "k", "sum", sort=False)
p.pivot_table(["x", "y"], "k", "g", ["sum", "max"], fill_value=-1)
p.pivot_table(["x", "y"], "k", "g", "max").fillna(0)
p.pivot_table("x", "k", ["g", "t"], "max", margins=True)
p.pivot_table("x", "k", "t", "max").reset_index()
p.groupby("k")["g"].value_counts().unstack()
p.groupby("k")["b"].value_counts(normalize=True).unstack().fillna(0)
p.groupby(["k", "g"], as_index=False)["x"].sum().pivot(index="k", columns="g", values="x")
p.groupby(["k", "g"], as_index=False)["x"].sum().pivot(index="k", columns="g")
p.groupby(["k", "g"], as_index=False)[["x", "y"]].sum().pivot(index="k", columns="g", values=["y", "x"])
p.groupby(["k", "g", "b"], as_index=False)["x"].sum().pivot(index=["k", "b"], columns="g", values="x")
p.groupby(["k", "g", "b"], as_index=False)["x"].sum().pivot(index="k", columns=["b", "g"], values="x")
p.drop_duplicates(["k", "g"]).pivot(index="k", columns="g", values="x")
p.drop_duplicates(["k", "x"]).pivot(index="x", columns="k", values="s")
p.drop_duplicates(["k", "g"]).set_index("k").pivot(columns="g", values="x")
p.drop_duplicates(["k", "g"]).set_index(["k", "g"])["x"].unstack()
p.drop_duplicates(["k", "g"]).set_index(["g", "k"])[["x", "s"]].unstack()
p.drop_duplicates(["t", "k"]).pivot(index="k", columns="t", values="x")
p.drop_duplicates(["t", "k"]).pivot(index="t", columns="k", values="x")
pd.pivot(p.drop_duplicates(["k", "g"]), index="k", columns="g", values="x")
p[["k", "g", "i"]].pivot(columns="k", values="i")
""")

NOTHING = ("empty", "all_null", "null_keys")
BEYOND = {
    # Without columns to find, the labels are known while tracing: those of nothing but missing values stay.
    *(
        (case, table)
        for case in (
            'p.pivot_table("x", "k", aggfunc="sum")',
            'p.pivot_table(["y", "x"], "k")',
            'p.pivot_table(["y", "x"], ["k", "g"], aggfunc=["sum", "max"])',
            'p.pivot_table("x", "k", aggfunc={"x": ["sum", "max"]})',
        )
        for table in NOTHING
    ),
    # pandas raises an IndexError for shares of nothing with margins.
    *(
        (f'pd.crosstab(p["k"], p["g"], normalize="{how}", margins=True)', table)
        for how in ("index", "columns", "all")
        for table in NOTHING
    ),
    # pandas has the values that were counted in order of appearance.
    ('p.groupby("k")["g"].value_counts().unstack()', "unique"),
    ('p.groupby("k")["b"].value_counts(normalize=True).unstack().fillna(0)', "unique"),
}


def same(case: Case, run: Any, data: pa.Table, source: Any, chunk: int | str, expected: Any) -> None:
    """As everywhere, but a whole number without a cell stays one (docs/dtypes.md)."""
    try:
        answer = run(make_task(source, case.function, chunkSize=chunk))
    except RLMError as error:
        if isinstance(expected, Raised) and error.code != "INTERNAL":
            return
        raise
    assert not isinstance(expected, Raised), f"pandas raised {expected.error!r}, we answered {answer!r}"
    assert_same(answer, expected, replace(allowance(data, case.function), integers=True))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of Parquet files of a table of the catalogue."""
    base = tmp_path_factory.mktemp("wide")
    return lambda name: (
        write_files(catalogue()[name], base / name) if not (base / name).exists() else base / name
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_chunk_size(case: Case, clients: Clients, files: Callable[[str], Path]) -> None:
    data = catalogue()["plain"]
    expected = by_pandas(case.function, data)
    assert not isinstance(expected, Raised), f"not a case: pandas raised {expected.error!r}"
    for chunk, threads in COMBINATIONS:
        same(case, clients(threads).execute, data, str(files("plain")), chunk, expected)


@pytest.mark.parametrize("name", [name for name in catalogue() if name != "plain"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_table(case: Case, name: str, clients: Clients) -> None:
    if (case.name, name) in BEYOND:
        return
    data = catalogue()[name]
    chunk, threads = COMBINATIONS[zlib.crc32(f"{case.name}{name}".encode()) % len(COMBINATIONS)]
    same(case, clients(threads).execute, data, data, chunk, by_pandas(case.function, data))


REFUSED = [
    lambda p: p.pivot_table("x", "k", "g")[1],
    lambda p: p.pivot_table("x", "k", "g").sum(),
    lambda p: p.pivot_table("x", "k", "g", dropna=False),
    lambda p: p.pivot_table("x", columns="g"),
    lambda p: p.pivot_table("x", "k", "g").fillna({1: 0}),
    lambda p: p.pivot_table("x", "k", "g").columns,
    lambda p: p.pivot_table(["x", "y"], "k", "g").rename_axis(columns=None),
    lambda p: p.groupby(["k", "g"])["x"].sum().unstack(["k", "g"]),
    lambda p: [p.pivot_table("x", "k", "g")],
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_needs_the_columns_is_refused(number: int, client: RLMClient) -> None:
    with pytest.raises(NotDecomposableError):
        client.execute(make_task(catalogue()["plain"], REFUSED[number]))


def test_two_rows_of_one_cell(client: RLMClient) -> None:
    with pytest.raises(RLMError, match="duplicate entries") as raised:
        client.execute(make_task(catalogue()["plain"], lambda p: p.pivot(index="k", columns="g", values="x")))
    assert raised.value.code == "OPERATION_FAILED"


def test_names_in_arrow(client: RLMClient, tmp_path: Path) -> None:
    data = pd.DataFrame({"k": ["a", "b"], "g": [1, 2], "x": [1.0, 2.0], "y": [3, 4]})
    table = client.execute(
        make_task(data, lambda p: p.pivot_table(["x", "y"], "g", "k", "sum", margins=True))
    )
    names = ["g", "x_a", "x_b", "x_All", "y_a", "y_b", "y_All"]
    assert table.to_arrow().column_names == names
    assert table.columns[0] == ("x", "a")
    # A margin of keys that are no text has a null there.
    assert table.to_arrow()["g"].to_pylist() == [1, 2, None]
    assert list(table.to_pandas().index) == [1, 2, "All"]
    table.write.parquet(tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet").columns.tolist() == names


LARGE = pd.DataFrame(
    {"k": ["a", "b", "a"], "u": [2**55 + 3, 1, 2**55 + 1], "h": [3, 1, 3], "x": [1.0, 2.0, 3.0]}
)


@pytest.mark.parametrize(
    "function",
    [
        lambda p: p.pivot_table("x", "u", "k", "sum", margins=True),
        lambda p: p.pivot_table("x", "k", "u", "sum", margins=True),
        lambda p: p.pivot_table("x", ["u", "h"], "k", "sum", margins=True).reset_index(),
        lambda p: pd.crosstab(p["u"], p["h"], margins=True),
        lambda p: pd.crosstab(p["k"], [p["u"], p["h"]], margins=True, normalize=True),
    ],
)
def test_keys_beyond_floats_are_exact_next_to_margins(function: Any, client: RLMClient) -> None:
    assert_same(client.execute(make_task(LARGE, function)), function(LARGE))
