"""Serving: inputs of several callers go to a worker together, and each caller has its own results, errors and end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import (
    InvalidTaskError,
    OperationFailedError,
    RLMClient,
    RLMError,
    TaskCancelledError,
    TaskTimeoutError,
    WorkerCrashedError,
    current_task,
)

Crews = Callable[[int], RLMClient]


def serving(items: Any, operation: Any, wait: int = 200, size: int = 8, **more: Any) -> dict[str, Any]:
    """A task whose items share batches."""
    options = more.pop("options", {})
    given = {"items": items, "operation": operation, "chunkSize": size, "maxWaitMs": wait, **more}
    return {"type": "parallel_inference", "input": given, "options": options}


def with_size(batch: list[Any]) -> list[tuple[Any, int]]:
    return [(value, len(batch)) for value in batch]


def refuse_odd(batch: list[int]) -> list[int]:
    if any(value % 2 for value in batch):
        raise ValueError(f"odd among {batch}")
    return batch


def tell_odd(batch: list[int]) -> list[Any]:
    return [ValueError(f"{value} is odd") if value % 2 else value for value in batch]


def ended_by(run: Any) -> RLMError:
    error = run.exception()
    assert error is not None
    return error  # type: ignore[no-any-return]


def test_single_inputs_of_many_callers_make_full_batches(crew: RLMClient) -> None:
    runs = [crew.submit(serving([n], with_size, wait=5_000)) for n in range(16)]
    found = [run.result(20) for run in runs]
    assert [result[0] for (result,) in found] == list(range(16))
    assert {size for ((_, size),) in found} == {8}
    for run in runs:
        metrics = run.metrics()
        assert (metrics["chunks_accepted"], metrics["chunks_succeeded"]) == (1, 1)
        assert metrics["latency"]["items_per_call"]["max"] == 8
        assert metrics["latency"]["waiting_ms"]["count"] == metrics["latency"]["running_ms"]["count"] == 1


def test_who_is_alone_waits_no_longer_than_it_may(crew: RLMClient) -> None:
    crew.execute(serving([0], with_size, wait=0))
    run = crew.submit(serving([1], with_size, wait=100))
    assert run.result() == [(1, 1)]
    assert run.metrics()["latency"]["waiting_ms"]["max"] >= 99


def test_many_inputs_of_one_caller_leave_room_for_another(crew: RLMClient) -> None:
    many = crew.submit(serving(range(100), with_size, wait=2_000, size=60))
    few = crew.submit(serving([1, 2], with_size, wait=2_000, size=60))
    assert [value for value, _ in few.result()] == [1, 2]
    assert [value for value, _ in many.result()] == list(range(100))


@settings(max_examples=15, deadline=None)
@given(
    callers=st.lists(st.lists(st.integers(0, 40), max_size=12), min_size=1, max_size=6),
    size=st.integers(1, 9),
    wait=st.sampled_from([0, 1, 5]),
    told=st.booleans(),
)
def test_everyone_has_its_own_answer(
    crew: RLMClient, callers: list[list[int]], size: int, wait: int, told: bool
) -> None:
    operation = tell_odd if told else refuse_odd
    runs = [
        crew.submit(serving(values, operation, wait, size, options={"onError": "collect"}))
        for values in callers
    ]
    for values, run in zip(callers, runs, strict=True):
        found = run.result()
        assert [isinstance(one, OperationFailedError) for one in found] == [
            value % 2 == 1 for value in values
        ]
        assert [one for one in found if isinstance(one, int)] == [value for value in values if value % 2 == 0]
        odd = [place for place, value in enumerate(values) if value % 2]
        assert sorted(run.failures()) == odd
        assert all(f"on item {place}" in str(error) for place, error in run.failures().items())
        metrics = run.metrics()
        assert metrics["chunks_accepted"] == len(values)
        assert (metrics["chunks_failed"], metrics["chunks_pending"]) == (len(odd), 0)
        assert metrics["chunks_succeeded"] == len(values) - len(odd)


def test_the_failure_of_one_is_not_that_of_its_neighbours(crew: RLMClient) -> None:
    runs = [crew.submit(serving([n], refuse_odd, wait=5_000, size=4)) for n in (2, 3, 4, 6)]
    assert [run.exception() is None for run in runs] == [True, False, True, True]
    error = ended_by(runs[1])
    assert isinstance(error, OperationFailedError)
    # It went alone the second time, and that was no further attempt.
    assert "odd among [3]" in str(error) and error.details["attempt"] == 1
    assert isinstance(error.__cause__, ValueError)


def test_what_ends_its_worker_ends_nobody_else(crew: RLMClient) -> None:
    def deadly(batch: list[int]) -> list[int]:
        if 7 in batch:
            os._exit(3)
        return batch

    runs = [crew.submit(serving([n], deadly, wait=5_000, size=3)) for n in (1, 7, 2)]
    assert (runs[0].result(), runs[2].result()) == ([1], [2])
    assert isinstance(ended_by(runs[1]), WorkerCrashedError)


def test_attempts_are_each_callers_own(crew: RLMClient) -> None:
    def third_time(batch: list[int]) -> list[int]:
        if current_task().attempt < 3:
            raise OSError("not yet")
        return batch

    patient = crew.submit(serving([1], third_time, 5_000, 2, options={"retries": 2, "backoffMs": 1}))
    hasty = crew.submit(serving([2], third_time, 5_000, 2))
    assert patient.result() == [1]
    assert "not yet" in str(ended_by(hasty))


def test_deadline_and_cancel_are_each_callers_own(crew: RLMClient) -> None:
    def slow(batch: list[int]) -> list[int]:
        time.sleep(0.5)
        return batch

    runs = [
        crew.submit(serving([n], slow, 5_000, 3, options=options))
        for n, options in enumerate([{}, {"timeoutMs": 200}, {}])
    ]
    runs[2].cancel()
    third = crew.submit(serving([3], slow, 5_000, 3))
    fourth = crew.submit(serving([4], slow, 0, 3))
    assert isinstance(ended_by(runs[2]), TaskCancelledError)
    assert isinstance(ended_by(runs[1]), TaskTimeoutError)
    assert fourth.result() == [4]
    assert crew.submit(serving([5], slow, 5_000, 3)).cancel() is None
    more = crew.submit(serving([6], slow, 5_000, 3))
    last = crew.submit(serving([7], slow, 5_000, 3))
    assert (runs[0].result(), third.result(), more.result(), last.result()) == ([0], [3], [6], [7])


def test_a_batch_that_nobody_waits_for_is_stopped(crew: RLMClient) -> None:
    def forever(batch: list[int]) -> list[int]:
        while True:
            pass

    runs = [crew.submit(serving([n], forever, 0, 1, options={"timeoutMs": 150})) for n in range(2)]
    assert all(isinstance(ended_by(run), TaskTimeoutError) for run in runs)
    assert crew.execute(serving([1], with_size, 0)) == [(1, 1)]


def test_a_batch_that_takes_too_long_is_taken_apart(crew: RLMClient) -> None:
    def stuck(batch: list[int]) -> list[int]:
        while 3 in batch:
            pass
        return batch

    options = {"chunkTimeoutMs": 1_000, "onError": "collect"}
    found = crew.execute(serving([1, 2, 3], stuck, 0, 3, options=options))
    assert found[:2] == [1, 2]
    assert isinstance(found[2], TaskTimeoutError) and "chunkTimeoutMs" in str(found[2])


def test_the_model_is_made_once_a_worker_for_all_callers(crews: Crews, tmp_path: Path) -> None:
    def setup() -> int:
        (tmp_path / os.urandom(4).hex()).touch()
        return 10

    def predict(model: int, batch: list[int]) -> list[int]:
        return [model * value for value in batch]

    task = serving([4], predict, 1, 4, setup=setup)
    client, answers = crews(1), []

    def call() -> None:
        answers.extend(client.execute(task) for _ in range(10))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[40]] * 40
    assert len(list(tmp_path.iterdir())) == 1


def test_a_setup_that_fails_fails_all_at_once(crew: RLMClient, tmp_path: Path) -> None:
    def setup() -> None:
        (tmp_path / os.urandom(4).hex()).touch()
        raise OSError("no model")

    runs = [crew.submit(serving([n], with_size, 5_000, 3, setup=setup)) for n in range(3)]
    assert all("the `setup` of `with_size` raised OSError: no model" in str(ended_by(run)) for run in runs)
    assert len(list(tmp_path.iterdir())) == 1


class Unreadable:
    """Comes to a worker, and cannot be made there."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


