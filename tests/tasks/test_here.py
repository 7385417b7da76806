"""Where threads are the workers, short calls run in the thread that asks: with the same answers, errors, books and ends."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rlm_hypervisor import OperationFailedError, RLMClient, TaskCancelledError, current_task

from tests.faults._workers import still_serves, until


@pytest.fixture
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=1, workers=2, worker_kind="threads") as client:
        client.warm()
        yield client


def single(operation: Any, value: Any, **options: Any) -> dict[str, Any]:
    return {"type": "sequential", "operation": operation, "input": value, "options": options}


def where(_: Any) -> int:
    return threading.get_ident()


def here(client: RLMClient, **options: Any) -> bool:
    """Whether a call runs in this thread."""
    return bool(client.execute(single(where, 0, **options)) == threading.get_ident())


def comes_here(client: RLMClient) -> None:
    """On a busy machine a call may seem long."""
    until(lambda: here(client), "a short call never runs in the thread that asks")


def test_only_what_is_known_to_be_short_and_has_no_clock_runs_here(client: RLMClient) -> None:
    assert not here(client), "nobody knows yet how long it takes"
    comes_here(client)
    assert not here(client, timeoutMs=60_000)
    assert not here(client, chunkTimeoutMs=60_000)
    assert not here(client, softTimeoutMs=60_000)

    def sleeps(seconds: float) -> int:
        time.sleep(seconds)
        return threading.get_ident()

    def sleeps_here(seconds: float) -> bool:
        return bool(client.execute(single(sleeps, seconds)) == threading.get_ident())

    until(lambda: sleeps_here(0))
    sleeps_here(0.02)
    assert not sleeps_here(0), "the last call says whether it is short"
    until(lambda: sleeps_here(0))


def nested(_: Any) -> tuple[int, int]:
    return threading.get_ident(), shared["client"].execute(single(where, 0))


def test_not_where_its_code_would_find_what_is_not_its_own(client: RLMClient) -> None:
    comes_here(client)

    async def within() -> bool:
        return here(client)

    assert not asyncio.run(within())

    shared.update(client=client)
    found: list[tuple[int, int]] = []

    def outer_is_here() -> bool:
        found.append(client.execute(single(nested, 0)))
        return found[-1][0] == threading.get_ident()

    until(outer_is_here)
    assert all(inner != threading.get_ident() for _, inner in found)
    comes_here(client)


_kept: contextvars.ContextVar[int] = contextvars.ContextVar("kept", default=0)


def changes(values: list[int]) -> list[int]:
    print("said")
    values.append(_kept.get())
    _kept.set(7)
    return values


def test_what_it_changes_stays_its_own(client: RLMClient, capsys: pytest.CaptureFixture[str]) -> None:
    _kept.set(3)
    given = [1]
    for _ in range(3):
        assert client.execute(single(changes, given)) == [1, 0]
    assert given == [1] and _kept.get() == 3
    assert capsys.readouterr().out == ""


def test_failures_and_retries_are_those_of_a_worker(client: RLMClient) -> None:
    def fails(number: int) -> int:
        if current_task().attempt == 1:
            raise ZeroDivisionError(number)
        return number

    def told(error: OperationFailedError) -> Any:
        details = {name: value for name, value in error.details.items() if name != "run"}
        return error.message, details, type(error.__cause__), error.retryable

    found = []
    for _ in range(2):
        with pytest.raises(OperationFailedError) as raised:
            client.execute(single(fails, 4))
        found.append(told(raised.value))
    assert found[0] == found[1]
    assert client.execute(single(fails, 4, retries=1, backoffMs=1)) == 4
    counted = client.metrics()
    assert counted["runs"] == {**counted["runs"], "succeeded": 1, "failed": 2, "running": 0}
    assert (counted["chunks"]["succeeded"], counted["chunks"]["failed"]) == (1, 2)
    assert counted["latency"]["running_ms"]["count"] == 4


def test_a_function_that_is_no_name_keeps_its_state_to_itself(client: RLMClient) -> None:
    seen: list[int] = []

    def counts(_: Any) -> int:
        seen.append(1)
        return len(seen)

    found = [client.execute(single(counts, 0)) for _ in range(6)]
    # Each thread that ran it has its own.
    assert found[0] == 1 and max(found) > 1 and not seen


def test_no_more_calls_run_than_there_are_workers() -> None:
    shared.update(lock=threading.Lock(), running=0, most=0)
    with RLMClient(threads=1, workers=1, worker_kind="threads") as client, ThreadPoolExecutor(4) as callers:
        client.execute(single(alone, 0))
        assert list(callers.map(lambda n: client.execute(single(alone, n)), range(200))) == list(range(200))
    assert shared["most"] == 1


shared: dict[str, Any] = {}


def alone(number: int) -> int:
    with shared["lock"]:
        shared["running"] += 1
        shared["most"] = max(shared["most"], shared["running"])
    time.sleep(0)
    with shared["lock"]:
        shared["running"] -= 1
    return number


def waits(events: tuple[float, bool]) -> int:
    """Says that it runs, and comes back when its time is over."""
    seconds, tells = events
    if tells:
        begun.set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.005)
    return threading.get_ident()


begun = threading.Event()


def test_ctrl_c_ends_it_as_it_ends_any_code(client: RLMClient) -> None:
    until(lambda: client.execute(single(waits, (0.0, False))) == threading.get_ident())
    begun.clear()

    def interrupt() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    killer = threading.Thread(target=interrupt)
    try:
        killer.start()
        with pytest.raises(KeyboardInterrupt):
            client.execute(single(waits, (30.0, True)))
    finally:
        killer.join()
        signal.signal(signal.SIGINT, previous)
    counted = client.metrics()
    assert (counted["runs"]["running"], counted["runs"]["cancelled"]) == (0, 1)
    still_serves(client)
    comes_here(client)


def test_closing_ends_it_and_nothing_comes_to_its_thread_later(client: RLMClient) -> None:
    found: list[Any] = []
    begun.clear()

    def call() -> None:
        until(lambda: client.execute(single(waits, (0.0, False))) == threading.get_ident())
        try:
            client.execute(single(waits, (30.0, True)))
        except TaskCancelledError as error:
            found.append(error)
        # As long as somebody may still tell the thread to end.
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            time.sleep(0.001)
        found.append("on")

    caller = threading.Thread(target=call)
    caller.start()
    begun.wait()
    client.close()
    caller.join(20)
    until(lambda: not caller.is_alive())
    assert [type(one) for one in found] == [TaskCancelledError, str]
