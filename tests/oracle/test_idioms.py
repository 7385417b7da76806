"""How people write with pandas: assignment in every form, copies, `isinstance`, labels of two levels, loops over columns."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame, Series
from rlm_hypervisor import NotDecomposableError, RLMClient

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same

Operation = Callable[[Any], Any]
FRAME = pd.DataFrame({"k": ["a", "b", "a", None], "v": [1, 2, 3, 4], "x": [0.5, np.nan, 2.0, 1.0]})
IDIOMS: list[Operation] = []


def idiom(operation: Operation) -> Operation:
    """One that is as pandas has it."""
    IDIOMS.append(operation)
    return operation


@idiom
def another_name_is_the_same_table(p: Any) -> Any:
    q = p
    q["w"] = 1
    return p


@idiom
def a_selection_is_another_table(p: Any) -> Any:
    q = p[["v"]]
    q["w"] = 1
    return p


@idiom
def copies(p: Any) -> Any:
    for made in (p.copy(), copy.copy(p), copy.deepcopy(p)):
        made["w"] = 1
    column = copy.copy(p["v"])
    column += copy.deepcopy(column)
    p["both"] = column
    return p


@idiom
def in_place_arithmetic(p: Any) -> Any:
    column = p["v"]
    column += 1
    p["x"] *= 2
    p.v = p.v + column
    return p


@idiom
def a_column_that_was_taken_out_is_changed(p: Any) -> Any:
    column = p["v"]
    column[column > 1] = 0
    p["changed"] = column
    p.loc[p["v"] > 2, "v"] = 7
    p.loc[p["v"] > 2, ["x", "new"]] = 1.5
    return p


@idiom
def pop_insert_del(p: Any) -> Any:
    taken = p.pop("v")
    p.insert(0, "z", taken * 2)
    del p["x"]
    return p


@idiom
def loops_over_columns(p: Any) -> Any:
    for label in p:
        if label != "k":
            p[label] = p[label].fillna(0)
    for label, column in p.items():
        if column.dtype.kind in "if":
            p[f"{label}2"] = column * 2
    p.columns = [label.upper() for label in p.columns]
    return p


@idiom
def labels_as_lists(p: Any) -> Any:
    first, *_, last = p
    assert [*p] == list(p) == sorted(p) == list(p.columns)
    return p[[last, first]]


@idiom
def asks_for_classes(p: Any) -> Any:
    assert isinstance(p, pd.DataFrame) and isinstance(p, DataFrame)
    assert isinstance(p["v"], pd.Series) and isinstance(p["v"], Series | list)
    assert not isinstance(p, Series) and not isinstance(p["v"], DataFrame)
    assert isinstance(p["v"].sum(), np.integer) and not isinstance(p["v"].sum(), float)
    assert isinstance(p["x"].mean(), float) and isinstance(p["k"].max(), str)
    return p["v"]


@idiom
def joined_labels(p: Any) -> Any:
    g = p.groupby("k").agg({"v": ["sum", "mean"], "x": ["max"]})
    g.columns = g.columns.map("_".join)
    return g.reset_index()


@idiom
def renamed_labels(p: Any) -> Any:
    p.columns = p.columns.map({"k": "key", "v": "value", "x": "number"})
    return p


@idiom
def below_a_label(p: Any) -> Any:
    return p.groupby("k").agg({"v": ["sum", "mean"], "x": ["max"]})["v"]


@idiom
def below_a_label_a_column(p: Any) -> Any:
    return p.groupby("k").agg({"v": ["sum", "mean"], "x": ["max"]})["v"]["mean"]


@idiom
def without_the_last_rows(p: Any) -> Any:
    return p.sort_values("v").head(-1)


@idiom
def a_chain(p: Any) -> Any:
    return (
        p.query("v > 1")
        .assign(w=lambda d: d.v * 2)
        .groupby("k", as_index=False)
        .agg(s=("w", "sum"))
        .sort_values("s")
        .rename(columns={"s": "t"})
        .reset_index(drop=True)
    )


@pytest.mark.parametrize("operation", IDIOMS, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("chunk", [1, "auto"])
def test_as_pandas_has_it(client: RLMClient, operation: Operation, chunk: int | str) -> None:
    answer = client.execute(make_task(FRAME, operation, chunkSize=chunk))
    assert_same(answer, operation(FRAME.copy()), Allowance(noop=True))


def test_the_function_may_ask_for_our_classes_too(client: RLMClient) -> None:
    from rlm_hypervisor import Column, Partition

    def operation(p: Any) -> Any:
        assert isinstance(p, Partition) and isinstance(p["v"], Column)
        return p["v"].sum()

    assert client.execute(make_task(FRAME, operation)) == 10


def _index(p: Any) -> Any:
    p.index = p["v"]
    return p


def _index_name(p: Any) -> Any:
    p.index.name = "n"
    return p


def _method(p: Any) -> Any:
    p["mean"] = 1
    p.mean = p["v"]
    return p


@pytest.mark.parametrize(
    ("operation", "said"), [(_index, "set_index"), (_index_name, "rename_axis"), (_method, r"p\['mean'\]")]
)
def test_what_is_set_otherwise_is_refused(client: RLMClient, operation: Operation, said: str) -> None:
    with pytest.raises(NotDecomposableError, match=said):
        client.execute(make_task(FRAME, operation))
