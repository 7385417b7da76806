"""Many callers share batches while inputs fail, crash and hang, and runs are stopped: every caller has its own answer."""

from __future__ import annotations

import os
import random
import threading
import time
from typing import Any

from rlm_hypervisor import RLMClient, TaskCancelledError, TaskTimeoutError

from tests.faults._workers import PATIENCE, books, still_serves

SECONDS = 3.0
FEWEST = 50
"""Answers that have to be right; what is late on a busy machine is none, and more time is given for them there."""
CRASHES, RAISES, HANGS, IS_TOLD = 9, 7, 11, 13


def _operation(crashes: bool) -> Any:
    def operation(batch: list[int]) -> list[Any]:
        kinds = {value % 40 for value in batch}
        if RAISES in kinds:
            raise ValueError("one of them")
        if crashes and CRASHES in kinds:
            os._exit(3)
        while HANGS in kinds:
            pass
        return [ValueError(value) if value % 40 == IS_TOLD else value * 2 for value in batch]

    return operation


def test_every_caller_has_its_own_answer(worker_kind: str) -> None:
    crashes = worker_kind == "processes"
    bad = {RAISES, HANGS, IS_TOLD} | ({CRASHES} if crashes else set())
    operation, until = _operation(crashes), time.monotonic() + SECONDS
    wrong: list[BaseException] = []
    ended: list[int] = []
    right: list[int] = []
    late: list[int] = []

    def call(client: RLMClient, draw: random.Random) -> None:
        values = [draw.randrange(1_000) for _ in range(draw.randrange(6))]
        options: dict[str, Any] = {"onError": "collect", "chunkTimeoutMs": 120 if crashes else 300}
        if draw.random() < 0.2:
            options["timeoutMs"] = draw.randrange(1, 200)
        given = {"items": values, "operation": operation, "chunkSize": 8, "maxWaitMs": 3}
        run = client.submit({"type": "parallel_inference", "input": given, "options": options})
        if draw.random() < 0.2:
            time.sleep(draw.random() * 0.03)
            run.cancel()
        assert run.wait(PATIENCE), books(run)
        counted, error = books(run), run.exception()
        assert counted["pending"] == 0
        ended.append(len(values))
        if error is not None:
            assert isinstance(error, (TaskCancelledError, TaskTimeoutError)), error
            return
        assert counted["succeeded"] + counted["failed"] == len(values)
        for value, found in zip(values, run.result(), strict=True):
            if value % 40 not in bad and isinstance(found, TaskTimeoutError):
                # Alone in its batch too: those that hang take its share of a busy machine.
                late.append(value)
                continue
            good = isinstance(found, Exception) if value % 40 in bad else found == value * 2
            assert good, (value, found)
            right.append(value)

    def calls(client: RLMClient, seed: int) -> None:
        draw = random.Random(seed)
        try:
            while time.monotonic() < until or (len(right) < FEWEST and time.monotonic() < until + PATIENCE):
                call(client, draw)
        except BaseException as error:
            wrong.append(error)

    with RLMClient(workers=3, threads=1, worker_kind=worker_kind) as client:
        threads = [threading.Thread(target=calls, args=(client, seed)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(right) >= FEWEST, (len(right), len(late))
        assert client.metrics()["chunks"]["accepted"] == sum(ended)
        still_serves(client)
