"""Operations on items and values: parallel, sequential, batch_processing; order, errors, policies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import (
    InvalidTaskError,
    OperationFailedError,
    OperationNotFoundError,
    RLMClient,
    RLMError,
    TaskTimeoutError,
    current_task,
)

from tests.faults._workers import until

Crews = Callable[[int], RLMClient]


def items(operation: Any, values: Any, kind: str = "parallel", **more: Any) -> dict[str, Any]:
    options = more.pop("options", {})
    return {"type": kind, "input": {"items": values, "operation": operation, **more}, "options": options}


@given(
    values=st.lists(st.integers() | st.text() | st.none(), max_size=60),
    size=st.sampled_from([1, 3, 1000, "auto"]),
    workers=st.sampled_from([1, 2]),
)
@settings(deadline=None, max_examples=30)
def test_results_come_in_the_order_of_the_items(
    crews: Crews, values: list[Any], size: Any, workers: int
) -> None:
    task = items(lambda value: (value, str(value)), values, chunkSize=size)
    assert crews(workers).execute(task) == [(value, str(value)) for value in values]


@pytest.mark.parametrize(
    "make", [iter, tuple, set, lambda v: (x for x in v), lambda v: dict.fromkeys(v).keys()]
)
def test_any_iterable_is_taken(crew: RLMClient, make: Callable[[list[int]], Any]) -> None:
    assert crew.execute(items(lambda v: v + 1, make(list(range(50))))) == list(range(1, 51))


@pytest.mark.parametrize("wrong", ["abc", b"abc", 3, None, {"a": 1}])
def test_what_is_no_list_is_refused(crew: RLMClient, wrong: Any) -> None:
    with pytest.raises(InvalidTaskError, match=r"input\.items"):
        crew.execute(items(str, wrong))


def test_items_are_taken_only_as_workers_are_free_for_them(crew: RLMClient) -> None:
    taken = []

    def endless() -> Iterator[int]:
        for number in range(10**12):
            taken.append(number)
            yield number

    def fail_at_hundred(value: int) -> int:
        if value == 100:
            raise ValueError("enough")
        return value

    run = crew.submit(items(fail_at_hundred, endless()))
    with pytest.raises(OperationFailedError, match="on item 100: enough"):
        run.result()
    # At most what was under way, however fast the generator is.
    assert len(taken) <= run.metrics()["chunks_accepted"] + 2 * 2_048


def test_an_iterable_that_raises_ends_the_run(crew: RLMClient) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("no more")

    with pytest.raises(OperationFailedError, match="taking the next item raised KeyError"):
        crew.execute(items(str, broken()))


def test_in_flight_is_bounded_by_chunk_size(crew: RLMClient, tmp_path: Path) -> None:
    def alone(value: int) -> int:
        path = tmp_path / "here"
        handle = os.open(path, os.O_CREAT | os.O_EXCL)
        os.close(handle)
        path.unlink()
        return value

    assert crew.execute(items(alone, range(40), chunkSize=1)) == list(range(40))


def test_sequential_items_run_in_order_and_stop_at_the_first_failure(crew: RLMClient, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def note(value: int) -> int:
        with log.open("a") as file:
            file.write(f"{value} ")
        if value == 5:
            raise RuntimeError("here")
        return value

    with pytest.raises(OperationFailedError, match="item 5"):
        crew.execute(items(note, range(10), "sequential"))
    assert log.read_text() == "0 1 2 3 4 5 "


def test_steps_are_a_chain(crew: RLMClient) -> None:
    task = {
        "type": "sequential",
        "input": {"items": [1, 2], "steps": [lambda v: v + 1, str, lambda v: v * 2]},
    }
    assert crew.execute(task) == ["22", "33"]


@pytest.mark.parametrize("size", [1, 3, 10, 100])
def test_batches(crew: RLMClient, size: int) -> None:
    got = crew.execute(items(list, range(10), "batch_processing", chunkSize=size))
    assert got == [list(range(start, min(start + size, 10))) for start in range(0, 10, size)]


def test_a_lambda_handler_runs_as_it_is(crew: RLMClient) -> None:
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        left = context.get_remaining_time_in_millis()
        assert 0 < left <= 30_000
        return {"statusCode": 200, "name": context.function_name, "id": bool(context.aws_request_id), **event}

    event = {"records": [{"k": (1, 2)}]}
    task = {
        "type": "sequential",
        "description": "Process event",
        "operation": handler,
        "input": event,
        "options": {"timeoutMs": 30000},
    }
    assert crew.execute(task) == {"statusCode": 200, "name": "handler", "id": True, **event}


def test_a_registered_operation_is_found_by_its_description(crew: RLMClient) -> None:
    client = RLMClient(workers=1)
    with client:

        @client.operation("process-event", description="Process event")
        def process(event: dict[str, int]) -> int:
            return event["dataId"] * 2

        task = {"type": "sequential", "description": "Process event", "input": {"dataId": 4}}
        assert client.execute(task) == 8
        with pytest.raises(OperationNotFoundError, match="process-event"):
            client.execute({**task, "operation": "proces-event"})


def test_an_error_carries_the_users_own_and_its_traceback(crew: RLMClient) -> None:
    class Mine(Exception):
        def __init__(self, code: int, why: str) -> None:
            super().__init__(code, why)
            self.code = code

    def fail(value: int) -> None:
        raise Mine(value, "why")

    with pytest.raises(OperationFailedError) as caught:
        crew.execute(items(fail, [7]))
    error = caught.value
    assert type(error.__cause__).__name__ == "Mine" and error.__cause__.args == (7, "why")
    assert "in fail" in error.details["traceback"] and "raise Mine" in error.details["traceback"]
    assert error.details["item"] == 0 and error.details["attempt"] == 1
    assert error.task_id or error.details["run"]


class Unpicklable(Exception):
    """An exception that cannot be made again from its arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def test_exceptions_and_results_that_cannot_be_sent_are_told_of(crew: RLMClient) -> None:
    def fail(value: int) -> None:
        raise Unpicklable(value, value)

    with pytest.raises(OperationFailedError, match="raised Unpicklable on item 0: 7 and 7"):
        crew.execute(items(fail, [7]))
    got = crew.execute(
        items(lambda v: v if v else (x for x in []), [1, 0, 2], options={"onError": "collect"})
    )
    assert got[0] == 1 and got[2] == 2
    assert "cannot be sent back" in str(got[1])


