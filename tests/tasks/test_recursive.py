"""Recursive tasks: trees of any shape at any number of workers come to what plain recursion does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import DepthExceededError, InvalidTaskError, OperationFailedError, RLMClient, split

Crews = Callable[[int], RLMClient]

TREES = st.recursive(st.integers(-5, 5), lambda inner: st.lists(inner, max_size=4), max_leaves=40)


def task(operation: Any, value: Any, **options: Any) -> dict[str, Any]:
    return {"type": "recursive", "operation": operation, "input": value, "options": options}


def depth_sum(tree: Any) -> Any:
    """The sum of a tree's numbers, as an operation."""
    return tree if isinstance(tree, int) else split(tree, combine=sum)


def plain_sum(tree: Any) -> int:
    return tree if isinstance(tree, int) else sum(map(plain_sum, tree))


@given(tree=TREES, workers=st.sampled_from([1, 2, 3]), cache=st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_tree_comes_to_what_recursion_does(crews: Crews, tree: Any, workers: int, cache: bool) -> None:
    assert crews(workers).execute(task(depth_sum, tree, cache=cache, maxDepth=1000)) == plain_sum(tree)


def test_results_are_combined_in_the_order_of_the_inputs(crew: RLMClient) -> None:
    def digits(text: str) -> Any:
        return (
            text
            if len(text) == 1
            else split([text[: len(text) // 2], text[len(text) // 2 :]], combine="".join)
        )

    assert crew.execute(task(digits, "abcdefghijk")) == "abcdefghijk"


def test_without_combine_the_results_are_a_list(crew: RLMClient) -> None:
    assert crew.execute(task(lambda v: split([1, 2]) if v == 0 else v * 2, 0)) == [2, 4]


def test_combine_may_split_again(crew: RLMClient) -> None:
    def operation(value: int) -> Any:
        if value == 0:
            return split([3, 4], combine=lambda found: split([sum(found)], combine=lambda last: last[0]))
        return value * 10

    assert crew.execute(task(operation, 0)) == 700


def test_a_plain_function_is_a_tree_of_one(crew: RLMClient) -> None:
    document = {
        "type": "recursive",
        "description": "Process data",
        "operation": lambda data: data["dataId"],
        "input": {"dataId": 123},
        "options": {"priority": "normal"},
    }
    assert crew.execute(document) == 123


def test_equal_inputs_run_once_where_that_is_asked_for(crew: RLMClient) -> None:
    def fib(n: int) -> Any:
        return n if n < 2 else split([n - 1, n - 2], combine=sum)

    run = crew.submit(task(fib, 50, cache=True, maxDepth=100))
    assert run.result() == 12586269025
    assert run.metrics()["chunks_accepted"] < 200
    assert "tree: 51 inputs" in str(run.explain())


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("n", [1, 7, 17])
def test_every_input_of_a_tree_is_counted_wherever_it_ran(crews: Crews, n: int, workers: int) -> None:
    def fib(n: int) -> Any:
        return n if n < 2 else split([n - 1, n - 2], combine=lambda found: found[0] + found[1])

    def numbers(n: int) -> tuple[int, int, int]:
        """The value, inputs and splits of a tree."""
        if n < 2:
            return n, 1, 0
        one, other = numbers(n - 1), numbers(n - 2)
        return one[0] + other[0], 1 + one[1] + other[1], 1 + one[2] + other[2]

    for _ in range(3):
        run = crews(workers).submit(task(fib, n, maxDepth=20))
        value, inputs, splits = numbers(n)
        assert run.result() == value
        assert f"tree: {inputs} inputs, {splits} of them split; by depth: 1" in str(run.explain())


def test_quick_inputs_are_copies_of_what_was_split(crew: RLMClient) -> None:
    shared: list[int] = []

    def operation(value: Any) -> Any:
        if isinstance(value, int):
            return split([shared] * 3, combine=sum) if value == 0 else split([value - 1] * 3, combine=sum)
        value.append(1)
        return len(value)

    for _ in range(2):
        assert crew.execute(task(operation, 6)) == 3**7


def test_deep_chains_of_quick_inputs_come_back(crew: RLMClient) -> None:
    def chain(n: int) -> Any:
        return 0 if n == 0 else split([n - 1, 0], combine=lambda found: found[0] + found[1] + 1)

    for _ in range(2):
        assert crew.execute(task(chain, 900, maxDepth=1000)) == 900
    with pytest.raises(DepthExceededError, match="`maxDepth` is 300"):
        crew.execute(task(chain, 900, maxDepth=300))


def test_a_failure_among_quick_inputs_ends_the_run(crew: RLMClient) -> None:
    def operation(value: int) -> Any:
        if value == -1:
            raise ValueError("below zero")
        return value if value in (1, 2) else split([value - 1, value - 3], combine=sum)

    with pytest.raises(OperationFailedError, match="below zero"):
        crew.execute(task(operation, 14))


def test_depth_is_bounded(crew: RLMClient) -> None:
    with pytest.raises(DepthExceededError, match="`maxDepth` is 4") as caught:
        crew.execute(task(lambda v: split([v]), 1, maxDepth=4))
    assert isinstance(caught.value, RecursionError)


def test_a_failure_anywhere_ends_the_run(crew: RLMClient) -> None:
    def operation(value: int) -> Any:
        if value == 3:
            raise ValueError("three")
        return split([value + 1, value + 1])

    with pytest.raises(OperationFailedError, match="three"):
        crew.execute(task(operation, 0))


def test_failed_inputs_are_tried_again(crew: RLMClient) -> None:
    from rlm_hypervisor import current_task

    def operation(value: int) -> Any:
        if current_task().attempt == 1:
            raise ValueError("again")
        return split([1, 2], combine=sum) if value == 0 else value

    assert crew.execute(task(operation, 0, retries=1, backoffMs=1)) == 3


def test_a_circle_of_inputs_is_found_out(crew: RLMClient) -> None:
    with pytest.raises(OperationFailedError, match="circle"):
        crew.execute(task(lambda v: split([1 - v]), 0, cache=True))


@pytest.mark.parametrize("wrong", [lambda: split(3), lambda: split([1], combine=3)])
def test_wrong_splits_are_refused(wrong: Callable[[], Any]) -> None:
    with pytest.raises(InvalidTaskError):
        wrong()


def test_options_that_make_no_sense_are_refused(crew: RLMClient) -> None:
    with pytest.raises(InvalidTaskError, match="onError"):
        crew.execute(task(depth_sum, [1], onError="skip"))
    with pytest.raises(InvalidTaskError, match=r"options\.cache"):
        crew.execute({"type": "sequential", "operation": str, "input": 1, "options": {"cache": True}})
