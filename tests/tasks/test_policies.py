"""Policies of runs in workers: which failures are tried again, time for each item, halves after want of memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import (
    CombineRequiredError,
    InvalidTaskError,
    OperationFailedError,
    OutOfMemoryError,
    RLMClient,
    SoftTimeout,
    TaskTimeoutError,
    current_task,
)

from tests.faults._workers import PATIENCE, linux, looked_after, still_serves, task


class Passing(ConnectionError):
    """Of the user's own."""


def _raises(item: int) -> int:
    if item == 1:
        raise KeyError("no")
    if item == 2:
        raise Passing("now")
    if item == 3:
        os._exit(3)
    return item


@pytest.mark.parametrize(
    ("options", "attempts"),
    [
        ({}, (3, 3, 3)),
        ({"retryOn": ["OSError"]}, (1, 3, 1)),
        ({"retryOn": ["Passing", "WORKER_CRASHED"]}, (1, 3, 3)),
        ({"retryOn": ["builtins.LookupError"]}, (3, 1, 1)),
        ({"retryOn": []}, (1, 1, 1)),
        ({"doNotRetry": ["LookupError", "WORKER_CRASHED"]}, (1, 3, 1)),
        ({"retryOn": ["Exception"], "doNotRetry": ["ConnectionError"]}, (3, 1, 1)),
    ],
    ids=str,
)
def test_names_say_what_is_tried_again(
    crew: RLMClient, options: dict[str, Any], attempts: tuple[int, ...]
) -> None:
    run = crew.submit(task(_raises, range(5), retries=2, onError="collect", **options))
    counted = looked_after(run)
    assert (counted["succeeded"], counted["failed"]) == (2, 3)
    found = run.failures()
    assert [found[item].details["attempt"] for item in (1, 2, 3)] == list(attempts)


@pytest.mark.parametrize(
    ("options", "path", "words"),
    [
        ({"retryOn": ["OSError"]}, "options.retryOn", "nothing without `retries`"),
        ({"maxBackoffMs": 5}, "options.maxBackoffMs", "nothing without `retries`"),
        ({"retries": 1, "retryOn": ["TIMEOUTS"]}, "options.retryOn", 'Did you mean "TIMEOUT"'),
        ({"retries": 1, "doNotRetry": ["NO_CODE_AT_ALL"]}, "options.doNotRetry", "no code of an error"),
        ({"retries": 1, "retryOn": [OSError]}, "options.retryOn[0]", "string"),
        ({"softTimeoutMs": 50, "chunkTimeoutMs": 50}, "options.softTimeoutMs", "no warning"),
    ],
    ids=str,
)
def test_what_means_nothing_is_refused(
    crew: RLMClient, options: dict[str, Any], path: str, words: str
) -> None:
    document = {"type": "parallel", "input": {"items": [1], "operation": abs}, "options": options}
    with pytest.raises(InvalidTaskError, match=words) as raised:
        crew.submit(document)
    assert raised.value.details["path"] == path


def test_an_item_that_takes_too_long_is_stopped_alone(crew: RLMClient) -> None:
    def operation(item: int) -> int:
        if item == 5:
            time.sleep(60)
        return item

    run = crew.submit(task(operation, range(12), chunkTimeoutMs=1_000, onError="collect"))
    counted = looked_after(run)
    assert (counted["succeeded"], counted["failed"]) == (11, 1)
    found = run.result()
    error = found.pop(5)
    assert isinstance(error, TaskTimeoutError)
    assert "item 5" in error.message
    assert "1000 ms" in error.message
    assert found == [item for item in range(12) if item != 5]
    still_serves(crew)


def test_the_time_is_that_of_an_item_and_a_timeout_is_tried_again(crew: RLMClient) -> None:
    def operation(item: int) -> tuple[int, bool]:
        # All together take longer than one may.
        time.sleep(0.03)
        if item == 2 and current_task().attempt == 1:
            while True:
                pass
        left = current_task().seconds_left
        assert left is not None
        return current_task().attempt, 0 < left < 1

    run = crew.submit(task(operation, range(50), chunkTimeoutMs=1_000, retries=1, parallelism=1))
    looked_after(run)
    assert run.result() == [(2 if item == 2 else 1, True) for item in range(50)]
    refused = crew.submit(
        task(operation, range(4), chunkTimeoutMs=1_000, retries=1, doNotRetry=["TIMEOUT"], onError="skip")
    )
    looked_after(refused)
    assert list(refused.failures()) == [2]


def test_a_chunk_of_a_source_has_its_time(crew: RLMClient) -> None:
    def operation(partition: Any) -> Any:
        if partition.index[0] == 20 and current_task().attempt == 1:
            time.sleep(60)
        return partition

    # What the chunk is read with is there.
    crew.warm()
    data = pd.DataFrame({"n": range(50)})
    given = {"source": data, "operation": operation, "chunkSize": 10}
    options = {"mode": "python", "chunkTimeoutMs": 2_000, "retries": 1, "backoffMs": 1}
    found = crew.execute({"type": "parallel", "input": given, "options": options})
    pd.testing.assert_frame_equal(found.to_pandas(), data)


