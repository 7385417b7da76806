"""Cancel, deadline, Ctrl-C and close: no code of the run runs on, and other runs notice nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import InvalidTaskError, RLMClient, RLMError, TaskCancelledError, TaskTimeoutError

from tests.faults._faults import ENDLESS, sleeps, tells
from tests.faults._workers import (
    PATIENCE,
    PRELUDE,
    alive,
    bodies,
    books,
    linux,
    lives,
    looked_after,
    still_serves,
    task,
    until,
    workers,
)


@pytest.fixture(scope="module")
def client(worker_kind: str) -> Iterator[RLMClient]:
    """Two workers for all tests."""
    with RLMClient(threads=1, workers=2, worker_kind=worker_kind) as client:
        client.warm(setup=_loaded)
        yield client


def _loaded() -> None:
    """A deadline counts from when a run is submitted: what its operation is loaded with is there before."""
    assert ENDLESS


@pytest.fixture
def own_children(worker_kind: str) -> Iterator[None]:
    """What operations in threads start is this process's own to end."""
    before = workers()
    yield
    if worker_kind == "threads":
        for child in set(workers()) - set(before):
            child.kill()


def _started(client: RLMClient, operation: Callable[..., Any], path: Path, **options: Any) -> tuple[Any, int]:
    """A run whose operation has begun, and the process it is in."""
    run = client.submit(task(operation, [str(path)], **options))
    until(path.exists)
    return run, int(path.read_text())


@pytest.mark.parametrize("operation", ENDLESS, ids=lambda operation: str(operation.__name__))
def test_nothing_of_a_cancelled_run_is_left(
    client: RLMClient, worker_kind: str, tmp_path: Path, operation: Callable[..., Any], own_children: None
) -> None:
    sibling = client.submit(task(time.sleep, [0.001] * 400, chunkSize=1))
    run, pid = _started(client, operation, tmp_path / "mark")
    children = workers(pid) if worker_kind == "processes" else []
    assert books(run)["pending"] == 1
    run.cancel()
    assert run.wait(PATIENCE)
    assert alive(pid) == (worker_kind == "threads")
    until(lambda: not any(child.is_running() and alive(child.pid) for child in children))
    counted = books(run)
    assert (counted["cancelled"], counted["pending"]) == (1, 0)
    with pytest.raises(TaskCancelledError):
        run.result()
    assert sibling.result(PATIENCE) == [None] * 400
    assert books(sibling)["succeeded"] == 400


@pytest.mark.parametrize("operation", ENDLESS, ids=lambda operation: str(operation.__name__))
def test_nothing_of_a_run_is_left_after_its_deadline(
    client: RLMClient, worker_kind: str, tmp_path: Path, operation: Callable[..., Any], own_children: None
) -> None:
    client.warm()
    run, pid = _started(client, operation, tmp_path / "mark", timeoutMs=2_000)
    assert run.wait(PATIENCE)
    assert alive(pid) == (worker_kind == "threads")
    assert books(run)["cancelled"] == 1
    with pytest.raises(TaskTimeoutError):
        run.result()
    still_serves(client)


@pytest.mark.parametrize("kind", ["thread", "child"])
def test_what_earlier_items_left_behind_ends_with_the_run(
    client: RLMClient, tmp_path: Path, kind: str
) -> None:
    beats = tmp_path / "beats"

    def beat() -> None:
        while True:
            beats.write_text(str(time.monotonic()))
            time.sleep(0.001)

    def operation(item: int) -> int:
        import os

        if item == 0 and (kind == "thread" or os.fork() == 0):
            threading.Thread(target=beat, daemon=True).start()
            if kind == "child":
                time.sleep(3600)
        if item == 1:
            tells(str(tmp_path / "mark"))
            time.sleep(3600)
        return item

    run = client.submit(task(operation, [0, 1]))
    until((tmp_path / "mark").exists)
    until(beats.exists)
    run.cancel()
    assert run.wait(PATIENCE)

    def silent() -> bool:
        before = beats.read_text()
        time.sleep(0.02)
        return before == beats.read_text()

    until(silent)
    still_serves(client)