def test_collect_keeps_errors_in_their_places_and_skip_leaves_them_out(crew: RLMClient) -> None:
    def odd(value: int) -> int:
        if value % 2 == 0:
            raise ValueError(value)
        return value

    run = crew.submit(items(odd, range(9), options={"onError": "collect"}))
    for place, value in enumerate(run.result()):
        assert value == place if place % 2 else isinstance(value, OperationFailedError)
    assert sorted(run.failures()) == [0, 2, 4, 6, 8]
    assert crew.execute(items(odd, range(9), options={"onError": "skip"})) == [1, 3, 5, 7]


@pytest.mark.parametrize("most", [0, 1, 4, 5])
def test_the_budget_of_failures_is_exact(crew: RLMClient, most: int) -> None:
    def odd(value: int) -> int:
        if value % 2 == 0:
            raise ValueError(value)
        return value

    task = items(odd, range(9), options={"onError": "skip", "maxFailures": most})
    if most == 5:
        assert crew.execute(task) == [1, 3, 5, 7]
    else:
        with pytest.raises(OperationFailedError, match=f"the task allows {most}"):
            crew.execute(task)


def test_retries_see_their_attempt_and_are_counted(crew: RLMClient) -> None:
    def third_time(value: int) -> int:
        attempt = current_task().attempt
        if attempt < 3:
            raise ConnectionError("not yet")
        return attempt

    fast = {"backoffMs": 1}
    assert crew.execute(items(third_time, [1, 2], options={"retries": 2, **fast})) == [3, 3]
    with pytest.raises(OperationFailedError, match=r"\(attempt 2\)"):
        crew.execute(items(third_time, [1, 2], options={"retries": 1, **fast}))


def test_what_says_it_is_not_retryable_is_not_retried(crew: RLMClient) -> None:
    class Final(Exception):
        retryable = False

    def fail(value: int) -> None:
        raise Final

    with pytest.raises(OperationFailedError) as caught:
        crew.execute(items(fail, [1], options={"retries": 5, "backoffMs": 1}))
    assert caught.value.details["attempt"] == 1


