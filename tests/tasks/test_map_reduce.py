"""Map and reduce: keys, values in the order of items, combiners, sources; against plain dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, OperationFailedError, RLMClient, current_task

Crews = Callable[[int], RLMClient]

KEYS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([1.0, 0.0, -0.0, True, Decimal(1), "a", "é", b"a", None, (1, "a"), (1.0, "a"), 2**70]),
)


def task(values: Any, **more: Any) -> dict[str, Any]:
    return {"type": "map_reduce", "input": {"items": values, **more}}


@given(pairs=st.lists(st.tuples(KEYS, st.integers()), max_size=60), workers=st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=40)
def test_values_of_equal_keys_meet_in_the_order_of_the_items(
    crews: Crews, pairs: list[tuple[Any, int]], workers: int
) -> None:
    expected: dict[Any, list[int]] = {}
    for key, value in pairs:
        expected.setdefault(key, []).append(value)
    got = crews(workers).execute(
        task(
            pairs, map=lambda pair: pair, key=lambda pair: pair[0], reduce=lambda found: [v for _, v in found]
        )
    )
    assert got == expected
    assert list(got) == list(expected)


def test_a_reduce_of_two_arguments_has_the_key(crew: RLMClient) -> None:
    words = ["to", "be", "or", "not", "to", "be"]
    got = crew.execute(
        task(words, map=lambda w: w, key=lambda w: w, reduce=lambda key, found: (key, len(found)))
    )
    assert got == {"to": ("to", 2), "be": ("be", 2), "or": ("or", 1), "not": ("not", 1)}


def test_without_a_key_all_values_are_reduced_together(crew: RLMClient) -> None:
    assert crew.execute(task(range(100), map=lambda v: v * 2, reduce=sum)) == 9900
    assert crew.execute(task([3, 1, 2], map=str, reduce="".join)) == "312"


def test_columns_are_keys_of_values_that_have_them(crew: RLMClient) -> None:
    rows = [{"k": n % 3, "j": n % 2, "v": n} for n in range(30)]

    def total(found: list[dict[str, int]]) -> int:
        return sum(row["v"] for row in found)

    assert crew.execute(task(rows, map=lambda row: row, key="k", reduce=total)) == {0: 135, 1: 145, 2: 155}
    got = crew.execute(task(rows, map=lambda row: row, key=["k", "j"], reduce=len))
    assert got == {(k, j): 5 for k in range(3) for j in range(2)}


def test_a_combiner_stands_for_values_that_are_together(crew: RLMClient) -> None:
    got = crew.execute(task(range(1000), map=lambda v: v, key=lambda v: v % 7, combine=sum, reduce=sum))
    assert got == {k: sum(range(k, 1000, 7)) for k in range(7)}


def test_values_of_items_that_were_tried_again_are_in_their_places(crew: RLMClient) -> None:
    def flaky(value: int) -> int:
        if value % 5 == 0 and current_task().attempt == 1:
            raise ConnectionError("again")
        return value

    document = task(range(60), map=flaky, key=lambda v: v % 3, reduce=list)
    got = crew.execute({**document, "options": {"retries": 1, "backoffMs": 1}})
    assert got == {k: list(range(k, 60, 3)) for k in range(3)}
    assert list(got) == [0, 1, 2]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_rows_of_a_source_are_mapped_chunk_by_chunk(crew: RLMClient, size: int) -> None:
    data = pd.DataFrame({"k": ["b", "a", "c"] * 20, "v": range(60)})
    document = {
        "type": "map_reduce",
        "input": {
            "source": data,
            "chunkSize": size,
            "map": lambda p: p,
            "key": "k",
            "reduce": lambda frames: int(pd.concat(frames)["v"].sum()),
        },
    }
    got = crew.execute({**document, "options": {"mode": "python"}})
    assert got == data.groupby("k", sort=False)["v"].sum().to_dict()
    assert list(got) == ["b", "a", "c"]


def test_what_fails_says_where(crew: RLMClient) -> None:
    with pytest.raises(OperationFailedError, match="raised ZeroDivisionError on item 1"):
        crew.execute(task([1, 0], map=lambda v: 1 / v, reduce=sum))
    with pytest.raises(OperationFailedError, match="raised TypeError on part"):
        crew.execute(task([1, 0], map=str, reduce=sum))
    with pytest.raises(OperationFailedError, match="unhashable"):
        crew.execute(task([1], map=lambda v: v, key=lambda v: [v], reduce=len))


def test_what_is_missing_or_wrong_is_refused(crew: RLMClient) -> None:
    with pytest.raises(InvalidTaskError, match=r"input\.reduce"):
        crew.execute({"type": "map_reduce", "input": {"items": [1], "operation": str}})
    with pytest.raises(InvalidTaskError, match="combine"):
        crew.execute(task([1], map=str, reduce=len, combine="concat"))
