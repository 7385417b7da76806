"""Workers are killed at random moments while every policy is at work at once: the books add up, nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from rlm_hypervisor import RLMClient, TaskTimeoutError

from tests.faults._workers import PATIENCE, books, handles, linux, looked_after, still_serves, task, workers


class _Storm:
    """Kills a worker now and then, as long as it is entered."""

    def __init__(self, seed: int, pause: float) -> None:
        self._random = random.Random(seed)
        self._pause = pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.kills = 0

    def _run(self) -> None:
        while not self._over.wait(self._random.uniform(0.3, 1.7) * self._pause):
            found = psutil.Process().children()
            if found:
                try:
                    self._random.choice(found).send_signal(signal.SIGKILL)
                except psutil.NoSuchProcess:
                    continue
                self.kills += 1

    def __enter__(self) -> _Storm:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _treacherous(folder: str, long: float) -> Any:
    def operation(item: int) -> int:
        with open(os.path.join(folder, str(item % 4)), "a") as file:
            file.write(f"{item} ")
        if item % 31 == 7:
            raise ValueError("bad by itself")
        if item % 97 == 11:
            time.sleep(long)
        if item % 53 == 3:
            time.sleep(0.01)
        return item * 3

    return operation


FEWEST = 400
"""Items, and more of them until the storm has killed what it has to."""


def _until_it_has_raged(storm: _Storm | None) -> Iterator[int]:
    for item in range(20 * FEWEST):
        if item >= FEWEST and (storm is None or storm.kills > 2):
            return
        yield item


@linux
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_in_a_storm(tmp_path: Path, worker_kind: str, seed: int) -> None:
    threads = worker_kind == "threads"
    others = {process.pid for process in workers()}
    settings: dict[str, Any] = {"worker_kind": worker_kind, "worker_max_tasks": 60}
    with RLMClient(threads=1, workers=3, state_dir=str(tmp_path / "state"), **settings) as client:
        began = time.monotonic()
        client.warm()
        # On a busy machine too, most workers come to their first item.
        pause = max(0.08, 0.7 * (time.monotonic() - began))
        before = handles()
        options = {
            "onError": "dead_letter",
            "retries": 60,
            "retryOn": ["WORKER_CRASHED"],
            "chunkTimeoutMs": 400,
            "chunkSize": 40,
        }
        # Threads are hit by their own deadlines alone.
        with nullcontext() if threads else _Storm(seed, pause) as storm:
            run = client.submit(
                task(
                    _treacherous(str(tmp_path), 1.5 if threads else 30), _until_it_has_raged(storm), **options
                )
            )
            counted = looked_after(run, 3 * PATIENCE)
        assert storm is None or storm.kills > 2
        items, failures = range(counted["accepted"]), run.failures()
        assert len(items) >= FEWEST
        bad = {item for item in items if item % 31 == 7}
        slow = {item for item in items if item % 97 == 11}
        # One that three storms have met is given up as well.
        struck = {item for item, error in failures.items() if error.code == "WORKER_CRASHED"}
        # A good one may be slow on a machine that is, but few are.
        late = {
            item
            for item, error in failures.items()
            if item not in bad | slow and isinstance(error, TaskTimeoutError)
        }
        assert len(late) <= len(items) // 20, late
        assert set(failures) == bad | slow | struck | late
        assert all(isinstance(failures[item], TaskTimeoutError) for item in slow - struck)
        assert counted["dead_lettered"] == len(failures)
        assert counted["succeeded"] + counted["dead_lettered"] == len(items)
        assert run.result() == [item * 3 for item in items if item not in failures]
        letters = client.dead_letters()
        assert {letter.input for letter in letters} == set(failures)
        assert len(letters.replay(lambda item: item)) == len(failures)
        assert not client.dead_letters()
        still_serves(client)
        assert handles() <= before + 12
    assert {process.pid for process in workers()} <= others


@linux
def test_chunks_that_are_halved_in_a_storm_are_whole(tmp_path: Path) -> None:
    data = pd.DataFrame({"n": range(240)})

    def operation(partition: Any) -> Any:
        held = bytearray(len(partition) * (4 << 20))
        held[::4096] = b"x" * len(held[::4096])
        time.sleep(0.05)
        return partition

    given = {"source": data, "operation": operation, "chunkSize": 60}
    options = {"mode": "python", "memoryLimit": "400MB", "retries": 50, "backoffMs": 1, "idempotencyKey": "s"}
    document = {"type": "parallel", "input": given, "options": options}
    with RLMClient(threads=1, workers=2, state_dir=str(tmp_path)) as client:
        # The storm gives workers the time to import what they need.
        with _Storm(5, 1.5):
            run = client.submit(document)
            looked_after(run)
        counted = books(run)
        # A chunk that three storms have met ends the run.
        assert counted["accepted"] == 4 or counted["failed"] == 1
        if counted["failed"] == 0:
            assert counted["succeeded"] == 4
            pd.testing.assert_frame_equal(run.result().to_pandas(), data)
        again = client.submit(document)
        pd.testing.assert_frame_equal(again.result().to_pandas(), data)
        assert again.progress.accounting.restored == counted["succeeded"]


@linux
def test_a_retried_item_runs_once_for_each_attempt_it_has(tmp_path: Path, worker_kind: str) -> None:
    def operation(item: int) -> int:
        with open(tmp_path / "calls", "a") as file:
            file.write(f"{item}\n")
        raise ConnectionError

    with RLMClient(threads=1, workers=2, worker_kind=worker_kind) as client:
        run = client.submit(task(operation, range(20), retries=3, onError="skip", maxBackoffMs=1))
        assert looked_after(run)["failed"] == 20
    found = Counter((tmp_path / "calls").read_text().split())
    assert set(found.values()) == {4}
