"""Workers that wait for something that is due later than they would be kept for: it is done when it is due."""

from __future__ import annotations

from typing import Any

import pytest
from rlm_hypervisor import RLMClient

from tests.faults._workers import PATIENCE


def add_one(items: list[int]) -> list[int]:
    return [item + 1 for item in items]


FAILED: list[int] = []


def fails_once(items: list[int]) -> list[int]:
    if not FAILED:
        FAILED.append(1)
        raise ConnectionError("once")
    return [item + 1 for item in items]


# Both wait for longer than an idle worker is kept, and nobody else looks at the clock: neither has a deadline.
DUE: dict[str, Any] = {
    "a batch that is not full": (add_one, {"maxWaitMs": 1_500}, {}),
    "an attempt after a pause": (
        fails_once,
        {"maxWaitMs": 1},
        {"retries": 2, "backoffMs": 1_500, "maxBackoffMs": 1_500},
    ),
}


# What was done already is known in one process alone.
CASES = [(due, "threads") for due in DUE] + [("a batch that is not full", "processes")]


@pytest.mark.parametrize(("due", "kind"), CASES)
def test_what_is_due_later_is_done_though_nobody_else_is_at_work(due: str, kind: str) -> None:
    operation, fields, options = DUE[due]
    FAILED.clear()
    with RLMClient(workers=2, worker_idle_seconds=1, worker_kind=kind) as client:
        document = {
            "type": "parallel_inference",
            "input": {"items": [1], "operation": operation, "chunkSize": 8} | fields,
            "options": options,
        }
        run = client.submit(document)
        assert run.wait(PATIENCE)
        assert list(run.result()) == [2]
