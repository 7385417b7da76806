"""`client.warm`: workers before they are needed, and what each of them does first."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    OperationFailedError,
    RLMClient,
    TaskCancelledError,
    WorkerCrashedError,
    current_task,
)

from tests.faults._workers import PATIENCE, bodies, linux, looked_after, still_serves, task, until


def me() -> tuple[int, int]:
    """What tells a worker from others, of both kinds."""
    return os.getpid(), threading.get_ident()


def noted(mark: Path, value: Any) -> Callable[[], Any]:
    """A setup that notes who called it, and returns a value."""

    def setup() -> Any:
        with mark.open("a") as file:
            file.write(f"{os.getpid()} {threading.get_ident()}\n")
        return value

    return setup


def notes(mark: Path) -> list[tuple[int, ...]]:
    return [tuple(map(int, line.split())) for line in mark.read_text().splitlines()] if mark.exists() else []


def made(_: Any) -> Any:
    return current_task().setup


def who(_: Any) -> tuple[int, int]:
    time.sleep(0.002)
    return me()


@pytest.fixture
def client(worker_kind: str) -> Iterator[RLMClient]:
    with RLMClient(threads=1, workers=2, worker_kind=worker_kind) as client:
        yield client


def test_each_worker_calls_it_once_before_its_first_call(client: RLMClient, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert client.warm(setup=noted(mark, {"model": 7})) == 2
    called = notes(mark)
    assert len(called) == len(set(called)) == 2
    run = client.submit(task(who, range(50)))
    looked_after(run)
    assert set(run.result()) <= set(called)
    assert client.execute(task(made, range(5))) == [{"model": 7}] * 5
    assert client.warm() == 2
    assert notes(mark) == called


def test_without_one_there_is_nothing(client: RLMClient) -> None:
    assert client.warm() == 2
    assert client.execute(task(made, [0])) == [None]


def test_workers_that_start_later_call_it_too(client: RLMClient, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert client.warm(0, setup=noted(mark, "later")) == 0
    assert notes(mark) == []
    assert set(client.execute(task(made, range(20)))) == {"later"}
    assert 1 <= len(notes(mark)) == len(set(notes(mark))) <= 2


def test_workers_of_another_setup_are_replaced(client: RLMClient, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert client.execute(task(made, [0])) == [None]
    client.warm(setup=noted(first, "first"))
    assert set(client.execute(task(made, range(20)))) == {"first"}
    client.warm(setup=noted(second, "second"))
    assert set(client.execute(task(made, range(20)))) == {"second"}
    assert len(notes(first)) == len(notes(second)) == 2
    # The same once more is no other one.
    client.warm(setup=noted(second, "second"))
    assert len(notes(second)) == 2


def test_a_worker_with_a_call_is_replaced_after_it(client: RLMClient, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def waits(item: int) -> Any:
        (tmp_path / f"runs {item}").touch()
        deadline = time.monotonic() + PATIENCE
        while not go.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return current_task().setup

    run = client.submit(task(waits, range(2)))
    until(lambda: len(list(tmp_path.glob("runs*"))) == 2, "the calls never run")
    client.warm(setup=noted(tmp_path / "mark", "new"), timeout=0.1)
    go.touch()
    assert run.result() == [None, None]
    assert client.execute(task(made, range(20))) == ["new"] * 20


def test_what_it_raises_is_told_and_it_is_not_kept(client: RLMClient, tmp_path: Path) -> None:
    def broken() -> None:
        raise KeyError("no model")

    with pytest.raises(OperationFailedError) as raised:
        client.warm(setup=broken)
    error = raised.value
    assert "`broken`, the `setup` of `client.warm()`, raised KeyError: 'no model'" in str(error)
    assert "in broken" in error.details["traceback"]
    assert isinstance(error.__cause__, KeyError)
    assert client.execute(task(made, [0])) == [None]
    client.warm(setup=noted(tmp_path / "mark", 1))
    with pytest.raises(OperationFailedError):
        client.warm(setup=broken)
    assert set(client.execute(task(made, range(9)))) == {1}
    still_serves(client)


def test_a_run_whose_worker_cannot_be_set_up_says_so(client: RLMClient, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.touch()

    def needs() -> str:
        return gone.read_text() + "read"

    client.warm(0, setup=needs)
    gone.unlink()
    with pytest.raises(OperationFailedError, match=r"`needs`, the `setup`.*FileNotFoundError"):
        client.execute(task(made, [0], onError="skip"))
    gone.touch()
    assert client.execute(task(made, [0])) == ["read"]


def test_a_run_can_be_stopped_while_its_worker_is_set_up(client: RLMClient, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def slow() -> None:
        mark.touch()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            time.sleep(0.01)

    client.warm(0, setup=slow)
    run = client.submit(task(made, [0]))
    until(mark.exists, "the setup never begins")
    run.cancel()
    with pytest.raises(TaskCancelledError):
        run.result()
    client.warm(0, setup=partial(str, "quick"))
    assert client.execute(task(made, [0])) == ["quick"]


def test_it_is_for_tables_batches_and_single_values_too(client: RLMClient) -> None:
    client.warm(setup=partial(int, 3))

    def times(part: Any) -> Any:
        return part.assign(x=part["x"] * current_task().setup)

    frame = pd.DataFrame({"x": range(100)})
    given = {"source": frame, "operation": times, "chunkSize": 10}
    options = {"mode": "python"}
    result = client.execute({"type": "parallel", "input": given, "options": options})
    pd.testing.assert_frame_equal(result.to_pandas(), frame * 3, check_dtype=False)
    # Short single calls of threads run where they are asked for; with a setup they do not.
    for _ in range(20):
        assert client.execute({"type": "sequential", "operation": made, "input": 0}) == 3


def test_what_makes_no_sense_is_refused_before_a_worker_starts(client: RLMClient, worker_kind: str) -> None:
    before = bodies(worker_kind)
    for setup, said in [
        (7, "is a int, not a function"),
        (lambda model: model, "cannot be called without arguments: missing a required argument: 'model'"),
    ]:
        with pytest.raises(InvalidTaskError, match=said) as raised:
            client.warm(setup=setup)  # type: ignore[arg-type]
        assert raised.value.details["path"] == "setup"
    lock = threading.Lock()
    with pytest.raises(InvalidTaskError, match=r"the `setup` of `client.warm\(\)`.*cannot be sent"):
        client.warm(setup=lambda: lock)
    for options in ({"workers": -1}, {"workers": 1.5}, {"workers": True}, {"timeout": -1}, {"timeout": "1"}):
        with pytest.raises(InvalidTaskError, match="has to be a number from 0 on"):
            client.warm(**options)  # type: ignore[arg-type]
    assert bodies(worker_kind) == before


def test_warm_workers_stay_and_others_go(worker_kind: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    before = bodies(worker_kind)
    with RLMClient(threads=1, workers=3, worker_kind=worker_kind, worker_idle_seconds=1) as client:
        client.warm(1, setup=noted(mark, None))
        assert len(notes(mark)) == 1
        client.execute(task(lambda _: time.sleep(0.05), range(60)))
        several = len(notes(mark))
        assert several > 1

        until(lambda: len(bodies(worker_kind) - before) == 1, "workers that nobody needs do not go")
        # Longer than they are kept: the one that was asked for is not only the last.
        time.sleep(1.5)
        assert len(bodies(worker_kind) - before) == 1
        assert client.execute(task(abs, [-1])) == [1]
        assert len(notes(mark)) == several


@linux
class TestProcesses:
    """What only processes can do."""

    @pytest.fixture
    def client(self) -> Iterator[RLMClient]:
        with RLMClient(threads=1, workers=2) as client:
            yield client

    def test_the_process_stays_as_it_was_left(self, client: RLMClient, tmp_path: Path) -> None:
        def moves() -> None:
            import sys

            os.chdir(tmp_path)
            os.environ["LEFT_BY_SETUP"] = "1"
            sys.setrecursionlimit(5_000)

        def place(_: int) -> tuple[str, str | None, int]:
            import sys

            return os.getcwd(), os.environ.get("LEFT_BY_SETUP"), sys.getrecursionlimit()

        client.warm(setup=moves)
        wanted = (os.path.realpath(tmp_path), "1", 5_000)
        assert set(client.execute(task(place, range(10)))) == {wanted}
        assert "LEFT_BY_SETUP" not in os.environ

    def test_modules_of_this_process_are_imported(self, client: RLMClient) -> None:
        client.warm()

        def there(_: int) -> bool:
            import sys

            return {"numpy", "pandas", "pyarrow"} <= sys.modules.keys()

        import pyarrow

        assert pyarrow
        assert client.execute(task(there, [0])) == [True]

    def test_one_that_is_killed_is_set_up_again(self, client: RLMClient, tmp_path: Path) -> None:
        mark = tmp_path / "mark"
        client.warm(setup=noted(mark, "made"))

        def dies_once(item: int) -> Any:
            if current_task().attempt == 1 and item == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return current_task().setup

        assert client.execute(task(dies_once, range(6), retries=2)) == ["made"] * 6
        until(lambda: len(notes(mark)) >= 3, "what was asked for before it is needed is not there again")

    def test_one_that_crashes_in_it_is_told(self, client: RLMClient) -> None:
        def leaves() -> None:
            print("not today", file=__import__("sys").stderr)
            os._exit(5)

        with pytest.raises(
            WorkerCrashedError, match="ended itself with exit status 5 before it was ready: not today"
        ):
            client.warm(setup=leaves)
        assert client.execute(task(made, [0])) == [None]

    def test_a_child_that_it_forks_is_no_worker(self, client: RLMClient, tmp_path: Path) -> None:
        mark = tmp_path / "mark"

        def forks() -> str:
            if os.fork() == 0:
                mark.touch()
                return "child"
            return "parent"

        client.warm(setup=forks)
        until(mark.exists, "there is no child")
        assert set(client.execute(task(made, range(20)))) == {"parent"}
        still_serves(client)
