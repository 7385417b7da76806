"""User code that harms the worker it runs in: only its own item suffers, and the error says what happened."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import (
    OperationFailedError,
    OutOfMemoryError,
    RLMClient,
    RLMError,
    WorkerCrashedError,
)
from rlm_hypervisor.worker.channel import SHARED_FROM, Channel, Written, unnamed

from tests.faults._faults import BAD, DEADLY, HARMLESS, RAISING, exits, kills_itself, raises_base
from tests.faults._workers import PATIENCE, books, linux, looked_after, still_serves, task

ITEMS = range(12)


@pytest.fixture(scope="module")
def client(worker_kind: str) -> Iterator[RLMClient]:
    """Two workers for all tests: none may spoil them for the next."""
    with RLMClient(threads=1, workers=2, worker_kind=worker_kind) as client:
        yield client


def _only_one_failed(client: RLMClient, operation: Callable[[int], Any]) -> RLMError:
    """Its error, as collected; skipping and failing agree with it."""
    run = client.submit(task(operation, ITEMS, onError="collect"))
    counted = looked_after(run)
    assert (counted["accepted"], counted["succeeded"], counted["failed"]) == (12, 11, 1)
    found: list[Any] = run.result()
    error = found.pop(BAD)
    assert found == [item for item in ITEMS if item != BAD]
    assert isinstance(error, RLMError)
    assert error.details["item"] == BAD
    assert error.details["attempt"] == 1
    assert error.details["operation"] == operation.__name__
    assert list(run.failures()) == [BAD]
    return error


@pytest.mark.parametrize("operation", DEADLY, ids=lambda operation: str(operation.__name__))
def test_a_worker_that_dies_takes_only_its_item(client: RLMClient, operation: Callable[[int], Any]) -> None:
    error = _only_one_failed(client, operation)
    assert isinstance(error, WorkerCrashedError)
    words, signal = DEADLY[operation]
    assert words in error.message
    assert f"item {BAD}" in error.message
    assert error.details.get("signal") == signal
    if words == "SIGSEGV":
        assert "Current thread" in error.details["stderr"]  # faulthandler's
    still_serves(client)


@pytest.mark.parametrize("operation", RAISING, ids=lambda operation: str(operation.__name__))
def test_what_is_raised_or_cannot_be_sent_back_takes_only_its_item(
    client: RLMClient, operation: Callable[[int], Any]
) -> None:
    error = _only_one_failed(client, operation)
    assert isinstance(error, OperationFailedError)
    assert error.details["exception"] == RAISING[operation]
    still_serves(client)


def test_skipped_items_are_left_out_and_a_failure_ends_the_run_where_asked(
    client: RLMClient, worker_kind: str
) -> None:
    operation = exits if worker_kind == "processes" else raises_base
    skipping = client.submit(task(operation, ITEMS, onError="skip"))
    counted = looked_after(skipping)
    assert skipping.result() == [item for item in ITEMS if item != BAD]
    assert counted["failed"] == 1
    failing = client.submit(task(operation, ITEMS, onError="fail"))
    counted = looked_after(failing)
    assert (counted["failed"], counted["pending"]) == (1, 0)
    with pytest.raises((WorkerCrashedError, OperationFailedError), match=f"item {BAD}"):
        failing.result()
    still_serves(client)


@pytest.mark.parametrize("operation", HARMLESS, ids=lambda operation: str(operation.__name__))
def test_what_harms_nobody_is_no_failure(client: RLMClient, operation: Callable[[int], Any]) -> None:
    run = client.submit(task(operation, ITEMS))
    counted = looked_after(run)
    assert run.result() == list(ITEMS)
    assert counted["succeeded"] == 12
    still_serves(client)


def test_output_is_kept_up_to_a_bound_and_characters_stay_whole(client: RLMClient) -> None:
    def prints(item: int) -> None:
        for _ in range(40):
            print("€ß" * 3_001)

    run = client.submit(task(prints, [1]))
    looked_after(run)
    text = "".join(piece["text"] for piece in run.output())
    assert set(text) == {"€", "ß", "\n"}
    assert len(text) <= 1 << 20


def _appends(path: str) -> Callable[[int], int]:
    def operation(item: int) -> int:
        with open(path, "a") as file:
            file.write(f"{item}\n")
        if item == BAD:
            os._exit(1)
        return item

    return operation


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (2, 3), (9, 3)])
def test_poison_is_tried_as_often_as_allowed_but_three_times_at_most(
    client: RLMClient, tmp_path: Path, retries: int, attempts: int
) -> None:
    path = tmp_path / "seen"
    run = client.submit(task(_appends(str(path)), ITEMS, onError="collect", retries=retries))
    looked_after(run)
    error = run.result()[BAD]
    assert error.details["attempt"] == attempts
    assert path.read_text().split().count(str(BAD)) == attempts


def test_what_fails_at_first_succeeds_when_tried_again(
    client: RLMClient, worker_kind: str, tmp_path: Path
) -> None:
    def operation(item: int) -> int:
        mark = tmp_path / str(item)
        if item % 4 == 1 and not mark.exists():
            mark.touch()
            if item % 8 == 1 and worker_kind == "processes":
                os._exit(1)
            raise ValueError(item)
        return item

    run = client.submit(task(operation, range(40), retries=1))
    counted = looked_after(run)
    assert run.result() == list(range(40))
    assert (counted["succeeded"], counted["failed"]) == (40, 0)


def test_the_budget_of_failures_is_exact(client: RLMClient) -> None:
    def operation(item: int) -> int:
        if item % 2:
            raise ValueError(item)
        return item

    allowed = client.submit(task(operation, range(20), onError="skip", maxFailures=10))
    assert looked_after(allowed)["failed"] == 10
    assert allowed.result() == list(range(0, 20, 2))
    over = client.submit(task(operation, range(20), onError="skip", maxFailures=9))
    assert looked_after(over)["pending"] == 0
    with pytest.raises(OperationFailedError, match="the task allows 9"):
        over.result()


@linux
def test_a_worker_that_eats_memory_is_stopped_and_named(client: RLMClient) -> None:
    def operation(item: int) -> int:
        kept = []
        while item == BAD:
            kept.append(bytearray(b"x" * (1 << 24)))
        return item

    run = client.submit(task(operation, ITEMS, onError="collect", memoryLimit="600MiB", retries=2))
    counted = looked_after(run)
    assert (counted["succeeded"], counted["failed"]) == (11, 1)
    error = run.result()[BAD]
    assert isinstance(error, OutOfMemoryError)
    assert error.details["item"] == BAD
    assert error.details["held_bytes"] > error.details["limit_bytes"] == 300 << 20
    still_serves(client)


def test_a_single_call_that_crashes_says_so_whatever_the_task_does_with_items(client: RLMClient) -> None:
    for on_error in ("fail", "skip"):
        asked = {
            "type": "sequential",
            "input": BAD,
            "operation": kills_itself,
            "options": {"onError": on_error},
        }
        with pytest.raises(WorkerCrashedError, match="SIGKILL"):
            client.execute(asked)


class Unreadable:
    """Pickled well, and not to be read in the process of the tests."""

    def __reduce__(self) -> Any:
        return _only_elsewhere, (os.getpid(),)


def _only_elsewhere(pid: int) -> Unreadable:
    if os.getpid() != pid:
        raise LookupError("not here")
    return Unreadable()


def test_a_result_that_cannot_be_read_here_is_an_error_that_says_which(client: RLMClient) -> None:
    def operation(item: int) -> Any:
        return Unreadable() if item == BAD else item

    with pytest.raises(OperationFailedError, match=r"cannot be read here: LookupError: not here") as caught:
        client.execute(task(operation, ITEMS))
    assert caught.value.details["exception"] == "LookupError"


def test_an_exception_keeps_its_kind_its_text_and_where_it_was_raised(client: RLMClient) -> None:
    def operation(item: int) -> int:
        raise KeyError(f"no {item}")

    with pytest.raises(OperationFailedError, match="KeyError") as caught:
        client.execute(task(operation, [1]))
    assert isinstance(caught.value.__cause__, KeyError)
    assert "raise KeyError" in caught.value.details["traceback"]
    assert pickle.loads(pickle.dumps(caught.value)).code == "OPERATION_FAILED"
    assert books(client.submit(task(abs, []))) is not None
    assert client.submit(task(abs, [])).result(PATIENCE) == []


@linux
def test_what_a_worker_sent_stays_as_it_is() -> None:
    here, there = socket.socketpair()
    written = Written(unnamed())
    os.write(written.file, b"written " * SHARED_FROM)
    written.length = os.fstat(written.file).st_size
    with here, there:
        Channel(here).send({"t": "done"}, [written, b"bytes" * SHARED_FROM])
        _, files, _, _ = socket.recv_fds(there, 1 << 16, 8)
    assert len(files) == 2
    for file in [*files, written.file]:
        # So the supervisor maps it, as it is.
        with pytest.raises(PermissionError):
            os.truncate(file, 0)
        with pytest.raises(PermissionError):
            os.pwrite(file, b"others", 0)
    for file in files:
        os.close(file)
