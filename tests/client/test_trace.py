"""What cannot be traced is refused naming the user's file, line and call, and what to do instead."""

from __future__ import annotations

import datetime as dt
import inspect
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import (
    NotDecomposableError,
    OperationFailedError,
    RLMClient,
    RLMError,
    SchemaMismatchError,
)

from tests.conftest import make_task

Operation = Callable[[Any], Any]

# The word each message must have, and the usage; a lambda's line is where the trace ends.
REFUSED: list[tuple[str, Operation]] = [
    ("apply", lambda p: p.groupby("k").apply(len)),
    ("get_dummies", lambda p: pd.get_dummies(p["k"])["a"]),
    ("argsort", lambda p: p["x"].argsort()),
    ("iloc", lambda p: p.iloc[0]),
    ("iterrows", lambda p: list(p.iterrows())),
    ("itertuples", lambda p: list(p.itertuples())),
    ("unstack", lambda p: p.groupby(["k", "k2"])["x"].sum().unstack(["k", "k2"])),
    ("info", lambda p: p.info()),
    ("kendall", lambda p: p["x"].corr(p["i"], method="kendall")),
    ("pivot_table", lambda p: p.pivot_table(columns="k", values="x")),
    ("periods", lambda p: p["t"].dt.to_period("M")),
    ("values", lambda p: p.values),
    ("to_numpy", lambda p: p.to_numpy()),
    ("len", lambda p: len(p)),
    ("bool", lambda p: 1 if p["x"].sum() > 3 else 0),
    ("bool", lambda p: p["x"] > 1 and p["i"] > 2),
    ("if", lambda p: 0 if p.empty else 1),
    ("float", lambda p: float(p["x"].sum())),
    ("int", lambda p: int(p["i"].max())),
    ("iter", lambda p: list(p["x"])),
    ("inplace", lambda p: p.sort_values("x", inplace=True)),
    ("cov", lambda p: p.groupby("k")["x"].agg("cov")),
    ("agg", lambda p: p.groupby("k")["x"].agg(lambda x: x.abs())),
    ("asarray", lambda p: np.asarray(p["x"])),
    ("sum", lambda p: p.groupby("k")["k2"].sum()),
    ("indices", lambda p: p.groupby("k").indices),
]
LOOSE = {"bool", "if", "iter", "asarray", "len", "float", "int", "sum"}
"""Protocol calls have several right names; the line must be right all the same."""


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """A few rows of every type the usages need."""
    return pa.table(
        {
            "k": ["a", "b", "a"],
            "k2": ["u", "v", "w"],
            "i": [1, 2, 3],
            "x": [0.5, 1.5, 2.5],
            "t": pa.array([0, 1, 2], pa.timestamp("us")),
        }
    )


def _refusal(client: RLMClient, rows: pa.Table, operation: Operation) -> NotDecomposableError:
    with pytest.raises(NotDecomposableError) as caught:
        client.execute(make_task(rows, operation))
    return caught.value


def _assert_names_the_line(error: NotDecomposableError, line: int) -> None:
    assert error.code == "NOT_DECOMPOSABLE"
    assert not error.retryable
    assert isinstance(error, TypeError)
    assert Path(error.details["file"]).resolve() == Path(__file__).resolve()
    assert error.details["line"] == line
    assert f"{Path(__file__).name}:{line}" in str(error)
    assert error.details["call"]
    assert error.details["source"]
    assert error.details["function"]


@pytest.mark.parametrize(
    ("word", "operation"), REFUSED, ids=[f"{word}-{n}" for n, (word, _) in enumerate(REFUSED)]
)
def test_what_is_refused_and_where(
    client: RLMClient, rows: pa.Table, word: str, operation: Operation
) -> None:
    error = _refusal(client, rows, operation)
    _assert_names_the_line(error, operation.__code__.co_firstlineno)
    if word not in LOOSE:
        assert word in str(error)
    assert len(str(error)) > 60, f"no hint in {error}"


def _marked(function: Operation) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(n for n, line in enumerate(lines) if "# here" in line)


def _in_the_middle(p: Any) -> Any:
    p = p[p["x"] > 1]
    p = p.assign(z=p["x"] * 2)
    half = p["z"].argsort()[0]  # here
    return p[p["z"] > half]


def _helper(p: Any) -> Any:
    return p["x"].argsort()  # here


def _through_a_helper(p: Any) -> Any:
    return _helper(p[p["i"] > 0])


def _a_loop(p: Any) -> Any:
    total = 0
    for x in p["x"]:  # here
        total += x
    return total


def _over_lines(p: Any) -> Any:
    return (
        p[p["x"] > 0].groupby("k")["x"].plot("a")  # here
    )


def _set_by_position(p: Any) -> Any:
    p.iloc[0, 0] = "z"  # here
    return p


