"""Operations that set out to break what supervises them: they harm their own item at most."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import OperationFailedError, RLMClient, RLMError, split

from tests.faults._workers import (
    PATIENCE,
    PRELUDE,
    alive,
    books,
    linux,
    looked_after,
    still_serves,
    task,
    until,
)

ITEMS = range(8)
BAD = 3


@pytest.fixture(scope="module")
def client(worker_kind: str) -> Iterator[RLMClient]:
    """One worker: whatever is left in it, the next operation meets."""
    with RLMClient(threads=1, workers=1, worker_kind=worker_kind) as client:
        yield client


def _written(run: Any, stream: str = "stdout") -> str:
    return "".join(piece["text"] for piece in run.output() if piece["stream"] == stream)


def _prints(item: int) -> str:
    print("mine")
    return os.getcwd()


def test_outputs_that_an_operation_puts_elsewhere_are_its_own(client: RLMClient, tmp_path: Path) -> None:
    def redirects(item: int) -> None:
        file = os.open(tmp_path / "stolen", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout = open(tmp_path / "replaced", "w")  # noqa: SIM115

    client.execute(task(redirects, [1]))
    run = client.submit(task(_prints, [1]))
    run.result(PATIENCE)
    assert _written(run) == "mine\n"
    assert not (tmp_path / "stolen").read_bytes()


def test_a_directory_is_that_of_the_operation_which_went_there(client: RLMClient, tmp_path: Path) -> None:
    home = client.execute(task(_prints, [1]))

    def goes(item: int) -> str:
        before = os.getcwd()
        os.chdir(tmp_path)
        return before

    assert client.execute(task(goes, [1])) == home
    assert client.execute(task(_prints, [1])) == home
    # To the operation itself it stays.
    assert client.execute(task(goes, [1])) == [str(tmp_path)]
    gone = tmp_path / "gone"
    gone.mkdir()

    def removes(item: int) -> None:
        os.chdir(gone)
        gone.rmdir()

    client.execute(task(removes, [1]))
    assert client.execute(task(_prints, [1])) == home


def test_an_alarm_that_an_operation_sets_rings_for_nobody_else(client: RLMClient) -> None:
    def sets(item: int) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        # Not before its own call is over, on the slowest of machines.
        signal.setitimer(signal.ITIMER_REAL, 3_600, 3_600)

    def left(item: int) -> tuple[float, float]:
        return signal.getitimer(signal.ITIMER_REAL)

    assert client.execute(task(sets, [1])) == [None]
    assert client.execute(task(left, [1])) == [(0.0, 0.0)]


def _lowers(item: int) -> None:
    sys.setrecursionlimit(60)


def _deep(item: int) -> int:
    return 0 if item == 0 else 1 + _deep(item - 1)


def test_a_limit_of_recursion_that_an_operation_lowers_is_its_own(client: RLMClient) -> None:
    client.execute(task(_lowers, [1]))
    assert client.execute(task(_deep, [300])) == [300]


def _shrinks(item: int) -> None:
    soft = 60 + item
    hard = soft if item else resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _opened(item: int) -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.mark.parametrize("item", [0, 1], ids=["that can be raised", "for good"])
def test_a_limit_of_the_system_that_an_operation_lowers_is_its_own(client: RLMClient, item: int) -> None:
    before = client.execute(task(_opened, [1]))
    client.execute(task(_shrinks, [item]))
    assert client.execute(task(_opened, [1], retries=0)) == before


class Nameless(type):
    """A class of classes that do not tell their names."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


class Unnamed(Exception, metaclass=Nameless):
    """Its type has no name."""


class Sticky(str):
    """A text that cannot be encoded."""

    def encode(self, *_: Any) -> bytes:
        raise SystemExit(5)


class Wordless(Exception):
    """Its text is a trap."""

    def __str__(self) -> str:
        return Sticky("gotcha")


class Undecided:
    """Neither true nor false."""

    def __bool__(self) -> bool:
        raise SystemExit(6)


class Fickle(Exception):
    """What tells whether to try it again raises."""

    retryable = Undecided()


class Leaves(BaseException):
    """Read again, it leaves whoever reads it."""

    def __reduce__(self) -> Any:
        return sys.exit, (7,)


