"""The machine after worker processes: no process, no memory, no file handle stays behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from rlm_hypervisor import RLMClient

from tests.faults._faults import leaves_a_child
from tests.faults._machine import in_use
from tests.faults._workers import (
    PATIENCE,
    PRELUDE,
    alive,
    bodies,
    handles,
    linux,
    lives,
    looked_after,
    task,
    until,
    workers,
)

pytestmark = linux


@contextmanager
def _program(text: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program that runs beside the test."""
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(text), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _shared_memory() -> set[str]:
    return {name for name in os.listdir("/dev/shm") if "rlm" in name}


def test_closing_leaves_no_process_not_even_those_that_user_code_started() -> None:
    before = {process.pid for process in workers()}
    with RLMClient(threads=1, workers=2) as client:
        client.warm()
        looked_after(client.submit(task(leaves_a_child, range(12))))
        started = [process for process in workers() if process.pid not in before]
        assert len(started) >= 2
    until(lambda: not any(alive(process.pid) for process in started))
    assert not _shared_memory()


@pytest.mark.parametrize("forked", [False, True], ids=["alone", "with a fork of it that lives on"])
@pytest.mark.parametrize("name", ["sleeps", "backtracks", "waits_for_a_child", "idle"])
def test_no_worker_survives_its_supervisor(tmp_path: Path, name: str, forked: bool) -> None:
    text = """
        from tests.faults import _faults
        name, mark, forked = sys.argv[1:]
        client = RLMClient(threads=1, workers=2)
        client.warm()
        if forked == "True" and os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        if name != "idle":
            run = client.submit(task(getattr(_faults, name), [mark]))
            until(lambda: os.path.exists(mark))
        print("ready", flush=True)
        time.sleep(60)
    """
    with _program(text, name, str(tmp_path / "mark"), str(forked)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        started = workers(process.pid)
        forks = [one for one in started if forked and one.cmdline() == psutil.Process(process.pid).cmdline()]
        assert len(started) - len(forks) >= 2
        process.kill()
        process.wait()
        rest = [one for one in started if one not in forks]
        until(lambda: not any(alive(one.pid) for one in rest), "workers live on")
        for one in forks:
            one.kill()
    assert not _shared_memory()


def test_a_forked_child_refuses_and_does_no_harm(worker_kind: str) -> None:
    text = """
        import gc
        with RLMClient(threads=1, workers=2, worker_kind=sys.argv[1]) as client:
            client.warm()
            pids = sorted(process.pid for process in workers())
            run = client.submit(task(time.sleep, [0.0] * 10, chunkSize=1))
            for way in ("exit", "collect"):
                child = os.fork()
                if not child:
                    try:
                        client.submit(task(abs, [1]))
                    except Exception as error:
                        refused = "forked" in str(error)
                    if way == "collect":
                        client.close()
                        del client, run
                        gc.collect()
                    if not refused:
                        os._exit(1)
                    sys.exit(0) if way == "exit" else os._exit(0)
                assert os.waitpid(child, 0)[1] == 0, way
            assert run.result(20) == [None] * 10
            still_serves(client)
            assert sorted(process.pid for process in workers()) == pids
        print("unharmed")
    """
    with _program(text, worker_kind) as process:
        assert process.communicate(timeout=60)[0] == "unharmed\n"


def test_a_client_that_nothing_refers_to_takes_its_workers_with_it(worker_kind: str) -> None:
    before = bodies(worker_kind)
    client = RLMClient(threads=1, workers=1, worker_kind=worker_kind)
    client.warm()
    client.execute(task(abs, [1]))
    started = bodies(worker_kind) - before
    assert len(started) == 1
    del client
    gc.collect()
    until(lambda: not any(map(lives, started)))


SOAK = int(os.environ.get("RLM_SOAK", "1"))
"""How many times as long to look for leaks."""


def _crashes(item: int) -> bytes:
    if item % 10 == 9:
        if threading.current_thread() is not threading.main_thread():
            raise SystemExit("as far as a thread can")
        os.kill(os.getpid(), signal.SIGKILL)
    return b"x" * 300_000 if item % 10 == 4 else b""


def test_neither_handles_nor_memory_grow_with_calls_and_crashes(worker_kind: str) -> None:
    with RLMClient(threads=1, workers=2, worker_kind=worker_kind) as client:

        def some() -> None:
            looked_after(client.submit(task(_crashes, range(40), onError="skip")))
            for _ in range(300 * SOAK):
                client.execute(task(abs, [1]))

        some()
        gc.collect()
        before, held = handles(), in_use()
        for _ in range(3 * SOAK):
            some()
        gc.collect()
        assert handles() <= before + 4
        # A release build does not count what is in use.
        used = in_use()
        assert held is None or used is None or used < held + (8 << 20), (held, used)


def test_large_results_hold_no_handles(worker_kind: str) -> None:
    with RLMClient(threads=1, workers=1, worker_kind=worker_kind) as client:
        before = handles()
        run = client.submit(task(lambda item: bytes(300_000), range(200), chunkSize=1))
        assert run.wait(PATIENCE)
        assert handles() < before + 30
        assert [len(value) for value in run.result()] == [300_000] * 200


def test_a_worker_that_dies_while_it_has_nothing_to_do_is_replaced() -> None:
    with RLMClient(threads=1, workers=1) as client:
        for _ in range(5):
            assert client.warm() == 1
            for process in workers():
                process.kill()
            assert client.execute(task(abs, [-1], retries=0)) == [1]
