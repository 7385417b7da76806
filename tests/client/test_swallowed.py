"""What a function catches of ours: a refusal ends the trace all the same, for pandas would not have raised."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
import re
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import NotDecomposableError, OperationFailedError, RLMClient

from tests.conftest import make_task

FRAME = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3], "s": ["x1", "y2", "z3"]})
NUMBERS = {"x1": 1, "y2": 2, "z3": 3}

Element = Callable[[Any], Any]


def _caught(attempt: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An operation that goes on without what it attempts."""

    def operation(p: Any) -> Any:
        try:
            found = attempt(p)
        except Exception:
            found = 0
        return p["v"].sum() + found

    return operation


ATTEMPTS: dict[str, Callable[[Any], Any]] = {
    "len": len,
    "float": lambda p: float(p["v"].mean()),
    "iteration": lambda p: max(p["v"]),
    "method": lambda p: p.stack()["v"].sum(),
    "join": lambda p: len(",".join(p["s"])),
    "rule": lambda p: p["s"].sum(),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_refusal_that_is_caught_ends_the_trace(client: RLMClient, name: str) -> None:
    with pytest.raises(NotDecomposableError) as caught:
        client.execute(make_task(FRAME, _caught(ATTEMPTS[name])))
    assert caught.value.details["file"] == __file__
    assert caught.value.details["line"] in (
        ATTEMPTS[name].__code__.co_firstlineno if hasattr(ATTEMPTS[name], "__code__") else 0,
        _caught.__code__.co_firstlineno + 5,
    )


def test_python_hides_a_refusal_from_the_function(client: RLMClient) -> None:
    """`str.join` makes a TypeError of its own out of ours."""
    with pytest.raises(NotDecomposableError, match="iteration over a group's values"):
        client.execute(make_task(FRAME, lambda p: p.groupby("k")["s"].agg(lambda s: ",".join(s))))


def test_what_pandas_raises_too_may_be_caught(client: RLMClient) -> None:
    def missing(p: Any) -> Any:
        try:
            return p["nothing"].sum()
        except KeyError:
            return p["v"].sum()

    def wrong(p: Any) -> Any:
        try:
            return p["s"].mean()
        except TypeError:
            return p["v"].sum()

    assert client.execute(make_task(FRAME, missing)) == missing(FRAME) == 6
    assert wrong(FRAME) == 6
    with pytest.raises(NotDecomposableError):
        # Not told apart from what pandas would do, so refused: never answered otherwise than pandas does.
        client.execute(make_task(FRAME, wrong))


TAKES_VALUES: dict[str, Element] = {
    "key": lambda x: NUMBERS[x],
    "get": lambda x: NUMBERS.get(x, 0),
    "member": lambda x: x in NUMBERS,
    "pattern": lambda x: re.match("x", x) is not None,
    "compiled": lambda x: bool(re.compile("x").search(x)),
    "replaced": lambda x: re.sub("x", "y", x),
    "json": lambda x: json.dumps({"a": x}),
    "joined": lambda x: "-".join([x, "a"]),
    "decimal": lambda x: Decimal(x) > 1,
    "parsed": lambda x: dt.datetime.strptime(x, "%Y").year,
}


@pytest.mark.parametrize("guarded", [False, True], ids=["plain", "guarded"])
@pytest.mark.parametrize("name", TAKES_VALUES)
def test_a_value_that_is_not_known_is_no_value_for_libraries(
    client: RLMClient, name: str, guarded: bool
) -> None:
    take = TAKES_VALUES[name]

    def attempted(x: Any) -> Any:
        try:
            return take(x)
        except Exception:
            return None

    function = attempted if guarded else take
    with pytest.raises(NotDecomposableError) as caught:
        client.execute(make_task(FRAME, lambda p: p["s"].apply(function)))
    assert caught.value.details["file"] == __file__
    assert caught.value.details["line"] == take.__code__.co_firstlineno


def test_a_function_that_is_refused_runs_in_python() -> None:
    """What is no failure of the function's own is left to workers, and answered as pandas does."""

    def number(x: str) -> int:
        found = re.search(r"\d", x)
        return int(found.group()) if found else 0

    task = make_task(FRAME, lambda p: p["s"].map(number))
    with RLMClient(workers=1, mode="auto") as client:
        with pytest.warns(UserWarning, match="not native"):
            answer = client.execute(task).to_pandas()
    assert answer.tolist() == [1, 2, 3]


def test_a_function_that_gives_something_else_each_time(client: RLMClient) -> None:
    """A plan would have one random number for all rows."""
    counter = itertools.count()
    for function in (
        lambda x: x + random.random(),
        lambda x: next(counter),
        lambda x: time.perf_counter() if x > 1 else 0.0,
        lambda x: "a" if x > 1 else str(random.random()),
    ):
        with pytest.raises(NotDecomposableError, match="something else each time"):
            client.execute(make_task(FRAME, lambda p, function=function: p["v"].map(function)))
    for function in (lambda x: x + float("nan"), lambda x: float("nan") if x > 1 else x, lambda x: None):
        client.execute(make_task(FRAME, lambda p, function=function: p["v"].map(function)))


def test_what_the_function_raises_itself_is_its_own(client: RLMClient) -> None:
    def strict(x: str) -> int:
        if x == "y2":
            raise TypeError("not y2")
        return 1

    def lenient(x: str) -> int:
        try:
            return strict(x)
        except TypeError:
            return 2

    with pytest.raises(OperationFailedError, match="TypeError: not y2"):
        client.execute(make_task(FRAME, lambda p: p["s"].map(strict)))
    assert client.execute(make_task(FRAME, lambda p: p["s"].map(lenient).sum())) == 4


def test_tracing_leaves_the_tracer_of_a_debugger(client: RLMClient) -> None:
    def tracer(frame: Any, event: str, arg: Any) -> Any:
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        client.execute(make_task(FRAME, lambda p: p["v"].map(lambda x: x + 1)))
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)
