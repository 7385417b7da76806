"""An item's time begins when the item does: what a worker loads first is nobody's, and has a bound of its own."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import RLMClient, TaskTimeoutError, current_task

from tests.faults._workers import PATIENCE, books, linux, looked_after, still_serves, task, until

LIMIT = 400
"""Milliseconds that an item may take; what is loaded takes four times as long, and more."""


@pytest.fixture
def client(worker_kind: str) -> Iterator[RLMClient]:
    """Two workers that have loaded nothing."""
    with RLMClient(threads=1, workers=2, worker_kind=worker_kind) as client:
        yield client


def _load(folder: str, how: str) -> Callable[[Any], Any]:
    """What is called where a function is read: it waits for a file, or ends its process the first time."""
    loading = Path(folder) / "loading"
    first = not loading.exists()
    loading.touch()
    if how == "dies" and first:
        os.kill(os.getpid(), signal.SIGKILL)
    while how == "waits" and not (Path(folder) / "go").exists():
        time.sleep(0.001)
    return _doubled


def _doubled(value: Any) -> Any:
    return [one * 2 for one in value] if isinstance(value, list) else value * 2


class Read:
    """A function, or a value, that does something when it is read."""

    __name__ = "Read"

    def __init__(self, folder: Path, how: str = "waits") -> None:
        self._given = str(folder), how

    def __reduce__(self) -> Any:
        return _load, self._given

    def __call__(self, value: Any) -> Any:
        """Never: what is read in its place is called."""
        raise AssertionError


def _lets_go(folder: Path) -> None:
    """Ends what is waited for, when an item's time would be over since long."""
    until((folder / "loading").exists)
    time.sleep(4.5 * LIMIT / 1000)
    (folder / "go").touch()


MODULE = """
import os, pathlib, time
folder = pathlib.Path(__file__).parent
if os.getpid() != {pid}:
    (folder / "loading").touch()
    while not (folder / "go").exists():
        time.sleep(0.001)

def operation(item):
    return item * 2
"""


def test_the_import_of_a_function_s_module_is_not_an_item_s_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rlm_slow_to_import.py").write_text(MODULE.format(pid=os.getpid()))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("rlm_slow_to_import")
    with RLMClient(threads=1, workers=2) as client:
        run = client.submit(task(module.operation, range(20), chunkTimeoutMs=LIMIT, onError="collect"))
        _lets_go(tmp_path)
        assert run.result(PATIENCE) == [item * 2 for item in range(20)]
        assert books(run)["succeeded"] == 20


def test_what_a_function_does_when_it_is_read_is_not_an_item_s_time(
    client: RLMClient, tmp_path: Path
) -> None:
    run = client.submit(task(Read(tmp_path), range(20), chunkTimeoutMs=LIMIT, onError="collect"))
    _lets_go(tmp_path)
    assert run.result(PATIENCE) == [item * 2 for item in range(20)]
    # Once it is loaded, an item has its time, and no more.
    hangs = client.submit(task(time.sleep, [60], chunkTimeoutMs=LIMIT))
    assert isinstance(hangs.exception(), TaskTimeoutError)
    assert f"{LIMIT} ms" in str(hangs.exception())


def test_nor_is_it_a_shared_batch_s(client: RLMClient, tmp_path: Path) -> None:
    given = {"items": range(6), "operation": Read(tmp_path), "chunkSize": 3, "maxWaitMs": 1}
    options = {"chunkTimeoutMs": LIMIT, "onError": "collect"}
    run = client.submit({"type": "parallel_inference", "input": given, "options": options})
    _lets_go(tmp_path)
    assert run.result(PATIENCE) == [item * 2 for item in range(6)]


@pytest.mark.parametrize("shared", [{}, {"maxWaitMs": 1}], ids=["alone", "shared"])
def test_nor_is_a_setup(client: RLMClient, tmp_path: Path, shared: dict[str, int]) -> None:
    folder = str(tmp_path)

    def setup() -> Any:
        return _load(folder, "waits")

    def operation(model: Any, batch: list[int]) -> Any:
        return model(batch)

    given = {"items": range(6), "setup": setup, "operation": operation, "chunkSize": 3, **shared}
    options = {"chunkTimeoutMs": LIMIT, "onError": "collect"}
    run = client.submit({"type": "parallel_inference", "input": given, "options": options})
    _lets_go(tmp_path)
    assert run.result(PATIENCE) == [item * 2 for item in range(6)]


