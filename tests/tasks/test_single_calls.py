"""Single calls, which begin in the thread that waits for them: the laws hold there as they do in the pool."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import (
    OperationFailedError,
    RLMClient,
    TaskCancelledError,
    TaskTimeoutError,
    WorkerCrashedError,
    current_task,
)

from tests.faults._workers import alive, looked_after, still_serves, until


def single(operation: Any, value: Any, **options: Any) -> dict[str, Any]:
    if options.get("retries"):
        options.setdefault("backoffMs", 1)
    return {"type": "sequential", "operation": operation, "input": value, "options": options}


def _slept(seconds: float) -> float:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.01))
    return seconds


def _sometimes(item: list[Any]) -> Any:
    """Does what it is told in its first attempts, and answers after them."""
    number, fates = item
    attempt = current_task().attempt
    fate = fates[attempt - 1] if attempt <= len(fates) else "answer"
    if fate == "raise":
        raise ValueError(number)
    if fate == "die":
        os._exit(3)
    if fate == "sleep":
        time.sleep(0.03)
    return number


@pytest.mark.parametrize("seconds", [0.0, 0.002, 0.009, 0.011, 0.05])
def test_a_call_may_be_over_at_once_or_be_handed_on(crew: RLMClient, seconds: float) -> None:
    crew.warm(1)
    for _ in range(3):
        assert crew.execute(single(_slept, seconds)) == seconds
        run = crew.submit(single(_slept, seconds))
        assert looked_after(run)["succeeded"] == 1 and run.result() == seconds


@pytest.mark.timeout(300)
@given(
    calls=st.lists(st.lists(st.sampled_from(["raise", "die", "sleep"]), max_size=3), min_size=1, max_size=8),
    retries=st.integers(0, 2),
    waits=st.booleans(),
)
@settings(max_examples=8, deadline=None)
def test_every_call_of_many_callers_has_its_own_end(
    crew: RLMClient, calls: list[list[str]], retries: int, waits: bool
) -> None:
    def call(number: int) -> Any:
        task = single(_sometimes, [number, calls[number]], retries=retries)
        if waits:
            try:
                return crew.execute(task)
            except (OperationFailedError, WorkerCrashedError) as error:
                return error.code
        run = crew.submit(task)
        counted = looked_after(run)
        error = run.exception()
        assert (counted["succeeded"], counted["failed"]) == ((1, 0) if error is None else (0, 1))
        return run.result() if error is None else error.code

    def wanted(number: int) -> Any:
        for attempt in range(retries + 1):
            fate = calls[number][attempt] if attempt < len(calls[number]) else "answer"
            if fate in ("sleep", "answer"):
                return number
        return {"raise": "OPERATION_FAILED", "die": "WORKER_CRASHED"}[calls[number][retries]]

    with ThreadPoolExecutor(4) as callers:
        assert list(callers.map(call, range(len(calls)))) == [wanted(n) for n in range(len(calls))]


@pytest.mark.parametrize("milliseconds", [1, 4, 30])
def test_a_deadline_holds_in_the_thread_that_waits(crew: RLMClient, milliseconds: int) -> None:
    crew.warm(1)
    begun = time.monotonic()
    with pytest.raises(TaskTimeoutError):
        crew.execute(single(_slept, 30, timeoutMs=milliseconds))
    assert time.monotonic() - begun < 5
    still_serves(crew)


def test_a_cancelled_call_leaves_nothing(crew: RLMClient, tmp_path: Path) -> None:
    crew.warm(1)
    note = tmp_path / "pid"

    def stays(path: str) -> None:
        Path(path).write_text(str(os.getpid()))
        time.sleep(60)

    run = crew.submit(single(stays, str(note)))
    until(lambda: note.exists() and note.read_text())
    run.cancel()
    with pytest.raises(TaskCancelledError):
        run.result()
    until(lambda: not alive(int(note.read_text())))
    assert looked_after(run)["cancelled"] == 1


def _stays(path: str) -> None:
    Path(path).touch()
    time.sleep(30)


@pytest.mark.parametrize("later", [0.0, 0.015])
def test_ctrl_c_ends_a_call_whenever_it_comes(crew: RLMClient, tmp_path: Path, later: float) -> None:
    """At once the thread looks after the call itself, later it waits for the pool."""
    crew.warm(1)
    note = tmp_path / "runs"

    def interrupt() -> None:
        until(note.exists)
        time.sleep(later)
        os.kill(os.getpid(), signal.SIGINT)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    killer = threading.Thread(target=interrupt)
    try:
        killer.start()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            crew.execute(single(_stays, str(note)))
        assert time.monotonic() - begun < 10
        assert crew.metrics()["runs"]["running"] == 0
    finally:
        killer.join()
        signal.signal(signal.SIGINT, previous)
    still_serves(crew)


def test_a_run_that_waits_goes_before_a_single_call(worker_kind: str, tmp_path: Path) -> None:
    order, go = tmp_path / "order", tmp_path / "go"

    def notes(name: str) -> str:
        with order.open("a") as file:
            file.write(f"{name}\n")
        while name == "first" and not go.exists():
            time.sleep(0.001)
        return name

    with RLMClient(workers=1, worker_kind=worker_kind) as client:
        client.warm()
        running = client.submit(single(notes, "first"))
        until(order.exists)
        important = client.submit(
            {
                "type": "parallel",
                "input": {"items": ["high"], "operation": notes},
                "options": {"priority": "high"},
            }
        )
        waiting = threading.Thread(target=lambda: client.execute(single(notes, "single")))
        waiting.start()
        until(lambda: client.metrics()["runs"].get("running") == 3)
        go.touch()
        waiting.join()
        assert (running.result(), important.result()) == ("first", ["high"])
        assert order.read_text().split() == ["first", "high", "single"]


def test_a_call_that_closing_meets_ends(worker_kind: str) -> None:
    client = RLMClient(workers=1, worker_kind=worker_kind)
    client.warm()
    found: list[Any] = []

    def call() -> None:
        try:
            found.append(client.execute(single(_slept, 20)))
        except Exception as error:
            found.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    until(lambda: client.metrics()["runs"].get("running"))
    client.close()
    caller.join(20)
    assert not caller.is_alive() and isinstance(found[0], TaskCancelledError)
