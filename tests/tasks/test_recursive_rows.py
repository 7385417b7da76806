"""Recursive tasks over sources: partitions that are split by rows or by values come to what plain recursion does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pandas.testing import assert_frame_equal
from rlm_hypervisor import InvalidTaskError, OperationFailedError, OutOfMemoryError, RLMClient, split

Crews = Callable[[int], RLMClient]

BIG = 2**53 + 1


def task(operation: Any, source: Any, **options: Any) -> dict[str, Any]:
    return {
        "type": "recursive",
        "input": {"source": source, "operation": operation},
        "options": {"mode": "python", **options},
    }


def total(partition: Any) -> Any:
    """The sum of a column, by halves."""
    if len(partition) <= 3:
        return int(partition["n"].sum())
    half = len(partition) // 2
    return split([partition.take_rows(0, half), partition.take_rows(half, len(partition))], combine=sum)


def quicksort(partition: Any) -> Any:
    """The rows in order of a column, by values: frames, not ranges."""
    if len(partition) <= 2 or partition["n"].nunique() <= 1:
        return partition.sort_values("n", kind="stable")
    pivot = partition["n"].median()
    parts = [
        partition[partition["n"] < pivot],
        partition[partition["n"] == pivot],
        partition[partition["n"] > pivot],
    ]
    return split([part for part in parts if len(part)], combine=pd.concat)


@given(
    values=st.lists(st.integers(-9, 9), max_size=40), workers=st.sampled_from([1, 3]), stored=st.booleans()
)
@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_rows_are_split_by_their_numbers(
    crews: Crews, tmp_path_factory: pytest.TempPathFactory, values: list[int], workers: int, stored: bool
) -> None:
    source: Any = pa.table({"n": pa.array(values, pa.int64()), "text": [str(value) for value in values]})
    if stored:
        path = tmp_path_factory.mktemp("rows") / "rows.parquet"
        pq.write_table(source, path, row_group_size=7)
        source = str(path)
    assert crews(workers).execute(task(total, source)) == sum(values)


@given(values=st.lists(st.integers(-9, 9), min_size=1, max_size=30), workers=st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=15)
def test_rows_are_split_by_their_values(crews: Crews, values: list[int], workers: int) -> None:
    source = pd.DataFrame({"n": values, "text": [f"t{value}" for value in values]})
    found = crews(workers).execute(task(quicksort, source, maxDepth=40))
    assert_frame_equal(found, source.sort_values("n", kind="stable"), check_index_type=False)


def test_every_partition_has_the_types_and_row_numbers_of_the_source(crew: RLMClient) -> None:
    source = pa.table({"n": pa.array([BIG, None, 3, 4, 5, BIG + 2], pa.int64())})

    def operation(partition: Any) -> Any:
        found = [
            (
                str(partition["n"].dtype),
                partition.index.tolist(),
                str(partition.to_arrow().schema.field("n").type),
                [None if value is pd.NA else value for value in partition["n"]],
                type(partition).__name__,
            )
        ]
        if len(partition) < 2:
            return found
        half = len(partition) // 2
        return split(
            [partition.take_rows(0, half), partition.iloc[half:]]
            if len(partition) == 6
            else [partition.iloc[:1]],
            combine=lambda parts: found + [one for part in parts for one in part],
        )

    found = crew.execute(task(operation, source))
    values = [BIG, None, 3, 4, 5, BIG + 2]
    assert len(found) == 5
    for dtype, numbers, arrow, held, kind in found:
        assert (dtype, arrow, kind) == ("Int64", "int64", "Partition")
        assert held == [values[number] for number in numbers]


def test_large_rows_travel_by_handle(crew: RLMClient) -> None:
    rows = 300_000
    source = pd.DataFrame({"n": range(rows), "x": [0.5] * rows})

    def operation(partition: Any) -> Any:
        if len(partition) <= 40_000:
            return float(partition["x"].sum()) + int(partition["n"].sum())
        half = len(partition) // 2
        if len(partition) > 200_000:
            return split([partition.take_rows(0, half), partition.iloc[half:]], combine=sum)
        return split([partition.iloc[:half], partition.iloc[half:]], combine=sum)

    assert crew.execute(task(operation, source)) == rows / 2 + rows * (rows - 1) // 2


def test_equal_rows_run_once_where_that_is_asked_for(crew: RLMClient) -> None:
    source = pa.table({"n": range(8)})

    def operation(partition: Any) -> Any:
        if len(partition) == 1:
            return int(partition["n"].iloc[0])
        half = len(partition) // 2
        return split([partition.take_rows(0, half)] * 2, combine=sum)

    run = crew.submit(task(operation, source, cache=True))
    assert run.result() == 0
    assert "4 inputs" in str(run.explain())


def test_other_values_may_be_inputs_too(crew: RLMClient) -> None:
    def operation(given: Any) -> Any:
        return split([len(given), "x"]) if hasattr(given, "columns") else given

    assert crew.execute(task(operation, pa.table({"n": [1, 2, 3]}))) == [3, "x"]


def test_a_source_without_rows_is_an_empty_partition(crew: RLMClient) -> None:
    source = pa.table({"n": pa.array([], pa.int64())})
    assert crew.execute(task(lambda p: (list(p.columns), len(p)), source)) == (["n"], 0)


def test_what_is_wrong_with_rows_is_said(crew: RLMClient, tmp_path: Path) -> None:
    source = pa.table({"n": [1, 2, 3]})
    with pytest.raises(InvalidTaskError, match="the partition has 3"):
        crew.execute(task(lambda p: split([p.take_rows(1, 4)]), source))
    with pytest.raises(InvalidTaskError, match="neighbouring rows"):
        crew.execute(task(lambda p: split([p.iloc[1:]]) if len(p) == 3 else p.take_rows(0, 1), source))
    with pytest.raises(OperationFailedError, match="no"):
        crew.execute(task(lambda p: p["no"], source))
    with pytest.raises(OutOfMemoryError, match="shared memory"):
        crew.execute(task(total, pa.table({"n": range(1_000_000)}), memoryLimit="4MiB"))
    for key, value in [("chunkSize", 2), ("combine", "list")]:
        given = task(total, source)
        given["input"][key] = value
        with pytest.raises(InvalidTaskError, match=key):
            crew.execute(given)
