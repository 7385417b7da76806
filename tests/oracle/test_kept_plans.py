"""Questions asked again, of the same rows, of others, and of columns of other types: equal to pandas and DuckDB each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from rlm_hypervisor import RLMClient, Run

from tests.oracle._pipelines import REFUSALS, Pipeline, pipelines
from tests.oracle._run import check
from tests.oracle._tables import random_tables
from tests.oracle.test_pipelines import search
from tests.oracle.test_sql import QUERIES, REGIONS, _orders, answer, assert_equal

UNSETTLED = ("with recursive",)
"""Queries whose plan is not kept."""


@pytest.fixture(scope="module")
def asked() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


def other_types(data: pa.Table) -> pa.Table:
    """The same columns, the whole numbers as floating ones."""
    return data.set_column(data.schema.get_field_index("i"), "i", data["i"].cast(pa.float64()))


@search
@given(pipelines(), random_tables(), random_tables())
def test_pipelines_asked_again(asked: RLMClient, pipeline: Pipeline, one: pa.Table, other: pa.Table) -> None:
    operation, runs = pipeline.operation, list[Run]()

    def run(task: dict[str, Any]) -> Any:
        runs.append(asked.submit(task))
        return runs[-1].result()

    def ask(data: pa.Table) -> dict[str, int] | None:
        """How many parts of the plan were made and kept; None where the question is refused."""
        before = len(runs)
        check(run, operation, data, data, power=2, refusals=REFUSALS, noop=True)
        if len(runs) == before or runs[-1].state != "succeeded":
            return None
        planning: dict[str, int] = runs[-1].explain().to_dict().get("planning", {"made": 0, "kept": 0})
        return planning

    first = ask(one)
    ask(other)
    ask(other_types(one))
    again = ask(one)
    ask(other)
    if first is not None and again is not None:
        assert again == {"made": 0, "kept": first["made"] + first["kept"]}


@pytest.mark.parametrize("query", QUERIES)
def test_queries_asked_again(asked: RLMClient, query: str) -> None:
    one = {"partition": _orders(300), "regions": REGIONS}
    other = {"partition": _orders(170).slice(20), "regions": REGIONS.slice(1, 4)}
    planned: Callable[[], dict[str, int]] = lambda: asked.metrics()["plans"]  # noqa: E731
    before = planned()
    for tables in (one, other, one):
        assert_equal(answer(asked, query, dict(tables)), query, tables)
    after = planned()
    made = 3 if query.startswith(UNSETTLED) else 1
    assert (after["made"] - before["made"], after["kept"] - before["kept"]) == (made, 3 - made)
