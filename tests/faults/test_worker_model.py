"""Random faults at random moments against a model of what becomes of each item."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from rlm_hypervisor import OperationFailedError, RLMClient, WorkerCrashedError, current_task

from tests.faults._workers import PATIENCE, books, linux, looked_after, still_serves, task, workers

POISON = 3
MOST_IN_VAIN = 3
"""Workers that are killed before one more item came back."""


class Plan(NamedTuple):
    """What an item does at its attempts: the first ones as told, later ones succeed."""

    item: int
    faults: tuple[str, ...]


FAULTS = ("raise", "leave", "exit", "kill", "abort")
WEIGHTS = {"processes": (4, 1, 1, 1, 1), "threads": (4, 1, 0, 0, 0)}


def _does(folder: str) -> Any:
    def operation(plan: Plan) -> int:
        attempt = current_task().attempt
        with (Path(folder) / str(plan.item)).open("a") as file:
            file.write(f"{attempt}\n")
        fault = plan.faults[attempt - 1] if attempt <= len(plan.faults) else ""
        if fault == "raise":
            raise ValueError(plan.item)
        if fault == "exit":
            os._exit(3)
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "leave":
            raise SystemExit(plan.item)
        if fault == "abort":
            os.abort()
        return plan.item * 7

    return operation


def _attempts(plan: Plan, retries: int) -> tuple[int, str]:
    """How often it is tried, and the fault it ends with, if with one."""
    crashes = 0
    for attempt, fault in enumerate(plan.faults, 1):
        crashes += fault in ("exit", "kill", "abort")
        if fault == "leave" or attempt > retries or crashes >= POISON:
            return attempt, fault
    return len(plan.faults) + 1, ""


@pytest.mark.parametrize("seed", range(6))
def test_every_item_ends_as_the_model_says(tmp_path: Path, worker_kind: str, seed: int) -> None:
    chance = random.Random(seed)
    retries = seed % 3
    plans = [
        Plan(item, tuple(chance.choices(FAULTS, WEIGHTS[worker_kind], k=chance.randint(1, 4))))
        if chance.random() < 0.08
        else Plan(item, ())
        for item in range(300)
    ]
    on_error = chance.choice(["collect", "skip"])
    with RLMClient(threads=1, workers=1 + seed % 3, worker_kind=worker_kind) as client:
        chunk: dict[str, Any] = chance.choice([{}, {"chunkSize": 5}])
        run = client.submit(task(_does(str(tmp_path)), plans, retries=retries, onError=on_error, **chunk))
        counted = looked_after(run)
        expected = [_attempts(plan, retries) for plan in plans]
        bad = [plan.item for plan, (_, fault) in zip(plans, expected, strict=True) if fault]
        assert sorted(run.failures()) == bad
        assert counted["failed"] == len(bad)
        assert counted["succeeded"] == len(plans) - len(bad)
        result = run.result()
        if on_error == "skip":
            assert result == [plan.item * 7 for plan in plans if plan.item not in bad]
        for plan, (attempts, fault) in zip(plans, expected, strict=True):
            if fault:
                error = run.failures()[plan.item]
                crashed = fault in ("exit", "kill", "abort")
                assert isinstance(error, WorkerCrashedError if crashed else OperationFailedError)
                assert error.details["item"] == plan.item
                assert error.details["attempt"] == attempts
            elif on_error == "collect":
                assert result[plan.item] == plan.item * 7
            # An attempt that its worker could not tell of any more, because of a neighbour, is made again.
            tried = (tmp_path / str(plan.item)).read_text().split()
            assert sorted(set(tried), key=int) == [str(attempt) for attempt in range(1, attempts + 1)]
        still_serves(client)


class _Killer(threading.Thread):
    """Ends workers from outside at random moments, but no more than some before anything is gained again.

    Where a start takes its time, as on a busy machine, no worker would ever come to an item: a run ends where a dozen in
    a row did not.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.gained: Callable[[], int] = lambda: 0
        """How many items have come back."""
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self.killed = 0

    def run(self) -> None:
        last, in_vain = 0, 0
        while not self._over.wait(self._chance.uniform(0.0, 0.25)):
            for process in workers():
                if (gained := self.gained()) > last:
                    last, in_vain = gained, 0
                if in_vain < MOST_IN_VAIN and self._chance.random() < 0.5:
                    in_vain += 1
                    try:
                        process.kill()
                        self.killed += 1
                    except psutil.NoSuchProcess:
                        continue

    def __enter__(self) -> _Killer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


@linux
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2))
def test_killing_workers_at_random_moments_loses_and_doubles_nothing(seed: int) -> None:
    def items() -> Iterator[int]:
        yield from range(600)

    def operation(item: int) -> int:
        time.sleep(0.001)
        return -item

    with RLMClient(threads=1, workers=2) as client, _Killer(seed) as killer:
        run = client.submit(task(operation, items(), retries=2, onError="collect"))
        killer.gained = lambda: books(run)["succeeded"]
        deadline = time.monotonic() + 3 * PATIENCE
        while not run.wait(0.002):
            books(run)
            assert time.monotonic() < deadline, books(run)
        counted = books(run)
        found = run.result()
    assert killer.killed
    assert len(found) == counted["accepted"] == 600
    assert counted["failed"] == len(run.failures())
    for item, value in enumerate(found):
        assert value == -item or isinstance(value, WorkerCrashedError)
        if isinstance(value, WorkerCrashedError):
            assert value.details["item"] == item
            assert value.details["signal"] == signal.SIGKILL


@linux
def test_a_run_may_be_cancelled_at_any_moment(worker_kind: str) -> None:
    chance = random.Random(1)

    def operation(item: int) -> int:
        if item % 50 == 49:
            if worker_kind == "threads":
                raise SystemExit
            os._exit(1)
        time.sleep(0.0005)
        return item

    with RLMClient(threads=1, workers=2, worker_kind=worker_kind) as client:
        for _ in range(25):
            run = client.submit(task(operation, range(400), onError="skip", retries=1))
            time.sleep(chance.uniform(0.0, 0.1))
            run.cancel()
            assert run.wait(PATIENCE), books(run)
            counted = books(run)
            assert counted["pending"] == 0
            assert run.state in ("cancelled", "succeeded")
        still_serves(client)
