"""The 22 queries of TPC-H: pandas against DuckDB, and ours against pandas."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import RLMClient

from benchmarks.tpch.data import NotInstalled, ensure
from benchmarks.tpch.queries import QUERIES, tables_of
from benchmarks.tpch.sql import SQL
from tests.oracle._questions import HOW, assert_pandas_is_right, by_duckdb, by_pandas, check

Clients = Callable[[int], RLMClient]

SCALE = 0.01


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The eight tables, in several row groups."""
    try:
        return ensure(SCALE, tmp_path_factory.mktemp("tpch"), 10_000)
    except NotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def expected(tables: dict[str, Path]) -> Callable[[str], Any]:
    """What pandas answers."""
    return functools.cache(lambda name: by_pandas(QUERIES[name], tables_of(QUERIES[name]), tables))


def test_all_queries_are_there() -> None:
    assert list(QUERIES) == list(SQL) == [f"q{number:02}" for number in range(1, 23)]
    assert all(query.__name__ == name for name, query in QUERIES.items())


@pytest.mark.parametrize("name", QUERIES)
def test_pandas_equals_duckdb(name: str, tables: dict[str, Path], expected: Callable[[str], Any]) -> None:
    theirs = by_duckdb(SQL[name], tables_of(QUERIES[name]), tables)
    assert_pandas_is_right(expected(name), theirs, ordered=True)


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("name", QUERIES)
def test_ours_equals_pandas(
    name: str,
    how: tuple[int | str, int],
    clients: Clients,
    tables: dict[str, Path],
    expected: Callable[[str], Any],
) -> None:
    chunk, threads = how
    query = QUERIES[name]
    check(clients(threads), query, tables_of(query), tables, chunk, expected(name))
