"""Rows drawn by a seed and rows at places, on tables of any size in chunks of any size: pandas' rows, in its order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import NotDecomposableError, OperationFailedError, RLMClient

from tests.conftest import make_task

Clients = Callable[[int], RLMClient]


def table(rows: int) -> pd.DataFrame:
    """Numbers that say where they were, and a key."""
    at = np.arange(rows)
    return pd.DataFrame({"at": at, "key": at % 3, "half": at / 2})


def answer(client: RLMClient, data: Any, function: Callable[[Any], Any], chunk: int | str) -> Any:
    return client.execute(make_task(data, function, chunkSize=chunk)).to_pandas()


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 3000),
    seed=st.integers(0, 2**32 - 1),
    frac=st.floats(0, 3, allow_subnormal=False),
    replace=st.booleans(),
    chunk=st.sampled_from([1, 7, 1000, "auto"]),
    threads=st.sampled_from([1, 2, 4]),
)
def test_shares(
    clients: Clients, rows: int, seed: int, frac: float, replace: bool, chunk: int | str, threads: int
) -> None:
    frac = frac if replace else frac / 3
    data = table(rows)
    chunk = chunk if rows < 300 else 1000

    def function(p: Any) -> Any:
        return p.sample(frac=frac, replace=replace, random_state=seed)

    pd.testing.assert_frame_equal(answer(clients(threads), data, function, chunk), function(data))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), rows=st.integers(1, 400), chunk=st.sampled_from([1, 7, 1000]))
def test_numbers_of_rows_after_a_filter(clients: Clients, data: st.DataObject, rows: int, chunk: int) -> None:
    frame = table(rows)
    kept = int((frame["key"] != 1).sum())
    n, seed = data.draw(st.integers(0, kept)), data.draw(st.integers(0, 2**32 - 1))

    def function(p: Any) -> Any:
        return p[p["key"] != 1].sample(n, random_state=seed)["half"]

    pd.testing.assert_series_equal(answer(clients(2), frame, function, chunk), function(frame))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), rows=st.integers(1, 400), chunk=st.sampled_from([1, 7, 1000]))
def test_places(clients: Clients, data: st.DataObject, rows: int, chunk: int) -> None:
    frame = table(rows)
    places = data.draw(st.lists(st.integers(-rows, rows - 1), max_size=20))

    def function(p: Any) -> Any:
        return p.take(places)

    def by_iloc(p: Any) -> Any:
        return p["half"].iloc[places]

    pd.testing.assert_frame_equal(answer(clients(2), frame, function, chunk), function(frame))
    pd.testing.assert_series_equal(answer(clients(2), frame, by_iloc, chunk), by_iloc(frame))


@settings(max_examples=60, deadline=None)
@given(
    keys=st.lists(st.none() | st.integers(0, 4), max_size=60),
    seed=st.integers(0, 2**32 - 1),
    n=st.none() | st.integers(0, 3),
    frac=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    replace=st.booleans(),
    sort=st.booleans(),
    dropna=st.booleans(),
    chunk=st.sampled_from([1, 7, 1000]),
)
def test_groups(
    clients: Clients,
    keys: list[int | None],
    seed: int,
    n: int | None,
    frac: float,
    replace: bool,
    sort: bool,
    dropna: bool,
    chunk: int,
) -> None:
    # As text: whole numbers with missing ones are floats in pandas.
    frame = pd.DataFrame({"k": pd.array([None if k is None else f"k{k}" for k in keys], "str")})
    frame["at"] = np.arange(len(frame))
    if n is not None and not replace:
        frame = frame[frame.groupby("k", dropna=False)["k"].transform("size") >= n].reset_index(drop=True)
    if frame["k"].notna().sum() == 0:
        # Of no group at all pandas concatenates nothing, and raises.
        return

    def function(p: Any) -> Any:
        groups = p.groupby("k", sort=sort, dropna=dropna)
        return groups.sample(n, frac=frac if n is None else None, replace=replace, random_state=seed)

    def of_one(p: Any) -> Any:
        groups = p[p["at"] % 7 != 3].groupby("k", sort=sort, dropna=dropna)["at"]
        return groups.sample(frac=frac, replace=replace, random_state=seed)

    pd.testing.assert_frame_equal(answer(clients(2), frame, function, chunk), function(frame))
    if (frame["k"].notna() & (frame["at"] % 7 != 3)).any():
        pd.testing.assert_series_equal(answer(clients(2), frame, of_one, chunk), of_one(frame))


def test_a_file(clients: Clients, tmp_path: Path) -> None:
    frame = table(20_000)
    path = tmp_path / "t.parquet"
    frame.to_parquet(path, row_group_size=3000)

    def function(p: Any) -> Any:
        return p.sample(frac=0.01, random_state=3)[["at"]]

    pd.testing.assert_frame_equal(answer(clients(2), str(path), function, 1000), function(frame))


def test_without_a_seed_the_global_one_counts(client: RLMClient) -> None:
    def function(p: Any) -> Any:
        return p.sample(5)

    def draw() -> list[int]:
        np.random.seed(4)
        found: list[int] = answer(client, table(1000), function, "auto")["at"].tolist()
        return found

    first = draw()
    assert first == draw() and len(set(first)) == 5


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda p: p.sample(11, random_state=1), "11 rows are drawn of 10"),
        (lambda p: p[p["at"] < 0].sample(1, replace=True, random_state=1), "1 rows are drawn of none"),
        (lambda p: p.take([10]), "no row at place 10"),
        (lambda p: p.iloc[[-11]], "no row at place -11"),
    ],
)
def test_rows_that_there_are_not(client: RLMClient, function: Any, words: str) -> None:
    with pytest.raises(OperationFailedError, match=words):
        client.execute(make_task(table(10), function))


@pytest.mark.parametrize(
    "function",
    [
        lambda p: p.sample(2, frac=0.1),
        lambda p: p.sample(frac=1.5),
        lambda p: p.sample(-1),
        lambda p: p.sample(1.5),
        lambda p: p.sample(2, weights=[1] * 10),
        lambda p: p.sample(2, axis=1),
        lambda p: p.sample(2, random_state=-1),
        lambda p: p.sample(2, random_state=np.random.RandomState(1)),
        lambda p: p.groupby("key").apply(lambda g: g.sample(1)["at"].sum()),
    ],
)
def test_what_is_refused(client: RLMClient, function: Any) -> None:
    with pytest.raises(NotDecomposableError):
        client.execute(make_task(table(10), function))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 400),
    seed=st.integers(0, 2**32 - 1),
    of=st.integers(0, 10**6),
    frac=st.floats(0, 1.5, allow_subnormal=False),
    replace=st.booleans(),
    chunk=st.sampled_from([1, 7, 1000, "auto"]),
)
def test_by_weights(
    clients: Clients, rows: int, seed: int, of: int, frac: float, replace: bool, chunk: int | str
) -> None:
    frac = frac if replace else frac / 3
    data = table(rows)
    draw = np.random.default_rng(of)
    data["w"] = np.where(draw.random(rows) < 0.2, np.nan, draw.random(rows) + 0.5)

    def function(p: Any) -> Any:
        return p.sample(frac=frac, replace=replace, weights="w", random_state=seed)

    try:
        expected = function(data)
    except ValueError:
        with pytest.raises(OperationFailedError):
            answer(clients(2), data, function, chunk)
        return
    pd.testing.assert_frame_equal(answer(clients(2), data, function, chunk), expected)


def test_weights_that_cannot_be(clients: Clients) -> None:
    data = table(20)
    with pytest.raises(OperationFailedError, match="weight -"):
        answer(clients(1), data, lambda p: p.sample(3, weights=p["at"] - 5), 7)
    with pytest.raises(OperationFailedError, match="replace=True"):
        answer(clients(1), data, lambda p: p.sample(18, weights="at"), 7)
    with pytest.raises(NotDecomposableError, match="column of the same rows"):
        answer(clients(1), data, lambda p: p.sample(3, weights=[1] * 20), 7)