class Nested(BaseException):
    """Its cause is itself."""

    def __init__(self) -> None:
        super().__init__("round")
        self.__cause__ = self


@pytest.mark.parametrize("raised", [Unnamed, Wordless, Fickle, Leaves, Nested], ids=str)
def test_an_exception_that_is_a_trap_is_a_failure_of_its_item(
    client: RLMClient, raised: type[BaseException]
) -> None:
    def operation(item: int) -> int:
        if item == BAD:
            raise raised
        return item

    run = client.submit(task(operation, ITEMS, onError="collect"))
    assert looked_after(run)["failed"] == 1
    found = run.result()
    assert isinstance(found.pop(BAD), OperationFailedError)
    assert found == [item for item in ITEMS if item != BAD]
    still_serves(client)


class Trap:
    """Leaves whoever reads it."""

    def __reduce__(self) -> Any:
        return sys.exit, ("caught",)


def test_a_result_that_leaves_its_reader_is_an_error(client: RLMClient) -> None:
    shapes: list[dict[str, Any]] = [
        task(lambda item: Trap() if item == BAD else item, ITEMS),
        {"type": "sequential", "operation": lambda value: Trap(), "input": 1},
        {
            "type": "recursive",
            "operation": lambda n: Trap() if n < 2 else split([1], combine=list),
            "input": 4,
        },
        {
            "type": "map_reduce",
            "input": {
                "items": ITEMS,
                "map": lambda n: n,
                "key": lambda n: n % 2,
                "reduce": lambda found: Trap(),
            },
        },
    ]
    for document in shapes:
        with pytest.raises(RLMError, match="SystemExit"):
            client.execute(document)
    still_serves(client)


class Deadly:
    """Ends the process in which it is pickled, or does not come to an end."""

    def __init__(self, how: str) -> None:
        self._how = how

    def __reduce__(self) -> Any:
        if self._how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._how == "hang":
            time.sleep(60)
        held = []
        while True:
            held.append(bytearray(b"x" * (1 << 25)))


@linux
@pytest.mark.parametrize(
    ("how", "code"), [("kill", "WORKER_CRASHED"), ("hang", "TIMEOUT"), ("memory", "OUT_OF_MEMORY")]
)
def test_a_result_that_ends_its_worker_while_it_is_packed_is_its_own_items_failure(
    client: RLMClient, how: str, code: str
) -> None:
    bad = {7, 31, 32}

    def operation(item: int) -> Any:
        return Deadly(how) if item in bad else item

    options: dict[str, Any] = {"hang": {"chunkTimeoutMs": 1_500}, "memory": {"memoryLimit": "300MiB"}}.get(
        how, {}
    )
    run = client.submit(task(operation, range(60), onError="skip", **options))
    looked_after(run, 2 * PATIENCE)
    assert {item: error.code for item, error in run.failures().items()} == dict.fromkeys(bad, code)
    assert run.result() == [item for item in range(60) if item not in bad]
    still_serves(client)


def test_output_without_end_is_kept_up_to_its_bound(client: RLMClient) -> None:
    def prints(item: int) -> int:
        line = "x" * 999_999
        for _ in range(100):
            print(line)
        print("y" * 20_000_000, end="")
        logging.getLogger("long").warning("z" * 20_000_000)
        return item

    run = client.submit(task(prints, [1]))
    looked_after(run)
    assert run.result() == [1]
    assert sum(len(piece["text"]) for piece in run.output()) <= 1 << 20
    still_serves(client)


def _opens_all(item: int) -> Any:
    if item == BAD:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        kept = []
        try:
            while True:
                kept.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return bytes(1 << 20)
    return item


def _writes_nothing(item: int) -> Any:
    if item == BAD:
        # What is written beyond raises a signal.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        return bytes(1 << 20)
    return item


@linux
@pytest.mark.parametrize("operation", [_opens_all, _writes_nothing], ids=lambda one: one.__name__)
def test_where_no_memory_can_be_shared_any_more_results_come_back_all_the_same(
    client: RLMClient, operation: Callable[[int], Any]
) -> None:
    run = client.submit(task(operation, ITEMS, chunkSize=1))
    looked_after(run)
    found = run.result()
    assert found.pop(BAD) == bytes(1 << 20)
    assert found == [item for item in ITEMS if item != BAD]
    still_serves(client)


