"""Random pipelines over random tables, at random chunk sizes: equal to pandas, or refused where pandas raises."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import RLMClient

from tests.oracle._pipeline_steps import unavailable
from tests.oracle._pipelines import REFUSALS, Pipeline, pipelines
from tests.oracle._run import COMBINATIONS, check
from tests.oracle._tables import catalogue, random_tables, write_files

Clients = Callable[[int], RLMClient]

EXAMPLES = int(os.environ.get("RLM_TEST_EXAMPLES", "200"))
"""How many pipelines a test tries; raise it for a long search."""

search = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


NOT_YET: list[str] = []
"""Steps that no pipeline has, because what they need is not native."""


def test_every_other_step_is_drawn() -> None:
    assert unavailable() == NOT_YET


@search
@given(pipelines(), random_tables(), st.sampled_from(COMBINATIONS))
def test_random_tables_in_memory(
    clients: Clients, pipeline: Pipeline, data: pa.Table, how: tuple[int | str, int]
) -> None:
    chunk, threads = how
    check(clients(threads).execute, pipeline.operation, data, data, chunk, power=2, refusals=REFUSALS)


@search
@given(
    pipelines(),
    random_tables(max_rows=25),
    st.sampled_from(COMBINATIONS),
    st.integers(1, 5),
    st.integers(1, 9),
)
def test_random_tables_in_files(
    clients: Clients, pipeline: Pipeline, data: pa.Table, how: tuple[int | str, int], parts: int, group: int
) -> None:
    chunk, threads = how
    with tempfile.TemporaryDirectory() as folder:
        source = str(write_files(data, Path(folder), parts, group))
        check(clients(threads).execute, pipeline.operation, data, source, chunk, power=2, refusals=REFUSALS)


@pytest.mark.parametrize("name", ["plain", "float_nulls", "nan", "unicode"])
def test_the_catalogue(clients: Clients, name: str) -> None:
    data = catalogue()[name]

    @settings(search, max_examples=max(EXAMPLES // 4, 1))
    @given(pipelines(), st.sampled_from(COMBINATIONS))
    def search_here(pipeline: Pipeline, how: tuple[int | str, int]) -> None:
        chunk, threads = how
        check(clients(threads).execute, pipeline.operation, data, data, chunk, power=2, refusals=REFUSALS)

    search_here()
