"""Questions of the benchmarks: written once as pandas functions, answered by pandas, DuckDB and us."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from rlm_hypervisor import NotDecomposableError, OperationFailedError, RLMClient

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same
from tests.oracle._run import stable_sorts

Question = Callable[..., Any]

NOT_YET: dict[str, frozenset[str]] = {"h2o": frozenset(), "tpch": frozenset()}
"""Questions that are still refused. They must be: a name that has an answer is to be taken out here."""

HOW: list[tuple[int | str, int]] = [(1_000, 2), (7_777, 1), ("auto", 4)]
"""Chunk sizes and threads."""

ALLOW = Allowance(integers=True, bound=1e-7)


def by_pandas(question: Question, names: Sequence[str], tables: dict[str, Path]) -> Any:
    """The answer of plain pandas."""
    frames = [pd.read_parquet(tables[name]) for name in names]
    with warnings.catch_warnings(), np.errstate(all="ignore"), stable_sorts():
        warnings.simplefilter("ignore")
        return question(*frames)


def by_duckdb(query: str, names: Sequence[str], tables: dict[str, Path]) -> pd.DataFrame:
    """The answer of the question's SQL."""
    with duckdb.connect() as connection:
        for name in names:
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{tables[name]}/*.parquet'")
        return connection.sql(query).to_arrow_table().to_pandas()


def by_us(
    client: RLMClient, question: Question, names: Sequence[str], tables: dict[str, Path], chunk: int | str
) -> Any:
    """Our answer: the first table is the source, the others are tables of the client."""

    def operation(partition: Any) -> Any:
        return question(partition, *(client.table(str(tables[name])) for name in names[1:]))

    return client.execute(make_task(str(tables[names[0]]), operation, chunkSize=chunk))


def assert_pandas_is_right(answer: Any, expected: pd.DataFrame, ordered: bool) -> None:
    """Fails where pandas and DuckDB differ: then the question is not the one that was meant."""
    if not isinstance(answer, pd.DataFrame):
        assert expected.shape == (1, 1)
        value = expected.iloc[0, 0]
        # SQL's sum of nothing is null.
        assert answer == pytest.approx(0.0 if pd.isna(value) else value, rel=1e-9)
        return
    got, wanted = answer.reset_index(drop=True), expected
    assert list(got.columns) == list(wanted.columns)
    if not ordered:
        # Rows that are equal but for a rough value stand together either way.
        by = sorted(got.columns, key=lambda name: got[name].dtype == "float64")
        got, wanted = (frame.sort_values(by, ignore_index=True) for frame in (got, wanted))
    pd.testing.assert_frame_equal(got, wanted, check_dtype=False, rtol=1e-9, atol=1e-9)


def check(
    client: RLMClient,
    question: Question,
    names: Sequence[str],
    tables: dict[str, Path],
    chunk: int | str,
    expected: Any,
) -> None:
    """Our answer against pandas'; or the refusal, if the question is listed as one that is refused."""
    benchmark = question.__module__.split(".")[1]
    if question.__name__ in NOT_YET[benchmark]:
        with pytest.raises((NotDecomposableError, OperationFailedError)):
            by_us(client, question, names, tables, chunk)
        return
    assert_same(by_us(client, question, names, tables, chunk), expected, ALLOW)