def test_a_thread_that_keeps_the_interpreter_harms_no_later_run(client: RLMClient, tmp_path: Path) -> None:
    over = tmp_path / "over"

    def keeps(mark: Path) -> None:
        # It begins when the call is over.
        while not over.exists():
            time.sleep(0.001)
        mark.touch()
        re.match(r"(a+)+$", "a" * 64 + "b")

    def operation(item: int) -> int:
        threading.Thread(target=keeps, args=(tmp_path / f"keeps-{item}",), daemon=True).start()
        return item

    assert client.execute(task(operation, [1, 2], chunkSize=1)) == [1, 2]
    over.touch()
    # Of two in one worker the first keeps the other from the interpreter.
    until(lambda: any(tmp_path.glob("keeps-*")))
    still_serves(client)


def test_a_generator_that_blocks_holds_up_neither_its_end_nor_other_runs(worker_kind: str) -> None:
    release = threading.Event()
    others = bodies(worker_kind)

    def items() -> Iterator[int]:
        yield 1
        release.wait()
        yield 2

    with RLMClient(threads=1, workers=1, worker_kind=worker_kind) as client:
        run = client.submit(task(abs, items()))
        until(lambda: books(run)["succeeded"] == 1)
        still_serves(client)
        run.cancel()
        assert run.wait(PATIENCE)
        assert books(run)["pending"] == 0
        still_serves(client)
        again = client.submit(task(abs, items()))
        until(lambda: books(again)["succeeded"] == 1)
        # The one that was with the cancelled run may still be on its way out.
        until(lambda: len(bodies(worker_kind) - others) == 1)
        own = bodies(worker_kind) - others
        client.close()
        until(lambda: again.state == "cancelled", "a run has no end although its client is closed")
        if worker_kind == "threads":
            until(lambda: not any(map(lives, own)))
        assert not any(map(lives, own))
    release.set()


def test_a_generator_goes_on_after_others_had_its_worker(worker_kind: str) -> None:
    release = threading.Event()
    others = bodies(worker_kind)

    def items() -> Iterator[int]:
        yield -1
        release.wait()
        yield -2

    with RLMClient(threads=1, workers=1, worker_kind=worker_kind) as client:
        run = client.submit(task(abs, items()))
        until(lambda: books(run)["succeeded"] == 1)
        still_serves(client)
        release.set()
        assert run.result(PATIENCE) == [1, 2]
        assert len(bodies(worker_kind) - others) == 1


def test_an_endless_generator_is_taken_only_as_it_is_worked_on(client: RLMClient) -> None:
    taken = []

    def items() -> Iterator[int]:
        while True:
            taken.append(1)
            yield 0

    run = client.submit(task(time.sleep, items(), chunkSize=3))
    until(lambda: books(run)["succeeded"] > 50)
    for _ in range(50):
        before = books(run)
        assert before["pending"] <= 3
        assert len(taken) >= before["accepted"]
    run.cancel()
    assert run.wait(PATIENCE)
    assert len(taken) <= books(run)["accepted"] + 3
    assert books(run)["pending"] == 0


def test_a_generator_that_raises_ends_the_run_and_names_its_exception(client: RLMClient) -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise LookupError("no more of them")

    run = client.submit(task(abs, items(), onError="collect"))
    looked_after(run)
    with pytest.raises(RLMError, match="LookupError: no more of them"):
        run.result()
    still_serves(client)


def test_closing_stops_what_runs_and_what_waits(worker_kind: str, tmp_path: Path) -> None:
    client = RLMClient(threads=1, workers=1, worker_kind=worker_kind)
    run, pid = _started(client, sleeps, tmp_path / "mark")
    waiting = [client.submit(task(abs, [1])) for _ in range(20)]
    client.close()
    for one in [run, *waiting]:
        until(lambda one=one: one.state == "cancelled", "a run has no end although its client is closed")  # type: ignore[misc]
        assert books(one)["pending"] == 0
    if worker_kind == "processes":
        until(lambda: not alive(pid))
    with pytest.raises(InvalidTaskError, match="closed"):
        client.submit(task(abs, [1]))


