"""Manners: threads, the GIL, fork, Ctrl-C, imports, and the progress bar."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rlm_hypervisor import RLMClient

from tests.client._helpers import PRELUDE, long_source, long_task, python
from tests.conftest import make_task


def test_eight_threads_share_a_client(client: RLMClient, data: pa.Table) -> None:
    def work(number: int) -> list[Any]:
        tasks = [make_task(data, lambda p, n=n: (p["i"] * n).sum(), chunkSize=1 + n % 3) for n in range(15)]
        return [number, *(client.execute(task) for task in tasks)]

    with ThreadPoolExecutor(8) as pool:
        for number, *answers in pool.map(work, range(8)):
            assert answers == [21 * n for n in range(15)], f"thread {number}"


def test_the_gil_is_free_while_rust_works(client: RLMClient, slow_folder: Path) -> None:
    task = long_task(slow_folder)
    task["input"]["source"] = task["input"]["source"][:20]
    counted, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    run = client.submit(task)
    counter.start()
    started = time.monotonic()
    try:
        run.result(timeout=100)
    finally:
        stop.set()
        counter.join()
    waited = time.monotonic() - started
    # Undisturbed it ticks up to 1,000 times a second; one tick would be the GIL held throughout.
    assert counted[0] > 20 * waited, f"{counted[0]} ticks in {waited:.2f} s"


def test_use_after_fork_is_refused(tmp_path: Path) -> None:
    program = """
        import os, time, warnings
        import pyarrow as pa
        warnings.simplefilter("ignore")
        client = RLMClient(threads=2)
        task = make_task(pa.table({"x": [1, 2]}), lambda p: p["x"].sum())
        assert client.execute(task) == 3
        child = os.fork()
        if child == 0:
            started = time.monotonic()
            status = 1
            try:
                client.execute(task)
            except RLMError as error:
                status = 0 if "fork" in str(error) and time.monotonic() - started < 5 else 2
                print(error, flush=True)
            os._exit(status)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.01)
        else:
            os.kill(child, 9)
            raise SystemExit("the child hangs")
        assert os.waitstatus_to_exitcode(status) == 0, status
        assert client.execute(task) == 3, "the parent goes on"
        client.close()
        print("parent fine")
    """
    done = python(program, warnings="ignore")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "parent fine" in done.stdout


def test_a_child_may_make_its_own_client() -> None:
    program = """
        import os
        import pyarrow as pa
        client = RLMClient(threads=2)
        task = make_task(pa.table({"x": [1, 2]}), lambda p: p["x"].sum())
        assert client.execute(task) == 3
        if (child := os.fork()) == 0:
            import signal
            signal.alarm(20)
            own = RLMClient(threads=1)
            os._exit(0 if own.execute(task) == 3 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    done = python(program, warnings="ignore")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_child_leaves_cleanly_with_what_it_inherited(slow_folder: Path) -> None:
    """An ordinary exit, not `os._exit`: finalizers of the parent's client and run are run in the child."""
    program = """
        import asyncio, gc, os, signal
        import pyarrow as pa
        client = RLMClient(threads=2)
        task = make_task(pa.table({"x": [1, 2]}), lambda p: p["x"].sum())
        assert asyncio.run(client.aexecute(task)) == 3
        run = client.submit(long_task(sys.argv[1]))
        if (child := os.fork()) == 0:
            signal.alarm(20)
            for use in (lambda: run.state, lambda: run.result(), lambda: client.submit(task)):
                try:
                    use()
                except RLMError as error:
                    assert "fork" in str(error)
                else:
                    sys.exit(1)
            repr(client), repr(run), client.close()
            own = RLMClient(threads=1)
            assert asyncio.run(own.aexecute(task)) == 3
            del client, run
            gc.collect()
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert run.state == "running", "the parent's run goes on"
    """
    done = python(program, str(slow_folder), warnings="ignore")
    assert done.returncode == 0, done.stdout + done.stderr


def _stops_within(chunk: float) -> float:
    """Seconds that a run may go on after Ctrl-C, whose chunks take so long: little more than the present ones."""
    return max(0.1, 0.065 + 3 * chunk)


def _interrupted(program: str, *args: str) -> tuple[float, float, str, str]:
    """Sends SIGINT when the program says that it is under way, and how long a chunk takes.

    Returns the seconds until it had stopped (by its own clock, which is ours), those of a chunk, what it printed then,
    and stderr.
    """
    command = [sys.executable, "-c", PRELUDE + UNDER_WAY + textwrap.dedent(program), *args]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    under_way, _, chunk = child.stdout.readline().strip().partition(": ")
    assert under_way == "under way", child.communicate()[1]
    sent = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, errors = child.communicate(timeout=60)
    moment, _, said = out.strip().partition(" ")
    assert moment, errors
    return float(moment) - sent, float(chunk), said, errors


UNDER_WAY = """
import os, threading, time

runs, submit = [], RLMClient._submit
RLMClient._submit = lambda self, *given: runs.append(submit(self, *given)) or runs[-1]

def announce(chunk=0.0):
    while not (runs and runs[0].progress.rows_done > 0):
        time.sleep(0.001)
    print("under way:", chunk, flush=True)

def seconds_of_a_chunk(client, task, threads):
    # The second time: what is made once is there then.
    task = {**task, "input": task["input"] | {"source": task["input"]["source"][:8]}}
    for _ in range(2):
        client.execute(task)
    done = runs[-1].progress
    runs.clear()
    return done.elapsed_seconds * threads / done.chunks_done

def becomes_idle():
    end = time.monotonic() + 20
    while time.monotonic() < end:
        before = time.process_time()
        time.sleep(0.3)
        if time.process_time() - before < 0.1:
            return True
    return False
"""

LONG = {
    "files": "long_task(sys.argv[1])",
    "memory": "make_task([table] * 5000, lambda p: p.groupby('k')['x'].std())",
    "rows": "make_task(long_source(pathlib.Path(sys.argv[1])), lambda p: p[p['x'] == 0.5])",
}


@pytest.mark.parametrize("source", LONG)
def test_ctrl_c_ends_execute_with_nothing_left_running(slow_folder: Path, source: str) -> None:
    program = f"""
        import pathlib
        import pyarrow as pa
        client = RLMClient(threads=2, progress=False)
        table = pa.table({{"k": list(range(1000)) * 100, "x": [0.5] * 100_000}})
        task = {LONG[source]}
        chunk = seconds_of_a_chunk(client, task, 2)
        threading.Thread(target=announce, args=[chunk], daemon=True).start()
        try:
            client.execute(task)
        except KeyboardInterrupt:
            print(time.monotonic(), runs[0].state, becomes_idle(), runs[0].progress.accounting.pending)
            raise
    """
    attempts = []
    for _ in range(5):  # a machine that is busy elsewhere gets another chance
        seconds, chunk, said, errors = _interrupted(program, str(slow_folder))
        assert said == "cancelled True 0"
        assert "KeyboardInterrupt" in errors
        assert "panic" not in errors
        if seconds <= _stops_within(chunk):
            return
        attempts.append((seconds, chunk))
    pytest.fail(f"seconds that runs went on, and those that a chunk takes: {attempts}")


def test_ctrl_c_while_waiting_for_a_run_leaves_it_to_its_owner(slow_folder: Path) -> None:
    program = """
        client = RLMClient(threads=2)
        run = client.submit(long_task(sys.argv[1]))
        threading.Thread(target=announce, daemon=True).start()
        try:
            run.result()
        except KeyboardInterrupt:
            said = run.state
            run.cancel()
            assert run.wait(20), "still running"
            print(time.monotonic(), said, run.state)
        client.close()
    """
    _, _, said, errors = _interrupted(program, str(slow_folder))
    assert said == "running cancelled", errors


def test_ctrl_c_and_deadline_while_a_source_is_opened() -> None:
    """A store that accepts connections and never answers."""
    program = """
        import socket
        store = socket.socket()
        store.bind(("127.0.0.1", 0))
        store.listen(8)
        options = {
            "aws_endpoint_url": f"http://127.0.0.1:{store.getsockname()[1]}",
            "aws_access_key_id": "id", "aws_secret_access_key": "secret", "aws_region": "us-east-1",
        }
        client = RLMClient(threads=1, storage_options=options)
        task = make_task("s3://bucket/data", lambda p: p["x"].sum(), options={"timeoutMs": 200})
        try:
            client.execute(task)
        except TimeoutError as error:
            assert error.code == "TIMEOUT"
        else:
            raise SystemExit("no deadline")

        def connected():
            store.accept()
            print("under way: 0", flush=True)

        store.accept()
        threading.Thread(target=connected, daemon=True).start()
        try:
            client.execute(make_task("s3://bucket/data", lambda p: p["x"].sum()))
        except KeyboardInterrupt:
            print(time.monotonic(), "interrupted")
    """
    attempts: list[float] = []
    while len(attempts) < 3 and not (attempts and attempts[-1] < 1):
        seconds, _, said, errors = _interrupted(program)
        assert said == "interrupted", errors
        attempts.append(seconds)
    assert min(attempts) < 1, attempts


def test_leaving_while_a_run_goes_on_does_not_hang(slow_folder: Path) -> None:
    program = """
        client = RLMClient(threads=2)
        run = client.submit(long_task(sys.argv[1]))
        print("leaving")
    """
    done = python(program, str(slow_folder), warnings="ignore")
    assert done.returncode == 0 and "leaving" in done.stdout, done.stderr
    assert "panic" not in done.stderr


def test_leaving_while_threads_and_tasks_wait(slow_folder: Path) -> None:
    program = """
        import asyncio, threading
        client = RLMClient(threads=2)
        run = client.submit(long_task(sys.argv[1]))
        threading.Thread(target=run.exception, daemon=True).start()
        loop = asyncio.new_event_loop()
        other = client.submit(long_task(sys.argv[1]))

        async def wait():
            await asyncio.wait({asyncio.ensure_future(asyncio.shield(other))}, timeout=0.05)

        loop.run_until_complete(wait())
        loop.close()
        print("leaving")
    """
    done = python(program, str(slow_folder), warnings="ignore")
    assert done.returncode == 0 and "leaving" in done.stdout, done.stderr
    assert "panic" not in done.stderr
    assert "RuntimeError" not in done.stderr


def test_import_loads_no_heavy_library() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import rlm_hypervisor"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "rlm_hypervisor" in loaded
    heavy = {"pandas", "pyarrow", "numpy", "polars", "duckdb", "IPython", "asyncio", "cloudpickle"}
    assert not loaded & heavy


def test_tracing_needs_no_pandas(slow_folder: Path) -> None:
    path = long_source(slow_folder, 1)[0]
    program = f"""
        import sys
        import importlib.abc

        class Absent(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("pandas", "numpy", "pyarrow", "polars"):
                    raise ImportError(name + " is not installed here")

        sys.meta_path.insert(0, Absent())
        from rlm_hypervisor import RLMClient
        task = {{"type": "parallel", "input": {{"source": {path!r}, "operation": lambda p: p["x"].max()}}}}
        client = RLMClient(threads=1)
        assert client.execute(task) == 99_999.0
        task["input"]["operation"] = lambda p: p.groupby("k")["x"].sum().head(2)
        result = client.execute(task)
        assert list(result.to_dict()) == ["key 0", "key 1"] and result.to_dict()["key 0"] == 9973.0 * 55
        repr(result), result._repr_html_(), bytes(str(result.__arrow_c_stream__()), "ascii")
        try:
            result.to_pandas()
        except ImportError as error:
            assert "rlm-hypervisor[pandas]" in str(error)
        else:
            raise SystemExit("pandas was found")
        print("fine")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "fine", done.stderr


def _in_a_terminal(program: str, *args: str, seconds: float = 60) -> str:
    """What a program shows when its standard streams are a terminal."""
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(program), *args]
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"}
    )
    os.close(theirs)
    shown = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert child.wait(timeout=30) == 0, shown.decode(errors="replace")
    return shown.decode(errors="replace")


@pytest.mark.parametrize("progress", ["True", "False"])
def test_the_progress_bar_in_a_terminal(slow_folder: Path, progress: str) -> None:
    program = f"""
        client = RLMClient(threads=2, progress={progress})
        try:
            client.execute(long_task(sys.argv[1], options={{"timeoutMs": 6_000}}))
        except TimeoutError:
            print("the end")
        client.close()
    """
    shown = _in_a_terminal(program, str(slow_folder))
    assert "the end" in shown
    before = shown.partition("the end")[0]
    if progress == "True":
        assert "\r" in before.replace("\r\n", "")
        assert "%" in before or "rows" in before
    else:
        assert not before.strip()


def test_no_progress_bar_in_a_file(slow_folder: Path) -> None:
    program = """
        client = RLMClient(threads=2)
        try:
            client.execute(long_task(sys.argv[1], options={"timeoutMs": 6_000}))
        except TimeoutError:
            print("the end")
    """
    done = python(program, str(slow_folder), warnings="ignore")
    assert done.stdout.strip() == "the end"
    assert "\r" not in done.stderr