def test_an_operation_is_told_that_its_time_is_up(crew: RLMClient) -> None:
    def operation(item: int) -> Any:
        if item == 0:
            return "quick"
        try:
            if item == 1:
                time.sleep(60)
            while True:
                pass
        except SoftTimeout:
            if item == 2:
                raise
            return "part of it"

    run = crew.submit(task(operation, range(3), softTimeoutMs=80, chunkTimeoutMs=5_000, onError="collect"))
    looked_after(run)
    quick, part, error = run.result()
    assert (quick, part) == ("quick", "part of it")
    assert isinstance(error, OperationFailedError)
    assert isinstance(error.__cause__, SoftTimeout)
    still_serves(crew)


def _held() -> int:
    """Bytes that this process holds, as the supervisor counts them."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon:"))


def _hungry(mib: float) -> Callable[[int], None]:
    def eat(rows: int) -> None:
        size = int(rows * mib * (1 << 20))
        held = bytearray(size)
        held[::4096] = b"x" * len(held[::4096])
        # Until it is noticed; that it is not is seen by what comes of it.
        patience = time.monotonic() + PATIENCE
        while _held() > LIMIT and time.monotonic() < patience:
            time.sleep(0.01)

    return eat


SHARE = "400MB"
"""Of two workers: 200 MB each, of which an interpreter with pandas takes a third."""
LIMIT = 200_000_000
"""Bytes that each of them may hold."""


@linux
@pytest.mark.parametrize("chunk", [64, 100])
def test_a_chunk_that_needs_too_much_is_run_in_halves(crew: RLMClient, chunk: int) -> None:
    eat = _hungry(4)

    def operation(partition: Any) -> Any:
        eat(len(partition))
        partition["at_once"] = len(partition)
        return partition[partition["n"] % 5 > 0]

    data = pd.DataFrame({"n": range(150), "s": [str(n) for n in range(150)]})
    given = {"source": data, "operation": operation, "chunkSize": chunk}
    options = {"mode": "python", "memoryLimit": SHARE}
    run = crew.submit({"type": "parallel", "input": given, "options": options})
    counted = looked_after(run)
    assert counted["succeeded"] == counted["accepted"] == -(-150 // chunk)
    found = run.result().to_pandas()
    expected = data[data["n"] % 5 > 0]
    pd.testing.assert_frame_equal(found[["n", "s"]], expected)
    assert found["at_once"].max() <= chunk // 2 + 1
    assert "run in halves" in str(run.explain())
    still_serves(crew)


@linux
def test_a_batch_is_halved_down_to_one_value_which_fails_alone(crew: RLMClient) -> None:
    def operation(batch: list[int]) -> int:
        _hungry(400)(1 if 13 in batch else 0)
        return sum(batch)

    run = crew.submit(
        task(operation, range(24), type="batch_processing", chunkSize=8, memoryLimit=SHARE, onError="skip")
    )
    counted = looked_after(run)
    assert (counted["succeeded"], counted["failed"]) == (2, 1)
    assert run.result() == [sum(range(8)), sum(range(16, 24))]
    error = run.failures()[1]
    assert isinstance(error, OutOfMemoryError)
    assert "item 1, values 5 to 5 of it" in error.message
    still_serves(crew)


@linux
@pytest.mark.parametrize("kind", ["batch_processing", "parallel_inference", "map_reduce"])
def test_results_of_parts_are_in_order(crew: RLMClient, kind: str) -> None:
    eat = _hungry(6)
    given: dict[str, Any] = {"items": range(60), "chunkSize": 30}
    options: dict[str, Any] = {"memoryLimit": SHARE}
    expected: Any = list(range(60))
    if kind == "map_reduce":
        data = pd.DataFrame({"n": range(60), "k": [n % 2 for n in range(60)]})
        options["mode"] = "python"
        given = {
            "source": data,
            "chunkSize": 30,
            "key": "k",
            "reduce": lambda found: [list(p["n"]) for p in found],
        }
        expected = {0: list(range(0, 60, 2)), 1: list(range(1, 60, 2))}

    def operation(batch: Any) -> Any:
        eat(len(batch))
        return batch

    run = crew.submit({"type": kind, "input": {**given, "operation": operation}, "options": options})
    looked_after(run)
    found = run.result()
    assert "run in halves" in str(run.explain())
    if kind == "batch_processing":
        found = [n for batch in found for n in batch]
    elif kind == "map_reduce":
        found = {key: [n for part in parts for n in part] for key, parts in found.items()}
    assert found == expected


@linux
def test_parts_whose_results_are_no_rows_need_combine(crew: RLMClient) -> None:
    def operation(partition: Any) -> int:
        _hungry(6)(len(partition))
        return len(partition)

    given = {"source": pd.DataFrame({"n": range(40)}), "operation": operation}
    options = {"mode": "python", "memoryLimit": SHARE}
    with pytest.raises(CombineRequiredError, match="part of chunk 0"):
        crew.execute({"type": "parallel", "input": given, "options": options})
    given["combine"] = sum
    assert crew.execute({"type": "parallel", "input": given, "options": options}) == 40


def test_a_memory_error_of_the_operation_is_no_memory_too(crew: RLMClient) -> None:
    def operation(batch: list[int]) -> int:
        if len(batch) > 2:
            raise MemoryError
        return len(batch)

    run = crew.submit(task(operation, range(9), type="batch_processing", chunkSize=9))
    assert run.result() == [2, 1, 2, 2, 2]
    assert looked_after(run)["succeeded"] == 1


def _pids(client: RLMClient, count: int, operation: Callable[[int], int], **options: Any) -> list[int]:
    return [client.execute(task(operation, [n], **options))[0] for n in range(count)]


def test_a_worker_is_replaced_after_so_many_items() -> None:
    with RLMClient(threads=1, workers=1, worker_max_tasks=3) as client:
        client.warm()
        pids = _pids(client, 7, lambda n: os.getpid())
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
        run = client.submit(task(lambda n: (n, os.getpid()), range(100)))
        looked_after(run)
        assert [n for n, _ in run.result()] == list(range(100))
        assert client.warm() == 1


@linux
def test_a_worker_that_a_leak_makes_grow_is_replaced() -> None:
    leaked: list[bytearray] = []

    def leaks(n: int) -> int:
        leaked.append(bytearray(os.urandom(1024)) * 30_000)
        time.sleep(0.02)
        return os.getpid()

    with RLMClient(threads=1, workers=1, worker_max_growth="100MB") as client:
        pids = _pids(client, 9, leaks)
        assert len(set(pids)) > 1
        assert pids[0] == pids[1]
        assert len(set(_pids(client, 3, lambda n: os.getpid()))) <= 2


def test_a_setting_up_happens_again_in_a_new_worker(tmp_path: Path) -> None:
    def setup() -> int:
        with open(tmp_path / "setups", "a") as file:
            file.write("x")
        return 10

    with RLMClient(threads=1, workers=1, worker_max_tasks=2) as client:
        given = {
            "items": range(6),
            "setup": setup,
            "operation": lambda model, batch: [model + n for n in batch],
            "chunkSize": 1,
        }
        assert client.execute({"type": "parallel_inference", "input": given}) == list(range(10, 16))
    assert (tmp_path / "setups").read_text() == "xxx"


@linux
def test_results_that_do_not_fit_lie_on_disk(tmp_path: Path) -> None:
    with RLMClient(threads=1, workers=2, memory_limit="320MB", spill_dir=str(tmp_path)) as client:
        given = {
            "items": range(240),
            "map": lambda n: (n, bytes([n]) * 1_000_000),
            "key": lambda pair: pair[0] % 16,
            "reduce": lambda key, pairs: [(n, len(data), data[-1]) for n, data in pairs],
        }
        run = client.submit({"type": "map_reduce", "input": given})
        looked_after(run)
        expected = {key: [(n, 1_000_000, n) for n in range(key, 240, 16)] for key in range(16)}
        assert run.result() == expected
        assert "lay on disk" in str(run.explain())
        assert not list(tmp_path.glob("*.*"))


@linux
@pytest.mark.parametrize("on_error", ["skip", "dead_letter"])
def test_parts_are_written_in_order_and_a_chunk_that_is_given_up_is_not(
    tmp_path: Path, on_error: str
) -> None:
    def operation(partition: Any) -> Any:
        _hungry(4)(len(partition))
        if 77 in partition.index:
            raise ValueError("on purpose")
        return partition

    data = pd.DataFrame({"n": range(150), "s": [str(n) for n in range(150)]})
    document = {
        "type": "parallel",
        "input": {"source": data, "operation": operation, "chunkSize": 50},
        "output": str(tmp_path / "out.parquet"),
        "options": {"mode": "python", "memoryLimit": SHARE, "onError": on_error},
    }
    with RLMClient(threads=1, workers=2, state_dir=str(tmp_path / "state")) as client:
        run = client.submit(document)
        counted = looked_after(run)
        run.result()
        assert "run in halves" in str(run.explain())
        assert (counted["succeeded"], counted["failed"] + counted["dead_lettered"]) == (2, 1)
        found = pd.read_parquet(tmp_path / "out.parquet")
        expected = data.drop(range(50, 100))
        assert found["n"].tolist() == expected["n"].tolist()
        assert found["s"].tolist() == expected["s"].tolist()
        assert len(client.dead_letters()) == counted["dead_lettered"]
