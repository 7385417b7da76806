"""Processes that user code moved to sessions of their own, twice forked: they end with their worker all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rlm_hypervisor import RLMClient, RLMError

from tests.faults._workers import PATIENCE, PRELUDE, alive, linux, still_serves, task, until, workers

pytestmark = linux


def escapes(mark: str) -> None:
    """Becomes a daemon as books teach it: fork, setsid, fork again; the first child ends at once."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            # What it starts itself lies deeper, in yet another session, and with no environment to be known by.
            deeper = subprocess.Popen(["sleep", "3600"], start_new_session=True, env={})
            path = Path(mark)
            path.with_suffix(".part").write_text(f"{os.getpid()} {deeper.pid} {os.getppid()}")
            path.with_suffix(".part").rename(path)
            time.sleep(3600)
        os._exit(0)
    os.wait()


def then_sleeps(mark: str) -> None:
    """Leaves a daemon behind, and does not come back."""
    escapes(mark)
    time.sleep(3600)


def then_dies(mark: str) -> None:
    """Leaves a daemon behind, and ends its worker."""
    escapes(mark)
    until(Path(mark).exists)
    os._exit(3)


def then_is_killed(mark: str) -> None:
    """The same from outside."""
    escapes(mark)
    until(Path(mark).exists)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def client() -> Iterator[RLMClient]:
    """One worker."""
    with RLMClient(threads=1, workers=1) as client:
        client.warm()
        yield client


def _daemons(mark: Path) -> list[int]:
    until(mark.exists)
    return [int(word) for word in mark.read_text().split()[:2]]


def _over(pids: list[int]) -> None:
    until(lambda: not any(map(alive, pids)), "daemons live on")


def test_a_cancel_ends_them(client: RLMClient, tmp_path: Path) -> None:
    run = client.submit(task(then_sleeps, [str(tmp_path / "mark")]))
    pids = _daemons(tmp_path / "mark")
    assert all(map(alive, pids))
    assert {os.getsid(pid) for pid in pids} == {os.getsid(pids[0]), pids[1]}
    run.cancel()
    assert run.wait(PATIENCE)
    _over(pids)
    still_serves(client)


def loaded(item: int) -> int:
    """Its worker has imported this module."""
    return item


def test_a_deadline_ends_them(client: RLMClient, tmp_path: Path) -> None:
    # The deadline counts from when the run is submitted.
    assert client.execute(task(loaded, [1])) == [1]
    run = client.submit(task(then_sleeps, [str(tmp_path / "mark")], timeoutMs=3_000))
    pids = _daemons(tmp_path / "mark")
    assert run.wait(PATIENCE)
    _over(pids)
    still_serves(client)


@pytest.mark.parametrize("operation", [then_dies, then_is_killed])
def test_the_death_of_their_worker_ends_those_that_have_its_environment(
    client: RLMClient, tmp_path: Path, operation: object
) -> None:
    with pytest.raises(RLMError, match="while it ran"):
        client.execute(task(operation, [str(tmp_path / "mark")]))  # type: ignore[arg-type]
    daemon, deeper = _daemons(tmp_path / "mark")
    try:
        _over([daemon])
    finally:
        # Nothing tells whose it was.
        if alive(deeper):
            os.kill(deeper, signal.SIGKILL)
    still_serves(client)


def test_closing_ends_them(tmp_path: Path) -> None:
    with RLMClient(threads=1, workers=1) as client:
        client.execute(task(escapes, [str(tmp_path / "mark")]))
        pids = _daemons(tmp_path / "mark")
        still_serves(client)
        assert all(map(alive, pids))
    _over(pids)


@pytest.mark.parametrize("operation", ["then_sleeps", "escapes"])
def test_the_death_of_the_supervisor_ends_them(tmp_path: Path, operation: str) -> None:
    text = """
        from tests.faults import test_worker_sessions as given
        name, mark = sys.argv[1:]
        client = RLMClient(threads=1, workers=2)
        run = client.submit(task(getattr(given, name), [mark]))
        until(lambda: os.path.exists(mark))
        print("ready", flush=True)
        time.sleep(60)
    """
    mark = tmp_path / "mark"
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(text), operation, str(mark)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        pids = [*_daemons(mark), *(one.pid for one in workers(process.pid))]
        assert len(pids) >= 3
    finally:
        process.kill()
        process.communicate()
    _over(pids)
