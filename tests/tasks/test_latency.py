"""Latency: every item that ran is counted once, waiting and running are told apart, a client adds its runs up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import OperationFailedError, RLMClient

from tests.faults._workers import until

FIGURES = ["count", "max", "mean", "p50", "p90", "p99"]


def latency_of(run: Any) -> Any:
    run.result()
    return run.metrics()["latency"]


@pytest.mark.parametrize("kind", ["parallel", "sequential", "batch_processing", "recursive", "value"])
def test_every_item_is_counted_once(crew: RLMClient, kind: str) -> None:
    value = {"type": "sequential", "operation": lambda event: event["n"], "input": {"n": 1}}
    batches = {"items": range(20), "operation": sum, "chunkSize": 5}
    tasks = {
        "parallel": ({"type": kind, "input": {"items": range(20), "operation": str}}, 20),
        "sequential": ({"type": kind, "input": {"items": range(20), "operation": str}}, 20),
        "batch_processing": ({"type": kind, "input": batches}, 4),
        "recursive": ({"type": kind, "operation": str, "input": 7}, 1),
        "value": (value, 1),
    }
    task, items = tasks[kind]
    found = latency_of(crew.submit(task))
    for name in ("waiting_ms", "running_ms", "items_per_call"):
        assert sorted(found[name]) == FIGURES
    assert found["waiting_ms"]["count"] == found["running_ms"]["count"] == items
    per_call = found["items_per_call"]
    assert per_call["count"] * per_call["mean"] == pytest.approx(items)
    running = found["running_ms"]
    assert 0 <= running["p50"] <= running["p90"] <= running["p99"] <= running["max"]
    assert found["abandoned_threads"] == 0


def test_slow_items_are_seen_as_slow(crew: RLMClient) -> None:
    def operation(item: int) -> None:
        time.sleep(0.2 if item == 7 else 0.01)

    found = latency_of(
        crew.submit({"type": "parallel", "input": {"items": range(10), "operation": operation}})
    )
    running = found["running_ms"]
    assert running["p50"] >= 9 and running["max"] >= 190 and running["p99"] >= 190


def test_a_run_waits_for_the_workers_of_another(crew: RLMClient, tmp_path: Path) -> None:
    def operation(number: int) -> None:
        (tmp_path / str(number)).touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.001)

    def submitted(number: int) -> Any:
        return crew.submit({"type": "sequential", "operation": operation, "input": number})

    runs = [submitted(number) for number in range(2)]
    until(lambda: all((tmp_path / str(number)).exists() for number in range(2)))
    runs.append(submitted(2))
    begun = time.monotonic()
    time.sleep(0.3)
    waited = time.monotonic() - begun
    (tmp_path / "go").touch()
    assert latency_of(runs[2])["waiting_ms"]["max"] >= waited * 1_000
    assert all(latency_of(run)["running_ms"]["max"] >= waited * 1_000 for run in runs[:2])


def test_what_is_tried_again_runs_again_and_is_counted_again(crew: RLMClient) -> None:
    def operation(item: int) -> None:
        from rlm_hypervisor import current_task

        if current_task().attempt < 3:
            raise OSError

    options = {"retries": 2, "backoffMs": 0}
    task = {"type": "parallel", "input": {"items": [1, 2], "operation": operation}, "options": options}
    found = latency_of(crew.submit(task))
    assert (found["waiting_ms"]["count"], found["running_ms"]["count"]) == (2, 6)


def test_a_client_adds_up_its_runs(crew: RLMClient) -> None:
    data = pd.DataFrame({"a": [1, 2, 3]})
    with RLMClient(workers=1, threads=1) as client:
        assert client.metrics()["runs"] == dict.fromkeys(
            ("queued", "running", "succeeded", "failed", "cancelled"), 0
        )
        for _ in range(3):
            client.execute({"type": "parallel", "input": {"items": range(4), "operation": str}})
        native = client.submit(
            {"type": "parallel", "input": {"source": data, "operation": lambda p: p["a"].sum()}}
        )
        assert native.result() == 6
        assert "latency" not in native.metrics()
        with pytest.raises(OperationFailedError):
            client.execute({"type": "parallel", "input": {"items": [0], "operation": lambda n: 1 / n}})
        found = client.metrics()
    assert (found["runs"]["succeeded"], found["runs"]["failed"]) == (4, 1)
    assert found["latency"]["running_ms"]["count"] == 13
    assert found["chunks"]["accepted"] == found["chunks"]["succeeded"] + 1
