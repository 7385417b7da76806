"""The group-by questions and joins of H2O.ai's db-benchmark: pandas against DuckDB, and ours against pandas."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import RLMClient

from benchmarks.h2o.data import ensure_grouped, ensure_joined
from benchmarks.h2o.joins import JOINS, SQL as JOINS_SQL
from benchmarks.h2o.questions import QUESTIONS, SQL as QUESTIONS_SQL
from benchmarks.tpch.queries import tables_of
from tests.oracle._questions import HOW, assert_pandas_is_right, by_duckdb, by_pandas, check

Clients = Callable[[int], RLMClient]

ROWS = 100_000
EVERYTHING = QUESTIONS | JOINS
SQL = QUESTIONS_SQL | JOINS_SQL


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Path]]:
    """The tables that a question is about."""
    place = tmp_path_factory.mktemp("h2o")
    sets = {"q": functools.cache(lambda: ensure_grouped(ROWS, place, 30_000))}
    sets["j"] = functools.cache(lambda: ensure_joined(ROWS, place, 30_000))
    return lambda name: sets[name[0]]()


@pytest.fixture(scope="module")
def expected(tables: Callable[[str], dict[str, Path]]) -> Callable[[str], Any]:
    """What pandas answers."""
    return functools.cache(
        lambda name: by_pandas(EVERYTHING[name], tables_of(EVERYTHING[name]), tables(name))
    )


@pytest.mark.parametrize("name", EVERYTHING)
def test_pandas_equals_duckdb(
    name: str, tables: Callable[[str], dict[str, Path]], expected: Callable[[str], Any]
) -> None:
    theirs = by_duckdb(SQL[name], tables_of(EVERYTHING[name]), tables(name))
    assert_pandas_is_right(expected(name), theirs, ordered=False)


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("name", EVERYTHING)
def test_ours_equals_pandas(
    name: str,
    how: tuple[int | str, int],
    clients: Clients,
    tables: Callable[[str], dict[str, Path]],
    expected: Callable[[str], Any],
) -> None:
    chunk, threads = how
    question = EVERYTHING[name]
    check(clients(threads), question, tables_of(question), tables(name), chunk, expected(name))