def test_nor_are_values_that_are_read_slowly(client: RLMClient, tmp_path: Path) -> None:
    def operation(value: Any) -> Any:
        return value(21)

    run = client.submit(task(operation, [Read(tmp_path)], chunkTimeoutMs=LIMIT))
    _lets_go(tmp_path)
    assert run.result(PATIENCE) == [42]


def test_a_function_that_does_not_come_to_be_read_ends_with_its_run(
    client: RLMClient, tmp_path: Path
) -> None:
    run = client.submit(task(Read(tmp_path), range(4), chunkTimeoutMs=LIMIT, timeoutMs=5 * LIMIT))
    assert run.wait(PATIENCE)
    error = run.exception()
    assert isinstance(error, TaskTimeoutError) and "timeoutMs" in error.message
    assert (books(run)["failed"], books(run)["pending"]) == (0, 0)
    cancelled = client.submit(task(Read(tmp_path), range(4), chunkTimeoutMs=LIMIT))
    cancelled.cancel()
    assert cancelled.wait(PATIENCE)
    (tmp_path / "go").touch()
    still_serves(client)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_does_not_come_to_be_read_is_stopped_without_a_deadline(tmp_path: Path) -> None:
    """As late as a worker that does not come to be ready."""
    with RLMClient(threads=1, workers=3) as client:
        options: dict[str, Any] = {"chunkTimeoutMs": 100, "onError": "skip"}
        function = client.submit(task(Read(tmp_path), range(4), parallelism=1, **options))
        value = client.submit(task(str, [1, Read(tmp_path), 3], chunkSize=1, **options))
        looked_after(function, 200)
        error = function.exception()
        assert isinstance(error, TaskTimeoutError)
        assert "could not be loaded in a worker within 60 s" in error.message
        looked_after(value, 200)
        assert value.result() == ["1", "3"]
        (error,) = value.failures().values()
        assert isinstance(error, TaskTimeoutError)
        assert "on item 1 was not begun within 60 s in a worker" in error.message
        still_serves(client)


@linux
def test_a_worker_that_dies_while_it_loads_takes_no_item_with_it(tmp_path: Path) -> None:
    with RLMClient(threads=1, workers=1) as client:
        run = client.submit(task(Read(tmp_path, "dies"), range(6), onError="collect"))
        looked_after(run)
        assert run.result() == [item * 2 for item in range(6)]


def test_an_item_that_ends_when_it_is_told_to_does_not_take_the_next_with_it(
    client: RLMClient, tmp_path: Path
) -> None:
    told = 2_000

    def operation(item: int) -> int:
        # By then many items go together.
        while item == told and not current_task().cancelled:
            time.sleep(0.001)
        # Longer than an item that was told to end is waited for.
        time.sleep(0.2 if item == told + 1 else 0)
        return item

    # Of an iterator nobody knows that little is left, which goes in small lots.
    options: dict[str, Any] = {"parallelism": 1, "chunkTimeoutMs": 2_000, "onError": "collect"}
    run = client.submit(task(operation, iter(range(2 * told)), **options))
    looked_after(run)
    assert run.result() == list(range(2 * told))


def test_threads_that_wait_for_one_import_have_their_time(tmp_path: Path) -> None:
    """All threads load the same at once, and the client's own thread goes on meanwhile."""
    with RLMClient(threads=1, workers=3, worker_kind="threads") as client:
        runs = [
            client.submit(task(Read(tmp_path), range(5), chunkSize=1, chunkTimeoutMs=LIMIT)) for _ in range(3)
        ]
        release = threading.Thread(target=_lets_go, args=(tmp_path,))
        release.start()
        assert [run.result(PATIENCE) for run in runs] == [[item * 2 for item in range(5)]] * 3
        release.join()