def test_a_deadline_stops_what_runs(crew: RLMClient) -> None:
    def forever(value: int) -> None:
        while True:
            pass

    with pytest.raises(TaskTimeoutError):
        crew.execute(items(forever, [1, 2, 3], options={"timeoutMs": 100}))
    assert crew.execute(items(str, [1])) == ["1"]


def test_output_is_kept_with_its_run(crew: RLMClient) -> None:
    def talk(value: int) -> None:
        print("said", value)
        current_task().logger.info("logged")
        current_task().report(0.5, "half")

    run = crew.submit(items(talk, [1]))
    run.result()
    written = dict.fromkeys(("stdout", "log", "progress"), "")
    for entry in run.output():
        written[entry["stream"]] += entry["text"]
    assert written["stdout"] == "said 1\n"
    assert "logged" in written["log"] and "0.5 half" in written["progress"]


def test_current_task_is_refused_where_none_runs() -> None:
    with pytest.raises(InvalidTaskError, match="no call of a task runs"):
        current_task()


def test_runs_can_be_awaited(crew: RLMClient) -> None:
    import asyncio

    async def both() -> list[Any]:
        runs = [await crew.asubmit(items(lambda v: v * 2, [n])) for n in range(5)]
        return [await run for run in runs]

    assert asyncio.run(both()) == [[0], [2], [4], [6], [8]]


def test_a_client_that_closes_ends_its_runs() -> None:
    def forever(value: int) -> None:
        while True:
            pass

    client = RLMClient(workers=1)
    run = client.submit(items(forever, [1]))
    client.close()
    with contextlib.suppress(RLMError):
        run.result(5)
    assert run.state in ("cancelled", "failed")


def test_parallelism_is_how_many_workers_have_calls_of_the_run(crew: RLMClient, tmp_path: Path) -> None:
    """Each item holds a name while it runs: two at a time meet."""

    def meets(value: int) -> bool:
        (tmp_path / f"meets-{value}").touch()
        until(lambda: all((tmp_path / f"meets-{other}").exists() for other in range(2)))
        return True

    def alone(value: int) -> int:
        path = tmp_path / "here"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        sum(range(20_000))
        path.unlink()
        return value

    # Each waits for the other.
    assert crew.execute(items(meets, range(2))) == [True, True]
    assert crew.execute(items(alone, range(400), options={"parallelism": 1})) == list(range(400))


@pytest.mark.parametrize("kind", ["parallel", "batch_processing"])
def test_combine_makes_one_of_the_results_of_items(crew: RLMClient, kind: str) -> None:
    operation = list if kind == "batch_processing" else lambda v: [v]
    assert crew.execute(items(operation, range(7), kind, combine="concat")) == list(range(7))
    assert crew.execute(items(operation, range(7), kind, combine=len)) == (
        1 if kind == "batch_processing" else 7
    )
    assert crew.execute(items(operation, range(2), kind, combine="list", chunkSize=1)) == [[0], [1]]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "depth without a tree": (items(str, [1], options={"maxDepth": 3}), "options.maxDepth"),
    "budget without going on": (items(str, [1], options={"maxFailures": 3}), "options.maxFailures"),
    "wait without attempts": (items(str, [1], options={"backoffMs": 3}), "options.backoffMs"),
    "native items": (items(str, [1], options={"mode": "native"}), "options.mode"),
    "sequential items in flight": (items(str, [1], "sequential", chunkSize=3), "input.chunkSize"),
    "errors in what is combined": (
        items(str, [1], combine=len, options={"onError": "collect"}),
        "options.onError",
    ),
    "errors in a reduce": (
        {
            "type": "map_reduce",
            "input": {"items": [1], "map": str, "reduce": len},
            "options": {"onError": "collect"},
        },
        "options.onError",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_would_be_ignored_is_refused(crew: RLMClient, name: str) -> None:
    document, path = WRONG[name]
    with pytest.raises(InvalidTaskError) as caught:
        crew.execute(document)
    assert caught.value.details["path"] == path
