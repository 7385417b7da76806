"""Threads as workers: what runs ends in bounded time whether its thread does or not, and nothing gets out of its call."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    RLMClient,
    SoftTimeout,
    TaskCancelledError,
    TaskTimeoutError,
    current_task,
)

from tests._on_threads import NOT_ON_THREADS
from tests.conftest import ROOT
from tests.faults._workers import PATIENCE, PRELUDE, books, looked_after, serving, still_serves, task, until


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    """Two threads for all tests."""
    with RLMClient(threads=1, workers=2, worker_kind="threads") as client:
        yield client


def ended_by(run: Any) -> Any:
    assert run.wait(PATIENCE)
    return run.exception()


RAN: dict[str, threading.Thread] = {}
"""The threads of operations, by what these were called on: it is this process that they run in."""
HOLD = threading.Event()
"""What an operation in C waits for, which nothing ends before."""


def _begins(item: str) -> None:
    RAN[item] = threading.current_thread()
    if item != os.devnull:
        Path(item).touch()


def spins(item: str) -> None:
    _begins(item)
    while True:
        pass


def catches(item: str) -> None:
    _begins(item)
    for _ in range(3):
        try:
            while True:
                pass
        except BaseException:
            continue


def holds(item: str) -> None:
    _begins(item)
    HOLD.wait()
    Path(f"{item}-went-on").touch()


@pytest.fixture
def held() -> Iterator[None]:
    """Operations are held, and let go in the end."""
    HOLD.clear()
    yield
    HOLD.set()


def allocates(item: str) -> None:
    _begins(item)
    while True:
        sorted(range(10_000), key=str)


@pytest.mark.parametrize(
    "operation", [spins, catches, allocates], ids=lambda operation: str(operation.__name__)
)
@pytest.mark.parametrize("how", ["cancel", "deadline", "item"])
def test_python_code_ends_with_its_run(
    client: RLMClient, tmp_path: Path, operation: Callable[[str], None], how: str
) -> None:
    options = {"cancel": {}, "deadline": {"timeoutMs": 1_500}, "item": {"chunkTimeoutMs": 300}}[how]
    sibling = client.submit(task(time.sleep, [0.001] * 200, chunkSize=1))
    mark = tmp_path / "mark"
    run = client.submit(task(operation, [str(mark)], **options))
    until(mark.exists)
    if how == "cancel":
        run.cancel()
    error = ended_by(run)
    assert isinstance(error, TaskCancelledError if how == "cancel" else TaskTimeoutError)
    counted = books(run)
    assert (counted["failed" if how == "item" else "cancelled"], counted["pending"]) == (1, 0)
    # The thread of the run is gone, or soon will be where it caught the exception.
    until(lambda: not RAN[str(mark)].is_alive())
    assert sibling.result(PATIENCE) == [None] * 200
    still_serves(client)


@pytest.mark.parametrize("how", ["deadline", "item"])
def test_code_that_does_not_come_back_is_left_behind_and_counted(
    client: RLMClient, tmp_path: Path, held: None, how: str
) -> None:
    options = {"deadline": {"timeoutMs": 1_000}, "item": {"chunkTimeoutMs": 200}}[how]
    before = client.metrics()["latency"]["abandoned_threads"]
    mark = str(tmp_path / "mark")
    run = client.submit(task(holds, [mark], **options))
    error = ended_by(run)
    assert RAN[mark].is_alive()
    assert isinstance(error, TaskTimeoutError)
    assert "a thread of its goes on" in error.message
    assert error.details["abandoned_threads"] == 1
    assert run.metrics()["latency"]["abandoned_threads"] == 1
    assert client.metrics()["latency"]["abandoned_threads"] == before + 1
    still_serves(client)


def test_an_abandoned_thread_does_no_more_of_its_call(client: RLMClient, tmp_path: Path, held: None) -> None:
    marks = [str(tmp_path / str(item)) for item in range(5)]
    run = client.submit(task(holds, marks, type="sequential", timeoutMs=1_000))
    assert isinstance(ended_by(run), TaskTimeoutError)
    thread = RAN[marks[0]]
    assert thread.is_alive()
    HOLD.set()
    until(lambda: not thread.is_alive())
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def test_a_call_may_look_whether_it_is_wanted(client: RLMClient) -> None:
    def operation(item: int) -> None:
        while not current_task().cancelled:
            time.sleep(0.001)

    run = client.submit(task(operation, [1], timeoutMs=100))
    assert isinstance(ended_by(run), TaskTimeoutError)
    assert run.metrics()["latency"]["abandoned_threads"] == 0
    still_serves(client)


def test_what_calls_write_and_log_is_their_runs_and_nobody_elses(
    client: RLMClient, capsys: pytest.CaptureFixture[str]
) -> None:
    def operation(item: int) -> None:
        print("of item", item)
        print("error of item", item, file=sys.stderr)
        print("no end of line", end="")
        logging.getLogger("mine").warning("logged %d", item)
        time.sleep(0.01)

    runs = [client.submit(task(operation, [item])) for item in range(6)]
    print("of the client")
    for item, run in enumerate(runs):
        run.result(PATIENCE)
        found: dict[str, str] = {}
        for entry in run.output():
            found[entry["stream"]] = found.get(entry["stream"], "") + entry["text"]
        assert found["stdout"] == f"of item {item}\nno end of line"
        assert found["stderr"] == f"error of item {item}\n"
        assert f"mine: logged {item}" in found["log"]
    print("and again")
    assert capsys.readouterr().out == "of the client\nand again\n"


def test_it_is_the_clients_own_process_and_each_thread_has_its_own_task(client: RLMClient) -> None:
    def operation(item: int) -> tuple[int, int, int]:
        time.sleep(0.001)
        return os.getpid(), current_task().item, current_task().attempt

    found = client.execute(task(operation, range(50), chunkSize=2))
    assert found == [(os.getpid(), item, 1) for item in range(50)]
    with pytest.raises(InvalidTaskError, match="no call of a task runs"):
        current_task()


def test_a_warning_reaches_python_code(client: RLMClient) -> None:
    def operation(item: int) -> str:
        try:
            while item:
                pass
        except SoftTimeout:
            return "warned"
        return "quick"

    run = client.submit(task(operation, [0, 1, 0, 1, 0], softTimeoutMs=500))
    looked_after(run)
    assert run.result() == ["quick", "warned", "quick", "warned", "quick"]


def test_tables_in_python(client: RLMClient) -> None:
    data = pd.DataFrame({"n": range(100), "s": [str(n) for n in range(100)]})
    document = {
        "type": "parallel",
        "input": {"source": data, "operation": lambda p: p[p["n"] % 3 == 0], "chunkSize": 7},
        "options": {"mode": "python"},
    }
    pd.testing.assert_frame_equal(client.execute(document).to_pandas(), data[data["n"] % 3 == 0])


def test_close_ends_the_threads() -> None:
    before = serving()
    with RLMClient(threads=1, workers=3, worker_kind="threads") as client:
        assert client.warm() == 3
        assert len(serving() - before) == 3
        run = client.submit(task(spins, [os.devnull] * 3))
        time.sleep(0.1)
    assert isinstance(ended_by(run), TaskCancelledError)
    until(lambda: not serving() - before)


def test_what_threads_cannot_do_is_refused() -> None:
    with pytest.raises(InvalidTaskError, match="worker_max_growth is for processes"):
        RLMClient(worker_kind="threads", worker_max_growth="1GB")
    with pytest.raises(InvalidTaskError, match="worker_kind"):
        RLMClient(worker_kind="thread")


def test_a_program_ends_with_a_thread_that_does_not() -> None:
    program = PRELUDE + textwrap.dedent("""
        client = RLMClient(threads=1, workers=1, worker_kind="threads")
        run = client.submit(task(time.sleep, [3_600], timeoutMs=100))
        print(run.exception().code)
        other = client.submit(task(time.sleep, [3_600]))
    """)
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False
    )
    assert (found.returncode, found.stdout) == (0, "TIMEOUT\n"), found.stderr


def test_a_loop_that_catches_everything_holds_up_neither_its_run_nor_the_end_of_the_program() -> None:
    program = PRELUDE + textwrap.dedent("""
        from tests.faults._faults import loops
        client = RLMClient(threads=1, workers=1, worker_kind="threads")
        run = client.submit(task(loops, [None], timeoutMs=3_000))
        print(run.exception().code, run.exception().details["abandoned_threads"])
        still_serves(client)
        client.close()
    """)
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stdout) == (0, "TIMEOUT 1\n"), found.stderr


def test_code_in_c_that_keeps_the_lock_is_waited_for_and_its_run_ends(client: RLMClient) -> None:
    def operation(item: int) -> None:
        # Some tenths of a second, in which nothing of the process runs.
        re.match(r"(a+)+$", "a" * item + "b")

    run = client.submit(task(operation, [24] * 8, type="sequential", timeoutMs=50))
    assert isinstance(ended_by(run), TaskTimeoutError)
    assert books(run)["pending"] == 0
    still_serves(client)


def test_what_is_left_out_on_threads_is_a_test_and_stands_in_the_guide() -> None:
    guide = (ROOT / "docs" / "guide" / "threads.md").read_text()
    for reason, names in NOT_ON_THREADS.items():
        assert f"\n- {reason}." in guide, reason
        for name in names:
            module, _, test = name.partition("::")
            (path,) = ROOT.glob(f"tests/*/{module}.py")
            assert not test or f"def {test.partition('[')[0]}(" in path.read_text(), name


def test_who_prints_while_calls_begin_and_end_elsewhere_is_not_harmed() -> None:
    program = """
import os, sys, threading
from rlm_hypervisor.worker.threads import capture

sys.stdout = open(os.devnull, "w")
over = threading.Event()

def calls():
    while not over.is_set():
        with capture:
            pass

thread = threading.Thread(target=calls)
sys.setswitchinterval(1e-6)
thread.start()
for number in range(50_000):
    print(number, number)
over.set()
thread.join()
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