@pytest.mark.parametrize("function", [_in_the_middle, _a_loop, _set_by_position])
def test_the_line_within_a_function(client: RLMClient, rows: pa.Table, function: Operation) -> None:
    _assert_names_the_line(_refusal(client, rows, function), _marked(function))


def test_the_line_within_a_helper(client: RLMClient, rows: pa.Table) -> None:
    _assert_names_the_line(_refusal(client, rows, _through_a_helper), _marked(_helper))


def test_the_line_within_an_expression_over_lines(client: RLMClient, rows: pa.Table) -> None:
    error = _refusal(client, rows, _over_lines)
    lines, first = inspect.getsourcelines(_over_lines)
    assert first < error.details["line"] <= first + len(lines)


def test_columns_of_other_tables_do_not_mix(client: RLMClient, rows: pa.Table) -> None:
    error = _refusal(client, rows, lambda p: p["x"] + p.groupby("k")["x"].sum())
    assert Path(error.details["file"]).name == Path(__file__).name


@pytest.mark.parametrize(
    "operation",
    [
        lambda p: None,
        lambda p: {"a": p["x"].sum()},
        lambda p: (p, p),
        lambda p: p.groupby("k"),
        lambda p: iter([1]),
    ],
)
def test_what_cannot_be_returned(client: RLMClient, rows: pa.Table, operation: Operation) -> None:
    with pytest.raises(RLMError) as caught:
        client.execute(make_task(rows, operation))
    assert caught.value.code in ("NOT_DECOMPOSABLE", "OPERATION_FAILED", "COMBINE_REQUIRED")


@pytest.mark.parametrize(
    "operation",
    [
        lambda p: p["valeu"],
        lambda p: p.groupby("valeu")["x"].sum(),
        lambda p: p[["x", "valeu"]],
        lambda p: p.valeu,
    ],
)
def test_a_missing_column_has_a_nearest_one(client: RLMClient, operation: Operation) -> None:
    data = pa.table({"value": [1.0], "x": [1]})
    with pytest.raises(RLMError) as caught:
        client.execute(make_task(data, operation))
    assert "valeu" in str(caught.value)
    assert "'value'" in str(caught.value).replace("`", "'").replace('"', "'")


def test_what_the_user_raises_keeps_its_traceback(client: RLMClient, rows: pa.Table) -> None:
    def operation(p: Any) -> Any:
        nothing: dict[str, int] = {}
        return nothing["key"]

    with pytest.raises(RLMError) as caught:
        client.execute(make_task(rows, operation))
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError)
    assert cause.__traceback__ is not None
    last = cause.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    assert last.tb_frame.f_code is operation.__code__


def test_a_partition_is_gone_after_the_trace(client: RLMClient, rows: pa.Table) -> None:
    kept: list[Any] = []

    def operation(p: Any) -> Any:
        kept.append(p)
        return p["x"].sum()

    assert client.execute(make_task(rows, operation)) == 4.5
    assert client.execute(make_task(rows, operation)) == 4.5
    assert len(kept) == 2, "traced once per execution, whatever the number of chunks"


def test_branching_on_what_is_known_is_fine(client: RLMClient, rows: pa.Table) -> None:
    def operation(p: Any) -> Any:
        if "x" in p.columns and p["x"].dtype == "float64":
            return p["x"].max()
        return p["i"].max()

    assert client.execute(make_task(rows, operation)) == 2.5


class _Anything:
    pass


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (lambda p: p.groupby("k")["v"].sum, r"did you forget `\(\)`"),
        (lambda p: p["v"].sum, r"did you forget `\(\)`"),
        (lambda p: f"the answer is {p['v']}", "the text of a column"),
        (lambda p: {"columns": [str(p)]}, "the text of a column"),
        (lambda p: p.loc, "Loc"),
        (lambda p: _Anything(), "_Anything"),
        (lambda p: [[[_Anything()]]], "_Anything"),
    ],
)
def test_what_is_no_answer_is_refused(client: RLMClient, operation: Any, said: str) -> None:
    data = pa.table({"k": ["a"], "v": [1.0]})
    with pytest.raises(NotDecomposableError, match=said):
        client.execute(make_task(data, operation))


@pytest.mark.parametrize("value", [1, "a", b"b", 2.5, [1, {"a": (None, True)}], dt.date(2024, 1, 2), {}])
def test_plain_values_are_answers(client: RLMClient, value: Any) -> None:
    assert client.execute(make_task(pa.table({"v": [1.0]}), lambda p: value)) == value


def test_the_line_named_is_the_users_not_the_standard_librarys(client: RLMClient) -> None:
    def average(p: Any) -> Any:
        return statistics.mean(p["v"])

    with pytest.raises(NotDecomposableError, match="goes through the standard library") as caught:
        client.execute(make_task(pa.table({"v": [1.0]}), average))
    assert caught.value.details["file"] == __file__
    assert "statistics.mean" in caught.value.details["source"]


