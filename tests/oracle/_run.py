"""Runs one function both ways and says whether the answers agree."""

from __future__ import annotations

import contextlib
import functools
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from rlm_hypervisor import NotDecomposableError, RLMError

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same
from tests.oracle._tables import has_null_integers, magnitude, to_pandas

Operation = Callable[[Any], Any]

CHUNKS: list[int | str] = [1, 7, 100, 10_000, "auto"]
COMBINATIONS: list[tuple[int | str, int]] = [(1, 1), (7, 2), (100, 4), (10_000, 1), ("auto", 2), (1, 4)]
"""Chunk sizes and threads: each chunk size once, each number of threads at least once."""


@dataclass(frozen=True)
class Raised:
    """What pandas raised instead of answering."""

    error: Exception


@contextlib.contextmanager
def stable_sorts() -> Iterator[None]:
    """Makes pandas sort stably where the function does not say how, as we always do."""
    kept = {kind: kind.sort_values for kind in (pd.DataFrame, pd.Series)}

    def stably(sort: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(sort)
        def sort_values(self: Any, *args: Any, **kwargs: Any) -> Any:
            return sort(self, *args, **({"kind": "stable"} | kwargs))

        return sort_values

    for kind, sort in kept.items():
        kind.sort_values = stably(sort)
    try:
        yield
    finally:
        for kind, sort in kept.items():
            kind.sort_values = sort


def by_pandas(operation: Operation, data: pa.Table) -> Any:
    """What pandas returns on the whole data, or `Raised`."""
    frame = to_pandas(data)
    with warnings.catch_warnings(), np.errstate(all="ignore"), stable_sorts():
        warnings.simplefilter("ignore")
        try:
            return operation(frame)
        except Exception as error:
            return Raised(error)


def mentioned(code: types.CodeType) -> set[str]:
    """Every string and attribute in a function's code: the columns it uses are among them."""
    found = set(code.co_names)
    todo = list(code.co_consts)
    while todo:
        constant = todo.pop()
        if isinstance(constant, types.CodeType):
            found |= mentioned(constant)
        elif isinstance(constant, tuple | frozenset):
            todo.extend(constant)
        elif isinstance(constant, str):
            found.add(constant)
    return found


def allowance(data: pa.Table, operation: Operation, power: int = 1) -> Allowance:
    """How exact answers must be; `power` 2 for an operation that squares its values."""
    names = mentioned(operation.__code__)
    scale = magnitude(data, names) ** power
    means = bool(names & {"mean", "getattr"})
    return Allowance(
        integers=has_null_integers(data), means=means, bound=1e-12 * scale, bound32=1e-6 * min(scale, 1e4)
    )


def check(
    run: Callable[[dict[str, Any]], Any],
    operation: Operation,
    data: pa.Table,
    source: Any,
    chunk: int | str = "auto",
    power: int = 1,
    expected: Any = None,
    refusals: tuple[str, ...] = (),
    widened: bool = False,
    noop: bool = False,
) -> None:
    """Runs `operation` over `source` and compares with pandas on `data`.

    Where pandas raises, we must raise an error of ours. `refusals`: parts of the messages of the
    NOT_DECOMPOSABLE errors that are accepted though pandas has an answer.
    """
    if expected is None:
        expected = by_pandas(operation, data)
    try:
        answer = run(make_task(source, operation, chunkSize=chunk))
    except NotDecomposableError as error:
        if isinstance(expected, Raised) or any(part in str(error) for part in refusals):
            return
        raise
    except RLMError as error:
        if isinstance(expected, Raised) and error.code != "INTERNAL":
            return
        # pandas turns the whole column into floats when a zero divisor turns up; we say so and stop.
        if "integer division by zero" in str(error) and "float" in str(getattr(expected, "dtype", "")):
            return
        raise
    if isinstance(expected, Raised):
        raise AssertionError(f"pandas raised {expected.error!r}, we answered {answer!r}")
    assert_same(answer, expected, replace(allowance(data, operation, power), widened=widened, noop=noop))
