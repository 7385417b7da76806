"""The examples in pandas' own docstrings, taken apart: which expressions can be asked of us, and what came of them."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rlm_hypervisor import RLMClient, RLMError

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same
from tests.oracle._run import stable_sorts

EQUAL, REFUSED, BOTH_RAISE, ELSEWHERE, DIFFERENT = "equal", "refused", "both raise", "not ours", "different"
ALLOW = Allowance(integers=True, widened=True, means=True, bound=1e-9)
MAX_TABLES = 3


@dataclass(frozen=True)
class Outcome:
    """What came of one expression of an example."""

    what: str
    code: str
    why: str = ""


def pandas_class(surface: str) -> Any:
    """The class of pandas that a surface is called after."""
    accessors = {
        "StringMethods": "str",
        "ListAccessor": "list",
        "StructAccessor": "struct",
        "DatetimeProperties": "dt",
        "TimedeltaProperties": "dt",
        "CombinedDatetimelikeProperties": "dt",
    }
    if surface == "pandas":
        return pd
    if surface in accessors:
        return getattr(pd.Series, accessors[surface])
    return getattr(pd, surface, None) or getattr(pd.api.typing, surface)


def docstring(surface: str, method: str) -> str:
    """The docstring of a method of pandas; empty if it has none."""
    found = getattr(pandas_class(surface), method, None)
    return getattr(found, "__doc__", None) or ""


def _plain(dtype: Any) -> bool:
    """Types that mean the same here: numbers, bools, text, times."""
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biufmM" and str(dtype) != "float16"
    return str(dtype) == "str" or isinstance(dtype, pd.DatetimeTZDtype)


def _why_no_table(value: pd.DataFrame | pd.Series) -> str:
    """Why a frame or series cannot be a source as it is; empty if it can."""
    frame = value.to_frame("s") if isinstance(value, pd.Series) else value
    levels = [frame.index.get_level_values(n).dtype for n in range(frame.index.nlevels)]
    if not all(map(_plain, [*frame.dtypes, *levels])):
        return "types that are not plain"
    if frame.columns.nlevels > 1 or not frame.columns.is_unique or not len(frame.columns):
        return "labels of columns that are no labels here"
    if not all(isinstance(label, str) for label in frame.columns):
        return "labels of columns that are no text"
    if frame.columns.name is not None:
        return "labels of columns that have a name"
    if getattr(frame.index, "freq", None) is not None:
        return "an index with a frequency"
    return ""


class _Lift(ast.NodeTransformer):
    """Replaces what makes or names a table by a name of its own; group-bys and the like are written out."""

    def __init__(self, space: dict[str, Any], written: dict[str, ast.expr]) -> None:
        self.space = space
        self.written = written
        self.tables: dict[str, pd.DataFrame | pd.Series] = {}

    def _name(self, value: pd.DataFrame | pd.Series) -> ast.Name:
        for name, known in self.tables.items():
            if known is value:
                return ast.Name(name, ast.Load())
        name = f"table_{len(self.tables)}"
        self.tables[name] = value
        return ast.Name(name, ast.Load())

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.space.get(node.id)
        if isinstance(value, pd.DataFrame | pd.Series):
            return self._name(value)
        deferred = type(value).__module__.startswith(("pandas.core.groupby", "pandas.core.window"))
        if deferred and node.id in self.written:
            found: ast.expr = self.visit(ast.parse(ast.unparse(self.written[node.id]), mode="eval").body)
            return found
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if ast.unparse(node.func) in ("pd.DataFrame", "pd.Series"):
            made = eval(compile(ast.Expression(node), "<example>", "eval"), self.space)
            return self._name(made)
        self.generic_visit(node)
        return node


def _calls(tree: ast.expr, method: str) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == method for node in ast.walk(tree))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        stable_sorts(),
    ):
        warnings.simplefilter("ignore")
        yield


def outcomes(client: RLMClient, method: str, text: str, chunks: tuple[int | str, ...]) -> Iterator[Outcome]:
    """Runs the examples of a docstring with pandas, and every expression that calls `method` with us as well."""
    space: dict[str, Any] = {"pd": pd, "np": np}
    written: dict[str, ast.expr] = {}
    for example in doctest.DocTestParser().get_examples(text):
        with _quietly():
            try:
                (statement,) = ast.parse(example.source).body
            except (SyntaxError, ValueError):
                continue
            if isinstance(statement, ast.Expr):
                if _calls(statement.value, method):
                    yield _outcome(client, statement.value, space, written, chunks)
                continue
            with contextlib.suppress(Exception):
                exec(compile(ast.Module([statement], []), "<example>", "exec"), space)
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                written[statement.targets[0].id] = statement.value


def _outcome(
    client: RLMClient,
    tree: ast.expr,
    space: dict[str, Any],
    written: dict[str, ast.expr],
    chunks: tuple[int | str, ...],
) -> Outcome:
    code = ast.unparse(tree)
    lift = _Lift(space, written)
    try:
        lifted = lift.visit(ast.parse(code, mode="eval").body)
    except Exception as error:
        return Outcome(ELSEWHERE, code, f"pandas raised {type(error).__name__}")
    if not lift.tables or len(lift.tables) > MAX_TABLES:
        return Outcome(ELSEWHERE, code, "no frame or series in it")
    for value in lift.tables.values():
        if why := _why_no_table(value):
            return Outcome(ELSEWHERE, code, why)
    if len(lift.tables) > 1 and not hasattr(client, "table"):
        return Outcome(ELSEWHERE, code, "several tables")
    compiled = compile(ast.fix_missing_locations(ast.Expression(lifted)), "<example>", "eval")

    def run(tables: dict[str, Any]) -> Any:
        return eval(compiled, {**space, **tables})

    expected: Any
    try:
        expected = run({name: _named(value, name) for name, value in lift.tables.items()})
    except Exception as error:
        expected = error
    scalar = np.isscalar(expected) or expected is pd.NaT or expected is pd.NA
    if not (isinstance(expected, pd.DataFrame | pd.Series | Exception) or scalar):
        return Outcome(ELSEWHERE, code, f"the answer is no table: {type(expected).__name__}")
    why = _why_no_table(expected) if isinstance(expected, pd.DataFrame | pd.Series) else ""
    if why not in ("", "an index with a frequency"):
        return Outcome(ELSEWHERE, code, f"the answer has {why}")
    with tempfile.TemporaryDirectory() as folder:
        return _compared(client, code, run, lift.tables, expected, chunks, Path(folder))


def _named(value: pd.DataFrame | pd.Series, name: str) -> pd.DataFrame | pd.Series:
    """A copy; a series without a name gets one, for a column has one."""
    copy = value.copy()
    if isinstance(copy, pd.Series) and not isinstance(copy.name, str):
        copy.name = f"name_{name}"
    return copy


def _source(frame: pd.DataFrame, file: Path) -> Any:
    """The frame itself; a file of it if it has an index of its own, which files can store."""
    if (
        isinstance(frame.index, pd.RangeIndex)
        and frame.index.name is None
        and frame.index.equals(pd.RangeIndex(len(frame)))
    ):
        return frame
    frame.to_parquet(file, row_group_size=3)
    return str(file)


def _sources(copies: dict[str, pd.DataFrame | pd.Series], folder: Path) -> tuple[dict[str, Any], bool]:
    """A source for each; one for all of them (and False) if their rows are the same."""
    frames = {n: v.to_frame() if isinstance(v, pd.Series) else v for n, v in copies.items()}
    (first, *others) = frames.values()
    labels = [label for frame in frames.values() for label in frame.columns]
    if others and len(set(labels)) == len(labels) and all(first.index.equals(f.index) for f in others):
        whole = _source(pd.concat([first, *others], axis=1), folder / "whole.parquet")
        return dict.fromkeys(frames, whole), False
    return {n: _source(frame, folder / f"{n}.parquet") for n, frame in frames.items()}, bool(others)


def _symbolic(partition: Any, value: pd.DataFrame | pd.Series) -> Any:
    return partition[value.name] if isinstance(value, pd.Series) else partition[list(value.columns)]


def _compared(
    client: RLMClient,
    code: str,
    run: Callable[[dict[str, Any]], Any],
    tables: dict[str, pd.DataFrame | pd.Series],
    expected: Any,
    chunks: tuple[int | str, ...],
    folder: Path,
) -> Outcome:
    copies = {name: _named(value, name) for name, value in tables.items()}
    sources, apart = _sources(copies, folder)
    (first, *others) = copies

    def operation(partition: Any) -> Any:
        symbolic = {first: _symbolic(partition, copies[first])}
        for name in others:
            symbolic[name] = _symbolic(client.table(sources[name]) if apart else partition, copies[name])
        return run(symbolic)

    for chunk in chunks:
        try:
            answer = client.execute(make_task(sources[first], operation, chunkSize=chunk))
        except RLMError as error:
            if isinstance(expected, Exception):
                return Outcome(BOTH_RAISE, code, type(expected).__name__)
            zero = "integer division by zero" in str(error)
            if error.code in ("NOT_DECOMPOSABLE", "SCHEMA_MISMATCH") or zero:
                return Outcome(REFUSED, code, str(error).partition("\n")[0])
            return Outcome(DIFFERENT, code, f"{error.code}: {error}")
        if isinstance(expected, Exception):
            return Outcome(DIFFERENT, code, f"pandas raised {expected!r}, the answer was {answer!r}")
        try:
            assert_same(answer, expected, ALLOW)
        except AssertionError as error:
            return Outcome(DIFFERENT, code, str(error))
    return Outcome(EQUAL, code)


def table(found: list[Outcome]) -> str:
    """How many came out how, and the reasons by how frequent they are."""
    lines = []
    for what, group in itertools.groupby(sorted(found, key=lambda o: o.what), key=lambda o: o.what):
        members = list(group)
        lines.append(f"{what}: {len(members)}")
        reasons: dict[str, int] = {}
        for outcome in members:
            reasons[outcome.why] = reasons.get(outcome.why, 0) + 1
        ranked = sorted(reasons.items(), key=lambda item: -item[1])
        lines += [f"  {count:4} {why}" for why, count in ranked[:40] if why]
    return "\n".join(lines)