def test_closing_while_others_submit_leaves_no_run_without_an_end(worker_kind: str) -> None:
    for _ in range(5):
        client = RLMClient(threads=1, workers=1, worker_kind=worker_kind)
        runs: list[Any] = []

        def submit(client: RLMClient = client, runs: list[Any] = runs) -> None:
            try:
                while True:
                    runs.append(client.submit(task(abs, [1])))
            except (InvalidTaskError, RLMError):
                return

        threads = [threading.Thread(target=submit) for _ in range(2)]
        for thread in threads:
            thread.start()
        until(lambda runs=runs: len(runs) > 4)  # type: ignore[misc]
        client.close()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        for run in runs:
            assert run.wait(PATIENCE), run
            assert books(run)["pending"] == 0


def test_runs_of_several_threads_do_not_mix(client: RLMClient) -> None:
    answers: dict[int, list[int]] = {}

    def ask(number: int) -> None:
        answers[number] = client.execute(task(lambda item: item * number, range(200)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == {number: [item * number for item in range(200)] for number in range(6)}


AGEING = 5.0
"""Seconds after which a run that waits counts as one of the next priority."""


def test_the_higher_priority_is_served_first(worker_kind: str, tmp_path: Path) -> None:
    # On a busy machine runs may wait for so long that they count as higher ones: then nothing is seen.
    took = next(
        (
            took
            for attempt in range(5)
            if (took := _served_in_order(worker_kind, tmp_path / str(attempt))) < AGEING
        ),
        None,
    )
    assert took is not None, "48 runs waited for too long, five times"


def _served_in_order(worker_kind: str, folder: Path) -> float:
    """How long runs waited at most; where that was not too long, they were served in the order of their priorities."""
    folder.mkdir()
    order = folder / "order"

    def operation(priority: str) -> None:
        with order.open("a") as file:
            file.write(f"{priority}\n")

    with RLMClient(threads=1, workers=1, worker_kind=worker_kind) as client:
        blocker, _ = _started(client, sleeps, folder / "mark")
        levels = ["low", "normal", "high", "critical"]
        began = time.monotonic()
        runs = [
            client.submit(task(operation, [levels[number % 4]], priority=levels[number % 4]))
            for number in range(48)
        ]
        blocker.cancel()
        for run in runs:
            assert run.wait(PATIENCE)
        took = time.monotonic() - began
        served = order.read_text().split()
        assert len(served) == 48
        assert took >= AGEING or sorted(served, key=levels.index, reverse=True) == served
        return took


def test_one_item_none_and_very_many(client: RLMClient) -> None:
    assert client.execute(task(abs, [])) == []
    assert client.execute(task(abs, [-1])) == [1]
    run = client.submit(task(abs, range(0, -100_000, -1)))
    counted = looked_after(run)
    assert counted["succeeded"] == 100_000
    assert run.result() == list(range(100_000))


@linux
def test_ctrl_c_stops_a_run_in_workers(worker_kind: str) -> None:
    program = """
        from tests.faults._faults import loops, sorts
        import threading, pathlib, tempfile
        mark = pathlib.Path(tempfile.mkdtemp()) / "mark"
        def press():
            until(mark.exists)
            os.kill(os.getpid(), signal.SIGINT)
        kind = sys.argv[1]
        with RLMClient(threads=1, workers=1, worker_kind=kind) as client:
            threading.Thread(target=press).start()
            try:
                client.execute(task(loops if kind == "processes" else sorts, [str(mark)]))
            except KeyboardInterrupt:
                assert int(mark.read_text()) not in [process.pid for process in workers()]
                still_serves(client)
                print("stopped")
    """
    code = PRELUDE + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", code, worker_kind], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("stopped\n", 0), done.stderr
