"""A run with a key is killed with its process at random moments, and goes on in another one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import OutputFailedError, RLMClient

from tests.faults._workers import PRELUDE, linux, until

PROGRAM = """
import random
kind, workers, state, calls = sys.argv[1:]

def note(first):
    time.sleep(0.004 + (first % 7) / 2000)
    with open(calls, "a") as file:
        file.write(f"{first}\\n")

def items(n):
    note(n)
    return n * n

def batch(found):
    note(found[0])
    return sum(found)

def rows(partition):
    note(partition.index[0])
    partition["twice"] = partition["n"] * 2
    return partition

if kind == "items":
    document = {"type": "parallel", "input": {"items": range(120), "operation": items, "combine": sum}}
elif kind == "batches":
    document = {"type": "batch_processing", "input": {"items": range(600), "operation": batch, "chunkSize": 5}}
else:
    import pandas
    data = pandas.DataFrame({"n": range(1200)})
    document = {"type": "parallel", "input": {"source": data, "operation": rows, "chunkSize": 10}}
options = {"idempotencyKey": "night", "retries": 2, "backoffMs": 1}
document["options"] = {**options, "mode": "python"} if kind == "rows" else options
if __name__ == "__main__":
    with RLMClient(threads=1, workers=2, worker_kind=workers, state_dir=state) as client:
        run = client.submit(document)
        print("started", flush=True)
        counted = looked_after(run)
        answer = run.result()
        answer = answer if kind != "rows" else int(answer.to_pandas()["twice"].sum())
        print(counted["succeeded"], run.progress.accounting.restored, answer, flush=True)
"""

ANSWERS: dict[str, Any] = {
    "items": sum(n * n for n in range(120)),
    "batches": [sum(range(n, n + 5)) for n in range(0, 600, 5)],
    "rows": sum(range(1200)) * 2,
}


def _start(kind: str, folder: Path, workers: str = "processes") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PRELUDE + PROGRAM, kind, workers, str(folder), str(folder / "calls")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _noted(folder: Path) -> list[str]:
    path = folder / "calls"
    return path.read_text().split() if path.exists() else []


def _wait_for(folder: Path, lines: int, process: subprocess.Popen[str]) -> None:
    until(lambda: len(_noted(folder)) >= lines or process.poll() is not None)


@linux
@pytest.mark.parametrize(
    ("kind", "workers"), [*((kind, "processes") for kind in ANSWERS), ("batches", "threads")]
)
def test_a_killed_run_goes_on_and_repeats_nothing_that_was_done(
    kind: str, workers: str, tmp_path: Path
) -> None:
    import psutil

    generator = random.Random(kind)
    kills = 0
    for _ in range(30):
        process = _start(kind, tmp_path, workers)
        assert process.stdout is not None
        if process.stdout.readline() == "started\n" and kills < 4:
            if generator.random() < 0.5:
                # A worker before: its run goes on.
                for child in psutil.Process(process.pid).children()[:1]:
                    child.send_signal(signal.SIGKILL)
            more = len(_noted(tmp_path)) + generator.randrange(1, 30)
            _wait_for(tmp_path, more, process)
            process.kill()
            kills += 1
        out, problem = process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, problem
    else:
        pytest.fail("it did not come to its end")
    succeeded, restored, answer = out.split(" ", 2)
    assert answer.strip() == str(ANSWERS[kind])
    # What is combined by a last call counts as well.
    assert int(succeeded) in (120, 121)
    assert 0 < int(restored) <= 120
    # A chunk runs twice only if it, or what was done with it, was on its way when somebody was killed.
    found = Counter(_noted(tmp_path))
    assert len(found) == 120
    twice = sum(count - 1 for count in found.values())
    assert twice <= kills * 2 * 16


@linux
def test_a_file_that_is_torn_anywhere_gives_the_same_answer(tmp_path: Path) -> None:
    def task(n: int) -> dict[str, Any]:
        given = {"items": range(30), "operation": lambda n: n + 1}
        return {"type": "parallel", "input": given, "options": {"idempotencyKey": "torn"}}

    generator = random.Random(7)
    with RLMClient(threads=1, workers=1, state_dir=str(tmp_path)) as client:
        client.execute(task(0))
        path = tmp_path / "runs" / "torn.log"
        whole = path.read_bytes()
        for _ in range(25):
            cut = generator.randrange(0, len(whole))
            path.write_bytes(whole[:cut] + (b"\0" * 50 if generator.random() < 0.3 else b""))
            run = client.submit(task(0))
            assert run.result() == list(range(1, 31))
            assert run.progress.accounting.succeeded == 30


@linux
def test_a_full_disk_ends_the_run_and_what_was_done_before_stays(tmp_path: Path) -> None:
    import resource

    def operation(n: int) -> bytes:
        return bytes([n]) * 100_000

    def task() -> dict[str, Any]:
        given = {"items": range(40), "operation": operation, "combine": len, "chunkSize": 1}
        return {"type": "parallel", "input": given, "options": {"idempotencyKey": "full"}}

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with RLMClient(threads=1, workers=1, state_dir=str(tmp_path)) as client:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
            try:
                with pytest.raises(OutputFailedError, match="could not be kept"):
                    client.execute(task())
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            run = client.submit(task())
            assert run.result() == 40
            assert run.progress.accounting.restored > 5
    finally:
        signal.signal(signal.SIGXFSZ, before)


def test_a_cancelled_run_goes_on(tmp_path: Path) -> None:
    def operation(n: int) -> int:
        time.sleep(0.02)
        return n

    task = {
        "type": "parallel",
        "input": {"items": range(40), "operation": operation},
        "options": {"idempotencyKey": "stopped"},
    }
    with RLMClient(threads=1, workers=2, state_dir=str(tmp_path)) as client:
        run = client.submit(task)
        until(lambda: run.progress.accounting.succeeded > 10)
        run.cancel()
        assert run.wait(20)
        done = run.progress.accounting.succeeded
        again = client.submit(task)
        assert again.result() == list(range(40))
        assert again.progress.accounting.restored == done
    assert os.path.exists(tmp_path / "runs" / "stopped.log")
