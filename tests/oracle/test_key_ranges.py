"""Row groups that no row of the other side of a join has a key in are not read, and nobody can tell by the answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import RLMClient

from tests.conftest import make_task

ROWS = 60_000
GROUP = 5_000

QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "inner": lambda p, q: p.merge(q, on="k"),
    "inner, other way": lambda p, q: q.merge(p, on="k"),
    "inner, grouped": lambda p, q: p.merge(q, on="k").groupby("k", as_index=False)["x"].sum(),
    "left": lambda p, q: q.merge(p, on="k", how="left"),
    "right": lambda p, q: p.merge(q, on="k", how="right"),
    "outer": lambda p, q: p.merge(q, on="k", how="outer"),
    "semi": lambda p, q: p[p["k"].isin(q["k"])],
    "anti": lambda p, q: q[~q["k"].isin(p["k"])],
}


def facts(least: int) -> pd.DataFrame:
    """Rows in order of their key, as a table that grows by day is."""
    at = np.arange(ROWS)
    return pd.DataFrame({"k": least + at // 10, "x": at % 7})


def read(run: Any) -> int:
    found = re.search(r"read: ([\d,]+) rows", str(run.explain()))
    assert found is not None
    return int(found[1].replace(",", ""))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("facts")
    facts(-100).to_parquet(folder / "plain.parquet", row_group_size=GROUP)
    dated = facts(0).assign(k=lambda f: pd.to_datetime(f["k"], unit="D", origin="1999-01-01"))
    dated.to_parquet(folder / "dated.parquet", row_group_size=GROUP)
    missing = facts(0).assign(k=lambda f: f["k"].astype("Int64").where(f["x"] != 3))
    missing.to_parquet(folder / "missing.parquet", row_group_size=GROUP)
    return folder


@pytest.mark.parametrize("form", ["inner, other way", "inner", "inner, grouped", "left", "right", "anti"])
@pytest.mark.parametrize("name", ["plain", "dated"])
def test_few_row_groups_are_read(clients: Any, folder: Path, form: str, name: str) -> None:
    path = folder / f"{name}.parquet"
    whole = pd.read_parquet(path)
    keys = whole["k"].iloc[[21_000, 21_100, 23_500]]
    few = pd.DataFrame({"k": [*keys, keys.iloc[0]], "name": ["a", "b", "c", "d"]})
    client = clients(2)
    p, q = client.table(str(path)), client.table(few)
    question = QUESTIONS[form]
    run = client.submit(make_task(few, lambda _: question(p, q)))
    answer = run.result(60).to_pandas()
    expected = question(whole, few)
    pd.testing.assert_frame_equal(answer, expected, check_dtype=form not in ("left", "right"))
    assert read(run) <= GROUP + 20


def test_missing_keys_are_met(clients: Any, folder: Path) -> None:
    path = folder / "missing.parquet"
    whole = pd.read_parquet(path)
    few = pd.DataFrame({"k": pd.array([10, None], "Int64"), "name": ["a", "b"]})
    client = clients(2)
    p, q = client.table(str(path)), client.table(few)
    answer = client.execute(make_task(few, lambda _: p.merge(q, on="k"))).to_pandas()
    expected = whole.merge(few, on="k")
    assert len(expected) > ROWS / 8
    pd.testing.assert_frame_equal(answer, expected)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_keys(data: st.DataObject, clients: Any, folder: Path) -> None:
    path = folder / "plain.parquet"
    whole = pd.read_parquet(path)
    keys = data.draw(st.lists(st.integers(-200, ROWS // 10), max_size=6))
    few = pd.DataFrame({"k": np.array(keys, "int64"), "name": np.arange(len(keys))})
    question = QUESTIONS[data.draw(st.sampled_from(sorted(QUESTIONS)))]
    client: RLMClient = clients(data.draw(st.sampled_from([1, 2])))
    p, q = client.table(str(path)), client.table(few)
    answer = client.execute(make_task(few, lambda _: question(p, q))).to_pandas()
    pd.testing.assert_frame_equal(answer, question(whole, few), check_dtype=False)
