"""Workers that do not come to be ready: those that cannot are an error at once, those that something ends come again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import (
    RLMClient,
    TaskCancelledError,
    TaskTimeoutError,
    WorkerCrashedError,
    calling,
    packing,
)

from tests.faults._workers import PATIENCE, books, linux, looked_after, still_serves, task, until

pytestmark = linux

_FIRST = """
import os, signal, sys
mark, how, first, last = sys.argv[1:5]
with open(mark, "ab", buffering=0) as file:
    # Where its own letter ends: others may write at the same time.
    file.write(b"x")
    number = file.tell()
if int(first) <= number <= int(last):
    if how == "import":
        import nothing_like_it
    elif how == "exit":
        os._exit(4)
    else:
        os.kill(os.getpid(), int(how))
"""


class Starts:
    """Workers some of which do something else before they start."""

    def __init__(self, mark: Path, patch: pytest.MonkeyPatch) -> None:
        self._mark = mark
        self._patch = patch

    def do(self, how: str, last: int, first: int = 1) -> None:
        """What those with these numbers do."""
        program, arguments, environment = packing.launch()
        code = _FIRST + arguments[1]
        made = program, ["-c", code, str(self._mark), how, str(first), str(last), *arguments[2:]], environment
        for module in (packing, calling):
            self._patch.setattr(module, "launch", lambda: made)

    def count(self) -> int:
        """How many there were."""
        return len(self._mark.read_text()) if self._mark.exists() else 0


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Starts:
    return Starts(tmp_path / "starts", monkeypatch)


@pytest.fixture
def make() -> Iterator[Callable[..., RLMClient]]:
    """Clients with one worker, closed in the end."""
    made: list[RLMClient] = []

    def one(**settings: Any) -> RLMClient:
        made.append(RLMClient(threads=1, **{"workers": 1, **settings}))
        return made[-1]

    yield one
    for client in made:
        client.close()


MOST = 1_000
"""More starts than any test has."""


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (
            "import",
            "ended itself with exit status 1 before it was ready: ModuleNotFoundError: .*nothing_like_it",
        ),
        ("exit", "ended itself with exit status 4 before it was ready"),
    ],
)
def test_one_that_cannot_start_is_an_error_at_once(
    starts: Starts, make: Callable[..., RLMClient], how: str, words: str
) -> None:
    starts.do(how, MOST)
    client = make()
    run = client.submit(task(abs, range(50), onError="collect", retries=5))
    assert looked_after(run)["pending"] == 0
    assert run.state == "failed"
    with pytest.raises(WorkerCrashedError, match=f"a worker for `abs` {words}"):
        run.result()
    assert starts.count() == 1
    with pytest.raises(WorkerCrashedError, match=f"a worker {words}"):
        client.warm()
    assert starts.count() == 2


def test_a_program_that_is_not_there_is_an_error_at_once(
    monkeypatch: pytest.MonkeyPatch, make: Callable[..., RLMClient]
) -> None:
    for module in (packing, calling):
        monkeypatch.setattr(module, "launch", lambda: ("/no/such/python", [], []))
    with pytest.raises(WorkerCrashedError, match="cannot be started: No such file"):
        make().execute(task(abs, [1]))


@pytest.mark.parametrize("signal", [9, 15, 11])
def test_one_that_something_ends_is_started_again(
    starts: Starts, make: Callable[..., RLMClient], signal: int
) -> None:
    starts.do(str(signal), 4)
    client = make()
    run = client.submit(task(abs, range(-5, 0)))
    looked_after(run)
    assert run.result() == [5, 4, 3, 2, 1]
    assert starts.count() == 5
    told = "".join(piece["text"] for piece in run.output() if piece["stream"] == "log")
    assert told.count("another one is started in") == 4
    still_serves(client)
    assert starts.count() == 5


def test_one_that_crashes_by_itself_has_some_attempts(starts: Starts, make: Callable[..., RLMClient]) -> None:
    starts.do("11", MOST)
    with pytest.raises(
        WorkerCrashedError, match=r"was ended by SIGSEGV, for the 5th time in .* before it was ready"
    ):
        make().execute(task(abs, [1]))
    assert starts.count() == 5


def test_one_that_is_ended_again_and_again_is_given_up_after_the_time_that_is_set(
    starts: Starts, make: Callable[..., RLMClient]
) -> None:
    starts.do("9", MOST)
    run = make(worker_start_seconds=1).submit(task(abs, range(5), onError="skip"))
    looked_after(run)
    with pytest.raises(
        WorkerCrashedError, match=r"was ended by SIGKILL, for the \d+th time in \d+\.\d s"
    ) as caught:
        run.result()
    assert caught.value.details["signal"] == 9
    (times, seconds) = re.findall(r"the (\d+)th time in (\d+\.\d) s", caught.value.message)[0]
    assert float(seconds) >= 1 and int(times) == starts.count()
    # Waits double: without them there would be tens of starts. On a slow machine a start takes its time.
    assert 2 <= starts.count() <= 9
    assert books(run)["pending"] == 0


def test_the_wait_ends_with_the_deadline_with_a_cancel_and_with_the_client(
    starts: Starts, make: Callable[..., RLMClient]
) -> None:
    starts.do("9", MOST)
    client = make()
    late = client.submit(task(abs, [1], timeoutMs=700))
    looked_after(late)
    with pytest.raises(TaskTimeoutError):
        late.result()
    run = client.submit(task(abs, [1]))
    seen = starts.count()
    until(lambda: starts.count() > seen + 3)
    run.cancel()
    assert run.wait(PATIENCE)
    with pytest.raises(TaskCancelledError):
        run.result()
    run = client.submit(task(abs, [1]))
    seen = starts.count()
    until(lambda: starts.count() > seen + 3)
    client.close()
    assert run.state == "cancelled"


def test_a_call_that_waits_for_a_start_takes_the_worker_that_another_one_leaves(
    tmp_path: Path, starts: Starts, make: Callable[..., RLMClient]
) -> None:
    client = make(workers=2)
    begun, go = tmp_path / "begun", tmp_path / "go"

    def waits(item: int) -> int:
        begun.touch()
        while not go.exists():
            time.sleep(0.001)
        return item

    starts.do("9", MOST, first=2)
    run = client.submit(task(waits, [1]))
    until(begun.exists)
    other = client.submit(task(abs, [-2]))
    until(lambda: starts.count() > 4)
    assert not other.done
    go.touch()
    assert other.result(PATIENCE) == [2]
    assert run.result(PATIENCE) == [1]
