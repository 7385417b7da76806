"""Lists that exist in Rust and in Python, or here and in pandas: they must not drift apart."""

from __future__ import annotations

import ast
import builtins
import inspect
import types
import typing
from typing import Any

import pandas as pd
import pytest
import rlm_hypervisor
from pandas.api.typing import DataFrameGroupBy, Resampler, SeriesGroupBy
from pandas.core.arrays.arrow.accessors import ListAccessor, StructAccessor
from pandas.core.indexes.accessors import DatetimeProperties, TimedeltaProperties
from pandas.core.strings.accessor import StringMethods
from rlm_hypervisor import RLMClient, _core, errors, task
from rlm_hypervisor.partition import (
    Column,
    DataFrameGroupBy as OurFrameGroupBy,
    Partition,
    SeriesGroupBy as OurSeriesGroupBy,
    datetimes,
    nested,
    resampling,
    rolling,
    surface,
    weighted,
)
from rlm_hypervisor.partition.strings import StringMethods as OurStringMethods

from tests.conftest import ROOT

TABLES = _core.describe()
OURS: dict[str, tuple[type, type]] = {
    "DataFrame": (Partition, pd.DataFrame),
    "Series": (Column, pd.Series),
    "DataFrameGroupBy": (OurFrameGroupBy, DataFrameGroupBy),
    "SeriesGroupBy": (OurSeriesGroupBy, SeriesGroupBy),
    "Rolling": (rolling.Rolling, pd.api.typing.Rolling),
    "Expanding": (rolling.Expanding, pd.api.typing.Expanding),
    "ExponentialMovingWindow": (
        weighted.ExponentialMovingWindow,
        pd.api.typing.ExponentialMovingWindow,
    ),
    "StringMethods": (OurStringMethods, StringMethods),
    "ListAccessor": (nested.ListAccessor, ListAccessor),
    "StructAccessor": (nested.StructAccessor, StructAccessor),
    "DatetimeProperties": (datetimes.DatetimeProperties, DatetimeProperties),
    "Resampler": (resampling.Resampler, Resampler),
    "TimedeltaProperties": (datetimes.TimedeltaProperties, TimedeltaProperties),
}


# Errors.
def _rows() -> dict[str, dict[str, Any]]:
    return {row.get("name") or row["code"]: row for row in TABLES["errors"]}


def test_the_codes_are_the_same_in_the_same_order() -> None:
    assert list(_rows()) == list(errors.CLASSES)


@pytest.mark.parametrize("code", errors.CLASSES)
def test_every_error_is_what_the_core_says(code: str) -> None:
    row, cls = _rows()[code], errors.CLASSES[code]
    assert cls.__name__ == row["class"]
    assert cls.code == code
    assert issubclass(cls, errors.RLMError)
    assert issubclass(cls, getattr(builtins, row["builtin"]))
    assert cls.retryable is row["retryable"]
    assert (cls.__doc__ or "").partition("\n")[0] == row["meaning"]
    assert getattr(rlm_hypervisor, cls.__name__) is cls


def test_only_the_codes_that_say_so_are_retryable() -> None:
    assert {"TIMEOUT", "RATE_LIMITED"} <= {code for code, cls in errors.CLASSES.items() if cls.retryable}


def test_errors_can_be_pickled() -> None:
    import pickle

    for cls in errors.CLASSES.values():
        error = cls("message", task_id="t", details={"file": "f"})
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is cls
        assert str(again) == "message"
        assert (again.task_id, again.details) == ("t", {"file": "f"})


# Public names.
def test_public_names_exist() -> None:
    for name in rlm_hypervisor.__all__:
        assert getattr(rlm_hypervisor, name) is not None
    assert {"RLMClient", "RLMError", "Result", "Run", "operation"} <= set(rlm_hypervisor.__all__)
    assert {cls.__name__ for cls in errors.CLASSES.values()} <= set(rlm_hypervisor.__all__)
    with pytest.raises(AttributeError):
        _ = rlm_hypervisor.no_such_name


# Settings.
def test_every_parameter_of_the_client_is_a_setting_with_the_same_meaning_of_none() -> None:
    known = {row["key"] for row in TABLES["settings"]}
    parameters = inspect.signature(RLMClient.__init__).parameters
    named = {p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY} - {"storage_options", "secrets"}
    assert named <= known
    assert any(p.kind is p.VAR_KEYWORD for p in parameters.values()) or known <= named


def test_every_setting_is_accepted_by_its_name() -> None:
    with RLMClient(threads=1) as client:
        found = client._engine.settings()
    assert {row["key"] for row in TABLES["settings"]} >= set(found)
    for row in TABLES["settings"]:
        if row["default"] is not None and row["key"] != "progress":
            RLMClient(**{row["key"]: row["default"]}).close()


def test_every_setting_is_described() -> None:
    for row in TABLES["settings"]:
        assert row["meaning"]
        assert row["env"] == f"RLM_{row['key'].upper()}"