def test_what_data_does_to_an_expression_names_the_expression(client: RLMClient) -> None:
    data = pa.table({"v": [1.0, float("inf")], "w": [1, 0]})
    with pytest.raises(OperationFailedError, match="v"):
        client.execute(make_task(data, lambda p: p["v"].astype("int64")))
    with pytest.raises(OperationFailedError) as caught:
        client.execute(make_task(data, lambda p: p["w"] // p["w"]))
    assert "w" in caught.value.details["expression"]


def test_expressions_that_are_nested_too_deep_are_refused(client: RLMClient, data: pa.Table) -> None:
    def added(times: int) -> Operation:
        def operation(p: Any) -> Any:
            column = p["x"]
            for _ in range(times):
                column = column + 1
            return column.sum()

        return operation

    assert client.execute(make_task(data, added(900))) == 7.0 + 900 * 5
    with pytest.raises(NotDecomposableError, match="nested deeper"):
        client.execute(make_task(data, added(5_000)))


def _sorts(p: Any, q: Any, times: int) -> Any:
    for turn in range(times):
        p = p.sort_values("x", ascending=bool(turn % 2))
    return p["x"].sum()


def _heads(p: Any, q: Any, times: int) -> Any:
    for _ in range(times):
        p = p.head(3)
    return p["x"].sum()


def _slices(p: Any, q: Any, times: int) -> Any:
    for _ in range(times):
        p = p.iloc[:3]
    return p["x"].sum()


def _joined(p: Any, q: Any, times: int) -> Any:
    for _ in range(times):
        p = p.merge(q, on="x")
    return p["x"].sum()


def _stacked(p: Any, q: Any, times: int) -> Any:
    for _ in range(times):
        p = pd.concat([q.head(0), p], ignore_index=True)
    return p["x"].sum()


def _scalars(p: Any, q: Any, times: int) -> Any:
    column = p["x"]
    for _ in range(times):
        column = p["x"] * 0 + column.max()
    return column.max() + p["x"].sum() - column.max()


def _running(p: Any, q: Any, times: int) -> Any:
    column = p["x"]
    for _ in range(times):
        column = column.cummax()
    return column.max() + p["x"].sum() - column.max()


def _looked_up(p: Any, q: Any, times: int) -> Any:
    for _ in range(times):
        q = q[q["x"].isin(p[p["x"].isin(q["x"])]["x"])]
    return q["x"].sum()


STEPS = [_sorts, _heads, _slices, _joined, _stacked, _scalars, _running, _looked_up]


@pytest.mark.parametrize("steps", STEPS, ids=[steps.__name__ for steps in STEPS])
def test_plans_that_are_too_deep_are_refused(client: RLMClient, steps: Any) -> None:
    data = pa.table({"x": [1.5, 2.5, 3.0]})
    table = client.table(data)
    assert client.execute(make_task(data, lambda p: steps(p, table, 2))) == 7.0
    with pytest.raises(NotDecomposableError, match=r"deeper than|beyond 1,000,000 steps"):
        client.execute(make_task(data, lambda p: steps(p, table, 3_000)))


@pytest.mark.parametrize("steps", [_sorts, _heads], ids=["sorts", "heads"])
def test_the_deepest_plans_are_run(client: RLMClient, steps: Any) -> None:
    data = pa.table({"x": [1.5, 2.5, 3.0]})
    assert client.execute(make_task(data, lambda p: steps(p, None, 990))) == 7.0


def test_plans_that_double_are_refused(client: RLMClient) -> None:
    def doubled(p: Any) -> Any:
        for _ in range(60):
            p = pd.concat([p, p], ignore_index=True)
        return p["x"].sum()

    with pytest.raises(NotDecomposableError, match="beyond 1,000,000 steps"):
        client.execute(make_task(pa.table({"x": [1.0]}), doubled))


def _nested(kind: type, inner: Any, times: int) -> Any:
    for _ in range(times):
        inner = kind([inner])
    return inner


def _itself() -> list[Any]:
    found: list[Any] = [1]
    found.append(found)
    return found


def _array_of_itself() -> Any:
    found = np.empty((), object)
    found[()] = found
    return found


@pytest.mark.parametrize(
    "operation",
    [
        lambda p: p.rename(columns={"x": _nested(tuple, "a", 20_000)}),
        lambda p: p[_nested(tuple, "a", 20_000)],
        lambda p: p["x"].rename(_nested(tuple, "a", 20_000)),
        lambda p: p[p["x"].isin(_itself())],
        lambda p: p[p["x"].isin(_nested(list, 1, 20_000))],
        lambda p: p["x"] + _array_of_itself(),
    ],
    ids=["rename", "column", "name", "itself", "list", "array"],
)
def test_constants_that_are_nested_too_deep_are_refused(client: RLMClient, operation: Operation) -> None:
    with pytest.raises((NotDecomposableError, SchemaMismatchError)):
        client.execute(make_task(pa.table({"x": [1.0]}), operation))