def test_inputs_and_results_that_cannot_travel_are_their_own_failures(crew: RLMClient) -> None:
    def lock(batch: list[Any]) -> list[Any]:
        import threading

        return [threading.Lock() if value == 2 else value for value in batch]

    found = crew.execute(serving([1, Unreadable(), 2, 3], lock, 0, 4, options={"onError": "collect"}))
    assert (found[0], found[3]) == (1, 3)
    assert "invalid literal" in str(found[1]) and "cannot be sent back" in str(found[2])


def test_other_operations_are_other_batches(crew: RLMClient) -> None:
    def shifted(by: int) -> Any:
        return lambda batch: [(value + by, len(batch)) for value in batch]

    runs = [crew.submit(serving([n], shifted(n % 2), 5_000, 4)) for n in range(8)]
    assert [run.result() for run in runs] == [[(n + n % 2, 4)] for n in range(8)]


def test_empty_and_closing(crew: RLMClient) -> None:
    assert crew.execute(serving([], with_size)) == []
    with RLMClient(workers=1) as client:
        run = client.submit(serving([1], with_size, 60_000))
    assert isinstance(ended_by(run), TaskCancelledError)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"combine": len}, "combine"),
        ({"options": {"idempotencyKey": "k"}}, "idempotencyKey"),
        ({"options": {"onError": "dead_letter"}}, "dead_letter"),
        ({"items": iter([1])}, "length"),
        ({"maxWaitMs": -1}, "maxWaitMs"),
    ],
)
def test_what_does_not_go_with_shared_batches_is_refused(
    crew: RLMClient, more: dict[str, Any], word: str
) -> None:
    task = serving([1], with_size)
    for name, value in more.items():
        (task if name == "options" else task["input"])[name] = value
    with pytest.raises(InvalidTaskError, match=word):
        crew.execute(task)
