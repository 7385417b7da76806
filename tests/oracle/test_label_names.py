"""Columns chosen and renamed by what they are called, and by their types, as pandas' Index does it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from rlm_hypervisor import NotDecomposableError, RLMClient
from rlm_hypervisor.errors import MissingColumnError

from tests.conftest import make_task
from tests.oracle._cases import Case, _parse
from tests.oracle._run import Raised, by_pandas, check

DATA = pa.table(
    {
        "First Name": ["ann", "bob", None],
        " Age": [31, 47, 25],
        "q1": [1.0, None, 3.0],
        "q2": [2.0, 5.0, 1.0],
        "Total.Sum": [10, 20, 30],
        "ok": [True, False, True],
    }
)

CASES = r"""
p.columns = p.columns.str.strip().str.lower().str.replace(" ", "_"); p
p.columns = p.columns.str.replace(r"[^A-Za-z0-9]+", "", regex=True); p
p.columns = p.columns.str.replace("A", "x", case=False, n=1); p
p.columns = p.columns.str.upper().str[:3]; p
p.columns = p.columns.str.removeprefix("Total.").str.title(); p
p.columns = [c.lower() for c in p.columns]; p
p.loc[:, p.columns.str.startswith("q")]
p.loc[:, p.columns.str.startswith(("q", "T"))]
p.loc[:, ~p.columns.str.contains("name", case=False)]
p.loc[:, p.columns.str.contains(".", regex=False)]
p.loc[:, p.columns.str.match(r"q\d") | (p.columns == "ok")]
p.loc[:, p.columns.str.fullmatch("q1")]
p.loc[:, p.columns != "ok"]
p.loc[:, p.columns.isin(["ok", "q2", "none such"])]
p.loc[:, ~p.columns.duplicated()]
p.loc[p["q2"] > 1, p.columns.str.endswith("2")]
p[p.columns.difference(["ok", "q1"])]
p[p.columns.difference(["ok", "q1"], sort=False)]
p[p.columns.intersection(["q2", "ok", "zz"])]
p[p.columns[1:].union(["q1"])]
p[p.columns.drop("ok")]
p.iloc[:, p.columns.get_loc("q1")]
p[p.columns[p.dtypes == "float64"]].sum()
p.loc[:, p.dtypes == "int64"]
p.loc[:, p.dtypes != "float64"]
p[p.dtypes[p.dtypes == "bool"].index]
p[p.dtypes[p.dtypes == "float64"].index.tolist()].fillna(0)
p.loc[:, p.columns == "q1"] * 2
q = p.agg({"q1": ["min", "max"]}); q
g = p.groupby("ok").agg({"q1": ["min", "max"], "q2": ["sum"]}); g.columns = g.columns.map("_".join); g
g = p.groupby("ok").agg({"q1": ["min", "max"], "q2": ["sum"]}); g.columns = ["_".join(c) for c in g.columns.to_flat_index()]; g
g = p.groupby("ok").agg({"q1": ["min", "max"]}); g.columns = g.columns.get_level_values(1); g
g = p.groupby("ok").agg({"q1": ["min", "max"]}); g.columns = g.columns.droplevel(0); g
"""


@pytest.mark.parametrize("case", _parse(CASES), ids=lambda case: case.name)
def test_labels(client: RLMClient, case: Case) -> None:
    expected = by_pandas(case.function, DATA)
    assert not isinstance(expected, Raised), expected
    check(client.execute, case.function, DATA, DATA, 2, expected=expected)


@pytest.mark.parametrize(
    ("operation", "advice"),
    [
        (lambda p: p.loc[:, p.columns.str.split(" ")], "write it in Python"),
        (lambda p: p.loc[:, [True, False]], "one for each column"),
        (lambda p: p.loc[:, p.columns.isin("ok")], "list"),
        (lambda p: p.loc[:, p.dtypes == p.dtypes], "one by one"),
    ],
)
def test_what_is_refused_says_what_to_do(client: RLMClient, operation: object, advice: str) -> None:
    with pytest.raises(NotDecomposableError, match=advice):
        client.execute(make_task(DATA, operation))


def test_the_place_of_no_label(client: RLMClient) -> None:
    with pytest.raises(MissingColumnError, match="did you mean 'q1'"):
        client.execute(make_task(DATA, lambda p: p.iloc[:, p.columns.get_loc("q11")]))