# Tasks.
TYPED = {
    "task": task.TaskDocument,
    "input": task.SourceInput,
    "output": task.Output,
    "options": task.Options,
    "readOptions": task.ReadOptions,
    "sqlTable": task.SqlTable,
}


@pytest.mark.parametrize("section", TYPED)
def test_typed_tasks_know_the_keys_of_the_core_and_no_others(section: str) -> None:
    rows = {row["key"]: row for row in TABLES["task"][section]}
    hints = typing.get_type_hints(TYPED[section])
    assert set(hints) <= set(rows)
    assert {key for key, row in rows.items() if row["runs"]["today"]} <= set(hints)


@pytest.mark.parametrize("section", TYPED)
def test_typed_tasks_know_the_choices_of_the_core(section: str) -> None:
    rows = {row["key"]: row for row in TABLES["task"][section]}
    for key, hint in typing.get_type_hints(TYPED[section]).items():
        choices = rows[key]["choices"]
        words = {word for word in _literals(hint) if isinstance(word, str)}
        if choices and words:
            assert words == set(choices), key


def _literals(hint: Any) -> set[Any]:
    if typing.get_origin(hint) is typing.Literal:
        return set(typing.get_args(hint))
    return set().union(*map(_literals, typing.get_args(hint))) if typing.get_args(hint) else set()


def test_the_types_of_tasks() -> None:
    names = {row["name"] for row in TABLES["task"]["types"]}
    assert names == _literals(typing.get_type_hints(task.TaskDocument)["type"])
    assert names == {
        "parallel",
        "sequential",
        "recursive",
        "map_reduce",
        "batch_processing",
        "parallel_inference",
    }


# The pandas surface.
def test_every_surface_has_a_class_of_ours() -> None:
    assert set(surface.SURFACES) == set(surface.OURS) == set(OURS)
    for kind, (ours, _) in OURS.items():
        assert surface.OURS[kind].endswith(f".{ours.__name__}")


@pytest.mark.parametrize("kind", OURS)
def test_no_name_of_ours_is_unknown_to_pandas(kind: str) -> None:
    ours, theirs = OURS[kind]
    assert {name for name in dir(ours) if not name.startswith("_")} <= set(dir(theirs))


@pytest.mark.skipif(not pd.__version__.startswith("3.1."), reason="the tables are of pandas 3.1")
@pytest.mark.parametrize("kind", OURS)
def test_every_name_of_pandas_is_in_the_table(kind: str) -> None:
    public = {name for name in dir(OURS[kind][1]) if not name.startswith("_")}
    assert surface.SURFACES[kind] == public


def test_advice_is_for_names_that_are_refused() -> None:
    refused = set().union(*map(surface.refused, surface.SURFACES))
    assert set(surface.ADVICE) - {"applymap"} <= refused


def test_parameters_are_called_as_in_pandas() -> None:
    """A keyword that pandas does not know would make a function that only runs here.

    Comparisons share their signature with arithmetic, whose `fill_value` they refuse.
    """
    wrong = []
    for kind, (ours, theirs) in OURS.items():
        for name in surface.native(kind):
            mine, other = getattr(ours, name), getattr(theirs, name, None)
            if not isinstance(mine, types.FunctionType) or not callable(other):
                continue
            known = inspect.signature(other).parameters
            if any(p.kind is p.VAR_KEYWORD for p in known.values()):
                continue
            for parameter in inspect.signature(mine).parameters.values():
                named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
                if (
                    named
                    and parameter.name not in {*known, "fill_value"}
                    and not parameter.name.startswith("_")
                ):
                    wrong.append(f"{kind}.{name}({parameter.name}=)")
    assert not wrong


# The stub of the core; `make lint` compares it in depth with mypy's stubtest.
def _stub() -> ast.Module:
    return ast.parse((ROOT / "python/rlm_hypervisor/_core.pyi").read_text(encoding="utf-8"))


def test_the_stub_and_the_module_have_the_same_names() -> None:
    stubbed = {node.name for node in _stub().body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    there = {name for name in dir(_core) if not name.startswith("_")}
    assert stubbed == there
    (exported,) = (
        ast.literal_eval(node.value)
        for node in _stub().body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    assert set(exported) == set(_core.__all__)


def test_the_stub_and_the_classes_have_the_same_members() -> None:
    for node in _stub().body:
        if not isinstance(node, ast.ClassDef):
            continue
        members = {m.name for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)}
        members |= {
            m.target.id for m in node.body if isinstance(m, ast.AnnAssign) and isinstance(m.target, ast.Name)
        }
        cls = getattr(_core, node.name)
        there = {name for name in vars(cls) if not name.startswith("_") or name.startswith("__arrow")}
        # Of those with underscores `make lint` knows more.
        members = {m for m in members if not m.startswith("_") or m.startswith("__arrow")}
        assert members == there, node.name


def test_the_version_is_the_crates() -> None:
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{rlm_hypervisor.__version__}"\n' in manifest.partition("[lib]")[0]