def _multiplies(mark: str) -> None:
    for _ in range(4):
        if os.fork() == 0:
            os.setsid()
            for _ in range(3):
                if os.fork() == 0:
                    os.fork()
                    break
            break
    with open(mark, "a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(3600)


@linux
def test_processes_that_multiply_end_with_their_call(client: RLMClient, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    run = client.submit(task(_multiplies, [str(mark)]))
    until(lambda: mark.exists() and len(mark.read_text().split()) == 1 + 4 + 4 * 3 * 2)
    run.cancel()
    assert run.wait(PATIENCE)
    pids = [int(word) for word in mark.read_text().split()]
    until(lambda: not any(map(alive, pids)), "some live on")
    still_serves(client)


class Slippery:
    """An item that raises what nobody catches when it is pickled."""

    def __reduce__(self) -> Any:
        raise GeneratorExit


def test_items_that_are_traps_end_their_run_with_an_error(client: RLMClient) -> None:
    def gives(error: type[BaseException]) -> Iterator[int]:
        yield 1
        raise error

    given: list[Any] = [[1, Slippery()], gives(SystemExit), gives(KeyboardInterrupt), gives(GeneratorExit)]
    for items in given:
        run = client.submit(task(abs, items, onError="collect"))
        assert run.wait(PATIENCE)
        assert books(run)["pending"] == 0
        assert isinstance(run.exception(), RLMError)
    still_serves(client)


def _program(text: str, *arguments: str, **more: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(text), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@linux
@pytest.mark.parametrize("how", ["ignores", "takes"])
def test_a_client_that_takes_the_ends_of_its_children_away_leaves_nothing(tmp_path: Path, how: str) -> None:
    text = """
        import subprocess
        how, mark = sys.argv[1:]
        def takes(*_):
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                pass
        signal.signal(signal.SIGCHLD, signal.SIG_IGN if how == "ignores" else takes)
        def operation(item):
            if item % 4 == 1:
                child = subprocess.Popen(["sleep", "3600"], start_new_session=True)
                with open(mark, "a") as file:
                    file.write(f"{child.pid} ")
                os._exit(3)
            return item
        with RLMClient(threads=1, workers=2) as client:
            run = client.submit(task(operation, range(12), onError="skip"))
            looked_after(run)
            assert run.result() == [item for item in range(12) if item % 4 != 1], run.failures()
            assert {error.code for error in run.failures().values()} == {"WORKER_CRASHED"}
            still_serves(client)
        print("left it clean")
    """
    assert _program(text, how, str(tmp_path / "mark")) == "left it clean\n"
    pids = [int(word) for word in (tmp_path / "mark").read_text().split()]
    assert len(pids) == 3
    until(lambda: not any(map(alive, pids)), "children live on")


@linux
def test_a_worker_that_moves_to_the_group_of_others_takes_none_of_them_with_it() -> None:
    text = """
        import subprocess
        bystander = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
        print(bystander.pid, flush=True)
        def joins(item):
            os.setpgid(0, os.getpgid(os.getppid()))
            return os.getpid()
        client = RLMClient(threads=1, workers=1)
        print(client.execute(task(joins, [1]))[0], flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(text)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    bystander, worker = int(process.stdout.readline()), int(process.stdout.readline())
    with process:
        process.kill()
    try:
        until(lambda: not alive(worker))
        assert alive(bystander)
    finally:
        os.kill(bystander, signal.SIGKILL)


def test_modules_of_the_directory_that_a_client_is_in_are_not_its_workers(
    tmp_path: Path, worker_kind: str
) -> None:
    for name in ("json", "socket", "struct", "rlm_hypervisor"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not the one that is meant')\n")
    program = tmp_path / "elsewhere" / "program.py"
    program.parent.mkdir()
    program.write_text(
        PRELUDE
        + textwrap.dedent(f"""
            with RLMClient(threads=1, workers=1, worker_kind={worker_kind!r}) as client:
                still_serves(client)
                print("served")
        """)
    )
    done = subprocess.run(
        [sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("served\n", 0), done.stderr
